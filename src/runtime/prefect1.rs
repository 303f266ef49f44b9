//! Prefect 1.x: flows are serialised where its agents expect them.
//!
//! **Invariant:** locations, environment and default images are those of `prefect.storage.Docker`.

use std::str::FromStr;

use pep440_rs::Version;

use super::{NamedFlow, NoFlows, Runtime, Settings, file_name, join, prefect_flows};
use crate::python::script::{FlowKind, Script};
use crate::storage::Engine;

/// The last release of Prefect 1.
const VERSION: &str = "1.4.1";
const DIRECTORY: &str = "/opt/prefect";
/// Where revisions that were never released come from.
const REPOSITORY: &str = "git+https://github.com/PrefectHQ/prefect.git";
/// Pythons that `prefecthq/prefect` was published for.
const PUBLISHED: [&str; 4] = ["3.7", "3.8", "3.9", "3.10"];
/// Prefect 1 cannot live with marshmallow 4 and pendulum 3, which removed what it uses.
const CONSTRAINTS: [&str; 2] = ["marshmallow<4", "pendulum<3"];

/// The runtime.
#[derive(Debug)]
pub(super) struct Prefect1;

/// Which release of Prefect is meant, by the rules of `prefect.storage.Docker`.
enum Release {
    /// Published with images for some Pythons: `1.4.1`, `1.0rc1`.
    WithPythons,
    /// Published with one image: `1.0rc0`.
    WithoutPythons,
    /// On the package index only.
    Indexed,
    /// A branch, tag or commit of the repository.
    Revision,
}

impl Release {
    fn of(version: &str) -> Self {
        let Ok(parsed) = Version::from_str(version) else { return Self::Revision };
        let dots = version.split('.').count();
        match parsed.pre() {
            None if dots == 3 && parsed.release().len() == 3 && !parsed.is_post() => {
                Self::WithPythons
            }
            Some(_) if version.ends_with("rc0") => Self::WithoutPythons,
            Some(_) if dots == 2 && version.contains("rc") => Self::WithPythons,
            _ => Self::Indexed,
        }
    }
}

impl Runtime for Prefect1 {
    fn default_base(&self, settings: &Settings<'_>) -> String {
        let version = settings.prefect_version.unwrap_or(VERSION);
        let python = settings.python_version.unwrap_or("3.10");
        let minor: Vec<&str> = python.split('.').take(2).collect();
        let minor = minor.join(".");
        let is_published = PUBLISHED.contains(&minor.as_str());
        match Release::of(version) {
            Release::WithPythons if is_published => {
                format!("prefecthq/prefect:{version}-python{minor}")
            }
            Release::WithoutPythons => format!("prefecthq/prefect:{version}"),
            _ => format!("python:{python}-slim"),
        }
    }

    fn engine(&self, settings: &Settings<'_>) -> Option<Engine> {
        let version = settings.prefect_version.unwrap_or(VERSION);
        let mut requirements = vec![match Release::of(version) {
            Release::Revision => {
                format!("prefect[all_orchestration_extras] @ {REPOSITORY}@{version}")
            }
            _ => format!("prefect=={version}"),
        }];
        requirements.extend(CONSTRAINTS.map(str::to_owned));
        Some(Engine { module: "prefect", requirements })
    }

    /// pendulum 2 has no wheel for Python 3.10 and later; a revision is fetched by Git.
    fn engine_build_packages(
        &self,
        settings: &Settings<'_>,
        base_has_engine: bool,
    ) -> &'static [&'static str] {
        match settings.prefect_version.map(Release::of) {
            _ if base_has_engine => &[],
            Some(Release::Revision) => &["gcc", "git", "libc6-dev"],
            _ => &["gcc", "libc6-dev"],
        }
    }

    fn yields_to_requirements(&self) -> bool {
        false
    }

    fn is_in_base(&self, base: &str) -> bool {
        base.split([':', '@']).next().is_some_and(|name| name.ends_with("prefecthq/prefect"))
    }

    fn env(&self, settings: &Settings<'_>) -> Vec<(String, String)> {
        let directory = settings.directory.unwrap_or(DIRECTORY);
        vec![("PREFECT__USER_CONFIG_PATH".to_owned(), join(directory, "config.toml"))]
    }

    fn flows(&self, script: &Script, _: &str) -> Result<Vec<NamedFlow>, NoFlows> {
        prefect_flows(script, FlowKind::Prefect1)
    }

    fn location(&self, settings: &Settings<'_>, slug: &str, script: &str) -> String {
        if let Some(path) = settings.path {
            return path.to_owned();
        }
        let flows = join(settings.directory.unwrap_or(DIRECTORY), "flows");
        if settings.stored_as_script {
            join(&flows, file_name(script))
        } else {
            join(&flows, &format!("{slug}.prefect"))
        }
    }

    fn modules_folder(&self, settings: &Settings<'_>) -> String {
        join(settings.directory.unwrap_or(DIRECTORY), "modules")
    }

    fn workdir(&self, _: &Settings<'_>) -> Option<String> {
        None
    }

    fn has_slugs(&self) -> bool {
        true
    }

    fn shares_locations(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Prefect 1.4.1 does itself; where it took a plain Python image, so do we.
    #[test]
    fn bases_are_those_of_prefect() {
        for (version, python, base) in [
            ("1.4.1", "3.9", "prefecthq/prefect:1.4.1-python3.9"),
            ("0.5.3", "3.7", "prefecthq/prefect:0.5.3-python3.7"),
            ("1.0rc0", "3.8", "prefecthq/prefect:1.0rc0"),
            ("1.0rc1", "3.7", "prefecthq/prefect:1.0rc1-python3.7"),
            ("1.0.0rc1", "3.7", "python:3.7-slim"),
            ("1.4", "3.8", "python:3.8-slim"),
            ("1.4.1.post1", "3.8", "python:3.8-slim"),
            ("a1b2c3d", "3.8", "python:3.8-slim"),
            ("1.4.1", "3.11", "python:3.11-slim"),
        ] {
            let settings = Settings {
                directory: None,
                path: None,
                prefect_version: Some(version),
                python_version: Some(python),
                stored_as_script: false,
                storage: "x",
            };
            assert_eq!(Prefect1.default_base(&settings), base, "{version}");
        }
    }
}
