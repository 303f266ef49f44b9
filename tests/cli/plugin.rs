//! The plugin under the real docker of this machine, which needs no engine for it.
//!
//! **Invariant:** docker sees a client folder of its own; nothing of the user's is read or changed.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_docker-flowstorage");

/// A client folder of docker, with nothing in it but what a test puts there.
struct Client {
    home: tempfile::TempDir,
}

/// What a command said, and its exit code.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    out: String,
    err: String,
    exit: i32,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            exit: output.status.code().unwrap(),
        }
    }
}

impl Client {
    fn empty() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn with_plugin() -> Self {
        let client = Self::empty();
        let said = client.run(BINARY, &["install"]);
        assert_eq!(said.exit, 0, "{said:?}");
        client
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("client")
    }

    fn installed(&self) -> PathBuf {
        self.config().join("cli-plugins/docker-flowstorage")
    }

    #[expect(clippy::disallowed_methods, reason = "these programs are what is tested")]
    fn command<S: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[S]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("DOCKER_CONFIG", self.config())
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    fn run<S: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[S]) -> Said {
        self.command(program, args).output().unwrap().into()
    }

    fn docker(&self, line: &str) -> Said {
        let docker = which::which("docker")
            .expect("no `docker` on PATH: install Debian's docker-cli to run this test");
        self.run(docker, &words(line))
    }
}

/// Splits a line at spaces; `''` is an empty word.
fn words(line: &str) -> Vec<&str> {
    line.split(' ').map(|word| if word == "''" { "" } else { word }).collect()
}

fn version() -> Said {
    let out = concat!("docker-flowstorage v", env!("CARGO_PKG_VERSION"), "\n").to_owned();
    Said { out, err: String::new(), exit: 0 }
}

#[test]
fn docker_lists_the_plugin() {
    let client = Client::with_plugin();
    let help = client.docker("--help");
    assert_eq!(help.exit, 0);
    let line = help.out.lines().find(|line| line.contains("flowstorage"));
    assert_eq!(
        line.map(str::trim_end),
        Some("  flowstorage* Build checked images from workflow scripts")
    );
    assert!(!help.out.contains("Invalid Plugins"), "{}", help.out);
}

#[test]
fn commands_run_behind_every_spelling_of_dockers_flags() {
    let client = Client::with_plugin();
    let config = client.config();
    let config = config.to_str().unwrap();
    for line in [
        "flowstorage version",
        "--context foo --debug flowstorage version",
        "-Dc foo flowstorage version",
        "--context=foo --tls=false -lwarn flowstorage version",
        "-- flowstorage version",
        "--context flowstorage flowstorage version",
        "-H unix:///nowhere.sock flowstorage version",
        &format!("--config {config} flowstorage version"),
    ] {
        // With --debug, docker has words of its own for stderr.
        let said = client.docker(line);
        assert_eq!((said.out, said.exit), (version().out, 0), "docker {line}");
    }
    assert_eq!(client.docker("flowstorage version"), version());
    let json = client.docker("flowstorage version -fjson");
    assert_eq!(json.out, concat!("{\"version\":\"v", env!("CARGO_PKG_VERSION"), "\"}\n"));
}

#[test]
fn docker_shows_our_help_wherever_it_shows_its_own() {
    let client = Client::with_plugin();
    let page = client.docker("flowstorage build --help");
    assert!(page.out.starts_with("Usage:  docker flowstorage build [OPTIONS] [STORAGE...]\n"));
    assert_eq!((page.err.as_str(), page.exit), ("", 0));
    assert_eq!(client.docker("help flowstorage build"), page);
    assert_eq!(client.docker("--context foo help flowstorage build"), page);

    let group = client.docker("flowstorage --help");
    assert!(group.out.starts_with("Usage:  docker flowstorage COMMAND\n"));
    assert_eq!(group.exit, 0);
    for line in ["flowstorage", "help flowstorage", "--help flowstorage"] {
        assert_eq!(client.docker(line), group, "docker {line}");
    }
    let short = client.docker("-h flowstorage");
    assert!(short.out.ends_with(&group.out), "{short:?}");
    assert_eq!(short.exit, 0);
}

#[test]
fn wrong_use_ends_as_it_does_with_dockers_own_commands() {
    let client = Client::with_plugin();
    // What differs between the two is the command's name and its usage line.
    for (ours, theirs, exit) in [
        ("flowstorage version --nope", "version --nope", 125),
        ("flowstorage version -x", "version -x", 125),
        ("flowstorage version --format", "version --format", 125),
        ("flowstorage version -f", "version -f", 125),
        ("flowstorage version --=", "version --=", 125),
        ("flowstorage version extra", "version extra", 1),
    ] {
        let (mine, docker) = (client.docker(ours), client.docker(theirs));
        let theirs = docker.err.replace("docker version", "docker flowstorage version");
        assert_eq!((mine.err, mine.exit), (theirs, exit), "docker {ours}");
        assert_eq!((mine.out, docker.exit), (String::new(), exit), "docker {ours}");
    }
    for (ours, theirs, exit) in [
        ("flowstorage nosuch", "volume nosuch", 1),
        ("flowstorage nosuch --nope", "volume nosuch --nope", 125),
        ("flowstorage --nope version", "volume --nope version", 125),
        ("flowstorage -- version", "volume -- version", 1),
    ] {
        let (mine, docker) = (client.docker(ours), client.docker(theirs));
        assert_eq!(mine.err, docker.err.replace("docker volume", "docker flowstorage"), "{ours}");
        assert_eq!((mine.exit, docker.exit), (exit, exit), "docker {ours}");
    }
    let topic = client.docker("help flowstorage nosuch");
    assert_eq!(topic.err.lines().next(), Some("unknown help topic: nosuch"));
    assert_eq!(topic.exit, 1);
}

#[test]
fn the_binary_works_by_its_own_name() {
    let client = Client::empty();
    assert_eq!(client.run(BINARY, &["version"]), version());
    assert_eq!(client.run(BINARY, &["--context", "foo", "version"]), version());
    let said = client.run(BINARY, &["nosuch"]);
    assert_eq!(
        said.err,
        "docker-flowstorage: unknown command: docker-flowstorage nosuch\n\n\
         Usage:  docker-flowstorage COMMAND\n\n\
         Run 'docker-flowstorage --help' for more information\n"
    );
    assert_eq!(said.exit, 1);
    assert_eq!(client.run(BINARY, &["--bogus"]).exit, 125);
}

#[test]
fn docker_completes_our_command_line() {
    let client = Client::with_plugin();
    for (line, expected) in [
        ("__complete flowstorage bu", "build\tBuild, check and push the images of a spec\n:4\n"),
        (
            "__completeNoDesc flowstorage version --f",
            "--format\tFormat of the result (\"default\", \"json\")\n:4\n",
        ),
        ("__complete --context foo flowstorage build --progress p", "plain\n:4\n"),
        ("__complete flowstorage check --file ''", "json\npy\ntoml\n:8\n"),
        ("__complete flowstorage build ''", ":4\n"),
    ] {
        let said = client.docker(line);
        assert_eq!((said.out.as_str(), said.exit), (expected, 0), "docker {line}");
    }
    // The hand-written scripts of older dockers run the plugin themselves, without its name.
    let said = client.run(BINARY, &["__completeNoDesc", "bu"]);
    assert_eq!((said.out.as_str(), said.exit), ("build\n:4\n", 0));
}

#[test]
fn metadata_is_one_object_and_needs_nothing() {
    let client = Client::empty();
    let mut command = client.command(BINARY, &["docker-cli-plugin-metadata"]);
    let mut fastest = Duration::MAX;
    // The fastest of several: what else the machine does must not fail this.
    for _ in 0..20 {
        let start = Instant::now();
        let output = command.env_clear().output().unwrap();
        fastest = fastest.min(start.elapsed());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected = serde_json::json!({
            "SchemaVersion": "0.1.0",
            "Vendor": "Flowstorage contributors",
            "Version": concat!("v", env!("CARGO_PKG_VERSION")),
            "ShortDescription": " Build checked images from workflow scripts",
        });
        assert_eq!(metadata, expected);
    }
    assert!(fastest < Duration::from_millis(20), "{fastest:?}");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let client = Client::empty();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = client.command(BINARY, &["build", "--help"]).stdout(writer).output().unwrap();
    assert_eq!(Said::from(output), Said { out: String::new(), err: String::new(), exit: 0 });
}

#[test]
fn installing_again_changes_nothing() {
    let client = Client::empty();
    let target = client.installed();
    let first = client.run(BINARY, &["install"]);
    assert_eq!(first.err, format!("installed `{}`\n", target.display()));
    assert_eq!((first.out.as_str(), first.exit), ("", 0));
    assert_eq!(mode(&target), 0o755);
    assert_eq!(mode(&client.config()), 0o700);
    assert_eq!(fs::read(&target).unwrap(), fs::read(BINARY).unwrap());

    let written = fs::metadata(&target).unwrap().modified().unwrap();
    let again = client.docker("flowstorage install");
    assert_eq!(again.err, format!("already installed: `{}`\n", target.display()));
    assert_eq!(fs::metadata(&target).unwrap().modified().unwrap(), written);

    fs::write(&target, "an older one").unwrap();
    let update = client.run(BINARY, &["install"]);
    assert_eq!(update.err, first.err);
    assert_eq!(fs::read(&target).unwrap(), fs::read(BINARY).unwrap());
    // Nothing but the plugin is left in the folder.
    assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn install_goes_where_dockers_flag_points() {
    let client = Client::empty();
    let said = client.run(BINARY, &["--config", "other", "install"]);
    let target = client.home.path().join("other/cli-plugins/docker-flowstorage");
    assert_eq!(said.err, format!("installed `{}`\n", target.display()));
    assert_eq!(client.docker("--config other flowstorage version"), version());
    assert!(!client.config().exists());
}

#[test]
fn install_warns_of_what_keeps_docker_from_running_it() {
    let client = Client::empty();
    let extra = client.home.path().join("extra");
    fs::create_dir_all(&extra).unwrap();
    fs::create_dir_all(client.config()).unwrap();
    let json = serde_json::json!({ "cliPluginsExtraDirs": [extra] });
    fs::write(client.config().join("config.json"), json.to_string()).unwrap();

    let elsewhere = client.run(BINARY, &["install", "--dir", "elsewhere"]);
    let folder = client.home.path().join("elsewhere");
    assert_eq!(
        elsewhere.err,
        format!(
            "installed `{0}/docker-flowstorage`\n\
             WARNING: docker does not look for plugins in `{0}`; \
             add it to `cliPluginsExtraDirs` of its config.json\n",
            folder.display()
        )
    );

    let said = client.run(BINARY, &["install"]);
    assert_eq!(said.err, format!("installed `{}`\n", client.installed().display()));

    let shadow = extra.join("docker-flowstorage");
    fs::copy(BINARY, &shadow).unwrap();
    let said = client.run(BINARY, &["install"]);
    assert_eq!(
        said.err,
        format!(
            "already installed: `{}`\nWARNING: docker will run `{}` instead, which it finds first\n",
            client.installed().display(),
            shadow.display()
        )
    );
    // And docker indeed does.
    fs::write(&shadow, "#!/bin/sh\necho '{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"other\"}'\n")
        .unwrap();
    assert!(client.docker("flowstorage version").out.contains("other"));
}

#[test]
fn install_says_what_it_could_not_write() {
    let client = Client::empty();
    fs::write(client.config(), "in the way").unwrap();
    let said = client.run(BINARY, &["install"]);
    let expected = format!("ERROR: creating folder `{}`: ", client.config().display());
    assert!(said.err.starts_with(&expected), "{said:?}");
    assert_eq!((said.err.lines().count(), said.exit), (1, 1));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
