//! Prefect 1.x: flows are serialised where its agents expect them.
//!
//! **Invariant:** locations, environment and default images are those of `prefect.storage.Docker`.

use super::{Runtime, Settings, join};
use crate::python::Script;
use crate::storage::Engine;

/// The last release of Prefect 1.
const VERSION: &str = "1.4.1";
const DIRECTORY: &str = "/opt/prefect";
/// Pythons that `prefecthq/prefect` was published for.
const PUBLISHED: [&str; 4] = ["3.7", "3.8", "3.9", "3.10"];
/// Prefect 1 cannot live with marshmallow 4 and pendulum 3, which removed what it uses.
const CONSTRAINTS: [&str; 2] = ["marshmallow<4", "pendulum<3"];

/// The runtime.
#[derive(Debug)]
pub(super) struct Prefect1;

impl Runtime for Prefect1 {
    fn default_base(&self, settings: &Settings<'_>) -> String {
        let version = settings.prefect_version.unwrap_or(VERSION);
        let python = settings.python_version.unwrap_or("3.10");
        let minor: Vec<&str> = python.split('.').take(2).collect();
        let minor = minor.join(".");
        if PUBLISHED.contains(&minor.as_str()) {
            format!("prefecthq/prefect:{version}-python{minor}")
        } else {
            format!("python:{python}-slim")
        }
    }

    fn engine(&self, settings: &Settings<'_>) -> Option<Engine> {
        let version = settings.prefect_version.unwrap_or(VERSION);
        let mut requirements = vec![format!("prefect=={version}")];
        requirements.extend(CONSTRAINTS.map(str::to_owned));
        Some(Engine { module: "prefect", requirements })
    }

    /// pendulum 2 has no wheel for Python 3.10 and later.
    fn engine_build_packages(&self, base_has_engine: bool) -> &'static [&'static str] {
        if base_has_engine { &[] } else { &["gcc", "libc6-dev"] }
    }

    fn is_in_base(&self, base: &str) -> bool {
        base.split([':', '@']).next().is_some_and(|name| name.ends_with("prefecthq/prefect"))
    }

    fn env(&self, settings: &Settings<'_>) -> Vec<(String, String)> {
        let directory = settings.directory.unwrap_or(DIRECTORY);
        vec![("PREFECT__USER_CONFIG_PATH".to_owned(), join(directory, "config.toml"))]
    }

    fn flow_names(&self, script: &Script, _: &str) -> Result<Vec<String>, (usize, String, String)> {
        let remedy = || "write flows = { \"flow name\" = \"path of the script\" }".to_owned();
        if let Some(line) = script.unnamed_flows.first() {
            return Err((
                *line,
                "the name of this flow is known only when it runs".into(),
                remedy(),
            ));
        }
        if script.flows.is_empty() {
            return Err((1, "no flow is made in this script".to_owned(), remedy()));
        }
        Ok(script.flows.iter().map(|(name, _)| name.clone()).collect())
    }

    fn location(&self, settings: &Settings<'_>, slug: &str, script_name: &str) -> String {
        if let Some(path) = settings.path {
            return path.to_owned();
        }
        let flows = join(settings.directory.unwrap_or(DIRECTORY), "flows");
        if settings.stored_as_script {
            join(&flows, script_name)
        } else {
            join(&flows, &format!("{slug}.prefect"))
        }
    }

    fn has_slugs(&self) -> bool {
        true
    }
}
