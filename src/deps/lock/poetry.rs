//! poetry.lock of lock versions 1.1, 2.0 and 2.1.
//!
//! Since 2.1 each distribution has its groups and its whole marker. Before, both follow from the
//! dependencies of the pyproject.toml beside it.
//!
//! **Invariant:** what is read of a lock is what `poetry export` would write, without the limits of
//! the project's own Python.

use std::collections::BTreeMap;
use std::str::FromStr;

use pep440_rs::Version;
use pep508_rs::{MarkerTree, VersionOrUrl};
use serde::Deserialize;
use toml::Spanned;

use super::super::requirements::normalise;
use super::super::wheel::WheelName;
use super::constraint::Constraint;
use super::graph::{self, Edge, Node};
use super::markers::{self, Markers};
use super::project::Project;
use super::{Lines, Locked, LockedPackage, Source, Texts, hashes, problem, shown, split_files};
use crate::problem::Problem;

#[derive(Deserialize)]
struct Lock {
    #[serde(default, rename = "package")]
    packages: Vec<Package>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "lock-version", default)]
    lock_version: String,
    #[serde(rename = "python-versions")]
    python_versions: Option<String>,
    /// Of lock version 1.1.
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
}

#[derive(Deserialize)]
struct Package {
    name: Spanned<String>,
    version: String,
    #[serde(default)]
    optional: bool,
    groups: Option<Vec<String>>,
    markers: Option<PerGroup>,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    #[serde(default)]
    extras: BTreeMap<String, Vec<String>>,
    source: Option<PoetrySource>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PerGroup {
    All(String),
    Each(BTreeMap<String, String>),
}

#[derive(Clone, Deserialize)]
struct File {
    file: String,
    hash: String,
}

#[derive(Deserialize)]
struct PoetrySource {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    url: String,
    resolved_reference: Option<String>,
    subdirectory: Option<String>,
}

/// The group of what a project needs itself.
const MAIN: &str = "main";

/// Reads a poetry.lock.
pub(super) fn read(path: &str, texts: Texts<'_>) -> Result<Locked, Vec<Problem>> {
    let lock: Lock = super::from_toml(path, texts.lock)?;
    let version = lock.metadata.lock_version.as_str();
    let has_groups = lock.packages.iter().any(|package| package.groups.is_some());
    if !matches!(version.split('.').next(), Some("1" | "2")) {
        let message = format!("the lock has version {version}, which is not known");
        return Err(vec![problem(path, 1, message, "lock with a Poetry that writes version 2")]);
    }
    let project = Project::read(texts.beside);
    let wanted = project.as_ref().map(wanted_by_project).unwrap_or_default();
    if let Some(name) = changed(&lock, &wanted) {
        let message = format!("the lock is older than pyproject.toml, which changed `{name}`");
        return Err(vec![problem(path, 1, message, "run `poetry lock`")]);
    }
    let mut markers = Markers::default();
    let reached: Vec<MarkerTree> = if has_groups || lock.packages.is_empty() {
        lock.packages.iter().map(|package| own_marker(package, &mut markers)).collect()
    } else if project.is_some() {
        let roots: Vec<Edge> = edges(&lock, &wanted, &mut markers, None);
        let nodes: Vec<Node> =
            lock.packages.iter().map(|package| node(&lock, package, &mut markers)).collect();
        let reached = graph::reach(&nodes, &roots);
        (0..lock.packages.len()).map(|at| reached.of(at)).collect()
    } else {
        let message = format!("a lock of version {version} says nothing of groups");
        let remedy = "put the pyproject.toml beside it, or lock with Poetry 2";
        return Err(vec![problem(path, 1, message, remedy)]);
    };
    let direct = project.as_ref().and_then(Project::direct);
    Ok(locked(&lock, &reached, direct.as_deref(), &mut Lines::new(texts.lock)))
}

fn locked(
    lock: &Lock,
    reached: &[MarkerTree],
    direct: Option<&[String]>,
    lines: &mut Lines<'_>,
) -> Locked {
    let mut packages = Vec::new();
    for (package, marker) in lock.packages.iter().zip(reached) {
        if marker.is_false() {
            continue;
        }
        let name = normalise(package.name.get_ref());
        let files = files(lock, package);
        let (wheels, has_sdist) = split_files(files.iter().map(|file| file.file.clone()));
        packages.push(LockedPackage {
            version: Some(package.version.clone()),
            marker: shown(marker),
            hashes: hashes(files.iter().map(|file| file.hash.as_str())),
            wheels,
            has_sdist,
            source: source(package.source.as_ref()),
            direct: direct.is_none_or(|direct| direct.contains(&name)),
            line: lines.of(package.name.span().start),
            name,
        });
    }
    Locked { packages, requires_python: lock.metadata.python_versions.clone() }
}

/// The marker that a lock of version 2.1 has for the project's own dependencies.
fn own_marker(package: &Package, markers: &mut Markers) -> MarkerTree {
    let is_main = package.groups.iter().flatten().any(|group| group == MAIN);
    // Only an extra of the project would install it.
    if !is_main || package.optional {
        return MarkerTree::FALSE;
    }
    let text = match &package.markers {
        Some(PerGroup::All(text)) => Some(text.as_str()),
        Some(PerGroup::Each(each)) => each.get(MAIN).map(String::as_str),
        None => None,
    };
    markers::settle(&markers.parse(text).unwrap_or(MarkerTree::TRUE), &|_| false)
}

/// One way in which something is asked for.
#[derive(Clone, Debug, Default)]
struct Wanted {
    name: String,
    constraint: Option<Constraint>,
    extras: Vec<String>,
    marker: String,
    optional: bool,
}

fn wanted_by_project(project: &Project) -> Vec<Wanted> {
    let mut result = Vec::new();
    for (name, value) in project.poetry() {
        result.extend(wanted(&name, value));
    }
    for requirement in project.dependencies().into_iter().flatten() {
        let name = requirement.name.to_string();
        // What Poetry adds to a dependency of `[project]` is not another dependency.
        result.retain(|known| known.name != name || !known.marker.is_empty());
        let constraint = match &requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(limits)) => Constraint::parse(&limits.to_string()),
            _ => None,
        };
        result.push(Wanted {
            name,
            constraint,
            extras: requirement.extras.iter().map(ToString::to_string).collect(),
            marker: requirement.marker.try_to_string().unwrap_or_default(),
            optional: false,
        });
    }
    result
}

/// A dependency as Poetry writes it: a constraint, a table, or several of them.
fn wanted(name: &str, value: &toml::Value) -> Vec<Wanted> {
    let name = name.to_owned();
    match value {
        toml::Value::String(text) => {
            vec![Wanted { name, constraint: Constraint::parse(text), ..Wanted::default() }]
        }
        toml::Value::Array(several) => {
            several.iter().flat_map(|value| wanted(&name, value)).collect()
        }
        toml::Value::Table(table) => {
            let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
            let python = text("python").and_then(Constraint::parse);
            let platform = text("platform").map(|name| format!("sys_platform == '{name}'"));
            let parts = [python.map(|python| python.of_python()), platform];
            let markers = text("markers").map(str::to_owned);
            let parts = parts.into_iter().chain([markers]).flatten().filter(|p| !p.is_empty());
            let parts: Vec<String> = parts.map(|part| format!("({part})")).collect();
            let extras = table.get("extras").and_then(toml::Value::as_array);
            let extras = extras.into_iter().flatten().filter_map(toml::Value::as_str);
            vec![Wanted {
                name,
                constraint: text("version").and_then(Constraint::parse),
                extras: extras.map(normalise).collect(),
                marker: parts.join(" and "),
                optional: table.get("optional").and_then(toml::Value::as_bool).unwrap_or_default(),
            }]
        }
        _ => Vec::new(),
    }
}

/// A dependency of the project that the lock was not made for, where that is certain.
fn changed(lock: &Lock, wanted: &[Wanted]) -> Option<String> {
    let is_missing = |wanted: &&Wanted| {
        let mut same = lock.packages.iter().filter(|p| normalise(p.name.get_ref()) == wanted.name);
        let fits = |package: &Package| {
            let version = Version::from_str(&package.version);
            let constraint = wanted.constraint.as_ref();
            constraint.is_none_or(|c| version.is_ok_and(|version| c.contains(&version)))
        };
        !wanted.optional && !same.any(fits)
    };
    wanted.iter().find(is_missing).map(|wanted| wanted.name.clone())
}

/// The edges to what is wanted, outside of an extra or in one.
fn edges(lock: &Lock, wanted: &[Wanted], markers: &mut Markers, extra: Option<&str>) -> Vec<Edge> {
    let mut result = Vec::new();
    for wanted in wanted.iter().filter(|wanted| extra.is_some() || !wanted.optional) {
        let marker = markers.parse(Some(&wanted.marker)).unwrap_or(MarkerTree::TRUE);
        let marker = markers::settle(&marker, &|name| Some(name) == extra);
        let version = |at: &usize| Version::from_str(&lock.packages[*at].version).ok();
        let fits = |at: &usize| {
            normalise(lock.packages[*at].name.get_ref()) == wanted.name
                && match (&wanted.constraint, version(at)) {
                    (Some(constraint), Some(version)) => constraint.contains(&version),
                    _ => true,
                }
        };
        // Of several that fit, Poetry takes the newest.
        let newest = (0..lock.packages.len()).filter(fits).max_by_key(version);
        result.extend(newest.map(|to| Edge { to, extras: wanted.extras.clone(), marker }));
    }
    result
}

fn node(lock: &Lock, package: &Package, markers: &mut Markers) -> Node {
    let all: Vec<Wanted> =
        package.dependencies.iter().flat_map(|(name, v)| wanted(&normalise(name), v)).collect();
    let mut optional = BTreeMap::new();
    for (extra, requirements) in &package.extras {
        let ends = |c: char| " ([;<>=!~".contains(c);
        let names = requirements.iter().filter_map(|text| text.split(ends).next());
        let names: Vec<String> = names.map(normalise).collect();
        let of_extra = all.iter().filter(|wanted| wanted.optional && names.contains(&wanted.name));
        let of_extra: Vec<Wanted> = of_extra.cloned().collect();
        let extra = normalise(extra);
        optional.insert(extra.clone(), edges(lock, &of_extra, markers, Some(&extra)));
    }
    Node { edges: edges(lock, &all, markers, None), optional }
}

/// The files of a distribution. Lock version 1.1 has them by name, for all versions together.
fn files(lock: &Lock, package: &Package) -> Vec<File> {
    if !package.files.is_empty() {
        return package.files.clone();
    }
    let of_name = lock.metadata.files.iter().find(|(name, _)| *name == package.name.get_ref());
    let all = of_name.map(|(_, files)| files.clone()).unwrap_or_default();
    let version = Version::from_str(&package.version).ok();
    let is_own = |file: &&File| match WheelName::parse(&file.file) {
        Some(wheel) => Some(&wheel.version) == version.as_ref(),
        None => file.file.contains(&format!("-{}.", package.version)),
    };
    let own: Vec<File> = all.iter().filter(is_own).cloned().collect();
    if own.is_empty() { all } else { own }
}

fn source(source: Option<&PoetrySource>) -> Source {
    let Some(source) = source else { return Source::Index(None) };
    let (url, subdirectory) = (source.url.clone(), source.subdirectory.clone());
    match source.kind.as_str() {
        "git" => {
            let commit = source.resolved_reference.clone().unwrap_or_default();
            Source::Git { url, commit, subdirectory }
        }
        "url" => Source::Url { url, subdirectory },
        "file" | "directory" => Source::Path(url),
        _ => Source::Index(Some(url)),
    }
}
