//! What `prefect register` reads, written without a Python at hand, and runs of what it registered.
//!
//! **Invariant:** Prefect itself judges: its schemas, its command and its runner, against an
//! endpoint that answers as its server does and keeps what it was told.

use std::fs;

use serde_json::{Value, json};

use crate::support::{PREFECT, Project, registry::Reference};

const ENDPOINT: &str = include_str!("data/graphql.py");

const FLOWS: &str = "
import prefect
from prefect import Flow, Parameter, task
from prefect.schedules import CronSchedule

@task
def double(x):
    return 2 * x

@task
def tell(x):
    prefect.context.logger.info('told %s with %s', x, prefect.context.secrets['TOKEN'])

with Flow('Told daily', schedule=CronSchedule('0 4 * * *')) as daily:
    tell(double(Parameter('n', default=21)))

with Flow('mapped') as mapped:
    double.map(Parameter('many', default=[1, 2]))
";

fn project() -> Project {
    let project = Project::new();
    project.file("flow.py", FLOWS).spec(&format!(
        "flows = [\"flow.py\"]\nbase_image = \"{PREFECT}\"\nimage_tag = \"v1\"\n\
         secrets = [\"TOKEN\"]\nenv_vars = {{ PRIVATE = \"not for the server\" }}\n"
    ));
    project
}

fn read(project: &Project, path: &str) -> Value {
    let text = fs::read_to_string(project.folder().join(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs a command of Prefect in a container that reaches nothing but the endpoint inside it.
#[track_caller]
fn prefect(
    project: &Project,
    image: &str,
    command: &str,
    flows_json: &Value,
    flow: &Value,
) -> Value {
    let given = json!({
        "command": command.split(' ').collect::<Vec<_>>(),
        "files": { "/tmp/flows.json": flows_json.to_string() },
        "flow": flow,
        "secrets": { "TOKEN": "a secret" },
    });
    let program = ["python", "-c", ENDPOINT, &given.to_string()];
    let run = ["run", "--rm", "--network", "none", image];
    let said = project.docker(&[run.as_slice(), &program].concat()).ok().json();
    assert_eq!((&said["code"], &said["unknown"]), (&json!(0), &json!([])), "{said:#}");
    said
}

/// Registers the flows with a Prefect that has nothing but the file, and runs each as an agent
/// would: in a container of the image that its storage names.
#[track_caller]
fn register_and_run(project: &Project, image: &str) {
    let file = read(project, "flows.json");
    let register = "prefect register --json /tmp/flows.json --project example";
    let registered = prefect(project, PREFECT, register, &file, &Value::Null);
    assert_eq!(registered["flows"], file["flows"], "{registered:#}");
    assert!(!file.to_string().contains("not for the server"), "{file:#}");
    assert_eq!(file["flows"][0]["schedule"]["clocks"][0]["cron"], json!("0 4 * * *"), "{file:#}");

    let name = "import json, sys
from prefect.serialization.storage import StorageSchema
print(json.dumps(StorageSchema().load(json.loads(sys.argv[1])).name))";
    let mut ran = serde_json::Map::new();
    for flow in registered["flows"].as_array().unwrap() {
        let storage = flow["storage"].to_string();
        let named = project.docker(&["run", "--rm", PREFECT, "python", "-c", name, &storage]).ok();
        assert_eq!(named.json(), json!(image));
        let run = prefect(project, image, "prefect execute flow-run", &Value::Null, flow);
        assert_eq!(run["run"], json!(["Running", "Success"]), "{run:#}");
        ran.insert(flow["name"].as_str().unwrap().to_owned(), run);
    }
    let told = &ran["Told daily"];
    let wanted = json!({ "double-1": "Success", "n": "Success", "tell-1": "Success" });
    assert_eq!(told["tasks"], wanted);
    assert!(told["logs"].as_array().unwrap().contains(&json!("told 42 with a secret")), "{told:#}");
    assert_eq!(ran["mapped"]["tasks"], json!({ "double-1": "Success", "many": "Success" }));
}

#[test]
fn registered_flows_run_in_the_image_by_tag_and_by_digest() {
    let project = project();
    project.flowstorage("build --push --flows-json flows.json --storage-json storage.json").ok();
    let tagged = format!("{}/app:v1", project.namespace);
    register_and_run(&project, &tagged);

    let pinned = "build --push --pin-digest --flows-json flows.json --storage-json storage.json";
    project.flowstorage(pinned).ok();
    let digest = Reference::of(&tagged).digest().unwrap();
    register_and_run(&project, &format!("{}/app@{digest}", project.namespace));
}

#[test]
fn the_storage_alone_finds_every_flow_in_the_image() {
    let project = project();
    project.flowstorage("build --push --storage-json storage.json").ok();
    let storage = read(&project, "storage.json");
    // What Prefect's own `build` of this storage would tell a server, and nothing more.
    assert_eq!(
        storage,
        json!({
            "__version__": "1.4.1",
            "type": "Docker",
            "registry_url": project.namespace,
            "image_name": "app",
            "image_tag": "v1",
            "path": null,
            "prefect_version": "1.4.1",
            "stored_as_script": false,
            "secrets": ["TOKEN"],
            "flows": {
                "Told daily": "/opt/prefect/flows/told-daily.prefect",
                "mapped": "/opt/prefect/flows/mapped.prefect",
            },
        }),
    );
    let load = "import json, sys
from prefect.serialization.storage import StorageSchema
storage = StorageSchema().load(json.loads(sys.argv[1]))
found = {name: sorted(task.name for task in storage.get_flow(name).tasks) for name in storage.flows}
print(json.dumps(found))";
    let image = format!("{}/app:v1", project.namespace);
    let run = ["run", "--rm", &image, "python", "-c", load, &storage.to_string()];
    let wanted = json!({ "Told daily": ["double", "n", "tell"], "mapped": ["double", "many"] });
    assert_eq!(project.docker(&run).ok().json(), wanted);
}

#[test]
fn files_that_cannot_be_written_are_told_before_anything_is_built() {
    let project = project();
    let said = project.flowstorage("build --pin-digest").ended(2);
    assert!(said.err.contains("--pin-digest"), "{}", said.err);
    let said = project.flowstorage("build --prefect-yaml prefect.yaml").ended(2);
    assert!(said.err.contains("--flows-json"), "{}", said.err);
    assert_eq!(
        Reference::of(&format!("{}/app:v1", project.namespace)).tags(),
        Vec::<String>::new()
    );
}
