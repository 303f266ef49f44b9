//! `explain`, on logs of real builds and on those of any other origin.
//!
//! **Invariant:** every `tests/fixtures/logs/NAME.log` has what is said of it in `NAME.txt`;
//! `SNAPSHOTS=overwrite` rewrites those.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use docker_flowstorage::{explain, report};
use serde_json::{Value, json};
use snapbox::{Assert, Data};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

#[test]
fn every_log_is_explained_as_recorded() {
    let assert = Assert::new().action_env("SNAPSHOTS");
    let mut count = 0;
    for entry in fs::read_dir(fixtures("logs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            assert!(path.with_extension("log").exists(), "{} has no log", path.display());
            continue;
        }
        let log = fs::read_to_string(&path).unwrap();
        let found = explain::explain(&log);
        let said = found.map_or_else(|| "nothing\n".to_owned(), |it| report::explain_text(&it));
        assert.eq(said, Data::read_from(&path.with_extension("txt"), None).raw());
        count += 1;
    }
    assert!(count > 80, "only {count} logs");
}

/// Runs `explain` without any docker to ask.
fn run(words: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_docker-flowstorage"))
        .args(["explain"].iter().chain(words))
        .env_clear()
        .current_dir(fixtures("logs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read is no failure of ours.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const EXPECTED: &str = "psycopg2==2.9.10: the headers of PostgreSQL's client library are missing

  Error: pg_config executable not found.

Add to the spec:

  build_packages = [\"gcc\", \"libc6-dev\", \"libpq-dev\"]
  system_packages = [\"libpq5\"]

hint: or ask for `psycopg2-binary` in `python_dependencies`, which needs no compiler
";

#[test]
fn a_log_is_read_from_a_file_and_from_stdin_in_any_form() {
    let log = fs::read(fixtures("logs/psycopg2.log")).unwrap();
    let plain = text(&log);
    let colours = plain.replace("Error: pg_config", "\x1b[31mError:\x1b[0m pg_config");
    let windows = plain.replace('\n', "\r\n");
    let stamp = "2026-01-01T10:00:00.1234567Z ";
    let stamped: String = plain.lines().flat_map(|line| [stamp, line, "\n"]).collect();
    let output = run(&["psycopg2.log"], b"");
    assert_eq!((text(&output.stdout), text(&output.stderr)), (EXPECTED, ""));
    assert_eq!(output.status.code(), Some(0));
    for (words, log) in [
        (&["-"][..], plain),
        (&[][..], plain),
        (&[][..], &colours),
        (&[][..], &windows),
        (&[][..], &stamped),
    ] {
        let output = run(words, log.as_bytes());
        assert_eq!((text(&output.stdout), text(&output.stderr)), (EXPECTED, ""));
    }
}

#[test]
fn the_stream_of_buildx_is_read_too() {
    let stream = |line: &str| {
        let vertex = json!({"vertexes": [{
            "digest": "sha256:1", "name": "[2/2] RUN make", "started": "2026-01-01T00:00:00Z",
        }]});
        let log = json!({"logs": [{"vertex": "sha256:1", "stream": 2, "data": line}]});
        let end = json!({"vertexes": [{
            "digest": "sha256:1", "name": "[2/2] RUN make", "started": "2026-01-01T00:00:00Z",
            "completed": "2026-01-01T00:00:01Z",
            "error": "process \"make\" did not complete successfully: exit code: 127",
        }]});
        format!("{vertex}\n{log}\n{end}\n")
    };
    // "/bin/sh: 1: make: not found\n"
    let output =
        run(&["--format=json"], stream("L2Jpbi9zaDogMTogbWFrZTogbm90IGZvdW5kCg==").as_bytes());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        said,
        json!({
            "schema_version": 1,
            "explanations": [{
                "cause": "make is missing",
                "line": "/bin/sh: 1: make: not found",
                "fix": {"build": ["make"], "run": [], "advice": null},
                "missing": [],
                "add": ["build_packages = [\"make\"]"],
            }],
        })
    );
}

#[test]
fn what_no_table_knows_is_named_without_docker() {
    let log = b"a.c:1:10: fatal error: uhd.h: No such file or directory\n";
    let output = run(&["--base-image", "python:3.11-slim", "--format", "json"], log);
    assert_eq!(text(&output.stderr), "");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let missing = json!([{"kind": "header", "name": "uhd.h", "phase": "build"}]);
    assert_eq!(said["explanations"][0]["missing"], missing);
    assert_eq!(said["explanations"][0]["add"], json!([]));
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let error = "ERROR: nothing in this log is known\n\
                 hint: look for its first line that speaks of an error; give the whole log, as \
                 `--progress plain` writes it\n";
    let output = run(&[], b"all is well\n");
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("", error));
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["--format", "json"], b"");
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        json!({"schema_version": 1, "explanations": []})
    );
    let output = run(&["nosuch.log"], b"");
    assert_eq!(
        text(&output.stderr),
        "ERROR: reading the log `nosuch.log`: No such file or directory (os error 2)\n"
    );
    assert_eq!(output.status.code(), Some(1));
}
