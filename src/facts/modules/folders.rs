//! The content of folders, each read once.
//!
//! **Invariant:** a name is looked up without asking the file system again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{has_extension, is_noise};

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
}

/// Folders that were looked into. Their paths are compared as bytes, which is faster than by name.
#[derive(Debug, Default)]
pub(super) struct Folders(BTreeMap<OsString, BTreeMap<String, Kind>>);

/// A file below a folder.
#[derive(Debug)]
pub(super) struct Below {
    pub(super) path: PathBuf,
    /// From the folder, `/` between names.
    pub(super) name: String,
}

impl Folders {
    /// The entries of a folder, sorted by name; none for what is no folder.
    pub(super) fn entries(&mut self, folder: &Path) -> &BTreeMap<String, Kind> {
        if !self.0.contains_key(folder.as_os_str()) {
            self.0.insert(folder.as_os_str().to_owned(), read(folder));
        }
        &self.0[folder.as_os_str()]
    }

    /// What a name in a folder is.
    pub(super) fn kind(&mut self, folder: &Path, name: &str) -> Option<Kind> {
        self.entries(folder).get(name).copied()
    }

    /// What a path is.
    pub(super) fn kind_at(&mut self, path: &Path) -> Option<Kind> {
        self.kind(path.parent()?, path.file_name()?.to_str()?)
    }

    /// Whether a folder is a regular package.
    pub(super) fn is_package(&mut self, folder: &Path) -> bool {
        self.kind(folder, "__init__.py") == Some(Kind::File)
    }

    /// The files of a module that was compiled, for one or several Pythons.
    pub(super) fn compiled(&mut self, folder: &Path, module: &str) -> Vec<PathBuf> {
        let prefix = format!("{module}.");
        let named = self.entries(folder).range(prefix.clone()..);
        let named = named.take_while(|(name, _)| name.starts_with(&prefix));
        let compiled =
            named.filter(|(name, kind)| **kind == Kind::File && has_extension(name, "so"));
        compiled.map(|(name, _)| folder.join(name)).collect()
    }

    /// Every file below a folder but what is never part of a package, by folder; links are
    /// followed, and none of them twice.
    pub(super) fn below(&mut self, folder: &Path) -> Vec<Below> {
        let mut found = Vec::new();
        let mut visited = Visited::new(folder);
        let mut pending = vec![(folder.to_owned(), String::new())];
        while let Some((folder, prefix)) = pending.pop() {
            for (entry, kind) in self.entries(&folder) {
                let (path, name) = (folder.join(entry), format!("{prefix}{entry}"));
                match kind {
                    _ if is_noise(entry) => {}
                    Kind::File => found.push(Below { path, name }),
                    Kind::Folder if path.join("pyvenv.cfg").exists() => {}
                    Kind::Folder if visited.enter(&path) => {
                        pending.push((path, format!("{name}/")));
                    }
                    Kind::Folder => {}
                }
            }
        }
        found
    }
}

fn read(folder: &Path) -> BTreeMap<String, Kind> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let entry = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let kind = entry.file_type().ok()?;
        let (is_dir, is_file) = if kind.is_symlink() {
            let target = fs::metadata(entry.path()).ok()?;
            (target.is_dir(), target.is_file())
        } else {
            (kind.is_dir(), kind.is_file())
        };
        let kind = if is_dir { Kind::Folder } else { Kind::File };
        (is_dir || is_file).then_some((name, kind))
    };
    entries.filter_map(entry).collect()
}

/// Keeps a walk from coming back to where it was, by links.
#[derive(Debug)]
struct Visited {
    start: PathBuf,
    seen: BTreeSet<PathBuf>,
}

impl Visited {
    fn new(start: &Path) -> Self {
        let start = start.canonicalize().unwrap_or_else(|_| start.to_owned());
        Self { seen: BTreeSet::from([start.clone()]), start }
    }

    /// Whether a folder is entered for the first time, and is not above the start.
    fn enter(&mut self, folder: &Path) -> bool {
        let Ok(folder) = folder.canonicalize() else { return false };
        !self.start.starts_with(&folder) && self.seen.insert(folder)
    }
}
