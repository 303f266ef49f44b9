//! Lock files: exactly what they say is installed, by its hash, and in a layer that stays cached.
//!
//! The locks are real ones of `uv lock` and `poetry lock` for small pure packages.

use serde_json::json;

use crate::support::Project;

const PROJECT: &str = r#"[project]
name = "etl"
version = "0.1.0"
requires-python = ">=3.9"
dependencies = ["humanize>=4", "six; sys_platform == 'linux'"]

[dependency-groups]
dev = ["iniconfig"]
"#;

const UV_LOCK: &str = include_str!("../fixtures/locks/e2e/uv.lock");
const POETRY_LOCK: &str = include_str!("../fixtures/locks/e2e/poetry.lock");
const PYLOCK: &str = include_str!("../fixtures/locks/e2e/pylock.toml");

const VERSIONS: &str = "import json\nfrom importlib.metadata import distributions\n\
    names = ('humanize', 'six', 'iniconfig', 'etl')\n\
    found = {d.metadata['Name']: d.version for d in distributions()}\n\
    print(json.dumps({n: found[n] for n in names if n in found}))";

/// The lock of a fixture, with the index that everyone has.
fn everyones(lock: &str) -> String {
    lock.replace("//pypi.example.org/", &format!("//{}/", ["pypi", "org"].join(".")))
}

fn locked(name: &str, text: &str) -> Project {
    let project = Project::new();
    project.plain(&format!("requirements = [\"{name}\"]\n"));
    project.file("flow.py", "import humanize\nprint(humanize.naturalsize(10**6))\n");
    project.file("pyproject.toml", PROJECT).file(name, everyones(text));
    project
}

/// Steps of the build and how many of them were cached.
fn built(project: &Project) -> (u64, u64, String) {
    let said = project.flowstorage("build --push --format json").ok().json();
    let storage = &said["storages"][0];
    let number = |key: &str| storage[key].as_u64().expect("a number");
    let digest = storage["digest"].as_str().expect("a digest").to_owned();
    (number("steps"), number("cached_steps"), digest)
}

#[test]
fn what_is_locked_is_installed_and_its_layer_stays_cached() {
    let project = locked("uv.lock", UV_LOCK);
    let image = project.pushed();
    // Old versions, which nobody would choose without a lock.
    let wanted = json!({ "humanize": "4.9.0", "six": "1.16.0" });
    assert_eq!(project.python(&image, VERSIONS), wanted);

    let (steps, cached, digest) = built(&project);
    assert_eq!(cached, steps, "nothing changed");
    let bumped = UV_LOCK.replace("version = \"0.1.0\"", "version = \"0.2.0\"");
    assert_ne!(bumped, UV_LOCK);
    project.file("uv.lock", everyones(&format!("# a comment\n{bumped}")));
    project.file("pyproject.toml", PROJECT.replace("0.1.0", "0.2.0") + "# a comment\n");
    assert_eq!(built(&project), (steps, cached, digest));
}

#[test]
fn a_file_of_another_hash_is_refused() {
    let files: Vec<&str> = UV_LOCK.split("/humanize-4.9.0").skip(1).collect();
    assert_eq!(files.len(), 2, "a wheel and a source");
    let mut lock = UV_LOCK.to_owned();
    for file in files {
        let hash = file.split("sha256:").nth(1).and_then(|rest| rest.get(..64)).expect("a hash");
        lock = lock.replace(hash, &"0".repeat(64));
    }
    let project = locked("uv.lock", &lock);
    let said = project.flowstorage("build --push").ended(1);
    assert!(said.err.contains("Hash mismatch for `humanize==4.9.0`"), "{}", said.err);
}

#[test]
fn locks_of_poetry_and_of_pep_751_build_too() {
    for (name, text) in [("poetry.lock", POETRY_LOCK), ("pylock.toml", PYLOCK)] {
        let project = locked(name, text);
        if name == "poetry.lock" {
            let own = "[tool.poetry]\nname = \"etl\"\nversion = \"0.1.0\"\n\
                       [tool.poetry.dependencies]\npython = \"^3.9\"\nhumanize = \"^4\"\n\
                       six = { version = \"*\", platform = \"linux\" }\n";
            project.file("pyproject.toml", own);
        }
        let image = project.pushed();
        let wanted = json!({ "humanize": "4.9.0", "six": "1.16.0" });
        assert_eq!(project.python(&image, VERSIONS), wanted, "{name}");
    }
}

/// The wheel that is built here has a hash that no lock knows.
#[test]
fn what_is_compiled_of_a_lock_is_held_to_the_hash_of_what_was_built() {
    let project = locked("uv.lock", UV_LOCK);
    project.plain(
        "requirements = [\"uv.lock\"]\npython_dependencies = [\"--no-binary=six\"]\n\
         build_packages = [\"gcc\"]\n",
    );
    let image = project.pushed();
    let wanted = json!({ "humanize": "4.9.0", "six": "1.16.0" });
    assert_eq!(project.python(&image, VERSIONS), wanted);
    let plan = project.flowstorage("plan").ok().out;
    assert_eq!(plan.matches("--require-hashes").count(), 2, "{plan}");
}

/// Nothing in the plan says that there will be psycopg2, which has no wheel; its linker did.
#[test]
fn the_package_of_a_linked_library_is_added_and_said() {
    let project = Project::new();
    // A step that is cached says nothing: this one is of this test alone.
    let own = &project.namespace;
    project.plain(&format!(
        "python_dependencies = [\"pgcopy==1.6.0\"]\n\
         build_packages = [\"gcc\", \"libc6-dev\", \"libpq-dev\", \"python3-dev\"]\n\
         env_vars = {{ OWN = \"{own}\" }}\n"
    ));
    let said = project.flowstorage("build --push --progress plain").ok();
    let wanted = "warning: `libpq5` was added: `psycopg2` was compiled against its libpq.so.5";
    assert_eq!(said.err.matches(wanted).count(), 1, "{}", said.err);
    let image = said.out.trim();
    let loads = "import json, psycopg2; print(json.dumps(psycopg2.__version__[0]))";
    assert_eq!(project.python(image, loads), json!("2"));
}

#[test]
fn a_member_of_a_workspace_is_built_and_installed_beside_what_is_locked() {
    let project = Project::new();
    project.plain("requirements = [\"uv.lock\"]\n");
    for (name, text) in [
        ("flow.py", include_str!("../fixtures/plan/workspace/etl.py")),
        ("pyproject.toml", include_str!("../fixtures/plan/workspace/pyproject.toml")),
        ("uv.lock", include_str!("../fixtures/plan/workspace/uv.lock")),
        (
            "packages/helper/pyproject.toml",
            include_str!("../fixtures/plan/workspace/packages/helper/pyproject.toml"),
        ),
        (
            "packages/helper/helper/__init__.py",
            include_str!("../fixtures/plan/workspace/packages/helper/helper/__init__.py"),
        ),
    ] {
        project.file(name, everyones(text));
    }
    let image = project.pushed();
    let program = "import json\nfrom importlib.metadata import version\n\
        print(json.dumps({n: version(n) for n in ['helper', 'six', 'iniconfig']}))";
    let wanted = json!({ "helper": "1.0", "six": "1.17.0", "iniconfig": "2.3.1" });
    assert_eq!(project.python(&image, program), wanted);
}
