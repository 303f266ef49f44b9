//! What travels so that a build can fetch: the program that sets the variables, certificates, and
//! the user's own packages.
//!
//! **Invariant:** no secret travels, only the names of secrets.

use serde::Serialize;

use super::context::{Content, ContextEntry, MOUNT, json};
use crate::runtime;
use crate::storage::{Storage, Tree};

/// Where local packages are below the context.
const LOCAL: &str = "python/local";
/// Where the bundle of certificates is seen.
pub(super) const TRUST: &str = "/mnt/flowstorage/trust";

/// Where local packages are during a build step.
pub(super) fn local_folder() -> String {
    format!("{MOUNT}/{LOCAL}")
}

/// What `indexes.py` reads.
#[derive(Serialize)]
struct IndexesSpec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    extra: &'a [String],
    /// Variables that URLs of requirements name.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    in_requirements: &'a [String],
    /// Secrets that are variables of the same name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    environment: Vec<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    netrc: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificates: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ssh: bool,
}

/// Whether a wrapper must give the commands that fetch what they fetch with.
pub(super) fn is_wrapped(storage: &Storage) -> bool {
    super::installs(storage) && storage.access.is_needed()
}

/// The entries of a storage's context.
pub(super) fn entries(storage: &Storage) -> Vec<ContextEntry> {
    let access = &storage.access;
    let mut entries = Vec::new();
    let mut push = |path: String, content: Content, because: &str| {
        entries.push(ContextEntry { path, content, because: because.to_owned() });
    };
    if is_wrapped(storage) {
        let spec = IndexesSpec {
            default: access.indexes.default.as_deref(),
            extra: &access.indexes.extra,
            in_requirements: &access.in_requirements,
            environment: access.secrets.iter().filter_map(|s| s.variable.as_deref()).collect(),
            netrc: access.has_netrc(),
            certificates: (!access.certificates.is_empty()).then(|| format!("{TRUST}/bundle.pem")),
            ssh: !access.ssh.is_empty(),
        };
        let because = "what Python packages are fetched with";
        let program = Content::Text(runtime::INDEXES.to_owned());
        push("indexes/indexes.py".to_owned(), program, because);
        push("indexes/indexes.json".to_owned(), Content::Text(json(&spec)), because);
    }
    for (at, certificate) in access.certificates.iter().enumerate() {
        let path = format!("certificates/flowstorage-{}.crt", at + 1);
        push(path, Content::Text(certificate.clone()), "ca_certificates");
    }
    for local in &storage.local {
        let root = format!("{LOCAL}/{}", local.place);
        match &local.tree {
            Tree::File(file) => push(root, Content::File(file.clone()), &local.origin),
            Tree::Folder(below) => {
                push(root.clone(), Content::Folder, &local.origin);
                for (path, file) in below {
                    let content = file.clone().map_or(Content::Folder, Content::File);
                    push(format!("{root}/{path}"), content, &local.origin);
                }
            }
        }
    }
    entries
}
