//! Variables of the one who builds: there while a flow is loaded, and nowhere afterwards.
//!
//! **Invariant:** what is searched for credentials is all that a build leaves.

use std::fs;
use std::path::Path;

use crate::support::{PREFECT, Project};

const WORD: &str = "hidden-word-of-the-test";

fn project(task: &str) -> Project {
    let mut project = Project::new();
    project.env("STAGE", "prod");
    project.env("WAREHOUSE_TOKEN", WORD);
    project.file(
        "flow.py",
        format!(
            "import os
from prefect import Flow, task
from prefect.storage import Docker

STAGE = os.environ['STAGE']
TOKEN = os.environ['WAREHOUSE_TOKEN']
LENGTH = len(TOKEN)

@task
def show():
    return {task}

with Flow('orders-' + STAGE) as flow:
    show()

flow.storage = Docker(
    registry_url='{}', base_image='{PREFECT}', image_tag=os.popen('git rev-parse HEAD').read(),
)
",
            project.namespace
        ),
    );
    project
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut pending = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push(fs::read(path).unwrap());
        }
    }
    assert!(found.len() > 5, "only {} files", found.len());
    found
}

fn holds_word(bytes: &[u8]) -> bool {
    bytes.windows(WORD.len()).any(|window| window == WORD.as_bytes())
}

#[test]
fn a_script_reads_them_in_the_build_and_nothing_keeps_a_credential() {
    let project = project("STAGE, LENGTH");
    let flag = "--file flow.py --image-tag v1";
    let said = project.flowstorage(&format!("build --push {flag}")).ok();
    let image = said.out.trim();
    assert!(image.starts_with(&format!("{}/orders-prod:v1@", project.namespace)), "{image}");
    let program = "import json
from prefect.storage import Docker
storage = Docker()
storage.flows['orders-prod'] = '/opt/prefect/flows/orders-prod.prefect'
state = storage.get_flow('orders-prod').run()
print('\\n' + json.dumps([task.result for task in state.result.values()]))";
    let run = project.docker(&["run", "--rm", image, "python", "-c", program]).ok();
    assert_eq!(run.out.lines().last(), Some(format!("[[\"prod\", {}]]", WORD.len()).as_str()));

    let plan = project.flowstorage(&format!("plan {flag}")).ok();
    project.flowstorage(&format!("plan {flag} --output ejected")).ok();
    let history = project.docker(&["history", "--no-trunc", image]).ok();
    let inspect = project.docker(&["image", "inspect", image]).ok();
    for text in [&said.err, &plan.out, &plan.err, &history.out, &inspect.out] {
        assert!(!holds_word(text.as_bytes()), "{text}");
    }
    assert!(files(&project.folder().join("ejected")).iter().all(|file| !holds_word(file)));
    let found = "import sys, os
word = sys.argv[1].encode()
for folder, _, names in os.walk('/'):
    if folder.startswith(('/proc', '/sys', '/dev')):
        continue
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and word in open(path, 'rb').read():
            print(path)";
    let run = project.docker(&["run", "--rm", image, "python", "-c", found, WORD]).ok();
    assert_eq!(run.out, "");
}

#[test]
fn a_flow_that_would_carry_a_credential_is_not_built() {
    let project = project("TOKEN");
    let said = project.flowstorage("build --file flow.py --image-tag v1").ended(1);
    assert!(!holds_word(said.err.as_bytes()), "{}", said.err);
    let verdict = said.verdict();
    assert_eq!(
        verdict,
        [
            "ERROR: flow `orders-prod` would hold the value of `WAREHOUSE_TOKEN`",
            "hint: read `WAREHOUSE_TOKEN` inside the task, and give it to the container that runs \
             the flow",
        ]
    );
}
