//! What a pyproject.toml says of a project's dependencies, as far as its lock can be compared.
//!
//! **Invariant:** what cannot be read says nothing.

use std::str::FromStr;

use pep508_rs::{Requirement, VerbatimUrl};
use serde::Deserialize;

use super::super::requirements::normalise;

/// A pyproject.toml.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Project {
    #[serde(default)]
    project: Table,
    #[serde(default)]
    tool: Tool,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Table {
    name: Option<String>,
    dependencies: Option<Vec<String>>,
    #[serde(default)]
    dynamic: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Tool {
    #[serde(default)]
    poetry: Poetry,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Poetry {
    #[serde(default)]
    dependencies: toml::Table,
}

impl Project {
    /// Reads a pyproject.toml; none if it is not one.
    pub(super) fn read(text: Option<&str>) -> Option<Self> {
        toml::from_str(text?).ok()
    }

    /// The project's name, normalised.
    pub(super) fn name(&self) -> Option<String> {
        self.project.name.as_deref().map(normalise)
    }

    /// `[project] dependencies`, unless only a build knows them.
    pub(super) fn dependencies(&self) -> Option<Vec<Requirement<VerbatimUrl>>> {
        if self.project.dynamic.iter().any(|field| field == "dependencies") {
            return None;
        }
        self.project.name.as_ref()?;
        let texts = self.project.dependencies.iter().flatten();
        texts.map(|text| Requirement::from_str(text).ok()).collect()
    }

    /// `[tool.poetry.dependencies]`, without Python itself.
    pub(super) fn poetry(&self) -> impl Iterator<Item = (String, &toml::Value)> {
        let all = self.tool.poetry.dependencies.iter();
        all.map(|(name, value)| (normalise(name), value)).filter(|(name, _)| name != "python")
    }

    /// Names of all that the project itself asks for; none where it names nothing.
    pub(super) fn direct(&self) -> Option<Vec<String>> {
        let mut names: Vec<String> = self.poetry().map(|(name, _)| name).collect();
        names.extend(self.dependencies().into_iter().flatten().map(|r| r.name.to_string()));
        (!names.is_empty()).then_some(names)
    }
}
