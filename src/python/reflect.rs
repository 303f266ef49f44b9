//! `isinstance`, `getattr`, `hasattr`, `setattr`.
//!
//! **Invariant:** an object is said to lack something only if its class is wholly the user's.

use super::interpreter::{Interpreter, Res};
use super::object::{Args, ClassKind, Obj};
use super::ops::unknown;
use super::value::{Datum, Id, Span, V, Why};

impl Interpreter<'_> {
    pub(super) fn is_instance(&self, value: &V, class: Option<&V>, span: Span) -> V {
        let classes: Vec<&V> = match class {
            Some(V::Tuple(classes)) => classes.iter().map(|datum| &datum.value).collect(),
            Some(class) => vec![class],
            None => return unknown(&[], span),
        };
        let mut certain = true;
        for class in classes {
            match self.is_of(value, class) {
                Some(true) => return V::Bool(true),
                Some(false) => {}
                None => certain = false,
            }
        }
        if certain { V::Bool(false) } else { unknown(&[value], span) }
    }

    fn is_of(&self, value: &V, class: &V) -> Option<bool> {
        let path = match class {
            V::External(path, _) => path,
            V::Ref(class) => {
                let V::Ref(id) = value else { return value.why().is_none().then_some(false) };
                let Obj::Instance(instance) = self.heap.get(*id) else { return None };
                return (instance.class == Some(*class)).then_some(true);
            }
            _ => return None,
        };
        let names: &[&str] = match value {
            V::Str(_) => &["str"],
            V::Bool(_) => &["bool", "int"],
            V::Int(_) => &["int"],
            V::Float(_) => &["float"],
            V::Tuple(_) => &["tuple"],
            V::Bytes(_) => &["bytes"],
            V::None | V::Unset(_) => &["NoneType"],
            V::Path(_) => {
                let is_path = matches!(&**path, "pathlib.Path" | "pathlib.PurePath");
                return (is_path || path.starts_with("builtins.")).then_some(is_path);
            }
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(_) => &["list"],
                Obj::Dict(_) => &["dict"],
                Obj::Set(_) => &["set"],
                Obj::Instance(instance)
                    if instance.class.is_none_or(|c| self.is_kind(c, ClassKind::Foreign)) =>
                {
                    return None;
                }
                Obj::Storage(_) | Obj::Flow(_) => &[],
                _ => return None,
            },
            _ => return None,
        };
        let name = path.strip_prefix("builtins.")?;
        Some(names.contains(&name))
    }

    pub(super) fn named_attribute(&mut self, function: &str, args: &Args, span: Span) -> Res<V> {
        let (Some(object), Some(V::Str(name))) = (args.at(0), args.at(1)) else {
            if let (Some(V::Ref(id)), "setattr") = (args.at(0), function) {
                // Any attribute may have been set.
                self.lose(*id, span);
            }
            return Ok(unknown(&args.at(1).into_iter().collect::<Vec<_>>(), span));
        };
        match function {
            "setattr" => {
                let value = args.at(2).cloned().unwrap_or_else(|| unknown(&[], span));
                self.set_attribute(object, name, Datum::new(value, span));
                Ok(V::None)
            }
            "getattr" => {
                let value = self.attribute(object, name, span)?;
                let here = matches!(&value, V::Unknown(why) if why.span == span);
                match args.at(2) {
                    Some(default) if here && self.surely_lacks(object, name) => Ok(default.clone()),
                    _ => Ok(value),
                }
            }
            _ => Ok(if self.surely_lacks(object, name) {
                V::Bool(false)
            } else {
                match self.attribute(object, name, span)? {
                    V::Unknown(why) | V::External(_, why) => V::Unknown(why),
                    V::Method(_) => unknown(&[], span),
                    _ => V::Bool(true),
                }
            }),
        }
    }

    fn surely_lacks(&self, object: &V, name: &str) -> bool {
        let V::Ref(id) = object else { return false };
        match self.heap.get(*id) {
            Obj::Module(module) => self.names(module.scope).is_some_and(|n| !n.contains_key(name)),
            Obj::Instance(instance) => {
                !instance.attributes.contains_key(name)
                    && instance.class.is_none_or(|class| {
                        self.class_value(class, name).is_none()
                            && !self.is_kind(class, ClassKind::Foreign)
                            && self.class_value(class, "__getattr__").is_none()
                    })
            }
            _ => false,
        }
    }

    /// Something was done to an object that is not understood.
    fn lose(&mut self, id: Id, span: Span) {
        if let Obj::Storage(storage) = self.heap.change(id) {
            storage.rest = Some(Why::at(span));
        }
    }
}
