//! The command line: from the words after `docker flowstorage` to a typed command.
//!
//! Docker's commands are read by Go's pflag and cobra, so ours are scanned by the same rules
//! ([`crate::plugin::pflag`]) and refused in the same words. clap holds the grammar and converts
//! values; what it is given has already been found valid.
//!
//! **Invariant:** validates what was typed and nothing else: no file, network or engine is asked.

mod complete;
mod grammar;
pub mod help;

use std::ffi::{OsStr, OsString};

use clap::builder::PossibleValue;
use clap::{Arg, CommandFactory, Parser};

use crate::error::{Error, UsageExit};
use crate::host::Host;
use crate::plugin::pflag::{self, Flag, Given, Order, Takes, Value};
use crate::plugin::{Call, Verb};

pub use grammar::{
    BuildArgs, CheckArgs, Command, ExplainArgs, Format, InitArgs, InstallArgs, NameArgs, PlanArgs,
    Progress, SpecArgs, VersionArgs,
};

/// Flags that the environment sets where the command line does not, as it does for buildx.
const FROM_ENVIRONMENT: [(&str, &str); 2] =
    [("platform", "DOCKER_DEFAULT_PLATFORM"), ("progress", "BUILDKIT_PROGRESS")];

/// What a command line comes down to.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Text for stdout, and done: a help page, or candidates for a shell.
    Print(String),
    /// A command to run.
    Run(Command),
}

/// The grammar, for what is generated from it.
pub fn command() -> clap::Command {
    let mut command = grammar::Grammar::command();
    command.build();
    command
}

/// Reads the words of a call.
pub fn parse(call: &Call, host: &Host) -> Result<Parsed, Error> {
    let root = command();
    match &call.verb {
        Verb::Help(words) => help_topic(&root, words, call, host).map(Parsed::Print),
        Verb::Complete { words, descriptions } => {
            Ok(Parsed::Print(complete::reply(&root, words, *descriptions)))
        }
        Verb::Run(words) => read(&root, words, call, host),
    }
}

/// How a help page was asked for.
#[derive(Clone, Copy)]
enum Asked {
    ByName,
    ByLetter,
}

/// Whether the flags ask for help. As with every switch, the last one counts.
fn asked_for_help(given: &[Given<'_>]) -> Option<Asked> {
    let mut asked = given.iter().filter(|given| given.flag.long == "help");
    let last = asked.clone().next_back()?;
    let by_letter = asked.any(|given| given.by_letter);
    let how = if by_letter { Asked::ByLetter } else { Asked::ByName };
    (last.value == Value::Switch(true)).then_some(how)
}

/// A command with the words that lead to it.
#[derive(Clone)]
struct Place<'c> {
    command: &'c clap::Command,
    path: String,
    program: &'static str,
}

impl<'c> Place<'c> {
    fn root(root: &'c clap::Command, call: &Call) -> Self {
        Self { command: root, path: call.command_path.to_owned(), program: call.program() }
    }

    fn below(&self, command: &'c clap::Command) -> Self {
        let path = format!("{} {}", self.path, command.get_name());
        Self { command, path, program: self.program }
    }

    /// An error in the layout that every command of Docker gives its errors.
    fn error(&self, message: &str, exit: UsageExit) -> Error {
        let usage = help::usage_line(self.command, &self.path);
        let path = &self.path;
        let text =
            format!("{message}\n\nUsage:  {usage}\n\nRun '{path} --help' for more information");
        Error::Usage { text, exit }
    }

    fn flag_error(&self, message: &str) -> Error {
        self.error(message, UsageExit::Flags)
    }

    fn unknown_command(&self, word: &OsStr) -> Error {
        let word = word.to_string_lossy();
        let message = format!("{}: unknown command: {} {word}", self.program, self.path);
        self.error(&message, UsageExit::Arguments)
    }

    /// The help page, as `asked` for it.
    fn page(&self, asked: Asked, host: &Host) -> String {
        let page = help::page(self.command, &self.path, host.term.width);
        match asked {
            Asked::ByName => page,
            // Docker says so on stdout, above the page.
            Asked::ByLetter => {
                format!("Flag shorthand -h has been deprecated, use --help\n{page}")
            }
        }
    }
}

/// Answers `docker help flowstorage [COMMAND]`.
fn help_topic(
    root: &clap::Command,
    words: &[OsString],
    call: &Call,
    host: &Host,
) -> Result<String, Error> {
    let mut place = Place::root(root, call);
    for word in words {
        let found = place.command.find_subcommand(word);
        let Some(below) = found else {
            let text = format!("unknown help topic: {}", word.to_string_lossy());
            return Err(Error::Usage { text, exit: UsageExit::Arguments });
        };
        place = place.below(below);
    }
    Ok(place.page(Asked::ByName, host))
}

fn read(
    root: &clap::Command,
    words: &[OsString],
    call: &Call,
    host: &Host,
) -> Result<Parsed, Error> {
    let group = Place::root(root, call);
    let flags = flags_of(root);
    let scan = pflag::scan(&flags, words, Order::FlagsFirst)
        .map_err(|error| group.flag_error(&error.to_string()))?;
    let asked = asked_for_help(&scan.given);

    let Some((name, rest)) = scan.rest.split_first() else {
        return Ok(Parsed::Print(group.page(asked.unwrap_or(Asked::ByName), host)));
    };
    let found = root.find_subcommand(name).filter(|_| !scan.terminated);
    let Some(command) = found else {
        // A wrong flag is reported before a wrong command, and `--help` answered before both.
        let after = pflag::scan(&flags, rest, Order::Mixed)
            .map_err(|error| group.flag_error(&error.to_string()))?;
        let asked = asked.or_else(|| asked_for_help(&after.given));
        let page = asked.map(|asked| Parsed::Print(group.page(asked, host)));
        return page.ok_or_else(|| group.unknown_command(name));
    };
    let place = group.below(command);
    if let Some(asked) = asked {
        return Ok(Parsed::Print(place.page(asked, host)));
    }
    read_command(&place, rest, host)
}

fn read_command(place: &Place<'_>, words: &[OsString], host: &Host) -> Result<Parsed, Error> {
    let flags = flags_of(place.command);
    let scan = pflag::scan(&flags, words, Order::Mixed)
        .map_err(|error| place.flag_error(&error.to_string()))?;
    if let Some(asked) = asked_for_help(&scan.given) {
        return Ok(Parsed::Print(place.page(asked, host)));
    }
    let mut given = Vec::new();
    for Given { flag, value, .. } in &scan.given {
        let arg = argument(place.command, &flag.long);
        if let (Value::Text(text), Some(arg)) = (value, arg) {
            suits(arg, text).map_err(|reason| {
                place.flag_error(&pflag::invalid_argument(text, flag, &reason))
            })?;
        }
        given.push((flag.long.as_str(), value.clone()));
    }
    reject_contradictions(place, &flags, &mut given)?;
    add_environment(place, &mut given, host)?;
    reject_count(place, &scan.rest)?;
    convert(place, &given, &scan.rest).map(Parsed::Run)
}

/// The flags of a command, with the `--help` that each of Docker's has and none shows.
fn flags_of(command: &clap::Command) -> Vec<Flag> {
    let mut flags = vec![Flag::switch("help", Some('h'))];
    for arg in command.get_arguments() {
        if let Some(long) = arg.get_long() {
            let takes = if arg.get_action().takes_values() { Takes::Value } else { Takes::Nothing };
            flags.push(Flag { long: long.to_owned(), short: arg.get_short(), takes });
        }
    }
    flags
}

fn argument<'c>(command: &'c clap::Command, long: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(long))
}

/// Says why a value cannot be meant.
fn suits(arg: &Arg, value: &OsStr) -> Result<(), String> {
    let is_path = arg.get_value_hint() != clap::ValueHint::Unknown;
    let Some(text) = value.to_str() else {
        return if is_path { Ok(()) } else { Err("not valid UTF-8".to_owned()) };
    };
    let possible = arg.get_possible_values();
    if possible.is_empty() || possible.iter().any(|known| known.matches(text, false)) {
        return Ok(());
    }
    let names: Vec<String> =
        possible.iter().map(PossibleValue::get_name).map(|name| format!("{name:?}")).collect();
    Err(format!("must be one of {}", names.join(", ")))
}

/// Refuses flags that cannot both be meant; makes `--quiet` the progress that it stands for.
fn reject_contradictions(
    place: &Place<'_>,
    flags: &[Flag],
    given: &mut Vec<(&str, Value)>,
) -> Result<(), Error> {
    let is_on = |long: &str, given: &[(&str, Value)]| {
        let last = given.iter().rev().find(|(name, _)| *name == long);
        last.is_some_and(|(_, value)| *value != Value::Switch(false))
    };
    let clash = |one: &str, other: &str| {
        let message = format!("conflicting options: cannot specify both --{one} and --{other}");
        place.flag_error(&message)
    };
    for flag in flags {
        let Some(arg) = argument(place.command, &flag.long) else { continue };
        for other in place.command.get_arg_conflicts_with(arg) {
            let other = other.get_long().unwrap_or_default();
            if is_on(&flag.long, given) && is_on(other, given) {
                return Err(clash(&flag.long, other));
            }
        }
    }
    if is_on("quiet", given) {
        let progress = given.iter().rev().find(|(name, _)| *name == "progress");
        if let Some((_, Value::Text(mode))) = progress
            && mode != "auto"
            && mode != "quiet"
        {
            return Err(clash("quiet", &format!("progress={}", mode.to_string_lossy())));
        }
        given.push(("progress", Value::Text(OsString::from("quiet"))));
    }
    Ok(())
}

fn add_environment(
    place: &Place<'_>,
    given: &mut Vec<(&str, Value)>,
    host: &Host,
) -> Result<(), Error> {
    for (long, variable) in FROM_ENVIRONMENT {
        let is_given = given.iter().any(|(name, _)| *name == long);
        let (Some(arg), Some(value)) = (argument(place.command, long), host.var(variable)) else {
            continue;
        };
        if !is_given {
            suits(arg, OsStr::new(value)).map_err(|reason| {
                place.flag_error(&format!("invalid value {value:?} of {variable}: {reason}"))
            })?;
            given.push((long, Value::Text(OsString::from(value))));
        }
    }
    Ok(())
}

/// Refuses too few or too many words, as docker's `cli/required.go` does.
fn reject_count(place: &Place<'_>, words: &[OsString]) -> Result<(), Error> {
    let positionals: Vec<&Arg> = place.command.get_positionals().collect();
    let least = positionals.iter().filter(|arg| arg.is_required_set()).count();
    let endless = positionals.iter().any(|arg| matches!(arg.get_action(), clap::ArgAction::Append));
    let most = if endless { usize::MAX } else { positionals.len() };
    if (least..=most).contains(&words.len()) {
        return Ok(());
    }
    let noun = |count: usize| if count == 1 { "argument" } else { "arguments" };
    let rule = match (least, most) {
        (0, 0) => "accepts no arguments".to_owned(),
        (least, usize::MAX) => format!("requires at least {least} {}", noun(least)),
        (least, most) if least == most => format!("requires {least} {}", noun(least)),
        (0, most) => format!("requires at most {most} {}", noun(most)),
        (least, most) => format!("requires at least {least} and at most {most} {}", noun(most)),
    };
    let message = format!("{}: '{}' {rule}", place.program, place.path);
    Err(place.error(&message, UsageExit::Arguments))
}

/// Lets clap make types of what is known to be valid.
fn convert(
    place: &Place<'_>,
    given: &[(&str, Value)],
    words: &[OsString],
) -> Result<Command, Error> {
    let mut line = vec![OsString::from("flowstorage"), place.command.get_name().into()];
    for (at, (long, value)) in given.iter().enumerate() {
        match value {
            Value::Text(text) => {
                let mut word = OsString::from(format!("--{long}="));
                word.push(text);
                line.push(word);
            }
            // The last position of a switch is the one that counts.
            Value::Switch(on) => {
                let is_last = !given[at + 1..].iter().any(|(later, _)| later == long);
                if *on && is_last {
                    line.push(OsString::from(format!("--{long}")));
                }
            }
        }
    }
    line.push(OsString::from("--"));
    line.extend_from_slice(words);
    grammar::Grammar::try_parse_from(line).map(|parsed| parsed.command).map_err(|error| {
        // Only a word that is not UTF-8 gets here: flags and counts were checked above.
        let word = words.iter().find(|word| word.to_str().is_none());
        let word = word.map_or_else(
            || error.kind().to_string(),
            |word| format!("{:?}", word.to_string_lossy()),
        );
        let message =
            format!("{}: '{}' cannot take {word}: not valid UTF-8", place.program, place.path);
        place.error(&message, UsageExit::Arguments)
    })
}

#[cfg(test)]
mod tests;
