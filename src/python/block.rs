//! Statements.
//!
//! **Invariant:** of an `if` whose condition is known only that branch is executed; of any other,
//! both are, from the same state.

use std::rc::Rc;

use ruff_python_ast::{
    ElifElseClause, ExceptHandler, Expr, Stmt, StmtFor, StmtIf, StmtMatch, StmtRaise, StmtTry,
    StmtWhile, StmtWith,
};
use ruff_text_size::Ranged;

use super::interpreter::{Control, Interpreter, Res, Stop, handles};
use super::object::Obj;
use super::scan;
use super::value::{Datum, Span, V, Why};

/// Steps that one loop may take before its rounds are not counted any more.
const LOOP_STEPS: usize = 30_000;

impl<'a> Interpreter<'a> {
    pub(super) fn block(&mut self, body: &'a [Stmt]) -> Res<Control> {
        for statement in body {
            match self.deeper(|this| this.statement(statement)) {
                None | Some(Ok(Control::Next)) => {}
                Some(end) => return end,
            }
        }
        Ok(Control::Next)
    }

    fn statement(&mut self, statement: &'a Stmt) -> Res<Control> {
        match statement {
            Stmt::Expr(expr) => {
                self.eval(&expr.value)?;
            }
            Stmt::Assign(assign) => {
                let value = self.eval(&assign.value)?;
                for target in &assign.targets {
                    self.assign(target, value.clone())?;
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    let value = self.eval(value)?;
                    self.assign(&assign.target, value)?;
                }
            }
            Stmt::AugAssign(assign) => self.augment(assign)?,
            Stmt::If(branch) => return self.branch(branch),
            Stmt::For(for_) => return self.for_loop(for_),
            Stmt::While(while_) => return self.while_loop(while_),
            Stmt::With(with) => return self.with(with),
            Stmt::Try(try_) => return self.try_block(try_),
            Stmt::Match(match_) => return self.match_block(match_),
            Stmt::FunctionDef(def) => self.define_function(def)?,
            Stmt::ClassDef(def) => self.define_class(def)?,
            Stmt::Return(ret) => {
                let value = ret.value.as_ref().map_or(Ok(V::None), |value| self.eval(value))?;
                return Ok(Control::Return(value));
            }
            Stmt::Raise(raise) => return self.raise_statement(raise),
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Global(global) => {
                let globals = self.frame().globals;
                for name in &global.names {
                    self.frame_mut().declared.insert(name.id.clone(), globals);
                }
            }
            Stmt::Nonlocal(nonlocal) => {
                for name in &nonlocal.names {
                    let enclosing = Rc::clone(&self.frame().enclosing);
                    let mut scopes = enclosing.iter().rev();
                    let holds = |scope: &&_| {
                        self.names(**scope).is_some_and(|names| names.contains_key(&name.id))
                    };
                    if let Some(scope) = scopes.find(holds) {
                        self.frame_mut().declared.insert(name.id.clone(), *scope);
                    }
                }
            }
            Stmt::Delete(delete) => {
                for target in &delete.targets {
                    self.delete(target)?;
                }
            }
            Stmt::TypeAlias(alias) => {
                let value = self.unknown(&*alias.value);
                self.assign(&alias.name, value)?;
            }
            Stmt::Break(_) => return Ok(Control::Break),
            Stmt::Continue(_) => return Ok(Control::Continue),
            Stmt::Assert(_) | Stmt::Pass(_) | Stmt::IpyEscapeCommand(_) => {}
        }
        Ok(Control::Next)
    }

    fn branch(&mut self, branch: &'a StmtIf) -> Res<Control> {
        self.clauses(Some(&branch.test), &branch.body, &branch.elif_else_clauses)
    }

    fn clauses(
        &mut self,
        test: Option<&'a Expr>,
        body: &'a [Stmt],
        rest: &'a [ElifElseClause],
    ) -> Res<Control> {
        let Some(test) = test else { return self.block(body) };
        match self.condition(test)? {
            Ok(true) => self.block(body),
            Ok(false) => self.other_clauses(rest),
            Err(why) => {
                let a = self.way(|this| this.block(body));
                let b = self.way(|this| this.other_clauses(rest));
                self.join(a, b, &why)
            }
        }
    }

    fn other_clauses(&mut self, clauses: &'a [ElifElseClause]) -> Res<Control> {
        match clauses.split_first() {
            Some((first, rest)) => {
                let run = |this: &mut Self| this.clauses(first.test.as_ref(), &first.body, rest);
                self.deeper(run).unwrap_or(Ok(Control::Next))
            }
            None => Ok(Control::Next),
        }
    }

    /// Whether a condition holds; if that is not known, it is the reason itself.
    pub(super) fn condition(&mut self, test: &'a Expr) -> Res<Result<bool, Why>> {
        let value = self.eval(test)?;
        let span = self.span(test.range());
        Ok(self.truth(&value, span).map_err(|inner| Why { span, because: inner.because }))
    }

    fn for_loop(&mut self, for_: &'a StmtFor) -> Res<Control> {
        let iterable = self.eval(&for_.iter)?;
        let span = self.span(for_.iter.range());
        match self.iterate(&iterable, span) {
            Ok(items) => {
                let mut items = items.into_iter();
                self.rounds(&for_.body, &for_.orelse, (span, false), |this| {
                    let Some(item) = items.next() else { return Ok(Ok(false)) };
                    this.assign(&for_.target, item.value)?;
                    Ok(Ok(true))
                })
            }
            Err(why) => {
                let item = V::Unknown(why.clone());
                let bind = |this: &mut Self| this.assign(&for_.target, item);
                self.maybe(&for_.body, &for_.orelse, &why, bind)
            }
        }
    }

    fn while_loop(&mut self, while_: &'a StmtWhile) -> Res<Control> {
        let span = self.span(while_.test.range());
        self.rounds(&while_.body, &while_.orelse, (span, true), |this| this.condition(&while_.test))
    }

    /// A loop: `next` says whether there is another round. `kind` is where that is decided, and
    /// whether rounds may go on without an end.
    fn rounds(
        &mut self,
        body: &'a [Stmt],
        orelse: &'a [Stmt],
        kind: (Span, bool),
        next: impl FnMut(&mut Self) -> Res<Result<bool, Why>>,
    ) -> Res<Control> {
        let outer = self.frame_mut().uncertain.take();
        let pending = self.frame().pending.len();
        // Only a loop that can be left early may turn out to be uncertain.
        let mark = scan::leaves_early(body).then(|| self.heap.mark());
        let result = self.all_rounds(body, orelse, kind, next);
        let uncertain = std::mem::replace(&mut self.frame_mut().uncertain, outer);
        if let Some(mark) = mark {
            if let Some(why) = uncertain {
                self.blur(mark, &why);
            }
            if self.frame().pending.len() == pending {
                self.heap.keep(mark);
            }
        }
        result
    }

    fn all_rounds(
        &mut self,
        body: &'a [Stmt],
        orelse: &'a [Stmt],
        (span, endless): (Span, bool),
        mut next: impl FnMut(&mut Self) -> Res<Result<bool, Why>>,
    ) -> Res<Control> {
        let before = self.steps;
        loop {
            if !self.spend(1) || before - self.steps > LOOP_STEPS {
                return self.maybe(body, orelse, &Why::at(span), |_| Ok(()));
            }
            match next(self)? {
                Ok(true) => {}
                Ok(false) => return self.block(orelse),
                Err(why) => return self.maybe(body, orelse, &why, |_| Ok(())),
            }
            match self.block(body)? {
                Control::Next | Control::Continue => {}
                Control::Break => return Ok(Control::Next),
                Control::Return(value) => return Ok(Control::Return(value)),
            }
            // It may have ended already: how often it runs is not known any more.
            if let (true, Some(why)) = (endless, self.frame().uncertain.clone()) {
                return self.maybe(body, orelse, &why, |_| Ok(()));
            }
        }
    }

    /// A loop body that runs any number of times.
    fn maybe(
        &mut self,
        body: &'a [Stmt],
        orelse: &'a [Stmt],
        why: &Why,
        bind: impl FnOnce(&mut Self) -> Res<()>,
    ) -> Res<Control> {
        let outer = self.frame_mut().uncertain.take();
        let pending = self.frame().pending.len();
        let mark = self.heap.mark();
        for name in scan::assigned(body) {
            if let Some(value) = self.bound(name) {
                self.heap.escape(&value, why);
                self.bind(name, V::Unknown(why.clone()));
            }
        }
        let some = self.way(|this| {
            bind(this)?;
            Ok(match this.block(body)? {
                Control::Return(value) => Control::Return(value),
                _ => Control::Next,
            })
        });
        let none = self.way(|_| Ok(Control::Next));
        let result = self.join(some, none, why);
        self.blur(mark, why);
        if self.frame().pending.len() == pending {
            self.heap.keep(mark);
        }
        self.frame_mut().uncertain = outer;
        match result? {
            Control::Next if orelse.is_empty() => Ok(Control::Next),
            Control::Next if scan::leaves_early(body) => {
                let some = self.way(|this| this.block(orelse));
                let none = self.way(|_| Ok(Control::Next));
                self.join(some, none, why)
            }
            Control::Next => self.block(orelse),
            end => Ok(end),
        }
    }

    fn with(&mut self, with: &'a StmtWith) -> Res<Control> {
        let mut suppressed = Vec::new();
        for item in &with.items {
            let context = self.eval(&item.context_expr)?;
            if let Expr::Call(call) = &item.context_expr
                && let V::External(path, _) = &context
                && &**path == "contextlib.suppress.made"
            {
                suppressed.extend(call.arguments.args.iter().filter_map(class_name));
            }
            let value = self.enter(context, self.span(item.context_expr.range()))?;
            if let Some(target) = &item.optional_vars {
                self.assign(target, value)?;
            }
        }
        if suppressed.is_empty() {
            return self.block(&with.body);
        }
        self.handlers.push(suppressed);
        let result = self.block(&with.body);
        let suppressed = self.handlers.pop().unwrap_or_default();
        match result {
            Err(Stop::Raised { class, .. }) if suppressed.iter().any(|s| handles(s, &class)) => {
                Ok(Control::Next)
            }
            other => other,
        }
    }

    fn try_block(&mut self, try_: &'a StmtTry) -> Res<Control> {
        let handlers = try_.handlers.iter();
        let classes: Vec<Vec<Rc<str>>> = handlers.map(handled_classes).collect();
        self.handlers.push(classes.concat());
        let result = self.block(&try_.body);
        self.handlers.pop();
        let result = match result {
            Ok(Control::Next) => self.block(&try_.orelse),
            Err(Stop::Raised { class, why }) => {
                let catches = |list: &Vec<Rc<str>>| list.iter().any(|h| handles(h, &class));
                match classes.iter().position(catches) {
                    Some(at) => self.handler(try_, at, &why),
                    None => Err(Stop::Raised { class, why }),
                }
            }
            other => other,
        };
        match self.block(&try_.finalbody)? {
            Control::Next => result,
            end => Ok(end),
        }
    }

    fn handler(&mut self, try_: &'a StmtTry, at: usize, why: &Why) -> Res<Control> {
        let ExceptHandler::ExceptHandler(handler) = &try_.handlers[at];
        if let Some(name) = &handler.name {
            self.bind(name.as_str(), V::Unknown(why.clone()));
        }
        let before = self.frame_mut().raised.take();
        let result = self.block(&handler.body);
        if self.frame().raised.is_some() {
            // The script gives up here: what the body would have bound is what is missing.
            for name in scan::assigned(&try_.body) {
                if self.bound(name).is_none() {
                    self.bind(name, V::Unknown(why.clone()));
                }
            }
            self.frame_mut().raised = Some(why.clone());
        } else {
            self.frame_mut().raised = before;
        }
        result
    }

    fn match_block(&mut self, match_: &'a StmtMatch) -> Res<Control> {
        let subject = self.eval(&match_.subject)?;
        self.cases(&subject, match_, 0)
    }

    fn cases(&mut self, subject: &V, match_: &'a StmtMatch, at: usize) -> Res<Control> {
        let Some(case) = match_.cases.get(at) else { return Ok(Control::Next) };
        let mut holds = self.matches(&case.pattern, subject);
        if let (Some(guard), Ok(true) | Err(_)) = (&case.guard, &holds) {
            let guarded = self.condition(guard)?;
            holds = match (holds, guarded) {
                (_, Ok(false)) => Ok(false),
                (Err(why), _) => Err(why),
                (Ok(_), guarded) => guarded,
            };
        }
        match holds {
            Ok(true) => self.block(&case.body),
            Ok(false) => self.cases(subject, match_, at + 1),
            Err(_) => {
                let why = Why::at(self.span(match_.subject.range()));
                let a = self.way(|this| this.block(&case.body));
                let b = self.way(|this| {
                    let rest = this.deeper(|this| this.cases(subject, match_, at + 1));
                    rest.unwrap_or(Ok(Control::Next))
                });
                self.join(a, b, &why)
            }
        }
    }

    fn raise_statement(&mut self, raise: &'a StmtRaise) -> Res<Control> {
        let class = match &raise.exc {
            Some(exception) => {
                self.eval(exception)?;
                class_name(exception).unwrap_or_else(|| "Exception".into())
            }
            None => "Exception".into(),
        };
        let why = Why::at(self.span(raise.range()));
        self.give_up(&class, why)?;
        Ok(Control::Next)
    }

    /// The script raises something. If nothing handles it, and it surely gets there, what follows is
    /// read all the same: so that everything that is missing is told at once.
    pub(super) fn give_up(&mut self, class: &str, why: Why) -> Res<()> {
        if self.handled(class) {
            return Err(Stop::Raised { class: class.into(), why });
        }
        if self.ways > 0 {
            return Err(Stop::Exit);
        }
        self.frame_mut().raised = Some(why);
        Ok(())
    }

    /// What `with value as target` binds.
    fn enter(&mut self, value: V, span: Span) -> Res<V> {
        let V::Ref(id) = &value else {
            return Ok(match value {
                V::Path(_) | V::Unset(_) | V::External(..) => V::Unknown(Why::at(span)),
                other => other,
            });
        };
        match self.heap.get(*id) {
            Obj::Flow(_) => {
                self.use_flow(*id);
                Ok(value)
            }
            Obj::Instance(_) => {
                let enter = self.attribute(&value, "__enter__", span)?;
                if matches!(enter, V::Bound(_)) {
                    return self.call(&enter, super::object::Args::default(), span);
                }
                Ok(V::Unknown(Why::at(span)))
            }
            // A generator with `contextmanager`, executed to its end.
            Obj::Iter(items) => Ok(items
                .first()
                .map_or_else(|| V::Unknown(Why::at(span)), |datum| datum.value.clone())),
            _ => Ok(value),
        }
    }

    /// The items of something that can be iterated over and whether their order is by chance, or why
    /// they are not known.
    pub(super) fn items_of(&mut self, expr: &'a Expr) -> Res<Result<(Vec<Datum>, bool), Why>> {
        let value = self.eval(expr)?;
        let span = self.span(expr.range());
        Ok(self.iterate_any(&value, span))
    }
}

/// The exceptions that a handler catches, by their last names.
fn handled_classes(handler: &ExceptHandler) -> Vec<Rc<str>> {
    let ExceptHandler::ExceptHandler(handler) = handler;
    match handler.type_.as_deref() {
        None => vec!["BaseException".into()],
        Some(Expr::Tuple(tuple)) => tuple.elts.iter().filter_map(class_name).collect(),
        Some(class) => class_name(class).into_iter().collect(),
    }
}

fn class_name(expr: &Expr) -> Option<Rc<str>> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str().into()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str().into()),
        Expr::Call(call) => class_name(&call.func),
        _ => None,
    }
}
