//! What names stand for that a source file imported, and what only type checkers run.
//!
//! **Invariant:** a name that was not imported stands for nothing.

use std::collections::BTreeMap;

use ruff_python_ast::{Alias, BoolOp, Expr, Stmt, StmtIf, UnaryOp};

/// Attributes of a dotted name that are looked at; longer ones are nothing that matters here.
const LONGEST: usize = 8;

/// Names that imports bind, wherever they stand, with the dotted names that they stand for.
#[derive(Debug, Default)]
pub(super) struct Names<'a>(BTreeMap<&'a str, String>);

impl<'a> Names<'a> {
    pub(super) fn import(&mut self, alias: &'a Alias) {
        let module = alias.name.as_str();
        let first = module.split('.').next().unwrap_or_default();
        let (bound, origin) = match &alias.asname {
            Some(bound) => (bound.as_str(), module),
            None => (first, first),
        };
        self.0.insert(bound, origin.to_owned());
    }

    pub(super) fn import_from(&mut self, level: u32, module: &str, names: &'a [Alias]) {
        let dots = ".".repeat(level as usize);
        for alias in names {
            let bound = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
            let between = if module.is_empty() { "" } else { "." };
            self.0.insert(bound, format!("{dots}{module}{between}{}", alias.name));
        }
    }

    /// The dotted name that an expression stands for.
    pub(super) fn qualified(&self, expression: &Expr) -> Option<String> {
        let mut attributes = Vec::new();
        let mut inner = expression;
        while let Expr::Attribute(attribute) = inner {
            if attributes.len() == LONGEST {
                return None;
            }
            attributes.push(attribute.attr.as_str());
            inner = &attribute.value;
        }
        let Expr::Name(name) = inner else { return None };
        let mut qualified = match self.0.get(name.id.as_str()) {
            Some(origin) => origin.clone(),
            None if &*name.id == "__import__" => name.id.to_string(),
            None => return None,
        };
        for attribute in attributes.iter().rev() {
            qualified.push('.');
            qualified.push_str(attribute);
        }
        Some(qualified)
    }
}

/// The branches of an `if` that a run may enter.
pub(super) fn live<'b>(statement: &'b StmtIf, names: &Names<'_>) -> Vec<&'b [Stmt]> {
    let mut bodies = Vec::new();
    let clauses = statement.elif_else_clauses.iter().map(|c| (c.test.as_ref(), c.body.as_slice()));
    let first = (Some(&*statement.test), statement.body.as_slice());
    for (test, body) in std::iter::once(first).chain(clauses) {
        match test.and_then(|test| type_checking(test, names)) {
            Some(true) => {}
            Some(false) => {
                bodies.push(body);
                break;
            }
            None => bodies.push(body),
        }
    }
    bodies
}

/// The conditions of an `if` and its `elif`s.
pub(super) fn tests_of(statement: &StmtIf) -> impl Iterator<Item = &Expr> {
    let others = statement.elif_else_clauses.iter().filter_map(|clause| clause.test.as_ref());
    std::iter::once(&*statement.test).chain(others)
}

/// Whether a condition holds for type checkers alone, or for runs alone.
fn type_checking(test: &Expr, names: &Names<'_>) -> Option<bool> {
    match test {
        Expr::Name(name) if &*name.id == "TYPE_CHECKING" => Some(true),
        Expr::Attribute(attribute) if &*attribute.attr == "TYPE_CHECKING" => Some(true),
        Expr::Name(_) => {
            let name = names.qualified(test)?;
            name.ends_with(".TYPE_CHECKING").then_some(true)
        }
        Expr::UnaryOp(operation) if operation.op == UnaryOp::Not => {
            type_checking(&operation.operand, names).map(|holds| !holds)
        }
        Expr::BoolOp(operation) if operation.op == BoolOp::And => {
            let mut parts = operation.values.iter();
            parts.any(|part| type_checking(part, names) == Some(true)).then_some(true)
        }
        _ => None,
    }
}
