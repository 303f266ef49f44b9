//! Imports: modules of the user's are executed, all others are outside.
//!
//! **Invariant:** a module is executed once; files that may be modules and are not known are asked
//! for.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use ruff_python_ast::{StmtImport, StmtImportFrom};
use ruff_text_size::{Ranged, TextRange};

use super::interpreter::{Frame, Interpreter};
use super::object::{Args, Module, Names, Obj};
use super::pathlib::path_text;
use super::source::Source;
use super::value::{Id, Span, V, Why};

/// Modules within each other.
const DEEPEST: usize = 40;
/// Modules that no file of the user's stands in for.
const OUTSIDE: [&str; 32] = [
    "__future__",
    "abc",
    "argparse",
    "asyncio",
    "base64",
    "builtins",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "glob",
    "hashlib",
    "importlib",
    "inspect",
    "itertools",
    "json",
    "logging",
    "math",
    "os",
    "pathlib",
    "posixpath",
    "prefect",
    "re",
    "subprocess",
    "sys",
    "time",
    "typing",
    "unittest",
    "uuid",
];

impl<'a> Interpreter<'a> {
    pub(super) fn import(&mut self, import: &StmtImport) {
        for alias in &import.names {
            let span = self.span(start_of(alias.range()));
            let path = alias.name.as_str();
            let leaf = self.module(path, span);
            let first = path.split('.').next().unwrap_or(path);
            let (name, value) = match &alias.asname {
                Some(name) => (name.as_str(), leaf),
                None if first == path => (first, leaf),
                None => (first, self.module(first, span)),
            };
            self.bind(name, value);
        }
    }

    pub(super) fn import_from(&mut self, import: &StmtImportFrom) {
        let span = self.span(start_of(import.range()));
        let module = import.module.as_deref().unwrap_or_default();
        let base = if import.level == 0 {
            self.module(module, span)
        } else {
            self.relative(import.level, module, span)
        };
        for alias in &import.names {
            let span = self.span(start_of(alias.range()));
            let name = alias.name.as_str();
            if name == "*" {
                self.import_all(&base, span);
                continue;
            }
            let value = match self.imported(&base, name, span) {
                V::Unknown(why) if why.span == span => {
                    V::External(format!("{module}.{name}").into(), why)
                }
                value => value,
            };
            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
            self.bind(bound.as_str(), value);
        }
    }

    /// `from base import name`.
    fn imported(&mut self, base: &V, name: &str, span: Span) -> V {
        match base {
            V::Ref(id) => {
                let Obj::Module(module) = self.heap.get(*id) else {
                    return V::Unknown(Why::at(span));
                };
                let (scope, path) = (module.scope, Rc::clone(&module.name));
                if let Some(value) = self.names(scope).and_then(|names| names.get(name)) {
                    return value.clone();
                }
                match self.submodule(&path, name, scope) {
                    Some(id) => V::Ref(id),
                    None => V::Unknown(Why::at(span)),
                }
            }
            V::External(path, _) if !is_outside(path) => {
                let path = Rc::clone(path);
                self.module(&format!("{path}.{name}"), span)
            }
            V::External(path, _) => self.external_attribute(&Rc::clone(path), name, span),
            _ => V::Unknown(Why::at(span)),
        }
    }

    fn import_all(&mut self, base: &V, span: Span) {
        match base {
            V::Ref(id) => {
                let Obj::Module(module) = self.heap.get(*id) else { return };
                let Some(names) = self.names(module.scope).cloned() else { return };
                let all = names.get("__all__").cloned();
                let all = all.and_then(|all| self.iterate(&all, span).ok());
                for (name, value) in names {
                    let listed = match &all {
                        None => !name.starts_with('_'),
                        Some(all) => all.iter().any(
                            |item| matches!(&item.value, V::Str(text) if **text == *name.as_str()),
                        ),
                    };
                    if listed {
                        self.bind(&name, value);
                    }
                }
            }
            V::External(path, _) => self.star(&Rc::clone(path), span),
            _ => {}
        }
    }

    /// A module by a name that is computed.
    pub(super) fn import_by_name(&mut self, name: &V, span: Span) -> V {
        match name {
            V::Str(name) if !name.starts_with('.') && !name.is_empty() => self.module(name, span),
            other => super::ops::unknown(&[other], span),
        }
    }

    /// `sys.path.insert(…)` and `sys.path.append(…)`.
    pub(super) fn add_root(&mut self, args: &Args, front: bool) {
        let folder = args.positional.last().map(|datum| &datum.value);
        let folder = folder.and_then(path_text).and_then(|folder| self.absolute(folder).ok());
        if let Some(folder) = folder {
            let at = if front { 0 } else { self.roots.len() };
            self.roots.insert(at, folder.into());
        }
    }

    /// An absolute module: one of the user's below the roots, or one outside.
    fn module(&mut self, path: &str, span: Span) -> V {
        if !is_outside(path) {
            for root in self.roots.clone() {
                if let Some(id) = self.below(&root, path) {
                    return V::Ref(id);
                }
            }
        }
        V::External(path.into(), Why::at(span))
    }

    /// A module below a folder, its packages imported first.
    fn below(&mut self, root: &Path, path: &str) -> Option<Id> {
        let mut file = root.to_owned();
        let mut names = Vec::new();
        let mut packages: Vec<(Id, Id)> = Vec::new();
        let parts: Vec<&str> = path.split('.').collect();
        for (at, part) in parts.iter().enumerate() {
            file.push(part);
            names.push(*part);
            let id = match self.load(&file, &names.join(".")) {
                Some(id) => id,
                None if at + 1 == parts.len() => return None,
                // A package without `__init__.py`.
                None => self.namespace(&file, &names.join(".")),
            };
            let Obj::Module(module) = self.heap.get(id) else { return None };
            let scope = module.scope;
            if let Some((_, parent)) = packages.last() {
                self.bind_in(*parent, part, V::Ref(id));
            }
            packages.push((id, scope));
        }
        packages.last().map(|(id, _)| *id)
    }

    /// A module in the package that a module is.
    fn submodule(&mut self, package: &str, name: &str, scope: Id) -> Option<Id> {
        let file = self.names(scope)?.get("__file__").cloned();
        let path = format!("{package}.{name}");
        let folder = match file {
            Some(V::Str(file)) if file.ends_with("/__init__.py") => {
                PathBuf::from(&*file).parent()?.to_owned()
            }
            _ => return None,
        };
        let id = self.load(&folder.join(name), &path)?;
        self.bind_in(scope, name, V::Ref(id));
        Some(id)
    }

    /// A relative import, from the folder of the file that it stands in.
    fn relative(&mut self, level: u32, module: &str, span: Span) -> V {
        let mut folder = self.folder(self.frame().source);
        for _ in 1..level {
            folder = folder.and_then(Path::parent);
        }
        let Some(folder) = folder else { return V::Unknown(Why::at(span)) };
        let root = self.roots.iter().filter(|root| folder.starts_with(root));
        let root = root.max_by_key(|root| root.components().count());
        let package = root.and_then(|root| folder.strip_prefix(root).ok());
        let package = package.map(|path| path.to_string_lossy().replace('/', "."));
        let package = package.unwrap_or_default();
        let found = if module.is_empty() {
            let id = self.load(folder, &package);
            id.or_else(|| Some(self.namespace(folder, &package)))
        } else {
            let file = folder.join(module.replace('.', "/"));
            let name =
                if package.is_empty() { module.into() } else { format!("{package}.{module}") };
            self.load(&file, &name)
        };
        found.map_or_else(|| V::Unknown(Why::at(span)), V::Ref)
    }

    /// A folder that is a package without a file of its own.
    fn namespace(&mut self, folder: &Path, name: &str) -> Id {
        let key = format!("{}/", folder.display());
        if let Some(id) = self.modules.get(&key) {
            return *id;
        }
        let mut names = Names::new();
        names.insert("__name__".into(), V::text(name));
        // Its modules are found as those of a package.
        let file = folder.join("__init__.py");
        names.insert("__file__".into(), V::text(file.to_string_lossy().as_ref()));
        let scope = self.heap.add(Obj::Scope(names));
        let id = self.heap.add(Obj::Module(Module { name: name.into(), scope }));
        self.modules.insert(key, id);
        id
    }

    /// The module at a path without its extension, executed.
    fn load(&mut self, path: &Path, name: &str) -> Option<Id> {
        for file in [path.join("__init__.py"), path.with_file_name(file_name(path)?)] {
            let key = file.to_string_lossy().into_owned();
            if let Some(id) = self.modules.get(&key) {
                return Some(*id);
            }
            match self.sources.files.get(&file) {
                Some(Some(text)) => return self.execute(&file, text, name, key),
                Some(None) => {}
                None => _ = self.wanted.insert(file),
            }
        }
        None
    }

    fn execute(&mut self, file: &Path, text: &str, name: &str, key: String) -> Option<Id> {
        if self.frames.len() > DEEPEST {
            return None;
        }
        let source = Source::parse(file, text).ok()?;
        let (at, source) = self.library.keep(source)?;
        let scope = self.module_scope(file, name);
        let id = self.heap.add(Obj::Module(Module { name: name.into(), scope }));
        self.modules.insert(key, id);
        self.importing += 1;
        self.run_module(at, source, scope);
        self.importing -= 1;
        Some(id)
    }

    pub(super) fn module_scope(&mut self, file: &Path, name: &str) -> Id {
        let mut names = Names::new();
        names.insert("__name__".into(), V::text(name));
        names.insert("__file__".into(), V::text(file.to_string_lossy().as_ref()));
        names.insert("__doc__".into(), V::None);
        self.heap.add(Obj::Scope(names))
    }

    /// Executes the statements of a module in its scope.
    pub(super) fn run_module(&mut self, at: usize, source: &'a Source, scope: Id) {
        let guards = std::mem::take(&mut self.guards);
        self.frames.push(Frame::new(at, scope, scope));
        // Whatever stops it: what it has bound until then stays.
        _ = self.deeper(|this| this.block(source.body()));
        self.frames.pop();
        self.guards = guards;
    }
}

fn file_name(path: &Path) -> Option<String> {
    Some(format!("{}.py", path.file_name()?.to_string_lossy()))
}

/// The place of something imported, which is no expression: those that use it are.
fn start_of(range: TextRange) -> TextRange {
    TextRange::empty(range.start())
}

fn is_outside(path: &str) -> bool {
    let first = path.split('.').next().unwrap_or(path);
    OUTSIDE.contains(&first)
}
