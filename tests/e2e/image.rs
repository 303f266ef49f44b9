//! What is in an image: what the spec says, byte for byte, and nothing else.
//!
//! **Invariant:** images are read from the inside or from the registry, never from our plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::registry::Reference;
use crate::support::{PYTHON, Project};

/// Prints the environment.
const ENVIRONMENT: &str = "import json, os; print(json.dumps(dict(os.environ)))";

fn json_spec(project: &Project, keys: &Value) {
    let mut spec = json!({
        "registry_url": project.namespace,
        "image_name": "app",
        "flows": ["flow.py"],
    });
    let spec_keys = spec.as_object_mut().unwrap();
    if keys.get("dockerfile").is_none() {
        spec_keys.insert("base_image".to_owned(), json!(PYTHON));
    }
    spec_keys.extend(keys.as_object().unwrap().clone());
    project.file("flow.py", "print()\n").file("flowstorage.json", spec.to_string());
}

fn pushed_from_json(project: &Project) -> String {
    project.flowstorage("build --push -f flowstorage.json").ok().out.trim().to_owned()
}

#[test]
fn variables_arrive_as_they_were_written() {
    let expanded = [
        ("GREETING", "hello $NAME", "hello flow"),
        ("BRACED", "${NAME}s", "flows"),
        ("UNSET", "[$NO_SUCH_VARIABLE]", "[]"),
        ("WITH_DEFAULT", "${NO_SUCH_VARIABLE:-some/where}", "some/where"),
        ("ESCAPED", "\\$NAME", "$NAME"),
    ];
    let literal = [
        ("EMPTY", ""),
        ("SPACES", "  two  spaces  "),
        ("DOUBLE", "say \"hi\""),
        ("SINGLE", "it's"),
        ("BACKSLASH", r"C:\new\table\ and \\ twice \"),
        ("LINES", "one\ntwo\n\n  three\n"),
        ("TAB", "a\tb"),
        ("FOREIGN", "naïve – 日本語 🐍"),
        ("PRICE", "5$ or $5 or $$"),
        ("COMMENT", "# not a comment"),
        ("TEMPLATE", "%{ if x }%{ endif }"),
        ("JSON", "{\"a\": [1, 'b']}"),
        ("DSN", "Driver={ODBC Driver 17 for SQL Server};PWD=p@ss;w=\"d"),
        ("BACKTICK", "`id` $(id)"),
    ];
    let mut variables: BTreeMap<&str, &str> = literal.into();
    variables.extend(expanded.map(|(name, value, _)| (name, value)));
    variables.insert("PATH", "/opt/tools:$PATH");
    let mut project = Project::new();
    // What is expanded is what the base sets, never what the user's shell has.
    project.env("NO_SUCH_VARIABLE", "of the user's shell");
    project.file("Dockerfile", format!("FROM {PYTHON}\nENV NAME=flow\n"));
    json_spec(&project, &json!({ "dockerfile": "Dockerfile", "env_vars": variables }));
    let image = pushed_from_json(&project);
    let found = project.python(&image, ENVIRONMENT);
    for (name, value) in literal.into_iter().chain(expanded.map(|(n, _, v)| (n, v))) {
        assert_eq!(found[name], value, "{name}");
    }
    assert!(found["PATH"].as_str().unwrap().starts_with("/opt/tools:/usr/local/"), "{found}");
}

/// Names that a shell, a Dockerfile, Go's patterns or HCL could take for something else.
const NAMES: [&str; 17] = [
    "a b.txt",
    " lead and trail ",
    "quo\"te",
    "it's",
    "$HOME",
    "${x}",
    "%{x}",
    "#hash",
    "[abc]",
    "*",
    "a?c",
    "back\\slash",
    "naïve-日本",
    "--from=x",
    "~",
    "!bang",
    "a,b;c&d|e>f",
];

/// Prints every file below the folder `/in` with its content.
const FILES: &str = "import json, os; print(json.dumps({os.path.relpath(os.path.join(folder, n), \
    '/in'): open(os.path.join(folder, n)).read() \
    for folder, _, names in os.walk('/in') for n in names}))";

#[test]
fn files_keep_their_names_wherever_they_go() {
    let project = Project::new();
    let mut files = BTreeMap::new();
    let mut wanted = BTreeMap::new();
    for name in NAMES {
        project.file(&format!("one/{name}"), name).file(&format!("{name} d/in/{name}"), name);
        // Into a folder, to a new name, and a folder's content into a folder.
        files.insert(format!("one/{name}"), format!("/in/into {name}/"));
        wanted.insert(format!("into {name}/{name}"), name);
        files.insert(format!("{name} d"), format!("/in/folder {name}"));
        wanted.insert(format!("folder {name}/in/{name}"), name);
    }
    // A decoy that a pattern would take along.
    project.file("one/abc", "decoy").file("one/a", "decoy");
    files.insert("one/$HOME ".to_owned(), "/in/renamed $HOME".to_owned());
    project.file("one/$HOME ", "renamed");
    wanted.insert("renamed $HOME".to_owned(), "renamed");
    json_spec(&project, &json!({ "files": files }));
    let image = pushed_from_json(&project);
    assert_eq!(project.python(&image, FILES), json!(wanted));
}

#[test]
fn dockerignore_keeps_files_out_of_image_and_context() {
    let project = Project::new();
    for path in ["conf/keep.ini", "conf/drop.log", "conf/sub/deep.log", "conf/.git/x"] {
        project.file(path, path);
    }
    project.file("ignore", "# logs\n**/*.log\n!conf/sub/deep.log\nconf/.git\n");
    json_spec(&project, &json!({ "files": { "conf": "/in" }, "dockerignore": "ignore" }));
    let image = pushed_from_json(&project);
    let wanted = json!({ "keep.ini": "conf/keep.ini", "sub/deep.log": "conf/sub/deep.log" });
    assert_eq!(project.python(&image, FILES), wanted);

    let plan = project.flowstorage("plan --format json -f flowstorage.json").ok().json();
    let context = plan["storages"][0]["context"].as_array().unwrap();
    let sent: Vec<&str> = context.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    let logs: Vec<_> = sent.iter().filter(|path| path.ends_with("drop.log")).collect();
    assert!(logs.is_empty(), "{logs:?}");
}

#[test]
fn modes_do_not_depend_on_the_users_umask() {
    let project = Project::new();
    project.file("conf/run.sh", "#!/bin/sh\n").file("conf/secret.ini", "");
    json_spec(&project, &json!({ "files": { "conf": "/in" } }));
    project.run("sh", &["-c", "chmod 700 conf/run.sh conf; chmod 600 conf/secret.ini"]).ok();
    let image = pushed_from_json(&project);
    let program = "import json, os; print(json.dumps({p: oct(os.stat(p).st_mode & 0o7777) \
        for p in ['/in', '/in/run.sh', '/in/secret.ini', '/opt/flows/flow.py']}))";
    let wanted = json!({
        "/in": "0o755", "/in/run.sh": "0o755", "/in/secret.ini": "0o644",
        "/opt/flows/flow.py": "0o644",
    });
    assert_eq!(project.python(&image, program), wanted);
}

#[test]
fn only_what_the_image_needs_travels() {
    let project = Project::new();
    let noise: Vec<u8> = (0..4_000_000_u32).flat_map(u32::to_le_bytes).collect();
    project.file("data/large.bin", noise).file("conf/x.ini", "");
    json_spec(&project, &json!({ "files": { "conf": "/in" } }));
    let said = project.flowstorage("build --push --progress rawjson -f flowstorage.json").ok();
    let statuses = |line: &str| -> Vec<Value> {
        let event: Value = serde_json::from_str(line).unwrap();
        event["statuses"].as_array().cloned().unwrap_or_default()
    };
    let transfers = said.err.lines().flat_map(statuses);
    let sent = transfers
        .filter(|status| status["id"] == "transferring context:")
        .map(|status| status["current"].as_u64().unwrap())
        .max()
        .expect("something travelled");
    assert!(sent < 200_000, "{sent} bytes");
}

/// What a build could leave behind, as `find` prints it.
const LEFTOVERS: &str = r"
set -e
ls -d /mnt/flowstorage /uv /wheels /tmp/* /root/.cache 2>/dev/null || true
find /var/lib/apt/lists /var/cache/apt /var/log/apt /var/cache/uv -type f 2>/dev/null || true
find / -xdev \( -name 'flowstorage*' -o -name 'check_environment*' -o -name 'flows.json' \) -not -path '/proc/*' -not -path '/sys/*'
command -v gcc cc uv pg_config || true
";

#[test]
fn a_compiled_dependency_leaves_no_compiler_and_no_cache() {
    let project = Project::new();
    json_spec(
        &project,
        &json!({
            "python_dependencies": ["psycopg2"],
            "system_packages": ["libpq5"],
            "build_packages": ["gcc", "libc6-dev", "libpq-dev", "python3-dev"],
        }),
    );
    let image = pushed_from_json(&project);
    project.docker(&["pull", "--quiet", PYTHON]).ok();
    let found =
        |image: &str| project.docker(&["run", "--rm", image, "sh", "-c", LEFTOVERS]).ok().out;
    // What the base has is the base's.
    assert_eq!(found(&image), found(PYTHON));

    let version = "import json, psycopg2; print(json.dumps(psycopg2.__version__[0]))";
    assert_eq!(project.python(&image, version), json!("2"));

    // The layers on top of the base hold the library, the package and the flow, and little else.
    let layers = Reference::of(&image).manifest()["layers"].as_array().unwrap().clone();
    let bytes: u64 = layers[1..].iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
    assert!(bytes < 12_000_000, "{bytes} bytes on top of the base: {layers:?}");
}

/// A builder that compares sizes and times would take the second script for the first.
#[test]
fn a_changed_file_of_the_same_size_is_sent() {
    let project = Project::new();
    for script in ["print('one')\n", "print('two')\n", "print('one')\n"] {
        project.plain("files = { \"conf\" = \"/in\" }\n");
        project.file("flow.py", script).file("conf/x.ini", script);
        let image = project.pushed();
        let run = project.docker(&["run", "--rm", &image, "python", "/opt/flows/flow.py"]).ok();
        assert_eq!(run.out, format!("{}\n", &script[7..10]));
        assert_eq!(project.python(&image, FILES), json!({ "x.ini": script }));
    }
}

#[test]
fn labels_say_what_is_inside() {
    let project = Project::new();
    json_spec(&project, &json!({ "image_labels": { "team": "data \"eng\" $5", "n": 1 } }));
    let image = pushed_from_json(&project);
    let config = Reference::of(&image).config();
    let labels = config["config"]["Labels"].as_object().unwrap();
    let wanted = json!({
        "team": "data \"eng\" $5",
        "n": "1",
        "flowstorage.flows": "{\"flow\":\"/opt/flows/flow.py\"}",
        "flowstorage.runtime": "python",
        "flowstorage.version": env!("CARGO_PKG_VERSION"),
    });
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(labels.get(name), Some(value), "{name}");
    }
}
