//! Plain Python: the script is what runs.
//!
//! **Invariant:** nothing but the script is put into the image.

use super::{Runtime, Settings, join};
use crate::python::Script;
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

    fn engine_build_packages(&self, _: bool) -> &'static [&'static str] {
        &[]
    }

    fn is_in_base(&self, _: &str) -> bool {
        true
    }

    fn env(&self, _: &Settings<'_>) -> Vec<(String, String)> {
        Vec::new()
    }

    fn flow_names(&self, _: &Script, stem: &str) -> Result<Vec<String>, (usize, String, String)> {
        Ok(vec![stem.to_owned()])
    }

    fn location(&self, settings: &Settings<'_>, _: &str, script_name: &str) -> String {
        match settings.path {
            Some(path) => path.to_owned(),
            None => join(settings.directory.unwrap_or(DIRECTORY), script_name),
        }
    }

    fn has_slugs(&self) -> bool {
        false
    }
}
