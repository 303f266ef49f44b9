//! `build_kwargs`, `base_url` and `tls_config`: docker-py's options in the terms of buildx.
//!
//! What the options mean is said by docker-py:
//! <https://docker-py.readthedocs.io/en/stable/api.html#docker.api.build.BuildApiMixin.build>.
//!
//! **Invariant:** an option is done, or refused, or warned of once; none is dropped in silence.

use super::Resolver;
use crate::problem::{Place, Problem};
use crate::spec::SpecFile;
use crate::spec::document::{Entry, Node, Table};
use crate::storage::{BuildOptions, EngineAddress, Storage};

/// Options that the builder of old had and `BuildKit` has no use for, and why not.
const USELESS: &[(&str, &str)] = &[
    ("rm", "BuildKit leaves no containers behind"),
    ("forcerm", "BuildKit leaves no containers behind"),
    ("quiet", "--quiet says less"),
    ("gzip", "BuildKit sends only what changed"),
    ("encoding", "BuildKit sends only what changed"),
    ("timeout", "a build may take as long as it takes"),
    ("container_limits", "BuildKit's steps have the limits of the engine"),
    ("squash", "BuildKit does not squash; build-only packages never enter the image"),
    ("isolation", "only Windows has it"),
    ("use_config_proxy", "docker's configured proxies are always used"),
];

/// Options that would take the build out of our hands.
const OURS: &[&str] = &["path", "dockerfile", "tag", "fileobj", "custom_context", "decode"];

const KNOWN: &[&str] = &[
    "nocache",
    "pull",
    "buildargs",
    "labels",
    "cache_from",
    "target",
    "network_mode",
    "extra_hosts",
    "shmsize",
    "platform",
];

/// What `build_kwargs` asks for.
#[derive(Default)]
pub(super) struct BuildKwargs {
    pub(super) options: BuildOptions,
    pub(super) labels: Vec<(String, String)>,
    pub(super) platforms: Vec<String>,
    pub(super) target: Option<String>,
}

impl Resolver<'_> {
    /// Reads `build_kwargs`.
    pub(super) fn build_kwargs(&mut self) -> BuildKwargs {
        let mut result = BuildKwargs::default();
        let Some(table) = &self.storage.build_kwargs else { return result };
        let file = table.place.file.clone();
        for entry in &table.value.entries {
            let place = Place { file: file.clone(), line: entry.line };
            if let Err((message, remedy)) = read(entry, &mut result) {
                self.problem("build_kwargs", Some(&place), message, remedy);
            }
            if let Some((name, why)) = USELESS.iter().find(|(name, _)| *name == entry.key) {
                self.warnings.push(Problem {
                    key: Some("build_kwargs".to_owned()),
                    place: Some(place.clone()),
                    message: format!("`{name}` in build_kwargs has no effect: {why}"),
                    remedy: "leave it out".to_owned(),
                });
            }
        }
        if let (Some(target), None) = (&result.target, &self.storage.dockerfile) {
            let message = format!("`target` in build_kwargs names a stage, `{target}`");
            let remedy = "leave it out, or give the `dockerfile` that has the stage";
            self.problem("build_kwargs", Some(&table.place), message, remedy);
        }
        result
    }

    /// Where `base_url` and `tls_config` say that the engine is.
    pub(super) fn address(&mut self) -> Option<EngineAddress> {
        let spec = self.storage;
        let host = spec.base_url.as_ref().map(|url| url.value.clone());
        let mut tls = Vec::new();
        if let Some(config) = &spec.tls_config {
            match &config.value {
                Node::Boolean(true) => tls.push("--tlsverify".to_owned()),
                Node::Table(table) => match tls_flags(table) {
                    Ok(flags) => tls = flags,
                    Err((key, message, remedy)) => {
                        let line = table.get(key).map_or(config.place.line, |entry| entry.line);
                        let place = Place { file: config.place.file.clone(), line };
                        self.problem("tls_config", Some(&place), message, remedy);
                    }
                },
                _ => {}
            }
        }
        if let Some(url) = &spec.base_url {
            let is_address = url.value.contains("://") && !url.value.contains(char::is_whitespace);
            if !is_address {
                let message = format!("`{}` is not the address of an engine", url.value);
                let remedy = "write unix:///path, tcp://host:port or ssh://user@host";
                self.problem("base_url", Some(&url.place), message, remedy);
            }
        }
        (host.is_some() || !tls.is_empty()).then_some(EngineAddress { host, tls })
    }
}

/// Storages that are built together are built by one engine.
pub(super) fn one_engine(spec: &SpecFile, storages: &[Storage], problems: &mut Vec<Problem>) {
    let mut addressed = storages.iter();
    let Some(first) = addressed.next() else { return };
    if let Some(other) = addressed.find(|storage| storage.address != first.address) {
        let of = spec.storages.iter().find(|s| s.name.as_deref() == Some(&other.name));
        problems.push(Problem {
            key: Some("base_url".to_owned()),
            place: of.and_then(|storage| storage.place.clone()),
            message: format!("`{}` and `{}` name different engines", first.name, other.name),
            remedy: "build them one at a time, each by its name".to_owned(),
        });
    }
}

type Fault = (String, String);

fn read(entry: &Entry, into: &mut BuildKwargs) -> Result<(), Fault> {
    let key = entry.key.as_str();
    let wrong = |wanted: &str| {
        let kind = entry.value.node.kind();
        (format!("`{key}` in build_kwargs is {kind}"), format!("write {wanted}"))
    };
    let node = &entry.value.node;
    match key {
        "nocache" | "pull" => {
            let Node::Boolean(on) = node else { return Err(wrong("true or false")) };
            let options = &mut into.options;
            *(if key == "pull" { &mut options.pull } else { &mut options.no_cache }) = *on;
        }
        "buildargs" => {
            into.options.args = pairs(node).ok_or_else(|| wrong("a table of strings"))?;
        }
        "labels" => {
            // A list names labels without values.
            into.labels = pairs(node)
                .or_else(|| Some(texts(node)?.into_iter().map(|l| (l, String::new())).collect()))
                .ok_or_else(|| wrong("a table of strings"))?;
        }
        "cache_from" => {
            let images = texts(node).ok_or_else(|| wrong("a list of images"))?;
            let source = |source: String| {
                // docker-py takes images only; a source of buildx is one already.
                if source.contains('=') { source } else { format!("type=registry,ref={source}") }
            };
            into.options.cache_from = images.into_iter().map(source).collect();
        }
        "target" => {
            let Node::String(stage) = node else { return Err(wrong("the name of a stage")) };
            into.target = Some(stage.clone());
        }
        "network_mode" => {
            let unknown = || {
                let remedy = "write \"default\", \"host\" or \"none\"".to_owned();
                (format!("BuildKit has no network {}", shown(node)), remedy)
            };
            into.options.network = Some(network(node).ok_or_else(unknown)?);
        }
        "extra_hosts" => {
            into.options.extra_hosts = pairs(node)
                .or_else(|| {
                    let split = |line: String| {
                        let (name, address) = line.split_once([':', '='])?;
                        Some((name.to_owned(), address.to_owned()))
                    };
                    texts(node)?.into_iter().map(split).collect()
                })
                .ok_or_else(|| wrong("a table of names and addresses"))?;
        }
        "shmsize" => {
            into.options.shm_size = match node {
                Node::Integer(bytes) if *bytes > 0 => Some(bytes.to_string()),
                Node::String(size) if is_size(size) => Some(size.clone()),
                _ => return Err(wrong("a number of bytes")),
            };
        }
        "platform" => {
            let Node::String(platform) = node else { return Err(wrong("os/architecture")) };
            into.platforms = platform.split(',').map(|one| one.trim().to_owned()).collect();
        }
        _ if USELESS.iter().any(|(name, _)| *name == key) => {}
        _ if OURS.contains(&key) => {
            let remedy = match key {
                "dockerfile" => "use the key `dockerfile`",
                "tag" => "use the keys `image_name` and `image_tag`",
                _ => "leave it out",
            };
            let message = format!("`{key}` in build_kwargs is what this tool itself decides");
            return Err((message, remedy.to_owned()));
        }
        _ => {
            let near = KNOWN
                .iter()
                .map(|known| (strsim::damerau_levenshtein(key, known), known))
                .filter(|(distance, _)| *distance <= 3)
                .min();
            let remedy = match near {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None => format!("it may hold {}", KNOWN.join(", ")),
            };
            return Err((format!("`{key}` is no option of a build"), remedy));
        }
    }
    Ok(())
}

/// `BuildKit` has three networks; the engine's own bridge is its default.
fn network(node: &Node) -> Option<String> {
    let Node::String(mode) = node else { return None };
    match mode.as_str() {
        "" | "default" | "bridge" => Some("default".to_owned()),
        "host" | "none" => Some(mode.clone()),
        _ => None,
    }
}

fn shown(node: &Node) -> String {
    match node {
        Node::String(text) => format!("`{text}`"),
        other => format!("that is {}", other.kind()),
    }
}

fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| "bkmgBKMG".contains(c));
    text.len() - digits.len() <= 2
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A value as Python's `str` gives it.
fn text(node: &Node) -> Option<String> {
    match node {
        Node::String(text) | Node::Float(text) => Some(text.clone()),
        Node::Integer(number) => Some(number.to_string()),
        Node::Boolean(true) => Some("True".to_owned()),
        Node::Boolean(false) => Some("False".to_owned()),
        Node::List(_) | Node::Table(_) | Node::Other(_) => None,
    }
}

fn pairs(node: &Node) -> Option<Vec<(String, String)>> {
    let Node::Table(table) = node else { return None };
    table.entries.iter().map(|e| Some((e.key.clone(), text(&e.value.node)?))).collect()
}

fn texts(node: &Node) -> Option<Vec<String>> {
    match node {
        Node::String(one) => Some(vec![one.clone()]),
        Node::List(items) => items.iter().map(|item| text(&item.node)).collect(),
        _ => None,
    }
}

/// The arguments of docker-py's `TLSConfig` as docker's flags.
fn tls_flags(table: &Table) -> Result<Vec<String>, (&str, String, &'static str)> {
    let mut flags = Vec::new();
    let mut verifies = true;
    for entry in &table.entries {
        let key = entry.key.as_str();
        let wrong = |remedy| (key, format!("`{key}` is {}", entry.value.node.kind()), remedy);
        match (key, &entry.value.node) {
            ("client_cert", node) => match texts(node).as_deref() {
                Some([cert, secret]) => {
                    flags.push(format!("--tlscert={cert}"));
                    flags.push(format!("--tlskey={secret}"));
                }
                _ => return Err(wrong("write a list of two files: certificate and key")),
            },
            ("ca_cert" | "verify", Node::String(file)) => {
                flags.push(format!("--tlscacert={file}"));
            }
            ("verify", Node::Boolean(on)) => verifies = *on,
            ("ca_cert", _) => return Err(wrong("write the path of a file")),
            ("verify", _) => return Err(wrong("write true, false, or the path of a file")),
            // docker chooses the version of TLS; it has never checked names otherwise.
            ("ssl_version" | "assert_hostname", _) => {}
            _ => {
                let remedy = "it may hold client_cert, ca_cert and verify";
                return Err((key, format!("`{key}` is no option of TLS"), remedy));
            }
        }
    }
    flags.push(if verifies { "--tlsverify".to_owned() } else { "--tls".to_owned() });
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::document::from_toml;

    fn read_all(toml: &str) -> (BuildKwargs, Vec<String>) {
        let (table, problems) = from_toml(toml, "s.toml");
        assert_eq!(problems, []);
        let mut result = BuildKwargs::default();
        let faults = table.entries.iter().filter_map(|entry| read(entry, &mut result).err());
        let faults = faults.map(|(message, remedy)| format!("{message} / {remedy}")).collect();
        (result, faults)
    }

    #[test]
    fn options_become_those_of_bake() {
        let (read, faults) = read_all(
            "nocache = true\npull = true\nbuildargs = { A = \"1\", B = 2 }\n\
             labels = { team = \"x\" }\ncache_from = [\"r.example.org/a:b\", \"type=gha\"]\n\
             target = \"app\"\nnetwork_mode = \"bridge\"\nextra_hosts = { db = \"10.0.0.1\" }\n\
             shmsize = 67108864\nplatform = \"linux/arm64\"\nrm = true\n",
        );
        assert_eq!(faults, Vec::<String>::new());
        let wanted = BuildOptions {
            no_cache: true,
            pull: true,
            args: vec![("A".into(), "1".into()), ("B".into(), "2".into())],
            cache_from: vec!["type=registry,ref=r.example.org/a:b".into(), "type=gha".into()],
            network: Some("default".into()),
            extra_hosts: vec![("db".into(), "10.0.0.1".into())],
            shm_size: Some("67108864".into()),
        };
        assert_eq!(read.options, wanted);
        assert_eq!(read.labels, [("team".to_owned(), "x".to_owned())]);
        assert_eq!(read.platforms, ["linux/arm64"]);
        assert_eq!(read.target.as_deref(), Some("app"));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let (_, faults) = read_all(
            "no_cache = true\ntag = \"x\"\nnetwork_mode = \"my-net\"\nshmsize = \"big\"\n\
             pull = \"yes\"\nzzzzzzzz = 1\n",
        );
        let all = "nocache, pull, buildargs, labels, cache_from, target, network_mode, \
                   extra_hosts, shmsize, platform";
        assert_eq!(
            faults,
            [
                "`no_cache` is no option of a build / did you mean `nocache`?".to_owned(),
                "`tag` in build_kwargs is what this tool itself decides / \
                 use the keys `image_name` and `image_tag`"
                    .to_owned(),
                "BuildKit has no network `my-net` / write \"default\", \"host\" or \"none\""
                    .to_owned(),
                "`shmsize` in build_kwargs is a string / write a number of bytes".to_owned(),
                "`pull` in build_kwargs is a string / write true or false".to_owned(),
                format!("`zzzzzzzz` is no option of a build / it may hold {all}"),
            ]
        );
    }

    #[test]
    fn a_tls_config_becomes_flags() {
        let flags = |toml: &str| {
            let (table, _) = from_toml(toml, "s.toml");
            tls_flags(&table).map_err(|(_, message, _)| message)
        };
        assert_eq!(
            flags("client_cert = [\"c.pem\", \"k.pem\"]\nca_cert = \"ca.pem\"\nverify = true"),
            Ok(["--tlscert=c.pem", "--tlskey=k.pem", "--tlscacert=ca.pem", "--tlsverify"]
                .map(str::to_owned)
                .to_vec())
        );
        assert_eq!(flags("verify = false"), Ok(vec!["--tls".to_owned()]));
        assert_eq!(flags("client_cert = \"c.pem\""), Err("`client_cert` is a string".to_owned()));
    }
}
