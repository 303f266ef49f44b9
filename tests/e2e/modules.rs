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
