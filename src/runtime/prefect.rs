//! Prefect 2 and 3: scripts and modules lie as Prefect's own automatic image has them.
//!
//! **Invariant:** a deployment finds a flow by its entrypoint, relative to the working folder.

use super::{NamedFlow, NoFlows, Runtime, Settings, file_name, join, prefect_flows};
use crate::python::script::{FlowKind, Script};
use crate::storage::Engine;

/// The release that is taken where nothing names one.
const VERSION: &str = "3.8.8";
const DIRECTORY: &str = "/opt/prefect";
/// Prefect 3.8 cannot run a flow with 0.155 (`Body()` lost an argument that it passes), nor deploy
/// one with 0.151.
const CONSTRAINTS: [&str; 1] = ["fastapi<0.151"];

/// The runtime.
#[derive(Debug)]
pub(super) struct Prefect;

impl Prefect {
    /// Where Prefect's automatic image has the project.
    fn folder(settings: &Settings<'_>) -> String {
        join(settings.directory.unwrap_or(DIRECTORY), settings.storage)
    }
}

impl Runtime for Prefect {
    /// Prefect's own image: <https://docs.prefect.io/v3/how-to-guides/deployment_infra/docker>.
    fn default_base(&self, settings: &Settings<'_>) -> String {
        let version = settings.prefect_version.unwrap_or(VERSION);
        let minor: Vec<&str> =
            settings.python_version.unwrap_or("3.12").split('.').take(2).collect();
        format!("prefecthq/prefect:{version}-python{}", minor.join("."))
    }

    fn engine(&self, settings: &Settings<'_>) -> Option<Engine> {
        let version = settings.prefect_version.unwrap_or(VERSION);
        let mut requirements = vec![format!("prefect=={version}")];
        if version.starts_with("3.8.") {
            requirements.extend(CONSTRAINTS.map(str::to_owned));
        }
        Some(Engine { module: "prefect", requirements })
    }

    fn engine_build_packages(&self, _: &Settings<'_>, _: bool) -> &'static [&'static str] {
        &[]
    }

    fn yields_to_requirements(&self) -> bool {
        true
    }

    fn is_in_base(&self, base: &str) -> bool {
        base.split([':', '@']).next().is_some_and(|name| name.ends_with("prefecthq/prefect"))
    }

    fn env(&self, _: &Settings<'_>) -> Vec<(String, String)> {
        Vec::new()
    }

    fn flows(&self, script: &Script, _: &str) -> Result<Vec<NamedFlow>, NoFlows> {
        prefect_flows(script, FlowKind::Prefect)
    }

    fn location(&self, settings: &Settings<'_>, _: &str, script: &str) -> String {
        if let Some(path) = settings.path {
            return path.to_owned();
        }
        // What is not below the project has no place of its own there.
        let is_below = !script.starts_with('/') && !script.split('/').any(|part| part == "..");
        let script = if is_below { script.trim_start_matches("./") } else { file_name(script) };
        join(&Self::folder(settings), script)
    }

    fn modules_folder(&self, settings: &Settings<'_>) -> String {
        Self::folder(settings)
    }

    fn workdir(&self, settings: &Settings<'_>) -> Option<String> {
        Some(Self::folder(settings))
    }

    fn has_slugs(&self) -> bool {
        false
    }

    fn shares_locations(&self) -> bool {
        true
    }
}
