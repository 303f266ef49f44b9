//! The processes of a test, found and signalled.
//!
//! **Invariant:** a process is looked up by what only this test gave it: its HOME, or a word of its
//! command line; nothing else is ever signalled.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Ids of the processes whose `HOME` is this folder, with their command lines.
pub(crate) fn of_home(home: &Path) -> Vec<(u32, String)> {
    let wanted = format!("HOME={}", home.display());
    find(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    })
}

/// Ids of the processes that have this word in their command line, whoever started them.
pub(crate) fn with_word(word: &str) -> Vec<(u32, String)> {
    find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|entry| entry == word.as_bytes())
    })
}

fn find(is_wanted: impl Fn(u32) -> bool) -> Vec<(u32, String)> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.parse::<u32>().ok().filter(|pid| is_wanted(*pid))
    });
    let described = pids.filter_map(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        // A zombie has no command line: it runs no more.
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (!line.is_empty()).then_some((pid, line))
    });
    described.collect()
}

/// Waits for a condition; returns how long it took, or nothing if it did not come.
pub(crate) fn wait_until(patience: Duration, mut holds: impl FnMut() -> bool) -> Option<Duration> {
    let started = Instant::now();
    loop {
        if holds() {
            return Some(started.elapsed());
        }
        if started.elapsed() > patience {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn named(name: &str) -> Signal {
    match name {
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        "KILL" => Signal::KILL,
        other => panic!("`{other}` is no signal of a test"),
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

/// Signals one process. It may have ended by itself.
pub(crate) fn signal(id: u32, name: &str) {
    let _ = kill_process(pid(id), named(name));
}

/// Signals a process group, as a terminal does.
pub(crate) fn signal_group(id: u32, name: &str) {
    let _ = kill_process_group(pid(id), named(name));
}
