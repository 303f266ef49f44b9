//! Exceptions: what raises them, and what is executed then.
//!
//! **Invariant:** what may be raised, and would be handled, leaves unknown all that depends on it.

use std::rc::Rc;

use ruff_python_ast::{ExceptHandler, Expr, Stmt, StmtAssert, StmtRaise, StmtTry};
use ruff_text_size::Ranged;

use super::interpreter::{Control, Interpreter, Res, Stop};
use super::object::Obj;
use super::scan;
use super::value::{V, Why};

/// An exception on its way.
#[derive(Clone, Debug)]
pub(super) struct Raised {
    /// Its class and all above that, by their last names.
    classes: Rc<[Rc<str>]>,
    value: V,
    why: Why,
}

/// A `try` whose body is being executed.
#[derive(Debug, Default)]
pub(super) struct Guard {
    classes: Vec<Rc<str>>,
    /// An exception that it handles and that may have been raised, or not.
    perhaps: Option<Raised>,
}

impl Raised {
    fn new(class: &str, why: Why) -> Self {
        Self { classes: with_parents(class).into(), value: V::Unknown(why.clone()), why }
    }
}

impl<'a> Interpreter<'a> {
    /// An exception: raised if something handles it, else the value is unknown for that reason.
    pub(super) fn raise(&self, class: &str, why: Why) -> Res<V> {
        let raised = Raised::new(class, why);
        if self.handled(&raised.classes) {
            return Err(Stop::Raised(raised));
        }
        Ok(V::Unknown(raised.why))
    }

    fn handled(&self, classes: &[Rc<str>]) -> bool {
        self.guards.iter().any(|guard| catches(&guard.classes, classes))
    }

    /// Something may raise an exception, or not.
    pub(super) fn perhaps(&mut self, class: &str, why: &Why) {
        self.perhaps_raised(&Raised::new(class, why.clone()), why);
    }

    /// One way of a condition raises an exception.
    pub(super) fn perhaps_raised(&mut self, raised: &Raised, why: &Why) {
        let mut guards = self.guards.iter_mut().rev();
        if let Some(guard) = guards.find(|guard| catches(&guard.classes, &raised.classes)) {
            guard.perhaps = Some(Raised { why: why.clone(), ..raised.clone() });
        }
    }

    /// The script raises something. If nothing handles it, and it surely gets there, what follows is
    /// read all the same: so that everything that is missing is told at once.
    pub(super) fn give_up(&mut self, class: &str, why: Why) -> Res<()> {
        self.give_up_with(Raised::new(class, why))
    }

    fn give_up_with(&mut self, raised: Raised) -> Res<()> {
        if self.handled(&raised.classes) {
            return Err(Stop::Raised(raised));
        }
        if self.ways > 0 {
            return Err(Stop::Exit);
        }
        self.frame_mut().raised = Some(raised.why);
        Ok(())
    }

    pub(super) fn raise_statement(&mut self, raise: &'a StmtRaise) -> Res<Control> {
        let why = Why::at(self.span(raise.range()));
        let raised = match &raise.exc {
            Some(exception) => {
                let value = self.eval(exception)?;
                let mut classes = self.classes_of(&value);
                if classes.is_empty() {
                    classes = with_parents(&last_name(exception).unwrap_or_default());
                }
                let value = match value {
                    V::Ref(id) if matches!(self.heap.get(id), Obj::Instance(_)) => value,
                    _ => V::Unknown(why.clone()),
                };
                Raised { classes: classes.into(), value, why }
            }
            None => match self.frames.iter().rev().find_map(|frame| frame.handling.clone()) {
                Some(handling) => handling,
                None => Raised::new("Exception", why),
            },
        };
        self.give_up_with(raised)?;
        Ok(Control::Next)
    }

    pub(super) fn assert(&mut self, assert: &'a StmtAssert) -> Res<()> {
        match self.condition(&assert.test)? {
            Ok(true) => Ok(()),
            Ok(false) => self.give_up("AssertionError", Why::at(self.span(assert.range()))),
            Err(why) => {
                self.perhaps("AssertionError", &why);
                Ok(())
            }
        }
    }

    /// The classes that a class or exception is of, by their last names; none if that is not known.
    fn classes_of(&self, value: &V) -> Vec<Rc<str>> {
        match value {
            V::External(path, _) => {
                with_parents(path.trim_end_matches("()").rsplit('.').next().unwrap_or_default())
            }
            V::Ref(id) => match self.heap.get(*id) {
                Obj::Instance(instance) => {
                    instance.class.map(|class| self.class_names(class)).unwrap_or_default()
                }
                Obj::Class(_) => self.class_names(*id),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn class_names(&self, class: super::value::Id) -> Vec<Rc<str>> {
        let mut names = Vec::new();
        for class in self.lineage(class) {
            let Obj::Class(class) = self.heap.get(class) else { continue };
            names.push(class.name.as_str().into());
            for base in &class.bases {
                if let V::External(..) = base {
                    names.extend(self.classes_of(base));
                }
            }
        }
        names
    }

    /// The exceptions that a handler catches, by their last names.
    fn caught(&mut self, type_: Option<&'a Expr>) -> Res<Vec<Rc<str>>> {
        let Some(type_) = type_ else { return Ok(vec!["BaseException".into()]) };
        if let Expr::Tuple(tuple) = type_ {
            let mut all = Vec::new();
            for part in &tuple.elts {
                all.extend(self.caught(Some(part))?);
            }
            return Ok(all);
        }
        let value = self.eval(type_)?;
        let values: Vec<V> = match &value {
            V::Tuple(items) => items.iter().map(|item| item.value.clone()).collect(),
            _ => vec![value],
        };
        // The class alone: those above it are not caught.
        let first = |value: &V| self.classes_of(value).into_iter().next();
        let names: Vec<Rc<str>> = values.iter().filter_map(first).collect();
        Ok(if names.is_empty() { last_name(type_).into_iter().collect() } else { names })
    }

    pub(super) fn try_block(&mut self, try_: &'a StmtTry) -> Res<Control> {
        let mut classes = Vec::new();
        for ExceptHandler::ExceptHandler(handler) in &try_.handlers {
            classes.push(self.caught(handler.type_.as_deref())?);
        }
        let result = self.guarded(&try_.body, &try_.orelse, &classes, |this, at, raised| {
            this.handler(try_, at, raised)
        });
        match self.block(&try_.finalbody)? {
            Control::Next => result,
            end => Ok(end),
        }
    }

    /// Executes a body, and a handler if it raises what that catches.
    pub(super) fn guarded(
        &mut self,
        body: &'a [Stmt],
        orelse: &'a [Stmt],
        classes: &[Vec<Rc<str>>],
        handler: impl Fn(&mut Self, usize, &Raised) -> Res<Control>,
    ) -> Res<Control> {
        let pending = self.frame().pending.len();
        let mark = self.heap.mark();
        self.guards.push(Guard { classes: classes.concat(), perhaps: None });
        let result = self.block(body);
        let perhaps = self.guards.pop().and_then(|guard| guard.perhaps);
        let which =
            |raised: &Raised| classes.iter().position(|list| catches(list, &raised.classes));
        let perhaps = perhaps.and_then(|raised| Some((which(&raised)?, raised)));
        if let Some((_, raised)) = &perhaps {
            self.blur(mark, &raised.why);
            self.blur_names(scan::assigned(body), &raised.why);
        }
        if self.frame().pending.len() == pending {
            self.heap.keep(mark);
        }
        let Some((at, raised)) = perhaps else {
            return match result {
                Ok(Control::Next) => self.block(orelse),
                Err(Stop::Raised(raised)) => match which(&raised) {
                    Some(at) => handler(self, at, &raised),
                    None => Err(Stop::Raised(raised)),
                },
                end => end,
            };
        };
        let normal = self.way(|this| match result {
            Ok(Control::Next) => this.block(orelse),
            Err(Stop::Raised(raised)) => match which(&raised) {
                Some(at) => handler(this, at, &raised),
                None => Err(Stop::Raised(raised)),
            },
            end => end,
        });
        let other = self.way(|this| handler(this, at, &raised));
        self.join(normal, other, &raised.why)
    }

    fn handler(&mut self, try_: &'a StmtTry, at: usize, raised: &Raised) -> Res<Control> {
        let ExceptHandler::ExceptHandler(handler) = &try_.handlers[at];
        if let Some(name) = &handler.name {
            self.bind(name.as_str(), raised.value.clone());
        }
        let before = self.frame_mut().raised.take();
        let outer = self.frame_mut().handling.replace(raised.clone());
        let result = self.block(&handler.body);
        self.frame_mut().handling = outer;
        if self.frame().raised.is_some() {
            // The script gives up here: what the body would have bound is what is missing.
            for name in scan::assigned(&try_.body) {
                if self.bound(name).is_none() {
                    self.bind(name, V::Unknown(raised.why.clone()));
                }
            }
            self.frame_mut().raised = Some(raised.why.clone());
        } else {
            self.frame_mut().raised = before;
        }
        result
    }

    /// The exceptions that a context manager suppresses.
    pub(super) fn suppressed(&mut self, context: &'a Expr) -> Res<Vec<Rc<str>>> {
        let mut classes = Vec::new();
        if let Expr::Call(call) = context {
            for class in &call.arguments.args {
                classes.extend(self.caught(Some(class))?);
            }
        }
        Ok(classes)
    }
}

/// Whether a handler catches an exception of these classes.
fn catches(handler: &[Rc<str>], classes: &[Rc<str>]) -> bool {
    handler.iter().any(|handler| classes.contains(handler))
}

/// A class and those above it.
fn with_parents(class: &str) -> Vec<Rc<str>> {
    let parents: &[&str] = match class {
        "KeyError" | "IndexError" => &["LookupError"],
        "FileNotFoundError" | "PermissionError" | "ConnectionError" | "TimeoutError" => {
            &["OSError", "IOError", "EnvironmentError"]
        }
        "OSError" | "IOError" | "EnvironmentError" => &["OSError", "IOError", "EnvironmentError"],
        "UnicodeDecodeError" => &["UnicodeError", "ValueError"],
        "ModuleNotFoundError" => &["ImportError"],
        "ZeroDivisionError" => &["ArithmeticError"],
        "NotImplementedError" => &["RuntimeError"],
        "JSONDecodeError" | "TOMLDecodeError" => &["ValueError"],
        "SystemExit" | "KeyboardInterrupt" | "BaseException" => {
            return vec![class.into(), "BaseException".into()];
        }
        _ => &[],
    };
    let above = parents.iter().chain(&["Exception", "BaseException"]);
    std::iter::once(class).chain(above.copied()).map(Into::into).collect()
}

fn last_name(expr: &Expr) -> Option<Rc<str>> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str().into()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str().into()),
        Expr::Call(call) => last_name(&call.func),
        _ => None,
    }
}
