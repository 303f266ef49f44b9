//! A spec full of mistakes: all of them are told, and nothing is built.
//!
//! **Invariant:** a problem has a file, a line and a remedy.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use snapbox::{IntoData, assert_data_eq, str};

use crate::support::registry::Reference;
use crate::support::{BINARY, Project};

const MISTAKES: &str = r#"
flows = ["flow.py", "missing.py", "broken.py"]
base_imge = "python:3.11-slim"
base_image = "python:3.11-slim"
dockerfile = "Dockerfile"
image_tag = "not a tag"
python_version = 3.11
python_dependencies = ["six", "requests=>2"]
requirements = ["requirements.txt"]
system_packages = "unixodbc"
stored_as_script = "yes"

[files]
"odbc.ini" = "/etc/odbc.ini"
"other.ini" = "/etc/odbc.ini"
"missing.ini" = "/etc/missing.ini"
"#;

fn with_mistakes() -> Project {
    let project = Project::new();
    project
        .spec(MISTAKES)
        .file("flow.py", "print()\n")
        .file("broken.py", "import os\n\ndef broken(:\n    pass\n")
        .file("requirements.txt", "six\n\n???\n")
        .file("odbc.ini", "")
        .file("other.ini", "")
        .file("Dockerfile", "FROM python:3.11-slim\n");
    project
}

#[test]
fn every_mistake_is_told_with_its_place_and_remedy() {
    let project = with_mistakes();
    let said = project.flowstorage("check").ended(2);
    assert_eq!(said.out, "");
    assert_data_eq!(said.err, str![[r#"
flowstorage.toml:4: `missing.py` does not exist
    create it, or correct `flows`; paths are relative to the spec
flowstorage.toml:5: `base_imge` is not a key of the spec
    did you mean `base_image`?
flowstorage.toml:7: both `base_image` and `dockerfile` are given
    keep one: `dockerfile` names its own base
flowstorage.toml:8: `not a tag` is not a tag
    use up to 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`
flowstorage.toml:9: `python_version` is a number, which drops zeros
    write python_version = "3.11"
flowstorage.toml:10: `requests=>2` is not a requirement: no such comparison operator "=>", must be one of ~= == != <= >= < > ===
    write it as pip takes it, for example "pandas>=2,<3"
flowstorage.toml:13: `stored_as_script` is a string
    write true or false, without quotes
flowstorage.toml:17: `odbc.ini` and `other.ini` have one destination, `/etc/odbc.ini`
    give each its own destination
flowstorage.toml:18: `missing.ini` does not exist
    create it, or correct `files`; paths are relative to the spec
broken.py:3: `broken.py` is not valid Python 3: Expected a parameter or the end of the parameter list
    correct the script at this line
requirements.txt:3: `???` is not a requirement: expected package name starting with an alphanumeric character, found `?`
    write it as pip takes it, for example "pandas>=2,<3"
ERROR: 11 problems in the spec; nothing was built

"#]].raw());

    // As many problems for programs, each whole.
    let json = project.flowstorage("check --format json").ended(2).json();
    for problem in json["problems"].as_array().unwrap() {
        let whole = problem["file"].is_string()
            && problem["line"].as_u64().is_some_and(|line| line > 0)
            && problem["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty());
        assert!(whole, "{problem}");
    }
}

#[test]
fn a_wrong_spec_starts_nothing() {
    let mut project = with_mistakes();
    let told = project.flowstorage("check").ended(2).err;

    // A docker that leaves a trace of every call.
    let bin = project.folder().join("bin");
    let trace = project.folder().join("trace");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("docker"), format!("#!/bin/sh\necho \"$@\" >>'{}'\n", trace.display()))
        .unwrap();
    fs::set_permissions(bin.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
    project.env("PATH", bin.to_str().unwrap());
    for line in ["build", "build --push", "plan"] {
        let words: Vec<&str> = line.split(' ').collect();
        let said = project.run(BINARY, &words).ended(2);
        assert_eq!((said.out, said.err), (String::new(), told.clone()), "{line}");
    }
    let said = project.run(BINARY, &["build", "--format", "json"]).ended(2);
    assert_eq!(said.err, told);
    let failed = said.json()["failed"].as_array().unwrap().len();
    let last = format!("ERROR: {failed} problems in the spec; nothing was built");
    assert_eq!(told.lines().next_back(), Some(last.as_str()));
    assert!(!trace.exists(), "{}", fs::read_to_string(&trace).unwrap());
    let image = format!("{}/app:latest", project.namespace);
    assert_eq!(Reference::of(&image).tags(), Vec::<String>::new());
}
