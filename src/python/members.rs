//! Members of enumerations, and values of named tuples.
//!
//! **Invariant:** two names for one value are one member.

use super::interpreter::Interpreter;
use super::object::{ClassKind, Instance, Names, Obj};
use super::value::{Datum, Id, Span, V};

impl Interpreter<'_> {
    /// Turns the values of an enumeration into its members.
    pub(super) fn make_members(&mut self, class: Id, scope: Id) {
        let Obj::Class(object) = self.heap.get(class) else { return };
        for field in object.fields.clone().iter() {
            let value = self.names(scope).and_then(|names| names.get(field)).cloned();
            let Some(value) = value else { continue };
            // A second name for the same value is one for the same member.
            if let known @ V::Ref(_) = self.member_of(class, Some(&value), Span::default()) {
                self.bind_in(scope, field, known);
                continue;
            }
            let mut attributes = Names::new();
            attributes.insert("name".into(), V::text(field.as_str()));
            attributes.insert("_name_".into(), V::text(field.as_str()));
            attributes.insert("_value_".into(), value.clone());
            attributes.insert("value".into(), value);
            let member = Obj::Instance(Instance { class: Some(class), attributes });
            let member = V::Ref(self.heap.add(member));
            self.bind_in(scope, field, member);
        }
    }

    /// The members of an enumeration.
    pub(super) fn members(&self, class: Id) -> Option<Vec<Datum>> {
        let Obj::Class(object) = self.heap.get(class) else { return None };
        if object.kind != ClassKind::Enum {
            return None;
        }
        let names = self.names(object.scope)?;
        let mut members: Vec<Datum> = Vec::new();
        for field in object.fields.iter() {
            if let Some(member @ V::Ref(id)) = names.get(field)
                && !members.iter().any(|known| matches!(known.value, V::Ref(other) if other == *id))
            {
                members.push(Datum::new(member.clone(), Span::default()));
            }
        }
        Some(members)
    }

    pub(super) fn member_of(&self, class: Id, value: Option<&V>, span: Span) -> V {
        let unknown = || super::ops::unknown(&value.into_iter().collect::<Vec<_>>(), span);
        let Some(value) = value else { return unknown() };
        for member in self.members(class).unwrap_or_default() {
            let V::Ref(id) = &member.value else { continue };
            let Obj::Instance(instance) = self.heap.get(*id) else { continue };
            let equal = instance.attributes.get("value").map(|own| self.equal(own, value, 0));
            match equal {
                Some(Some(true)) => return member.value,
                Some(Some(false)) => {}
                _ => return unknown(),
            }
        }
        unknown()
    }

    /// `Enumeration["NAME"]`.
    pub(super) fn member_named(&self, class: Id, name: &V, span: Span) -> V {
        let member = match (self.heap.get(class), name) {
            (Obj::Class(object), V::Str(name)) if object.kind == ClassKind::Enum => {
                self.names(object.scope).and_then(|names| names.get(&**name)).cloned()
            }
            _ => None,
        };
        member.unwrap_or_else(|| super::ops::unknown(&[name], span))
    }

    /// The values of a named tuple.
    pub(super) fn record(&self, instance: &Instance) -> Option<Vec<Datum>> {
        let Obj::Class(class) = self.heap.get(instance.class?) else { return None };
        if class.kind != ClassKind::Record {
            return None;
        }
        let values = class.fields.iter().map(|field| instance.attributes.get(field).cloned());
        values.map(|value| Some(Datum::new(value?, Span::default()))).collect()
    }
}
