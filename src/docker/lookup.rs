//! Asks the distribution of a base image which packages have some files, in a throwaway build.
//!
//! **Invariant:** nothing of it stays but lists in a cache mount: no image, no name, no file; what a
//! build is given in secret is not given to this one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::Docker;
use super::run::{self, Happening, Requests};
use crate::error::Error;

const PROGRAM: &str = include_str!("../runtime/image/lookup.sh");
const ANSWER: &str = "flowstorage-answer.txt";
/// Whoever waits for an explanation does not wait longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is asked, and where.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// The image that a build begins from.
    pub base: &'a str,
    /// buildx's `--builder`.
    pub builder: Option<&'a str>,
    /// Named contexts of the build: the base may be one.
    pub contexts: BTreeMap<String, String>,
    /// `default`, `none` or `host`.
    pub network: Option<&'a str>,
    /// Names and addresses.
    pub extra_hosts: Vec<(String, String)>,
    /// One of these is in every line that answers.
    pub literals: Vec<String>,
    /// One of these, extended regular expressions, matches every line that answers.
    pub patterns: Vec<String>,
    /// What leaves nothing to ask once each of these matched.
    pub exact: Vec<String>,
}

/// What the base says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The code name of its release.
    pub codename: Option<String>,
    /// Whether it has apt.
    pub has_apt: bool,
    /// How many lists of contents were read.
    pub lists: usize,
    /// Lines of the lists of contents.
    pub lines: Vec<String>,
}

/// Asks a base. `socket` is docker's, which it closes when we should stop. An error is the last thing
/// that the build said.
pub fn ask(
    docker: &Docker,
    question: &Question<'_>,
    socket: Option<&OsStr>,
) -> anyhow::Result<Result<Answer, String>> {
    let folder = tempfile::Builder::new()
        .prefix("flowstorage-")
        .tempdir()
        .context("making a temporary folder")?;
    let context = folder.path().join("context");
    let out = folder.path().join("out");
    write(&context, question).context("writing the question to the base image")?;

    let requests = Requests::listen(socket)?;
    requests.stop_after(PATIENCE);
    let words = words(question, &out);
    let mut bytes = Vec::new();
    let mut elapsed = false;
    let started = std::time::Instant::now();
    let command = docker.command(&context, words);
    let exited = run::run(&command, &requests, &mut |happening| match happening {
        Happening::Output(chunk) => bytes.extend_from_slice(chunk),
        Happening::Stopping => elapsed = started.elapsed() >= PATIENCE,
        Happening::Tick => {}
    })?;
    if exited.stopped {
        return if elapsed {
            Ok(Err(format!("no answer in {} s", PATIENCE.as_secs())))
        } else {
            Err(Error::Cancelled.into())
        };
    }
    let text = String::from_utf8_lossy(&bytes);
    if exited.code != 0 {
        let said = text.lines().rev().find(|line| line.starts_with("ERROR: "));
        let said = said.or_else(|| text.lines().rev().find(|line| !line.trim().is_empty()));
        return Ok(Err(said.unwrap_or_default().trim_start_matches("ERROR: ").to_owned()));
    }
    let answer = fs::read_to_string(out.join(ANSWER)).context("reading the base image's answer")?;
    Ok(Ok(read(&answer)))
}

fn write(folder: &Path, question: &Question<'_>) -> std::io::Result<()> {
    fs::create_dir(folder)?;
    let lines = |lines: &[String]| lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
    for (name, text) in [
        ("Dockerfile", dockerfile(question.base)),
        ("lookup.sh", PROGRAM.to_owned()),
        ("literals", lines(&question.literals)),
        ("patterns", lines(&question.patterns)),
        ("exact", lines(&question.exact)),
    ] {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

fn dockerfile(base: &str) -> String {
    format!(
        "FROM {base} AS asked\n\
         USER root\n\
         RUN --mount=type=bind,target=/mnt/flowstorage \
         --mount=type=cache,id=flowstorage-contents,target=/var/cache/flowstorage/contents,sharing=locked \
         sh /mnt/flowstorage/lookup.sh /mnt/flowstorage /var/cache/flowstorage/contents >/{ANSWER}\n\
         FROM scratch\n\
         COPY --from=asked /{ANSWER} /\n"
    )
}

fn words(question: &Question<'_>, out: &Path) -> Vec<String> {
    let mut words: Vec<String> =
        ["buildx", "build", "--progress", "plain", "--provenance=false"].map(str::to_owned).into();
    // An old answer is none: what a repository has changes.
    words.push("--no-cache".to_owned());
    words.push(format!("--output=type=local,dest={}", out.to_string_lossy()));
    words.extend(question.builder.map(|builder| format!("--builder={builder}")));
    if let Some(network) = question.network {
        words.push(format!("--network={network}"));
        if network == "host" {
            words.push("--allow=network.host".to_owned());
        }
    }
    words.extend(question.extra_hosts.iter().map(|(name, at)| format!("--add-host={name}:{at}")));
    words.extend(
        question.contexts.iter().map(|(name, from)| format!("--build-context={name}={from}")),
    );
    words.push(".".to_owned());
    words
}

fn read(text: &str) -> Answer {
    let mut answer = Answer::default();
    for line in text.lines() {
        match line.split_once('=') {
            Some(("codename", name)) => {
                answer.codename = (!name.is_empty()).then(|| name.to_owned());
            }
            Some(("apt", has)) => answer.has_apt = has == "yes",
            Some(("lists", count)) => answer.lists = count.parse().unwrap_or_default(),
            _ => answer.lines.push(line.to_owned()),
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let text = "codename=bookworm\napt=yes\nlists=2\nusr/include/uhd.h  libdevel/libuhd-dev\n";
        let expected = Answer {
            codename: Some("bookworm".to_owned()),
            has_apt: true,
            lists: 2,
            lines: vec!["usr/include/uhd.h  libdevel/libuhd-dev".to_owned()],
        };
        assert_eq!(read(text), expected);
        assert_eq!(read("codename=\napt=no\n"), Answer::default());
    }

    #[test]
    fn options_of_the_build_are_those_of_the_question() {
        let question = Question {
            base: "base",
            builder: Some("far"),
            contexts: BTreeMap::from([("base".to_owned(), "oci-layout:///x@sha256:0".to_owned())]),
            network: Some("host"),
            extra_hosts: vec![("db".to_owned(), "10.0.0.1".to_owned())],
            ..Question::default()
        };
        assert_eq!(
            words(&question, Path::new("/o")).join(" "),
            "buildx build --progress plain --provenance=false --no-cache \
             --output=type=local,dest=/o --builder=far --network=host --allow=network.host \
             --add-host=db:10.0.0.1 --build-context=base=oci-layout:///x@sha256:0 ."
        );
    }
}
