//! Plain Python: the script is what runs.
//!
//! **Invariant:** nothing but the script and its modules is put into the image.

use super::{NamedFlow, NoFlows, Runtime, Settings, file_name, join};
use crate::python::script::Script;
use crate::storage::Engine;

const DIRECTORY: &str = "/opt/flows";

/// The runtime.
#[derive(Debug)]
pub(super) struct Python;

impl Runtime for Python {
    fn default_base(&self, settings: &Settings<'_>) -> String {
        format!("python:{}-slim", settings.python_version.unwrap_or("3.13"))
    }

    fn engine(&self, _: &Settings<'_>) -> Option<Engine> {
        None
    }

    fn engine_build_packages(&self, _: &Settings<'_>, _: bool) -> &'static [&'static str] {
        &[]
    }

    fn yields_to_requirements(&self) -> bool {
        false
    }

    fn is_in_base(&self, _: &str) -> bool {
        true
    }

    fn env(&self, _: &Settings<'_>) -> Vec<(String, String)> {
        Vec::new()
    }

    fn flows(&self, _: &Script, stem: &str) -> Result<Vec<NamedFlow>, NoFlows> {
        Ok(vec![NamedFlow { name: stem.to_owned(), function: None, line: 1 }])
    }

    fn location(&self, settings: &Settings<'_>, _: &str, script: &str) -> String {
        match settings.path {
            Some(path) => path.to_owned(),
            None => join(settings.directory.unwrap_or(DIRECTORY), file_name(script)),
        }
    }

    /// Beside the scripts, as on the user's machine.
    fn modules_folder(&self, settings: &Settings<'_>) -> String {
        settings.directory.unwrap_or(DIRECTORY).to_owned()
    }

    fn workdir(&self, _: &Settings<'_>) -> Option<String> {
        None
    }

    fn has_slugs(&self) -> bool {
        false
    }

    fn shares_locations(&self) -> bool {
        false
    }
}
