//! Flows in their image: where their runner looks for them, and running.
//!
//! **Invariant:** they are loaded by Prefect's own loader in a container of the pushed image.

use serde_json::{Value, json};

use crate::support::{PREFECT, PYTHON, Project};

/// Loads every flow through `prefect.storage.Docker` and runs it; prints what came of it.
fn run_all(project: &Project, image: &str, locations: &Value, as_script: bool) -> Value {
    let program = format!(
        "import json
from prefect.storage import Docker
locations = json.loads({:?})
found = {{}}
for name, location in locations.items():
    storage = Docker(stored_as_script={}, path=location)
    storage.flows[name] = location
    flow = storage.get_flow(name)
    state = flow.run()
    results = [state.result[task].result for task in flow.sorted_tasks()]
    found[name] = [flow.name, state.is_successful(), results]
print('\\n' + json.dumps(found))",
        locations.to_string(),
        if as_script { "True" } else { "False" },
    );
    let run = project.docker(&["run", "--rm", image, "python", "-c", &program]).ok();
    serde_json::from_str(run.out.lines().last().unwrap()).unwrap()
}

#[test]
fn flows_of_one_script_load_and_run_where_prefect_looks() {
    let project = Project::new();
    let script = "
from prefect import Flow, task

@task
def double(x):
    return 2 * x

with Flow('First Flow, naïve') as first:
    double(4)

with Flow('second') as second:
    double(5)

first.register(project_name='none such')
second.run()
";
    project
        .file("flow.py", script)
        .spec(&format!("flows = [\"flow.py\"]\nbase_image = \"{PREFECT}\"\nimage_tag = \"v1\"\n"));
    let report = project.flowstorage("build --push --format json").ok().json();
    let flows = report["storages"][0]["flows"].as_array().unwrap();
    let locations: serde_json::Map<String, Value> = flows
        .iter()
        .map(|flow| (flow["name"].as_str().unwrap().to_owned(), flow["location"].clone()))
        .collect();
    let wanted = json!({
        "First Flow, naïve": "/opt/prefect/flows/first-flow-naive.prefect",
        "second": "/opt/prefect/flows/second.prefect",
    });
    assert_eq!(json!(locations), wanted);

    let image = format!("{}/app:v1", project.namespace);
    let ran = run_all(&project, &image, &wanted, false);
    let wanted = json!({
        "First Flow, naïve": ["First Flow, naïve", true, [8]],
        "second": ["second", true, [10]],
    });
    assert_eq!(ran, wanted);
}

#[test]
fn what_a_script_does_at_its_end_does_nothing_while_it_is_loaded() {
    let project = Project::new();
    // A server that answers nobody: whatever asked it would fail or hang.
    let script = "
from prefect import Flow, task
from prefect.executors import LocalDaskExecutor

@task
def leave_a_trace():
    open('/trace', 'w').close()

with Flow('inert', executor=LocalDaskExecutor()) as flow:
    leave_a_trace()

flow.run()
flow.register('project')

if __name__ == '__main__':
    raise SystemExit('run as a program')
";
    project.file("flow.py", script).spec(&format!(
        "flows = [\"flow.py\"]\nbase_image = \"{PREFECT}\"\n\
         env_vars = {{ PREFECT__CLOUD__API = \"http://127.0.0.1:9\" }}\n"
    ));
    let image = project.pushed();
    let trace = "import json, os; print(json.dumps(os.path.exists('/trace')))";
    assert_eq!(project.python(&image, trace), json!(false));
}

#[test]
fn scripts_are_stored_as_scripts_where_asked() {
    let project = Project::new();
    let script = "
from prefect import Flow, task

@task
def one():
    return 1

with Flow('kept as script') as flow:
    one()
";
    for (key, location) in
        [("", "/opt/prefect/flows/flow.py"), ("path = \"/srv/my flow.py\"\n", "/srv/my flow.py")]
    {
        project.file("flow.py", script).spec(&format!(
            "flows = [\"flow.py\"]\nbase_image = \"{PREFECT}\"\nstored_as_script = true\n{key}"
        ));
        let image = project.pushed();
        let locations = json!({ "kept as script": location });
        let ran = run_all(&project, &image, &locations, true);
        assert_eq!(ran, json!({ "kept as script": ["kept as script", true, [1]] }), "{location}");
        let read = format!("import json; print(json.dumps(open({location:?}).read()))");
        assert_eq!(project.python(&image, &read), json!(script));
    }
}

#[test]
fn prefects_folder_goes_where_the_spec_says() {
    let project = Project::new();
    project
        .file("etl.py", "from prefect import Flow\nwith Flow('etl') as flow:\n    pass\n")
        .spec(&format!(
            "flows = [\"etl.py\"]\nbase_image = \"{PREFECT}\"\nprefect_directory = \"/srv/prefect\"\n"
        ));
    let image = project.pushed();
    let locations = json!({ "etl": "/srv/prefect/flows/etl.prefect" });
    assert_eq!(run_all(&project, &image, &locations, false), json!({ "etl": ["etl", true, []] }));
    let variable = "import json, os; print(json.dumps(os.environ['PREFECT__USER_CONFIG_PATH']))";
    assert_eq!(project.python(&image, variable), json!("/srv/prefect/config.toml"));
}

#[test]
fn a_plain_script_is_copied_and_runs_as_it_is() {
    let project = Project::new();
    let script = "import sys\nimport helper\n\nif __name__ == '__main__':\n    print(helper.answer() + len(sys.argv))\n";
    project
        .file("job one.py", script)
        .file("lib/helper.py", "def answer():\n    return 41\n")
        .spec(&format!(
            "flows = [\"job one.py\"]\nbase_image = \"{PYTHON}\"\n\
             files = {{ \"lib/helper.py\" = \"/opt/flows/helper.py\" }}\n"
        ));
    let image = project.pushed();
    let run = project.docker(&["run", "--rm", &image, "python", "/opt/flows/job one.py"]).ok();
    assert_eq!(run.out, "42\n");
}

#[test]
fn prefect_is_installed_where_a_base_lacks_it() {
    let project = Project::new();
    project.file("etl.py", "from prefect import Flow\nwith Flow('etl') as flow:\n    pass\n").spec(
        "flows = [\"etl.py\"]\npython_version = \"3.11\"\nbuild_packages = [\"python3-dev\"]\n",
    );
    let image = project.pushed();
    let locations = json!({ "etl": "/opt/prefect/flows/etl.prefect" });
    assert_eq!(run_all(&project, &image, &locations, false), json!({ "etl": ["etl", true, []] }));
}
