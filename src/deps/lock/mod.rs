//! Lock files: uv.lock, poetry.lock and pylock.toml, read into one shape.
//!
//! Only what a project itself needs counts: groups for development and extras that nobody asked
//! for are left out. Markers stay what they are, for the installer to evaluate in the image.
//!
//! **Invariant:** the requirements of a lock depend on what is locked alone, not on comments, order
//! or what else is in the file.

mod constraint;
mod graph;
mod markers;
mod poetry;
mod project;
mod pylock;
mod uv;

use pep508_rs::MarkerTree;

use super::requirements::{Distribution, Item, Requirement, read_one};
use crate::problem::{Place, Problem};

/// A lock file, as far as an image needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// What is to be installed, sorted.
    pub packages: Vec<LockedPackage>,
    /// The Pythons that it was made for.
    pub requires_python: Option<String>,
}

/// One distribution of a lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedPackage {
    /// Its name, normalised by PEP 503.
    pub name: String,
    /// Its version; none for a source that has none.
    pub version: Option<String>,
    /// When it is installed; none for always.
    pub marker: Option<String>,
    /// Hashes of all its files, sorted: `sha256:…`.
    pub hashes: Vec<String>,
    /// File names of its wheels.
    pub wheels: Vec<String>,
    /// Whether it has a source distribution.
    pub has_sdist: bool,
    /// Where it comes from.
    pub source: Source,
    /// Whether the project itself asks for it.
    pub direct: bool,
    /// The line that it begins on.
    pub line: usize,
}

/// Where a locked distribution comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An index; its URL where the lock tells it.
    Index(Option<String>),
    /// A commit of a git repository.
    Git {
        /// The repository's URL.
        url: String,
        /// The commit.
        commit: String,
        /// The folder of the project in it.
        subdirectory: Option<String>,
    },
    /// A file at a URL.
    Url {
        /// The URL.
        url: String,
        /// The folder of the project in it.
        subdirectory: Option<String>,
    },
    /// A file or folder, relative to the lock.
    Path(String),
}

/// Whether an index is the one that everyone has, by its host.
fn is_everyones(url: &str) -> bool {
    let host = url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    let labels: Vec<&str> = host.unwrap_or_default().split('.').collect();
    matches!(labels.as_slice(), ["pypi", "org"] | ["pypi", "python", "org"])
}

/// The lock files that a project has beside its pyproject.toml, the one to prefer first.
pub const NAMES: [&str; 3] = ["uv.lock", "poetry.lock", "pylock.toml"];

/// Whether a path is that of a lock file.
pub fn is_lock(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_pylock = name
        .strip_prefix("pylock.")
        .and_then(|rest| rest.strip_suffix(".toml"))
        .is_some_and(|name| !name.is_empty() && !name.contains('.'));
    NAMES.contains(&name) || is_pylock
}

/// The texts that a lock is read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    /// The lock's own.
    pub(super) lock: &'a str,
    /// That of the pyproject.toml beside it.
    pub(super) beside: Option<&'a str>,
    /// That of the pyproject.toml beside the spec, which may be another member of the workspace.
    pub(super) own: Option<&'a str>,
}

/// Reads a lock file.
pub(super) fn read(path: &str, texts: Texts<'_>) -> Result<Locked, Vec<Problem>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut locked = match name {
        "uv.lock" => uv::read(path, texts),
        "poetry.lock" => poetry::read(path, texts),
        _ => pylock::read(path, texts),
    }?;
    locked.packages.sort();
    Ok(locked)
}

/// The requirements of a lock, one line each.
pub(super) fn requirements(
    locked: &Locked,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Requirement> {
    let mut result = index_options(locked, path);
    for package in &locked.packages {
        if let Source::Path(local) = &package.source {
            match local_requirement(package, local, path) {
                Ok(requirement) => result.push(requirement),
                Err(problem) => problems.push(problem),
            }
            continue;
        }
        match line(package) {
            Ok(line) => result.push(Requirement {
                line,
                distribution: Some(Distribution {
                    name: package.name.clone(),
                    conditional: package.marker.is_some(),
                    version: package.version.clone(),
                    wheels: package.wheels.clone(),
                    has_sdist: package.has_sdist,
                    direct: package.direct,
                }),
                local: None,
                is_editable: false,
                place: Place { file: path.to_owned(), line: package.line },
                locked: true,
            }),
            Err((message, remedy)) => {
                problems.push(problem(path, package.line, message, remedy));
            }
        }
    }
    result
}

/// The requirement of a project or file beside the lock, as a requirements file would name it.
fn local_requirement(
    package: &LockedPackage,
    local: &str,
    path: &str,
) -> Result<Requirement, Problem> {
    let place = Place { file: path.to_owned(), line: package.line };
    let marker = package.marker.as_ref().map(|marker| format!(" ; {marker}")).unwrap_or_default();
    let text = format!("{} @ file:{local}{marker}", package.name);
    match read_one(&text, &place, "requirements")? {
        Item::Requirement(requirement) => Ok(Requirement { locked: true, ..requirement }),
        Item::Index(_) | Item::ExtraIndex(_) => {
            Err(problem(path, package.line, format!("`{text}` is no package"), "lock again"))
        }
    }
}

/// Options for the indexes that the lock names.
fn index_options(locked: &Locked, path: &str) -> Vec<Requirement> {
    let mut indexes: Vec<&str> = Vec::new();
    for package in &locked.packages {
        if let Source::Index(Some(url)) = &package.source {
            let url = url.trim_end_matches('/');
            if !indexes.contains(&url) {
                indexes.push(url);
            }
        }
    }
    indexes.sort_unstable();
    // Where nothing comes from the index that everyone has, another one stands in its place.
    let replaces = !indexes.iter().any(|url| is_everyones(url)) && only_named(locked);
    let others = indexes.into_iter().filter(|url| !is_everyones(url)).enumerate();
    let options = others.map(|(at, url)| {
        let option = if at == 0 && replaces { "--index-url" } else { "--extra-index-url" };
        format!("{option} {url}")
    });
    let place = Place { file: path.to_owned(), line: 1 };
    let requirement = |line| Requirement {
        line,
        distribution: None,
        local: None,
        is_editable: false,
        place: place.clone(),
        locked: true,
    };
    options.map(requirement).collect()
}

/// Whether the lock names the index of everything that it takes from one.
fn only_named(locked: &Locked) -> bool {
    locked.packages.iter().all(|package| package.source != Source::Index(None))
}

/// The line of a distribution, or what is wrong with it and what to do.
fn line(package: &LockedPackage) -> Result<String, (String, String)> {
    let name = &package.name;
    let fragment = |subdirectory: &Option<String>| {
        let folder = subdirectory.as_ref().filter(|folder| !folder.is_empty());
        folder.map_or(String::new(), |folder| format!("#subdirectory={folder}"))
    };
    let mut line = match &package.source {
        Source::Index(_) => {
            let none = || (format!("`{name}` has no version here"), "lock again".to_owned());
            format!("{name}=={}", package.version.as_ref().ok_or_else(none)?)
        }
        Source::Git { url, commit, subdirectory } => {
            format!("{name} @ git+{url}@{commit}{}", fragment(subdirectory))
        }
        Source::Url { url, subdirectory } => format!("{name} @ {url}{}", fragment(subdirectory)),
        // It has no line of its own before its place in the context is known.
        Source::Path(path) => format!("{name} @ file:{path}"),
    };
    if package.hashes.is_empty() && !matches!(package.source, Source::Git { .. }) {
        return Err((
            format!("`{name}` has no hash here"),
            "lock again, with an index that tells hashes; or name a requirements file instead"
                .to_owned(),
        ));
    }
    if let Some(marker) = &package.marker {
        line.push_str(" ; ");
        line.push_str(marker);
    }
    for hash in &package.hashes {
        line.push_str(" --hash=");
        line.push_str(hash);
    }
    Ok(line)
}

fn problem(path: &str, line: usize, message: String, remedy: impl Into<String>) -> Problem {
    Problem {
        key: Some("requirements".to_owned()),
        place: Some(Place { file: path.to_owned(), line }),
        message,
        remedy: remedy.into(),
    }
}

/// Reads the TOML of a lock into its types.
fn from_toml<'a, T: serde::Deserialize<'a>>(path: &str, text: &'a str) -> Result<T, Vec<Problem>> {
    let parsed = toml::Deserializer::parse(text).and_then(T::deserialize);
    parsed.map_err(|error| {
        let line = error.span().map_or(1, |span| Lines::new(text).of(span.start));
        let message = error.message().lines().next().unwrap_or_default();
        let message = format!("the lock cannot be read: {message}");
        vec![problem(path, line, message, "make it again with the tool that it is from")]
    })
}

/// Line numbers of offsets that mostly ascend.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of an offset, counted from 1.
    fn of(&mut self, offset: usize) -> usize {
        if offset < self.at {
            (self.at, self.line) = (0, 1);
        }
        self.line += self.text.get(self.at..offset).unwrap_or_default().matches('\n').count();
        self.at = offset;
        self.line
    }
}

/// The marker for the installer; none for always.
fn shown(marker: &MarkerTree) -> Option<String> {
    marker.try_to_string()
}

/// Sorted, each once.
fn hashes<'a>(found: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut hashes: Vec<String> =
        found.filter(|hash| !hash.is_empty()).map(str::to_owned).collect();
    hashes.sort();
    hashes.dedup();
    hashes
}

/// The file name at the end of a URL or path.
fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// File names of wheels, sorted, and whether there is anything else.
fn split_files(files: impl Iterator<Item = String>) -> (Vec<String>, bool) {
    let (mut wheels, others): (Vec<String>, Vec<String>) =
        files.partition(|file| std::path::Path::new(file).extension().is_some_and(|e| e == "whl"));
    wheels.sort();
    (wheels, !others.is_empty())
}
