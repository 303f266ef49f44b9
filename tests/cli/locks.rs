//! Locks that the real tools made, against what the same tools export of them.
//!
//! Each folder of `tests/fixtures/locks` holds a project, its lock, and `export.txt`: what
//! `uv export --no-dev --no-emit-project` or `poetry export` wrote of it. Wheels for other machines
//! were cut out of the locks to keep them small.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use docker_flowstorage::deps::requirements::{Requirement, Requirements, read_file};
use pep508_rs::MarkerTree;

/// A lock with the index that everyone has, where it names one that nobody has.
fn everyones(lock: &str) -> String {
    lock.replace("//pypi.example.org/", &format!("//{}/", ["pypi", "org"].join(".")))
}

fn fixture(name: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/locks").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{name}: {error}"));
    let text = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("UTF-8");
        (name, everyones(&fs::read_to_string(entry.path()).expect("a text")))
    };
    entries.map(|entry| text(entry.expect("readable"))).collect()
}

fn read(files: &BTreeMap<String, String>, path: &str) -> (Vec<Requirement>, Vec<String>) {
    let mut into = Requirements::default();
    let mut problems = Vec::new();
    read_file(path, &|path| files.get(path).map(String::as_str), &mut into, &mut problems);
    (into.wanted, problems.iter().map(ToString::to_string).collect())
}

fn lines(files: &BTreeMap<String, String>, path: &str) -> Vec<String> {
    let (wanted, problems) = read(files, path);
    assert_eq!(problems, Vec::<String>::new());
    wanted.into_iter().map(|requirement| requirement.line).collect()
}

/// `name==version` or `name @ url`, its marker under a condition, its hashes.
type Parsed = (String, String, BTreeSet<String>);

fn parsed(line: &str, condition: &str) -> Parsed {
    let (requirement, hashes) = line.split_once(" --hash=").unwrap_or((line, ""));
    let (head, marker) = requirement.split_once(';').unwrap_or((requirement, ""));
    let tree = |text: &str| match text.trim() {
        "" => MarkerTree::TRUE,
        text => MarkerTree::from_str(text).expect("a marker"),
    };
    let mut marker = tree(marker);
    marker.and(tree(condition));
    // What an extra brings has its own line.
    let head = head.trim().replace("[socks]", "");
    let hashes = hashes.split("--hash=").map(|hash| hash.trim().to_owned());
    let hashes = hashes.filter(|hash| !hash.is_empty()).collect();
    (head, marker.try_to_string().unwrap_or_default(), hashes)
}

/// The lines of an export, without options and local projects.
fn exported(files: &BTreeMap<String, String>, condition: &str) -> BTreeSet<Parsed> {
    let joined = files["export.txt"].replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.is_empty() && !line.starts_with(['-', '#']));
    lines.map(|line| parsed(line, condition)).collect()
}

#[test]
fn locks_say_what_their_tools_export() {
    for (name, lock, condition, count) in [
        ("uv-plain", "uv.lock", "", 17),
        ("uv-extras", "uv.lock", "", 36),
        ("uv-forks", "uv.lock", "", 14),
        ("poetry-11", "poetry.lock", "python_version >= '3.9'", 9),
        ("poetry-20", "poetry.lock", "python_version >= '3.9' and python_version < '4'", 9),
        ("poetry-21", "poetry.lock", "python_version >= '3.9' and python_version < '4'", 9),
        ("poetry-forks", "poetry.lock", "python_version >= '3.9' and python_version < '4'", 10),
        ("pylock-forks", "pylock.toml", "", 14),
    ] {
        let files = fixture(name);
        let lines = lines(&files, lock);
        let ours: BTreeSet<Parsed> = lines.iter().map(|line| parsed(line, condition)).collect();
        assert_eq!(ours, exported(&files, condition), "{name}");
        assert_eq!(lines.len(), count, "{name}");
        let name_of = |line: &String| line.split("==").next().map(str::to_owned);
        assert!(lines.is_sorted_by_key(name_of), "{name}: {lines:?}");
    }
}

#[test]
fn what_a_lock_takes_from_a_folder_is_sent_along() {
    for (name, local) in [("uv-sources", "libone"), ("uv-conflicts", "torchy")] {
        let files = fixture(name);
        let (wanted, problems) = read(&files, "uv.lock");
        assert_eq!(problems, Vec::<String>::new(), "{name}");
        let (folders, others): (Vec<Requirement>, Vec<_>) =
            wanted.into_iter().partition(|requirement| requirement.local.is_some());
        let ours: BTreeSet<Parsed> = others.iter().map(|r| parsed(&r.line, "")).collect();
        assert_eq!(ours, exported(&files, ""), "{name}");
        let lock = &files["uv.lock"];
        let entry = format!("name = \"{local}\"\nversion");
        let line = lock[..lock.find(&entry).expect("the entry")].lines().count() + 1;
        let told: Vec<(&str, usize)> = folders
            .iter()
            .filter_map(|folder| Some((folder.local.as_ref()?.path.as_str(), folder.place.line)))
            .collect();
        assert_eq!(told, [(local, line)], "{name}");
    }
}

#[test]
fn only_what_is_locked_counts() {
    let files = fixture("uv-forks");
    let before = lines(&files, "uv.lock");
    let lock = &files["uv.lock"];
    for (what, changed) in [
        ("the project's version", lock.replace("version = \"0.1.0\"", "version = \"0.2.0\"")),
        ("a comment", format!("# hello\n{lock}\n# bye\n")),
        ("the revision", lock.replace("revision = ", "revision = 1")),
    ] {
        assert_ne!(&changed, lock, "{what}");
        let mut files = files.clone();
        files.insert("uv.lock".to_owned(), changed);
        assert_eq!(lines(&files, "uv.lock"), before, "{what}");
    }
}

#[test]
fn what_was_asked_for_is_known_from_what_it_needs() {
    for (name, lock, wanted) in [
        ("uv-plain", "uv.lock", "click requests rich tzdata"),
        ("uv-forks", "uv.lock", "numpy pandas scipy"),
        ("poetry-11", "poetry.lock", "click colorama requests tomli"),
        ("poetry-21", "poetry.lock", "click colorama requests tomli"),
        ("poetry-forks", "poetry.lock", "idna numpy requests"),
        ("pylock-forks", "pylock.toml", "numpy pandas scipy"),
    ] {
        let (read, _) = read(&fixture(name), lock);
        let direct = read.iter().filter_map(|r| r.distribution.as_ref()).filter(|d| d.direct);
        let names: BTreeSet<&str> = direct.map(|d| d.name.as_str()).collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>().join(" "), wanted, "{name}");
    }
}

#[test]
fn files_are_known_by_name() {
    let wheel = "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
    for (name, lock) in
        [("uv-forks", "uv.lock"), ("poetry-forks", "poetry.lock"), ("pylock-forks", "pylock.toml")]
    {
        let (read, _) = read(&fixture(name), lock);
        let numpy = read
            .iter()
            .filter_map(|requirement| requirement.distribution.as_ref())
            .find(|d| d.name == "numpy" && d.version.as_deref() == Some("1.26.4"))
            .expect("it is locked");
        assert!(numpy.wheels.iter().any(|file| file == wheel), "{name}: {:?}", numpy.wheels);
        assert!(numpy.has_sdist, "{name}");
    }
}

#[test]
fn a_lock_that_is_older_than_its_project_is_a_problem() {
    for (name, lock, old, new, changed, remedy) in [
        ("uv-plain", "uv.lock", "\"rich\"", "\"rich\", \"flask\"", "flask", "uv lock"),
        ("uv-plain", "uv.lock", "\"click>=8\", ", "", "click", "uv lock"),
        ("uv-plain", "uv.lock", "click>=8", "click>=8.1", "click", "uv lock"),
        ("uv-plain", "uv.lock", "requests[socks]>=2", "requests>=2", "requests", "uv lock"),
        ("poetry-21", "poetry.lock", "click = \">=8\"", "flask = \"*\"", "flask", "poetry lock"),
        ("poetry-20", "poetry.lock", "\"^2.28\"", "\"^1\"", "requests", "poetry lock"),
        ("poetry-forks", "poetry.lock", "idna>=3", "idna>=90", "idna", "poetry lock"),
    ] {
        let mut files = fixture(name);
        let project = files["pyproject.toml"].replace(old, new);
        assert_ne!(project, files["pyproject.toml"], "{name} {old}");
        files.insert("pyproject.toml".to_owned(), project);
        let (read, problems) = read(&files, lock);
        assert_eq!(read, [], "{name} {old}");
        let [problem] = problems.as_slice() else { panic!("{name} {old}: {problems:?}") };
        let (_, said) = problem.split_once(": ").expect("a place");
        let wanted = format!(
            "the lock is older than pyproject.toml, which changed `{changed}`\n    run `{remedy}`"
        );
        assert_eq!(said, wanted, "{name} {old}");
    }
}

/// The other members of a workspace are none of ours.
#[test]
fn a_spec_in_a_member_of_a_workspace_gets_what_that_member_needs() {
    let mut files = fixture("uv-conflicts");
    let lock = files.remove("uv.lock").expect("it is there");
    let project = files.remove("pyproject.toml").expect("it is there");
    files.insert("../uv.lock".to_owned(), lock);
    files.insert("../pyproject.toml".to_owned(), project);
    let own = "[project]\nname = \"torchy\"\nversion = \"1\"\ndependencies = [\"idna\"]\n";
    files.insert("pyproject.toml".to_owned(), own.to_owned());
    let (wanted, problems) = read(&files, "../uv.lock");
    assert_eq!(problems, Vec::<String>::new());
    let names: Vec<&str> = wanted.iter().filter_map(|r| r.line.split("==").next()).collect();
    assert_eq!(names, ["idna"]);
}

#[test]
fn broken_and_unknown_locks_are_problems_with_a_remedy() {
    for (path, text, wanted) in [
        (
            "uv.lock",
            "version = 1\n[[package]]\nname = 1\n",
            "uv.lock:3: the lock cannot be read: invalid type: integer `1`, expected a string\n    \
             make it again with the tool that it is from",
        ),
        (
            "uv.lock",
            "version = 2\n",
            "uv.lock:1: the lock has version 2, which is not known\n    \
             lock with a uv that writes version 1",
        ),
        ("uv.lock", "version = 1\n", "uv.lock:1: the lock names no project\n    run `uv lock`"),
        (
            "poetry.lock",
            "[[package]]\nname = \"x\"\nversion = \"1\"\n[metadata]\nlock-version = \"2.0\"\n",
            "poetry.lock:1: a lock of version 2.0 says nothing of groups\n    \
             put the pyproject.toml beside it, or lock with Poetry 2",
        ),
        (
            "pylock.app.toml",
            "lock-version = \"1.0\"\n[[packages]]\nname = \"x\"\nversion = \"1\"\n",
            "pylock.app.toml:3: `x` has no hash here\n    lock again, with an index that tells \
             hashes; or name a requirements file instead",
        ),
    ] {
        let files = BTreeMap::from([(path.to_owned(), text.to_owned())]);
        let (wanted_lines, problems) = read(&files, path);
        assert_eq!(wanted_lines, [], "{path}");
        assert_eq!(problems, [wanted], "{path}");
    }
}

#[test]
fn commits_urls_and_other_indexes_are_kept() {
    let lock = r#"
version = 1
requires-python = ">=3.11"

[[package]]
name = "app"
version = "1.0"
source = { editable = "." }
dependencies = [{ name = "a" }, { name = "b", marker = "os_name == 'nt'" }, { name = "c" }]

[[package]]
name = "a"
version = "4.9.0"
source = { git = "https://example.org/a?subdirectory=x%2Fy&tag=4.9.0#0123abc" }

[[package]]
name = "b"
version = "2.0.0"
source = { url = "https://example.org/b-2.0.0.tar.gz", subdirectory = "b" }
sdist = { hash = "sha256:00" }

[[package]]
name = "c"
version = "1.0+cpu"
source = { registry = "https://example.org/simple/" }
wheels = [{ url = "https://example.org/c-1.0%2Bcpu-py3-none-any.whl", hash = "sha256:11" }]
"#;
    let files = |lock: &str| BTreeMap::from([("uv.lock".to_owned(), lock.to_owned())]);
    assert_eq!(
        lines(&files(lock), "uv.lock"),
        [
            "--index-url https://example.org/simple",
            "a @ git+https://example.org/a@0123abc#subdirectory=x/y",
            "b @ https://example.org/b-2.0.0.tar.gz#subdirectory=b ; os_name == 'nt' \
             --hash=sha256:00",
            "c==1.0+cpu --hash=sha256:11",
        ]
    );
    let two = lock.replace("{ name = \"a\" }", "{ name = \"a\" }, { name = \"d\" }")
        + "\n[[package]]\nname = \"d\"\nversion = \"1\"\n\
           source = { registry = \"https://pypi.example.org/simple\" }\nsdist = { hash = \"sha256:22\" }\n";
    let two = everyones(&two);
    assert_eq!(lines(&files(&two), "uv.lock")[0], "--extra-index-url https://example.org/simple");
}

/// A script without a spec takes the lock of its project, and the lock before the pyproject.toml.
#[test]
fn a_script_alone_takes_the_lock_beside_it() {
    let plan = |names: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in fixture("e2e").iter().chain([(&"flow.py".to_owned(), &String::new())]) {
            if names.contains(&name.as_str()) || name == "flow.py" {
                fs::write(folder.path().join(name), text).expect("writable");
            }
        }
        let project = "[project]\nname = \"etl\"\ndependencies = [\"humanize>=4\", \"six\"]\n";
        fs::write(folder.path().join("pyproject.toml"), project).expect("writable");
        if names.contains(&"requirements.txt") {
            fs::write(folder.path().join("requirements.txt"), "attrs\n").expect("writable");
        }
        let output = Command::new(env!("CARGO_BIN_EXE_docker-flowstorage"))
            .args(["plan", "-o", "out", "-f", "flow.py"])
            .current_dir(folder.path())
            .env_clear()
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let requirements = folder.path().join("out/flow/context/python/requirements.txt");
        let text = fs::read_to_string(requirements).expect("it is sent");
        let name = |line: &str| line.split(" --hash").next().unwrap_or_default().to_owned();
        text.lines().map(name).collect::<Vec<_>>()
    };
    let locked = ["humanize==4.9.0", "six==1.16.0 ; sys_platform == 'linux'"];
    for (names, wanted) in [
        (&["uv.lock", "poetry.lock"][..], &locked[..]),
        (&["poetry.lock"], &locked),
        (&["pylock.toml"], &locked),
        (&[], &["humanize>=4", "six"]),
        (&["requirements.txt", "uv.lock"], &["attrs"]),
    ] {
        assert_eq!(plan(names), wanted, "{names:?}");
    }
}

#[test]
fn a_lock_of_thousands_of_lines_is_read_whole() {
    let mut lock = "version = 1\nrequires-python = \">=3.9\"\n".to_owned();
    let mut dependencies = String::new();
    for at in 0..150 {
        let _ = write!(
            lock,
            "\n[[package]]\nname = \"p{at}\"\nversion = \"1.{at}\"\n\
             source = {{ registry = \"https://pypi.example.org/simple\" }}\ndependencies = [\n"
        );
        for other in (at + 1..150).step_by(20) {
            let _ = writeln!(
                lock,
                "    {{ name = \"p{other}\", marker = \"python_full_version < '3.1{}'\" }},",
                other % 4
            );
        }
        lock.push_str("]\nwheels = [\n");
        for minor in 8..20 {
            let _ = writeln!(
                lock,
                "    {{ url = \"https://files.example.org/packages/a3/00/{at:060}/p{at}-1.{at}-\
                 cp3{minor}-cp3{minor}-manylinux_2_17_x86_64.manylinux2014_x86_64.whl\", hash = \
                 \"sha256:{at:032}{minor:032}\", size = 12345, upload-time = \
                 \"2025-01-01T00:00:00.000Z\" }},"
            );
        }
        lock.push_str("]\n");
        let _ = writeln!(dependencies, "    {{ name = \"p{at}\" }},");
    }
    let _ = write!(
        lock,
        "\n[[package]]\nname = \"root\"\nversion = \"1\"\nsource = {{ virtual = \".\" }}\n\
         dependencies = [\n{dependencies}]\n"
    );
    assert!(lock.lines().count() > 3000, "{}", lock.lines().count());
    let files = BTreeMap::from([("uv.lock".to_owned(), everyones(&lock))]);
    assert_eq!(lines(&files, "uv.lock").len(), 150);
}
