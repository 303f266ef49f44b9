//! Paths that a source file makes of its own place, as far as they are literal.
//!
//! **Invariant:** a path is told only if it is made of `__file__`.

use std::collections::BTreeMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Expr, ExprCall, ExprFString, InterpolatedStringElement, Number, Operator, Stmt,
};

/// Stands for the source file itself; no file is called so.
const OWN: &str = "\0";
/// Names and operations that a path may be made through.
const DEEPEST: usize = 40;

/// A path from the folder of the source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    parts: Vec<String>,
    /// Whether nothing was cut off because it is no literal.
    pub(super) is_whole: bool,
}

impl Place {
    /// Whether it is something else than the source file.
    pub(super) fn is_beside(&self) -> bool {
        !self.parts.iter().any(|part| part == OWN)
    }

    /// With `/` between names; empty for the folder of the source file.
    pub(super) fn path(&self) -> String {
        self.parts.join("/")
    }

    fn up(mut self) -> Self {
        if self.is_whole {
            match self.parts.last() {
                Some(last) if last != ".." => _ = self.parts.pop(),
                _ => self.parts.push("..".to_owned()),
            }
        }
        self
    }

    fn below(mut self, text: &str, is_whole: bool) -> Option<Self> {
        if text.starts_with('/') {
            return None;
        }
        if !self.is_whole {
            return Some(self);
        }
        for name in text.split('/').filter(|name| !matches!(*name, "" | ".")) {
            if name == ".." {
                self = self.up();
            } else {
                self.parts.push(name.to_owned());
            }
        }
        self.is_whole = is_whole;
        Some(self)
    }
}

/// The names of a source file that may stand for paths.
#[derive(Debug)]
pub(super) struct Places<'a> {
    /// Names that are bound once, with their values; none for those that are bound again.
    bound: BTreeMap<&'a str, Option<&'a Expr>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(body: &'a [Stmt]) -> Self {
        let mut places = Self { bound: BTreeMap::new() };
        places.visit_body(body);
        places
    }

    fn bind(&mut self, target: &'a Expr, value: &'a Expr) {
        if let Expr::Name(name) = target {
            let bound = self.bound.entry(name.id.as_str());
            bound.and_modify(|known| *known = None).or_insert(Some(value));
        }
    }

    /// The path that an expression makes, if it is made of `__file__`.
    pub(super) fn place(&self, expression: &Expr) -> Option<Place> {
        self.read(expression, DEEPEST)
    }

    fn read(&self, expression: &Expr, left: usize) -> Option<Place> {
        let left = left.checked_sub(1)?;
        match expression {
            Expr::Name(name) if &*name.id == "__file__" => {
                Some(Place { parts: vec![OWN.to_owned()], is_whole: true })
            }
            Expr::Name(name) => self.read((*self.bound.get(name.id.as_str())?)?, left),
            Expr::BinOp(operation) if operation.op == Operator::Div => {
                let place = self.read(&operation.left, left)?;
                self.join(place, &operation.right)
            }
            Expr::BinOp(operation) if operation.op == Operator::Add => {
                let place = self.read(&operation.left, left)?;
                let (text, is_whole) = self.text(&operation.right);
                // Without a slash it is another name beside the folder.
                match text.strip_prefix('/') {
                    Some(text) => place.below(text, is_whole),
                    None => Some(Place { is_whole: false, ..place }),
                }
            }
            Expr::Attribute(attribute) if &*attribute.attr == "parent" => {
                Some(self.read(&attribute.value, left)?.up())
            }
            Expr::Subscript(subscript) => {
                let Expr::NumberLiteral(index) = &*subscript.slice else { return None };
                let Number::Int(index) = &index.value else { return None };
                match &*subscript.value {
                    Expr::Attribute(attribute) if &*attribute.attr == "parents" => {
                        let place = self.read(&attribute.value, left)?;
                        let count = index.as_usize().filter(|count| *count < DEEPEST)?;
                        Some((0..=count).fold(place, |place, _| place.up()))
                    }
                    Expr::Call(call) if last(&call.func) == Some("split") => {
                        let place = self.read(call.arguments.args.first()?, left)?;
                        (index.as_usize() == Some(0)).then(|| place.up())
                    }
                    _ => None,
                }
            }
            Expr::FString(text) => self.formatted(text, left),
            Expr::Call(call) => self.call(call, left),
            _ => None,
        }
    }

    fn call(&self, call: &ExprCall, left: usize) -> Option<Place> {
        let arguments = &call.arguments.args;
        let own = || match &*call.func {
            Expr::Attribute(method) => self.read(&method.value, left),
            _ => None,
        };
        match (last(&call.func)?, arguments.first()) {
            ("dirname", Some(path)) => Some(self.read(path, left)?.up()),
            (
                "abspath" | "realpath" | "normpath" | "normcase" | "fspath" | "expanduser" | "str",
                Some(path),
            ) => self.read(path, left),
            ("join" | "Path" | "PurePath" | "PosixPath" | "PurePosixPath", Some(folder)) => {
                let place = self.read(folder, left)?;
                arguments[1..].iter().try_fold(place, |place, part| self.join(place, part))
            }
            ("joinpath", _) => {
                arguments.iter().try_fold(own()?, |place, part| self.join(place, part))
            }
            ("with_name", Some(name)) => self.join(own()?.up(), name),
            ("resolve" | "absolute" | "as_posix" | "expanduser", _) => own(),
            _ => None,
        }
    }

    fn join(&self, place: Place, part: &Expr) -> Option<Place> {
        let (text, is_whole) = self.text(part);
        place.below(&text, is_whole)
    }

    /// `f"{HERE}/sql/x.sql"`.
    fn formatted(&self, text: &ExprFString, left: usize) -> Option<Place> {
        let mut elements = text.value.elements();
        let Some(InterpolatedStringElement::Interpolation(first)) = elements.next() else {
            return None;
        };
        let place = self.read(&first.expression, left)?;
        match (elements.next(), elements.next()) {
            (None, _) => Some(place),
            (Some(InterpolatedStringElement::Literal(rest)), more) => {
                let (text, is_whole) = up_to_slash(&rest.value, more.is_none());
                match text.strip_prefix('/') {
                    Some(text) => place.below(text, is_whole),
                    None => Some(Place { is_whole: false, ..place }),
                }
            }
            _ => Some(Place { is_whole: false, ..place }),
        }
    }

    /// The literal beginning of a text, in whole folders, and whether that is all of it.
    fn text(&self, expression: &Expr) -> (String, bool) {
        let expression = match expression {
            Expr::Name(name) => self.bound.get(name.id.as_str()).copied().flatten(),
            expression => Some(expression),
        };
        match expression {
            Some(Expr::FString(text)) => {
                let mut elements = text.value.elements();
                match elements.next() {
                    Some(InterpolatedStringElement::Literal(first)) => {
                        up_to_slash(&first.value, elements.next().is_none())
                    }
                    _ => (String::new(), false),
                }
            }
            Some(Expr::Attribute(attribute)) if matches!(attribute.attr.as_str(), "pardir") => {
                ("..".to_owned(), true)
            }
            expression => match expression.and_then(literal) {
                Some(text) => (text.to_owned(), true),
                None => (String::new(), false),
            },
        }
    }
}

impl<'a> Visitor<'a> for Places<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                assign.targets.iter().for_each(|target| self.bind(target, &assign.value));
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.bind(&assign.target, value);
                }
            }
            Stmt::AugAssign(assign) => {
                // What it is afterwards is not its value.
                self.bind(&assign.target, &assign.value);
                self.bind(&assign.target, &assign.value);
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

fn up_to_slash(text: &str, is_whole: bool) -> (String, bool) {
    let cut = if is_whole { text.len() } else { text.rfind('/').map_or(0, |at| at + 1) };
    (text[..cut].to_owned(), is_whole)
}

/// The last name of what is called.
fn last(function: &Expr) -> Option<&str> {
    match function {
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        Expr::Name(name) => Some(name.id.as_str()),
        _ => None,
    }
}

/// The value of a literal text.
pub(super) fn literal(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(text) => Some(text.value.to_str()),
        _ => None,
    }
}
