//! What Prefect's own Docker storage did wrong, in images: `docs/defects.md` has the whole list.
//!
//! **Invariant:** each test would fail if we did as Prefect did.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::registry::Reference;
use crate::support::{PREFECT, PYTHON, Project, engine};

/// A script whose storage has what Prefect's storage tripped over, a comment for each.
fn script(project: &Project, number: u32) -> String {
    let Project { namespace, .. } = project;
    let folder = project.folder();
    format!(
        r#"
from prefect import Flow, task
from prefect.storage import Docker

NUMBER = {number}

@task
def tell():
    return NUMBER

with Flow("It's all") as flow:
    tell()

flow.storage = Docker(
    registry_url="{namespace}",
    image_name="app",
    image_tag="v1",  # fixed: an older image has it
    base_image="{PREFECT}",
    # Unquoted in the Dockerfile, and a location with `.py` was taken for a script.
    prefect_directory="/opt/my.pyenv dir",
    # Quoted as one word of a shell in single quotes.
    python_dependencies=["tomli; python_version > '3'", "--only-binary tomli"],
    # Pickled with the flow.
    env_vars={{"PASSWORD": "HIDDEN-1"}},
    build_kwargs={{"buildargs": {{"WORD": "HIDDEN-2"}}}},
    files={{
        # Relative, absolute, and of one base name.
        "one/settings.ini": "/in/one.ini",
        "two/settings.ini": "/in/two.ini",
        "{folder}/one/settings.ini": "/in/absolute.ini",
        "one/conf/": "/in/conf one",
        "two/conf": "/in/conf-two",
        # Names of generated files.
        "Dockerfile": "/in/Dockerfile",
        "healthcheck.py": "/in/healthcheck.txt",
        "it-s-all.flow": "/in/it-s-all.flow",
        "with space.txt": "/in/with space.txt",
    }},
    extra_dockerfile_commands=[
        "ARG WORD",
        "RUN echo $WORD >/in/argument",
        # Another text whenever it runs.
        "RUN cat /proc/sys/kernel/random/uuid >/in-the-step",
        "COPY <<END /in/heredoc\n  one\n   \n\ttwo\nEND",
    ],
)
"#,
        folder = folder.display(),
    )
}

/// Prints the files that the spec names, what the flow is, and who asks.
const LOOK: &str = r#"
import base64, json, os, tomli
from importlib.metadata import distributions
from prefect.storage import Docker

location = "/opt/my.pyenv dir/flows/it-s-all.prefect"
storage = Docker()
storage.flows["It's all"] = location
state = storage.get_flow("It's all").run()
with open(location) as file:
    pickled = base64.b64decode(json.load(file)["flow"])
files = {}
for folder, _, names in os.walk("/in"):
    for name in names:
        path = os.path.join(folder, name)
        files[path[4:]] = open(path).read()
print("\n" + json.dumps({
    "files": files,
    "result": [result.result for result in state.result.values()],
    "hidden": b"HIDDEN" in pickled,
    "user": os.getuid(),
    "installed": sorted(d.name + " " + d.version for d in distributions() if d.name != "tomli"),
}))
"#;

fn look(project: &Project, image: &str, program: &str) -> Value {
    let run = ["run", "--rm", "--user", "1000:1000", "--workdir", "/", image, "python", "-c"];
    let said = project.docker(&[&run[..], &[program]].concat()).ok();
    serde_json::from_str(said.out.lines().last().unwrap()).unwrap()
}

fn inspect(project: &Project, image: &str, format: &str) -> String {
    project.docker(&["image", "inspect", "--format", format, image]).ok().out.trim().to_owned()
}

/// One storage, built three times: whole, with another flow, and with a flow that is broken.
#[test]
fn a_storage_that_prefect_tripped_over() {
    let project = Project::new();
    project.file("flow.py", script(&project, 1));
    let files = json!({
        "one.ini": "one\n", "two.ini": "two\n", "absolute.ini": "one\n",
        "conf one/x": "one\n", "conf-two/x": "two\n",
        "Dockerfile": "FROM nothing\n", "healthcheck.txt": "raise SystemExit('mine')\n",
        "it-s-all.flow": "mine\n", "with space.txt": "spaces\n",
        "argument": "HIDDEN-2\n", "heredoc": "  one\n   \n\ttwo\n",
    });
    for (path, copied) in [
        ("one/settings.ini", "one.ini"),
        ("two/settings.ini", "two.ini"),
        ("one/conf/x", "conf one/x"),
        ("two/conf/x", "conf-two/x"),
        ("Dockerfile", "Dockerfile"),
        ("healthcheck.py", "healthcheck.txt"),
        ("it-s-all.flow", "it-s-all.flow"),
        ("with space.txt", "with space.txt"),
    ] {
        project.file(path, files[copied].as_str().unwrap());
    }
    let build = "umask 077; chmod -R go= .; exec docker flowstorage build -f flow.py --load";
    project.run("sh", &["-c", build]).ok();

    let image = format!("{}/app:v1", project.namespace);
    let mut found = look(&project, &image, LOOK);
    let installed = found.as_object_mut().unwrap().remove("installed").unwrap();
    let wanted = json!({ "files": files, "result": [1], "hidden": false, "user": 1000 });
    assert_eq!(found, wanted);
    // Neither Prefect nor pip was installed over: the rest is the base's.
    let program = "import json; from importlib.metadata import distributions
print(json.dumps(sorted(d.name + ' ' + d.version for d in distributions())))";
    assert_eq!(look(&project, PREFECT, program), installed);

    // Another flow: packages, files and commands stay cached; pushing takes no image away.
    let layers = "{{json .RootFS.Layers}}";
    let before: Vec<String> = serde_json::from_str(&inspect(&project, &image, layers)).unwrap();
    project.file("flow.py", script(&project, 2));
    let pushed = project.flowstorage("build -f flow.py --push").ok().out;
    let config = Reference::of(pushed.trim()).config();
    let after = config["rootfs"]["diff_ids"].as_array().unwrap();
    assert_eq!(after.len(), before.len());
    let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    assert_eq!(same, before.len() - 1, "the flow is the last layer, and alone changes");
    let kept = inspect(&project, &image, "{{.Id}}");

    // A flow that is broken, under a tag that both the engine and the registry have.
    project.file("flow.py", script(&project, 3) + "raise ValueError('broken')\n");
    for way in ["--push", "--load"] {
        let said = project.flowstorage(&format!("build -f flow.py {way}")).ended(1);
        assert_eq!(said.out, "");
        assert!(said.verdict()[0].ends_with("ValueError: broken"), "{}", said.err);
    }
    let digest = pushed.trim().split_once('@').unwrap().1;
    assert_eq!(Reference::of(&image).digest().as_deref(), Some(digest));
    assert_eq!(inspect(&project, &image, "{{.Id}}"), kept);
}

/// A Dockerfile with an index of its own, of one distribution that no other index has.
const DOCKERFILE: &str = r#"
RUN useradd worker
RUN --mount=type=secret,id=word test "$(cat /run/secrets/word)" = sesame
ENV LIBRARIES=/srv/libraries
RUN python <<END
import os, zipfile
folder = "/srv/index/e2e-only-there"
os.makedirs(folder)
name = "e2e_only_there-1.0-py3-none-any.whl"
with open(folder + "/index.html", "w") as page:
    page.write('<a href="%s">%s</a>' % (name, name))
about = "e2e_only_there-1.0.dist-info/"
with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
    wheel.writestr("e2e_only_there.py", "FOUND = True")
    wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\nName: e2e-only-there\nVersion: 1.0\n")
    wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(about + "RECORD", "")
END
USER worker
WORKDIR /srv
"#;

/// Every path below a folder.
fn paths(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            let below = if path.is_dir() { paths(&path) } else { BTreeSet::new() };
            below.into_iter().chain([path.display().to_string()])
        })
        .collect()
}

/// A user without rights, all of the context ignored, `BuildKit`'s secrets, an index of one's own.
#[test]
fn a_dockerfile_that_prefect_tripped_over() {
    let project = Project::new();
    project
        .file("image/Dockerfile", format!("# escape=`\nFROM {PREFECT}\n{DOCKERFILE}"))
        .file("image/ignore", "**\n")
        .file("flow.py", "from prefect import Flow\nflow = Flow('etl')\n")
        .file("odbc.ini", "[x]\n")
        .file("word", "sesame")
        .spec(
            "flows = { etl = \"flow.py\" }\n\
             dockerfile = \"image/Dockerfile\"\n\
             dockerignore = \"image/ignore\"\n\
             python_dependencies = [\"--extra-index-url file:///srv/index\", \"e2e-only-there\"]\n\
             env_vars = { PYTHONPATH = \"$LIBRARIES:/modules\" }\n\
             files = { \"odbc.ini\" = \"/etc/odbc.ini\" }\n",
        );
    let before = paths(&project.folder());
    let said = project.flowstorage("build --push --secret id=word,src=word").ok();
    assert_eq!(paths(&project.folder()), before, "nothing was left in the project");
    let program = "import e2e_only_there, json, os, pwd
from prefect.storage import Docker
storage = Docker()
storage.flows['etl'] = '/opt/prefect/flows/etl.prefect'
print('\\n' + json.dumps([storage.get_flow('etl').name, e2e_only_there.FOUND,
    open('/etc/odbc.ini').read(), os.environ['PYTHONPATH'],
    pwd.getpwuid(os.getuid()).pw_name, os.getcwd()]))";
    let run = project.docker(&["run", "--rm", said.out.trim(), "python", "-c", program]).ok();
    let found: Value = serde_json::from_str(run.out.lines().last().unwrap()).unwrap();
    let wanted = json!(["etl", true, "[x]\n", "/srv/libraries:/modules", "worker", "/srv"]);
    assert_eq!(found, wanted);
}

/// Whoever takes `# syntax=` seriously fails to find this one.
#[test]
fn the_frontend_that_a_dockerfile_names_is_asked_for() {
    let project = Project::new();
    let frontend = format!("{}/no-such-frontend:1", project.namespace);
    project
        .file("Dockerfile", format!("# syntax={frontend}\nFROM {PYTHON}\n"))
        .file("flow.py", "print()\n")
        .spec("flows = [\"flow.py\"]\ndockerfile = \"Dockerfile\"\n");
    let said = project.flowstorage("build --push").ended(1);
    assert!(said.verdict()[0].contains(&frontend), "{}", said.err);
}

/// The engine lists an image of Docker Hub without its host; the name alone says nothing of a
/// failure. Engines are found as docker finds them, also with `DOCKER_HOST` set to nothing.
#[test]
fn an_image_of_docker_hub_in_the_engine_of_a_context() {
    let mut project = Project::new();
    let registry = format!("docker.io/{}", project.namespace.split_once('/').unwrap().1);
    project.file("flow.py", "print('ran')\n").file(
        "flowstorage.toml",
        format!(
            "flows = [\"flow.py\"]\nbase_image = \"{PYTHON}\"\nregistry_url = \"{registry}\"\n\
             image_name = \"app\"\nimage_tag = \"v1\"\n"
        ),
    );
    let host = format!("host={}", engine());
    project.docker(&["context", "create", "live", "--docker", &host]).ok();
    project.docker(&["context", "use", "live"]).ok();
    project.env("DOCKER_HOST", "");
    let build = "DOCKER_HOST= exec docker flowstorage build --load";
    let said = project.run("sh", &["-c", build]).ok();
    let image = format!("{registry}/app:v1");
    let run = project.docker(&["run", "--rm", &image, "python", "/opt/flows/flow.py"]);
    project.docker(&["image", "rm", "--force", &image]).ok();
    assert_eq!(run.ok().out, "ran\n");
    assert!(said.out.starts_with(&format!("{image}@sha256:")), "{}", said.out);
}

/// Prefect runs the text of a stored script: the folder of the script is not on Python's path.
#[test]
fn a_stored_script_imports_what_is_beside_it() {
    let project = Project::new();
    let script = "
from prefect import Flow, task
from helpers import answer

with Flow('first') as first:
    task(answer)()

with Flow('second') as second:
    task(answer, name='other')()
";
    project.file("flow.py", script).file("helpers.py", "def answer():\n    return 42\n").spec(
        &format!("flows = [\"flow.py\"]\nbase_image = \"{PREFECT}\"\nstored_as_script = true\n"),
    );
    let image = project.pushed();
    let program = "import json
from prefect.storage import Docker
found = []
for name in ('second', 'first'):
    storage = Docker(stored_as_script=True, path='/opt/prefect/flows/flow.py')
    storage.flows[name] = storage.path
    flow = storage.get_flow(name)
    found.append([flow.name, [state.result for state in flow.run().result.values()]])
print('\\n' + json.dumps(found))";
    let wanted = json!([["second", [42]], ["first", [42]]]);
    assert_eq!(look(&project, &image, program), wanted);
}
