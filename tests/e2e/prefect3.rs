//! Flows of Prefect 3: in the image where Prefect's own automatic image has them.
//!
//! **Invariant:** they are loaded by Prefect's own loader and deployed by its own command, in
//! containers of the pushed image that reach no server but one inside them.

use std::fs;

use serde_json::{Value, json};

use crate::support::registry::Reference;
use crate::support::{PREFECT3, Project};

const PREFECT_3: &str = include_str!("data/prefect3.py");

/// A script with a local package and what it requires beside it.
fn project() -> Project {
    let project = Project::new();
    let script = "
from prefect import flow, task
import slugify
from shop.prices import total

@task
def load():
    return total()

@flow(name='Daily prices')
def daily(factor: int = 2):
    '''Sums the prices.'''
    return [load() * factor, slugify.slugify('A b')]

@flow
def empty():
    return []

if __name__ == '__main__':
    print(daily())
";
    project
        .file("etl.py", script)
        .file("requirements.txt", "python-slugify>=8\n")
        .file("shop/__init__.py", "")
        .file("shop/prices.py", "def total():\n    return 21\n");
    project
}

#[test]
fn flows_run_in_the_image_and_are_deployed_to_it() {
    let project = project();
    project.spec(&format!(
        "flows = [\"etl.py\"]\nbase_image = \"{PREFECT3}\"\nrequirements = [\"requirements.txt\"]\n[storage.prices]\n"
    ));
    let said =
        project.flowstorage("build --push --format json --prefect-yaml prefect.yaml").ok().json();
    let storage = &said["storages"][0];
    let digest = storage["digest"].as_str().unwrap();
    let image = format!("{}/app@{digest}", project.namespace);
    let flows = storage["flows"].as_array().unwrap();
    let entrypoints: Vec<&Value> = flows.iter().map(|flow| &flow["entrypoint"]).collect();
    assert_eq!(
        entrypoints,
        ["/opt/prefect/prices/etl.py:daily", "/opt/prefect/prices/etl.py:empty"]
    );

    let program = "import json
from prefect.flows import load_flow_from_entrypoint
flow = load_flow_from_entrypoint('/opt/prefect/prices/etl.py:daily')
print(json.dumps([flow.name, flow()]))";
    let yaml = fs::read_to_string(project.folder().join("prefect.yaml")).unwrap();
    let given = json!({ "prefect_yaml": yaml, "program": program }).to_string();
    let run = ["run", "--rm", "--network", "none", &image, "python", "-c", PREFECT_3, &given];
    let said = project.docker(&run).ok().json();
    assert_eq!(said["result"], json!(["Daily prices", [42, "a-b"]]), "{said:#}");
    assert_eq!(said["states"], json!(["COMPLETED"]), "{said:#}");
    assert_eq!(said["code"], 0, "{said:#}");
    let mut deployments: Vec<Value> = said["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            json!([
                found["entrypoint"],
                found["work_pool_name"],
                found["job_variables"],
                found["pull_steps"]
            ])
        })
        .collect();
    deployments.sort_by_key(Value::to_string);
    let pull = json!([{ "prefect.deployments.steps.set_working_directory": { "directory": "/opt/prefect/prices" } }]);
    let wanted = ["etl.py:daily", "etl.py:empty"]
        .map(|entrypoint| json!([entrypoint, "pool", { "image": image }, pull]));
    assert_eq!(deployments, wanted);
}

#[test]
fn a_script_alone_whose_flows_do_not_load_stops_the_build() {
    let project = project();
    // These two name the base image.
    project.file(".python-version", "3.11\n");
    project.file("requirements.txt", "prefect==3.8.8\npython-slugify>=8\n");
    project.file("shop/prices.py", "import missing_library\n");
    let names = format!("--registry-url {} --image-name app --image-tag none", project.namespace);
    let said = project.flowstorage(&format!("build -f etl.py --push {names}")).ended(1);
    assert_eq!(said.out, "");
    assert!(said.err.contains(&format!("FROM docker.io/{PREFECT3}")), "{}", said.err);
    let verdict = said.verdict();
    let message = "ERROR: `etl.py` line 4: No module named `missing_library`";
    assert_eq!(verdict[0], message, "{verdict:#?}");
    let remedy = "hint: add the distribution to python_dependencies";
    assert!(verdict[1].starts_with(remedy), "{verdict:#?}");
    let image = format!("{}/app:none", project.namespace);
    assert_eq!(Reference::of(&image).tags(), Vec::<String>::new());
}
