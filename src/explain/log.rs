//! A log of any kind of build, cut to what the step that failed wrote and to what the builder said.
//!
//! **Invariant:** where a log tells its steps apart, no line of a step that went well remains.

use regex::Regex;

use crate::progress::graph::Graph;
use crate::progress::rawjson::Decoder;
use crate::progress::{Event, lines};

/// What remains of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// What the failing step wrote.
    pub(super) step: Vec<String>,
    /// What builder, registry and engine said.
    pub(super) builder: Vec<String>,
    /// Images named by the FROM of what was built, the last one last.
    pub(super) bases: Vec<String>,
}

impl Log {
    /// Reads a log: of buildx, plain, as rawjson or copied from a terminal; of the builder before
    /// `BuildKit`; or the bare output of a program.
    pub(super) fn read(text: &str) -> Self {
        rawjson(text).unwrap_or_else(|| {
            let lines = lines(text.as_bytes());
            let lines: Vec<String> = lines.iter().map(|line| unstamped(line).to_owned()).collect();
            let bases = bases(&lines);
            let cut = buildkit(&lines).or_else(|| classic(&lines));
            let (step, builder) = cut.unwrap_or_else(|| (lines.clone(), lines));
            Self { step, builder, bases }
        })
    }
}

/// The stream of `--progress rawjson`.
fn rawjson(text: &str) -> Option<Log> {
    let mut decoder = Decoder::default();
    let mut events = decoder.push(text.as_bytes());
    events.extend(decoder.finish());
    if !events.iter().any(|event| matches!(event, Event::Vertex(_))) {
        return None;
    }
    let mut graph = Graph::new(&[]);
    let mut names = Vec::new();
    for event in &events {
        graph.apply(event);
        if let Event::Vertex(vertex) = event {
            names.push(vertex.name.clone());
        }
    }
    let mut log = Log { bases: bases(&names), ..Log::default() };
    for failure in graph.failures() {
        log.step.extend(failure.log);
        log.builder.extend(failure.error.lines().map(str::to_owned));
        log.builder.extend(failure.texts);
    }
    Some(log)
}

/// Without the time that services of CI put before each line.
fn unstamped(line: &str) -> &str {
    let stamp = line.split_once(' ').filter(|(word, _)| {
        let bytes = word.as_bytes();
        bytes.len() >= 20
            && bytes[0].is_ascii_digit()
            && bytes[4] == b'-'
            && bytes[10] == b'T'
            && bytes.last() == Some(&b'Z')
    });
    stamp.map_or(line, |(_, rest)| rest)
}

/// What a line of a plain log is.
enum Said<'l> {
    /// `#12 ERROR: …`
    Failed(&'l str, &'l str),
    /// `#12 0.345 …`
    Wrote(&'l str, &'l str),
    /// `#12 [3/5] RUN …`, `#12 DONE 0.1s`
    Told,
    /// Anything else.
    Text,
}

fn said(line: &str) -> Said<'_> {
    let numbered = line.strip_prefix('#').and_then(|rest| rest.split_once(' '));
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let Some((number, rest)) = numbered.filter(|(number, _)| is_number(number)) else {
        return Said::Text;
    };
    if let Some(error) = rest.strip_prefix("ERROR: ").or_else(|| rest.strip_prefix("ERROR ")) {
        return Said::Failed(number, error);
    }
    match unclocked(rest) {
        Some(output) => Said::Wrote(number, output),
        None => Said::Told,
    }
}

/// What follows the seconds since a step's start.
fn unclocked(line: &str) -> Option<&str> {
    let (clock, output) = line.split_once(' ').unwrap_or((line, ""));
    let (seconds, fraction) = clock.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(seconds) && digits(fraction)).then_some(output)
}

/// Logs of `BuildKit`: whole ones have numbered steps; what a terminal showed ends with a block.
fn buildkit(lines: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let failed: Vec<&str> = lines
        .iter()
        .filter_map(|line| match said(line) {
            Said::Failed(number, _) => Some(number),
            _ => None,
        })
        .collect();
    let (blocks, rest) = blocks(lines);
    if failed.is_empty() && blocks.is_empty() {
        return None;
    }
    let mut step = Vec::new();
    let mut builder = Vec::new();
    for line in &rest {
        match said(line) {
            Said::Failed(_, error) => builder.push(error.to_owned()),
            Said::Wrote(number, output) if failed.contains(&number) => {
                step.push(output.to_owned());
            }
            Said::Wrote(..) | Said::Told => {}
            Said::Text if line.starts_with(" => ") || line.starts_with("=> ") => {}
            Said::Text => builder.push((*line).clone()),
        }
    }
    // The block repeats the end of what was read already, if there was anything.
    if step.is_empty() {
        step = blocks;
    }
    Some((step, builder))
}

/// The output in blocks that repeat what failed, and the lines outside of them.
fn blocks(lines: &[String]) -> (Vec<String>, Vec<&String>) {
    let is_rule = |line: &str| line.len() >= 6 && line.bytes().all(|byte| byte == b'-');
    let mut blocks = Vec::new();
    let mut rest = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let title = lines.get(at + 1).is_some_and(|line| line.starts_with(" > "));
        if !(is_rule(&lines[at]) && title) {
            rest.push(&lines[at]);
            at += 1;
            continue;
        }
        at += 2;
        while at < lines.len() && !is_rule(&lines[at]) {
            let line = match said(&lines[at]) {
                Said::Wrote(_, output) => output,
                _ => unclocked(&lines[at]).unwrap_or(&lines[at]),
            };
            blocks.push(line.to_owned());
            at += 1;
        }
        at += 1;
    }
    (blocks, rest)
}

/// Logs of the builder before `BuildKit`, which stops at the first failure.
fn classic(lines: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let is_title = |line: &String| {
        let rest = line.strip_prefix("Step ").and_then(|rest| rest.split_once(" : "));
        rest.is_some_and(|(count, _)| count.contains('/') && !count.contains(' '))
    };
    let last = lines.iter().rposition(is_title)?;
    let output = lines[last + 1..].iter().filter(|line| !line.starts_with(" ---> "));
    let (builder, step) = output.cloned().partition(|line: &String| {
        line.starts_with("The command '") || line.starts_with("ERROR: Service")
    });
    let step: Vec<String> = step;
    let mut builder: Vec<String> = builder;
    // What is no output of a command is the builder's own word.
    builder.extend(step.iter().cloned());
    Some((step, builder))
}

/// The images that steps begin from.
fn bases(lines: &[String]) -> Vec<String> {
    let Ok(from) = Regex::new(
        r"(?:\] |: |^)FROM (?:--platform=[^ ]+ )?(?<image>[A-Za-z0-9][A-Za-z0-9._/:@-]*[A-Za-z0-9])",
    ) else {
        return Vec::new();
    };
    let image = |line: &String| {
        let image = from.captures(line)?.name("image")?.as_str();
        // The digest is that of one platform, and of one day.
        let name = image.split('@').next().unwrap_or_default();
        let name = name.strip_prefix("docker.io/library/").unwrap_or(name);
        Some(name.strip_prefix("docker.io/").unwrap_or(name).to_owned())
    };
    let mut found: Vec<String> = Vec::new();
    for image in lines.iter().filter_map(image).filter(|image| image != "scratch") {
        found.retain(|known| *known != image);
        found.push(image);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::Log;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let log = Log::read(text);
        (log.step, log.builder)
    }

    #[test]
    fn only_the_step_that_failed_remains_of_a_plain_log() {
        let log = Log::read(
            "#4 [1/3] FROM docker.io/library/python:3.11-slim@sha256:00\n\
             #4 CACHED\n\n\
             #5 [2/3] RUN make one\n\
             #5 0.123 pg_config: not found\n\
             #5 DONE 0.2s\n\n\
             #6 [3/3] RUN make two\n\
             #6 0.101 \x1b[31mtwo\x1b[0m\r\n\
             #6 10.20\n\
             #6 ERROR: process \"/bin/sh -c make two\" did not complete successfully: exit code: 2\n\
             ------\n > [3/3] RUN make two:\n0.101 two\n10.20\n------\n\
             Dockerfile:3\n--------------------\n   3 | >>> RUN make two\n--------------------\n\
             ERROR: failed to solve: x\n",
        );
        assert_eq!(log.step, ["two", ""]);
        assert_eq!(
            log.builder,
            [
                "",
                "",
                "process \"/bin/sh -c make two\" did not complete successfully: exit code: 2",
                "Dockerfile:3",
                "--------------------",
                "   3 | >>> RUN make two",
                "--------------------",
                "ERROR: failed to solve: x",
            ]
        );
        assert_eq!(log.bases, ["python:3.11-slim"]);
    }

    #[test]
    fn what_a_terminal_showed_has_the_block_alone() {
        let (step, builder) = read(
            " => [1/2] FROM docker.io/library/python  0.0s\n\
             => ERROR [2/2] RUN make                0.3s\n\
             ------\n > [2/2] RUN make:\n#6 0.25 /bin/sh: 1: make: not found\n0.3 b\n------\n\
             ERROR: failed to solve: process \"x\"\n",
        );
        assert_eq!(step, ["/bin/sh: 1: make: not found", "b"]);
        assert_eq!(builder, ["ERROR: failed to solve: process \"x\""]);
    }

    #[test]
    fn the_last_step_of_the_old_builder_is_the_one_that_failed() {
        let (step, builder) = read(
            "Step 1/2 : FROM python:3.11\n ---> 1\nStep 2/2 : RUN make\n ---> Running in 2\n\
             make: *** no rule\nThe command '/bin/sh -c make' returned a non-zero code: 2\n",
        );
        assert_eq!(step, ["make: *** no rule"]);
        assert_eq!(
            builder,
            ["The command '/bin/sh -c make' returned a non-zero code: 2", "make: *** no rule"]
        );
    }

    #[test]
    fn anything_else_is_read_whole_without_its_clock() {
        let (step, builder) = read("2026-01-01T10:00:00.1234567Z a\nb\n");
        assert_eq!(step, ["a", "b"]);
        assert_eq!(step, builder);
        assert_eq!(read(""), (vec![], vec![]));
    }

    #[test]
    fn the_stream_of_rawjson_is_read() {
        let log = Log::read(include_str!("../../tests/fixtures/rawjson/fail-run.jsonl"));
        assert_eq!(log.step, ["boom: no such thing", "about to fail", "red café"]);
        assert_eq!(log.bases, ["python:3.11-slim"; 0]);
    }

    #[test]
    fn bases_are_named_as_a_dockerfile_would() {
        let log = Log::read(
            "#5 [build 1/2] FROM docker.io/prefecthq/prefect:3@sha256:00\n\
             #6 [stage-1 1/2] FROM --platform=linux/amd64 registry.example.org:5000/a/b:1@sha256:0\n\
             #7 [c 1/1] FROM scratch\n",
        );
        assert_eq!(log.bases, ["prefecthq/prefect:3", "registry.example.org:5000/a/b:1"]);
    }
}
