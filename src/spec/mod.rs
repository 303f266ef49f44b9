//! What the user wrote: keys, values and where they stand.
//!
//! **Invariant:** a spec says what is in the file and nothing of the machine; every key that the
//! file may hold is in [`keys::KEYS`].

pub mod credentials;
pub mod document;
pub mod edit;
pub mod keys;
mod read;
pub mod script;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::problem::{Place, Problem};
use document::{Located, Node, Table};

/// A value with the place that it was written at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
}

/// A spec file: one or more storages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecFile {
    /// The file as the user named it.
    pub file: String,
    /// The folder that paths are relative to.
    pub folder: PathBuf,
    /// In the order of the file.
    pub storages: Vec<StorageSpec>,
    /// Keys that are there but could not be read: that they have no value is no problem of its
    /// own.
    pub unread: Vec<String>,
    /// The flow script that is the spec, absolute.
    pub script: Option<PathBuf>,
}

impl SpecFile {
    /// Whether a flow script is the spec.
    pub fn is_script(&self) -> bool {
        self.script.is_some()
    }
}

/// The keys of one storage, inherited ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the keys of the spec, described in `keys::KEYS`")]
pub struct StorageSpec {
    /// The NAME of `[storage.NAME]`, none for a spec without such tables.
    pub name: Option<String>,
    /// Where the storage begins.
    pub place: Option<Place>,
    pub flows: Option<Keyed<Vec<FlowSpec>>>,
    pub runtime: Option<Keyed<RuntimeKind>>,
    pub registry_url: Option<Keyed<String>>,
    pub image_name: Option<Keyed<String>>,
    pub image_tag: Option<Keyed<String>>,
    pub base_image: Option<Keyed<String>>,
    pub dockerfile: Option<Keyed<String>>,
    pub dockerignore: Option<Keyed<String>>,
    pub python_version: Option<Keyed<String>>,
    pub python_dependencies: Option<Keyed<Vec<Keyed<String>>>>,
    pub requirements: Option<Keyed<Vec<Keyed<String>>>>,
    pub env_vars: Option<Keyed<Vec<Pair>>>,
    pub files: Option<Keyed<Vec<Pair>>>,
    pub system_packages: Option<Keyed<Vec<Keyed<String>>>>,
    pub build_packages: Option<Keyed<Vec<Keyed<String>>>>,
    pub infer_system_packages: Option<Keyed<bool>>,
    pub exclude_system_packages: Option<Keyed<Vec<Keyed<String>>>>,
    pub required_commands: Option<Keyed<Vec<Keyed<String>>>>,
    pub apt_repositories: Option<Keyed<Vec<Located>>>,
    pub recipes: Option<Keyed<Node>>,
    pub index_url: Option<Keyed<String>>,
    pub extra_index_urls: Option<Keyed<Vec<Keyed<String>>>>,
    pub build_secrets: Option<Keyed<Vec<Pair>>>,
    pub ssh: Option<Keyed<Vec<Keyed<String>>>>,
    pub ca_certificates: Option<Keyed<Vec<Keyed<String>>>>,
    pub keep_ca_certificates: Option<Keyed<bool>>,
    pub extra_dockerfile_commands: Option<Keyed<Vec<Keyed<String>>>>,
    pub prefect_version: Option<Keyed<String>>,
    pub prefect_directory: Option<Keyed<String>>,
    pub path: Option<Keyed<String>>,
    pub stored_as_script: Option<Keyed<bool>>,
    pub ignore_healthchecks: Option<Keyed<bool>>,
    pub import_check_exclude: Option<Keyed<Vec<Keyed<String>>>>,
    pub platforms: Option<Keyed<Vec<Keyed<String>>>>,
    pub image_labels: Option<Keyed<Vec<Pair>>>,
    pub user: Option<Keyed<String>>,
    pub modules: Option<Keyed<Vec<Keyed<String>>>>,
    pub local_image: Option<Keyed<bool>>,
    pub secrets: Option<Keyed<Vec<Keyed<String>>>>,
    pub base_url: Option<Keyed<String>>,
    pub tls_config: Option<Keyed<Node>>,
    pub build_kwargs: Option<Keyed<Table>>,
    /// Values that a flow script computes: no key has them until someone says what they are.
    pub unknown: Vec<UnknownValue>,
}

impl StorageSpec {
    /// Files that tables of `apt_repositories` and `recipes` name, and whether each is a key.
    pub fn files_in_tables(&self) -> Vec<(&str, bool)> {
        let recipes = self.recipes.iter().filter_map(|recipes| match &recipes.value {
            Node::Table(table) => Some(table.entries.iter().map(|recipe| &recipe.value.node)),
            _ => None,
        });
        let repositories = self.apt_repositories.iter().flat_map(|list| &list.value);
        let mut found = Vec::new();
        for node in repositories.map(|item| &item.node).chain(recipes.flatten()) {
            let Node::Table(table) = node else { continue };
            for (name, is_key) in [("signed_by", true), ("file", false)] {
                let Some(entry) = table.get(name) else { continue };
                let one = std::slice::from_ref(&entry.value);
                let items = match &entry.value.node {
                    Node::List(items) => items.as_slice(),
                    _ => one,
                };
                let paths = items.iter().filter_map(|item| match &item.node {
                    Node::String(path) => Some((path.as_str(), is_key)),
                    _ => None,
                });
                found.extend(paths);
            }
        }
        found
    }
}

/// A value of a flow script that only a run could tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownValue {
    /// The key of the spec; `**` where it may be any.
    pub key: String,
    /// The entry of a table, or the number of an item of a list, where only that is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The expression as it is written.
    pub expression: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The environment variable that would tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The environment variable whose value it holds, which looks like a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The file that would tell, if it were there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_file: Option<String>,
}

/// A key and a value of a table whose keys are the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// The value as text: numbers and booleans as Python's `str()` gives them.
    pub value: String,
    /// The place of the key.
    pub place: Place,
}

/// One entry of `flows`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSpec {
    /// The flow's name where the spec gives it.
    pub name: Option<String>,
    /// A path or a glob.
    pub path: String,
    /// Where it stands.
    pub place: Place,
}

/// Which kind of flow a script defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeKind {
    /// Prefect 1.x.
    Prefect1,
    /// Prefect 2 and 3.
    Prefect,
    /// A script without a workflow engine.
    Python,
}

impl RuntimeKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Prefect1, Self::Prefect, Self::Python];

    /// The word in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prefect1 => "prefect1",
            Self::Prefect => "prefect",
            Self::Python => "python",
        }
    }
}

/// How the text of a spec is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `flowstorage.toml`: the keys are at the top level.
    Toml,
    /// `pyproject.toml`: the keys are in `[tool.flowstorage]`.
    Pyproject,
    /// The shape of the TOML file, in JSON.
    Json,
}

impl Format {
    /// The format that a file of this name has.
    pub fn of(path: &Path) -> Self {
        let is = |name: &str| path.file_name().is_some_and(|file| file == name);
        if is("pyproject.toml") {
            Self::Pyproject
        } else if path.extension().is_some_and(|extension| extension == "json") {
            Self::Json
        } else {
            Self::Toml
        }
    }
}

/// Reads a spec. All problems of syntax, keys and types are returned beside what could be read.
pub fn parse(text: &str, format: Format, file: &str, folder: PathBuf) -> (SpecFile, Vec<Problem>) {
    let (table, mut problems) = match format {
        Format::Json => document::from_json(text, file),
        Format::Toml | Format::Pyproject => document::from_toml(text, file),
    };
    let had_syntax_errors = !problems.is_empty();
    let storages = match format {
        Format::Toml | Format::Json => read::storages(&table, file, &mut problems),
        Format::Pyproject => match read::tool_table(&table) {
            Some(table) => read::storages(table, file, &mut problems),
            None if had_syntax_errors => Vec::new(),
            None => {
                problems.push(Problem {
                    key: None,
                    place: Some(Place { file: file.to_owned(), line: 1 }),
                    message: format!("`{file}` has no table `[tool.flowstorage]`"),
                    remedy: "add the table, or name another spec with --file".to_owned(),
                });
                Vec::new()
            }
        },
    };
    let unread = problems.iter().filter_map(|problem| problem.key.clone()).collect();
    (SpecFile { file: file.to_owned(), folder, storages, unread, script: None }, problems)
}
