//! A storage: one image to build, resolved and valid.
//!
//! **Invariant:** planning a value of these types cannot fail.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::access::Access;
use crate::deps::requirements::Requirements;
use crate::facts::FileFact;
use crate::facts::modules::ModuleFile;
use crate::image_ref::{ImageRef, Repository, Tag};
use crate::problem::Problem;
use crate::spec::{RuntimeKind, UnknownValue};
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
    /// Debian packages that nobody named, each with its reason: what dependencies, flows and
    /// recipes need.
    pub needed: Vec<NeededPackage>,
    /// What else to do where the base turns out to have no apt; none where it is known to have it.
    pub without_apt: Option<String>,
    /// Drivers of ODBC that the flows name.
    pub odbc_drivers: Vec<String>,
    /// Repositories of Debian packages besides the base's.
    pub apt_repositories: Vec<AptRepository>,
    /// Named bundles of packages and settings.
    pub recipes: Vec<Recipe>,
    /// Whether packages that nobody named are looked for.
    pub infer: bool,
    /// Those that are not to be added although they are found to be needed.
    pub excluded_packages: Vec<String>,
    /// Debian packages that a failed build was found to lack, one list per attempt.
    pub added: Added,
    /// Programs that must be on PATH in the image.
    pub required_commands: Vec<String>,
    /// Python packages.
    pub requirements: Requirements,
    /// Files and folders that Python packages are installed from.
    pub local: Vec<LocalEntry>,
    /// What the build fetches with.
    pub access: Access,
    /// The workflow engine, to be installed where the base lacks it.
    pub engine: Option<Engine>,
    /// Files and folders to copy, in order.
    pub files: Vec<FileEntry>,
    /// Local modules, in a folder that the image's Python imports from.
    pub modules: Modules,
    /// Instructions of the user's own, verbatim.
    pub commands: Vec<String>,
    /// Variables of this machine that loading the flows takes.
    pub environment: Vec<Variable>,
    /// The flows, in order.
    pub flows: Vec<Flow>,
    /// Whether the script itself is what agents load.
    pub stored_as_script: bool,
    /// What Prefect 1's storage says of itself besides its image.
    pub prefect1: Prefect1Fields,
    /// Options of the build.
    pub build: BuildOptions,
    /// Where the engine is, if the spec says so.
    pub address: Option<EngineAddress>,
    /// Whether the base image is the engine's own and not pulled.
    pub local_image: bool,
    /// The folder that a container starts in, where it is not the base's.
    pub workdir: Option<String>,
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
    /// Values of a flow script that are not known and do not matter.
    pub unknown: Vec<UnknownValue>,
    /// What is said about the spec although it can be built.
    pub warnings: Vec<Problem>,
    /// What of the original is no longer needed; said by `check`.
    pub habits: Vec<Problem>,
}

/// Packages that are installed by steps of their own, so that no earlier step is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Only where Python packages are built.
    pub build: Vec<Vec<String>>,
    /// In the image.
    pub run: Vec<Vec<String>>,
}

/// A Debian package that is needed for a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededPackage {
    /// Its names, one per release of the distribution where they differ; apt takes the first that
    /// it has.
    pub names: Vec<String>,
    /// Where it is needed.
    pub phase: Phase,
    /// Whether the build fails where the base has it under none of these names.
    pub is_required: bool,
    /// What needs it, on one line.
    pub because: String,
}

/// Where a Debian package is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Only where Python packages are built.
    Build,
    /// In the image.
    Run,
}

/// The package of Python's headers, which only a Python of the distribution's own needs.
pub const PYTHON_HEADERS: &str = "python3-dev";

impl NeededPackage {
    /// Whether it is needed only where the base's Python comes without its headers.
    pub fn is_python_headers(&self) -> bool {
        self.names == [PYTHON_HEADERS]
    }
}

impl Storage {
    /// The packages of a phase that nobody named.
    pub fn needed_in(&self, phase: Phase) -> impl Iterator<Item = &NeededPackage> {
        self.needed.iter().filter(move |package| package.phase == phase)
    }

    /// The packages of a phase that the spec names.
    pub fn named_in(&self, phase: Phase) -> &[String] {
        match phase {
            Phase::Build => &self.build_packages,
            Phase::Run => &self.system_packages,
        }
    }

    /// Whether anything is installed by apt in a phase.
    pub fn has_packages(&self, phase: Phase) -> bool {
        !self.named_in(phase).is_empty() || self.needed_in(phase).next().is_some()
    }
}

impl Phase {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Run => "run",
        }
    }
}

/// A repository of Debian packages besides the base's. In URIs and suites `{codename}`,
/// `{version}` and `{id}` stand for what the base's os-release says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AptRepository {
    /// What its files are called: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// `deb` and `deb-src`.
    pub types: Vec<String>,
    /// Where it is.
    pub uris: Vec<String>,
    /// Releases, or paths that end in `/`.
    pub suites: Vec<String>,
    /// Parts of the releases.
    pub components: Vec<String>,
    /// Architectures to take from it; none for the base's.
    pub architectures: Vec<String>,
    /// The public keys that may sign it.
    pub keys: Vec<Source>,
    /// Who asks for it.
    pub because: String,
}

/// Where a file comes from that only the build reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The user's machine.
    File(FileFact),
    /// Somewhere else; the builder fetches it.
    Url {
        /// Its address.
        url: String,
        /// The SHA-256 that its content must have, in hex.
        sha256: String,
    },
}

/// A bundle of packages and settings that has a name. Its packages, repositories and environment
/// variables are the storage's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// What it does to the image, on one line.
    pub about: String,
    /// Where the spec asks for it.
    pub origin: String,
    /// Environment variables of the step that installs Debian packages.
    pub install_env: Vec<(String, String)>,
    /// Files that its steps read, by name.
    pub files: Vec<(String, Source)>,
    /// What is run after the installation of Debian packages.
    pub steps: Vec<RecipeStep>,
}

/// A program that a recipe runs in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeStep {
    /// Its file name.
    pub program: &'static str,
    /// Its text, for `sh`.
    pub text: &'static str,
    /// Its arguments.
    pub arguments: Vec<Argument>,
}

/// An argument of a recipe's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A word.
    Text(String),
    /// The path of one of the recipe's files, by its name.
    File(String),
}

/// An environment variable that loading a flow takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; none for what may be a credential, which buildx hands over as a secret.
    pub value: Option<String>,
}

/// Local modules of the flows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    /// Their folder in the image.
    pub folder: String,
    /// Paths below it, sorted.
    pub files: Vec<ModuleFile>,
}

/// Fields of a storage of Prefect 1 that loading a flow takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefect1Fields {
    /// `registry_url` as given.
    pub registry_url: Option<String>,
    /// Names of Prefect secrets.
    pub secrets: Vec<String>,
    /// `prefect_directory`.
    pub directory: Option<String>,
    /// `path`.
    pub path: Option<String>,
    /// `prefect_version`.
    pub version: Option<String>,
}

/// Options of a build, as bake names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// Builds every step anew.
    pub no_cache: bool,
    /// Asks registries for newer images.
    pub pull: bool,
    /// Build arguments, in order.
    pub args: Vec<(String, String)>,
    /// Where cached layers come from, as CSV.
    pub cache_from: Vec<String>,
    /// `default`, `none` or `host`.
    pub network: Option<String>,
    /// Names and addresses.
    pub extra_hosts: Vec<(String, String)>,
    /// Bytes, or a number with a unit.
    pub shm_size: Option<String>,
}

/// How docker reaches an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineAddress {
    /// docker's `--host`.
    pub host: Option<String>,
    /// docker's flags of TLS.
    pub tls: Vec<String>,
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

/// A package of the user's own, as a wheel, an archive or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEntry {
    /// Its path below the folder of local packages.
    pub place: String,
    /// What travels.
    pub tree: Tree,
    /// Whether it must be built before it can be installed.
    pub is_built: bool,
    /// What names it.
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
    /// The function that is the flow, where it is one.
    pub function: Option<String>,
}

impl Flow {
    /// `path:function`, for a flow that is a function.
    pub fn entrypoint(&self) -> Option<String> {
        Some(format!("{}:{}", self.location, self.function.as_ref()?))
    }
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
