//! Local packages: which travel, under what name, and what of them does not.
//!
//! **Invariant:** the place of a package in the context is made of what it holds, so that an
//! installer never takes an older build of it for the same.

use sha2::{Digest, Sha256};

use super::Resolver;
use crate::deps::local::{is_archive, is_wheel, is_wheel_name};
use crate::deps::requirements::{Distribution, Requirements};
use crate::facts::{FileFact, Found, LocalPackage, hex};
use crate::problem::{Place, Problem};
use crate::storage::{LocalEntry, Tree};

impl Resolver<'_> {
    /// Gives each local requirement its place; returns what travels.
    pub(super) fn local_packages(&mut self, requirements: &mut Requirements) -> Vec<LocalEntry> {
        let facts = self.facts;
        let mut entries: Vec<LocalEntry> = Vec::new();
        for requirement in &mut requirements.wanted {
            if requirement.is_editable {
                self.warn(
                    &requirement.place,
                    format!(
                        "`{}` is installed as it is now: an image has no editable \
                             packages",
                        requirement.line
                    ),
                    "leave out `-e` to say so",
                );
            }
            let Some(local) = &mut requirement.local else { continue };
            let missing = LocalPackage {
                found: Found::Missing,
                name: None,
                is_project: false,
                left_out: Vec::new(),
            };
            let found = facts.local_packages.get(&local.path).unwrap_or(&missing);
            let Some((tree, is_built)) = self.tree(found, &local.path, &requirement.place) else {
                continue;
            };
            if local.name.is_none() {
                local.name.clone_from(&found.name);
                let conditional = requirement.line.contains(';');
                requirement.distribution = found.name.clone().map(|name| Distribution {
                    name,
                    conditional,
                    direct: true,
                    ..Distribution::default()
                });
            }
            for path in &found.left_out {
                self.warn(
                    &requirement.place,
                    format!(
                        "`{path}` in `{}` looks like a private key and is left out",
                        local.path
                    ),
                    "keep keys out of packages",
                );
            }
            let place = format!("{}/{}", &digest(&tree)[..12], basename(&local.path));
            local.place = Some(place.clone());
            if entries.iter().all(|known| known.place != place) {
                let origin = format!("{}: `{}`", requirement.place, local.path);
                entries.push(LocalEntry { place, tree, is_built, origin });
            }
        }
        entries
    }

    /// What is copied, and whether it must be built first.
    fn tree(&mut self, found: &LocalPackage, path: &str, at: &Place) -> Option<(Tree, bool)> {
        let (message, remedy) = match &found.found {
            Found::File(file) if is_wheel(path) && is_wheel_name(path) => {
                return Some((Tree::File(file.clone()), false));
            }
            Found::File(file) if is_archive(path) => {
                return Some((Tree::File(file.clone()), true));
            }
            Found::File(_) if is_wheel(path) => (
                format!("`{path}` does not have the name of a wheel"),
                "call it name-version-python-abi-platform.whl, as its build did",
            ),
            Found::File(_) => (
                format!("`{path}` is neither a wheel nor a source archive"),
                "name a `.whl`, a `.tar.gz`, or the folder of a project",
            ),
            Found::Folder(folder) if found.is_project => {
                return Some((Tree::Folder(folder.entries.clone()), true));
            }
            Found::Folder(_) => (
                format!("the folder `{path}` has neither a pyproject.toml nor a setup.py"),
                "add one, or copy the folder with `files` or `modules`",
            ),
            Found::Missing => {
                (format!("`{path}` does not exist"), "create it, or correct the requirement")
            }
            Found::Unreadable(reason) => {
                (format!("`{path}` cannot be read: {reason}"), "make it readable for you")
            }
        };
        self.problem("python_dependencies", Some(at), message, remedy);
        None
    }

    fn warn(&mut self, place: &Place, message: String, remedy: &str) {
        self.warnings.push(Problem {
            key: Some("python_dependencies".to_owned()),
            place: Some(place.clone()),
            message,
            remedy: remedy.to_owned(),
        });
    }
}

/// The last part of a path.
fn basename(path: &str) -> &str {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if matches!(name, "" | "." | ".." | "~") { "project" } else { name }
}

fn digest(tree: &Tree) -> String {
    let mut hasher = Sha256::new();
    let mut entry = |path: &str, file: Option<&FileFact>| {
        let digest = file.map_or("-", |file| file.digest.as_str());
        let mode = if file.is_some_and(|file| file.executable) { "x" } else { "-" };
        hasher.update(format!("{digest} {mode} {path:?}\n").as_bytes());
    };
    match tree {
        Tree::File(file) => entry("", Some(file)),
        Tree::Folder(entries) => {
            for (path, file) in entries {
                entry(path, file.as_ref());
            }
        }
    }
    hex(&hasher.finalize())
}
