//! `init`: the spec that it writes says what the script says.
//!
//! **Invariant:** compared are whole plans, of the script and of the spec.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn copied(case: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case);
    let mut pending: Vec<(PathBuf, PathBuf)> = vec![(from, folder.path().to_owned())];
    while let Some((from, to)) = pending.pop() {
        fs::create_dir_all(&to).expect("a folder");
        for entry in fs::read_dir(from).expect("readable") {
            let entry = entry.expect("readable");
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                pending.push((entry.path(), target));
            } else {
                fs::copy(entry.path(), target).expect("a file");
            }
        }
    }
    folder
}

fn run(folder: &Path, words: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_docker-flowstorage");
    Command::new(binary).args(words).current_dir(folder).env_clear().output().expect("it runs")
}

/// Dockerfile, context and references of a plan; its origins differ, and so does what names the
/// spec.
fn plan(folder: &Path, spec: &str) -> serde_json::Value {
    let output = run(folder, &["plan", "--format", "json", "--file", spec]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let mut plan: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for storage in plan["storages"].as_array_mut().expect("a list") {
        for value in storage["values"].as_object_mut().expect("a table").values_mut() {
            value["origin"].take();
        }
        storage["values"]["files"].take();
        for list in ["context", "system_packages"] {
            for entry in storage[list].as_array_mut().expect("a list") {
                entry["because"].take();
            }
        }
        let dockerfile = storage["dockerfile"].as_str().expect("a text");
        let head = format!("docker flowstorage from {spec},");
        assert_eq!(dockerfile.matches(&head).count(), 1);
        storage["dockerfile"] = dockerfile.replace(&head, "docker flowstorage").into();
        storage["reference"] = tagless(&storage["reference"]);
        // It is made of all that is compared here.
        storage["bake"].take();
    }
    plan["storages"].take()
}

/// A tag that is a digest covers the name of the spec.
fn tagless(reference: &serde_json::Value) -> serde_json::Value {
    let text = reference.as_str().expect("a text");
    text.rsplit_once(':').expect("a tag").0.into()
}

#[test]
fn the_spec_plans_what_the_script_plans() {
    for case in ["plan/script", "plan/prefect"] {
        let folder = copied(case);
        let script = plan(folder.path(), "flow.py");
        let written = run(folder.path(), &["init", "flow.py"]);
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        let spec = plan(folder.path(), "flowstorage.toml");
        // Python's version is a matter of the project, which both find in the same place.
        assert_eq!(spec, script, "{case}");
    }
}

#[test]
fn what_is_there_is_never_overwritten() {
    let folder = copied("plan/script");
    let path = folder.path().join("flowstorage.toml");
    fs::write(&path, "# mine\n").expect("a file");
    let refused = run(folder.path(), &["init", "flow.py"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr).lines().next(),
        Some("`flowstorage.toml` is there already")
    );
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "# mine\n");
    let shown = run(folder.path(), &["init", "flow.py", "--output", "-"]);
    let spec: toml::Table = String::from_utf8_lossy(&shown.stdout).parse().expect("TOML");
    assert_eq!(spec["image_name"].as_str(), Some("orders-dev"));
}
