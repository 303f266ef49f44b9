//! Local modules that a flow imports: in the image without a word in the spec.
//!
//! **Invariant:** importable from any working folder, and nothing else of the project is there.

use serde_json::json;

use crate::support::{PREFECT, Project};

#[test]
fn local_modules_travel_by_themselves() {
    let project = Project::new();
    let script = "
import importlib
from prefect import Flow, task
from shop import prices

@task
def total():
    import late
    return [prices.total(), late.ANSWER, importlib.import_module('by_name').WORD]

with Flow('modules') as flow:
    total()
";
    let prices = "
from pathlib import Path
from .tables import COLUMN

def total():
    rows = (Path(__file__).parent / 'data/prices.csv').read_text().splitlines()
    return sum(int(row.split(',')[COLUMN]) for row in rows)
";
    project
        .file("pyproject.toml", "[project]\nname = \"example\"\nversion = \"1\"\n")
        .file("flows/etl.py", script)
        .file("flows/late.py", "import json\nANSWER = 42\n")
        .file("flows/by_name.py", "WORD = 'found'\n")
        .file("flows/unused.py", "raise SystemExit('not to be imported')\n")
        .file("src/shop/__init__.py", "")
        .file("src/shop/prices.py", prices)
        .file("src/shop/tables.py", "COLUMN = 1\n")
        .file("src/shop/data/prices.csv", "a,40\nb,2\n")
        .file("src/other/__init__.py", "")
        .spec(&format!("flows = [\"flows/etl.py\"]\nbase_image = \"{PREFECT}\"\n"));
    let image = project.pushed();
    let program = "import importlib.util, json
from prefect.storage import Docker
storage = Docker()
storage.flows['modules'] = '/opt/prefect/flows/modules.prefect'
flow = storage.get_flow('modules')
state = flow.run()
absent = [name for name in ('unused', 'other') if importlib.util.find_spec(name) is None]
print('\\n' + json.dumps([state.result[flow.get_tasks('total')[0]].result, absent]))";
    for folder in ["/", "/tmp"] {
        let run = ["run", "--rm", "--workdir", folder, &image, "python", "-c", program];
        let said = project.docker(&run).ok();
        let found: serde_json::Value =
            serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
        assert_eq!(found, json!([[42, 42, "found"], ["unused", "other"]]), "{folder}");
    }
}

/// At its module level and in its tasks, a serialised flow opens what lay beside its script.
#[test]
fn a_script_opens_what_lies_beside_it_in_the_build_and_in_the_run() {
    let project = Project::new();
    project.file("conf/rates.json", "{\"de\": 5}").file(
        "flow.py",
        format!(
            "import json
from pathlib import Path
from prefect import Flow, task
from prefect.storage import Docker

RATES = Path(__file__).parent / 'conf' / 'rates.json'
KNOWN = json.loads(RATES.read_text())

@task
def rate():
    return [KNOWN['de'], json.loads(RATES.read_text())['de']]

with Flow('rates') as flow:
    rate()

flow.storage = Docker(registry_url='{}', base_image='{PREFECT}')
",
            project.namespace
        ),
    );
    let source = std::fs::read_to_string(project.folder().join("flow.py")).unwrap();
    for (as_script, file) in [("False", "rates.prefect"), ("True", "flow.py")] {
        let argument = format!("stored_as_script={as_script}, registry_url=");
        project.file("flow.py", source.replace("registry_url=", &argument));
        let said = project.flowstorage("build --push --file flow.py").ok();
        let program = format!(
            "import json
from prefect.storage import Docker
storage = Docker(stored_as_script={as_script}, path='/opt/prefect/flows/{file}')
storage.flows['rates'] = '/opt/prefect/flows/{file}'
state = storage.get_flow('rates').run()
print('\\n' + json.dumps([task.result for task in state.result.values()]))"
        );
        let run = ["run", "--rm", "--workdir", "/", said.out.trim(), "python", "-c", &program];
        let run = project.docker(&run).ok();
        assert_eq!(run.out.lines().last(), Some("[[5, 5]]"), "{as_script}");
    }
}
