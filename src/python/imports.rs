//! What a source file imports, and which files beside it it opens.
//!
//! **Invariant:** pure; only what is written as a literal is told, the rest is told to be unknown.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Arguments, Expr, ExprCall, Operator, Stmt, StmtIf};
use ruff_python_parser::parse_module;
use ruff_text_size::{Ranged, TextSize};

use super::SyntaxError;

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The dotted module; empty for `from . import x`.
    pub module: String,
    /// Dots in front of it.
    pub level: u32,
    /// What a from-import takes; `*` for all.
    pub names: Vec<String>,
    /// Counted from 1.
    pub line: usize,
}

/// A file or folder that is named from the folder of the source file or of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The package; none for the source file's own folder.
    pub package: Option<String>,
    /// The path below it, `/` between names; empty for the package as a whole.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
}

/// What a source file needs to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Imports at every depth, without those that only type checkers make.
    pub imports: Vec<Import>,
    /// The line where it first asks for its own place, to open files beside it.
    pub opens_beside: Option<usize>,
    /// Files that are named whole.
    pub data: Vec<Data>,
    /// The line of the first import by a name that only a run could tell.
    pub imports_by_name: Option<usize>,
    /// The literal `__all__`.
    pub all: Vec<String>,
}

/// Reads a source file.
pub fn imports(source: &str) -> Result<Reads, SyntaxError> {
    let source = source.trim_start_matches('\u{feff}');
    let lines = Lines::new(source);
    let parsed = parse_module(source).map_err(|error| SyntaxError {
        message: error.error.to_string(),
        line: lines.of(error.location.start()),
    })?;
    let mut reader = Reader { lines, reads: Reads::default(), importers: BTreeSet::new() };
    reader.visit_body(&parsed.syntax().body);
    Ok(reader.reads)
}

/// Finds the line of an offset.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(breaks.map(|(at, _)| at).collect())
    }

    fn of(&self, offset: TextSize) -> usize {
        self.0.partition_point(|at| *at < offset.to_usize()) + 1
    }
}

/// Functions of the standard library that open what lies in a package, by module.
const RESOURCES: [&str; 9] = [
    "files",
    "open_text",
    "open_binary",
    "read_text",
    "read_binary",
    "path",
    "contents",
    "is_resource",
    "get_data",
];

struct Reader {
    lines: Lines,
    reads: Reads,
    /// Names that are bound to `importlib.import_module`.
    importers: BTreeSet<String>,
}

impl Reader {
    fn line(&self, node: &impl Ranged) -> usize {
        self.lines.of(node.range().start())
    }

    fn opens_beside(&mut self, line: usize) {
        self.reads.opens_beside.get_or_insert(line);
    }

    fn call(&mut self, call: &ExprCall) {
        let line = self.line(call);
        let name = dotted(&call.func).unwrap_or_default();
        let last = name.rsplit('.').next().unwrap_or_default();
        let first = call.arguments.find_argument_value("name", 0);
        let is_import = name == "__import__"
            || name == "importlib.import_module"
            || self.importers.contains(&name);
        if is_import {
            match first.and_then(literal) {
                Some(module) => self.import_by_name(module, &call.arguments, line),
                None => {
                    self.reads.imports_by_name.get_or_insert(line);
                }
            }
        } else if matches!(name.as_str(), "pkgutil.iter_modules" | "pkgutil.walk_packages") {
            self.reads.imports_by_name.get_or_insert(line);
        } else if RESOURCES.contains(&last)
            && let Some(package) = call.arguments.args.first().and_then(literal)
            && is_module(package)
        {
            // `resources.files("pkg.data")`, whatever the module is called here.
            let path = match last {
                "files" | "contents" => "",
                _ => call.arguments.args.get(1).and_then(literal).unwrap_or_default(),
            };
            let is_resource = last != "path" || name.contains("resource");
            if is_resource {
                let (package, path) = (Some(package.to_owned()), path.to_owned());
                self.reads.data.push(Data { package, path, line });
            }
        }
    }

    fn import_by_name(&mut self, module: &str, arguments: &Arguments, line: usize) {
        let level = module.len() - module.trim_start_matches('.').len();
        let package = arguments.find_argument_value("package", 1);
        if level > 0 && package.is_none() {
            return;
        }
        self.reads.imports.push(Import {
            module: module.trim_start_matches('.').to_owned(),
            level: u32::try_from(level).unwrap_or(u32::MAX),
            names: Vec::new(),
            line,
        });
    }

    fn is_for_type_checkers(statement: &StmtIf) -> bool {
        matches!(dotted(&statement.test).as_deref(), Some(name) if name.ends_with("TYPE_CHECKING"))
    }
}

impl<'a> Visitor<'a> for Reader {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let line = self.line(statement);
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let module = alias.name.to_string();
                    self.reads.imports.push(Import { module, level: 0, names: Vec::new(), line });
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map(ToString::to_string).unwrap_or_default();
                if module == "importlib" {
                    let function = import.names.iter().filter(|a| &*a.name == "import_module");
                    let bound = function.map(|a| a.asname.as_ref().unwrap_or(&a.name).to_string());
                    self.importers.extend(bound);
                }
                self.reads.imports.push(Import {
                    module,
                    level: import.level,
                    names: import.names.iter().map(|alias| alias.name.to_string()).collect(),
                    line,
                });
            }
            Stmt::If(statement) if Self::is_for_type_checkers(statement) => {
                for clause in &statement.elif_else_clauses {
                    self.visit_body(&clause.body);
                }
                return;
            }
            Stmt::Assign(assign) => {
                let is_all = |target: &Expr| dotted(target).as_deref() == Some("__all__");
                if assign.targets.iter().any(is_all) {
                    let items = elements(&assign.value).into_iter().filter_map(literal);
                    self.reads.all.extend(items.map(str::to_owned));
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) => {
                if let Some(path) = beside(expression)
                    && !path.is_empty()
                {
                    let line = self.line(call);
                    self.reads.data.push(Data { package: None, path: path.join("/"), line });
                }
                self.call(call);
            }
            Expr::BinOp(_) => {
                if let Some(path) = beside(expression)
                    && !path.is_empty()
                {
                    let line = self.line(expression);
                    self.reads.data.push(Data { package: None, path: path.join("/"), line });
                    self.opens_beside(line);
                    // Its parts say less.
                    return;
                }
            }
            Expr::Name(name) if matches!(name.id.as_str(), "__file__" | "__path__") => {
                self.opens_beside(self.line(expression));
            }
            Expr::Name(name)
                if matches!(name.id.as_str(), "pkg_resources" | "importlib_resources") =>
            {
                self.opens_beside(self.line(expression));
            }
            Expr::Attribute(attribute) => {
                let name = dotted(expression).unwrap_or_default();
                if name == "importlib.resources" || name == "pkgutil.get_data" {
                    self.opens_beside(self.line(attribute));
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

/// Names joined to the folder of `__file__`: `Path(__file__).parent / "a" / "b"`,
/// `os.path.join(os.path.dirname(__file__), "a", "b")` and their like. Empty for the folder itself.
fn beside(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::BinOp(operation) if operation.op == Operator::Div => {
            let mut path = beside(&operation.left)?;
            push(&mut path, literal(&operation.right)?)?;
            Some(path)
        }
        Expr::Attribute(attribute) if &*attribute.attr == "parent" => {
            is_own_file(&attribute.value).then(Vec::new)
        }
        Expr::Call(call) => {
            let name = match &*call.func {
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                Expr::Name(name) => name.id.as_str(),
                _ => return None,
            };
            let first = call.arguments.args.first();
            match (name, first) {
                ("dirname", Some(file)) => is_own_file(file).then(Vec::new),
                ("join" | "Path", Some(folder)) => {
                    let mut path = beside(folder)?;
                    for part in &call.arguments.args[1..] {
                        push(&mut path, literal(part)?)?;
                    }
                    Some(path)
                }
                ("joinpath", _) => {
                    let Expr::Attribute(method) = &*call.func else { return None };
                    let mut path = beside(&method.value)?;
                    for part in &call.arguments.args {
                        push(&mut path, literal(part)?)?;
                    }
                    Some(path)
                }
                ("resolve" | "absolute", None) => {
                    let Expr::Attribute(method) = &*call.func else { return None };
                    beside(&method.value)
                }
                ("abspath" | "realpath" | "normpath", Some(path)) => beside(path),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Adds the parts of a path; none if it leaves the folder.
fn push(path: &mut Vec<String>, part: &str) -> Option<()> {
    for name in part.split('/').filter(|name| !matches!(*name, "" | ".")) {
        if name == ".." {
            path.pop()?;
        } else {
            path.push(name.to_owned());
        }
    }
    (!part.starts_with('/')).then_some(())
}

/// `__file__`, or a path made of it.
fn is_own_file(expression: &Expr) -> bool {
    match expression {
        Expr::Name(name) => &*name.id == "__file__",
        Expr::Call(call) => {
            let name = match &*call.func {
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                Expr::Name(name) => name.id.as_str(),
                _ => return false,
            };
            match (name, call.arguments.args.first(), &*call.func) {
                ("Path" | "PurePath" | "abspath" | "realpath" | "normpath", Some(file), _) => {
                    is_own_file(file)
                }
                ("resolve" | "absolute", None, Expr::Attribute(method)) => {
                    is_own_file(&method.value)
                }
                _ => false,
            }
        }
        _ => false,
    }
}

fn literal(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(text) => Some(text.value.to_str()),
        _ => None,
    }
}

fn elements(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::List(list) => list.elts.iter().collect(),
        Expr::Tuple(tuple) => tuple.elts.iter().collect(),
        _ => Vec::new(),
    }
}

/// Names joined by dots.
fn dotted(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => {
            Some(format!("{}.{}", dotted(&attribute.value)?, attribute.attr))
        }
        _ => None,
    }
}

fn is_module(name: &str) -> bool {
    let is_word = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
            && !part.starts_with(|c: char| c.is_ascii_digit())
    };
    name.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Reads {
        imports(source).expect("valid Python")
    }

    #[test]
    fn imports_are_found_at_every_depth() {
        let reads = read(
            "import a.b as c, d\nfrom e import f, g\ndef h():\n    from . import i\n    \
             from ..j import *\nif TYPE_CHECKING:\n    import k\nelse:\n    import l\n\
             try:\n    import m\nexcept ImportError:\n    import n\n",
        );
        let found: Vec<_> = reads
            .imports
            .iter()
            .map(|i| (i.level, i.module.as_str(), i.names.join(","), i.line))
            .collect();
        let import = |level, module, names: &str, line| (level, module, names.to_owned(), line);
        assert_eq!(
            found,
            [
                import(0, "a.b", "", 1),
                import(0, "d", "", 1),
                import(0, "e", "f,g", 2),
                import(1, "", "i", 4),
                import(2, "j", "*", 5),
                import(0, "l", "", 9),
                import(0, "m", "", 11),
                import(0, "n", "", 13),
            ]
        );
    }

    #[test]
    fn imports_by_name_are_told_apart() {
        let by_name = |source: &str| {
            let reads = read(source);
            let modules: Vec<String> = reads
                .imports
                .iter()
                .filter(|import| !import.module.starts_with("importlib"))
                .map(|i| format!("{}{}", ".".repeat(i.level as usize), i.module))
                .collect();
            (modules.join(" "), reads.imports_by_name)
        };
        for (source, modules, line) in [
            ("import importlib\nimportlib.import_module('a.b')", "a.b", None),
            (
                "from importlib import import_module as im\nim('.x', package=__package__)",
                ".x",
                None,
            ),
            ("__import__('a')", "a", None),
            ("import importlib\nimportlib.import_module(f'plugins.{x}')", "", Some(2)),
            ("import pkgutil\nfor m in pkgutil.iter_modules(p): pass", "pkgutil", Some(2)),
            ("import_module('a')", "", None),
        ] {
            assert_eq!(by_name(source), (modules.to_owned(), line), "{source}");
        }
    }

    #[test]
    fn files_beside_the_source_are_found() {
        let data = |source: &str| -> Vec<String> {
            let of = |data: Data| match data.package {
                Some(package) => format!("{package}:{}", data.path),
                None => data.path,
            };
            read(source).data.into_iter().map(of).collect()
        };
        for (source, paths) in [
            ("Path(__file__).parent / 'sql' / 'a.sql'", &["sql/a.sql"][..]),
            ("Path(__file__).resolve().parent.joinpath('a', 'b')", &["a/b"]),
            (
                "open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'x.json'))",
                &["x.json"],
            ),
            ("Path(__file__).parent / name", &[]),
            ("Path(__file__).parent / '../up'", &[]),
            ("resources.files('pkg.data').joinpath('x')", &["pkg.data:"]),
            ("importlib.resources.read_text('pkg', 'x.sql')", &["pkg:x.sql"]),
            ("pkgutil.get_data('pkg', 'y.csv')", &["pkg:y.csv"]),
            ("os.path.join('a', 'b')", &[]),
        ] {
            assert_eq!(data(source), paths, "{source}");
        }
        assert_eq!(read("x = 1\nHERE = __file__").opens_beside, Some(2));
        assert_eq!(read("x = '__file__'").opens_beside, None);
        assert_eq!(read("__all__ = ['a', 'b']").all, ["a", "b"]);
    }
}
