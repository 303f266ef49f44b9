//! Debian packages that nobody names: worked out before the build, and right in the image.
//!
//! **Invariant:** no spec here names a Debian package.

use serde_json::{Value, json};

use crate::support::{PYTHON, Project};

/// Whether Debian packages and programs are in an image.
const STATE: &str = "import json, shutil, subprocess\n\
    names = {names}\n\
    listed = subprocess.run(['dpkg-query', '-W', '-f', '${Package}\\\\n'], stdout=subprocess.PIPE)\n\
    installed = listed.stdout.decode().split()\n\
    print(json.dumps({n: n in installed or bool(shutil.which(n)) for n in names}))";

fn state(project: &Project, image: &str, names: &[&str]) -> Value {
    project.python(image, &STATE.replace("{names}", &format!("{names:?}")))
}

/// Names and phases of the packages in a plan.
fn planned(project: &Project) -> Vec<(String, String)> {
    let plan = project.flowstorage("plan --format json").ok().json();
    let packages = plan["storages"][0]["system_packages"].as_array().expect("a list").clone();
    let text = |package: &Value, key: &str| package[key].as_str().expect("a text").to_owned();
    packages.iter().map(|package| (text(package, "name"), text(package, "phase"))).collect()
}

#[test]
fn what_is_compiled_and_what_is_linked_come_with_the_name_of_a_dependency() {
    let project = Project::new();
    project.plain("python_dependencies = [\"psycopg2==2.9.10\", \"python-magic\"]\n");
    project.file("flow.py", "import magic, psycopg2\nprint(psycopg2.__libpq_version__)\n");
    let pair = |name: &str, phase: &str| (name.to_owned(), phase.to_owned());
    assert_eq!(
        planned(&project),
        [
            pair("libpq5", "run"),
            pair("libmagic1", "run"),
            pair("gcc", "build"),
            pair("libc6-dev", "build"),
            pair("libpq-dev", "build"),
            pair("python3-dev", "build"),
        ]
    );
    let image = project.pushed();
    assert_eq!(
        state(&project, &image, &["libpq5", "libmagic1", "gcc", "libpq-dev", "python3-dev"]),
        json!({
            "libpq5": true, "libmagic1": true,
            "gcc": false, "libpq-dev": false, "python3-dev": false,
        })
    );

    // Switched off, nothing is there to compile with.
    project.plain("python_dependencies = [\"psycopg2==2.9.10\"]\ninfer_system_packages = false\n");
    assert_eq!(planned(&project), []);
    project.flowstorage("build --push").ended(1);
}

#[test]
fn programs_of_the_code_and_the_external_table_bring_their_packages() {
    let project = Project::new();
    project.plain("exclude_system_packages = [\"rsync\"]\nrequired_commands = [\"tree\"]\n");
    project
        .file("helpers.py", "import os\n\ndef run(x):\n    os.system(f'jq . {x} | rsync a b')\n");
    project.file("flow.py", "import helpers\nprint('ran')\n");
    project.file(
        "pyproject.toml",
        "[project]\nname = 'x'\n[external]\ndependencies = ['dep:generic/zstd']\n",
    );
    let image = project.pushed();
    assert_eq!(
        state(&project, &image, &["jq", "rsync", "tree"]),
        json!({ "jq": true, "rsync": false, "tree": true })
    );
}

#[test]
fn a_base_without_apt_is_told_what_it_should_have() {
    let project = Project::new();
    let base = format!("{}/base:1", project.namespace);
    // A base that no other run had: a cached step says nothing.
    let dockerfile = format!("FROM {PYTHON}\nRUN rm /usr/bin/apt-get\nENV OF={base}\n");
    project.file("base/Dockerfile", dockerfile);
    project.docker(&["buildx", "build", "--push", "--tag", &base, "base"]).ok();
    project.file("flow.py", "print('ran')\n");
    project.spec(&format!(
        "flows = [\"flow.py\"]\nbase_image = \"{base}\"\nrequired_commands = [\"jq\"]\n\
         ignore_healthchecks = true\n"
    ));
    let said = project.flowstorage("build --push --progress plain").ok();
    let told: Vec<&str> =
        said.err.lines().filter(|line| line.contains("the base has no apt")).collect();
    assert_eq!(told.len(), 1, "{}", said.err);
}

#[test]
fn a_base_that_is_known_to_be_no_debian_is_named_before_the_build() {
    let project = Project::new();
    project.file("flow.py", "print('ran')\n");
    project.spec(
        "flows = [\"flow.py\"]\nbase_image = \"python:3.12-alpine\"\n\
         python_dependencies = [\"psycopg2\"]\n",
    );
    let said = project.flowstorage("plan --format json").ok();
    let warning: Vec<&str> = said.err.lines().collect();
    assert_eq!(
        warning.first().copied(),
        Some(
            "WARNING: flowstorage.toml:4: `python:3.12-alpine` is Alpine Linux, not Debian: \
             what is needed is not installed by us"
        )
    );
    assert_eq!(said.json()["storages"][0]["system_packages"], json!([]));
}
