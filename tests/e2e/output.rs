//! What a build tells: on stdout to programs, on stderr to people.
//!
//! **Invariant:** stdout has the result or nothing; a failure fits on a screen.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::registry::Reference;
use crate::support::terminal::Terminal;
use crate::support::{Project, old_buildx};

const PATIENCE: Duration = Duration::from_mins(5);

#[test]
fn stdout_names_each_image_by_the_digest_that_the_registry_has() {
    let project = Project::new();
    project.file("flow.py", "print()\n").spec(&format!(
        "base_image = \"{}\"\nflows = [\"flow.py\"]\n\
         [storage.one]\nimage_name = \"one\"\n[storage.two]\nimage_name = \"two\"\nimage_tag = \"v2\"\n",
        crate::support::PYTHON
    ));
    let said = project.flowstorage("build --push").ok();
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", said.out);
    for (line, name) in lines.iter().zip(["one", "two"]) {
        let (tagged, digest) = line.split_once('@').unwrap();
        let repository = format!("{}/{name}:", project.namespace);
        assert_eq!(&tagged[..repository.len()], repository);
        assert_eq!(Reference::of(tagged).digest().as_deref(), Some(digest));
    }
    let only = project.flowstorage("build --push two").ok();
    assert_eq!(only.out.lines().collect::<Vec<_>>(), lines[1..]);
}

#[test]
fn the_json_report_is_one_object_that_is_true() {
    let project = Project::new();
    project.plain("image_tag = \"v1\"\n");
    let said = project.flowstorage("build --push --format json").ok();
    let report = said.json();
    let image = Reference::of(&format!("{}/app:v1", project.namespace));
    let manifest = image.manifest();
    let mut size = manifest["config"]["size"].as_u64().unwrap();
    size += manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["size"].as_u64().unwrap())
        .sum::<u64>();
    let config = image.config();
    let built = &report["storages"][0];
    let counted = |key: &str| built[key].as_u64().unwrap_or_else(|| panic!("{key} in {built}"));
    assert!(counted("duration_ms") > 0 && counted("steps") >= counted("cached_steps"));
    let wanted = json!({
        "schema_version": 1,
        "storages": [{
            "name": "app",
            "reference": format!("{}/app:v1", project.namespace),
            "digest": image.digest(),
            "platforms": [format!("{}/{}", config["os"].as_str().unwrap(), config["architecture"].as_str().unwrap())],
            "size": size,
            "duration_ms": built["duration_ms"],
            "steps": built["steps"],
            "cached_steps": built["cached_steps"],
            "flows": [{ "name": "flow", "script": "flow.py", "location": "/opt/flows/flow.py" }],
        }],
        "failed": [],
    });
    // More keys are welcome.
    let mut found = report.clone();
    let keys: Vec<String> = wanted["storages"][0].as_object().unwrap().keys().cloned().collect();
    found["storages"][0].as_object_mut().unwrap().retain(|key, _| keys.contains(key));
    assert_eq!(found, wanted);
}

#[test]
fn the_digest_of_a_loaded_image_is_the_engines() {
    let project = Project::new();
    project.plain("image_tag = \"v1\"\n");
    let said = project.flowstorage("build --load").ok();
    let (tagged, digest) = said.out.trim().split_once('@').unwrap();
    let words = ["image", "inspect", "--format", "{{.Id}} {{json .RepoDigests}}", tagged];
    let known = project.docker(&words).ok().out;
    assert!(known.contains(digest), "{digest} is not in {known}");
    // Nothing was pushed.
    assert_eq!(Reference::of(tagged).tags(), Vec::<String>::new());
}

/// A line with its numbers masked.
fn redacted(text: &str) -> String {
    let mut masked = String::new();
    let mut digits = false;
    for c in text.chars() {
        let is_digit = c.is_ascii_digit() || (digits && c == '.');
        if is_digit && !digits {
            masked.push('0');
        }
        if !is_digit {
            masked.push(c);
        }
        digits = is_digit;
    }
    masked
}

#[test]
fn each_way_to_show_progress() {
    let project = Project::new();
    project.plain("");
    project.flowstorage("build --push").ok();

    let quiet = project.flowstorage("build --push --progress quiet").ok();
    assert_eq!(quiet.err, "");
    let short = project.flowstorage("build --push -q").ok();
    assert_eq!((short.err, &short.out), (String::new(), &quiet.out));

    // A stream whose every line is an event of BuildKit.
    let raw = project.flowstorage("build --push --progress rawjson").ok();
    assert_eq!(raw.out, quiet.out);
    let keys = ["vertexes", "statuses", "logs", "warnings"];
    for line in raw.err.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(
            event.as_object().unwrap().keys().all(|key| keys.contains(&key.as_str())),
            "{line}"
        );
    }

    // Lines for a pipe: no escape sequence, no carriage return, a summary at the end.
    let plain = project.flowstorage("build --push").ok();
    assert_eq!(plain.err.find(['\x1b', '\r']), None, "{}", plain.err);
    let last = redacted(plain.err.lines().last().unwrap_or_default());
    // How many steps a builder names of what is all cached is its own business.
    assert_eq!(last.replace(" step,", " steps,"), "app: 0 steps, all cached in 0s");
    project.flowstorage("build --progress tty").ended(125);
}

#[test]
fn bars_on_a_terminal_and_a_short_summary_at_the_end() {
    let project = Project::new();
    // Of a step that is cached there is nothing to see: the namespace makes this one new.
    let step = format!("RUN sleep 2; echo {}", project.namespace);
    project.plain(&format!("extra_dockerfile_commands = [\"{step}\"]\n"));
    let mut terminal = Terminal::docker(&project, &["flowstorage", "build", "--push"]);
    let mut seen = Vec::new();
    let drawn = crate::support::processes::wait_until(Duration::from_mins(1), || {
        seen = terminal.lines();
        seen.iter().any(|line| line.contains("sleep 2"))
    });
    assert!(drawn.is_some(), "{seen:#?}");
    assert_eq!(terminal.wait(PATIENCE), 0, "{:#?}", terminal.lines());
    let lines = terminal.lines();
    // The summary and the result, nothing of the bars.
    assert!(lines.len() <= 3, "{lines:#?}");
    let last = lines.concat();
    assert!(last.contains(&format!("{}/app:", project.namespace)), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains("sleep 2")).count(), 0, "{lines:#?}");
}

#[test]
fn a_failure_is_a_step_its_last_words_and_a_cause() {
    let project = Project::new();
    // One stream: of two, nobody knows which came last.
    let wall = "seq -f 'line %g' 500; echo the reason; exit 3";
    project.plain(&format!("extra_dockerfile_commands = [\"RUN {wall}\"]\nimage_tag = \"v1\"\n"));
    let said = project.flowstorage("build --push").ended(1);
    assert_eq!(said.out, "");
    let end: Vec<&str> = said.err.lines().rev().take(40).collect();
    let rule = end.iter().rposition(|line| line.starts_with(" > [")).expect("the step is named");
    assert!(rule < 39, "{end:#?}");
    assert!(end.contains(&"the reason") && end.contains(&"line 500"), "{end:#?}");
    assert_eq!(said.verdict()[0], format!("ERROR: `RUN {wall}` ended with exit code 3"));

    let json = project.flowstorage("build --push --format json --progress quiet").ended(1);
    let report = json.json();
    assert_eq!(report["storages"], json!([]));
    let failed = &report["failed"][0];
    assert_eq!(failed["name"], "app");
    assert_eq!(
        format!("ERROR: {}", failed["cause"].as_str().unwrap()),
        json.err.lines().next().unwrap()
    );

    let mut terminal = Terminal::docker(&project, &["flowstorage", "build", "--push"]);
    assert_eq!(terminal.wait(PATIENCE), 1);
    let lines = terminal.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("ERROR: ")).count(), 1, "{lines:#?}");
    assert!(lines.contains(&"the reason".to_owned()), "{lines:#?}");
}

#[test]
fn an_old_buildx_builds_the_same() {
    let project = Project::new();
    project.plain("extra_dockerfile_commands = [\"RUN echo of the step\"]\n");
    let new = project.pushed();
    let link = project.client().join("cli-plugins/docker-buildx");
    fs::remove_file(link).unwrap();
    project.plugin("docker-buildx", &old_buildx());
    let said = project.flowstorage("build --push").ok();
    assert_eq!(said.out.trim(), new);

    project.plain("extra_dockerfile_commands = [\"RUN echo of the step; exit 4\"]\n");
    let said = project.flowstorage("build --push").ended(1);
    assert_eq!(
        said.verdict(),
        ["ERROR: `RUN echo of the step; exit 4` ended with exit code 4"],
        "{}",
        said.err
    );
}

#[test]
fn metadata_files_are_buildxs_own() {
    let project = Project::new();
    project.plain("");
    let said = project.flowstorage("build --push --metadata-file meta.json").ok();
    let text = fs::read_to_string(project.folder().join("meta.json")).unwrap();
    let metadata: Value = serde_json::from_str(&text).unwrap();
    let digest = metadata["app"]["containerimage.digest"].as_str().unwrap();
    assert_eq!(said.out.trim().split_once('@').unwrap().1, digest);
}
