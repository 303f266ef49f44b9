//! The kinds of flow: what each needs in an image, and where it is found there.
//!
//! **Invariant:** what differs between runtimes is said here and in `image/flows.py`, nowhere else.

mod prefect1;
mod python;

use crate::python::Script;
use crate::spec::RuntimeKind;
use crate::storage::Engine;

/// The Python programs that run in the image during a build, by file name.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("check_environment.py", include_str!("image/check_environment.py")),
    ("flows.py", include_str!("image/flows.py")),
    ("flowstorage_distributions.py", include_str!("image/flowstorage_distributions.py")),
    ("flowstorage_prefect1.py", include_str!("image/flowstorage_prefect1.py")),
    ("flowstorage_probe.py", include_str!("image/flowstorage_probe.py")),
    ("flowstorage_python.py", include_str!("image/flowstorage_python.py")),
];
/// The program that keeps what was compiled as wheels, run in the build stage.
pub const WHEELS: &str = include_str!("image/wheels.py");

/// What a runtime decides.
pub trait Runtime {
    /// The image to start from where the spec names none.
    fn default_base(&self, settings: &Settings<'_>) -> String;

    /// What to install where the base lacks it.
    fn engine(&self, settings: &Settings<'_>) -> Option<Engine>;

    /// Debian packages that building [`Runtime::engine`] takes on a plain base.
    fn engine_build_packages(&self, base_has_engine: bool) -> &'static [&'static str];

    /// Whether an image of this name brings the engine.
    fn is_in_base(&self, base: &str) -> bool;

    /// Environment variables that the image needs; the spec's own win.
    fn env(&self, settings: &Settings<'_>) -> Vec<(String, String)>;

    /// The names of a script's flows, or why they cannot be known: a line, message and remedy.
    fn flow_names(
        &self,
        script: &Script,
        stem: &str,
    ) -> Result<Vec<String>, (usize, String, String)>;

    /// The path of a flow in the image.
    fn location(&self, settings: &Settings<'_>, slug: &str, script_name: &str) -> String;

    /// Whether flows are loaded by a name that must have a slug of its own.
    fn has_slugs(&self) -> bool;
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
}

/// The runtime of a kind.
pub fn of(kind: RuntimeKind) -> &'static dyn Runtime {
    match kind {
        RuntimeKind::Prefect1 => &prefect1::Prefect1,
        RuntimeKind::Python => &python::Python,
    }
}

/// The runtime that a script's imports ask for, or why there is none.
pub fn detect(script: &Script) -> Result<RuntimeKind, String> {
    let prefect = |name: &String| name == "prefect" || name.starts_with("prefect.");
    if !script.imports.iter().any(prefect) {
        return Ok(RuntimeKind::Python);
    }
    // `flow` came with Prefect 2, where `Flow` is no longer made by hand.
    if script.prefect_names.iter().any(|name| name == "flow") {
        return Err("the script is a flow of Prefect 2 or 3, which has no runtime yet".to_owned());
    }
    Ok(RuntimeKind::Prefect1)
}

/// Joins a folder and a name with one slash.
fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}
