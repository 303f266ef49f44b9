//! uv.lock: <https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile>.
//!
//! **Invariant:** what is read of a lock is what `uv export --no-dev --no-emit-project` would write.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use pep508_rs::{MarkerTree, VersionOrUrl};
use serde::Deserialize;
use toml::Spanned;

use super::graph::{self, Edge, Node};
use super::markers::{self, Markers};
use super::project::Project;
use super::{
    Lines, Locked, LockedPackage, Source, Texts, file_name, hashes, problem, shown, split_files,
};
use crate::problem::Problem;

#[derive(Deserialize)]
struct Lock<'a> {
    version: u32,
    #[serde(rename = "requires-python", borrow)]
    requires_python: Option<Cow<'a, str>>,
    #[serde(default)]
    conflicts: Vec<toml::Value>,
    #[serde(default, borrow)]
    manifest: Manifest<'a>,
    #[serde(default, borrow, rename = "package")]
    packages: Vec<Package<'a>>,
}

#[derive(Default, Deserialize)]
struct Manifest<'a> {
    #[serde(default, borrow)]
    members: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    name: Spanned<Cow<'a, str>>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: UvSource<'a>,
    #[serde(default, borrow)]
    dependencies: Vec<Dependency<'a>>,
    #[serde(default, borrow, rename = "optional-dependencies")]
    optional: BTreeMap<Cow<'a, str>, Vec<Dependency<'a>>>,
    #[serde(borrow)]
    sdist: Option<File<'a>>,
    #[serde(default, borrow)]
    wheels: Vec<File<'a>>,
    #[serde(default, borrow)]
    metadata: Metadata<'a>,
}

#[derive(Clone, Default, PartialEq, Deserialize)]
struct UvSource<'a> {
    #[serde(borrow)]
    registry: Option<Cow<'a, str>>,
    #[serde(borrow)]
    git: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow)]
    directory: Option<Cow<'a, str>>,
    #[serde(borrow)]
    editable: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "virtual")]
    not_installed: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subdirectory: Option<Cow<'a, str>>,
}

impl UvSource<'_> {
    /// The folder of a project.
    fn folder(&self) -> Option<&str> {
        self.editable.as_deref().or(self.not_installed.as_deref()).or(self.directory.as_deref())
    }
}

#[derive(Deserialize)]
struct Dependency<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<UvSource<'a>>,
    #[serde(default, borrow)]
    extra: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    marker: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow)]
    filename: Option<Cow<'a, str>>,
    #[serde(borrow)]
    hash: Option<Cow<'a, str>>,
}

impl File<'_> {
    fn name(&self) -> String {
        let places = [&self.filename, &self.url, &self.path];
        places.into_iter().flatten().next().map(|place| file_name(place)).unwrap_or_default()
    }
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, rename = "requires-dist")]
    requires_dist: Option<Vec<Required<'a>>>,
}

#[derive(Deserialize)]
struct Required<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow)]
    extras: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    marker: Option<Cow<'a, str>>,
    #[serde(borrow)]
    specifier: Option<Cow<'a, str>>,
}

/// Reads a uv.lock.
pub(super) fn read(path: &str, texts: Texts<'_>) -> Result<Locked, Vec<Problem>> {
    let lock: Lock<'_> = super::from_toml(path, texts.lock)?;
    if lock.version != 1 {
        let message = format!("the lock has version {}, which is not known", lock.version);
        return Err(vec![problem(path, 1, message, "lock with a uv that writes version 1")]);
    }
    let (roots, project) = roots(&lock, texts);
    if roots.is_empty() {
        let message = "the lock names no project".to_owned();
        return Err(vec![problem(path, 1, message, "run `uv lock`")]);
    }
    let mut lines = Lines::new(texts.lock);
    if let ([root], Some(project)) = (roots.as_slice(), &project)
        && let Some(name) = changed(&lock.packages[*root], project)
    {
        let line = lines.of(lock.packages[*root].name.span().start);
        let message = format!("the lock is older than pyproject.toml, which changed `{name}`");
        return Err(vec![problem(path, line, message, "run `uv lock`")]);
    }
    let by_name = by_name(&lock);
    let mut markers = Markers::default();
    let start =
        roots.iter().map(|root| Edge { to: *root, extras: Vec::new(), marker: MarkerTree::TRUE });
    let start: Vec<Edge> = start.collect();
    // Extras that exclude each other are in the markers. Which are active shows when all is
    // reached, and what is reached depends on them: first all may be.
    let mut active: Option<BTreeSet<String>> = None;
    for _ in 0..4 {
        let is_active = |extra: &str| active.as_ref().is_none_or(|active| active.contains(extra));
        let nodes = nodes(&lock, &by_name, &is_active, &mut markers);
        let reached = graph::reach(&nodes, &start);
        let found = if lock.conflicts.is_empty() { None } else { Some(extras(&lock, &reached)) };
        if found == active {
            let direct = |to: usize| {
                roots.iter().any(|root| nodes[*root].edges.iter().any(|edge| edge.to == to))
            };
            return Ok(locked(&lock, &roots, &reached, &direct, &mut lines));
        }
        active = found;
    }
    let message = "its conflicting extras depend on each other".to_owned();
    Err(vec![problem(path, 1, message, "name a requirements file that `uv export` wrote")])
}

/// What was reached, under the names that it has in markers of conflicts.
fn extras(lock: &Lock<'_>, reached: &graph::Reached) -> BTreeSet<String> {
    let name = |node: usize| lock.packages[node].name.get_ref();
    let extras = reached.extras().map(|(node, extra)| {
        let name = name(node);
        format!("extra-{}-{name}-{extra}", name.len())
    });
    let projects = (0..lock.packages.len()).filter(|node| !reached.of(*node).is_false());
    let projects = projects.map(|node| format!("project-{}-{}", name(node).len(), name(node)));
    extras.chain(projects).collect()
}

fn locked(
    lock: &Lock<'_>,
    roots: &[usize],
    reached: &graph::Reached,
    direct: &dyn Fn(usize) -> bool,
    lines: &mut Lines<'_>,
) -> Locked {
    let mut packages = Vec::new();
    for (at, package) in lock.packages.iter().enumerate() {
        let marker = reached.of(at);
        if marker.is_false() || roots.contains(&at) || package.source.not_installed.is_some() {
            continue;
        }
        let files = || package.sdist.iter().chain(&package.wheels);
        let (wheels, has_sdist) = split_files(files().map(File::name));
        packages.push(LockedPackage {
            name: package.name.get_ref().to_string(),
            version: package.version.as_ref().map(ToString::to_string),
            marker: shown(&marker),
            hashes: hashes(files().filter_map(|file| file.hash.as_deref())),
            wheels,
            has_sdist,
            source: source(&package.source),
            direct: direct(at),
            line: lines.of(package.name.span().start),
        });
    }
    Locked { packages, requires_python: lock.requires_python.as_ref().map(ToString::to_string) }
}

/// The projects that are installed for, and the pyproject.toml of the only one.
fn roots(lock: &Lock<'_>, texts: Texts<'_>) -> (Vec<usize>, Option<Project>) {
    let is_member = |package: &Package<'_>| {
        package.source.editable.is_some() || package.source.not_installed.is_some()
    };
    let at = |wanted: &dyn Fn(&Package<'_>) -> bool| lock.packages.iter().position(wanted);
    let own = Project::read(texts.own);
    let own_name = own.as_ref().and_then(Project::name);
    let named = |package: &Package<'_>| {
        is_member(package) && Some(package.name.get_ref().as_ref()) == own_name.as_deref()
    };
    if let Some(root) = at(&named) {
        return (vec![root], own);
    }
    if let Some(root) = at(&|package| package.source.folder() == Some(".")) {
        return (vec![root], Project::read(texts.beside));
    }
    let members = lock.packages.iter().enumerate().filter(|(_, package)| {
        lock.manifest.members.iter().any(|member| member == package.name.get_ref())
    });
    (members.map(|(at, _)| at).collect(), None)
}

/// A dependency of the project that the lock was not made for, where that is certain.
fn changed(root: &Package<'_>, project: &Project) -> Option<String> {
    type Wanted = BTreeSet<(String, Vec<String>, String)>;
    let of_extra = |marker: &str| marker.contains("extra ==");
    let sorted = |text: &str| -> Option<String> {
        let parsed = VersionSpecifiers::from_str(text).ok()?;
        let mut all: Vec<String> = parsed.iter().map(ToString::to_string).collect();
        all.sort();
        Some(all.join(","))
    };
    let mut declared = Wanted::new();
    for requirement in project.dependencies()? {
        // Where it says a URL, the lock has a source instead of a specifier.
        let specifier = match &requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => sorted(&specifiers.to_string())?,
            Some(VersionOrUrl::Url(_)) => return None,
            None => String::new(),
        };
        let mut extras: Vec<String> = requirement.extras.iter().map(ToString::to_string).collect();
        extras.sort();
        declared.insert((requirement.name.to_string(), extras, specifier));
    }
    let mut locked = Wanted::new();
    for required in root.metadata.requires_dist.iter().flatten() {
        if required.marker.as_deref().is_some_and(of_extra) {
            continue;
        }
        let mut extras: Vec<String> = required.extras.iter().map(ToString::to_string).collect();
        extras.sort();
        let specifier = match required.specifier.as_deref() {
            Some(specifier) => sorted(specifier)?,
            // It may have a source, or no limit.
            None => String::new(),
        };
        locked.insert((required.name.to_string(), extras, specifier));
    }
    let names = |wanted: &Wanted| -> BTreeSet<String> {
        wanted.iter().map(|(name, ..)| name.clone()).collect()
    };
    if let Some(name) = names(&declared).symmetric_difference(&names(&locked)).next() {
        return Some(name.clone());
    }
    // A source takes the place of a specifier, which then is not there to be compared.
    let unlimited: BTreeSet<&String> =
        locked.iter().filter(|(_, _, limit)| limit.is_empty()).map(|(name, ..)| name).collect();
    let mut differing = declared.symmetric_difference(&locked);
    differing.find(|(name, ..)| !unlimited.contains(name)).map(|(name, ..)| name.clone())
}

type ByName<'a> = BTreeMap<&'a str, Vec<usize>>;

fn by_name<'a>(lock: &'a Lock<'_>) -> ByName<'a> {
    let mut by_name = ByName::new();
    for (at, package) in lock.packages.iter().enumerate() {
        by_name.entry(package.name.get_ref().as_ref()).or_default().push(at);
    }
    by_name
}

fn nodes(
    lock: &Lock<'_>,
    by_name: &ByName<'_>,
    is_active: &dyn Fn(&str) -> bool,
    markers: &mut Markers,
) -> Vec<Node> {
    let mut edges = |dependencies: &[Dependency<'_>]| -> Vec<Edge> {
        let mut edges = Vec::new();
        for dependency in dependencies {
            let candidates = by_name.get(dependency.name.as_ref()).into_iter().flatten().copied();
            let fits = |at: &usize| {
                let package = &lock.packages[*at];
                let version = dependency.version.as_ref();
                let source = dependency.source.as_ref();
                version.is_none_or(|version| package.version.as_ref() == Some(version))
                    && source.is_none_or(|source| package.source == *source)
            };
            let marker = markers.parse(dependency.marker.as_deref());
            // What this version cannot read must not leave anything out.
            let marker = marker.unwrap_or(MarkerTree::TRUE);
            // Only conflicts speak of extras here.
            let marker = if lock.conflicts.is_empty() {
                marker
            } else {
                markers::settle(&marker, is_active)
            };
            let extras = dependency.extra.iter().map(ToString::to_string).collect::<Vec<_>>();
            edges.extend(candidates.filter(fits).map(|to| Edge {
                to,
                extras: extras.clone(),
                marker: marker.clone(),
            }));
        }
        edges
    };
    let node = |package: &Package<'_>| Node {
        edges: edges(&package.dependencies),
        optional: package.optional.iter().map(|(n, d)| (n.to_string(), edges(d))).collect(),
    };
    lock.packages.iter().map(node).collect()
}

fn source(source: &UvSource<'_>) -> Source {
    let owned = |text: &Option<Cow<'_, str>>| text.as_ref().map(ToString::to_string);
    let subdirectory = owned(&source.subdirectory);
    if let Some(git) = &source.git {
        return self::git(git);
    }
    if let Some(url) = owned(&source.url) {
        return Source::Url { url, subdirectory };
    }
    let folder = source.folder().map(str::to_owned).or_else(|| owned(&source.path));
    match (folder, owned(&source.registry)) {
        (Some(path), _) => Source::Path(path),
        // A folder of wheels.
        (None, Some(registry)) if !registry.contains("://") => Source::Path(registry),
        (None, registry) => Source::Index(registry),
    }
}

/// `https://host/repository?subdirectory=x&tag=y#commit`
fn git(text: &str) -> Source {
    let (location, commit) = text.rsplit_once('#').unwrap_or((text, ""));
    let (url, query) = location.split_once('?').unwrap_or((location, ""));
    let subdirectory = query.split('&').find_map(|pair| pair.strip_prefix("subdirectory="));
    Source::Git {
        url: url.to_owned(),
        commit: commit.to_owned(),
        subdirectory: subdirectory.map(|folder| folder.replace("%2F", "/")),
    }
}
