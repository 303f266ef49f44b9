//! Follows imports from a script, breadth first.
//!
//! **Invariant:** every source is read once, and every walk is bounded; the order in which files
//! are found, and so the reason that each is given, depends on the sources alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use super::folders::{Folders, Kind};
use super::sources::{self, STACK, Source};
use super::{ModuleFile, Modules, has_extension, stdlib};
use crate::facts::{FileFact, normalised};
use crate::python::SyntaxError;
use crate::python::imports::{Anchor, Import, Reads};

/// Finds the local modules of a script. `shown_from` is the folder that paths are shown from.
pub fn find(script: &Path, roots: &[PathBuf], shown_from: &Path) -> Modules {
    let run = || {
        let mut finder = Finder {
            roots: roots.to_vec(),
            shown_from,
            folders: Folders::default(),
            found: BTreeMap::new(),
            known: BTreeMap::new(),
            starred: BTreeMap::new(),
            all: BTreeMap::new(),
            taken: BTreeSet::new(),
            next: Vec::new(),
            result: Modules::default(),
        };
        finder.run(script);
        finder.finish()
    };
    thread::scope(|scope| match thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run) {
        Ok(reader) => reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(error) => Modules {
            notes: vec![format!("modules are not looked for, for lack of memory: {error}")],
            ..Modules::default()
        },
    })
}

/// A module to be read, with the name that it is imported by.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) path: PathBuf,
    /// The parts of its dotted name; empty for a script that is in no package.
    pub(super) name: Vec<String>,
    pub(super) is_package: bool,
    need: Need,
}

/// Who needs a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// It is the flow script: not a module itself.
    Script,
    Import,
    /// It may be imported by a name that only a run could tell.
    Perhaps,
}

impl Module {
    /// The package that its relative imports begin from.
    pub(super) fn package(&self) -> &[String] {
        let above = usize::from(!self.is_package);
        &self.name[..self.name.len().saturating_sub(above)]
    }

    pub(super) fn is_script(&self) -> bool {
        self.need == Need::Script
    }

    /// The folder that it is imported from.
    pub(super) fn root(&self) -> Option<&Path> {
        let levels = self.package().len() + 1;
        self.path.ancestors().nth(levels)
    }

    /// Its path in the image: its name decides, because several roots may hold the file.
    fn target(&self) -> Option<String> {
        let file = self.path.file_name()?.to_str()?;
        let folders = self.package().iter().map(String::as_str);
        Some(folders.chain([file]).collect::<Vec<_>>().join("/"))
    }
}

/// Where a dotted name leads.
#[derive(Clone, Debug)]
enum Leads {
    /// To nothing local, or an attribute.
    Nowhere,
    /// To a module that has no submodules.
    Module,
    /// To a package, whose submodules are in these folders.
    Package(Vec<PathBuf>),
}

/// What a name is in folders.
enum Place {
    /// `__init__.py` of a folder.
    Regular(PathBuf),
    /// A module: one source, or one compiled file for each Python.
    Module(Vec<PathBuf>),
    /// Folders without `__init__.py`, of which submodules may be imported.
    Namespace(Vec<PathBuf>),
}

pub(super) struct Finder<'a> {
    roots: Vec<PathBuf>,
    shown_from: &'a Path,
    pub(super) folders: Folders,
    /// Path in the image → the file and why; no file yet if it is to be read.
    pub(super) found: BTreeMap<String, (Option<FileFact>, String)>,
    /// Dotted names that were looked up.
    known: BTreeMap<String, Leads>,
    /// Packages that are imported with `*`, and why.
    starred: BTreeMap<Vec<String>, String>,
    /// The `__all__` of packages.
    all: BTreeMap<Vec<String>, Vec<String>>,
    /// Folders that were taken whole: their modules, and their data.
    pub(super) taken: BTreeSet<(PathBuf, &'static str)>,
    /// What is to be read in the next round.
    next: Vec<Module>,
    pub(super) result: Modules,
}

impl Finder<'_> {
    fn run(&mut self, script: &Path) {
        let name = self.name_of(script);
        let path = script.to_owned();
        self.next.push(Module { path, name, is_package: false, need: Need::Script });
        let mut sources: BTreeMap<PathBuf, io::Result<Source>> = BTreeMap::new();
        let mut done: Vec<Module> = Vec::new();
        while !self.next.is_empty() {
            let roots = self.roots.len();
            let modules = std::mem::take(&mut self.next);
            let mut paths: Vec<PathBuf> = modules.iter().map(|m| m.path.clone()).collect();
            paths.sort();
            paths.dedup();
            paths.retain(|path| !sources.contains_key(path));
            let read = sources::read_all(&paths);
            sources.extend(paths.into_iter().zip(read));
            for module in &modules {
                match &sources[&module.path] {
                    Ok(source) => self.take(module, source),
                    Err(error) => self.give_up(module, error),
                }
            }
            done.extend(modules);
            if self.roots.len() > roots {
                // What was not found before may be in the new ones.
                self.known.retain(|_, leads| !matches!(leads, Leads::Nowhere));
                for module in &done {
                    if let Ok(Source { reads: Ok(reads), .. }) = &sources[&module.path] {
                        self.follow(module, reads);
                    }
                }
            }
        }
    }

    fn finish(self) -> Modules {
        let mut result = self.result;
        let files = self.found.into_iter();
        result.files = files
            .filter_map(|(path, (file, because))| Some(ModuleFile { path, file: file?, because }))
            .collect();
        result
    }

    fn take(&mut self, module: &Module, source: &Source) {
        if !module.is_script()
            && let Some((file, _)) = module.target().and_then(|path| self.found.get_mut(&path))
        {
            *file = Some(source.file.clone());
        }
        match &source.reads {
            Ok(reads) => self.follow(module, reads),
            Err(error) => match module.need {
                // What is wrong with the script itself is said where it is read.
                Need::Script => {}
                Need::Import => self.break_off(module, error.clone()),
                Need::Perhaps => {
                    let path = self.shown(&module.path);
                    let message = &error.message;
                    self.result.note(format!("`{path}` is not valid Python 3: {message}"));
                }
            },
        }
    }

    fn give_up(&mut self, module: &Module, error: &io::Error) {
        if module.is_script() {
            return;
        }
        let message = format!("it cannot be read: {error}");
        self.break_off(module, SyntaxError { message, line: 1 });
    }

    fn break_off(&mut self, module: &Module, error: SyntaxError) {
        if self.result.broken.iter().all(|(path, _)| *path != module.path) {
            self.result.broken.push((module.path.clone(), error));
        }
    }

    /// The dotted name of a script, if it is in a package.
    fn name_of(&mut self, script: &Path) -> Vec<String> {
        let mut name = Vec::new();
        let mut folder = script.parent();
        while let Some(package) = folder.filter(|folder| self.folders.is_package(folder)) {
            name.extend(package.file_name().and_then(|name| name.to_str()).map(str::to_owned));
            folder = package.parent();
        }
        name.reverse();
        if !name.is_empty() {
            name.extend(script.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
        name
    }

    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.shown_from).unwrap_or(path).to_string_lossy().into_owned()
    }

    fn follow(&mut self, module: &Module, reads: &Reads) {
        self.search(module, reads);
        let shown = self.shown(&module.path);
        let mut outside = reads.outside.clone();
        if !module.is_script() {
            // No module is there for building the image alone.
            for mention in &mut outside {
                mention.is_in_task = true;
            }
        }
        self.result.mention(&shown, &outside);
        for import in &reads.imports {
            let Some(mut name) = absolute(import, module) else { continue };
            if let Some(Leads::Nowhere | Leads::Module) = self.known.get(&name.join(".")) {
                // What it has are attributes.
                continue;
            }
            let because = format!("imported by `{shown}:{}`", import.line);
            let is_package = self.import(&name, &because, Need::Import);
            for child in import.names.iter().filter(|_| is_package) {
                if child == "*" {
                    self.star(&name, &because);
                } else {
                    name.push(child.clone());
                    self.import(&name, &because, Need::Import);
                    name.pop();
                }
            }
        }
        if module.is_package && !reads.all.is_empty() {
            self.all.insert(module.name.clone(), reads.all.clone());
            if let Some(because) = self.starred.get(&module.name).cloned() {
                self.star(&module.name, &because);
            }
        }
        self.data(module, reads);
        if let Some(line) = reads.imports_by_name {
            let place = format!("{shown}:{line}");
            let package = module.package().to_vec();
            if package.is_empty() || module.is_script() {
                self.result.note(format!(
                    "`{place}` imports a module by a name that only a run could tell"
                ));
            } else {
                self.whole_package(module, &package, &format!("`{place}` imports by name"));
            }
        }
    }

    /// Folders that a source adds to `sys.path`.
    fn search(&mut self, module: &Module, reads: &Reads) {
        for below in &reads.search {
            let Some(own) = module.path.parent() else { continue };
            let root = normalised(&own.join(below));
            if !self.roots.contains(&root) && root.is_dir() {
                self.roots.push(root);
            }
        }
    }

    /// The submodules that `from package import *` imports.
    fn star(&mut self, package: &[String], because: &str) {
        self.starred.entry(package.to_vec()).or_insert_with(|| because.to_owned());
        for child in self.all.get(package).cloned().unwrap_or_default() {
            let mut name = package.to_vec();
            name.push(child);
            self.import(&name, because, Need::Import);
        }
    }

    /// Takes in everything that a dotted name needs: its packages, and the module itself. Whether
    /// it may have submodules.
    fn import(&mut self, name: &[String], because: &str, need: Need) -> bool {
        if let Some(leads) = self.known.get(&name.join(".")) {
            return matches!(leads, Leads::Package(_));
        }
        let mut within = name.first().map(|first| self.roots_of(first)).unwrap_or_default();
        let mut new: Vec<Module> = Vec::new();
        let mut dotted = String::new();
        let mut is_package = false;
        for (at, part) in name.iter().enumerate() {
            if at > 0 {
                dotted.push('.');
            }
            dotted.push_str(part);
            let leads = if let Some(leads) = self.known.get(&dotted) {
                leads.clone()
            } else {
                let leads = self.look(&within, &name[..=at], need, &mut new);
                self.known.insert(dotted.clone(), leads.clone());
                leads
            };
            is_package = matches!(leads, Leads::Package(_));
            let Leads::Package(folders) = leads else { break };
            within = folders;
        }
        let last = new.last().map(|module| self.shown(&module.path)).unwrap_or_default();
        let count = new.len();
        for (at, module) in new.into_iter().enumerate() {
            let Some(target) = module.target() else { continue };
            if self.found.contains_key(&target) {
                continue;
            }
            let is_compiled = !has_extension(&target, "py");
            if is_compiled {
                self.result.note(format!(
                    "`{}` was compiled for this machine's Python",
                    self.shown(&module.path)
                ));
            }
            let is_on_the_way = at + 1 < count && !is_compiled;
            let because =
                if is_on_the_way { format!("package of `{last}`") } else { because.to_owned() };
            self.found.insert(target, (None, because));
            self.next.push(module);
        }
        is_package
    }

    /// The roots that a first name may be found in.
    fn roots_of(&self, first: &str) -> Vec<PathBuf> {
        if stdlib::is_fixed(first) {
            Vec::new()
        } else if stdlib::is_standard(first) {
            self.roots.first().cloned().into_iter().collect()
        } else {
            self.roots.clone()
        }
    }

    /// Looks up the last part of a name in folders.
    fn look(
        &mut self,
        within: &[PathBuf],
        name: &[String],
        need: Need,
        new: &mut Vec<Module>,
    ) -> Leads {
        let Some(last) = name.last() else { return Leads::Nowhere };
        let module = |path, is_package| Module { path, name: name.to_vec(), is_package, need };
        match self.locate(within, last) {
            Some(Place::Regular(path)) => {
                let folder = path.parent().map(Path::to_path_buf);
                new.push(module(path, true));
                Leads::Package(folder.into_iter().collect())
            }
            Some(Place::Module(paths)) => {
                new.extend(paths.into_iter().map(|path| module(path, false)));
                Leads::Module
            }
            // The standard library's own package comes before a folder without `__init__.py`.
            Some(Place::Namespace(_)) if name.len() == 1 && stdlib::is_standard(last) => {
                Leads::Nowhere
            }
            Some(Place::Namespace(folders)) => Leads::Package(folders),
            None => Leads::Nowhere,
        }
    }

    /// Finds a name in folders as Python's path finder does: the first regular package or module.
    /// A source goes before what was compiled from it, because it fits every Python.
    fn locate(&mut self, within: &[PathBuf], name: &str) -> Option<Place> {
        let mut portions = Vec::new();
        let file = format!("{name}.py");
        for folder in within {
            let found = self.folders.kind(folder, name);
            if found == Some(Kind::Folder) && self.folders.is_package(&folder.join(name)) {
                return Some(Place::Regular(folder.join(name).join("__init__.py")));
            }
            if self.folders.kind(folder, &file) == Some(Kind::File) {
                return Some(Place::Module(vec![folder.join(file)]));
            }
            let compiled = self.folders.compiled(folder, name);
            if !compiled.is_empty() {
                return Some(Place::Module(compiled));
            }
            if found == Some(Kind::Folder) {
                portions.push(folder.join(name));
            }
        }
        (!portions.is_empty()).then_some(Place::Namespace(portions))
    }

    /// Takes in a package that is named to open what it holds, and says where it is.
    pub(super) fn package_folders(
        &mut self,
        name: &str,
        module: &Module,
        because: &str,
        line: usize,
    ) -> (Vec<String>, Vec<PathBuf>) {
        let plain = name.trim_start_matches('.');
        let level = u32::try_from(name.len() - plain.len()).unwrap_or(u32::MAX);
        let (module_name, names) = (plain.to_owned(), Vec::new());
        let import = Import { module: module_name, level, anchor: Anchor::Package, names, line };
        let Some(name) = absolute(&import, module) else { return (Vec::new(), Vec::new()) };
        self.import(&name, because, Need::Import);
        match self.known.get(&name.join(".")) {
            Some(Leads::Package(folders)) => (name, folders.clone()),
            _ => (name, Vec::new()),
        }
    }

    /// Every module of a package, because any of them may be imported.
    fn whole_package(&mut self, module: &Module, package: &[String], because: &str) {
        let Some(folder) = module.path.parent() else { return };
        if !self.taken.insert((folder.to_owned(), "modules")) {
            return;
        }
        for file in self.folders.below(folder) {
            let Some(stem) = file.name.strip_suffix(".py") else { continue };
            let stem = stem.strip_suffix("__init__").unwrap_or(stem);
            let below = stem.split('/').filter(|part| !part.is_empty()).map(str::to_owned);
            let name: Vec<String> = package.iter().cloned().chain(below).collect();
            self.import(&name, because, Need::Perhaps);
        }
    }
}

/// The absolute name of what an import names; none for a relative one that leads nowhere.
fn absolute(import: &Import, module: &Module) -> Option<Vec<String>> {
    let name = import.module.split('.').filter(|part| !part.is_empty()).map(str::to_owned);
    let Some(above) = (import.level as usize).checked_sub(1) else { return Some(name.collect()) };
    let package = match import.anchor {
        Anchor::Package => module.package(),
        Anchor::Module => &module.name,
    };
    if above >= package.len() {
        return None;
    }
    let base = &package[..package.len() - above];
    Some(base.iter().cloned().chain(name).collect())
}
