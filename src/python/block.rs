//! Statements.
//!
//! **Invariant:** of an `if` whose condition is known only that branch is executed; of any other,
//! both are, from the same state.

use std::rc::Rc;

use ruff_python_ast::{
    ElifElseClause, Expr, Stmt, StmtFor, StmtIf, StmtMatch, StmtWhile, StmtWith,
};
use ruff_text_size::Ranged;

use super::interpreter::{Control, Interpreter, Res};
use super::object::Obj;
use super::scan;
use super::value::{Datum, Span, V, Why};

/// Steps that one loop may take before its rounds are not counted any more.
const LOOP_STEPS: usize = 30_000;

/// How the rounds of a loop ended.
enum End {
    /// As they should: its `else` is executed.
    Else,
    /// So, or early.
    Perhaps(Why),
    Done(Control),
}

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
            Stmt::Assert(assert) => self.assert(assert)?,
            Stmt::Break(_) => return Ok(Control::Break),
            Stmt::Continue(_) => return Ok(Control::Continue),
            Stmt::Pass(_) | Stmt::IpyEscapeCommand(_) => {}
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
        // What is in the condition says less than the whole of it.
        Ok(self.truth(&value, span).map_err(|inner| match inner.span {
            within if within.source == span.source && span.range.contains_range(within.range) => {
                Why { span, because: inner.because }
            }
            _ => inner,
        }))
    }

    fn for_loop(&mut self, for_: &'a StmtFor) -> Res<Control> {
        let iterable = self.eval(&for_.iter)?;
        let span = self.span(for_.iter.range());
        if let V::Ref(id) = iterable
            && matches!(self.heap.get(id), Obj::List(_))
        {
            // A list may change while it is iterated over.
            let mut at = 0;
            return self.rounds(&for_.body, &for_.orelse, (span, Some(&for_.target)), |this| {
                let item = match this.heap.get(id) {
                    Obj::List(items) => items.get(at).cloned(),
                    Obj::Lost(why) => return Ok(Err(why.clone())),
                    _ => None,
                };
                let Some(item) = item else { return Ok(Ok(false)) };
                at += 1;
                this.assign(&for_.target, item.value)?;
                Ok(Ok(true))
            });
        }
        match self.iterate(&iterable, span) {
            Ok(items) => {
                let mut items = items.into_iter();
                self.rounds(&for_.body, &for_.orelse, (span, Some(&for_.target)), |this| {
                    let Some(item) = items.next() else { return Ok(Ok(false)) };
                    this.assign(&for_.target, item.value)?;
                    Ok(Ok(true))
                })
            }
            Err(why) => {
                let item = V::Unknown(why.clone());
                let bind = |this: &mut Self| this.assign(&for_.target, item);
                let end = self.maybe(&for_.body, &why, bind)?;
                self.end_loop(end, &for_.orelse)
            }
        }
    }

    fn while_loop(&mut self, while_: &'a StmtWhile) -> Res<Control> {
        let span = self.span(while_.test.range());
        self.rounds(&while_.body, &while_.orelse, (span, None), |this| this.condition(&while_.test))
    }

    /// A loop: `next` says whether there is another round. `kind` is where that is decided, and
    /// what each round assigns to.
    fn rounds(
        &mut self,
        body: &'a [Stmt],
        orelse: &'a [Stmt],
        kind: (Span, Option<&'a Expr>),
        next: impl FnMut(&mut Self) -> Res<Result<bool, Why>>,
    ) -> Res<Control> {
        let outer = self.frame_mut().uncertain.take();
        let pending = self.frame().pending.len();
        // Only a loop that can be left early may turn out to be uncertain.
        let mark = scan::leaves_early(body).then(|| self.heap.mark());
        let mut end = self.all_rounds(body, kind, next);
        let uncertain = std::mem::replace(&mut self.frame_mut().uncertain, outer);
        if let Some(mark) = mark {
            if let Some(why) = uncertain {
                self.blur(mark, &why);
                self.blur_names(scan::assigned(body), &why);
                self.blur_names(kind.1.map(scan::targets).unwrap_or_default(), &why);
                if let Ok(End::Else) = end {
                    end = Ok(End::Perhaps(why));
                }
            }
            if self.frame().pending.len() == pending {
                self.heap.keep(mark);
            }
        }
        self.end_loop(end?, orelse)
    }

    /// What follows the rounds of a loop. A `break` in its `else` is one of the loop around it.
    fn end_loop(&mut self, end: End, orelse: &'a [Stmt]) -> Res<Control> {
        match end {
            End::Done(control) => Ok(control),
            End::Else => self.block(orelse),
            End::Perhaps(_) if orelse.is_empty() => Ok(Control::Next),
            End::Perhaps(why) => {
                let some = self.way(|this| this.block(orelse));
                let none = self.way(|_| Ok(Control::Next));
                self.join(some, none, &why)
            }
        }
    }

    fn all_rounds(
        &mut self,
        body: &'a [Stmt],
        (span, target): (Span, Option<&'a Expr>),
        mut next: impl FnMut(&mut Self) -> Res<Result<bool, Why>>,
    ) -> Res<End> {
        let before = self.steps;
        let bind = |this: &mut Self, why: &Why| match target {
            Some(target) => this.assign(target, V::Unknown(why.clone())),
            None => Ok(()),
        };
        loop {
            if !self.spend(1) || before - self.steps > LOOP_STEPS {
                let why = Why::at(span);
                return self.maybe(body, &why, |this| bind(this, &why));
            }
            match next(self)? {
                Ok(true) => {}
                Ok(false) => return Ok(End::Else),
                Err(why) => return self.maybe(body, &why, |this| bind(this, &why)),
            }
            match self.block(body)? {
                Control::Next | Control::Continue => {}
                Control::Break => return Ok(End::Done(Control::Next)),
                Control::Return(value) => return Ok(End::Done(Control::Return(value))),
            }
            // It may have ended already: how often it runs is not known any more.
            if let (None, Some(why)) = (target, self.frame().uncertain.clone()) {
                return self.maybe(body, &why, |_| Ok(()));
            }
        }
    }

    /// A loop body that runs any number of times.
    fn maybe(
        &mut self,
        body: &'a [Stmt],
        why: &Why,
        bind: impl FnOnce(&mut Self) -> Res<()>,
    ) -> Res<End> {
        let outer = self.frame_mut().uncertain.take();
        let pending = self.frame().pending.len();
        let mark = self.heap.mark();
        self.blur_names(scan::assigned(body), why);
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
        Ok(match result? {
            Control::Next if scan::leaves_early(body) => End::Perhaps(why.clone()),
            Control::Next => End::Else,
            control => End::Done(control),
        })
    }

    fn with(&mut self, with: &'a StmtWith) -> Res<Control> {
        let mut suppressed = Vec::new();
        let mut entered = Vec::new();
        for item in &with.items {
            let context = self.eval(&item.context_expr)?;
            let span = self.span(item.context_expr.range());
            if let V::External(path, _) = &context
                && &**path == "contextlib.suppress.made"
            {
                suppressed.extend(self.suppressed(&item.context_expr)?);
            }
            if let V::Ref(id) = &context
                && matches!(self.heap.get(*id), Obj::Instance(_))
            {
                entered.push((context.clone(), span));
            }
            let value = self.enter(context, span)?;
            if let Some(target) = &item.optional_vars {
                self.assign(target, value)?;
            }
        }
        let result = if suppressed.is_empty() {
            self.block(&with.body)
        } else {
            self.guarded(&with.body, &[], &[suppressed], |_, _, _| Ok(Control::Next))
        };
        for (context, span) in entered.into_iter().rev() {
            let exit = self.attribute(&context, "__exit__", span)?;
            if matches!(exit, V::Bound(_)) {
                let none = Datum::new(V::None, span);
                let positional = vec![none.clone(), none.clone(), none];
                self.call(&exit, super::object::Args { positional, ..Default::default() }, span)?;
            }
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

    /// What `with value as target` binds.
    fn enter(&mut self, value: V, span: Span) -> Res<V> {
        let V::Ref(id) = &value else {
            return Ok(match value {
                V::Path(_) | V::Unset(_) | V::External(..) => V::Unknown(Why::at(span)),
                other => other,
            });
        };
        self.force(*id, span);
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
