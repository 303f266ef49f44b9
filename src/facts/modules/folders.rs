//! The content of folders, each read once.
//!
//! **Invariant:** a name is looked up without asking the file system again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
}

/// Folders that were looked into.
#[derive(Debug, Default)]
pub(super) struct Folders(BTreeMap<PathBuf, BTreeMap<String, Kind>>);

impl Folders {
    /// The entries of a folder, sorted by name; none for what is no folder.
    pub(super) fn entries(&mut self, folder: &Path) -> &BTreeMap<String, Kind> {
        self.0.entry(folder.to_owned()).or_insert_with(|| read(folder))
    }

    /// What a name in a folder is.
    pub(super) fn kind(&mut self, folder: &Path, name: &str) -> Option<Kind> {
        self.entries(folder).get(name).copied()
    }

    /// Whether a folder is a regular package.
    pub(super) fn is_package(&mut self, folder: &Path) -> bool {
        self.kind(folder, "__init__.py") == Some(Kind::File)
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
pub(super) struct Visited {
    start: PathBuf,
    seen: BTreeSet<PathBuf>,
}

impl Visited {
    pub(super) fn new(start: &Path) -> Self {
        let start = start.canonicalize().unwrap_or_else(|_| start.to_owned());
        Self { seen: BTreeSet::from([start.clone()]), start }
    }

    /// Whether a folder is entered for the first time, and is not above the start.
    pub(super) fn enter(&mut self, folder: &Path) -> bool {
        let Ok(folder) = folder.canonicalize() else { return false };
        !self.start.starts_with(&folder) && self.seen.insert(folder)
    }
}
