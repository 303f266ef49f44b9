//! Files beside modules that are not Python, and which of them a module opens.
//!
//! **Invariant:** what is taken without being named is bounded, and what is left out is said.

use std::path::Path;

use super::find::{Finder, Module};
use super::folders::Kind;
use super::has_extension;
use crate::facts::{self, Need, normalised};
use crate::python::imports::Reads;

/// Files of data that a folder brings without being asked.
const MAX_FILES: usize = 2000;
/// Bytes of one of them, and of all.
const MAX_BYTES: u64 = 100 << 20;

/// What is taken of a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    /// What is not code: that comes by being imported.
    Data,
    Everything,
}

/// Names that private keys and credentials have.
pub(in crate::facts) fn is_private(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "credentials", "credentials.json"]
        .contains(&lower.as_str())
        || ["key", "p12", "pfx", "jks", "keystore"].iter().any(|e| has_extension(&lower, e))
}

impl Finder<'_> {
    /// Takes in what a module opens.
    pub(super) fn data(&mut self, module: &Module, reads: &Reads) {
        let (Some(folder), Some(root)) = (module.path.parent(), module.root()) else { return };
        let is_in_package =
            !module.is_script() && !module.package().is_empty() && self.folders.is_package(folder);
        let shown = self.shown(&module.path);
        if let Some(line) = reads.opens_beside.filter(|_| is_in_package) {
            let package = module.package().join(".");
            let because = format!("data of package `{package}`, which `{shown}:{line}` opens");
            self.folder(root, folder, Take::Data, &because);
        }
        for data in &reads.data {
            let because = format!("opened by `{shown}:{}`", data.line);
            if let Some(package) = &data.package {
                let (name, folders) = self.package_folders(package, module, &because, data.line);
                for folder in folders {
                    let Some(root) = folder.ancestors().nth(name.len()).map(Path::to_path_buf)
                    else {
                        continue;
                    };
                    self.folder(&root, &folder, Take::Data, &because);
                }
                continue;
            }
            let path = normalised(&folder.join(&data.path));
            let names_nothing = data.path.ends_with("..");
            if path == root || !path.starts_with(root) {
                if !names_nothing && path.exists() {
                    self.result.note(format!(
                        "`{shown}:{}` opens `{}`, which is above the folder that its modules are \
                         imported from: name it in `files`",
                        data.line,
                        self.shown(&path)
                    ));
                }
                continue;
            }
            let is_package = self.folders.is_package(&path);
            match self.folders.kind_at(&path) {
                // The folder of the package itself, or what is in it, is there already.
                _ if is_in_package && path.starts_with(folder) => {}
                Some(Kind::Folder) if is_package => {
                    self.folder(root, &path, Take::Data, &because);
                }
                Some(Kind::Folder) if names_nothing => {}
                Some(Kind::Folder) => self.folder(root, &path, Take::Everything, &because),
                Some(Kind::File) => self.file(root, &path, &because),
                None => {}
            }
        }
    }

    fn folder(&mut self, root: &Path, folder: &Path, take: Take, because: &str) {
        let what = if take == Take::Data { "data" } else { "everything" };
        if !self.taken.insert((folder.to_owned(), what)) {
            return;
        }
        let is_code = |name: &str| ["py", "pyi"].iter().any(|code| has_extension(name, code));
        let mut files = self.folders.below(folder);
        files.retain(|file| {
            let name = file.name.rsplit('/').next().unwrap_or_default();
            take == Take::Everything || !(is_code(name) || name == "py.typed")
        });
        // What a link leads to outside of the project, and keys, are not taken along unasked.
        let real_root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        files.retain(|file| {
            let name = file.name.rsplit('/').next().unwrap_or_default();
            let is_inside = file.path.canonicalize().is_ok_and(|real| real.starts_with(&real_root));
            let is_taken = is_inside && !is_private(name);
            if !is_taken {
                let why = if is_inside {
                    "looks like a private key"
                } else {
                    "is a link out of the project"
                };
                let shown = self.shown(&file.path);
                self.result.note(format!(
                    "`{shown}` {why}, and is left out: name it in `files` if it is needed"
                ));
            }
            is_taken
        });
        let mut bytes = 0;
        files.retain(|file| {
            let size = file.path.metadata().map_or(0, |metadata| metadata.len());
            if size > MAX_BYTES {
                let shown = self.shown(&file.path);
                self.result.note(format!(
                    "`{shown}` is too large to be taken along unasked: name it in `files`"
                ));
                return false;
            }
            bytes += size;
            true
        });
        if files.len() > MAX_FILES || bytes > MAX_BYTES {
            self.result.note(format!(
                "`{}` holds too much data to be taken along unasked: name what is needed in `files`",
                self.shown(folder)
            ));
            return;
        }
        for file in files {
            self.file(root, &file.path, because);
        }
    }

    fn file(&mut self, root: &Path, path: &Path, because: &str) {
        let Some(target) = path.strip_prefix(root).ok().and_then(Path::to_str) else { return };
        if self.found.contains_key(target) {
            return;
        }
        match facts::file(path, Need::Bytes) {
            Ok(file) => {
                self.found.insert(target.to_owned(), (Some(file), because.to_owned()));
            }
            Err(error) => {
                let shown = self.shown(path);
                self.result.note(format!("`{shown}` cannot be read: {error}"));
            }
        }
    }
}
