//! An engine that dies in the middle of a build.
//!
//! **Invariant:** the engine that dies is a second one of this test's own, never the shared one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::processes::{self, wait_until};
use crate::support::registry::Reference;
use crate::support::{PYTHON, Project, engine_script};

const PATIENCE: Duration = Duration::from_mins(1);

/// A second engine, taken down with what it left running.
struct Engine {
    exports: BTreeMap<String, String>,
}

impl Engine {
    fn start() -> Self {
        let output = engine_script("up", "crash").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let exports = String::from_utf8(output.stdout).unwrap();
        let exports = exports.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Self { exports: exports.collect() }
    }

    fn pid(&self) -> u32 {
        self.exports["FLOWSTORAGE_ENGINE_PID"].parse().unwrap()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = engine_script("down", "crash").output();
    }
}

#[test]
fn a_build_whose_engine_dies_says_so_and_ends() {
    let engine = Engine::start();
    let mut project = Project::new();
    project.env("DOCKER_HOST", &engine.exports["DOCKER_HOST"]);
    let seconds = format!("301.{}", std::process::id());
    let base = format!("{}/library/{PYTHON}", crate::support::registry());
    project.file("flow.py", "").spec(&format!(
        "flows = [\"flow.py\"]\nbase_image = \"{base}\"\n\
         extra_dockerfile_commands = [\"RUN sleep {seconds}\"]\n"
    ));
    let running = project.start("docker", &["flowstorage", "build", "--push"]);
    let begun = wait_until(PATIENCE, || !processes::with_word(&seconds).is_empty());
    assert!(begun.is_some(), "the step did not start");

    processes::signal(engine.pid(), "KILL");
    let said = running.wait(PATIENCE).ended(75);
    assert_eq!(
        said.verdict(),
        [
            "ERROR: the connection to the builder broke",
            "hint: see whether the engine is still running, then run the same command again",
        ],
        "{}",
        said.err
    );
    assert_eq!(said.out, "");
    project.assert_tidy();
    let image = format!("{}/app:none", project.namespace);
    assert_eq!(Reference::of(&image).tags(), Vec::<String>::new());
}
