//! Local modules: what a flow script imports of the user's own, followed on disk.
//!
//! **Invariant:** a file is found where Python would find it with the project's folders on its
//! path; stdlib and installed distributions are whatever is not there.

mod find;
mod folders;
mod roots;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::FileFact;
use crate::python::SyntaxError;

pub use find::find;
pub use roots::roots;

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
    /// What cannot be told by reading.
    pub notes: Vec<String>,
}

/// Names that are never part of a package: caches, version control, virtual environments.
fn is_noise(name: &str) -> bool {
    name.starts_with('.')
        || matches!(name, "__pycache__" | "node_modules" | "site-packages")
        || has_extension(name, "pyc")
        || name.ends_with(".egg-info")
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// What the key `modules` names: a file or a folder, under its own name.
pub fn given(name: &str, path: &Path) -> Modules {
    let mut modules = Modules::default();
    let Some(own) = path.file_name().and_then(|name| name.to_str()) else { return modules };
    let because = format!("`modules` names `{name}`");
    let mut visited = folders::Visited::new(path);
    let mut pending = vec![(path.to_owned(), own.to_owned())];
    while let Some((path, below)) = pending.pop() {
        if path.is_dir() {
            if below != own && !visited.enter(&path) {
                continue;
            }
            let entries = fs::read_dir(&path).into_iter().flatten().filter_map(Result::ok);
            for entry in entries {
                match entry.file_name().to_str() {
                    Some(name) if !is_noise(name) => {
                        pending.push((entry.path(), format!("{below}/{name}")));
                    }
                    Some(_) => {}
                    None => modules.notes.push(format!(
                        "the name of a file in `{}` is not UTF-8: it is left out",
                        path.display()
                    )),
                }
            }
        } else if let Ok(file) = super::file(&path, super::Need::Bytes) {
            let because = because.clone();
            modules.files.push(ModuleFile { path: below, file, because });
        }
    }
    modules.files.sort_by(|a, b| a.path.cmp(&b.path));
    modules
}
