//! Which files are copied where, and that nothing is copied over something else.
//!
//! **Invariant:** each file of the image comes from one source.

use std::collections::BTreeMap;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{Resolver, pairs};
use crate::facts::{FileFact, Found};
use crate::problem::Place;
use crate::storage::{FileEntry, Flow, Modules, Tree};

/// What is at the location of a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// The script, byte for byte.
    AsScripts,
    /// What the image makes of it.
    Serialised,
}

impl Resolver<'_> {
    /// The entries of `files`, filtered by `dockerignore`.
    pub(super) fn files(
        &mut self,
        flows: &[Flow],
        stored: Stored,
        modules: &Modules,
    ) -> Vec<FileEntry> {
        let ignore = self.ignore();
        let mut taken: BTreeMap<String, Taken> = BTreeMap::new();
        for flow in flows {
            let from = format!("flow `{}`", flow.name);
            let digest = (stored == Stored::AsScripts).then(|| flow.source.digest.clone());
            taken.insert(flow.location.clone(), Taken { from, digest });
        }
        for module in &modules.files {
            let at = format!("{}/{}", modules.folder.trim_end_matches('/'), module.path);
            let from = format!("module `{}`", module.path);
            taken.insert(at, Taken { from, digest: Some(module.file.digest.clone()) });
        }
        let mut entries = Vec::new();
        for pair in pairs(self.storage.files.as_ref()) {
            let place = &pair.place;
            if pair.value.is_empty() || pair.value.chars().any(char::is_control) {
                let message = format!("the destination of `{}` is not a path", pair.key);
                self.problem("files", Some(place), message, "write a path in the image");
                continue;
            }
            let basename = basename(&pair.key);
            let tree = match self.found(&pair.key).clone() {
                Found::File(file) => Tree::File(file),
                Found::Folder(folder) => Tree::Folder(kept(&basename, folder.entries, &ignore)),
                Found::Missing | Found::Unreadable(_) => {
                    // Says what is wrong; both are problems.
                    self.file("files", &pair.key, place);
                    continue;
                }
            };
            let entry = FileEntry {
                basename,
                dest: pair.value.clone(),
                tree,
                origin: format!("files, {place}"),
            };
            self.claim(&mut taken, &entry, &pair.key, place);
            entries.push(entry);
        }
        entries
    }

    /// Says where two sources have one destination.
    fn claim(
        &mut self,
        taken: &mut BTreeMap<String, Taken>,
        entry: &FileEntry,
        source: &str,
        place: &Place,
    ) {
        for (destination, from, digest) in destinations(entry, source) {
            let new = Taken { from: format!("`{from}`"), digest: Some(digest.clone()) };
            let Some(other) = taken.insert(destination.clone(), new) else { continue };
            // The same bytes twice harm nobody: people copy scripts and modules by hand.
            if other.digest == Some(digest) && !other.from.starts_with('`') {
                continue;
            }
            let other = other.from;
            let message = format!("{other} and `{from}` have one destination, `{destination}`");
            self.problem("files", Some(place), message, "give each its own destination");
            return;
        }
    }

    fn ignore(&mut self) -> Gitignore {
        let none = Gitignore::empty();
        let Some(key) = &self.storage.dockerignore else { return none };
        // Beside a Dockerfile the patterns are the context's own business.
        if self.storage.dockerfile.is_some() {
            return none;
        }
        let Some((text, _)) = self.file_text("dockerignore", key) else { return none };
        let mut builder = GitignoreBuilder::new("");
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Docker's patterns begin at the root; those of Git match at any depth.
            let (negation, pattern) = match line.strip_prefix('!') {
                Some(pattern) => ("!", pattern),
                None => ("", line),
            };
            let pattern = pattern.trim_start_matches("./").trim_start_matches('/');
            if let Err(error) = builder.add_line(None, &format!("{negation}/{pattern}")) {
                let place = Place { file: key.value.clone(), line: at + 1 };
                let message = format!("`{line}` is not a pattern: {error}");
                self.problem("dockerignore", Some(&place), message, "correct the pattern");
            }
        }
        builder.build().unwrap_or(none)
    }
}

/// The last part of a path; `.` and `/` have none of their own.
fn basename(path: &str) -> String {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let has_none = matches!(name, "" | "." | "..") || path == "~";
    if has_none { "folder".to_owned() } else { name.to_owned() }
}

fn kept(
    basename: &str,
    entries: Vec<(String, Option<FileFact>)>,
    ignore: &Gitignore,
) -> Vec<(String, Option<FileFact>)> {
    let is_kept = |(path, file): &(String, Option<FileFact>)| {
        let path = format!("{basename}/{path}");
        !ignore.matched_path_or_any_parents(path, file.is_none()).is_ignore()
    };
    entries.into_iter().filter(is_kept).collect()
}

/// What is at a path of the image.
struct Taken {
    /// For messages.
    from: String,
    /// Of its content, where that is a file of the user's.
    digest: Option<String>,
}

/// Each file's path in the image, its source and digest, by the rules of COPY.
fn destinations(entry: &FileEntry, source: &str) -> Vec<(String, String, String)> {
    let dest = entry.dest.trim_end_matches('/');
    match &entry.tree {
        Tree::File(file) if entry.dest.ends_with('/') => {
            let at = format!("{dest}/{}", entry.basename);
            vec![(at, source.to_owned(), file.digest.clone())]
        }
        Tree::File(file) => vec![(dest.to_owned(), source.to_owned(), file.digest.clone())],
        Tree::Folder(entries) => entries
            .iter()
            .filter_map(|(path, file)| {
                let from = format!("{}/{path}", source.trim_end_matches('/'));
                Some((format!("{dest}/{path}"), from, file.as_ref()?.digest.clone()))
            })
            .collect(),
    }
}
