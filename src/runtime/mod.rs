//! The kinds of flow: what each needs in an image, and where it is found there.
//!
//! **Invariant:** what differs between runtimes is said here and in `image/flows.py`, nowhere else.

mod prefect;
mod prefect1;
mod python;

use crate::python::script::{Because, FlowKind, Script, Unknown, Value};
use crate::spec::RuntimeKind;
use crate::storage::Engine;

/// The Python programs that run in the image during a build, by file name.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("check_environment.py", include_str!("image/check_environment.py")),
    ("flows.py", include_str!("image/flows.py")),
    ("flowstorage_arguments.py", include_str!("image/flowstorage_arguments.py")),
    ("flowstorage_distributions.py", include_str!("image/flowstorage_distributions.py")),
    ("flowstorage_elf.py", include_str!("image/flowstorage_elf.py")),
    ("flowstorage_environment.py", include_str!("image/flowstorage_environment.py")),
    ("flowstorage_imports.py", include_str!("image/flowstorage_imports.py")),
    ("flowstorage_libraries.py", include_str!("image/flowstorage_libraries.py")),
    ("flowstorage_loader.py", include_str!("image/flowstorage_loader.py")),
    ("flowstorage_needs.py", include_str!("image/flowstorage_needs.py")),
    ("flowstorage_odbc.py", include_str!("image/flowstorage_odbc.py")),
    ("flowstorage_prefect.py", include_str!("image/flowstorage_prefect.py")),
    ("flowstorage_prefect1.py", include_str!("image/flowstorage_prefect1.py")),
    ("flowstorage_probe.py", include_str!("image/flowstorage_probe.py")),
    ("flowstorage_python.py", include_str!("image/flowstorage_python.py")),
    ("flowstorage_tables.py", include_str!("image/flowstorage_tables.py")),
];
/// The program that makes local modules importable from anywhere.
pub const MODULES_PATH: (&str, &str) = ("modules_path.py", include_str!("image/modules_path.py"));
/// The program that picks the names of packages that the base's release has.
pub const AVAILABLE: (&str, &str) = ("available.sh", include_str!("image/available.sh"));
/// The program that says whether Python's headers must be installed.
pub const HEADERS: (&str, &str) = ("headers.py", include_str!("image/headers.py"));
/// The program that gives the commands that fetch what they fetch with.
pub const INDEXES: &str = include_str!("image/indexes.py");
/// The program that keeps what was compiled as wheels, run in the build stage.
pub const WHEELS: &str = include_str!("image/wheels.py");
/// The part of it that finds Debian packages, and its name.
pub const WHEEL_PACKAGES: (&str, &str) =
    ("wheel_packages.py", include_str!("image/wheel_packages.py"));

/// The program that makes of repositories what apt takes, for `sh`.
pub const REPOSITORIES: (&str, &str) = ("repositories.sh", include_str!("image/repositories.sh"));

/// What a runtime decides.
pub trait Runtime {
    /// The image to start from where the spec names none.
    fn default_base(&self, settings: &Settings<'_>) -> String;

    /// What to install where the base lacks it.
    fn engine(&self, settings: &Settings<'_>) -> Option<Engine>;

    /// Whether a requirement of the user's own says which engine is wanted, so that ours is not.
    fn yields_to_requirements(&self) -> bool;

    /// Debian packages that building [`Runtime::engine`] takes on a plain base.
    fn engine_build_packages(
        &self,
        settings: &Settings<'_>,
        base_has_engine: bool,
    ) -> &'static [&'static str];

    /// Whether an image of this name brings the engine.
    fn is_in_base(&self, base: &str) -> bool;

    /// Environment variables that the image needs; the spec's own win.
    fn env(&self, settings: &Settings<'_>) -> Vec<(String, String)>;

    /// The flows of a script, or why they cannot be known.
    fn flows(&self, script: &Script, stem: &str) -> Result<Vec<NamedFlow>, NoFlows>;

    /// The path of a flow in the image. `script` is the script's path below the folder of the spec,
    /// or its name.
    fn location(&self, settings: &Settings<'_>, slug: &str, script: &str) -> String;

    /// The folder of local modules in the image.
    fn modules_folder(&self, settings: &Settings<'_>) -> String;

    /// The folder that a container starts in, where it is not the base's.
    fn workdir(&self, settings: &Settings<'_>) -> Option<String>;

    /// Whether a flow has a file of its own, named by its slug.
    fn has_slugs(&self) -> bool;

    /// Whether several flows of one script have one location.
    fn shares_locations(&self) -> bool;
}

/// A flow of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFlow {
    /// Its name.
    pub name: String,
    /// Its function, where it is one.
    pub function: Option<String>,
    /// The line where it is made, counted from 1.
    pub line: usize,
}

/// Why the flows of a script cannot be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoFlows {
    /// The line of the script, counted from 1.
    pub line: usize,
    /// One line.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What of the spec decides about locations and versions.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// `prefect_directory`.
    pub directory: Option<&'a str>,
    /// `path`.
    pub path: Option<&'a str>,
    /// `prefect_version`.
    pub prefect_version: Option<&'a str>,
    /// `python_version`.
    pub python_version: Option<&'a str>,
    /// `stored_as_script`.
    pub stored_as_script: bool,
    /// Name of the storage.
    pub storage: &'a str,
}

/// The runtime of a kind.
pub fn of(kind: RuntimeKind) -> &'static dyn Runtime {
    match kind {
        RuntimeKind::Prefect1 => &prefect1::Prefect1,
        RuntimeKind::Prefect => &prefect::Prefect,
        RuntimeKind::Python => &python::Python,
    }
}

/// The runtime that a script's flows ask for.
pub fn detect(script: &Script) -> RuntimeKind {
    if let Some(flow) = script.flows.first() {
        return match flow.kind {
            FlowKind::Prefect1 => RuntimeKind::Prefect1,
            FlowKind::Prefect => RuntimeKind::Prefect,
        };
    }
    let prefect = |name: &String| name == "prefect" || name.starts_with("prefect.");
    let is_prefect = script.imports.iter().any(prefect) || !script.storages.is_empty();
    if is_prefect { RuntimeKind::Prefect1 } else { RuntimeKind::Python }
}

/// The flows of one kind of Prefect that a script makes.
fn prefect_flows(script: &Script, kind: FlowKind) -> Result<Vec<NamedFlow>, NoFlows> {
    let remedy = || "write flows = { \"flow name\" = \"path of the script\" }".to_owned();
    let mut flows = Vec::new();
    for flow in script.flows.iter().filter(|flow| flow.kind == kind) {
        let Value::Text(name) = &flow.name else {
            let (message, remedy) = match &flow.name {
                Value::Unknown(Unknown { because: Because::Variable(variable), .. }) => (
                    format!(
                        "the name of this flow needs the environment variable `{variable}`, which \
                         is not set"
                    ),
                    format!("set it, or {}", remedy()),
                ),
                Value::Unknown(unknown) => (
                    format!(
                        "the name of this flow is known only when it runs: `{}`",
                        unknown.expression
                    ),
                    remedy(),
                ),
                _ => ("the name of this flow is not a text".to_owned(), remedy()),
            };
            return Err(NoFlows { line: flow.at.line, message, remedy });
        };
        let (name, function) = (name.clone(), flow.function.clone());
        flows.push(NamedFlow { name, function, line: flow.at.line });
    }
    if flows.is_empty() {
        return Err(NoFlows {
            line: 1,
            message: "no flow is made in this script".to_owned(),
            remedy: remedy(),
        });
    }
    Ok(flows)
}

/// Joins a folder and a name with one slash.
fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
