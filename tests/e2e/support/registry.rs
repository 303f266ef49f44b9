//! What the registry knows, read over plain HTTP: nobody of the product is asked.
//!
//! **Invariant:** reads only; every answer is bounded in time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// An answer: its status, its `Docker-Content-Digest` and its body.
#[derive(Debug)]
struct Answer {
    status: u16,
    digest: Option<String>,
    body: Vec<u8>,
}

/// An image as `host/repository` and tag or digest.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    host: String,
    repository: String,
    version: String,
}

impl Reference {
    /// Splits `host:port/name:tag`, with or without `@digest`, which then counts.
    pub(crate) fn of(image: &str) -> Self {
        let (named, digest) = match image.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (image, None),
        };
        let (host, path) = named.split_once('/').unwrap();
        let (repository, tag) = path.split_once(':').unwrap_or((path, "latest"));
        Self {
            host: host.to_owned(),
            repository: repository.to_owned(),
            version: digest.unwrap_or(tag).to_owned(),
        }
    }

    fn get(&self, kind: &str, name: &str) -> Answer {
        // Version 1.0 keeps the answer in one piece.
        let request = format!(
            "GET /v2/{}/{kind}/{name} HTTP/1.0\r\nHost: {}\r\nAccept: {MANIFESTS}\r\n\r\n",
            self.repository, self.host
        );
        let mut stream = TcpStream::connect(&self.host).expect("the test registry answers");
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let header = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("docker-content-digest").then(|| value.to_owned())
        });
        Answer { status, digest: header, body: bytes[end + 4..].to_vec() }
    }

    /// The digest that the registry has for this tag; none if there is no such tag.
    pub(crate) fn digest(&self) -> Option<String> {
        let answer = self.get("manifests", &self.version);
        match answer.status {
            200 => answer.digest,
            404 => None,
            other => panic!("{other} for {self:?}"),
        }
    }

    fn json(&self, kind: &str, name: &str) -> Value {
        let answer = self.get(kind, name);
        assert_eq!(answer.status, 200, "{kind} {name} of {self:?}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The manifest of the machine's own platform, through an index if there is one.
    pub(crate) fn manifest(&self) -> Value {
        let top = self.json("manifests", &self.version);
        let Some(parts) = top.get("manifests").and_then(Value::as_array) else { return top };
        let image = parts.iter().find(|part| part["platform"]["os"] != "unknown").expect("one");
        self.json("manifests", image["digest"].as_str().unwrap())
    }

    /// The image's configuration: environment, labels, history, digests of its layers.
    pub(crate) fn config(&self) -> Value {
        let manifest = self.manifest();
        self.json("blobs", manifest["config"]["digest"].as_str().unwrap())
    }

    /// All tags of the repository; none if it does not exist.
    pub(crate) fn tags(&self) -> Vec<String> {
        let answer = self.get("tags", "list");
        if answer.status == 404 {
            return Vec::new();
        }
        let list: Value = serde_json::from_slice(&answer.body).unwrap();
        let tags = list["tags"].as_array().into_iter().flatten();
        tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }
}
