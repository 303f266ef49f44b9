//! Candidates for a shell, in the protocol of cobra that Docker's completion scripts speak.
//!
//! A reply is one candidate per line, with its description after a tab, and a last line `:N`
//! whose bits tell the shell what to do with them.
//!
//! **Invariant:** answers from the grammar alone: no file, engine or network is asked, and a
//! command line that cannot be understood is answered too.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, ValueHint};

use super::{argument, flags_of};
use crate::plugin::pflag::{self, FlagError, Order};

/// What the shell does with the candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directive {
    /// Offers files where there are no candidates.
    Default = 0,
    /// Never offers files.
    NoFiles = 4,
    /// Takes the candidates as file extensions, and offers such files.
    Extensions = 8,
    /// Offers folders.
    Folders = 16,
}

/// Candidates and what to do with them.
struct Reply {
    candidates: Vec<(String, String)>,
    directive: Directive,
}

/// The extensions of specs and flow scripts.
const SPECS: [&str; 3] = ["json", "py", "toml"];

/// Platforms that container images are commonly built for.
const PLATFORMS: [&str; 7] = [
    "linux/386",
    "linux/amd64",
    "linux/arm/v7",
    "linux/arm64",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
];

/// Completes the last of `words`.
pub(super) fn reply(root: &Command, words: &[OsString], descriptions: bool) -> String {
    let Reply { candidates, directive } = candidates(root, words);
    let mut text = String::new();
    for (value, description) in candidates {
        text += &value;
        if descriptions && !description.is_empty() {
            text.push('\t');
            text += &description;
        }
        text.push('\n');
    }
    text + ":" + &(directive as u8).to_string() + "\n"
}

fn candidates(root: &Command, words: &[OsString]) -> Reply {
    let Some((typed, before)) = words.split_last() else { return nothing(Directive::NoFiles) };
    let typed = typed.to_string_lossy();
    let flags = flags_of(root);
    let Ok(scan) = pflag::scan(&flags, before, Order::FlagsFirst) else {
        return nothing(Directive::Default);
    };
    let Some((name, rest)) = scan.rest.split_first() else {
        return if scan.terminated { nothing(Directive::NoFiles) } else { commands(root, &typed) };
    };
    match root.find_subcommand(name) {
        Some(command) => arguments(command, rest, &typed),
        None => nothing(Directive::Default),
    }
}

fn commands(root: &Command, typed: &str) -> Reply {
    let mut candidates: Vec<(String, String)> = root
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name().starts_with(typed))
        .map(|command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            (command.get_name().to_owned(), about)
        })
        .collect();
    candidates.sort();
    Reply { candidates, directive: Directive::NoFiles }
}

fn arguments(command: &Command, before: &[OsString], typed: &str) -> Reply {
    let flags = flags_of(command);
    let scan = match pflag::scan(&flags, before, Order::Mixed) {
        Ok(scan) => scan,
        Err(FlagError::NeedsArgument { long, .. }) => {
            return argument(command, &long)
                .map_or_else(|| nothing(Directive::Default), |arg| values(arg, typed));
        }
        Err(FlagError::Malformed(_)) => return nothing(Directive::Default),
    };
    if scan.terminated || !typed.starts_with('-') {
        // Which storages there are, only the spec knows.
        let is_path = |arg: &Arg| arg.get_value_hint() == ValueHint::FilePath;
        let takes_files = !scan.terminated && command.get_positionals().any(is_path);
        return nothing(if takes_files { Directive::Default } else { Directive::NoFiles });
    }
    if let Some((long, value)) = typed.strip_prefix("--").and_then(|flag| flag.split_once('=')) {
        // The shell keeps the `--flag=` and wants bare values.
        return argument(command, long)
            .map_or_else(|| nothing(Directive::Default), |arg| values(arg, value));
    }
    let is_given =
        |arg: &Arg| scan.given.iter().any(|given| Some(given.flag.long.as_str()) == arg.get_long());
    let mut named: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !arg.is_hide_set())
        .filter(|arg| matches!(arg.get_action(), ArgAction::Append) || !is_given(arg))
        .collect();
    named.sort_by_key(|arg| arg.get_long());

    let mut candidates = Vec::new();
    for arg in named {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        for word in long.into_iter().chain(short).filter(|word| word.starts_with(typed)) {
            candidates.push((word, help.clone()));
        }
    }
    Reply { candidates, directive: Directive::NoFiles }
}

fn values(arg: &Arg, typed: &str) -> Reply {
    if arg.get_id() == "file" {
        return listed(&SPECS, "", Directive::Extensions);
    }
    if arg.get_id() == "platform" {
        return listed(&PLATFORMS, typed, Directive::NoFiles);
    }
    match arg.get_value_hint() {
        ValueHint::AnyPath | ValueHint::FilePath => return nothing(Directive::Default),
        ValueHint::DirPath => return nothing(Directive::Folders),
        _ => {}
    }
    let possible = if arg.get_action().takes_values() { arg.get_possible_values() } else { vec![] };
    let names: Vec<&str> = possible.iter().map(clap::builder::PossibleValue::get_name).collect();
    listed(&names, typed, Directive::NoFiles)
}

fn listed(values: &[&str], typed: &str, directive: Directive) -> Reply {
    let fitting = values.iter().filter(|value| value.starts_with(typed));
    let candidates = fitting.map(|value| ((*value).to_owned(), String::new())).collect();
    Reply { candidates, directive }
}

fn nothing(directive: Directive) -> Reply {
    Reply { candidates: Vec::new(), directive }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(words: &[&str]) -> String {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        reply(&crate::cli::command(), &words, false)
    }

    #[test]
    fn commands_come_with_their_descriptions() {
        let root = crate::cli::command();
        assert_eq!(
            reply(&root, &[OsString::from("b")], true),
            "build\tBuild, check and push the images of a spec\n:4\n"
        );
        assert_eq!(complete(&["b"]), "build\n:4\n");
        assert_eq!(complete(&[""]), "build\ncheck\nexplain\ninit\ninstall\nplan\nversion\n:4\n");
        assert_eq!(complete(&["--help", "v"]), "version\n:4\n");
        assert_eq!(complete(&["nosuch"]), ":4\n");
        assert_eq!(complete(&["-"]), ":4\n");
        assert_eq!(complete(&["--", ""]), ":4\n");
        assert_eq!(complete(&[]), ":4\n");
    }

    #[test]
    fn flags_are_offered_until_they_are_given() {
        assert_eq!(complete(&["install", "-"]), "--dir\n:4\n");
        assert_eq!(complete(&["version", "-"]), "--format\n-f\n:4\n");
        assert_eq!(complete(&["check", "--fo"]), "--format\n:4\n");
        assert_eq!(complete(&["check", "-f"]), "-f\n:4\n");
        assert_eq!(complete(&["version", "-fx", "-"]), ":4\n");
        // What may be repeated is offered again.
        assert_eq!(complete(&["build", "-t", "x", "--ta"]), "--tag\n:4\n");
        assert_eq!(complete(&["check", "--", "-"]), ":4\n");
    }

    #[test]
    fn values_are_offered_bare() {
        let modes = "auto\nplain\nquiet\nrawjson\ntty\n:4\n";
        assert_eq!(complete(&["build", "--progress", ""]), modes);
        assert_eq!(complete(&["build", "--progress="]), modes);
        assert_eq!(complete(&["build", "--progress=pl"]), "plain\n:4\n");
        assert_eq!(
            complete(&["build", "--platform", "linux/arm"]),
            "linux/arm/v7\nlinux/arm64\n:4\n"
        );
        assert_eq!(complete(&["plan", "--format", "j"]), "json\n:4\n");
        assert_eq!(complete(&["build", "-f", "x"]), "json\npy\ntoml\n:8\n");
        assert_eq!(complete(&["build", "--file=x"]), "json\npy\ntoml\n:8\n");
        assert_eq!(complete(&["build", "--metadata-file", ""]), ":0\n");
        assert_eq!(complete(&["plan", "-o", ""]), ":16\n");
        assert_eq!(complete(&["build", "--tag", ""]), ":4\n");
        assert_eq!(complete(&["build", "--push="]), ":4\n");
    }

    #[test]
    fn storages_are_not_guessed_and_nonsense_is_answered() {
        assert_eq!(complete(&["build", ""]), ":4\n");
        assert_eq!(complete(&["explain", ""]), ":0\n");
        assert_eq!(complete(&["explain", "--fo"]), "--format\n:4\n");
        assert_eq!(complete(&["build", "etl", "-f", "x", "a"]), ":4\n");
        assert_eq!(complete(&["build", "--nope", ""]), ":0\n");
        assert_eq!(complete(&["--nope", ""]), ":0\n");
        assert_eq!(complete(&["nosuch", ""]), ":0\n");
        assert_eq!(complete(&["build", "--nope=x"]), ":0\n");
    }

    #[test]
    fn no_candidate_breaks_the_protocol() {
        let root = crate::cli::command();
        for command in root.get_subcommands() {
            let words = [OsString::from(command.get_name()), OsString::from("-")];
            for line in reply(&root, &words, true).lines() {
                assert!(line.matches('\t').count() <= 1, "{line:?}");
                assert!(line.starts_with('-') || line == ":4", "{line:?}");
            }
        }
    }

    #[test]
    fn words_need_not_be_utf8() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let words = [OsString::from("build"), OsStr::from_bytes(b"\xff").to_owned()];
        assert_eq!(reply(&crate::cli::command(), &words, false), ":4\n");
    }
}
