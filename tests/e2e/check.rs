//! Images that must not come to be: the check names the cause in a line.
//!
//! **Invariant:** after a failed check there is no tag in the registry and no image in the engine.

use crate::support::registry::Reference;
use crate::support::{PREFECT, PYTHON, Project, Said};

#[track_caller]
fn fails(project: &Project, verdict: &[&str]) -> Said {
    let said = project.flowstorage("build --push").ended(1);
    assert_eq!(said.verdict(), verdict, "{}", said.err);
    assert_eq!(said.out, "");
    nothing_was_made(project);
    said
}

#[track_caller]
fn nothing_was_made(project: &Project) {
    let image = format!("{}/app:none", project.namespace);
    assert_eq!(Reference::of(&image).tags(), Vec::<String>::new());
    let filter = format!("reference={}/*", project.namespace);
    assert_eq!(project.docker(&["image", "ls", "-q", "--filter", &filter]).ok().out, "");
}

fn with_flow(script: &str, rest: &str) -> Project {
    let project = Project::new();
    project.file("flow.py", script);
    project.spec(&format!("flows = [\"flow.py\"]\n{rest}"));
    project
}

#[test]
fn a_python_of_another_version() {
    let project = Project::new();
    project.plain("python_version = \"3.12\"\n");
    let said = project.flowstorage("build --push").ended(1);
    let [error, hint] = said.verdict()[..] else { panic!("{}", said.err) };
    // The base's patch release is the engine's business.
    let found = error.strip_prefix("ERROR: the image has Python 3.11.").expect(error);
    assert!(found.ends_with(", the spec says 3.12"), "{error}");
    let remedy = "take a base_image with Python 3.12, or set python_version to `3.11`";
    assert_eq!(hint, format!("hint: {remedy}"));
    nothing_was_made(&project);
    project.plain("python_version = \"3.11\"\n");
    project.flowstorage("build --push").ok();
}

#[test]
fn a_flow_that_the_script_does_not_make() {
    let project = Project::new();
    project.file("flow.py", "from prefect import Flow\nwith Flow('real') as flow:\n    pass\n");
    project.spec(&format!("base_image = \"{PREFECT}\"\nflows = {{ imagined = \"flow.py\" }}\n"));
    fails(
        &project,
        &[
            "ERROR: flow `imagined` is not in `flow.py`; it has `real`",
            "hint: name one of its flows, or create the flow outside of `if __name__ == \"__main__\"`",
        ],
    );
}

#[test]
fn a_library_that_is_missing_and_three_ways_out() {
    let project = Project::new();
    let dependency = "infer_system_packages = false\npython_dependencies = [\"python-magic\"]\n";
    project.plain(dependency);
    fails(
        &project,
        &[
            "ERROR: `libmagic`, which `python-magic` opens, cannot be loaded: libmagic.so.1: cannot open shared object file",
            "hint: add `libmagic1` to `system_packages`",
        ],
    );
    for cure in [
        "system_packages = [\"libmagic1\"]\n",
        "import_check_exclude = [\"Python_Magic\"]\n",
        "ignore_healthchecks = true\n",
    ] {
        project.plain(&format!("{dependency}{cure}"));
        project.flowstorage("build --push").ok();
    }
}

#[test]
fn dependencies_that_do_not_fit() {
    let project = Project::new();
    project.plain("python_dependencies = [\"requests==2.31.0\", \"urllib3==2.9999\"]\n");
    let said = project.flowstorage("build --push").ended(1);
    assert!(!said.verdict().is_empty());
    nothing_was_made(&project);
}

#[test]
fn a_conflict_that_the_base_had_is_a_warning_and_a_new_one_is_none() {
    let project = Project::new();
    let old = "RUN pip install --no-deps --no-cache-dir requests==2.31.0 certifi";
    // Of a step that is cached, nothing is told again: the namespace makes this one new.
    let new = format!("ENV E2E={}", project.namespace);
    project.file("Dockerfile", format!("FROM {PYTHON}\n{old}\n{new}\n"));
    project.file("flow.py", "print()\n");
    let spec =
        "flows = [\"flow.py\"]\ndockerfile = \"Dockerfile\"\npython_dependencies = [\"six\"]\n";
    project.spec(spec);
    let said = project.flowstorage("build --push").ok();
    let warnings = said.err.lines().filter(|line| line.contains("so it was in the base image"));
    assert!(warnings.count() > 0, "{}", said.err);

    project.spec(&format!(
        "{spec}extra_dockerfile_commands = [\"RUN pip install --no-deps --no-cache-dir aiosignal==1.3.1\"]\nimage_tag = \"new\"\n"
    ));
    let said = project.flowstorage("build --push").ended(1);
    let wanted = [
        "ERROR: the package `aiosignal` requires `frozenlist>=1.1.0`, but it's not installed",
        "hint: change python_dependencies so that both requirements are met",
    ];
    assert_eq!(said.verdict(), wanted, "{}", said.err);
    assert_eq!(Reference::of(&format!("{}/app:new", project.namespace)).digest(), None);
}

#[test]
fn a_helper_that_is_broken_or_was_forgotten() {
    let project = with_flow(
        "import helper\n",
        &format!("base_image = \"{PYTHON}\"\nenv_vars = {{ PYTHONPATH = \"/modules\" }}\n"),
    );
    fails(
        &project,
        &[
            "ERROR: `flow.py` line 1: No module named `helper`",
            "hint: add the distribution to python_dependencies, or a local module to modules",
        ],
    );
    let spec = std::fs::read_to_string(project.folder().join("flowstorage.toml")).unwrap();
    project.file("modules/helper.py", "import nothing_of_this_name\n");
    project.file("flowstorage.toml", spec + "files = { modules = \"/modules\" }\n");
    fails(
        &project,
        &[
            "ERROR: importing `helper` failed: No module named `nothing_of_this_name`",
            "hint: add the distribution to python_dependencies, or a local module to modules",
        ],
    );
}

#[test]
fn a_script_that_raises_at_import() {
    let project =
        with_flow("import os\n\nos.environ['NO_SUCH']\n", &format!("base_image = \"{PYTHON}\"\n"));
    fails(
        &project,
        &[
            "ERROR: `flow.py` line 3: KeyError: 'NO_SUCH'",
            "hint: set `NO_SUCH` where you build, or in env_vars if it is no credential",
        ],
    );

    let project = with_flow(
        "from prefect import Flow\n\nwith Flow('x') as flow:\n    pass\n\nraise ValueError('no\\nway')\n",
        &format!("base_image = \"{PREFECT}\"\n"),
    );
    fails(&project, &["ERROR: `flow.py` line 6: ValueError: no"]);
}

#[test]
fn warnings_of_prefect_are_warnings() {
    let project = Project::new();
    // Of a step that is cached, nothing is told again: the comment makes this one new.
    let script = format!(
        "# {}\nimport datetime\nfrom prefect import Flow, task\n\n\
         @task(checkpoint=False)\ndef one():\n    return 1\n\n\
         @task(max_retries=2, retry_delay=datetime.timedelta(seconds=1))\ndef two(x):\n    return x\n\n\
         with Flow('warned') as flow:\n    two(one())\n",
        project.namespace
    );
    project.file("flow.py", script);
    project.spec(&format!("flows = [\"flow.py\"]\nbase_image = \"{PREFECT}\"\n"));
    let said = project.flowstorage("build --push").ok();
    // After the step's number and the time.
    let texts = said.err.lines().filter_map(|line| line.splitn(3, ' ').nth(2));
    let warnings: Vec<&str> = texts.filter_map(|text| text.strip_prefix("warning: ")).collect();
    let wanted = "Task <Task: two> has retry settings but some upstream dependencies do not have \
                  result types.";
    assert_eq!(warnings, [wanted], "{}", said.err);
}
