//! Local packages that requirements name: wheels, and the folders of projects.
//!
//! **Invariant:** of a folder only what its build can need is read; what looks like a private key is
//! left out and named.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::modules::is_private;
use super::{FileFact, Found, Need, look};
use crate::deps;

/// A local package as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPackage {
    /// A file, or a folder with what its build can need.
    pub found: Found,
    /// The name that the project gives itself.
    pub name: Option<String>,
    /// Whether the folder is a project at all.
    pub is_project: bool,
    /// Paths below the folder that were left out because they look like private keys.
    pub left_out: Vec<String>,
}

/// Folders that tools fill, wherever they are.
const OF_TOOLS: [&str; 3] = ["__pycache__", "node_modules", "CVS"];
/// Hidden folders and files that a build may read.
const HIDDEN: [&str; 3] = [".cargo", ".gitignore", ".gitattributes"];
/// What a build leaves at the top of a project.
const OUTPUT: [&str; 2] = ["build", "dist"];
/// Keys in PEM begin in the first bytes.
const HEAD: u64 = 4096;

/// Looks at the path of a requirement.
pub(super) fn look_at(path: &Path) -> LocalPackage {
    let nothing = |found| LocalPackage { found, name: None, is_project: false, left_out: vec![] };
    if !path.is_dir() {
        return nothing(look(path, Need::Bytes));
    }
    let mut left_out = Vec::new();
    let entries = match walk(path, &mut left_out) {
        Ok(entries) => entries,
        Err(error) => return nothing(Found::Unreadable(error.to_string())),
    };
    let is_file = |name: &str| entries.iter().any(|(path, file)| path == name && file.is_some());
    let is_project = ["pyproject.toml", "setup.py", "setup.cfg"].into_iter().any(is_file);
    let pyproject = fs::read_to_string(path.join("pyproject.toml")).ok();
    let name = pyproject.as_deref().and_then(deps::project_name);
    let source = path.to_owned();
    LocalPackage {
        found: Found::Folder(super::FolderFact { source, entries }),
        name,
        is_project,
        left_out,
    }
}

fn walk(folder: &Path, left_out: &mut Vec<String>) -> io::Result<Vec<(String, Option<FileFact>)>> {
    let mut walker = super::walker(folder);
    walker.filter_entry(|entry| {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !is_of_tools(entry.path(), &name, is_folder, entry.depth())
    });
    super::entries(folder, walker.build(), |entry, relative| {
        let name = entry.file_name().to_string_lossy();
        let is_key = is_private(&name) || holds_key(entry.path())?;
        if is_key {
            left_out.push(relative.to_owned());
        }
        Ok(!is_key)
    })
}

fn is_of_tools(path: &Path, name: &str, is_folder: bool, depth: usize) -> bool {
    if HIDDEN.contains(&name) {
        return false;
    }
    if !is_folder {
        // `.env` and its like are no sources.
        return name.starts_with('.') || path.extension().is_some_and(|e| e == "pyc");
    }
    let is_environment = || path.join("pyvenv.cfg").is_file();
    name.starts_with('.')
        || name.ends_with(".egg-info")
        || depth == 1 && OUTPUT.contains(&name)
        || OF_TOOLS.contains(&name)
        || is_environment()
}

/// Whether a file holds a private key in PEM.
fn holds_key(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    Ok(head
        .lines()
        .any(|line| line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY-----")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_comes_without_what_tools_made() {
        let root = tempfile::tempdir().expect("a folder");
        let key = format!("x\n-----BEGIN {} KEY-----\n", "RSA PRIVATE");
        for (path, text) in [
            ("pyproject.toml", "[project]\nname = 'My_Lib'\n"),
            ("src/mylib/__init__.py", ""),
            ("src/mylib/build/__init__.py", ""),
            ("src/mylib/__pycache__/x.pyc", ""),
            ("src/mylib.egg-info/PKG-INFO", ""),
            ("src/mylib/data.pem", "-----BEGIN CERTIFICATE-----\n"),
            ("src/mylib/server.key", ""),
            ("src/mylib/secret.txt", &key),
            ("build/lib/mylib/__init__.py", ""),
            ("dist/x.whl", ""),
            (".git/config", ""),
            (".venv/x", ""),
            (".env", "TOKEN=x"),
            (".gitignore", ""),
            ("python/pyvenv.cfg", ""),
            ("python/lib/x", ""),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let found = look_at(root.path());
        let Found::Folder(folder) = &found.found else { panic!("{found:?}") };
        let paths: Vec<&str> = folder.entries.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                ".gitignore",
                "pyproject.toml",
                "src",
                "src/mylib",
                "src/mylib/__init__.py",
                "src/mylib/build",
                "src/mylib/build/__init__.py",
                "src/mylib/data.pem",
            ]
        );
        assert_eq!(found.left_out, ["src/mylib/secret.txt", "src/mylib/server.key"]);
        assert_eq!((found.name.as_deref(), found.is_project), (Some("my-lib"), true));
    }
}
