//! Private indexes, certificates of one's own and local packages, on a real engine.
//!
//! **Invariant:** what is searched for a secret is everything that a build leaves or says, and each
//! search is shown to find one that was leaked on purpose.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::processes::wait_until;
use crate::support::{PYTHON, Project};

const USER: &str = "deploy";
/// Its forms in URLs and in base64 differ from it.
const WORD: &str = "hid/den+w0rd@x";
const ESCAPED: &str = "hid%2Fden%2Bw0rd%40x";
/// The build reaches a server on loopback through the engine's own network only.
const HOST: &str = "build_kwargs = { network_mode = \"host\" }\n";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/data").join(name)
}

/// A private index, which ends with the test.
struct Index {
    server: Child,
    port: u16,
}

impl Index {
    fn start(project: &Project, certificate: Option<&Path>) -> Self {
        let script = data("index.py");
        let mut words = vec![script.to_str().unwrap(), USER, WORD];
        words.extend(certificate.map(|path| path.to_str().unwrap()));
        let mut command = project.command("python3", &words);
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { server, port: line.trim().parse().expect("the server says its port") }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Where the secret is below some paths; fails where hardly anything was looked at.
#[track_caller]
fn places(project: &Project, paths: &[&Path], at_least: u64) -> Vec<String> {
    let script = data("search.py");
    let mut words = vec![script.to_str().unwrap(), WORD];
    words.extend(paths.iter().map(|path| path.to_str().unwrap()));
    let report: Value = project.run("python3", &words).ok().json();
    let seen = report["seen"].as_u64().unwrap();
    assert!(seen >= at_least, "only {seen} files were looked at");
    report["found"].as_array().unwrap().iter().map(|at| at.as_str().unwrap().to_owned()).collect()
}

/// Builds, and keeps in the folder `left` everything that there is of it afterwards.
fn build_and_keep(project: &Project, step: &str) -> PathBuf {
    let left = project.folder().join("left");
    let _ = fs::remove_dir_all(&left);
    fs::create_dir_all(&left).unwrap();
    let keep = |name: &str, text: &str| fs::write(left.join(name), text).unwrap();
    let spec = project.folder().join("flowstorage.toml");
    let before = fs::read_to_string(&spec).unwrap();
    let line = format!("extra_dockerfile_commands = ['''{step}''']\n");
    fs::write(&spec, format!("{line}{before}")).unwrap();

    let build = "build --no-cache --cache-to type=local,dest=left/cache,mode=max";
    let said = project.flowstorage(&format!("{build} --progress plain")).ok();
    let image = said.out.trim().split('@').next().unwrap().to_owned();
    keep("plain.out", &said.out);
    keep("plain.err", &said.err);
    for (name, line) in [
        ("rawjson", "build --no-cache --progress rawjson --format json --metadata-file left/meta"),
        ("quiet", "build --quiet"),
        ("plan", "plan"),
        ("plan-json", "plan --format json"),
        ("check", "check --format json"),
        ("ejected", "plan --output left/ejected"),
    ] {
        let said = project.flowstorage(line).ok();
        keep(&format!("{name}.out"), &said.out);
        keep(&format!("{name}.err"), &said.err);
    }
    let said = project.docker(&["-D", "flowstorage", "build", "--progress", "plain"]).ok();
    keep("debug.err", &said.err);
    for (name, words) in [
        ("history", &["history", "--no-trunc", &image][..]),
        ("inspect", &["image", "inspect", &image]),
        ("save", &["save", "--output", "left/image.tar", &image]),
    ] {
        keep(name, &project.docker(words).ok().out);
    }
    fs::write(&spec, before).unwrap();
    left
}

/// Every way of the spec to name the credentials of an index, and the secret's place.
fn ways(port: u16) -> [(&'static str, String); 3] {
    let plain = format!("http://127.0.0.1:{port}/simple/");
    let dependency = "python_dependencies = [\"e2e-private\"]\n";
    [
        (
            "flowstorage-INDEX_TOKEN",
            format!(
                "{HOST}{dependency}\
                 extra_index_urls = [\"http://${{INDEX_USER}}:${{INDEX_TOKEN}}@127.0.0.1:{port}/simple/\"]\n"
            ),
        ),
        (
            "netrc",
            format!(
                "{HOST}{dependency}extra_index_urls = [\"{plain}\"]\n\
                 build_secrets = {{ netrc = \"src=~/.netrc\" }}\n"
            ),
        ),
        (
            "UV_EXTRA_INDEX_URL",
            format!(
                "{HOST}{dependency}build_secrets = {{ UV_EXTRA_INDEX_URL = \"env=INDEX_URL\" }}\n"
            ),
        ),
    ]
}

fn project() -> Project {
    let mut project = Project::new();
    project.env("INDEX_USER", USER);
    project.env("INDEX_TOKEN", WORD);
    let netrc = format!("machine 127.0.0.1\nlogin {USER}\npassword {WORD}\n");
    fs::write(project.home().join(".netrc"), netrc).unwrap();
    project
}

/// A step that says its secret in every form, in pieces too, and leaves nothing.
fn telling(id: &str) -> String {
    format!(
        "RUN --mount=type=secret,id={id} python3 -c \"import base64, sys, time, urllib.parse as u; \
         s = open('/run/secrets/{id}').read(); print(s, u.quote(s, safe=''), u.quote(s)); \
         [print(base64.b64encode(b'x' * n + s.encode()).decode()) for n in range(3)]; \
         [(sys.stdout.write(c), sys.stdout.flush(), time.sleep(.05)) for c in s]; print()\""
    )
}

#[test]
fn nothing_that_a_build_leaves_or_says_has_the_secret() {
    let mut project = project();
    let index = Index::start(&project, None);
    let url = format!("http://{USER}:{ESCAPED}@127.0.0.1:{}/simple/", index.port);
    project.env("INDEX_URL", &url);
    for (id, spec) in ways(index.port) {
        project.plain(&spec).file("flow.py", "import e2e_private\nprint(e2e_private.FOUND)\n");
        let left = build_and_keep(&project, &telling(id));
        assert_eq!(places(&project, &[&left], 1000), Vec::<String>::new(), "{id}");
        // The step did say it.
        let said = fs::read_to_string(left.join("plain.err")).unwrap();
        let hidden = said.lines().filter(|line| line.contains("***")).count();
        assert!(hidden >= 4, "{id}: {said}");
    }

    // The search finds what is left on purpose: in a layer, in the cache, in the history.
    let (id, spec) = &ways(index.port)[0];
    project.plain(spec);
    let leak = format!(
        "RUN --mount=type=secret,id={id} base64 /run/secrets/{id} >/leak\nLABEL leak={ESCAPED}"
    );
    let left = build_and_keep(&project, &leak);
    let found = places(&project, &[&left], 1000);
    for of in ["image.tar|blobs/", "cache/blobs/", "inspect", "history", "plan.out", "ejected/"] {
        assert!(found.iter().any(|place| place.starts_with(of)), "{of}: {found:?}");
    }
    assert!(found.iter().any(|place| place.ends_with("|leak")), "{found:?}");
}

#[test]
fn an_index_that_refuses_is_told_without_the_secret() {
    let mut project = project();
    let index = Index::start(&project, None);
    // What is sent is a secret of whoever builds, be it wrong.
    project.env("INDEX_USER", "someone");
    let (_, spec) = &ways(index.port)[0];
    project.plain(spec);
    let mut paths = Vec::new();
    for (at, line) in ["build --progress plain", "build --progress rawjson", "build --format json"]
        .iter()
        .enumerate()
    {
        let said = project.flowstorage(line).ended(1);
        let path = project.folder().join(format!("said-{at}"));
        fs::write(&path, said.out.clone() + &said.err).unwrap();
        paths.push(path);
        if at == 0 {
            assert!(said.err.contains("401 Unauthorized"), "{}", said.err);
        }
    }
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    assert_eq!(places(&project, &paths, 3), Vec::<String>::new());
}

/// Makes an authority and, signed by it, a certificate for loopback with its key.
fn certificates(project: &Project) -> PathBuf {
    let script = "set -e; mkdir ca; cd ca
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key \
  -out ca.pem -subj '/CN=Authority of the test' -addext basicConstraints=critical,CA:TRUE
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -out own.csr \
  -subj /CN=127.0.0.1
printf 'subjectAltName=IP:127.0.0.1\n' >extensions
openssl x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
  -extfile extensions -out own.pem
cat own.key >>own.pem";
    project.run("sh", &["-c", script]).ok();
    project.folder().join("ca/own.pem")
}

#[test]
fn a_certificate_of_ones_own_is_trusted_in_the_build_and_kept_only_if_asked() {
    let project = project();
    let own = certificates(&project);
    let index = Index::start(&project, Some(&own));
    let spec = format!(
        "{HOST}python_dependencies = [\"e2e-private\", \"six\"]\nsystem_packages = [\"libpq5\"]\n\
         extra_index_urls = [\"https://${{INDEX_USER}}:${{INDEX_TOKEN}}@127.0.0.1:{}/simple/\"]\n",
        index.port
    );
    let program = "import json, os, e2e_private, six
authority = ''.join(open('/mnt/ca.pem').read().split()[2:-2])[:64]
found = []
for top in ('/etc', '/usr/local/share', '/opt', '/mnt', '/tmp', '/trust'):
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if path != '/mnt/ca.pem' and os.path.isfile(path) and not os.path.islink(path):
                if authority in open(path, 'rb').read().decode('latin-1'):
                    found.append(path)
print(json.dumps([sorted(found), os.environ.get('REQUESTS_CA_BUNDLE')]))";
    let mount = format!("{}/ca/ca.pem:/mnt/ca.pem:ro", project.folder().display());
    let look = |image: &str| -> Value {
        let image = image.trim();
        let run = ["run", "--rm", "--volume", &mount, image, "python", "-c", program];
        project.docker(&run).ok().json()
    };

    project.plain(&spec);
    let said = project.flowstorage("build").ended(1);
    assert!(said.err.contains("UnknownIssuer") || said.err.contains("certificate"), "{}", said.err);

    project.plain(&format!("{spec}ca_certificates = [\"ca/ca.pem\"]\n"));
    let image = project.flowstorage("build").ok().out;
    assert_eq!(look(image.split('@').next().unwrap()), serde_json::json!([[], null]));

    project
        .plain(&format!("{spec}ca_certificates = [\"ca/ca.pem\"]\nkeep_ca_certificates = true\n"));
    let image = project.flowstorage("build").ok().out;
    let kept = serde_json::json!([
        [
            "/etc/ssl/certs/ca-certificates.crt",
            "/usr/local/share/ca-certificates/flowstorage-1.crt"
        ],
        "/etc/ssl/certs/ca-certificates.crt"
    ]);
    assert_eq!(look(image.split('@').next().unwrap()), kept);
}

/// A project whose package has one module, and a wheel beside it.
fn local(project: &Project) {
    let wheel = "import zipfile
about = 'e2e_wheel-1.0.dist-info/'
with zipfile.ZipFile('dist/e2e_wheel-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('e2e_wheel.py', 'X = 1')
    wheel.writestr(about + 'METADATA', 'Metadata-Version: 2.1\\nName: e2e-wheel\\nVersion: 1.0\\n')
    wheel.writestr(about + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(about + 'RECORD', '')";
    project
        .file("libs/my lib/pyproject.toml", "[project]\nname = \"e2e-local\"\nversion = \"0.1\"\n")
        .file("libs/my lib/e2e_local.py", "X = 1\n")
        .file("libs/my lib/.git/config", WORD)
        .file("dist/x", "")
        .file("deps/requirements.txt", "e2e-local @ file:../libs/my%20lib\n");
    project.run("python3", &["-c", wheel]).ok();
    project.plain(
        "requirements = [\"deps/requirements.txt\"]\n\
         python_dependencies = [\"./dist/e2e_wheel-1.0-py3-none-any.whl\"]\n",
    );
    project.file("flow.py", "import e2e_local, e2e_wheel\n");
}

#[test]
fn local_packages_are_built_anew_when_they_change_and_only_then() {
    let project = Project::new();
    local(&project);
    let program = "import json, e2e_local, e2e_wheel, os
from importlib.metadata import distributions
ours = sorted(d.name + ' ' + d.version for d in distributions() if 'e2e' in d.name)
print(json.dumps([e2e_local.X, e2e_wheel.X, ours, os.path.exists('/mnt/flowstorage')]))";
    let built = || {
        let said = project.flowstorage("build --progress plain").ok();
        let image = said.out.trim().split('@').next().unwrap().to_owned();
        let built = said.err.contains("Building e2e-local");
        (project.python(&image, program), built)
    };
    let names = serde_json::json!(["e2e-local 0.1", "e2e-wheel 1.0"]);
    let holds = |number: u32| serde_json::json!([number, 1, names, false]);
    assert_eq!(built(), (holds(1), true));
    project.file("flow.py", "import e2e_local, e2e_wheel  # changed\n");
    assert_eq!(built(), (holds(1), false));
    // Of the same version, by a file that uv itself does not look at.
    project.file("libs/my lib/e2e_local.py", "X = 2\n");
    assert_eq!(built(), (holds(2), true));
    project.file("libs/my lib/e2e_local.py", "X = 1\n");
    assert_eq!(built().0, holds(1));
}

/// Makes keys and a repository of git in `/keys`, says that they are there, and serves it by ssh.
const SSHD: &str = "set -e
apt-get -qq update && apt-get -qq install -y --no-install-recommends openssh-server git >/dev/null
mkdir -p /run/sshd /root/.ssh /srv/git/e2e_git && cd /keys
ssh-keygen -q -t ed25519 -N '' -f id && ssh-keygen -q -t ed25519 -N '' -f other
install -m 600 id.pub /root/.ssh/authorized_keys && chmod a+r id && cd /srv/git
printf '[project]\\nname = \"e2e-git\"\\nversion = \"0.3\"\\n' >pyproject.toml
echo 'X = 3' >e2e_git/__init__.py
git init -q . && git add . && git -c user.name=e2e -c user.email=e2e@example.org commit -qm 'Begin'
cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub >/keys/host
exec timeout 900 /usr/sbin/sshd -D -p $0 -o ListenAddress=127.0.0.1";

/// A container that ends with the test.
struct Server<'a>(&'a Project, String);

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.0.command("docker", &["rm", "--force", &self.1]).output();
    }
}

#[test]
fn git_fetches_by_ssh_and_holds_a_server_to_its_key() {
    let project = Project::new();
    let keys = project.folder().join("keys");
    fs::create_dir_all(&keys).unwrap();
    fs::create_dir_all(project.home().join(".ssh")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mount = format!("{}:/keys", keys.display());
    let run = ["run", "--detach", "--network", "host", "--volume", &mount, PYTHON, "sh", "-c"];
    let started = project.docker(&[&run[..], &[SSHD, &port.to_string()]].concat()).ok();
    let _server = Server(&project, started.out.trim().to_owned());
    let answers = || keys.join("host").exists() && TcpStream::connect(("127.0.0.1", port)).is_ok();
    wait_until(Duration::from_mins(5), answers).expect("the server answers");

    let known = |host: &str| {
        let key = fs::read_to_string(keys.join(host)).unwrap();
        let line = format!("[127.0.0.1]:{port} {key}");
        fs::write(project.home().join(".ssh/known_hosts"), line).unwrap();
    };
    project.plain(&format!(
        "{HOST}python_dependencies = [\"e2e-git @ git+ssh://root@127.0.0.1:{port}/srv/git\"]\n\
         ssh = [\"default=keys/id\"]\n"
    ));
    project.file("flow.py", "import e2e_git\nprint('X is', e2e_git.X)\n");
    let build = "build --no-cache --progress plain";
    // A server that nobody knows is believed; one that is known must be itself.
    for name in ["", "host"] {
        if !name.is_empty() {
            known(name);
        }
        let said = project.flowstorage(build).ok();
        assert!(said.err.lines().any(|line| line.ends_with("X is 3")), "{}", said.err);
    }
    known("other.pub");
    let said = project.flowstorage(build).ended(1);
    assert!(said.err.contains("Host key verification failed"), "{}", said.err);
}
