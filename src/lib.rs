//! `docker flowstorage`: builds checked, pushed container images from Python workflow scripts.
//!
//! Only the command line and its documented outputs are stable; this library is not an API.
//!
//! Data flows one way: spec + facts → storage → plan → invocation → events → report.

pub mod access;
pub mod cli;
pub mod commands;
pub mod deps;
pub mod diff;
pub mod docker;
pub mod drive;
pub mod error;
pub mod explain;
pub mod facts;
pub mod host;
pub mod image_ref;
pub mod init;
pub mod packages;
pub mod plan;
pub mod plugin;
pub mod problem;
pub mod progress;
pub mod python;
pub mod registration;
pub mod render;
pub mod report;
pub mod resolve;
pub mod runtime;
pub mod slug;
pub mod spec;
pub mod stage;
pub mod storage;
pub mod term;
pub mod user_file;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use crate::cli::{Command, Parsed};
use crate::error::{Error, Exit};
use crate::host::Host;
use crate::plugin::Call;

/// Runs one command line, our own path first, and reports how it ended.
pub fn run(args: &[OsString], host: &mut Host) -> ExitCode {
    match dispatch(args, host) {
        Ok(()) => Exit::Done.into(),
        Err(error) => report(&error, host).into(),
    }
}

fn dispatch(args: &[OsString], host: &mut Host) -> anyhow::Result<()> {
    let call = Call::parse(args, host)?;
    match cli::parse(&call, host)? {
        Parsed::Print(text) => Ok(host.term.result(&text)?),
        Parsed::Run(command) => match command {
            Command::Build(args) => commands::build::run(&args, &call, host),
            Command::Check(args) => commands::check::run(&args, &call, host),
            Command::Explain(args) => commands::explain::run(&args, &call, host),
            Command::Init(args) => commands::init::run(&args, &call, host),
            Command::Install(args) => commands::install::run(&args, &call, host),
            Command::Plan(args) => commands::plan::run(&args, &call, host),
            Command::Version(args) => commands::version::run(&args, &call, host),
        },
    }
}

/// Says what went wrong, once, and returns the exit code that belongs to it.
fn report(error: &anyhow::Error, host: &mut Host) -> Exit {
    // Whoever read our stdout has gone, as in `docker flowstorage plan | head`. Only a bare error
    // of `Term::result` looks like this: every other one comes with its context.
    let bare = error.chain().next().and_then(|outermost| outermost.downcast_ref::<io::Error>());
    if bare.is_some_and(|fault| fault.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::Done;
    }
    let Some(known) = error.downcast_ref::<Error>() else {
        host.term.error(&format!("{error:#}"));
        return Exit::BuildFailed;
    };
    match known {
        Error::Usage { text, .. } => host.term.note(text),
        Error::Spec(problems) => {
            host.term.problems(problems);
            host.term.error(&format!("{error:#}"));
        }
        Error::Docker(_) | Error::Build(_) | Error::Network(_) | Error::Cancelled => {
            host.term.error(&format!("{error:#}"));
        }
    }
    if let Some(remedy) = known.hint() {
        host.term.hint(remedy);
    }
    known.exit()
}
