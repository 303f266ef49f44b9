//! Help pages, byte for byte.
//!
//! **Invariant:** every command has a page in `tests/fixtures/help`, and no other file is there;
//! `SNAPSHOTS=overwrite` rewrites them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use docker_flowstorage::cli::help::{Row, options};
use docker_flowstorage::host::Host;
use docker_flowstorage::term::Term;
use snapbox::{Assert, Data};

#[derive(Clone, Default)]
struct Stream(Arc<Mutex<Vec<u8>>>);

impl Stream {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a command line in this process, as docker would start it, on a terminal of 80 columns.
fn run(line: &str) -> (String, String, ExitCode) {
    let (out, err) = (Stream::default(), Stream::default());
    let cli = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";
    let mut host = Host {
        env: BTreeMap::from([(OsString::from(cli), OsString::from("docker"))]),
        cwd: PathBuf::from("/"),
        term: Term::from_writers(Box::new(out.clone()), Box::new(err.clone())),
    };
    let words = format!("docker-flowstorage {line}");
    let args: Vec<OsString> = words.split(' ').map(OsString::from).collect();
    let exit = docker_flowstorage::run(&args, &mut host);
    (out.text(), err.text(), exit)
}

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

#[test]
fn every_page_is_as_recorded() {
    let assert = Assert::new().action_env("SNAPSHOTS");
    let root = docker_flowstorage::cli::command();
    let mut expected = BTreeSet::from(["flowstorage.txt".to_owned()]);
    let mut pages = vec![("flowstorage.txt".to_owned(), "flowstorage --help".to_owned())];
    for command in root.get_subcommands() {
        let name = command.get_name();
        expected.insert(format!("{name}.txt"));
        pages.push((format!("{name}.txt"), format!("flowstorage {name} --help")));
    }
    for (file, line) in pages {
        let (out, err, exit) = run(&line);
        assert_eq!((err.as_str(), exit), ("", ExitCode::SUCCESS), "{line}");
        assert.eq(out, Data::read_from(&fixtures("help").join(file), None).raw());
    }
    let found: BTreeSet<String> = std::fs::read_dir(fixtures("help"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, expected, "a page without its command, or the other way round");
}

#[test]
fn a_page_is_the_same_on_every_way_to_it() {
    let (page, ..) = run("flowstorage build --help");
    assert!(page.starts_with("Usage:  docker flowstorage build [OPTIONS] [STORAGE...]\n"));
    for line in [
        "help flowstorage build",
        "-D --context x help flowstorage build",
        "--help flowstorage build",
        "flowstorage --help build",
        "flowstorage build etl --help",
    ] {
        assert_eq!(run(line), (page.clone(), String::new(), ExitCode::SUCCESS), "{line}");
    }
    let (group, ..) = run("flowstorage --help");
    for line in ["flowstorage", "--help flowstorage", "-h flowstorage", "help flowstorage"] {
        assert_eq!(run(line), (group.clone(), String::new(), ExitCode::SUCCESS), "{line}");
    }
}

#[test]
fn an_error_is_printed_once_and_leaves_nothing_behind() {
    let usage = "unknown flag: --nope\n\n\
                 Usage:  docker flowstorage check [OPTIONS] [STORAGE...]\n\n\
                 Run 'docker flowstorage check --help' for more information\n";
    let expected = (String::new(), usage.to_owned(), ExitCode::from(125));
    // Twice in one process: a run that kept something would show it here.
    assert_eq!(run("flowstorage check --nope"), expected);
    assert_eq!(run("flowstorage check --nope"), expected);
}

/// A flag: letter, name, kind of value, help, default.
type Declared = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// The flags of buildx 0.29.1's `build`.
const BUILDX_BUILD: &[Declared] = &[
    ("", "add-host", "strings", "Add a custom host-to-IP mapping (format: \"host:ip\")", ""),
    (
        "",
        "allow",
        "stringArray",
        "Allow extra privileged entitlement (e.g., \"network.host\", \"security.insecure\", \"device\")",
        "",
    ),
    ("", "annotation", "stringArray", "Add annotation to the image", ""),
    (
        "",
        "attest",
        "stringArray",
        "Attestation parameters (format: \"type=sbom,generator=image\")",
        "",
    ),
    ("", "build-arg", "stringArray", "Set build-time variables", ""),
    ("", "build-context", "stringArray", "Additional build contexts (e.g., name=path)", ""),
    ("", "builder", "string", "Override the configured builder instance", ""),
    (
        "",
        "cache-from",
        "stringArray",
        "External cache sources (e.g., \"user/app:cache\", \"type=local,src=path/to/dir\")",
        "",
    ),
    (
        "",
        "cache-to",
        "stringArray",
        "Cache export destinations (e.g., \"user/app:cache\", \"type=local,dest=path/to/dir\")",
        "",
    ),
    (
        "",
        "call",
        "string",
        "Set method for evaluating build (\"check\", \"outline\", \"targets\")",
        "build",
    ),
    (
        "",
        "cgroup-parent",
        "string",
        "Set the parent cgroup for the \"RUN\" instructions during build",
        "",
    ),
    ("", "check", "", "Shorthand for \"--call=check\"", ""),
    ("D", "debug", "", "Enable debug logging", ""),
    ("f", "file", "string", "Name of the Dockerfile (default: \"PATH/Dockerfile\")", ""),
    ("", "iidfile", "string", "Write the image ID to a file", ""),
    ("", "label", "stringArray", "Set metadata for an image", ""),
    ("", "load", "", "Shorthand for \"--output=type=docker\"", ""),
    ("", "metadata-file", "string", "Write build result metadata to a file", ""),
    (
        "",
        "network",
        "string",
        "Set the networking mode for the \"RUN\" instructions during build",
        "default",
    ),
    ("", "no-cache", "", "Do not use cache when building the image", ""),
    ("", "no-cache-filter", "stringArray", "Do not cache specified stages", ""),
    ("o", "output", "stringArray", "Output destination (format: \"type=local,dest=path\")", ""),
    ("", "platform", "stringArray", "Set target platform for build", ""),
    (
        "",
        "progress",
        "string",
        "Set type of progress output (\"auto\", \"none\",  \"plain\", \"quiet\", \"rawjson\", \"tty\"). Use plain to show container output",
        "auto",
    ),
    ("", "provenance", "string", "Shorthand for \"--attest=type=provenance\"", ""),
    ("", "pull", "", "Always attempt to pull all referenced images", ""),
    ("", "push", "", "Shorthand for \"--output=type=registry\"", ""),
    ("q", "quiet", "", "Suppress the build output and print image ID on success", ""),
    ("", "sbom", "string", "Shorthand for \"--attest=type=sbom\"", ""),
    (
        "",
        "secret",
        "stringArray",
        "Secret to expose to the build (format: \"id=mysecret[,src=/local/secret]\")",
        "",
    ),
    ("", "shm-size", "bytes", "Shared memory size for build containers", ""),
    (
        "",
        "ssh",
        "stringArray",
        "SSH agent socket or keys to expose to the build (format: \"default|<id>[=<socket>|<key>[,<key>]]\")",
        "",
    ),
    ("t", "tag", "stringArray", "Name and optionally a tag (format: \"name:tag\")", ""),
    ("", "target", "string", "Set the target build stage to build", ""),
    ("", "ulimit", "ulimit", "Ulimit options", "[]"),
];

/// The flags of `docker volume ls` 28.2.2.
const VOLUME_LS: &[Declared] = &[
    ("", "cluster", "", "Display only cluster volumes, and use cluster volume list formatting", ""),
    ("f", "filter", "filter", "Provide filter values (e.g. \"dangling=true\")", ""),
    (
        "",
        "format",
        "string",
        "Format output using a custom template:\n\
         'table':            Print output in table format with column headers (default)\n\
         'table TEMPLATE':   Print output in table format using the given Go template\n\
         'json':             Print in JSON format\n\
         'TEMPLATE':         Print output using the given Go template.\n\
         Refer to https://docs.docker.com/go/formatting/ for more information about formatting \
         output with templates",
        "",
    ),
    ("q", "quiet", "", "Only display volume names", ""),
];

/// Lays out flags that were declared in another order than the table's.
fn table(declared: &[Declared], width: usize) -> String {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let rows: Vec<Row> = declared
        .iter()
        .rev()
        .map(|(short, long, kind, help, default)| Row {
            short: short.chars().next(),
            long: (*long).to_owned(),
            kind: given(kind),
            help: (*help).to_owned(),
            default: given(default),
        })
        .collect();
    options(&rows, width)
}

fn docker_said(file: &str) -> String {
    std::fs::read_to_string(fixtures("docker-help").join(file)).unwrap()
}

#[test]
fn the_layout_is_that_of_docker_itself() {
    let page = docker_said("buildx-build.txt");
    let (_, expected) = page.split_once("Options:\n").unwrap();
    assert_eq!(table(BUILDX_BUILD, 80), expected);
}

#[test]
fn the_layout_follows_dockers_on_every_terminal() {
    // Recorded on terminals of these widths: too narrow to wrap, blocks, columns, one line.
    for width in [30, 48, 60, 200] {
        let expected = docker_said(&format!("volume-ls-{width}.txt"));
        assert_eq!(table(VOLUME_LS, width), expected, "{width} columns");
    }
}
