//! `build --fix`: what is missing is added until the image works, and written if the user wants it.
//!
//! **Invariant:** the spec is what the user wrote plus the lines that were shown, or untouched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::registry::Reference;
use crate::support::terminal::Terminal;
use crate::support::{PYTHON, Project};

/// Several builds, each with packages of its own.
const PATIENCE: Duration = Duration::from_mins(25);

/// A value that no other run has: steps after it are not in any cache.
fn unique() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    now.as_nanos().to_string()
}

fn spec(project: &Project) -> String {
    fs::read_to_string(project.folder().join("flowstorage.toml")).unwrap()
}

/// How often each step ran to a good end, by its digest, over all builds of a stream.
fn runs(stream: &str) -> BTreeMap<String, usize> {
    let mut runs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in stream.lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        for vertex in event["vertexes"].as_array().into_iter().flatten() {
            let name = vertex["name"].as_str().unwrap_or_default();
            let is_run = name.starts_with('[') && name.contains("] RUN ");
            let went_well = vertex["error"].is_null() && vertex["cached"] != true;
            if let (true, true, Some(end)) = (is_run, went_well, vertex["completed"].as_str()) {
                let digest = vertex["digest"].as_str().unwrap().to_owned();
                runs.entry(format!("{name} {digest}")).or_default().insert(end.to_owned());
            }
        }
    }
    runs.into_iter().map(|(step, ends)| (step, ends.len())).collect()
}

#[test]
fn what_is_missing_is_added_and_no_step_runs_twice() {
    let project = Project::new();
    project.file("flow.py", "import magic\nimport psycopg2\n");
    let unique = unique();
    let head = format!(
        "# The nightly flow.\nregistry_url = \"{}\"\nimage_name = \"app\"\n\
         base_image = \"{PYTHON}\"\nflows = [\"flow.py\"]\n\
         python_dependencies = [\n  \"psycopg2\",  # compiled\n  \"python-magic\",\n]\n",
        project.namespace
    );
    let tail = format!("infer_system_packages = false  # for now\n\n[env_vars]\nU = \"{unique}\"");
    project.file("flowstorage.toml", format!("{head}{tail}"));
    let words = ["flowstorage", "build", "--push", "--fix", "--yes", "--progress", "rawjson"];
    let said = project.start("docker", &[&words[..], &["--format", "json"]].concat());
    let said = said.wait(PATIENCE).ok();
    project.assert_tidy();

    // The packages, where a person would put them.
    let added = "system_packages = [\"libpq5\", \"libmagic1\"]\n\
                 build_packages = [\"gcc\", \"libc6-dev\", \"libpq-dev\", \"python3-dev\"]\n";
    let (first, second) = tail.split_once('\n').unwrap();
    assert_eq!(spec(&project), format!("{head}{first}\n{added}{second}"));
    let report = said.json();
    assert_eq!(
        report["fixed"],
        json!([{
            "name": "app",
            "system_packages": ["libpq5", "libmagic1"],
            "build_packages": ["gcc", "libc6-dev", "libpq-dev", "python3-dev"],
        }])
    );
    let shown: Vec<&str> = said.err.lines().filter(|line| line.starts_with('+')).collect();
    assert_eq!(shown[1..], added.lines().map(|l| format!("+{l}")).collect::<Vec<_>>());

    // What went well once did not run again, though two builds failed after it.
    let runs = runs(&said.err);
    let twice: Vec<_> = runs.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:#?}");
    let installs = runs.keys().filter(|step| step.contains("apt-get install")).count();
    assert!(installs >= 3, "{runs:#?}");

    // The image is the one that the spec now names.
    let built = report["storages"][0]["reference"].as_str().unwrap();
    assert_eq!(Reference::of(built).digest().as_deref(), report["storages"][0]["digest"].as_str());
    let again = project.flowstorage("build --push").ok();
    assert_eq!(again.out.trim().split_once('@').unwrap().0, built);
    assert!(!again.err.contains("--fix"), "{}", again.err);
}

#[test]
fn a_terminal_is_asked_and_nobody_else() {
    let project = Project::new();
    project.file("flow.py", "import magic\n").spec(&format!(
        "flows = [\"flow.py\"]\nbase_image = \"{PYTHON}\"\ninfer_system_packages = false\n\
         python_dependencies = [\"python-magic\"]\n"
    ));
    let before = spec(&project);
    let after = before.replace(
        "infer_system_packages = false\n",
        "infer_system_packages = false\nsystem_packages = [\"libmagic1\"]\n",
    );
    let words = ["flowstorage", "build", "--push", "--fix"];

    // Nobody is there to say yes.
    let said = project.start("docker", &words).wait(PATIENCE).ok();
    assert_eq!(spec(&project), before);
    let last = said.err.lines().last().unwrap_or_default();
    assert_eq!(last, "nothing was written: give --yes to write it");

    let question = "Write it to flowstorage.toml? [y/N]";
    for (keys, code, last, text) in [
        (&b"n\r"[..], 0, "nothing was written", &before),
        (b"\r", 0, "nothing was written", &before),
        (b"\x04", 0, "nothing was written", &before),
        (b"\x03", 130, "ERROR: cancelled", &before),
        (b"y\r", 0, "wrote `flowstorage.toml`", &after),
    ] {
        let mut terminal = Terminal::docker(&project, &words);
        terminal.until(question, PATIENCE);
        let diff: Vec<String> =
            terminal.lines().into_iter().filter(|line| line.starts_with('+')).collect();
        assert_eq!(diff, ["+++ flowstorage.toml", "+system_packages = [\"libmagic1\"]"]);
        terminal.press(keys);
        assert_eq!(terminal.wait(PATIENCE), code, "{:#?}", terminal.lines());
        assert_eq!(terminal.lines().last().map(String::as_str), Some(last));
        assert_eq!(&spec(&project), text);
        project.assert_tidy();
    }
}

#[test]
fn what_cannot_be_mended_ends_as_any_failure_does() {
    let project = Project::new();
    project.plain("python_dependencies = [\"flowstorage-no-such-distribution\"]\n");
    let before = spec(&project);
    let plain = project.flowstorage("build --push").ended(1);
    let said = project.flowstorage("build --push --fix --yes").ended(1);
    assert_eq!((said.out.as_str(), said.verdict()), ("", plain.verdict()));
    assert_eq!(spec(&project), before);

    // Something is learnt, and does not help.
    let complaint = "x.c:1:10: fatal error: magic.h: No such file or directory";
    project
        .plain(&format!("extra_dockerfile_commands = [\"RUN echo '{complaint}' >&2; exit 1\"]\n"));
    let before = spec(&project);
    let said = project.flowstorage("build --push --fix --yes --format json").ended(1);
    assert_eq!(spec(&project), before);
    // No package for compiling would reach a step of the user's own.
    let added = "    system_packages = [\"libmagic-dev\"]";
    let told: Vec<&str> = said.err.lines().skip_while(|line| !line.starts_with("--fix ")).collect();
    assert_eq!(
        told[..3],
        ["--fix added what follows, which was not enough; nothing was written:", "  `app`:", added]
    );
    let fixed =
        json!([{ "name": "app", "system_packages": ["libmagic-dev"], "build_packages": [] }]);
    assert_eq!(said.json()["fixed"], fixed);
}
