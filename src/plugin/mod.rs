//! The protocol between the Docker CLI and its plugins: metadata, argument vector, environment.
//!
//! docker hands over its whole command line, its own flags included, and expects a plugin to sort
//! it out: `docker --context x flowstorage build` runs us with `--context x flowstorage build`.
//!
//! **Invariant:** does no IO but answering the metadata request, and knows no command of ours.

pub mod pflag;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::error::{Error, UsageExit};
use crate::host::Host;
use pflag::{Flag, FlagError, Order, Value};

/// The word that names us on docker's command line.
pub const NAME: &str = "flowstorage";

/// The name of our binary, by which docker finds it in a plugin folder.
pub const BINARY: &str = "docker-flowstorage";

/// The command with which docker asks a plugin what it is.
const METADATA: &str = "docker-cli-plugin-metadata";

/// Answers docker's question what we are.
///
/// docker asks before every use, and for every `docker --help`, without a timeout: nothing else
/// may be set up before this is answered.
pub fn metadata_request(args: &[OsString]) -> Option<ExitCode> {
    if args.get(1).is_none_or(|word| word != METADATA) {
        return None;
    }
    // One write, so that docker never reads half an answer. The description starts with a space
    // because `docker --help` leaves none after a name of eleven letters and its `*`.
    let answer = concat!(
        "{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"Flowstorage contributors\",\"Version\":\"v",
        env!("CARGO_PKG_VERSION"),
        "\",\"ShortDescription\":\" Build checked images from workflow scripts\"}\n",
    );
    match io::stdout().write_all(answer.as_bytes()) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// One call of the plugin, as docker or a shell made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// docker's own flags, word for word, for a nested docker.
    pub globals: Vec<OsString>,
    /// The docker that called us; none where we were started by name.
    pub original_cli: Option<OsString>,
    /// The socket that docker closes when it wants us to stop.
    pub socket: Option<OsString>,
    /// The folder that `--config` names.
    pub config_dir: Option<PathBuf>,
    /// What users type to get here: `docker flowstorage` or `docker-flowstorage`.
    pub command_path: &'static str,
    /// What is wanted.
    pub verb: Verb,
}

/// What a call wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The help page of the command that the words name.
    Help(Vec<OsString>),
    /// Candidates for the last word.
    Complete {
        /// The words so far; the last one is being typed.
        words: Vec<OsString>,
        /// Whether candidates are described.
        descriptions: bool,
    },
    /// A command.
    Run(Vec<OsString>),
}

impl Call {
    /// Sorts out a command line, our own path first.
    pub fn parse(args: &[OsString], host: &Host) -> Result<Self, Error> {
        let words = args.get(1..).unwrap_or_default();
        if let Some(verb) = completion(words, host) {
            // While completing, docker puts our own path where its own belongs: to call that back
            // would call ourselves.
            return Ok(Self {
                globals: Vec::new(),
                original_cli: None,
                socket: None,
                config_dir: None,
                command_path: "docker flowstorage",
                verb,
            });
        }
        let original_cli = variable(host, "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND");
        let flags = docker_flags();
        let scan = pflag::scan(&flags, words, Order::FlagsFirst)
            .map_err(|error| bad_global(&error, original_cli.is_some()))?;

        let switched = |long: &str| {
            let last = scan.given.iter().rev().find(|given| given.flag.long == long);
            last.is_some_and(|given| given.value == Value::Switch(true))
        };
        let config_dir = scan.given.iter().rev().find_map(|given| match &given.value {
            Value::Text(text) if given.flag.long == "config" => Some(PathBuf::from(text)),
            Value::Text(_) | Value::Switch(_) => None,
        });
        let leading = scan.consumed - usize::from(scan.terminated);

        let (help, rest) = match scan.rest.split_first() {
            Some((first, rest)) if first == "help" => (true, rest),
            _ => (switched("help"), &scan.rest[..]),
        };
        // Another plugin's environment may have reached a binary that was started by name: only
        // with our own word is it docker that speaks to us.
        let called_by_docker =
            original_cli.is_some() && rest.first().is_some_and(|word| word == NAME);
        let rest = if called_by_docker { &rest[1..] } else { rest };

        let verb = if help {
            Verb::Help(rest.to_vec())
        } else if switched("version") {
            Verb::Run(vec![OsString::from("version")])
        } else {
            Verb::Run(rest.to_vec())
        };
        Ok(Self {
            globals: words[..leading].to_vec(),
            original_cli: original_cli.filter(|_| called_by_docker),
            socket: variable(host, "DOCKER_CLI_PLUGIN_SOCKET").filter(|_| called_by_docker),
            config_dir,
            command_path: if called_by_docker { "docker flowstorage" } else { BINARY },
            verb,
        })
    }

    /// The program whose name starts the command path, as docker begins some errors with it.
    pub fn program(&self) -> &'static str {
        self.command_path.split(' ').next().unwrap_or(self.command_path)
    }
}

/// docker's global flags, as of 20.10 to 29.
fn docker_flags() -> [Flag; 12] {
    [
        Flag::valued("config", None),
        Flag::valued("context", Some('c')),
        Flag::switch("debug", Some('D')),
        Flag::switch("help", Some('h')),
        Flag::valued("host", Some('H')),
        Flag::valued("log-level", Some('l')),
        Flag::switch("tls", None),
        Flag::valued("tlscacert", None),
        Flag::valued("tlscert", None),
        Flag::valued("tlskey", None),
        Flag::switch("tlsverify", None),
        Flag::switch("version", Some('v')),
    ]
}

fn variable(host: &Host, name: &str) -> Option<OsString> {
    host.env.get(OsStr::new(name)).filter(|value| !value.is_empty()).cloned()
}

fn completion(words: &[OsString], host: &Host) -> Option<Verb> {
    let (verb, words) = words.split_first()?;
    let described = match verb.to_str()? {
        "__complete" => host.var("DOCKER_CLI_DISABLE_COMPLETION_DESCRIPTION").is_none(),
        "__completeNoDesc" => false,
        _ => return None,
    };
    // docker's own scripts send our name first, the older hand-written ones leave it out.
    let words = match words {
        [first, rest @ ..] if first == NAME && !rest.is_empty() => rest,
        _ => words,
    };
    Some(Verb::Complete { words: words.to_vec(), descriptions: described })
}

/// docker checks its flags before it calls us; these are for the binary that is started by name.
fn bad_global(error: &FlagError, called_by_docker: bool) -> Error {
    let program = if called_by_docker { "docker" } else { BINARY };
    let text = format!(
        "{error}\n\nUsage:  {program} [OPTIONS] COMMAND\n\nRun '{program} --help' for more information"
    );
    Error::Usage { text, exit: UsageExit::Flags }
}

#[cfg(test)]
mod tests;
