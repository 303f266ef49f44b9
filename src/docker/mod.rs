//! The nested docker: how it is called, run, stopped, and what its faults mean.
//!
//! **Invariant:** the only module that starts a process.

pub mod fault;
pub mod image;
pub mod image_layout;
pub mod invocation;
pub mod lookup;
pub mod metadata;
pub mod run;
pub mod stop;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::{Error, Fault};
use crate::host::Host;
use crate::plugin::Call;
use invocation::Invocation;

/// The docker that builds for us, found once.
#[derive(Clone, Debug)]
pub struct Docker {
    program: PathBuf,
    /// docker's own flags, as the user gave them.
    globals: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
}

impl Docker {
    /// Finds the docker that called us, or the one on PATH.
    pub fn discover(call: &Call, host: &Host) -> Result<Self, Error> {
        let name = call.original_cli.clone().unwrap_or_else(|| OsString::from("docker"));
        let path = host.env.get(OsStr::new("PATH"));
        let program = which::which_in(&name, path, &host.cwd).map_err(|_| {
            Error::Docker(Fault::new(
                format!("`{}` is not on PATH", name.to_string_lossy()),
                "install the docker CLI and its buildx plugin: https://docs.docker.com/engine/install/",
            ))
        })?;
        let mut env = host.env.clone();
        for (name, value) in [
            // Provenance in the metadata file costs a round trip and a step.
            ("BUILDX_METADATA_PROVENANCE", Some("disabled")),
            // Contexts and secrets outside the staged folder are what the user asked for.
            ("BUILDX_BAKE_ENTITLEMENTS_FS", Some("0")),
            // These speak of docker's call of us, not of our call of docker.
            ("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", None),
            ("DOCKER_CLI_PLUGIN_SOCKET", None),
            // Would add definitions of other files to ours.
            ("BUILDX_BAKE_FILE", None),
        ] {
            match value {
                Some(value) => env.insert(name.into(), value.into()),
                None => env.remove(OsStr::new(name)),
            };
        }
        Ok(Self { program, globals: call.globals.clone(), env })
    }

    /// The same docker, talking to the engine that a spec names. What the command line names, by
    /// `--host` or `--context`, comes first.
    #[must_use]
    pub fn at(mut self, host: Option<&str>, tls: &[String]) -> Self {
        let names_engine = |word: &OsString| {
            let word = word.to_string_lossy();
            let long = ["--host", "--context"].iter().any(|flag| {
                word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
            });
            // The value of a short flag may follow it at once.
            long || word.starts_with("-H") || word.starts_with("-c")
        };
        if !self.globals.iter().any(names_engine) {
            self.globals.extend(host.map(|host| OsString::from(format!("--host={host}"))));
            self.globals.extend(tls.iter().map(OsString::from));
        }
        self
    }

    /// `docker <globals> ARGS…` in a folder.
    pub fn command<I, A>(&self, cwd: &Path, arguments: I) -> Invocation
    where
        I: IntoIterator<Item = A>,
        A: Into<OsString>,
    {
        let mut args = self.globals.clone();
        args.extend(arguments.into_iter().map(Into::into));
        Invocation {
            program: self.program.clone(),
            args,
            env: self.env.clone(),
            cwd: cwd.to_owned(),
        }
    }
}
