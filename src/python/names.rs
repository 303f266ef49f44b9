//! Names: where they are looked up and what assigning to a target does.
//!
//! **Invariant:** a name that nothing binds is unknown, never empty.

use std::rc::Rc;

use ruff_python_ast::{Expr, StmtAugAssign};
use ruff_text_size::Ranged;

use super::interpreter::{Interpreter, Res};
use super::object::Obj;
use super::value::{Datum, Id, Key, V, Why};

/// Built-in functions and classes that are understood, or matter as decorators; sorted.
const BUILTINS: [&str; 55] = [
    "Exception",
    "__import__",
    "abs",
    "all",
    "any",
    "bool",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "dict",
    "divmod",
    "enumerate",
    "exit",
    "filter",
    "float",
    "format",
    "frozenset",
    "getattr",
    "globals",
    "hasattr",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "locals",
    "map",
    "max",
    "min",
    "next",
    "object",
    "open",
    "ord",
    "pow",
    "print",
    "property",
    "quit",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "setattr",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
];

/// Whether a name means something without being bound.
pub(super) fn is_builtin(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok()
}

/// Whether a name is that of a built-in exception, going by how those are called.
fn is_exception(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && (name.ends_with("Error") || name.ends_with("Exception") || name.ends_with("Warning"))
        || matches!(name, "SystemExit" | "KeyboardInterrupt" | "StopIteration")
}

impl<'a> Interpreter<'a> {
    /// The value of a name, if something binds it.
    pub(super) fn bound(&self, name: &str) -> Option<V> {
        let frame = self.frame();
        let get = |scope: Id| self.names(scope).and_then(|names| names.get(name)).cloned();
        if let Some(scope) = frame.declared.get(name) {
            return get(*scope);
        }
        get(frame.locals)
            .or_else(|| frame.enclosing.iter().rev().find_map(|scope| get(*scope)))
            .or_else(|| get(frame.globals))
    }

    /// The value of a name where it stands.
    pub(super) fn name(&self, name: &str, at: &impl Ranged) -> V {
        let why = || Why::at(self.span(at.range()));
        match self.bound(name) {
            // What an import binds is not known where it is used.
            Some(V::External(path, at)) if at.span.range.is_empty() => V::External(path, why()),
            Some(value) => value,
            None if is_builtin(name) || is_exception(name) => {
                V::External(format!("builtins.{name}").into(), why())
            }
            None => V::Unknown(why()),
        }
    }

    pub(super) fn bind(&mut self, name: &str, value: V) {
        let frame = self.frame();
        let scope = frame.declared.get(name).copied().unwrap_or(frame.locals);
        if let V::Ref(id) = &value {
            self.note_name(*id, name);
        }
        self.bind_in(scope, name, value);
    }

    /// Flows and storages know the first name that they are bound to.
    fn note_name(&mut self, id: Id, name: &str) {
        match self.heap.get(id) {
            Obj::Storage(storage) if storage.variable.is_none() => {
                if let Obj::Storage(storage) = self.heap.change(id) {
                    storage.variable = Some(name.into());
                }
            }
            Obj::Flow(flow) if flow.function.is_some() && !flow.bound => {
                if let Obj::Flow(flow) = self.heap.change(id) {
                    flow.bound = true;
                    flow.function = Some(name.to_owned());
                }
            }
            _ => {}
        }
    }

    pub(super) fn assign(&mut self, target: &'a Expr, value: V) -> Res<()> {
        match target {
            Expr::Name(name) => self.bind(&name.id, value),
            Expr::Tuple(tuple) => self.unpack(&tuple.elts, &value, target)?,
            Expr::List(list) => self.unpack(&list.elts, &value, target)?,
            Expr::Starred(starred) => self.assign(&starred.value, value)?,
            Expr::Attribute(attribute) => {
                let object = self.eval(&attribute.value)?;
                let at = self.span(target.range());
                self.set_attribute(&object, &attribute.attr, Datum::new(value, at));
            }
            Expr::Subscript(subscript) => {
                let object = self.eval(&subscript.value)?;
                let at = self.span(target.range());
                if let Expr::Slice(slice) = &*subscript.slice {
                    let bounds = self.bounds(slice)?;
                    self.set_slice(&object, &bounds, &value, at);
                    return Ok(());
                }
                let key = self.eval(&subscript.slice)?;
                self.set_item(&object, key, Datum::new(value, at));
            }
            _ => {}
        }
        Ok(())
    }

    fn unpack(&mut self, targets: &'a [Expr], value: &V, whole: &'a Expr) -> Res<()> {
        let items = self.iterate(value, self.span(whole.range()));
        let starred = targets.iter().position(Expr::is_starred_expr);
        let items = match items {
            Ok(items) if starred.is_none() && items.len() == targets.len() => items,
            Ok(items) if starred.is_some() && items.len() + 1 >= targets.len() => items,
            Ok(_) => return self.unpack_unknown(targets, &Why::at(self.span(whole.range()))),
            Err(why) => return self.unpack_unknown(targets, &why),
        };
        let surplus = items.len() + 1 - targets.len();
        let mut items = items.into_iter();
        for target in targets {
            if let Expr::Starred(starred) = target {
                let list = Obj::List(items.by_ref().take(surplus).collect());
                let list = self.heap.add(list);
                self.assign(&starred.value, V::Ref(list))?;
            } else if let Some(item) = items.next() {
                self.assign(target, item.value)?;
            }
        }
        Ok(())
    }

    fn unpack_unknown(&mut self, targets: &'a [Expr], why: &Why) -> Res<()> {
        targets.iter().try_for_each(|target| self.assign(target, V::Unknown(why.clone())))
    }

    pub(super) fn augment(&mut self, assign: &'a StmtAugAssign) -> Res<()> {
        let span = self.span(assign.range());
        let old = match &*assign.target {
            Expr::Name(name) => self.name(&name.id, name),
            target => self.eval(target)?,
        };
        let operand = self.eval(&assign.value)?;
        // Adding a number or a text changes nothing in place.
        let plain = matches!(operand, V::Int(_) | V::Float(_) | V::Bool(_) | V::Str(_) | V::None);
        if matches!(old, V::Unknown(_)) && !plain {
            self.heap.lose_escaped();
        }
        let new = self.in_place(&old, assign.op, &operand, span)?;
        self.assign(&assign.target, new)
    }

    pub(super) fn delete(&mut self, target: &'a Expr) -> Res<()> {
        match target {
            Expr::Name(name) => {
                let frame = self.frame();
                let scope = frame.declared.get(&name.id).copied().unwrap_or(frame.locals);
                if let Obj::Scope(names) = self.heap.change(scope) {
                    names.remove(&name.id);
                }
            }
            Expr::Tuple(tuple) => tuple.elts.iter().try_for_each(|target| self.delete(target))?,
            Expr::Subscript(subscript) => {
                let object = self.eval(&subscript.value)?;
                let key = self.eval(&subscript.slice)?;
                let why = Why::at(self.span(target.range()));
                self.delete_item(&object, &key, &why);
            }
            Expr::Attribute(attribute) => {
                let object = self.eval(&attribute.value)?;
                let at = self.span(target.range());
                let value = V::Unknown(Why::at(at));
                self.set_attribute(&object, &attribute.attr, Datum::new(value, at));
            }
            _ => {}
        }
        Ok(())
    }

    fn delete_item(&mut self, object: &V, key: &V, why: &Why) {
        let V::Ref(id) = object else { return self.heap.lose_escaped() };
        self.escape_items(*id, key, why);
        match self.heap.change(*id) {
            Obj::Dict(dict) => match Key::of(key) {
                Some(key) => _ = dict.remove(&key),
                None => dict.blur(why),
            },
            list @ Obj::List(_) => {
                let Obj::List(items) = list else { return };
                match super::containers::index(key, items.len()) {
                    Some(at) => _ = items.remove(at),
                    None => *list = Obj::Lost(why.clone()),
                }
            }
            _ => {}
        }
    }

    /// `object[key] = value`.
    pub(super) fn set_item(&mut self, object: &V, key: V, datum: Datum) {
        let V::Ref(id) = object else { return self.heap.lose_escaped() };
        let why = key.why().cloned().unwrap_or_else(|| Why::at(datum.at));
        self.escape_items(*id, &key, &why);
        match self.heap.change(*id) {
            Obj::Dict(dict) => dict.insert(key, datum),
            list @ Obj::List(_) => {
                let Obj::List(items) = list else { return };
                match super::containers::index(&key, items.len()) {
                    Some(at) => items[at] = datum,
                    None => *list = Obj::Lost(why),
                }
            }
            _ => {}
        }
    }

    /// Before an item changes whose key is not known.
    fn escape_items(&mut self, id: Id, key: &V, why: &Why) {
        if Key::of(key).is_none() {
            let object = self.heap.share(id);
            self.heap.escape_content(&object, why);
        }
        if matches!(self.heap.get(id), Obj::Lost(_)) {
            self.heap.lose_escaped();
        }
    }

    /// The scopes that a function or comprehension defined here sees besides its own.
    pub(super) fn closure(&self) -> Rc<[Id]> {
        let frame = self.frame();
        if frame.locals == frame.globals || frame.is_class {
            return Rc::clone(&frame.enclosing);
        }
        frame.enclosing.iter().copied().chain([frame.locals]).collect()
    }
}
