//! `explain`: a log of any failed build → its cause and what to add to the spec.
//!
//! **Invariant:** what the tables know is answered without docker.

use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;

use super::explanation;
use crate::cli::{ExplainArgs, Format};
use crate::docker::Docker;
use crate::docker::lookup::Question;
use crate::error::{Error, Fault};
use crate::explain::{self, Explanation};
use crate::host::Host;
use crate::plugin::Call;
use crate::report;

/// No log of a build is longer, and an explanation is near its end.
const MAX_LOG: u64 = 64 * 1024 * 1024;

/// Runs the command.
pub fn run(args: &ExplainArgs, call: &Call, host: &mut Host) -> anyhow::Result<()> {
    let log = read(args.log.as_deref(), host)?;
    let mut explanation = explain::explain(&log);
    if let Some(explanation) = &mut explanation {
        complete(explanation, &log, args, call, host)?;
    }
    match args.format {
        Format::Json => host.term.result(&report::explain_json(explanation.as_ref()))?,
        Format::Default => {
            if let Some(explanation) = &explanation {
                host.term.result(&report::explain_text(explanation))?;
            }
        }
    }
    if explanation.is_some() {
        return Ok(());
    }
    let fault = Fault::new(
        "nothing in this log is known",
        "look for its first line that speaks of an error; give the whole log, as `--progress plain` writes it",
    );
    Err(Error::Build(fault).into())
}

/// Asks the base, where there is a docker to do it and something that no table knows.
fn complete(
    explanation: &mut Explanation,
    log: &str,
    args: &ExplainArgs,
    call: &Call,
    host: &mut Host,
) -> anyhow::Result<()> {
    let named = explain::base(log);
    let Some(base) = args.base_image.as_deref().or(named.as_deref()) else { return Ok(()) };
    // Without docker the tables are what there is.
    let Ok(docker) = Docker::discover(call, host) else { return Ok(()) };
    let question = Question { base, builder: args.builder.as_deref(), ..Question::default() };
    explanation::complete(explanation, question, &docker, call.socket.as_deref(), host)
}

fn read(log: Option<&Path>, host: &Host) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    match log.filter(|path| *path != Path::new("-")) {
        None => {
            io::stdin()
                .take(MAX_LOG)
                .read_to_end(&mut bytes)
                .context("reading the log from stdin")?;
        }
        Some(path) => {
            let doing = || format!("reading the log `{}`", path.display());
            let file = std::fs::File::open(host.cwd.join(path)).with_context(doing)?;
            file.take(MAX_LOG).read_to_end(&mut bytes).with_context(doing)?;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
