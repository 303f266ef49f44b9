//! A flow script alone as the spec.
//!
//! **Invariant:** the script is read, not run: what it computes is supplied or asked for.

use serde_json::json;
use snapbox::{IntoData, assert_data_eq, str};

use crate::support::registry::Reference;
use crate::support::{PREFECT, Project};

/// A script as a team on Prefect 1 has it; the call names neither registry nor tag.
fn script(rest: &str) -> String {
    format!(
        "import os
from pathlib import Path

from prefect import Flow, task
from prefect.storage import Docker

HERE = Path(__file__).parent
BASE = '{PREFECT}'
PACKAGES = ['six']

@task
def read():
    import six
    with open('/etc/etl/tables.csv') as file:
        return [file.read(), os.environ['STAGE'], six.__name__]

with Flow('From a script') as flow:
    read()

flow.storage = Docker(
    image_name='from-' + 'script',
    base_image=BASE,
    python_dependencies=PACKAGES + ['tomli'],
    files={{HERE / 'tables.csv': '/etc/etl/tables.csv'}},
    env_vars=dict(STAGE='test'),
    {rest}
)
flow.register('example')
"
    )
}

#[test]
fn a_script_is_read_and_built_as_it_is() {
    let project = Project::new();
    let rest = format!(
        "registry_url={:?}, image_tag=f'v{{1 + 1}}' if False else 'v1',",
        project.namespace
    );
    project.file("flows/etl.py", script(&rest)).file("flows/tables.csv", "a,b\n");
    let said = project.flowstorage("build -f flows/etl.py --push --format json").ok().json();
    let image = format!("{}/from-script:v1", project.namespace);
    assert_eq!(said["storages"][0]["reference"], json!(image), "{said:#}");
    let program = "import json
from prefect.storage import Docker
storage = Docker()
storage.flows['From a script'] = '/opt/prefect/flows/from-a-script.prefect'
flow = storage.get_flow('From a script')
state = flow.run()
print('\\n' + json.dumps(state.result[flow.get_tasks('read')[0]].result))";
    let run = project.docker(&["run", "--rm", &image, "python", "-c", program]).ok();
    assert_eq!(run.out.lines().last(), Some("[\"a,b\\n\", \"test\", \"six\"]"));
}

#[test]
fn what_a_script_computes_is_asked_for_once_and_supplied_from_outside() {
    let mut project = Project::new();
    let rest = "registry_url=os.environ['E2E_REGISTRY'],\n    \
                image_tag=datetime.now().strftime('%Y%m%d'),";
    let script = format!("from datetime import datetime\n{}", script(rest));
    project.file("etl.py", script).file("tables.csv", "a,b\n");
    let said = project.flowstorage("build -f etl.py --push").ended(2);
    assert_eq!(said.out, "");
    assert_data_eq!(
        said.err,
        str![[r"
etl.py:27: `registry_url` needs the environment variable `E2E_REGISTRY`, which is not set
    set it, or pass --registry-url
etl.py:28: `image_tag` is known only when the script runs: `datetime.now().strftime('%Y%m%d')`
    pass --image-tag
ERROR: 2 problems in the spec; nothing was built

"]]
        .raw()
    );

    // The script finds the variable in the image too, where it runs.
    let namespace = project.namespace.clone();
    project.env("E2E_REGISTRY", &namespace);
    let said = project.flowstorage("build -f etl.py --push --image-tag v7").ok();
    let image = format!("{namespace}/from-script:v7");
    assert_eq!(said.out, format!("{image}@{}\n", Reference::of(&image).digest().unwrap()));
}
