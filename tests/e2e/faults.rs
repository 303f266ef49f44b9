//! What users meet when docker, the registry or the disk is not as it should be.
//!
//! **Invariant:** one line says what it is and one what to do; the exit code says whether a retry
//! is worth it; nothing is reported as done.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::support::registry::Reference;
use crate::support::{BINARY, Project, Said};

#[track_caller]
fn told(said: Said, code: i32, verdict: &[&str]) {
    let said = said.ended(code);
    assert_eq!(said.verdict(), verdict, "{}", said.err);
    assert_eq!(said.out, "");
    assert!(!said.err.contains("panicked") && !said.err.contains("goroutine"), "{}", said.err);
}

#[test]
fn no_daemon() {
    let mut project = Project::new();
    project.plain("");
    project.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    told(
        project.flowstorage("build --push"),
        3,
        &[
            "ERROR: the Docker daemon does not answer",
            "hint: start it (systemctl start docker), or name another with --context or DOCKER_HOST",
        ],
    );
}

#[test]
fn no_docker_and_no_buildx() {
    let mut project = Project::without_plugins();
    project.plain("");
    if project.docker(&["buildx", "version"]).code() == 0 {
        // A buildx for all users of this machine cannot be hidden from docker.
        let shadow = project.folder().join("none");
        project.file("none", "");
        project.plugin("docker-buildx", &shadow);
    }
    told(
        project.run(BINARY, &["build", "--push"]),
        3,
        &[
            "ERROR: docker has no buildx plugin",
            "hint: install docker-buildx-plugin (Docker's packages) or docker-buildx (Debian)",
        ],
    );

    project.env("PATH", "/nowhere");
    told(
        project.run(BINARY, &["build", "--push"]),
        3,
        &[
            "ERROR: `docker` is not on PATH",
            "hint: install the docker CLI and its buildx plugin: https://docs.docker.com/engine/install/",
        ],
    );
}

#[test]
fn a_base_image_that_is_not_there() {
    let project = Project::new();
    let base = format!("{}/nothing:here", project.namespace);
    project.file("flow.py", "").spec(&format!("flows = [\"flow.py\"]\nbase_image = \"{base}\"\n"));
    let said = project.flowstorage("build --push").ended(1);
    assert_eq!(said.verdict().len(), 2, "{}", said.err);
    assert!(said.verdict()[0].contains(&base), "{}", said.err);
    assert_eq!(said.verdict()[1], "hint: check name and tag of the base image");
}

#[test]
fn a_registry_that_is_down() {
    let project = Project::new();
    // A port of nobody: it was ours a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    project.plain("");
    let words = format!("build --push -t 127.0.0.1:{port}/team/app:v1");
    let said = project.flowstorage(&words).ended(75);
    assert_eq!(said.verdict().len(), 2, "{}", said.err);
    assert!(said.verdict()[0].ends_with("connect: connection refused"), "{}", said.err);
    assert_eq!(said.out, "");
}

/// A registry on loopback that answers every request in one way.
fn grumpy(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || reply(stream.unwrap(), answer));
        }
    });
    address
}

fn reply(mut stream: TcpStream, answer: &str) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let head = answer.replace('\n', "\r\n");
    let _ = stream
        .write_all(format!("{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
}

#[test]
fn a_registry_that_refuses() {
    for (answer, code, verdict) in [
        (
            "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Basic realm=\"test\"",
            1,
            [
                "ERROR: the registry wants a login",
                "hint: docker login REGISTRY; the account needs the right to push there",
            ],
        ),
        (
            "HTTP/1.1 403 Forbidden",
            1,
            [
                "ERROR: the registry denies access",
                "hint: check the image's name and your rights there; docker login with another account",
            ],
        ),
    ] {
        let project = Project::new();
        project.plain("");
        let line = format!("build --push -t {}/team/app:v1", grumpy(answer));
        told(project.flowstorage(&line), code, &verdict);
    }
    // A registry in trouble is worth another try.
    let project = Project::new();
    project.plain("");
    let host = grumpy("HTTP/1.1 503 Service Unavailable");
    let said = project.flowstorage(&format!("build --push -t {host}/team/app:v1")).ended(75);
    assert_eq!(said.verdict().len(), 2, "{}", said.err);
}

#[test]
fn a_disk_that_is_full() {
    let project = Project::new();
    // As small as a file system can be: the step's own words say what happened.
    let step =
        "RUN --mount=type=tmpfs,target=/small,size=65536 head -c 1000000 /dev/zero >/small/x";
    project.plain(&format!("extra_dockerfile_commands = [\"{step}\"]\n"));
    let said = project.flowstorage("build --push").ended(1);
    assert!(said.verdict()[0].to_lowercase().contains("no space"), "{}", said.err);
}

#[test]
fn two_builds_at_once() {
    let first = Project::new();
    let second = Project::new();
    for project in [&first, &second] {
        project.plain("extra_dockerfile_commands = [\"RUN sleep 1\"]\nimage_tag = \"v1\"\n");
    }
    // Two of one spec, one of another.
    let words = ["flowstorage", "build", "--push"];
    let running = [&first, &first, &second].map(|project| project.start("docker", &words));
    let said = running.map(|running| running.wait(Duration::from_mins(5)).ok());
    assert_eq!(said[0].out, said[1].out);
    for one in &said {
        let (tagged, digest) = one.out.trim().split_once('@').unwrap();
        assert_eq!(Reference::of(tagged).digest().as_deref(), Some(digest));
    }
    first.assert_tidy();
    second.assert_tidy();
}

#[test]
fn names_that_do_not_exist() {
    let project = Project::new();
    project.plain("");
    let said = project.flowstorage("build --push nosuch").ended(2);
    assert_eq!(said.out, "");
    let said = project.flowstorage("build --builder nosuch").ended(3);
    assert_eq!(said.verdict()[1], "hint: `docker buildx ls` lists the builders", "{}", said.err);
    let said = project.docker(&["--context", "nosuch", "flowstorage", "build"]);
    assert_ne!(said.code(), 0, "{}", said.err);
}
