//! Stopping a build, in every way that a user or a machine does it.
//!
//! **Invariant:** two seconds later no process of the build is left, neither here nor in the
//! engine, and no temporary file.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::processes::{self, wait_until};
use crate::support::registry::Reference;
use crate::support::terminal::Terminal;
use crate::support::{BINARY, Project, Running, Said};

/// What users are promised.
const PROMISED: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_mins(2);

/// A build that would take minutes, and the word by which its step is found among the processes.
fn endless() -> (Project, String) {
    let project = Project::new();
    // Fractions that differ make the step of each test its own.
    let seconds = format!("300.{}", project.namespace.rsplit("e2e-").next().unwrap());
    let seconds: String = seconds.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    project.plain(&format!("extra_dockerfile_commands = [\"RUN sleep {seconds}\"]\n"));
    (project, seconds)
}

/// Waits until the step runs.
fn underway(word: &str) {
    let begun = wait_until(PATIENCE, || !processes::with_word(word).is_empty());
    assert!(begun.is_some(), "the step did not start");
}

/// Fails unless everything is gone in time.
#[track_caller]
fn gone(project: &Project, word: &str, since: Instant) {
    let left = || {
        let mut left = processes::of_home(&project.home());
        left.extend(processes::with_word(word));
        left
    };
    while !left().is_empty() && since.elapsed() < PROMISED {
        std::thread::sleep(Duration::from_millis(20));
    }
    let late = left();
    assert!(late.is_empty(), "still running after {:?}: {late:?}", since.elapsed());
    project.assert_tidy();
    let image = format!("{}/app:none", project.namespace);
    assert_eq!(Reference::of(&image).tags(), Vec::<String>::new());
}

/// The plugin's process among those of a project.
fn plugin(project: &Project) -> u32 {
    let all = processes::of_home(&project.home());
    let found = all.iter().find(|(pid, _)| {
        fs::read_link(format!("/proc/{pid}/exe"))
            .is_ok_and(|exe| exe.ends_with("docker-flowstorage"))
    });
    found.unwrap_or_else(|| panic!("no plugin among {all:?}")).0
}

/// Stops a build by `stop`, given the process that the test started.
#[track_caller]
fn stopped(program: &str, words: &[&str], stop: impl FnOnce(&Project, &Running)) -> Said {
    let (project, word) = endless();
    let running = project.start(program, words);
    underway(&word);
    let since = Instant::now();
    stop(&project, &running);
    let said = running.wait(PATIENCE);
    gone(&project, &word, since);
    said
}

/// The last line that is not empty.
fn last(said: &Said) -> &str {
    said.err.lines().rfind(|line| !line.is_empty()).unwrap_or_default()
}

const DOCKER: [&str; 3] = ["flowstorage", "build", "--push"];

#[test]
fn ctrl_c_which_all_of_the_terminals_group_gets() {
    let said = stopped("docker", &DOCKER, |_, running| {
        processes::signal_group(running.pid(), "INT");
    });
    assert_eq!((said.code(), said.out.as_str()), (130, ""));
    assert_eq!(last(&said), "ERROR: cancelled");
}

#[test]
fn a_signal_to_the_plugin_alone() {
    for signal in ["INT", "TERM"] {
        let said = stopped(BINARY, &["build", "--push"], |_, running| {
            processes::signal(running.pid(), signal);
        });
        assert_eq!((said.code(), said.out.as_str()), (130, ""), "{signal}");
        assert_eq!(last(&said), "ERROR: cancelled");
    }
    let said = stopped("docker", &DOCKER, |project, _| {
        processes::signal(plugin(project), "TERM");
    });
    assert_eq!(said.code(), 130);
}

#[test]
fn a_signal_to_docker_alone() {
    let said = stopped("docker", &DOCKER, |_, running| processes::signal(running.pid(), "TERM"));
    assert_eq!(said.code(), 130);
    // Of a docker that was killed, nobody can say how it ended but the kernel.
    stopped("docker", &DOCKER, |_, running| processes::signal(running.pid(), "KILL"));
}

#[test]
fn the_plugin_killed() {
    let (project, word) = endless();
    let running = project.start("docker", &DOCKER);
    underway(&word);
    let since = Instant::now();
    processes::signal(plugin(&project), "KILL");
    running.wait(PATIENCE);
    // Files of a process that had no time to tidy up are the only thing that may stay.
    for left in fs::read_dir(project.tmp()).unwrap() {
        fs::remove_dir_all(left.unwrap().path()).unwrap();
    }
    gone(&project, &word, since);
}

#[test]
fn the_key_on_a_terminal() {
    let (project, word) = endless();
    let mut terminal = Terminal::docker(&project, &DOCKER);
    underway(&word);
    let since = Instant::now();
    terminal.press(b"\x03");
    let code = terminal.wait(PATIENCE);
    gone(&project, &word, since);
    let lines = terminal.lines();
    assert_eq!((code, lines.last().map(String::as_str)), (130, Some("ERROR: cancelled")));
    assert!(lines.len() <= 6, "{lines:#?}");
}

#[test]
fn a_terminal_that_is_closed() {
    let (project, word) = endless();
    // `script` owns the terminal; the kernel hangs it up when `script` is gone.
    let line = "docker flowstorage build --push";
    let mut command = project.command("script", &["--quiet", "--command", line, "/dev/null"]);
    let mut owner =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    underway(&word);
    let since = Instant::now();
    owner.kill().unwrap();
    owner.wait().unwrap();
    gone(&project, &word, since);
}

#[test]
fn what_was_stopped_can_be_built_again() {
    let (project, word) = endless();
    let running = project.start("docker", &DOCKER);
    underway(&word);
    processes::signal_group(running.pid(), "INT");
    running.wait(PATIENCE).ended(130);
    project.plain("");
    project.flowstorage("build --push").ok();
}
