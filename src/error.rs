//! What can end a command, and the exit code and remedy that belong to it.
//!
//! **Invariant:** every way to fail has exactly one [`Exit`]; no module below prints an error.

use std::fmt;
use std::process::ExitCode;

use crate::problem::Problem;

/// Exit codes, as documented for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Done,
    /// The build, its check or its push failed for a reason that a retry does not cure.
    BuildFailed,
    /// The spec is wrong; nothing was built.
    SpecWrong,
    /// docker or buildx is missing, too old or does not answer.
    DockerUnusable,
    /// A registry or network fault: worth trying again (`EX_TEMPFAIL` of sysexits.h).
    Retry,
    /// The command line is wrong, as Docker's own commands say it.
    Usage,
    /// Stopped by a signal or by docker going away.
    Cancelled,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => 0,
            Exit::BuildFailed => 1,
            Exit::SpecWrong => 2,
            Exit::DockerUnusable => 3,
            Exit::Retry => 75,
            Exit::Usage => 125,
            Exit::Cancelled => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(u8::from(exit))
    }
}

/// An error whose kind decides the exit code. Everything else travels as plain [`anyhow::Error`]
/// and counts as [`Exit::BuildFailed`].
#[derive(Debug)]
pub enum Error {
    /// Every problem found in the spec.
    Spec(Vec<Problem>),
    /// docker or buildx cannot be used.
    Docker(Fault),
    /// A build, check or push that failed.
    Build(Fault),
    /// A fault of registry or network.
    Network(Fault),
    /// A wrong command line: the whole text, in Docker's wording.
    Usage {
        /// What is printed on stderr, without a prefix.
        text: String,
        /// 125 for flags, 1 for arguments, as Docker's own commands do.
        exit: UsageExit,
    },
    /// The user, or docker, asked us to stop.
    Cancelled,
}

/// Docker answers wrong flags with 125 and wrong arguments with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageExit {
    /// Unknown or malformed flags.
    Flags,
    /// Wrong number of arguments or an unknown command.
    Arguments,
}

/// What went wrong and what to do about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// One line: lower case, no final period.
    pub message: String,
    /// What a user can do: a line for each thing.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault with its remedy.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }

    /// A fault that has no remedy we could name.
    pub fn bare(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
}

impl Error {
    /// The exit code that this kind of error has.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Spec(_) => Exit::SpecWrong,
            Self::Docker(_) => Exit::DockerUnusable,
            Self::Build(_) | Self::Usage { exit: UsageExit::Arguments, .. } => Exit::BuildFailed,
            Self::Network(_) => Exit::Retry,
            Self::Usage { exit: UsageExit::Flags, .. } => Exit::Usage,
            Self::Cancelled => Exit::Cancelled,
        }
    }

    /// The remedy, where there is one apart from the message.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Docker(fault) | Self::Build(fault) | Self::Network(fault) => {
                fault.hint.as_deref()
            }
            Self::Spec(_) | Self::Usage { .. } | Self::Cancelled => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(problems) => match problems.len() {
                1 => f.write_str("1 problem in the spec; nothing was built"),
                count => write!(f, "{count} problems in the spec; nothing was built"),
            },
            Self::Docker(fault) | Self::Build(fault) | Self::Network(fault) => {
                f.write_str(&fault.message)
            }
            Self::Usage { text, .. } => f.write_str(text),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {}
