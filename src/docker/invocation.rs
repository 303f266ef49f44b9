//! One command line, as data.
//!
//! **Invariant:** shown text can be pasted into a shell and does the same.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::plan::shell;

/// A program with its arguments, whole environment and folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments after the program's name.
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// The folder that it runs in.
    pub cwd: PathBuf,
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell::quote(&self.program.to_string_lossy()))?;
        for arg in &self.args {
            write!(f, " {}", shell::quote(&arg.to_string_lossy()))?;
        }
        Ok(())
    }
}
