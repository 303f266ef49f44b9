//! pylock.toml: <https://packaging.python.org/en/latest/specifications/pylock-toml/>.
//!
//! **Invariant:** the groups that the lock installs by default are installed, and no extra is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pep508_rs::MarkerTree;
use serde::Deserialize;
use toml::Spanned;

use super::super::requirements::normalise;
use super::markers::{self, Markers};
use super::project::Project;
use super::{
    Lines, Locked, LockedPackage, Source, Texts, file_name, hashes, problem, shown, split_files,
};
use crate::problem::Problem;

#[derive(Deserialize)]
struct Lock {
    #[serde(rename = "lock-version")]
    version: String,
    #[serde(rename = "requires-python")]
    requires_python: Option<String>,
    #[serde(default, rename = "default-groups")]
    default_groups: Vec<String>,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: Spanned<String>,
    version: Option<String>,
    marker: Option<String>,
    dependencies: Option<Vec<Dependency>>,
    index: Option<String>,
    vcs: Option<Vcs>,
    directory: Option<Directory>,
    archive: Option<File>,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct Dependency {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Vcs {
    #[serde(rename = "type")]
    kind: String,
    url: Option<String>,
    path: Option<String>,
    #[serde(rename = "commit-id")]
    commit: String,
    subdirectory: Option<String>,
}

#[derive(Deserialize)]
struct Directory {
    path: String,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    subdirectory: Option<String>,
}

impl File {
    fn name(&self) -> String {
        let places = [&self.name, &self.url, &self.path];
        places.into_iter().flatten().next().map(|place| file_name(place)).unwrap_or_default()
    }
}

/// Reads a pylock.toml.
pub(super) fn read(path: &str, texts: Texts<'_>) -> Result<Locked, Vec<Problem>> {
    let lock: Lock = super::from_toml(path, texts.lock)?;
    if lock.version.split('.').next() != Some("1") {
        let message = format!("the lock has version {}, which is not known", lock.version);
        return Err(vec![problem(path, 1, message, "lock with a tool that writes version 1.0")]);
    }
    let direct = direct(&lock, texts);
    let mut markers = Markers::default();
    let mut lines = Lines::new(texts.lock);
    let mut packages = Vec::new();
    let mut problems = Vec::new();
    for package in &lock.packages {
        let line = lines.of(package.name.span().start);
        let text = package.marker.as_deref().map(without_sets);
        let Some(marker) = markers.parse(text.as_deref()) else {
            let message = format!("the marker of `{}` cannot be read", package.name.get_ref());
            problems.push(problem(path, line, message, "lock again"));
            continue;
        };
        let marker = markers::settle(&marker, &|name| is_in_sets(name, &lock.default_groups));
        if marker.is_false() {
            continue;
        }
        match package.locked(&marker, line) {
            Ok(locked) => packages.push(LockedPackage {
                direct: direct.as_ref().is_none_or(|direct| direct.contains(&locked.name)),
                ..locked
            }),
            Err(message) => {
                let remedy = "take it from an index or from git, and lock again";
                problems.push(problem(path, line, message, remedy));
            }
        }
    }
    if problems.is_empty() {
        Ok(Locked { packages, requires_python: lock.requires_python })
    } else {
        Err(problems)
    }
}

impl Package {
    fn locked(&self, marker: &MarkerTree, line: usize) -> Result<LockedPackage, String> {
        let files = || self.sdist.iter().chain(&self.wheels).chain(&self.archive);
        let (wheels, has_sdist) = split_files(files().map(File::name));
        let all = files().flat_map(|file| &file.hashes);
        let all: Vec<String> = all.map(|(kind, hash)| format!("{kind}:{hash}")).collect();
        Ok(LockedPackage {
            name: normalise(self.name.get_ref()),
            version: self.version.clone(),
            marker: shown(marker),
            hashes: hashes(all.iter().map(String::as_str)),
            wheels,
            has_sdist,
            source: self.source()?,
            direct: true,
            line,
        })
    }

    fn source(&self) -> Result<Source, String> {
        if let Some(vcs) = &self.vcs {
            if vcs.kind != "git" {
                return Err(format!("`{}` comes from {}", self.name.get_ref(), vcs.kind));
            }
            let path = vcs.path.clone().unwrap_or_default();
            return Ok(vcs.url.clone().map_or(Source::Path(path), |url| Source::Git {
                url,
                commit: vcs.commit.clone(),
                subdirectory: vcs.subdirectory.clone(),
            }));
        }
        if let Some(directory) = &self.directory {
            return Ok(Source::Path(directory.path.clone()));
        }
        if let Some(archive) = &self.archive {
            let path = archive.path.clone().unwrap_or_default();
            return Ok(archive.url.clone().map_or(Source::Path(path), |url| Source::Url {
                url,
                subdirectory: archive.subdirectory.clone(),
            }));
        }
        Ok(Source::Index(self.index.clone()))
    }
}

/// What the project itself asks for: by its pyproject.toml, or what nothing else depends on.
fn direct(lock: &Lock, texts: Texts<'_>) -> Option<Vec<String>> {
    if let Some(direct) = Project::read(texts.beside).as_ref().and_then(Project::direct) {
        return Some(direct);
    }
    let known = || lock.packages.iter().filter_map(|package| package.dependencies.as_ref());
    known().next()?;
    let needed: Vec<String> =
        known().flatten().filter_map(|d| d.name.as_deref()).map(normalise).collect();
    let names = lock.packages.iter().map(|package| normalise(package.name.get_ref()));
    Some(names.filter(|name| !needed.contains(name)).collect())
}

/// PEP 751's `'x' in extras` and `'x' in dependency_groups` as extras of other names, which are all
/// that PEP 508 has.
fn without_sets(marker: &str) -> String {
    let mut result = String::new();
    let mut rest = marker;
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = &rest[start..=start];
        let Some(length) = rest[start + 1..].find(quote) else { break };
        let (value, after) = (&rest[start + 1..][..length], &rest[start + length + 2..]);
        let words: Vec<&str> = after.splitn(4, char::is_whitespace).collect();
        let (operator, set, used) = match words.as_slice() {
            ["", "in", set, ..] => ("==", *set, " in ".len()),
            ["", "not", "in", set, ..] => {
                ("!=", set.split_whitespace().next().unwrap_or(""), " not in ".len())
            }
            _ => ("", "", 0),
        };
        let set = set.trim_end_matches(')');
        let prefix = match set {
            "extras" => "in-extras",
            "dependency_groups" => "in-groups",
            _ => {
                result.push_str(&rest[..start + length + 2]);
                rest = after;
                continue;
            }
        };
        result.push_str(&rest[..start]);
        let _ = write!(result, "extra {operator} '{prefix}-{}'", normalise(value));
        rest = &after[used + set.len()..];
    }
    result.push_str(rest);
    result
}

fn is_in_sets(name: &str, default_groups: &[String]) -> bool {
    let group = name.strip_prefix("in-groups-");
    group.is_some_and(|group| default_groups.iter().any(|known| normalise(known) == group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_extras_and_groups_become_extras() {
        for (marker, wanted) in [
            ("'dev' in dependency_groups", "extra == 'in-groups-dev'"),
            (
                "os_name == 'nt' and (\"A_b\" in extras)",
                "os_name == 'nt' and (extra == 'in-extras-a-b')",
            ),
            (
                "'x' not in extras or 'y' in extras",
                "extra != 'in-extras-x' or extra == 'in-extras-y'",
            ),
            ("'linux' in sys_platform", "'linux' in sys_platform"),
            ("os_name == 'nt'", "os_name == 'nt'"),
        ] {
            assert_eq!(without_sets(marker), wanted);
        }
        assert!(is_in_sets("in-groups-dev", &["Dev".to_owned()]));
        assert!(!is_in_sets("in-extras-dev", &["dev".to_owned()]));
    }
}
