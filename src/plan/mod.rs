//! From a storage to what builds it: Dockerfile, context and bake target.
//!
//! **Invariant:** pure and total; the same storage gives the same bytes.

mod access;
pub mod bake;
pub mod context;
mod deb822;
mod dockerfile;
pub mod quote;
pub mod shell;

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::access::Ssh;
use crate::facts::hex;
use crate::image_ref::{ImageRef, Tag};
use crate::spec::RuntimeKind;
use crate::storage::{Base, BuildOptions, Phase, Storage};

pub use context::{Content, ContextEntry};

/// Everything that a build of one storage needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The storage's name, which is the target's.
    pub name: String,
    /// The references that the image gets; the first is what it is called.
    pub references: Vec<ImageRef>,
    /// The Dockerfile's text.
    pub dockerfile: String,
    /// What keeps files out of the user's context, where it is not in that folder.
    pub dockerignore: Option<String>,
    /// The files that we send, sorted by path.
    pub context: Vec<ContextEntry>,
    /// The folder of the user's own Dockerfile, which is then the main context.
    pub user_context: Option<PathBuf>,
    /// Build arguments that the Dockerfile needs.
    pub args: BTreeMap<String, String>,
    /// Platforms; none for the builder's own.
    pub platforms: Vec<String>,
    /// Options of the build.
    pub build: BuildOptions,
    /// Secrets of the build, as CSV.
    pub secrets: Vec<String>,
    /// Agents and keys of ssh, as buildx names them.
    pub ssh: Vec<String>,
    /// The stage whose files `prefect register` reads, where there is one.
    pub registration: Option<String>,
    /// The base image, where it is the engine's own and must not be pulled.
    pub local_base: Option<String>,
}

/// Plans a storage.
pub fn plan(storage: &Storage) -> Plan {
    let dockerfile = dockerfile::dockerfile(storage);
    let context = context::entries(storage);
    let mut references = storage.references.clone();
    if references.is_empty() {
        let digest = short_digest(&[&dockerfile, &context::digest(&context)]);
        // Twelve hex digits are a tag.
        let tag = storage.tag.clone().or_else(|| digest.parse::<Tag>().ok());
        references.extend(tag.map(|tag| ImageRef { repository: storage.repository.clone(), tag }));
    }
    let mut args: BTreeMap<String, String> = storage.build.args.iter().cloned().collect();
    let mut quoted = storage.env.iter().chain(&storage.labels);
    if quoted.any(|(_, value)| quote::needs_newline(value)) {
        args.insert(quote::NEWLINE_ARG.to_owned(), "\n".to_owned());
    }
    let (user_context, dockerignore) = match &storage.base {
        Base::Image(_) => (None, None),
        Base::Dockerfile(file) => (Some(file.context.clone()), file.ignore.clone()),
    };
    Plan {
        name: storage.name.clone(),
        references,
        dockerfile,
        dockerignore,
        context,
        user_context,
        args,
        platforms: storage.platforms.clone(),
        build: storage.build.clone(),
        secrets: secrets(storage),
        ssh: {
            let ssh = storage.access.ssh.iter().filter(|_| installs(storage));
            ssh.map(Ssh::to_flag).collect()
        },
        registration: registers(storage).then(|| dockerfile::stage(storage, REGISTRATION)),
        local_base: match &storage.base {
            Base::Image(image) if storage.local_image => Some(image.clone()),
            Base::Image(_) | Base::Dockerfile(_) => None,
        },
    }
}

/// The stage that holds what `prefect register` reads.
const REGISTRATION: &str = "registration";

/// Whether the flows are of the kind that a server is told about by a file.
fn registers(storage: &Storage) -> bool {
    storage.runtime == RuntimeKind::Prefect1
}

/// Twelve hex digits of a digest over texts.
fn short_digest(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hex(&hasher.finalize())[..12].to_owned()
}

/// Secrets of the build, each once.
fn secrets(storage: &Storage) -> Vec<String> {
    let of_flows = secret_variables(storage).map(|(id, name)| format!("id={id},env={name}"));
    let mut secrets: Vec<String> = of_flows.collect();
    for secret in storage.access.secrets.iter().filter(|_| installs(storage)) {
        let csv = secret.to_csv();
        if !secrets.contains(&csv) {
            secrets.push(csv);
        }
    }
    secrets
}

/// Ids of secrets of flows, and the variables that they hold.
fn secret_variables(storage: &Storage) -> impl Iterator<Item = (String, &str)> {
    let secret = storage.environment.iter().filter(|variable| variable.value.is_none());
    secret.map(|variable| (format!("flowstorage-{}", variable.name), variable.name.as_str()))
}

/// Whether anything is installed from a Python index.
fn installs(storage: &Storage) -> bool {
    !storage.requirements.is_empty() || storage.engine.is_some()
}

/// Whether there is a stage in which Python packages are compiled.
fn compiles(storage: &Storage) -> bool {
    let adds = !storage.added.build.is_empty();
    let is_built = storage.local.iter().any(|local| local.is_built);
    installs(storage) && (storage.has_packages(Phase::Build) || adds || is_built)
}

/// The user's labels and what we record: flows with their locations, the runtime, our version.
fn labels(storage: &Storage) -> Vec<(String, String)> {
    let flows: BTreeMap<&str, &str> =
        storage.flows.iter().map(|flow| (flow.name.as_str(), flow.location.as_str())).collect();
    let mut labels = storage.labels.clone();
    labels.extend([
        ("flowstorage.flows".to_owned(), serde_json::to_string(&flows).unwrap_or_default()),
        ("flowstorage.runtime".to_owned(), storage.runtime.name().to_owned()),
        ("flowstorage.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    labels
}
