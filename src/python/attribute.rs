//! Attributes of values.
//!
//! **Invariant:** an attribute that a value may have and that is not understood is unknown.

use std::rc::Rc;

use ruff_python_ast::name::Name;

use super::interpreter::{Interpreter, Res};
use super::object::{Args, Binding, ClassKind, Obj};
use super::prefect;
use super::value::{Datum, Id, Span, V, Why};

/// Methods that change a container.
const MUTATORS: [&str; 13] = [
    "add",
    "append",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
];

impl Interpreter<'_> {
    /// `object.name`.
    pub(super) fn attribute(&mut self, object: &V, name: &str, span: Span) -> Res<V> {
        Ok(match object {
            V::External(path, _) => self.external_attribute(path, name, span),
            V::Unknown(why) | V::Unset(why) => {
                self.unknown_attribute(name);
                V::Unknown(why.clone())
            }
            V::Path(path) => super::pathlib::property(path, name, span)
                .unwrap_or_else(|| V::Method(Rc::new((object.clone(), name.into())))),
            V::Ref(id) => return self.object_attribute(*id, name, span),
            _ => V::Method(Rc::new((object.clone(), name.into()))),
        })
    }

    fn object_attribute(&mut self, id: Id, name: &str, span: Span) -> Res<V> {
        let object = self.heap.share(id);
        let method = || V::Method(Rc::new((V::Ref(id), Name::new(name))));
        let unknown = || V::Unknown(Why::at(span));
        Ok(match &*object {
            Obj::Module(module) => {
                let value = self.names(module.scope).and_then(|names| names.get(name)).cloned();
                match value {
                    Some(V::External(path, _)) => V::External(path, Why::at(span)),
                    Some(value) => value,
                    None => unknown(),
                }
            }
            Obj::Class(class) => match self.class_value(id, name) {
                Some(value) => self.of_class(value, id, None, span)?,
                None if name == "__name__" => V::text(class.name.as_str()),
                None if matches!(class.kind, ClassKind::Storage | ClassKind::Flow) => method(),
                None => unknown(),
            },
            Obj::Instance(instance) => {
                if let Some(value) = instance.attributes.get(name) {
                    return Ok(value.clone());
                }
                let Some(class) = instance.class else { return Ok(unknown()) };
                match self.class_value(class, name) {
                    Some(V::Ref(function)) if self.is_function(function) => {
                        return self.of_class(V::Ref(function), class, Some(V::Ref(id)), span);
                    }
                    Some(_) if self.is_kind(class, ClassKind::Foreign) => unknown(),
                    Some(value) => value,
                    None if name == "__class__" => V::Ref(class),
                    None => unknown(),
                }
            }
            Obj::Function(function) if name == "__name__" => V::text(function.name.as_str()),
            Obj::Flow(flow) => match name {
                "name" => flow.name.clone(),
                "storage" => flow.storage.clone(),
                _ => match flow.attributes.get(name) {
                    Some(value) => value.clone(),
                    None => self.inherited(flow.class, name, id, span)?.unwrap_or_else(method),
                },
            },
            Obj::Storage(storage) => {
                let argument = storage.arguments.iter().find(|(key, _)| key.as_str() == name);
                match (argument, storage.attributes.get(name)) {
                    (Some((_, datum)), _) => match (&datum.value, prefect::default_of(name)) {
                        // `self.env_vars = env_vars or {}`.
                        (V::None, Some(default)) => self.fresh(id, name, default, span),
                        (value, _) => value.clone(),
                    },
                    (None, Some(value)) => value.clone(),
                    (None, None) => match self.inherited(storage.class, name, id, span)? {
                        Some(value) => value,
                        None => match (&storage.rest, prefect::default_of(name)) {
                            (Some(why), Some(_)) => V::Unknown(why.clone()),
                            (None, Some(default)) => self.fresh(id, name, default, span),
                            (_, None) => method(),
                        },
                    },
                }
            }
            Obj::Super(class, receiver) => self.above(*class, receiver, name, span)?,
            Obj::Lost(why) => {
                let why = why.clone();
                self.unknown_attribute(name);
                V::Unknown(why)
            }
            Obj::Partial(partial) if name == "func" => partial.function.clone(),
            Obj::Function(_) if matches!(name, "setter" | "getter" | "deleter") => method(),
            Obj::Function(_) | Obj::Scope(_) => unknown(),
            Obj::Choice(_, _, why) => V::Unknown(why.clone()),
            Obj::List(_)
            | Obj::Later(_)
            | Obj::View(..)
            | Obj::Bag(_)
            | Obj::Dict(_)
            | Obj::Set(_)
            | Obj::Iter(_)
            | Obj::File(_)
            | Obj::Partial(_)
            | Obj::FlowMaker(_) => method(),
        })
    }

    /// A method of something that is not known may change it.
    pub(super) fn unknown_attribute(&mut self, name: &str) {
        if MUTATORS.contains(&name) {
            self.heap.lose_escaped();
        }
    }

    /// The value of an argument that was not given, kept from then on: it may be changed in place.
    fn fresh(&mut self, id: Id, name: &str, default: V, span: Span) -> V {
        let value = match name {
            "env_vars" | "files" | "build_kwargs" => self.new_dict(&Args::default(), span),
            "python_dependencies" | "extra_dockerfile_commands" | "secrets" | "labels" => {
                V::Ref(self.heap.add(Obj::List(Vec::new())))
            }
            _ => return default,
        };
        self.set_attribute(&V::Ref(id), name, Datum::new(value.clone(), span));
        value
    }

    /// A value found in a class, as it is reached from the class or an instance.
    pub(super) fn of_class(
        &mut self,
        value: V,
        class: Id,
        receiver: Option<V>,
        span: Span,
    ) -> Res<V> {
        let V::Ref(id) = value else { return Ok(value) };
        let Obj::Function(function) = self.heap.get(id) else { return Ok(value) };
        Ok(match (function.binding, receiver) {
            (Binding::Static, _) | (Binding::Method, None) => value,
            (Binding::Class, _) => V::Bound(Rc::new((V::Ref(class), id))),
            (Binding::Property, None) => V::Unknown(Why::at(span)),
            (Binding::Method, Some(receiver)) => V::Bound(Rc::new((receiver, id))),
            (Binding::Property, Some(receiver)) => {
                let mut args = Args::default();
                args.positional.push(Datum::new(receiver, span));
                return self.call(&value, args, span);
            }
        })
    }

    fn inherited(
        &mut self,
        class: Option<Id>,
        name: &str,
        receiver: Id,
        span: Span,
    ) -> Res<Option<V>> {
        let found = class.and_then(|class| Some((class, self.class_value(class, name)?)));
        let Some((class, value)) = found else { return Ok(None) };
        self.of_class(value, class, Some(V::Ref(receiver)), span).map(Some)
    }

    pub(super) fn is_function(&self, id: Id) -> bool {
        matches!(self.heap.get(id), Obj::Function(_))
    }

    /// Whether a property sets an attribute: then it has.
    fn sets(&mut self, property: Id, receiver: Id, datum: &Datum) -> bool {
        let Obj::Function(function) = self.heap.get(property) else { return false };
        let Some(setter) = function.setter.filter(|_| function.binding == Binding::Property) else {
            return false;
        };
        let receiver = Datum::new(V::Ref(receiver), datum.at);
        let args = Args { positional: vec![receiver, datum.clone()], ..Args::default() };
        _ = self.call(&V::Ref(setter), args, datum.at);
        true
    }

    /// `object.name = value`.
    pub(super) fn set_attribute(&mut self, object: &V, name: &str, datum: Datum) {
        let V::Ref(id) = object else { return self.heap.lose_escaped() };
        let (id, key) = (*id, Name::new(name));
        if matches!(self.heap.get(id), Obj::Flow(_)) {
            self.use_flow(id);
        }
        let class = match self.heap.get(id) {
            Obj::Instance(instance) => instance.class,
            _ => None,
        };
        let mut datum = datum;
        if let Some(class) = class {
            if let Some(V::Ref(property)) = self.class_value(class, name)
                && self.sets(property, id, &datum)
            {
                return;
            }
            if self.class_value(class, "__setattr__").is_some() {
                datum.value = V::Unknown(Why::at(datum.at));
            }
        }
        match self.heap.change(id) {
            Obj::Instance(instance) => _ = instance.attributes.insert(key, datum.value),
            Obj::Module(module) => {
                let scope = module.scope;
                self.bind_in(scope, name, datum.value);
            }
            Obj::Class(class) => {
                let scope = class.scope;
                self.bind_in(scope, name, datum.value);
            }
            Obj::Flow(flow) => match name {
                "storage" => flow.storage = datum.value,
                "name" => flow.name = datum.value,
                _ => _ = flow.attributes.insert(key, datum.value),
            },
            Obj::Storage(storage) => {
                if !prefect::is_keyword(name) {
                    storage.attributes.insert(key, datum.value);
                } else if let Some(known) = storage.arguments.iter_mut().find(|(k, _)| *k == key) {
                    known.1 = datum;
                } else {
                    storage.arguments.push((key, datum));
                }
            }
            Obj::Lost(_) => self.heap.lose_escaped(),
            _ => {}
        }
    }
}
