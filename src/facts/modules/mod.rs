//! Local modules: what a flow script imports of the user's own, followed on disk.
//!
//! **Invariant:** a file is found where Python would find it with the project's folders on its
//! path; stdlib and installed distributions are whatever is not there.

mod data;
mod find;
mod folders;
mod roots;
mod sources;
mod stdlib;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::facts::FileFact;
use crate::problem::Place;
use crate::python::SyntaxError;
use crate::python::imports::{Mention, Outside};

pub(super) use data::is_private;
pub use find::find;
pub use roots::{project, roots};

/// A file that must be in the image for an import to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    /// Path below the folder of modules in the image, `/` between names.
    pub path: String,
    /// The file.
    pub file: FileFact,
    /// Why it is there.
    pub because: String,
}

/// The local modules of a script, or of the key `modules`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    /// Sorted by path, each once.
    pub files: Vec<ModuleFile>,
    /// Modules that cannot be read as Python, and why.
    pub broken: Vec<(PathBuf, SyntaxError)>,
    /// What cannot be told by reading, each once.
    pub notes: Vec<String>,
    /// Programs and database drivers that the sources name, with the place of each.
    pub outside: Vec<Mentioned>,
}

/// Something outside of Python that a source names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mentioned {
    /// What it is.
    pub what: Outside,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Whether it stands in a task or flow, and not only beside them.
    pub is_in_task: bool,
}

impl Modules {
    /// Takes in what a source names, each thing once.
    pub(super) fn mention(&mut self, file: &str, mentions: &[Mention]) {
        for Mention { what, name, line, is_in_task } in mentions {
            let known = |other: &&mut Mentioned| other.what == *what && other.name == *name;
            match self.outside.iter_mut().find(known) {
                Some(other) => other.is_in_task |= is_in_task,
                None => self.outside.push(Mentioned {
                    what: *what,
                    name: name.clone(),
                    place: Place { file: file.to_owned(), line: *line },
                    is_in_task: *is_in_task,
                }),
            }
        }
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Names that are never part of a package: caches, version control, installed distributions.
fn is_noise(name: &str) -> bool {
    name.starts_with('.')
        || matches!(name, "__pycache__" | "node_modules" | "site-packages" | "dist-packages")
        || ["pyc", "egg-info", "dSYM"].iter().any(|extension| has_extension(name, extension))
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// What the key `modules` names: a file or a folder, under its own name.
pub fn given(name: &str, path: &Path) -> Modules {
    let mut modules = Modules::default();
    let path = super::normalised(path);
    let Some(own) = path.file_name().and_then(|name| name.to_str()) else { return modules };
    let files = if path.is_dir() {
        let below = folders::Folders::default().below(&path).into_iter();
        below.map(|file| (file.path, format!("{own}/{}", file.name))).collect()
    } else {
        vec![(path.clone(), own.to_owned())]
    };
    for (path, below) in files {
        match super::file(&path, super::Need::Bytes) {
            Ok(file) => {
                let because = format!("`modules` names `{name}`");
                modules.files.push(ModuleFile { path: below, file, because });
            }
            Err(error) => modules.note(format!("a file of `{name}` cannot be read: {error}")),
        }
    }
    modules.files.sort_by(|a, b| a.path.cmp(&b.path));
    modules
}
