//! Whole plans and whole lists of problems, one folder per case.
//!
//! `SNAPSHOTS=overwrite cargo test --test cli plan` rewrites what is expected.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

fn cases(kind: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    let mut cases: Vec<PathBuf> = fs::read_dir(root)
        .expect("fixtures")
        .map(|entry| entry.expect("readable").path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 4, "only {} cases of {kind}", cases.len());
    cases
}

fn run(folder: &Path, args: &[&str]) -> Output {
    // Where there is no spec, the script is one.
    let spec = ["flowstorage.toml", "flowstorage.json", "pyproject.toml", "flow.py"]
        .into_iter()
        .find(|name| folder.join(name).exists())
        .expect("a spec");
    Command::new(env!("CARGO_BIN_EXE_docker-flowstorage"))
        .args(args)
        .args(["--file", spec])
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the binary runs")
}

#[track_caller]
fn expect(folder: &Path, file: &str, actual: &[u8]) {
    let expected = Data::read_from(&folder.join(file), Some(DataFormat::Text));
    let actual = String::from_utf8(actual.to_vec()).expect("UTF-8");
    let actual = redacted(&actual).replace(&*folder.to_string_lossy(), "[FOLDER]");
    Assert::new().action_env("SNAPSHOTS").eq(actual, expected.raw());
}

/// The label that changes with each release.
fn redacted(text: &str) -> String {
    text.replace(concat!("version=\"", env!("CARGO_PKG_VERSION")), "version=\"[VERSION]")
}

#[test]
fn plans_are_these_bytes() {
    for case in cases("plan") {
        let first = run(&case, &["plan"]);
        let said = String::from_utf8_lossy(&first.stderr).into_owned();
        assert!(first.status.success(), "{}: {said}", case.display());
        assert_eq!(said, "", "{}", case.display());
        expect(&case, "plan.txt", &first.stdout);
        assert_eq!(first.stdout, run(&case, &["plan"]).stdout, "{}", case.display());
    }
}

#[test]
fn problems_are_all_said_at_once() {
    for case in cases("problems") {
        for command in ["check", "plan", "build"] {
            let output = run(&case, &[command]);
            assert_eq!(output.status.code(), Some(2), "{} {command}", case.display());
            assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{} {command}", case.display());
            expect(&case, "stderr.txt", &output.stderr);
        }
        let built = run(&case, &["build", "--format", "json"]);
        let built: serde_json::Value = serde_json::from_slice(&built.stdout).expect("JSON");
        let json = run(&case, &["check", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
        let count = report["problems"].as_array().expect("a list").len();
        assert_eq!(built["failed"].as_array().map(Vec::len), Some(count), "{}", case.display());
        assert_eq!(built["storages"], serde_json::json!([]));
        let said = String::from_utf8_lossy(&json.stderr).into_owned();
        let plural = if count == 1 { "" } else { "s" };
        let last = format!("ERROR: {count} problem{plural} in the spec; nothing was built");
        assert_eq!(said.lines().next_back(), Some(last.as_str()), "{}", case.display());
    }
}

#[test]
fn plan_json_has_what_the_text_has() {
    for case in cases("plan") {
        let output = run(&case, &["plan", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["schema_version"], 1);
        let text = fs::read_to_string(case.join("plan.txt")).expect("golden");
        for storage in report["storages"].as_array().expect("a list") {
            let name = storage["name"].as_str().expect("a name");
            let reference = storage["reference"].as_str().expect("a reference");
            let head = format!("==> {name}/Dockerfile for {reference} <==\n");
            let dockerfile = storage["dockerfile"].as_str().expect("a Dockerfile");
            let dockerfile = redacted(dockerfile);
            let shown = text.split(&head).nth(1).expect("the storage is in the text");
            assert!(shown.starts_with(&dockerfile), "{}", case.display());
            for flow in storage["flows"].as_array().expect("a list") {
                assert!(flow["location"].as_str().expect("a path").starts_with('/'));
            }
        }
    }
}

#[test]
fn a_folder_of_its_own_appears_whole_or_not_at_all() {
    let temp = tempfile::tempdir().expect("a folder");
    let case = cases("plan").remove(0);
    let target = temp.path().join("out");
    let output = run(&case, &["plan", "-o", &target.to_string_lossy()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(target.join("docker-bake.json").is_file());
    let again = run(&case, &["plan", "-o", &target.to_string_lossy()]);
    assert_eq!(again.status.code(), Some(1));
    let left: Vec<_> = fs::read_dir(temp.path()).expect("readable").collect();
    assert_eq!(left.len(), 1, "nothing is left beside it");
}

/// The environment has no docker: whatever is told here was told before it was looked for.
#[test]
fn flags_that_cannot_be_meant_are_told_before_anything_is_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plan");
    let told = |case: &str, words: &[&str]| -> (Option<i32>, Vec<String>) {
        let words: Vec<&str> = std::iter::once("build").chain(words.iter().copied()).collect();
        let output = run(&root.join(case), &words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said.lines().map(|line| line.trim().to_owned()).collect())
    };
    for (case, words, message, remedy) in [
        (
            "prefect",
            &["--push"][..],
            "--push: `flow` names no registry",
            "set registry_url, or pass --registry-url or --tag",
        ),
        (
            "script",
            &["--flows-json", "f.json", "--pin-digest"],
            "--pin-digest names an image that only a registry can give out",
            "add --push",
        ),
        (
            "script",
            &["--flows-json", "no/such/f.json"],
            "--flows-json: there is no folder `[FOLDER]/no/such`",
            "make it first, or name another file",
        ),
        (
            "script",
            &["--storage-json", "warehouse"],
            "--storage-json: `warehouse` is a folder",
            "name a file",
        ),
        (
            "script",
            &["--prefect-yaml", "prefect.yaml"],
            "--prefect-yaml is for Prefect 2 and 3; `orders-dev` is `prefect1`",
            "leave it out; `--flows-json` is for Prefect 1",
        ),
        (
            "prefect",
            &["--prefect-yaml", "setup.cfg"],
            "`setup.cfg` exists and is not ours to overwrite",
            "name another file, and copy what you need into yours",
        ),
    ] {
        let message = message.replace("[FOLDER]", &root.join(case).to_string_lossy());
        let last = "ERROR: 1 problem in the spec; nothing was built";
        assert_eq!(told(case, words), (Some(2), vec![message, remedy.to_owned(), last.to_owned()]));
    }
    // Where nothing is wrong with the flags, docker is what is missing.
    assert_eq!(told("script", &["--push"]).0, Some(3));
}

/// What a plan names, a build must have; the command line may give it instead.
#[test]
fn secrets_and_keys_that_are_not_there_are_told_before_anything_is_built() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plan/private");
    let told = |words: &[&str]| -> Vec<String> {
        let words: Vec<&str> = std::iter::once("build").chain(words.iter().copied()).collect();
        let output = run(&case, &words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = said.replace(&*case.to_string_lossy(), "[FOLDER]");
        said.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect()
    };
    assert_eq!(
        told(&[]),
        [
            "flowstorage.toml:11: the variable `INDEX_USER` is not set",
            "flowstorage.toml:11: the variable `INDEX_TOKEN` is not set",
            "flowstorage.toml:12: the variable `PACKAGES_TOKEN` is not set",
            "flowstorage.toml:7: the variable `GIT_TOKEN` is not set",
            "flowstorage.toml:18: `[FOLDER]/secret/netrc`, the secret `netrc`, is not a file",
            "flowstorage.toml:19: the variable `CI_TOKEN` is not set",
            "flowstorage.toml:20: `[FOLDER]/~/a,b.ini`, the secret `corp.ini`, is not a file",
            "flowstorage.toml:13: there is no ssh agent: `SSH_AUTH_SOCK` is not set",
            "flowstorage.toml:13: the key `[FOLDER]/keys/deploy` does not exist",
            "ERROR: 9 problems in the spec; nothing was built",
        ]
    );
    let given = [
        ["--secret", "id=flowstorage-INDEX_USER,src=x"],
        ["--secret", "id=flowstorage-INDEX_TOKEN,src=x"],
        ["--secret", "id=flowstorage-PACKAGES_TOKEN,src=x"],
        ["--secret", "type=file,id=flowstorage-GIT_TOKEN,src=x"],
        ["--secret", "id=netrc,src=x"],
        ["--secret", "id=PIP_TOKEN,src=x"],
        ["--secret", "id=corp.ini,src=x"],
        ["--ssh", "default=x"],
        ["--ssh", "deploy=x"],
    ];
    let told = told(given.as_flattened());
    assert_eq!(told[0], "ERROR: `docker` is not on PATH");
}

#[test]
fn a_script_below_its_project_keeps_its_folder_and_what_it_opens() {
    let project = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        ("setup.cfg", ""),
        ("shared.py", "X = 2\n"),
        ("jobs/conf/a.json", "{}"),
        (
            "jobs/report.py",
            "from pathlib import Path\nfrom prefect import flow\nfrom shared import X\n\
             HERE = Path(__file__).parent\n\n@flow\ndef report():\n    return helper()\n\n\
             def helper():\n    return (HERE / 'conf' / 'a.json').read_text(), X\n",
        ),
    ] {
        let path = project.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    // The same from everywhere: the project is found from the script.
    for (folder, script) in [(".", "jobs/report.py"), ("jobs", "report.py")] {
        let output = Command::new(env!("CARGO_BIN_EXE_docker-flowstorage"))
            .args(["plan", "--format", "json", "--file", script])
            .current_dir(project.path().join(folder))
            .env_clear()
            .output()
            .expect("the binary runs");
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let storage = &plan["storages"][0];
        assert_eq!(storage["flows"][0]["entrypoint"], "/opt/prefect/report/jobs/report.py:report");
        let context = storage["context"].as_array().expect("a list");
        let modules: Vec<&str> = context
            .iter()
            .filter_map(|entry| entry["path"].as_str()?.strip_prefix("modules/"))
            .collect();
        assert_eq!(modules, ["conf/a.json", "jobs/conf/a.json", "shared.py"], "{folder}");
    }
}

#[test]
fn the_check_is_told_what_the_dependencies_open_and_run() {
    let temp = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| fs::write(temp.path().join(name), text).expect("written");
    let drivers = [
        ("FreeTDS", Some("tdsodbc"), None),
        ("postgresql unicode", Some("odbc-postgresql"), None),
        ("PostgreSQL ANSI", Some("odbc-postgresql"), None),
        ("MariaDB", Some("odbc-mariadb"), None),
        ("MariaDB Unicode", Some("odbc-mariadb"), None),
        ("SQLite3", Some("libsqliteodbc"), None),
        ("ODBC Driver 17 for SQL Server", None, Some(17)),
        ("ODBC Driver 18 for SQL Server", None, Some(18)),
        ("Amazon Redshift", None, None),
    ];
    let connects = drivers.map(|(name, ..)| format!("pyodbc.connect('DRIVER={{{name}}}')\n"));
    file("etl.py", &format!("import pyodbc\n{}", connects.concat()));
    file(
        "flowstorage.toml",
        "flows = [\"etl.py\"]\nbase_image = \"python:3.11-slim\"\nimport_check_exclude = [\"Six\"]\n\
         python_dependencies = [\"python-magic>=0.4\", \"pydub\", \"six; python_version>'3'\"]\n\
         required_commands = [\"ffmpeg\", \"/opt/tool\"]\n",
    );
    let output = run(temp.path(), &["plan", "-o", "out"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let context = temp.path().join("out/etl/context");
    let read = |name: &str| fs::read_to_string(context.join(name)).expect("a file of the context");
    let spec: serde_json::Value = serde_json::from_str(&read("check/check.json")).expect("JSON");
    let odbc_drivers = drivers.map(|(name, package, release)| {
        let recipe = release.map(|release| {
            format!("recipes = {{ mssql-odbc = {{ version = {release}, accept_eula = true }} }}")
        });
        serde_json::json!({ "name": name, "package": package, "recipe": recipe })
    });
    let expected = serde_json::json!({
        "python_version": null,
        "dependencies": [
            { "name": "python-magic", "requirement": "python-magic>=0.4", "optional": false },
            { "name": "pydub", "requirement": "pydub", "optional": false },
            { "name": "six", "requirement": "six; python_version>'3'", "optional": true },
        ],
        "exclude": ["six"],
        "modules": [],
        "conflicts": true,
        "uv": "/uv/bin/uv",
        "base_conflicts": "/uv/base-conflicts.txt",
        "libraries": true,
        "loads": { "python-magic": ["magic"] },
        "calls": { "pydub": ["ffmpeg"] },
        "required_commands": ["ffmpeg", "/opt/tool"],
        "odbc_drivers": odbc_drivers,
        "sonames": "/mnt/flowstorage/check/sonames.tsv",
        "programs": "/mnt/flowstorage/check/programs.tsv",
    });
    assert_eq!(spec, expected);
    for (name, table) in [
        ("sonames", docker_flowstorage::packages::SONAMES),
        ("programs", docker_flowstorage::packages::PROGRAMS),
    ] {
        assert_eq!(read(&format!("check/{name}.tsv")), table);
    }
}
