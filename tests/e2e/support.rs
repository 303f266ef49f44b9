//! What the end-to-end tests stand on: a project folder and docker with our plugin in it.
//!
//! **Invariant:** every test has a client folder, a temporary folder and repositories of its own;
//! every run is bounded in time and leaves the temporary folder empty.

pub(crate) mod debian;
pub(crate) mod far_builder;
pub(crate) mod processes;
pub(crate) mod registry;
pub(crate) mod terminal;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_docker-flowstorage");
/// Bases that the test engine can pull. What their names mean is the engine's business.
pub(crate) const PYTHON: &str = "python:3.11-slim";
pub(crate) const PREFECT: &str = "prefecthq/prefect:1.4.1-python3.11";
pub(crate) const PREFECT3: &str = "prefecthq/prefect:3.8.8-python3.11";

/// What a build says whose steps find no network, and how often it may.
const UNREACHABLE: &str = "ERROR: a name could not be resolved during the build";
const TRIES: u32 = 3;

/// Longer than any build here takes on a slow machine; what hangs is killed then.
const PATIENCE: Duration = Duration::from_secs(400);

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own environment is what names the engine"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("`{name}` is not set: run `eval \"$(tests/engine/up)\"`, or `make test`")
    })
}

/// The registry that `tests/engine/up` started, as `host:port`.
pub(crate) fn registry() -> String {
    variable("FLOWSTORAGE_TEST_REGISTRY")
}

/// The address of the engine.
pub(crate) fn engine() -> String {
    variable("DOCKER_HOST")
}

/// A program of buildx 0.13.
pub(crate) fn old_buildx() -> PathBuf {
    variable("FLOWSTORAGE_TEST_OLD_BUILDX").into()
}

/// The program of buildx that the engine came with.
pub(crate) fn buildx() -> PathBuf {
    let link = Path::new(&variable("DOCKER_CONFIG")).join("cli-plugins/docker-buildx");
    link.canonicalize().expect("tests/engine/up links buildx there")
}

/// A script of the test engine, `up` or `down`, for an engine of its own.
#[expect(clippy::disallowed_methods, reason = "the scripts of the test engine are tools of tests")]
pub(crate) fn engine_script(script: &str, engine: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine").join(script);
    let mut command = Command::new(path);
    command.args(["--name", engine]);
    command
}

/// A number that no other test of this run or of another has.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    format!("{now:x}-{}-{count}", std::process::id())
}

/// What a command said, and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) status: ExitStatus,
}

impl Said {
    /// The exit code; -1 for a process that a signal ended.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.ended(0)
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The lines of stderr that tell of errors and remedies.
    pub(crate) fn verdict(&self) -> Vec<&str> {
        let tells = |line: &&str| line.starts_with("ERROR: ") || line.starts_with("hint: ");
        self.err.lines().filter(tells).collect()
    }
}

/// A process of a test, killed with all that it started if the test ends before it.
pub(crate) struct Running {
    child: Child,
    started: Instant,
    out: Receiver<String>,
    err: Receiver<String>,
    what: String,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end, and fails the test if it does not come.
    pub(crate) fn wait(mut self, patience: Duration) -> Said {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > patience {
                processes::signal_group(self.pid(), "KILL");
                let said = self.err.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
                panic!("`{}` did not end in {patience:?}; it said:\n{said}", self.what);
            }
            thread::sleep(Duration::from_millis(10));
        };
        // A survivor that holds a stream open would keep us waiting for ever.
        let text = |from: &Receiver<String>| {
            from.recv_timeout(Duration::from_secs(10)).expect("the streams are closed at the end")
        };
        Said { out: text(&self.out), err: text(&self.err), status }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            processes::signal_group(self.pid(), "KILL");
            let _ = self.child.wait();
        }
    }
}

fn read_whole(mut from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// A folder with a spec, and docker with a client folder of its own.
pub(crate) struct Project {
    root: tempfile::TempDir,
    /// `registry/namespace`, which no other test has.
    pub(crate) namespace: String,
    env: BTreeMap<String, String>,
}

impl Project {
    /// An empty project; docker has buildx and our plugin.
    pub(crate) fn new() -> Self {
        let project = Self::without_plugins();
        project.plugin("docker-buildx", &buildx());
        project.plugin("docker-flowstorage", Path::new(BINARY));
        project
    }

    /// A project whose docker has no plugins.
    pub(crate) fn without_plugins() -> Self {
        let root = tempfile::Builder::new().prefix("e2e ").tempdir().unwrap();
        for folder in ["work", "home", "client/cli-plugins", "tmp"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        let env = [
            ("PATH", variable("PATH")),
            ("HOME", path("home")),
            ("TMPDIR", path("tmp")),
            ("LANG", "C.UTF-8".to_owned()),
            ("DOCKER_CONFIG", path("client")),
            ("DOCKER_HOST", variable("DOCKER_HOST")),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        let namespace = format!("{}/e2e-{}", registry(), unique());
        Self { root, namespace, env }
    }

    /// Gives docker a plugin.
    pub(crate) fn plugin(&self, name: &str, program: &Path) {
        symlink(program, self.client().join("cli-plugins").join(name)).unwrap();
    }

    /// Sets a variable of every later run; an empty value takes it away.
    pub(crate) fn env(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.env.remove(name);
        } else {
            self.env.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The folder that commands run in.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Docker's client folder.
    pub(crate) fn client(&self) -> PathBuf {
        self.root.path().join("client")
    }

    /// The folder that temporary files go to.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    /// The home folder, which names every process of this test.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Writes a file below the folder.
    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.folder().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Writes `flowstorage.toml`: an image `app` in this test's namespace, then `rest`.
    pub(crate) fn spec(&self, rest: &str) -> &Self {
        let head = format!("registry_url = \"{}\"\nimage_name = \"app\"\n", self.namespace);
        self.file("flowstorage.toml", head + rest)
    }

    /// Writes a script `flow.py` that does nothing, and a spec that stores it on the plain base.
    pub(crate) fn plain(&self, rest: &str) -> &Self {
        self.file("flow.py", "print('ran')\n");
        self.spec(&format!("flows = [\"flow.py\"]\nbase_image = \"{PYTHON}\"\n{rest}"))
    }

    /// A command with this project's environment and folder, in a process group of its own.
    #[expect(clippy::disallowed_methods, reason = "these programs are what is tested")]
    pub(crate) fn command<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Command {
        let path = self.env.get("PATH").map_or("", String::as_str);
        let program = which::which_in(program, Some(path), self.folder())
            .unwrap_or_else(|_| panic!("no `{program}` on PATH"));
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(&self.env).current_dir(self.folder()).process_group(0);
        command
    }

    /// Starts a command with pipes for its streams.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Running {
        let mut command = self.command(program, args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let what = format!("{command:?}");
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        let out = read_whole(child.stdout.take().unwrap());
        let err = read_whole(child.stderr.take().unwrap());
        Running { child, started, out, err, what }
    }

    /// Runs a command to its end. A build that cannot reach the package indexes says that it is
    /// worth trying again, and is tried again.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Said {
        for _ in 0..TRIES {
            let said = self.start(program, args).wait(PATIENCE);
            self.assert_tidy();
            if said.code() != 75 || !said.err.contains(UNREACHABLE) {
                return said;
            }
        }
        panic!("the package indexes could not be reached {TRIES} times");
    }

    /// `docker ARGS…`
    #[track_caller]
    pub(crate) fn docker(&self, args: &[&str]) -> Said {
        self.run("docker", args)
    }

    /// `docker flowstorage ARGS…`, the words of one line.
    #[track_caller]
    pub(crate) fn flowstorage(&self, line: &str) -> Said {
        let words: Vec<&str> = std::iter::once("flowstorage").chain(line.split(' ')).collect();
        self.docker(&words)
    }

    /// Builds and pushes; returns the image as `repository:tag@digest`.
    #[track_caller]
    pub(crate) fn pushed(&self) -> String {
        let said = self.flowstorage("build --push").ok();
        let lines: Vec<&str> = said.out.lines().collect();
        assert_eq!(lines.len(), 1, "{said:?}");
        lines[0].to_owned()
    }

    /// Runs a Python program in a container of an image; returns the JSON that it prints.
    #[track_caller]
    pub(crate) fn python(&self, image: &str, program: &str) -> Value {
        self.docker(&["run", "--rm", image, "python", "-c", program]).ok().json()
    }

    /// Fails if a run left files behind.
    #[track_caller]
    pub(crate) fn assert_tidy(&self) {
        let left: Vec<_> = fs::read_dir(self.tmp()).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(left.is_empty(), "left in the temporary folder: {left:?}");
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Images that a test pulled or loaded would fill the engine's disk. The test may have hidden
        // docker and the engine from itself.
        for name in ["PATH", "DOCKER_HOST"] {
            self.env.insert(name.to_owned(), variable(name));
        }
        let filter = format!("reference={}/*", self.namespace);
        let images = ["image", "ls", "--quiet", "--filter", &filter];
        let Ok(listed) = self.command("docker", &images).stdin(Stdio::null()).output() else {
            return;
        };
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut words = vec!["image", "rm", "--force"];
        words.extend(listed.split_whitespace());
        if words.len() > 3 {
            let _ = self.command("docker", &words).stdin(Stdio::null()).output();
        }
    }
}
