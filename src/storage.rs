//! A storage: one image to build, resolved and valid.
//!
//! **Invariant:** planning a value of these types cannot fail.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::deps::requirements::Requirements;
use crate::facts::FileFact;
use crate::image_ref::{ImageRef, Repository, Tag};
use crate::spec::RuntimeKind;
use crate::user_file::Parsed;

/// One image to build.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Name of the bake target, and what users call it.
    pub name: String,
    /// The spec file, as the user named it.
    pub spec: String,
    /// Registry and repository.
    pub repository: Repository,
    /// The tag; none asks for one made of what goes into the image.
    pub tag: Option<Tag>,
    /// References of the command line, which replace repository and tag.
    pub references: Vec<ImageRef>,
    /// What the flows need to be loaded and run.
    pub runtime: RuntimeKind,
    /// Where the image begins.
    pub base: Base,
    /// Version or its beginning that the image's Python must have.
    pub python_version: Option<String>,
    /// Environment variables, in order.
    pub env: Vec<(String, String)>,
    /// Debian packages in the image.
    pub system_packages: Vec<String>,
    /// Debian packages only where Python packages are built.
    pub build_packages: Vec<String>,
    /// Python packages.
    pub requirements: Requirements,
    /// The workflow engine, to be installed where the base lacks it.
    pub engine: Option<Engine>,
    /// Files and folders to copy, in order.
    pub files: Vec<FileEntry>,
    /// Instructions of the user's own, verbatim.
    pub commands: Vec<String>,
    /// The flows, in order.
    pub flows: Vec<Flow>,
    /// Whether the script itself is what agents load.
    pub stored_as_script: bool,
    /// Whether the image is checked.
    pub check: Check,
    /// `os/arch[/variant]`; none for the builder's own.
    pub platforms: Vec<String>,
    /// Labels, in order.
    pub labels: Vec<(String, String)>,
    /// The user that the image runs as where the base's is not root.
    pub user: Option<String>,
    /// Every key of the spec that has a value, and where it came from.
    pub values: BTreeMap<&'static str, Value>,
}

/// A value of the spec with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The value, in the spec's own shape.
    pub value: serde_json::Value,
    /// `file:line`, a flag, `default`, or what it was inferred from.
    pub origin: String,
}

/// Where an image begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// An image of a registry or of the engine.
    Image(String),
    /// The user's own Dockerfile.
    Dockerfile(UserFile),
}

/// A Dockerfile that a user wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFile {
    /// The path as the user gave it.
    pub path: String,
    /// Its text, read as far as ours goes on from it.
    pub parsed: Parsed,
    /// Its folder: the build context.
    pub context: PathBuf,
    /// Patterns that keep files out of the context, where they are not in `.dockerignore`.
    pub ignore: Option<String>,
}

/// A workflow engine that an image may lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// The module whose presence says that the base has it.
    pub module: &'static str,
    /// What to install otherwise.
    pub requirements: Vec<String>,
}

/// A file or folder to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// The last part of the source's path.
    pub basename: String,
    /// Destination, with Docker's meaning of a final `/`.
    pub dest: String,
    /// What is copied.
    pub tree: Tree,
    /// Where the spec asks for it.
    pub origin: String,
}

/// What a [`FileEntry`] copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// One file.
    File(FileFact),
    /// A folder: paths below it, and their files; none for a folder.
    Folder(Vec<(String, Option<FileFact>)>),
}

/// One flow of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its name, by which it is loaded.
    pub name: String,
    /// The script's path as the user gave it.
    pub script: String,
    /// The script's file.
    pub source: FileFact,
    /// Absolute path in the image.
    pub location: String,
}

/// What is checked in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Everything but the imports of these distributions.
    On {
        /// Normalised names.
        exclude: Vec<String>,
    },
    /// Nothing.
    Off,
}
