//! What a source file imports, and which files beside it it opens.
//!
//! **Invariant:** pure; only what is written as a literal is told, the rest is told to be unknown.

mod names;
mod paths;
mod runs;
#[cfg(test)]
mod tests;

use std::path::Path;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Arguments, Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::SyntaxError;
use super::source::Source;
use names::{Names, live, tests_of};
use paths::{Place, Places, literal};

pub use runs::{Mention, Outside};

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The dotted module; empty for `from . import x`.
    pub module: String,
    /// Dots in front of it.
    pub level: u32,
    /// What those dots begin from.
    pub anchor: Anchor,
    /// What a from-import takes; `*` for all.
    pub names: Vec<String>,
    /// Counted from 1.
    pub line: usize,
}

/// Where a relative import begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The package that the file is in, or is.
    Package,
    /// The name of the file's own module: `import_module(".x", __name__)`.
    Module,
}

/// A file or folder that is named from the folder of the source file or of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The package, with dots in front if it is relative; none for the source file's own folder.
    pub package: Option<String>,
    /// The path from there, `/` between names; it may begin with `..`. Empty for a whole package.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// Whether it stands in a function with a decorator, as tasks and flows have: what else stands
    /// in a flow script may be for building its image alone.
    pub is_in_decorated: bool,
}

/// What a source file needs to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Imports at every depth, without those that only type checkers make.
    pub imports: Vec<Import>,
    /// The line where it first asks for its own place, to open files beside it.
    pub opens_beside: Option<usize>,
    /// Files and folders that are named, as far as they are literal.
    pub data: Vec<Data>,
    /// Folders that it adds to `sys.path`, from its own folder.
    pub search: Vec<String>,
    /// The line of the first import by a name that only a run could tell.
    pub imports_by_name: Option<usize>,
    /// The literal part of `__all__`.
    pub all: Vec<String>,
    /// Programs and database drivers that it names.
    pub outside: Vec<Mention>,
}

/// One of these is in every source that needs more than its import statements to be read.
const MARKS: [&str; 7] =
    ["__file__", "__import__", "__path__", "importlib", "pkg", "resources", "runpy"];

/// Reads a source file.
pub fn imports(text: &str) -> Result<Reads, SyntaxError> {
    let source = Source::parse(Path::new(""), text)?;
    let mut statements =
        Statements { source: &source, reads: Reads::default(), names: Names::default() };
    statements.visit_body(source.body());
    let Statements { mut reads, names, .. } = statements;
    reads.outside = runs::mentions(text, &source, &names);
    if !MARKS.iter().any(|mark| text.contains(mark)) {
        return Ok(reads);
    }
    let places = Places::new(source.body());
    let mut uses = Uses { source: &source, reads, names: &names, places: &places, decorated: 0 };
    uses.visit_body(source.body());
    Ok(uses.reads)
}

/// The first walk: statements alone.
struct Statements<'a> {
    source: &'a Source,
    reads: Reads,
    names: Names<'a>,
}

impl Statements<'_> {
    fn all(&mut self, target: &Expr, value: &Expr) {
        if matches!(target, Expr::Name(name) if &*name.id == "__all__") {
            add_texts(value, &mut self.reads.all);
        }
    }
}

impl<'a> Visitor<'a> for Statements<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.names.import(alias);
                    self.reads.imports.push(Import {
                        module: alias.name.to_string(),
                        level: 0,
                        anchor: Anchor::Package,
                        names: Vec::new(),
                        line: self.source.line(statement.range()),
                    });
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map(ToString::to_string).unwrap_or_default();
                self.names.import_from(import.level, &module, &import.names);
                self.reads.imports.push(Import {
                    module,
                    level: import.level,
                    anchor: Anchor::Package,
                    names: import.names.iter().map(|alias| alias.name.to_string()).collect(),
                    line: self.source.line(statement.range()),
                });
            }
            Stmt::If(statement) => {
                for body in live(statement, &self.names) {
                    self.visit_body(body);
                }
            }
            Stmt::Assign(assign) => {
                assign.targets.iter().for_each(|target| self.all(target, &assign.value));
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.all(&assign.target, value);
                }
            }
            Stmt::AugAssign(assign) => self.all(&assign.target, &assign.value),
            Stmt::Expr(expression) => {
                // `__all__.extend([...])`.
                if let Expr::Call(call) = &*expression.value
                    && let Expr::Attribute(method) = &*call.func
                    && let Some(value) = call.arguments.args.first()
                {
                    self.all(&method.value, value);
                }
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// The second walk: what is called and which paths are made.
struct Uses<'a> {
    source: &'a Source,
    reads: Reads,
    names: &'a Names<'a>,
    places: &'a Places<'a>,
    /// Functions with a decorator that it is in.
    decorated: usize,
}

impl Uses<'_> {
    fn line(&self, node: &impl Ranged) -> usize {
        self.source.line(node.range())
    }

    fn opens_beside(&mut self, line: usize) {
        self.reads.opens_beside.get_or_insert(line);
    }

    fn add_data(&mut self, package: Option<String>, path: String, line: usize) {
        let is_in_decorated = self.decorated > 0;
        let known = |data: &&mut Data| data.package == package && data.path == path;
        match self.reads.data.iter_mut().find(known) {
            Some(data) => data.is_in_decorated |= is_in_decorated,
            None => self.reads.data.push(Data { package, path, line, is_in_decorated }),
        }
    }

    /// Takes in what a call means; whether its arguments are thereby read.
    fn call(&mut self, call: &ExprCall) -> bool {
        let Some(name) = self.names.qualified(&call.func) else { return false };
        let line = self.line(call);
        let arguments = &call.arguments;
        match name.as_str() {
            "__import__" | "builtins.__import__" | "importlib.__import__" => {
                let names = arguments.find_argument_value("fromlist", 3);
                let mut taken = Vec::new();
                if let Some(names) = names {
                    add_texts(names, &mut taken);
                }
                self.import(arguments, None, taken, line);
            }
            "importlib.import_module" => {
                let package = arguments.find_argument_value("package", 1);
                self.import(arguments, package, Vec::new(), line);
            }
            "runpy.run_module" => {
                let main = vec!["__main__".to_owned()];
                if arguments.find_argument_value("mod_name", 0).and_then(literal).is_some() {
                    self.import(arguments, None, main, line);
                }
            }
            "pkgutil.iter_modules" | "pkgutil.walk_packages" => self.imports_by_name(line),
            "sys.path.insert" | "sys.path.append" | "sys.path.extend" | "site.addsitedir" => {
                return self.search(arguments.args.last());
            }
            _ => match name.rsplit_once('.') {
                Some((module, function)) if opens(module, function) => {
                    self.resources(function, arguments, line);
                }
                _ => {}
            },
        }
        false
    }

    fn imports_by_name(&mut self, line: usize) {
        self.reads.imports_by_name.get_or_insert(line);
    }

    fn import(
        &mut self,
        arguments: &Arguments,
        package: Option<&Expr>,
        names: Vec<String>,
        line: usize,
    ) {
        let first = arguments.args.first().or_else(|| arguments.find_argument_value("name", 0));
        let Some(written) = first.and_then(literal) else { return self.imports_by_name(line) };
        let module = written.trim_start_matches('.');
        let level = u32::try_from(written.len() - module.len()).unwrap_or(u32::MAX);
        let mut import =
            Import { module: module.to_owned(), level, anchor: Anchor::Package, names, line };
        if level > 0 {
            match package {
                Some(Expr::Name(name)) if &*name.id == "__package__" => {}
                Some(Expr::Name(name)) if &*name.id == "__name__" => {
                    import.anchor = Anchor::Module;
                }
                Some(package) => match literal(package) {
                    Some(package) => {
                        let mut parts: Vec<&str> = package.split('.').collect();
                        let kept = (parts.len() + 1).saturating_sub(level as usize);
                        // Python refuses a name that leads out of the package.
                        if kept == 0 {
                            return;
                        }
                        parts.truncate(kept);
                        parts.extend(Some(module).filter(|module| !module.is_empty()));
                        import.module = parts.join(".");
                        import.level = 0;
                    }
                    None => return self.imports_by_name(line),
                },
                // Python refuses a relative name without its package.
                None => return,
            }
        }
        self.reads.imports.push(import);
    }

    /// A folder that is added to `sys.path`.
    fn search(&mut self, folder: Option<&Expr>) -> bool {
        let folders: Vec<&Expr> = match folder {
            Some(Expr::List(list)) => list.elts.iter().collect(),
            folder => folder.into_iter().collect(),
        };
        let places: Vec<Option<Place>> =
            folders.iter().map(|folder| self.places.place(folder)).collect();
        let all_known = places.iter().all(Option::is_some);
        let known =
            places.into_iter().flatten().filter(|place| place.is_whole && place.is_beside());
        self.reads.search.extend(known.map(|place| place.path()));
        all_known
    }

    /// A call that opens what lies in a package.
    fn resources(&mut self, function: &str, arguments: &Arguments, line: usize) {
        let package = arguments.args.first().or_else(|| {
            let named = ["package", "anchor", "package_name", "package_or_requirement"];
            named.iter().find_map(|name| Some(&arguments.find_keyword(name)?.value))
        });
        let name = match package {
            Some(Expr::Name(name)) if matches!(name.id.as_str(), "__package__" | "__name__") => {
                None
            }
            Some(package) => {
                literal(package).map(str::to_owned).or_else(|| self.names.qualified(package))
            }
            None => None,
        };
        let Some(name) = name else { return self.opens_beside(line) };
        let path = match function {
            "files" | "contents" => "",
            _ => arguments.args.get(1).and_then(literal).unwrap_or_default(),
        };
        self.add_data(Some(name), path.to_owned(), line);
    }
}

impl<'a> Visitor<'a> for Uses<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::If(statement) => {
                tests_of(statement).for_each(|test| self.visit_expr(test));
                for body in live(statement, self.names) {
                    self.visit_body(body);
                }
            }
            Stmt::AugAssign(assign)
                if self.names.qualified(&assign.target).as_deref() == Some("sys.path")
                    && self.search(Some(&assign.value)) => {}
            Stmt::FunctionDef(function) if !function.decorator_list.is_empty() => {
                self.decorated += 1;
                visitor::walk_stmt(self, statement);
                self.decorated -= 1;
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) if self.call(call) => return,
            Expr::Name(name) if matches!(name.id.as_str(), "__file__" | "__path__") => {
                self.opens_beside(self.line(expression));
            }
            // The name of a path says more than where it was made only where it is used.
            Expr::Name(_) if self.decorated == 0 => {}
            _ => {
                if let Some(place) = self.places.place(expression) {
                    let line = self.line(expression);
                    self.opens_beside(line);
                    if place.is_beside() && !place.path().is_empty() {
                        self.add_data(None, place.path(), line);
                    }
                    // The parts of a path say less than the whole.
                    if place.is_whole {
                        return;
                    }
                }
            }
        }
        visitor::walk_expr(self, expression);
    }
}

/// Whether a function opens files of the package that its first argument names.
fn opens(module: &str, function: &str) -> bool {
    match module {
        "importlib.resources" | "importlib_resources" => !function.starts_with("as_"),
        "pkgutil" => function == "get_data",
        "pkg_resources" => function.starts_with("resource_"),
        "jinja2" | "jinja2.loaders" => function == "PackageLoader",
        _ => false,
    }
}

/// The literal texts of a list, tuple or sum of these, or a text alone.
fn add_texts(expression: &Expr, texts: &mut Vec<String>) {
    match expression {
        Expr::List(list) => list.elts.iter().for_each(|item| add_texts(item, texts)),
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| add_texts(item, texts)),
        Expr::BinOp(sum) => {
            add_texts(&sum.left, texts);
            add_texts(&sum.right, texts);
        }
        _ => texts.extend(literal(expression).map(str::to_owned)),
    }
}
