//! A Dockerfile of the user's own: honoured whole.
//!
//! **Invariant:** each is one that plain `docker build` takes.

use serde_json::json;

use crate::support::{PREFECT, PYTHON, Project};

/// The example of Prefect's documentation for images with dependencies of their own: a Dockerfile,
/// Python packages, files and variables.
#[test]
fn the_documented_example_builds_and_runs() {
    let project = Project::new();
    project
        .file(
            "docker/Dockerfile",
            format!(
                "FROM {PREFECT}\n\n\
                 # install some base utilities\n\
                 RUN apt update && apt install -y unixodbc && rm -rf /var/lib/apt/lists/*\n\
                 RUN pip install --no-cache-dir six\n\n\
                 # Changes to the OpenSSL configuration\n\
                 COPY openssl.cnf /etc/ssl/openssl.cnf\n\
                 WORKDIR /modules\n"
            ),
        )
        .file("docker/openssl.cnf", "# from the Dockerfile's folder\n")
        .file("modules/my_etl.py", "def total(rows):\n    return sum(rows)\n")
        .file("odbc.ini", "[warehouse]\nDriver=SQLite3\n")
        .file(
            "flow.py",
            "import os\n\
             from prefect import Flow, task\n\
             from my_etl import total\n\n\
             @task\n\
             def extract():\n    return [1, 2, int(os.environ['THIRD'])]\n\n\
             @task\n\
             def load(rows):\n    return total(rows)\n\n\
             with Flow('documented example') as flow:\n    load(extract())\n",
        )
        .spec(
            "flows = [\"flow.py\"]\n\
             dockerfile = \"docker/Dockerfile\"\n\
             python_dependencies = [\"python-slugify\"]\n\
             [env_vars]\n\
             PYTHONPATH = \"$PYTHONPATH:/modules\"\n\
             THIRD = \"39\"\n\
             [files]\n\
             \"odbc.ini\" = \"/etc/odbc.ini\"\n\
             modules = \"/modules\"\n",
        );
    let image = project.pushed();
    let program = "import json, shutil, slugify, six
from prefect.storage import Docker
storage = Docker()
storage.flows['documented example'] = '/opt/prefect/flows/documented-example.prefect'
flow = storage.get_flow('documented example')
state = flow.run()
print('\\n' + json.dumps([state.is_successful(), state.result[flow.get_tasks('load')[0]].result,
    open('/etc/ssl/openssl.cnf').read(), open('/etc/odbc.ini').read(),
    shutil.which('odbcinst') is not None]))";
    let run = project.docker(&["run", "--rm", &image, "python", "-c", program]).ok();
    let result: serde_json::Value = serde_json::from_str(run.out.lines().last().unwrap()).unwrap();
    let wanted = json!([
        true,
        42,
        "# from the Dockerfile's folder\n",
        "[warehouse]\nDriver=SQLite3\n",
        false
    ]);
    assert_eq!(result, wanted);
}

/// Prints a file, the user and the folder that a container starts in.
const STATE: &str = "import json, os, pwd; \
    print(json.dumps([open('/made').read(), pwd.getpwuid(os.getuid()).pw_name, os.getcwd()]))";

#[test]
fn every_form_of_dockerfile_is_taken() {
    let cases = [
        ("plain", "FROM BASE\nRUN echo plain >/made\n", json!(["plain\n", "root", "/"])),
        (
            "stages, arguments and a user",
            "ARG VERSION=3.11\nFROM BASE AS maker\nARG WORD=two\nRUN echo $WORD >/made\n\
             FROM BASE\nCOPY --from=maker /made /made\nRUN useradd worker\nUSER worker\nWORKDIR /srv\n",
            json!(["two\n", "worker", "/srv"]),
        ),
        (
            "a last stage that is named as ours would be",
            "FROM BASE AS app\nRUN echo app >/made\nFROM app AS base\n",
            json!(["app\n", "root", "/"]),
        ),
        (
            "another escape character",
            "# escape=`\nFROM BASE\nRUN echo one `\n  two >/made\nENV P=C:\\new\n",
            json!(["one two\n", "root", "/"]),
        ),
        (
            "here-documents",
            "# syntax-less\nFROM BASE\nRUN <<EOF\nprintf 'FROM x\\nUSER y\\n' >/made\nEOF\n\
             COPY <<\"END\" /other\nFROM nothing $HOME\nEND\n\
             COPY <<-ONE <<-TWO /dir/\n\tUSER a\n\tONE\n\tUSER b\n\tTWO\n",
            json!(["FROM x\nUSER y\n", "root", "/"]),
        ),
        (
            "no line break at the end, Windows' line breaks before",
            "from BASE\r\nrun echo crlf >/made\r\nworkdir /tmp",
            json!(["crlf\n", "root", "/tmp"]),
        ),
        (
            "a comment inside of a continued line",
            "FROM BASE \\\n# why\n  AS last\nRUN echo a \\\n  # a comment\n\n  b >/made",
            json!(["a b\n", "root", "/"]),
        ),
    ];
    for (name, dockerfile, wanted) in cases {
        let project = Project::new();
        project
            .file("Dockerfile", dockerfile.replace("BASE", PYTHON))
            .file("flow.py", "print()\n")
            .file("x.ini", "")
            .spec(
                "flows = [\"flow.py\"]\ndockerfile = \"Dockerfile\"\n\
                 env_vars = { A = \"back\\\\slash \\\"q\\\"\" }\nfiles = { \"x.ini\" = \"/etc/x y.ini\" }\n",
            );
        let said = project.flowstorage("build --push");
        assert_eq!(said.code(), 0, "{name}:\n{}", said.err);
        assert_eq!(project.python(said.out.trim(), STATE), wanted, "{name}");
    }
}

#[test]
fn errors_keep_the_line_of_the_users_file() {
    let project = Project::new();
    project
        .file("Dockerfile", format!("FROM {PYTHON}\nRUN true\nRUN echo said && exit 9\nRUN true\n"))
        .file("flow.py", "print()\n")
        .spec("flows = [\"flow.py\"]\ndockerfile = \"Dockerfile\"\n");
    let said = project.flowstorage("build --push").ended(1);
    let marked: Vec<&str> = said.err.lines().filter(|line| line.contains("| >>>")).collect();
    assert_eq!(marked, ["   3 | >>> RUN echo said && exit 9"]);
    assert_eq!(said.verdict()[0], "ERROR: `RUN echo said && exit 9` ended with exit code 9");
}

#[test]
fn its_folder_is_the_context_and_its_dockerignore_applies() {
    let program = "import json, os; print(json.dumps(sorted(os.listdir('/all'))))";
    for (ignore, at, wanted) in [
        (".dockerignore", "", json!(["Dockerfile", "kept", "sub"])),
        ("Dockerfile.dockerignore", "", json!(["Dockerfile", "kept", "sub"])),
        ("other", "dockerignore = \"image/other\"\n", json!(["Dockerfile", "kept", "sub"])),
    ] {
        let project = Project::new();
        project
            .file("image/Dockerfile", format!("FROM {PYTHON}\nCOPY . /all\n"))
            .file(&format!("image/{ignore}"), format!("{ignore}\nsecret*\nsub/*\n!sub/x\n"))
            .file("image/kept", "")
            .file("image/secret.key", "")
            .file("image/sub/x", "")
            .file("image/sub/y", "")
            .file("flow.py", "print()\n")
            .spec(&format!("flows = [\"flow.py\"]\ndockerfile = \"image/Dockerfile\"\n{at}"));
        let image = project.pushed();
        assert_eq!(project.python(&image, program), wanted, "{ignore}");
    }
}

/// buildx sends the folder's name in a header as soon as there are two targets.
#[test]
fn a_folder_whose_name_is_not_ascii_is_a_context_of_two_targets() {
    let project = Project::new();
    project.file("où ça/Dockerfile", format!("FROM {PREFECT}\nCOPY note /note\n"));
    project.file("où ça/note", "kept");
    project.file("flow.py", "from prefect import Flow\nwith Flow('etl') as flow:\n    pass\n");
    project.spec("flows = [\"flow.py\"]\ndockerfile = \"où ça/Dockerfile\"\n");
    let said = project.flowstorage("build --push --flows-json flows.json").ok();
    let program = "import json; print(json.dumps(open('/note').read()))";
    assert_eq!(project.python(said.out.trim(), program), "kept");
    let flows = std::fs::read_to_string(project.folder().join("flows.json")).unwrap();
    let flows: serde_json::Value = serde_json::from_str(&flows).unwrap();
    assert_eq!(flows["flows"][0]["name"], "etl");
}
