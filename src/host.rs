//! The machine as a value: environment, folder and streams, passed down from `main`.
//!
//! **Invariant:** the only place that reads the process's environment and current folder.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::term::Term;

/// What a command may know of its process.
#[derive(Debug)]
pub struct Host {
    /// Environment variables.
    pub env: BTreeMap<OsString, OsString>,
    /// The current folder, absolute.
    pub cwd: PathBuf,
    /// stdout and stderr.
    pub term: Term,
}

impl Host {
    /// The machine that this process runs on.
    #[expect(clippy::disallowed_methods, reason = "this is where the world is asked")]
    pub fn from_process() -> Self {
        let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let set = |name: &str| env.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
        let dumb = env.get(OsStr::new("TERM")).is_some_and(|term| term == "dumb");
        let term = Term::from_process(set("NO_COLOR"), dumb);
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        Self { env, cwd, term }
    }

    /// A variable's value where it is set, not empty and UTF-8.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(OsStr::new(name)).and_then(|value| value.to_str()).filter(|v| !v.is_empty())
    }
}
