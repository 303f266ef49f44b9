//! Follows imports from a script, breadth first.
//!
//! **Invariant:** every file is read once, and every walk is bounded; the order in which files are
//! found, and so the reason that each is given, depends on the sources alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;

use super::folders::{Folders, Kind, Visited};
use super::{ModuleFile, Modules, has_extension, is_noise};
use crate::facts::{self, FileFact, Need};
use crate::python::SyntaxError;
use crate::python::imports::{self, Import, Reads};

/// Modules that are part of the interpreter: no file can take their place.
const BUILT_IN: [&str; 12] = [
    "atexit",
    "builtins",
    "errno",
    "faulthandler",
    "gc",
    "itertools",
    "marshal",
    "posix",
    "pwd",
    "signal",
    "sys",
    "time",
];
/// Files and bytes of data that a package brings without being asked.
const MAX_DATA_FILES: usize = 2000;
const MAX_DATA_BYTES: u64 = 100 << 20;

/// Finds the local modules of a script. `shown_from` is the folder that paths are shown from.
pub fn find(script: &Path, roots: &[PathBuf], shown_from: &Path) -> Modules {
    let mut finder = Finder {
        roots,
        shown_from,
        folders: Folders::default(),
        found: BTreeMap::new(),
        resolved: BTreeSet::new(),
        result: Modules::default(),
    };
    let name = finder.name_of(script);
    let mut frontier = vec![Source { path: script.to_owned(), name, is_package: false }];
    let mut is_script = true;
    while !frontier.is_empty() {
        let read = read_all(&frontier);
        let mut next = Vec::new();
        for (source, read) in frontier.iter().zip(read) {
            let Some(read) = read else { continue };
            if !is_script {
                finder.keep(source, &read.file);
            }
            match read.reads {
                Ok(reads) => finder.follow(source, &reads, is_script, &mut next),
                // What is wrong with the script itself is said where it is read.
                Err(_) if is_script => {}
                Err(error) => finder.result.broken.push((source.path.clone(), error)),
            }
        }
        is_script = false;
        frontier = next;
    }
    finder.finish()
}

/// A source file with the name that it is imported by.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    /// The parts of its dotted name; empty for a script that is in no package.
    name: Vec<String>,
    is_package: bool,
}

impl Source {
    /// The package that its relative imports begin from.
    fn package(&self) -> &[String] {
        let above = usize::from(!self.is_package);
        &self.name[..self.name.len().saturating_sub(above)]
    }
}

struct Read {
    file: FileFact,
    reads: Result<Reads, SyntaxError>,
}

/// Reads and parses files, on as many threads as there are processors.
fn read_all(sources: &[Source]) -> Vec<Option<Read>> {
    let one = |source: &Source| {
        let mut file = facts::file(&source.path, Need::Text).ok()?;
        let reads = match file.text.take() {
            _ if !has_extension(&source.path.to_string_lossy(), "py") => Ok(Reads::default()),
            Some(text) => imports::imports(&text),
            None => {
                let message = "it is not UTF-8".to_owned();
                Err(SyntaxError { message, line: 1 })
            }
        };
        Some(Read { file, reads })
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    if sources.len() < 16 || threads == 1 {
        return sources.iter().map(one).collect();
    }
    let size = sources.len().div_ceil(threads);
    thread::scope(|scope| {
        let chunks: Vec<_> = sources
            .chunks(size)
            .map(|chunk| scope.spawn(move || chunk.iter().map(one).collect::<Vec<_>>()))
            .collect();
        let mut read = Vec::with_capacity(sources.len());
        for (chunk, of) in chunks.into_iter().zip(sources.chunks(size)) {
            // A parser that gave up has nothing to say about its files.
            read.extend(chunk.join().unwrap_or_else(|_| of.iter().map(|_| None).collect()));
        }
        read
    })
}

/// Where a dotted name leads.
enum Place {
    /// A file, and whether it is the `__init__.py` of the folder it is in.
    Regular { path: PathBuf, is_package: bool },
    /// Folders without `__init__.py`, of which submodules may be imported.
    Namespace(Vec<PathBuf>),
}

struct Finder<'a> {
    roots: &'a [PathBuf],
    shown_from: &'a Path,
    folders: Folders,
    /// Path in the image → the file and why.
    found: BTreeMap<String, (FileFact, String)>,
    /// Dotted names that were looked up.
    resolved: BTreeSet<String>,
    result: Modules,
}

impl Finder<'_> {
    fn finish(mut self) -> Modules {
        let files = std::mem::take(&mut self.found).into_iter();
        self.result.files =
            files.map(|(path, (file, because))| ModuleFile { path, file, because }).collect();
        self.result
    }

    /// The dotted name of a script, if it is in a package.
    fn name_of(&mut self, script: &Path) -> Vec<String> {
        let text = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        let mut name = Vec::new();
        let mut folder = script.parent();
        while let Some(package) = folder.filter(|folder| self.folders.is_package(folder)) {
            name.extend(package.file_name().and_then(|name| name.to_str()).map(str::to_owned));
            folder = package.parent();
        }
        name.reverse();
        if !name.is_empty() {
            name.extend(text(script));
        }
        name
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.shown_from).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// The path in the image: below the root that the file was found from.
    fn path_in_image(&self, path: &Path) -> Option<String> {
        let below = self.roots.iter().filter_map(|root| path.strip_prefix(root).ok());
        // The innermost root that holds it may not be the one that it was imported from: names
        // decide, see `target`.
        below.min_by_key(|below| below.components().count())?.to_str().map(str::to_owned)
    }

    /// The path in the image of a module by its name.
    fn target(source: &Source) -> Option<String> {
        let file = source.path.file_name()?.to_str()?;
        let folders = if source.is_package {
            source.name.as_slice()
        } else {
            source.name.split_last().map_or(&[][..], |(_, above)| above)
        };
        let mut parts: Vec<&str> = folders.iter().map(String::as_str).collect();
        parts.push(file);
        Some(parts.join("/"))
    }

    fn keep(&mut self, source: &Source, file: &FileFact) {
        let Some(path) = Self::target(source) else { return };
        if let Some((known, _)) = self.found.get_mut(&path) {
            *known = file.clone();
        }
    }

    fn follow(&mut self, source: &Source, reads: &Reads, is_script: bool, next: &mut Vec<Source>) {
        for import in &reads.imports {
            let Some(mut module) = absolute(import, source) else { continue };
            let because = format!("imported by `{}:{}`", self.shown(&source.path), import.line);
            self.import(&module, &because, next);
            for name in import.names.iter().filter(|name| *name != "*") {
                module.push(name.clone());
                self.import(&module, &because, next);
                module.pop();
            }
        }
        if source.is_package {
            // What `from package import *` imports.
            for name in &reads.all {
                let mut module = source.name.clone();
                module.push(name.clone());
                let because = format!("in `__all__` of `{}`", self.shown(&source.path));
                self.import(&module, &because, next);
            }
        }
        self.data(source, reads, is_script);
        if let Some(line) = reads.imports_by_name {
            let place = format!("{}:{line}", self.shown(&source.path));
            let package = source.package().to_vec();
            if package.is_empty() {
                self.result.notes.push(format!(
                    "`{place}` imports a module by a name that only a run could tell"
                ));
            } else {
                let because = format!("`{place}` imports by name");
                self.whole_package(source, &package, &because, next);
            }
        }
    }

    /// Everything that a dotted name needs: its packages, and the module itself.
    fn import(&mut self, module: &[String], because: &str, next: &mut Vec<Source>) {
        let whole = module.join(".");
        if module.is_empty() || self.resolved.contains(&whole) {
            return;
        }
        let is_built_in = BUILT_IN.contains(&module[0].as_str());
        self.resolved.insert(whole.clone());
        if is_built_in {
            return;
        }
        let mut within = self.roots.to_vec();
        let mut files = Vec::new();
        for (at, name) in module.iter().enumerate() {
            match self.locate(&within, name) {
                Some(Place::Regular { path, is_package }) => {
                    within = match (is_package, path.parent()) {
                        (true, Some(folder)) => vec![folder.to_owned()],
                        _ => Vec::new(),
                    };
                    files.push(Source { path, name: module[..=at].to_vec(), is_package });
                }
                Some(Place::Namespace(folders)) => within = folders,
                // The last name may be an attribute, which its module has.
                None => break,
            }
        }
        let last = files.len().saturating_sub(1);
        let module_path = files.last().map(|source| self.shown(&source.path)).unwrap_or_default();
        for (at, source) in files.into_iter().enumerate() {
            let Some(target) = Self::target(&source) else { continue };
            if self.found.contains_key(&target) {
                continue;
            }
            let is_on_the_way = at < last;
            let because = if is_on_the_way {
                format!("package of `{module_path}`")
            } else {
                because.to_owned()
            };
            if !has_extension(&target, "py") {
                self.result.notes.push(format!(
                    "`{}` was compiled for this machine's Python",
                    self.shown(&source.path)
                ));
            }
            self.found.insert(target, (FileFact::default(), because));
            next.push(source);
        }
    }

    /// Finds a name in folders as Python's path finder does: the first regular package or module.
    fn locate(&mut self, within: &[PathBuf], name: &str) -> Option<Place> {
        let mut portions = Vec::new();
        for folder in within {
            let inner = folder.join(name);
            match self.folders.kind(folder, name) {
                Some(Kind::Folder) if self.folders.is_package(&inner) => {
                    let path = inner.join("__init__.py");
                    return Some(Place::Regular { path, is_package: true });
                }
                found => {
                    let file = format!("{name}.py");
                    if self.folders.kind(folder, &file) == Some(Kind::File) {
                        let path = folder.join(file);
                        return Some(Place::Regular { path, is_package: false });
                    }
                    let prefix = format!("{name}.");
                    let compiled = self.folders.entries(folder).range(prefix.clone()..).next();
                    if let Some((file, Kind::File)) = compiled
                        && file.starts_with(&prefix)
                        && has_extension(file, "so")
                    {
                        let path = folder.join(file);
                        return Some(Place::Regular { path, is_package: false });
                    }
                    if found == Some(Kind::Folder) {
                        portions.push(inner);
                    }
                }
            }
        }
        (!portions.is_empty()).then_some(Place::Namespace(portions))
    }

    /// Every module of a package, because any of them may be imported.
    fn whole_package(
        &mut self,
        source: &Source,
        package: &[String],
        because: &str,
        next: &mut Vec<Source>,
    ) {
        let Some(folder) = source.path.parent().map(Path::to_path_buf) else { return };
        let mut visited = Visited::new(&folder);
        let mut pending = vec![(folder, package.to_vec())];
        while let Some((folder, name)) = pending.pop() {
            let entries: Vec<(String, Kind)> =
                self.folders.entries(&folder).iter().map(|(n, k)| (n.clone(), *k)).collect();
            for (entry, kind) in entries {
                let mut module = name.clone();
                match (kind, entry.strip_suffix(".py")) {
                    (Kind::Folder, _) if is_noise(&entry) => {}
                    (Kind::Folder, _) => {
                        let below = folder.join(&entry);
                        if visited.enter(&below) {
                            module.push(entry);
                            pending.push((below, module));
                        }
                    }
                    (Kind::File, Some("__init__")) => self.import(&module, because, next),
                    (Kind::File, Some(stem)) => {
                        module.push(stem.to_owned());
                        self.import(&module, because, next);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Files beside a source that are not Python.
    fn data(&mut self, source: &Source, reads: &Reads, is_script: bool) {
        let Some(folder) = source.path.parent().map(Path::to_path_buf) else { return };
        let package = source.package().to_vec();
        if let (Some(line), false, false) = (reads.opens_beside, package.is_empty(), is_script) {
            let because = format!(
                "data of package `{}`, which `{}:{line}` opens",
                package.join("."),
                self.shown(&source.path)
            );
            self.package_data(&folder, &package.join("/"), &because);
        }
        for data in &reads.data {
            let because = format!("opened by `{}:{}`", self.shown(&source.path), data.line);
            match &data.package {
                Some(name) => {
                    let parts: Vec<String> = name.split('.').map(str::to_owned).collect();
                    let mut within = self.roots.to_vec();
                    for part in &parts {
                        within = match self.locate(&within, part) {
                            Some(Place::Regular { path, is_package: true }) => {
                                path.parent().map(Path::to_path_buf).into_iter().collect()
                            }
                            Some(Place::Namespace(folders)) => folders,
                            _ => Vec::new(),
                        };
                    }
                    for folder in within {
                        self.package_data(&folder, &parts.join("/"), &because);
                    }
                }
                // A package brings all of its data anyway.
                None if package.is_empty() => {
                    let path = folder.join(&data.path);
                    let Some(target) = self.path_in_image(&path) else { continue };
                    if path.is_dir() {
                        self.package_data(&path, &target, &because);
                    } else {
                        self.add_data(&path, target, &because);
                    }
                }
                None => {}
            }
        }
    }

    fn package_data(&mut self, folder: &Path, target: &str, because: &str) {
        let mut visited = Visited::new(folder);
        let mut pending = vec![(folder.to_owned(), target.to_owned())];
        let mut count = 0;
        let mut bytes = 0;
        while let Some((folder, target)) = pending.pop() {
            let entries: Vec<(String, Kind)> =
                self.folders.entries(&folder).iter().map(|(n, k)| (n.clone(), *k)).collect();
            for (name, kind) in entries {
                let (path, target) = (folder.join(&name), format!("{target}/{name}"));
                let is_code = ["py", "pyi"].iter().any(|code| has_extension(&name, code));
                match kind {
                    _ if is_noise(&name) => {}
                    Kind::Folder if visited.enter(&path) => pending.push((path, target)),
                    Kind::Folder => {}
                    Kind::File if is_code || name == "py.typed" => {}
                    Kind::File => {
                        count += 1;
                        bytes += path.metadata().map_or(0, |metadata| metadata.len());
                        if count > MAX_DATA_FILES || bytes > MAX_DATA_BYTES {
                            self.result.notes.push(format!(
                                "`{}` holds too much data to be taken along unasked: name what is \
                                 needed in `files`",
                                self.shown(&folder)
                            ));
                            return;
                        }
                        self.add_data(&path, target, because);
                    }
                }
            }
        }
    }

    fn add_data(&mut self, path: &Path, target: String, because: &str) {
        if self.found.contains_key(&target) {
            return;
        }
        if let Ok(file) = facts::file(path, Need::Bytes) {
            self.found.insert(target, (file, because.to_owned()));
        }
    }
}

/// The absolute name of what an import names; none for a relative one that leads nowhere.
fn absolute(import: &Import, source: &Source) -> Option<Vec<String>> {
    let module = import.module.split('.').filter(|part| !part.is_empty()).map(str::to_owned);
    let Some(above) = (import.level as usize).checked_sub(1) else { return Some(module.collect()) };
    let package = source.package();
    if package.is_empty() || above >= package.len() {
        return None;
    }
    let base = &package[..package.len() - above];
    Some(base.iter().cloned().chain(module).collect())
}
