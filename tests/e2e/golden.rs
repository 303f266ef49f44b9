//! What Prefect 1.4.1 itself makes of the same arguments, recorded in `tests/fixtures/golden`.
//!
//! **Invariant:** only names that Prefect makes up by itself, and the base, are replaced.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{PREFECT, Project};

fn golden(case: &str, file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    let text = fs::read_to_string(path.join(case).join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A value as Python writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        Value::Object(pairs) => {
            let pairs =
                pairs.iter().map(|(key, value)| format!("{}: {}", json!(key), literal(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// Builds a script that makes the case's storage and flows; compares what Prefect is told.
#[track_caller]
fn storage_is_prefects(case: &str) -> (Project, String) {
    let project = Project::new();
    let recorded = golden(case, "kwargs.json");
    let mut kwargs = recorded["kwargs"].clone();
    kwargs["base_image"] = json!(PREFECT);
    if let Some(files) = kwargs["files"].as_object() {
        let source = format!("{}/", project.folder().display());
        let moved = files.iter().map(|(from, to)| (from.replace("/src/", &source), to.clone()));
        kwargs["files"] = Value::Object(moved.collect());
    }
    let flows: Vec<&str> =
        recorded["flows"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut script = format!(
        "from prefect import Flow\nfrom prefect.storage import Docker\n\nstorage = Docker(**{})\n",
        literal(&kwargs)
    );
    for (at, name) in flows.iter().enumerate() {
        let name = json!(name);
        let _ = writeln!(script, "with Flow({name}) as flow_{at}:\n    pass");
        let _ = writeln!(script, "flow_{at}.storage = storage");
    }
    project.file("flow.py", script);

    let mut wanted = golden(case, "storage.json");
    let mut line = "build -f flow.py --storage-json storage.json".to_owned();
    if wanted["image_name"].is_null() {
        let _ = write!(line, " --image-name golden-{case} --image-tag made-up");
        wanted["image_name"] = json!(format!("golden-{case}"));
        wanted["image_tag"] = json!("made-up");
    }
    let image = project.flowstorage(&line).ok().out.lines().next().unwrap().to_owned();
    let written = fs::read_to_string(project.folder().join("storage.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written, wanted);
    let image = image.split('@').next().unwrap().to_owned();
    (project, image)
}

/// The files that Prefect's agents will look for are there, and loadable by Prefect itself.
#[track_caller]
fn flows_load(project: &Project, image: &str) {
    let program = "import json
from prefect.serialization.storage import StorageSchema
storage = StorageSchema().load(json.load(open('/mnt/storage.json')))
print(json.dumps({name: storage.get_flow(name).name for name in storage.flows}))";
    let mount = format!("{}/storage.json:/mnt/storage.json:ro", project.folder().display());
    let run = ["run", "--rm", "--volume", &mount, image, "python", "-c", program];
    let loaded: Value = project.docker(&run).ok().json();
    let written = fs::read_to_string(project.folder().join("storage.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    let names: Value = written["flows"]
        .as_object()
        .unwrap()
        .keys()
        .map(|name| (name.clone(), json!(name)))
        .collect();
    assert_eq!(loaded, names);
    project.docker(&["image", "rm", "--force", image]);
}

#[test]
fn registry_name_and_tag() {
    let (project, image) = storage_is_prefects("02");
    assert_eq!(image, "registry.example.org/team/etl:v1");
    flows_load(&project, &image);
}

#[test]
fn names_that_need_a_slug() {
    let (project, image) = storage_is_prefects("03");
    flows_load(&project, &image);
}

#[test]
fn a_script_is_stored_where_path_says() {
    let (project, image) = storage_is_prefects("08");
    flows_load(&project, &image);
}

#[test]
fn another_directory() {
    let (project, image) = storage_is_prefects("11");
    let program = "import json, os; print(json.dumps(os.environ['PREFECT__USER_CONFIG_PATH']))";
    assert_eq!(project.python(&image, program), json!("/usr/local/prefect/config.toml"));
    flows_load(&project, &image);
}

#[test]
fn a_path_of_its_own() {
    let (project, image) = storage_is_prefects("16");
    flows_load(&project, &image);
}

/// As Prefect's tests have them: numbers, booleans and `None` bare, quotes of both kinds whole.
#[test]
fn the_container_sees_the_variables_that_were_meant() {
    let project = Project::new();
    project.file(
        "flow.py",
        format!(
            "from prefect import Flow
from prefect.storage import Docker

with Flow('env', storage=Docker(
    base_image='{PREFECT}',
    image_name='golden-env',
    env_vars={{
        'NUM': 1, 'BOOL': True, 'D': None, 'SPACES': 'a b  c', 'DOUBLE': 'say \"x\"',
        'SINGLE': \"it's\", 'BOTH': 'it\\'s \"q\"', 'LINES': 'one\\ntwo', 'SLASH': 'a\\\\b',
        'EXPANDED': '$LANG/modules', 'HASH': '# no comment', 'EMPTY': '',
    }},
)) as flow:
    pass
"
        ),
    );
    let image = project.flowstorage("build -f flow.py").ok().out;
    let image = image.trim().split('@').next().unwrap();
    let names = [
        "NUM", "BOOL", "D", "SPACES", "DOUBLE", "SINGLE", "BOTH", "LINES", "SLASH", "EXPANDED",
        "HASH", "EMPTY",
    ];
    let program =
        format!("import json, os; print(json.dumps([os.environ.get(n) for n in {names:?}]))");
    assert_eq!(
        project.python(image, &program),
        json!([
            "1",
            "True",
            "None",
            "a b  c",
            "say \"x\"",
            "it's",
            "it's \"q\"",
            "one\ntwo",
            "a\\b",
            "C.UTF-8/modules",
            "# no comment",
            ""
        ])
    );
    project.docker(&["image", "rm", "--force", image]);
}
