//! Runs an invocation: output as it arrives, requests to stop as they come, and no orphans.
//!
//! **Invariant:** when [`run`] returns, the process has ended and was waited for; if we are killed
//! instead, it is told to stop by the kernel.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, getpid, getppid, kill_process_group};

use super::invocation::Invocation;
use super::stop;

/// What happens while a process runs.
#[derive(Debug)]
pub enum Happening<'a> {
    /// Bytes of stdout and stderr, in the order of writing.
    Output(&'a [u8]),
    /// A tenth of a second went by.
    Tick,
    /// It was asked to stop.
    Stopping,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exited {
    /// The exit code; 128 plus the signal's number where a signal ended it.
    pub code: i32,
    /// Whether it had been asked to stop.
    pub stopped: bool,
}

/// How long a process may take to stop before it is killed: users are promised two seconds.
const GRACE: Duration = Duration::from_millis(1500);
/// Two requests closer than this are one.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// As many requests as docker itself takes before it kills.
const PATIENCE: usize = 3;

#[derive(Clone, Debug)]
enum Message {
    Output(Vec<u8>),
    End(Result<(), String>),
    Stop,
    Answer(Option<String>),
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A line, with its end.
    Line(String),
    /// There is nobody to answer.
    None,
    /// A request to stop.
    Stop,
}

/// Where requests to stop arrive. From its making on, no signal ends this process: what was asked
/// before a process is started stops that process.
#[derive(Debug)]
pub struct Requests {
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

impl Requests {
    /// Begins to listen. `socket` is docker's, which it closes when we should stop.
    pub fn listen(socket: Option<&OsStr>) -> anyhow::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        stop::watch(socket, &sender, &Message::Stop)?;
        Ok(Self { sender, receiver })
    }

    /// Waits for a line of stdin, or for a request to stop.
    pub fn answer(&self) -> Answer {
        let sender = self.sender.clone();
        // Nothing ends a read of a terminal; the thread ends with the process.
        thread::spawn(move || {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line);
            let _ = sender.send(Message::Answer(read.is_ok_and(|n| n > 0).then_some(line)));
        });
        loop {
            match self.receiver.recv() {
                Ok(Message::Answer(Some(line))) => return Answer::Line(line),
                Ok(Message::Answer(None)) => return Answer::None,
                Ok(Message::Stop) | Err(_) => return Answer::Stop,
                Ok(Message::Output(_) | Message::End(_)) => {}
            }
        }
    }

    /// Asks for a stop by itself once `limit` has passed.
    pub fn stop_after(&self, limit: Duration) {
        let sender = self.sender.clone();
        thread::spawn(move || {
            thread::sleep(limit);
            // Nobody listens any more where the process has ended by then.
            let _ = sender.send(Message::Stop);
        });
    }
}

/// Runs a process to its end.
pub fn run(
    invocation: &Invocation,
    requests: &Requests,
    on: &mut dyn FnMut(Happening<'_>),
) -> anyhow::Result<Exited> {
    let Requests { sender, receiver } = requests;
    let sender = sender.clone();
    let handle = duct::cmd(&invocation.program, &invocation.args)
        .full_env(&invocation.env)
        .dir(&invocation.cwd)
        .stdin_null()
        .stderr_to_stdout()
        .unchecked()
        .before_spawn(isolate)
        .reader()
        .with_context(|| format!("starting `{invocation}`"))?;
    let handle = Arc::new(handle);
    let group = handle.pids().first().and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
    let reader = Arc::clone(&handle);
    thread::spawn(move || read_all(&reader, &sender));

    let mut stopper = Stopper { group, requests: 0, first: None, last: None };
    let mut next_tick = Instant::now() + TICK;
    let ended = loop {
        match receiver.recv_timeout(next_tick.saturating_duration_since(Instant::now())) {
            Ok(Message::Output(bytes)) => on(Happening::Output(&bytes)),
            Ok(Message::End(ended)) => break ended,
            Ok(Message::Stop) => {
                if stopper.request() {
                    on(Happening::Stopping);
                }
            }
            Ok(Message::Answer(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
        }
        if Instant::now() >= next_tick {
            next_tick = Instant::now() + TICK;
            stopper.tick();
            on(Happening::Tick);
        }
    };
    ended.map_err(anyhow::Error::msg).context("reading the output of docker")?;
    let output = handle.try_wait().context("waiting for docker")?.context("docker did not end")?;
    let status = output.status;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(Exited { code, stopped: stopper.requests > 0 })
}

const TICK: Duration = Duration::from_millis(100);

fn read_all(mut reader: &duct::ReaderHandle, to: &Sender<Message>) {
    let mut buffer = vec![0; 1 << 16];
    let ended = loop {
        match reader.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(count) => {
                if to.send(Message::Output(buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error.to_string()),
        }
    };
    let _ = to.send(Message::End(ended));
}

/// Puts the process into a group of its own, which a signal reaches whole, and lets it end with us.
#[expect(
    unsafe_code,
    reason = "only between fork and exec can a process bind itself to its parent"
)]
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of a hook")]
fn isolate(command: &mut Command) -> io::Result<()> {
    command.process_group(0);
    let parent = getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes
    // two system calls, prctl and getppid, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            // The parent may have died before the first call took effect.
            if getppid() == Some(parent) {
                Ok(())
            } else {
                Err(io::Error::from(io::ErrorKind::Interrupted))
            }
        });
    }
    Ok(())
}

struct Stopper {
    group: Option<Pid>,
    requests: usize,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Stopper {
    /// Passes a request on. Returns whether it was a new one.
    fn request(&mut self) -> bool {
        let now = Instant::now();
        if self.last.is_some_and(|last| now - last < DEBOUNCE) {
            return false;
        }
        self.last = Some(now);
        self.first.get_or_insert(now);
        self.requests += 1;
        self.send(if self.requests < PATIENCE { Signal::INT } else { Signal::KILL });
        true
    }

    fn tick(&mut self) {
        if self.first.is_some_and(|first| first.elapsed() > GRACE) {
            self.send(Signal::KILL);
        }
    }

    fn send(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may have ended by itself.
            let _ = kill_process_group(group, signal);
        }
    }
}
