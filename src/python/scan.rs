//! What code has in it, found without executing it.
//!
//! **Invariant:** looks at the syntax tree only.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{ExceptHandler, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};

/// Names that are bound.
struct Assigned<'a>(BTreeSet<&'a str>);

impl<'a> Visitor<'a> for Assigned<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(def) => _ = self.0.insert(def.name.as_str()),
            Stmt::ClassDef(def) => _ = self.0.insert(def.name.as_str()),
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.ctx == ExprContext::Store => {
                self.0.insert(name.id.as_str());
            }
            Expr::Lambda(_) => {}
            _ => visitor::walk_expr(self, expr),
        }
    }
}

/// Names that code binds, not looking into functions and classes.
pub(super) fn assigned(body: &[Stmt]) -> Vec<&str> {
    let mut assigned = Assigned(BTreeSet::new());
    assigned.visit_body(body);
    assigned.0.into_iter().collect()
}

/// Names that an assignment to a target binds.
pub(super) fn targets(target: &Expr) -> Vec<&str> {
    let mut assigned = Assigned(BTreeSet::new());
    assigned.visit_expr(target);
    assigned.0.into_iter().collect()
}

/// Whether a loop with this body may end, or go to its next round, early.
pub(super) fn leaves_early(body: &[Stmt]) -> bool {
    struct Leaves(bool);
    impl<'a> Visitor<'a> for Leaves {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            match statement {
                Stmt::Break(_) | Stmt::Continue(_) => self.0 = true,
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
                _ => visitor::walk_stmt(self, statement),
            }
        }

        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut leaves = Leaves(false);
    leaves.visit_body(body);
    leaves.0
}

/// Whether a function with this body is a generator.
pub(super) fn yields(body: &[Stmt]) -> bool {
    struct Yields(bool);
    impl<'a> Visitor<'a> for Yields {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                visitor::walk_stmt(self, statement);
            }
        }

        fn visit_expr(&mut self, expr: &'a Expr) {
            match expr {
                Expr::Yield(_) | Expr::YieldFrom(_) => self.0 = true,
                Expr::Lambda(_) => {}
                _ => visitor::walk_expr(self, expr),
            }
        }
    }
    let mut found = Yields(false);
    found.visit_body(body);
    found.0
}

/// What a function calls and sets, by the last name.
#[derive(Debug, Default)]
pub(super) struct Mentions<'a> {
    pub(super) calls: BTreeSet<&'a str>,
    pub(super) sets_storage: bool,
}

impl<'a> Visitor<'a> for Mentions<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => match &*call.func {
                Expr::Name(name) => _ = self.calls.insert(name.id.as_str()),
                Expr::Attribute(attribute) => _ = self.calls.insert(attribute.attr.as_str()),
                _ => {}
            },
            Expr::Attribute(attribute)
                if attribute.ctx == ExprContext::Store && attribute.attr == *"storage" =>
            {
                self.sets_storage = true;
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}

/// What code calls and sets.
pub(super) fn mentions(body: &[Stmt]) -> Mentions<'_> {
    let mut mentions = Mentions::default();
    mentions.visit_body(body);
    mentions
}

/// Modules that a script imports anywhere, in order, each once; and the first `except X, e:`.
pub(super) fn imports(body: &[Stmt]) -> (Vec<String>, Option<TextRange>) {
    #[derive(Default)]
    struct Imports {
        modules: Vec<String>,
        python2: Option<TextRange>,
    }
    impl Imports {
        fn add(&mut self, module: &str) {
            if !self.modules.iter().any(|known| known == module) {
                self.modules.push(module.to_owned());
            }
        }
    }
    impl<'a> Visitor<'a> for Imports {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            match statement {
                Stmt::Import(import) => {
                    import.names.iter().for_each(|alias| self.add(alias.name.as_str()));
                }
                Stmt::ImportFrom(import) if import.level == 0 => {
                    self.add(import.module.as_deref().unwrap_or_default());
                }
                _ => {}
            }
            visitor::walk_stmt(self, statement);
        }

        fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
            let ExceptHandler::ExceptHandler(inner) = handler;
            if let Some(Expr::Tuple(tuple)) = inner.type_.as_deref()
                && !tuple.parenthesized
                && let [_, Expr::Name(second)] = tuple.elts.as_slice()
                && second.id.starts_with(|c: char| c.is_lowercase() || c == '_')
            {
                self.python2.get_or_insert(tuple.range());
            }
            visitor::walk_except_handler(self, handler);
        }

        fn visit_expr(&mut self, _: &'a Expr) {}
    }
    let mut imports = Imports::default();
    imports.visit_body(body);
    (imports.modules, imports.python2)
}
