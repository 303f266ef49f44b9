//! `apt_repositories` on real, signed repositories: packages come from them, nothing of them stays.
//!
//! **Invariant:** what is in an image is read from its layers.

use std::fs;

use crate::support::debian::serve;
use crate::support::{PYTHON, Project};

/// The program of the package `e2e-probe`.
#[track_caller]
fn probe(project: &Project, image: &str) -> String {
    project.docker(&["run", "--rm", image, "e2e-probe"]).ok().out
}

/// A spec on the base with the repository; `repository` is the rest of its table.
fn spec(project: &Project, base: &str, rest: &str, repository: &str) {
    project.file("flow.py", "").spec(&format!(
        "flows = [\"flow.py\"]\nbase_image = \"{base}\"\nlocal_image = true\n\
         system_packages = [\"e2e-probe\"]\n{rest}\n[[apt_repositories]]\n{repository}\n"
    ));
}

/// Builds into the engine; returns the image.
#[track_caller]
fn built(project: &Project) -> String {
    let out = project.flowstorage("build").ok().out;
    out.trim().split('@').next().unwrap().to_owned()
}

const RELEASES: &str = "uris = [\"file:/srv/repo/{id}/{version}\"]\n\
    suites = [\"{codename}\"]\ncomponents = [\"main\"]\n";

#[test]
fn a_package_comes_and_the_repository_goes() {
    let project = Project::new();
    let base = project.base_with_repository();
    // The form of a key is told by its content, and several may sign.
    let keys = "signed_by = [\"keys/other.asc\", \"keys/good.gpg\"]";
    spec(&project, &base, "", &format!("{RELEASES}{keys}"));
    let image = built(&project);
    assert_eq!(probe(&project, &image), "probed\n");

    let of_base = project.paths_in_layers(&base);
    // `.wh.` takes away what the base has.
    let is_new = |path: &String| !of_base.contains(path) && !path.contains("/.wh.");
    let added: Vec<String> = project.paths_in_layers(&image).into_iter().filter(is_new).collect();
    assert_eq!(
        added,
        [
            "opt/flows/",
            "opt/flows/flow.py",
            "usr/bin/e2e-probe",
            "var/lib/dpkg/info/e2e-probe.list",
            "var/lib/dpkg/info/e2e-probe.md5sums",
        ]
    );
    project.docker(&["pull", "--quiet", PYTHON]).ok();
    let tools = "command -v curl wget gpg apt-key; dpkg -l 'gnupg*' 'curl' | grep ^ii";
    let found = |image: &str| project.docker(&["run", "--rm", image, "sh", "-c", tools]).out;
    assert_eq!(found(&image), found(PYTHON));
}

#[test]
fn the_build_stage_has_the_repository_too() {
    let project = Project::new();
    let base = project.base_with_repository();
    let rest = "python_dependencies = [\"six\"]\nbuild_packages = [\"e2e-header\"]\n";
    // A repository without releases has a path instead of a suite.
    let flat = "uris = \"file:/srv/flat\"\nsuites = \"./\"\nsigned_by = \"keys/good.asc\"";
    spec(&project, &base, rest, flat);
    let image = built(&project);
    assert_eq!(probe(&project, &image), "probed\n");
    let header = ["run", "--rm", &image, "ls", "/usr/include/e2e.h"];
    project.docker(&header).ended(2);
}

#[test]
fn another_key_installs_nothing() {
    let project = Project::new();
    let base = project.base_with_repository();
    spec(&project, &base, "", &format!("{RELEASES}signed_by = \"keys/other.asc\""));
    let said = project.flowstorage("build").ended(1);
    let missing = "The following signatures couldn't be verified because the public key is not \
        available: NO_PUBKEY";
    assert!(said.err.contains(missing), "{}", said.err);
    assert!(!said.err.contains("Unpacking e2e-probe"), "{}", said.err);
}

#[test]
fn a_private_key_goes_nowhere() {
    let project = Project::new();
    project.base_with_repository();
    let private = "signed_by = [\"keys/private.asc\", \"keys/private.gpg\", \"base/Dockerfile\"]";
    spec(&project, PYTHON, "", &format!("{RELEASES}{private}"));
    let said = project.flowstorage("build").ended(2);
    let remedy = "    name the public key: gpg --export --armor NAME writes it\n";
    assert_eq!(
        said.err,
        format!(
            "flowstorage.toml:12: `keys/private.asc` is a private key\n{remedy}\
             flowstorage.toml:12: `keys/private.gpg` is a private key\n{remedy}\
             flowstorage.toml:12: `base/Dockerfile` is no PGP public key\n    \
             name the public key that the repository is signed with, as its provider publishes it\n\
             ERROR: 3 problems in the spec; nothing was built\n"
        )
    );
}

fn sha256(project: &Project, file: &str) -> String {
    project.run("sha256sum", &[file]).ok().out[..64].to_owned()
}

#[test]
fn a_key_at_an_address_counts_by_its_checksum() {
    let project = Project::new();
    let base = project.base_with_repository();
    let url = serve(fs::read(project.folder().join("keys/good.asc")).unwrap());
    let signed_by = |sha256: &str| {
        format!("{RELEASES}signed_by = {{ url = \"{url}/a.key?x=$HOME\", sha256 = \"{sha256}\" }}")
    };
    spec(&project, &base, "", &signed_by(&sha256(&project, "keys/good.asc")));
    let image = built(&project);
    assert_eq!(probe(&project, &image), "probed\n");

    spec(&project, &base, "", &signed_by(&sha256(&project, "keys/other.asc")));
    let said = project.flowstorage("build --no-cache").ended(1);
    assert!(said.err.contains("digest mismatch sha256:"), "{}", said.err);
}

#[test]
fn an_address_that_serves_something_else_is_said() {
    let project = Project::new();
    let base = project.base_with_repository();
    project.file("page", "<html>not found</html>");
    let url = serve(b"<html>not found</html>".to_vec());
    let sha256 = sha256(&project, "page");
    let key = format!("signed_by = {{ url = \"{url}/key\", sha256 = \"{sha256}\" }}");
    spec(&project, &base, "", &format!("{RELEASES}name = \"probe\"\n{key}"));
    let said = project.flowstorage("build").ended(1);
    assert!(said.err.contains("ERROR: the key probe-1 is no PGP public key"), "{}", said.err);
}

/// Beside a Dockerfile of the user's, for a base whose user is not root.
#[test]
fn a_users_dockerfile_gets_it_too() {
    let project = Project::new();
    let base = project.base_with_repository();
    project
        .file("flow.py", "")
        .file("Dockerfile", format!("FROM {base}\nRUN useradd app\nUSER app\n"))
        .spec(&format!(
            "flows = [\"flow.py\"]\ndockerfile = \"Dockerfile\"\n\
             system_packages = [\"e2e-probe\"]\n[[apt_repositories]]\n{RELEASES}\
             signed_by = \"keys/good.asc\"\n"
        ));
    let image = built(&project);
    let run = project.docker(&["run", "--rm", &image, "sh", "-c", "id -un; e2e-probe"]).ok();
    assert_eq!(run.out, "app\nprobed\n");
}
