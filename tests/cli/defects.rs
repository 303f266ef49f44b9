//! What Prefect's own Docker storage did wrong, as far as a plan shows it, and the list of it all.
//!
//! **Invariant:** `docs/defects.md` names only tests that exist.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with these files.
fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn run(folder: &Path, args: &[&str], path: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_docker-flowstorage"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .output()
        .expect("the binary runs")
}

/// A plan, as JSON.
#[track_caller]
fn plan(folder: &Path, args: &[&str]) -> Value {
    let output = run(folder, &[&["plan", "--format", "json"], args].concat(), "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The lines of one stage of a Dockerfile, whole.
#[track_caller]
fn stage<'a>(dockerfile: &'a str, name: &str) -> Vec<&'a str> {
    let end = format!(" AS {name}");
    let lines = dockerfile.lines().map(str::trim);
    let from = |line: &&str| !(line.starts_with("FROM ") && line.ends_with(&end));
    let stage = lines.skip_while(from).take_while(|line| !line.is_empty());
    stage.collect()
}

/// The messages of the problems of a `flowstorage.toml`.
#[track_caller]
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = project(files);
    let output = run(folder.path(), &["check", "--format", "json"], "");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let problems = report["problems"].as_array().expect("a list");
    problems.iter().map(|problem| problem["message"].as_str().expect("a text").to_owned()).collect()
}

/// A script of Prefect 1 with these flows.
fn flows(names: &[&str]) -> String {
    let flow = |(at, name): (usize, &&str)| format!("flow_{at} = Flow({name:?})\n");
    let flows: String = names.iter().enumerate().map(flow).collect();
    format!("from prefect import Flow\n{flows}")
}

const ETL: &str = "from prefect import Flow\nflow = Flow('etl')\n";

#[test]
fn an_empty_base_image_is_a_problem() {
    let spec = "flows = [\"flow.py\"]\nbase_image = \"\"\n";
    let found = problems(&[("flow.py", ETL), ("flowstorage.toml", spec)]);
    assert_eq!(found, ["`` is not an image"]);
    // `None`, as a keyword has it, is no base: the default counts.
    let script = format!(
        "{ETL}from prefect.storage import Docker\nflow.storage = Docker(base_image=None)\n"
    );
    let folder = project(&[("flow.py", &script)]);
    let dockerfile = plan(folder.path(), &["-f", "flow.py"]);
    let dockerfile = dockerfile["storages"][0]["dockerfile"].as_str().expect("a Dockerfile");
    assert_eq!(stage(dockerfile, "base"), ["FROM prefecthq/prefect:1.4.1-python3.10 AS base"]);
}

#[test]
fn registry_and_name_are_joined_as_written_or_refused() {
    let named = |registry: &str, name: &str| {
        format!(
            "flows = [\"flow.py\"]\nregistry_url = \"{registry}\"\nimage_name = \"{name}\"\n\
             image_tag = \"v1\"\n"
        )
    };
    let spec = named("registry.example.org/team/", "etl");
    let folder = project(&[("flow.py", ETL), ("flowstorage.toml", &spec)]);
    let reference = &plan(folder.path(), &[])["storages"][0]["reference"];
    assert_eq!(reference, "registry.example.org/team/etl:v1");
    for (registry, name, message) in [
        (
            "https://registry.example.org/x/",
            "etl",
            "`https://registry.example.org/x/etl` is a URL, not a registry",
        ),
        ("registry.example.org//x", "etl", "`registry.example.org//x/etl` is not an image name"),
        ("registry.example.org", "/etl", "`registry.example.org//etl` is not an image name"),
    ] {
        let spec = named(registry, name);
        assert_eq!(problems(&[("flow.py", ETL), ("flowstorage.toml", &spec)]), [message]);
    }
}

#[test]
fn flows_that_would_overwrite_each_other_are_refused() {
    let head = "image_name = \"x\"\nbase_image = \"python:3.11-slim\"\n";
    let two_slugs = flows(&["A b", "a B"]);
    let two = flows(&["a", "b"]);
    let plain = "print()\n";
    for (rest, files, message) in [
        (
            "flows = [\"flow.py\"]\n",
            vec![("flow.py", two_slugs.as_str())],
            "`A b` and `a B` would both be `/opt/prefect/flows/a-b.prefect`",
        ),
        (
            "flows = [\"flow.py\"]\npath = \"/x.prefect\"\n",
            vec![("flow.py", two.as_str())],
            "`a` and `b` would both be `/x.prefect`",
        ),
        (
            "flows = { one = \"a/flow.py\", two = \"b/flow.py\" }\nruntime = \"python\"\n",
            vec![("a/flow.py", plain), ("b/flow.py", plain)],
            "`one` and `two` would both be `/opt/flows/flow.py`",
        ),
        (
            "flows = [\"flow.py\", \"again.py\"]\n",
            vec![("flow.py", ETL), ("again.py", ETL)],
            "two flows are named `etl`",
        ),
    ] {
        let spec = format!("{head}{rest}");
        let files = [files, vec![("flowstorage.toml", spec.as_str())]].concat();
        assert_eq!(problems(&files), [message]);
    }
}

#[test]
fn a_name_without_letters_is_refused() {
    let script = flows(&["!!!"]);
    let spec = "flows = [\"flow.py\"]\nimage_name = \"etl\"\n";
    let found = problems(&[("flow.py", &script), ("flowstorage.toml", spec)]);
    assert_eq!(found, ["nothing of the name `!!!` can be part of a path"]);
}

/// Prefect makes up a UUID and takes the time.
#[test]
fn name_and_tag_stay_while_nothing_changes() {
    let both = flows(&["a", "b"]);
    let references: Vec<Value> = (0..2)
        .map(|_| {
            let folder = project(&[("daily.py", &both)]);
            plan(folder.path(), &["-f", "daily.py"])["storages"][0]["reference"].clone()
        })
        .collect();
    assert_eq!(references[0], references[1]);
    let reference = references[0].as_str().expect("a name");
    let tag = reference.strip_prefix("daily:").expect(reference);
    assert_eq!((tag.len(), tag.chars().all(|c| c.is_ascii_hexdigit())), (12, true), "{tag}");
    // What goes in decides.
    let folder = project(&[("daily.py", &flows(&["a", "c"]))]);
    assert_ne!(plan(folder.path(), &["-f", "daily.py"])["storages"][0]["reference"], reference);
}

/// Prefect joins a string's characters by line breaks.
#[test]
fn one_command_may_be_a_plain_string() {
    let script = format!(
        "{ETL}from prefect.storage import Docker\n\
         flow.storage = Docker(extra_dockerfile_commands='RUN echo one')\n"
    );
    let spec = "flows = [\"etl.py\"]\nextra_dockerfile_commands = \"RUN echo one\"\n";
    let folder = project(&[("flow.py", &script), ("etl.py", ETL), ("flowstorage.toml", spec)]);
    for args in [&[][..], &["-f", "flow.py"]] {
        let plan = plan(folder.path(), args);
        let dockerfile = plan["storages"][0]["dockerfile"].as_str().expect("a Dockerfile");
        assert_eq!(stage(dockerfile, "app"), ["FROM system AS app", "RUN echo one"], "{args:?}");
    }
}

/// Prefect appends `wheel` to the list that it is given, each time.
#[test]
fn requirements_are_those_that_were_written() {
    let script = "
from prefect import Flow
from prefect.storage import Docker

PACKAGES = [
    'six',
    \"tomli; python_version < '3.11'\",
    '--extra-index-url https://packages.example.org/simple',
    '--extra-index-url=https://more.example.org/simple',
    'lib[flavor]<2.0.0,>=1.1.1',
]
ENV = {'STAGE': 'dev'}

one = Flow('one', storage=Docker(python_dependencies=PACKAGES, env_vars=ENV, prefect_directory='/one'))
two = Flow('two', storage=Docker(python_dependencies=PACKAGES, env_vars=ENV, prefect_directory='/two'))
";
    let folder = project(&[("flow.py", script)]);
    let output = run(folder.path(), &["plan", "-f", "flow.py", "-o", "out"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (name, storage) in [("one", "storage"), ("two", "storage-2")] {
        let out = folder.path().join("out").join(storage);
        let read = |path| fs::read_to_string(out.join(path)).expect("a file");
        let wanted = "six\n\
                      tomli; python_version < '3.11'\n\
                      lib[flavor]<2.0.0,>=1.1.1\n";
        assert_eq!(read("context/python/requirements.txt"), wanted, "{name}");
        let indexes: serde_json::Value =
            serde_json::from_str(&read("context/indexes/indexes.json")).expect("JSON");
        let urls = ["https://packages.example.org/simple", "https://more.example.org/simple"];
        assert_eq!(indexes["extra"], serde_json::json!(urls), "{name}");
        let config = format!("ENV PREFECT__USER_CONFIG_PATH=\"/{name}/config.toml\"");
        let wanted = ["FROM base AS system", &config, "ENV STAGE=\"dev\""];
        assert_eq!(stage(&read("Dockerfile"), "system"), wanted);
    }
}

/// Prefect's template begins with an empty line, after which directives are comments.
#[test]
fn directives_stay_on_the_first_line() {
    let users = "# syntax=docker/dockerfile:1\n# escape=`\nFROM python:3.11-slim\n";
    let spec = "flows = [\"flow.py\"]\ndockerfile = \"Dockerfile\"\n";
    let files = [("flow.py", "print()\n"), ("Dockerfile", users), ("flowstorage.toml", spec)];
    let folder = project(&files);
    let plan = plan(folder.path(), &[]);
    let dockerfile = plan["storages"][0]["dockerfile"].as_str().expect("a Dockerfile");
    let directives = "# syntax=docker/dockerfile:1\n# escape=`\nFROM python:3.11-slim";
    assert!(dockerfile.starts_with(directives), "{dockerfile}");
}

/// Prefect takes versions from the Python that runs it; here none runs.
#[test]
fn the_python_of_this_machine_plays_no_part() {
    let spec = "flows = [\"flow.py\"]\nimage_tag = \"v1\"\n";
    let python = "#!/bin/sh\ntouch \"$0.ran\"\necho 'Python 3.6.0'\n";
    let files = [("flow.py", ETL), ("flowstorage.toml", spec), ("bin/python3", python)];
    let folder = project(&files);
    let program = folder.path().join("bin/python3");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    fs::copy(&program, folder.path().join("bin/python")).expect("a copy");
    let bin = folder.path().join("bin").display().to_string();
    let plans = ["", &bin].map(|path| run(folder.path(), &["plan"], path).stdout);
    assert_eq!(plans[0], plans[1]);
    let text = String::from_utf8_lossy(&plans[0]);
    assert_eq!(stage(&text, "base"), ["FROM prefecthq/prefect:1.4.1-python3.10 AS base"]);
    for name in ["python", "python3"] {
        assert!(!folder.path().join(format!("bin/{name}.ran")).exists(), "{name} was run");
    }
}

/// Every test below a folder, with the file that has it: `#[test]` in Rust, `def test_…` in Python.
fn tests(folder: &Path, found: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let is = |extension: &str| path.extension().is_some_and(|found| found == extension);
        if path.is_dir() {
            tests(&path, found);
        } else if is("rs") {
            let text = fs::read_to_string(&path).expect("a text");
            for after in text.split("#[test]\n").skip(1) {
                let name =
                    after.trim_start().strip_prefix("fn ").and_then(|at| at.split('(').next());
                found.extend(name.map(|name| (name.to_owned(), path.clone())));
            }
        } else if is("py") {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
            let names = text.lines().filter_map(|line| line.trim_start().strip_prefix("def test_"));
            let names = names.filter_map(|name| name.split('(').next());
            found.extend(names.map(|name| (format!("test_{name}"), path.clone())));
        }
    }
}

const HEADER: &str = "| Prefect's storage | here | shown by |";

#[test]
fn every_defect_is_shown_by_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeMap::new();
    for folder in ["src", "tests/cli", "tests/e2e", "tests/image_programs"] {
        tests(&root.join(folder), &mut known);
    }
    let page = fs::read_to_string(root.join("docs/defects.md")).expect("the page");
    let is_row =
        |line: &&str| line.starts_with("| ") && !line.starts_with("| --- |") && *line != HEADER;
    let rows = page.lines().filter(is_row);
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, _, shown] = cells[..] else { panic!("not three cells: {row}") };
        let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "shown by nothing: {row}");
        for name in names {
            assert!(known.contains_key(name), "no test is called `{name}`: {row}");
        }
        count += 1;
    }
    assert!(count > 40, "only {count} defects");
}
