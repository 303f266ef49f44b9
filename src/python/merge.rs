//! Both ways of a condition that is not known, brought together.
//!
//! **Invariant:** what is the same on both ways stays known; of the rest, the condition is the
//! reason.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::heap::{Changes, Mark};
use super::interpreter::Interpreter;
use super::object::{FlowObj, Names, Obj, StorageObj};
use super::value::{Datum, Dict, Id, Key, V, Why};

/// How deep containers are merged.
const DEEPEST: usize = 12;

impl<'a> Interpreter<'a> {
    /// Merges what another way has changed since a mark into the current state.
    pub(super) fn merge(&mut self, mark: Mark, other: &Changes<'a>, why: &Why) {
        let mut ids: BTreeSet<Id> = self.heap.changed(mark);
        ids.extend(other.keys());
        let outer = self.merging.replace((mark, other.clone()));
        let mut merged = Vec::with_capacity(ids.len());
        for id in ids {
            let (ours, theirs) = (self.of_other_way(id), self.heap.share(id));
            merged.push((id, self.merge_objects(&ours, &theirs, why)));
        }
        self.merging = outer;
        for (id, object) in merged {
            self.heap.set(id, Rc::new(object));
        }
    }

    /// An object as the way that is merged into the current state has it.
    fn of_other_way(&self, id: Id) -> Rc<Obj<'a>> {
        match &self.merging {
            Some((mark, other)) => match other.get(&id) {
                Some(object) => Rc::clone(object),
                None => self.heap.at(*mark, id),
            },
            None => self.heap.share(id),
        }
    }

    fn merge_objects(&mut self, a: &Obj<'a>, b: &Obj<'a>, why: &Why) -> Obj<'a> {
        match (a, b) {
            (Obj::Scope(a), Obj::Scope(b)) => {
                let mut merged = self.merge_names(a, b, why);
                // Where it is not bound here, it may be in a class above or be a built-in.
                let is_class = a.contains_key("__qualname__");
                for (name, value) in &mut merged {
                    let on_both = a.contains_key(name) && b.contains_key(name);
                    if !on_both && (is_class || super::names::is_builtin(name)) {
                        *value = V::Unknown(why.clone());
                    }
                }
                Obj::Scope(merged)
            }
            (Obj::List(a), Obj::List(b)) if a.len() == b.len() => {
                Obj::List(self.merge_lists(a, b, why, 0))
            }
            (Obj::Dict(a), Obj::Dict(b)) => Obj::Dict(self.merge_dicts(a, b, why, 0)),
            (Obj::Instance(a), Obj::Instance(b)) => {
                let mut merged = b.clone();
                merged.attributes = self.merge_names(&a.attributes, &b.attributes, why);
                // Where an attribute is missing, the class may have another value for it.
                for (name, value) in &mut merged.attributes {
                    if !a.attributes.contains_key(name) || !b.attributes.contains_key(name) {
                        *value = V::Unknown(why.clone());
                    }
                }
                Obj::Instance(merged)
            }
            (Obj::Flow(a), Obj::Flow(b)) => Obj::Flow(self.merge_flows(a, b, why)),
            (Obj::Storage(a), Obj::Storage(b)) => Obj::Storage(self.merge_storages(a, b, why)),
            (Obj::Function(_), Obj::Function(_))
            | (Obj::Class(_), Obj::Class(_))
            | (Obj::Module(_), Obj::Module(_)) => b.clone(),
            _ => {
                self.heap.escape_content(a, why);
                self.heap.escape_content(b, why);
                Obj::Lost(why.clone())
            }
        }
    }

    /// A name that is bound on one way only has that value wherever using it is no error.
    fn merge_names(&mut self, a: &Names, b: &Names, why: &Why) -> Names {
        let mut merged = b.clone();
        for (name, ours) in a {
            let value = match b.get(name) {
                Some(theirs) => self.merge_values(ours, theirs, why),
                None => ours.clone(),
            };
            merged.insert(name.clone(), value);
        }
        merged
    }

    fn merge_lists(&mut self, a: &[Datum], b: &[Datum], why: &Why, depth: usize) -> Vec<Datum> {
        let pairs = a.iter().zip(b);
        pairs
            .map(|(a, b)| Datum::new(self.merge_below(&a.value, &b.value, why, depth + 1), b.at))
            .collect()
    }

    fn merge_dicts(&mut self, a: &Dict, b: &Dict, why: &Why, depth: usize) -> Dict {
        let mut merged = b.clone();
        for (key, theirs) in b.iter() {
            let ours = Key::of(key).as_ref().and_then(|key| a.get(key));
            let value = if let Some(ours) = ours {
                self.merge_below(&ours.value, &theirs.value, why, depth + 1)
            } else {
                self.heap.escape(&theirs.value, why);
                V::Unknown(why.clone())
            };
            let doubt = match Key::of(key) {
                Some(key) if a.get(&key).is_some() => a.doubts(&key).or(b.doubts(&key)).cloned(),
                _ => Some(why.clone()),
            };
            merged.insert(key.clone(), Datum::new(value, theirs.at));
            if let Some(why) = doubt {
                merged.doubt(key, &why);
            }
        }
        for (key, ours) in a.iter() {
            if Key::of(key).as_ref().is_none_or(|key| b.get(key).is_none()) {
                self.heap.escape(&ours.value, why);
                merged.insert(key.clone(), Datum::new(V::Unknown(why.clone()), ours.at));
                merged.doubt(key, why);
            }
        }
        merged.rest = a.rest.clone().or(merged.rest);
        merged
    }

    fn merge_flows(&mut self, a: &FlowObj, b: &FlowObj, why: &Why) -> FlowObj {
        let mut merged = a.clone();
        merged.name = self.merge_values(&a.name, &b.name, why);
        merged.storage = self.merge_values(&a.storage, &b.storage, why);
        merged.used = a.used || b.used;
        merged.attributes = self.merge_names(&a.attributes, &b.attributes, why);
        merged
    }

    fn merge_storages(&mut self, a: &StorageObj, b: &StorageObj, why: &Why) -> StorageObj {
        let mut merged = a.clone();
        merged.variable = a.variable.clone().or_else(|| b.variable.clone());
        merged.rest = a.rest.clone().or_else(|| b.rest.clone());
        merged.attributes = self.merge_names(&a.attributes, &b.attributes, why);
        for (key, datum) in &mut merged.arguments {
            let theirs = b.arguments.iter().find(|(other, _)| other == key);
            datum.value = match theirs {
                Some((_, theirs)) => self.merge_values(&datum.value, &theirs.value, why),
                None => V::Unknown(why.clone()),
            };
        }
        for (key, datum) in &b.arguments {
            if !a.arguments.iter().any(|(other, _)| other == key) {
                let datum = Datum::new(V::Unknown(why.clone()), datum.at);
                merged.arguments.push((key.clone(), datum));
            }
        }
        merged
    }

    /// A value that is either of two.
    pub(super) fn merge_values(&mut self, a: &V, b: &V, why: &Why) -> V {
        self.merge_below(a, b, why, 0)
    }

    fn merge_below(&mut self, a: &V, b: &V, why: &Why, depth: usize) -> V {
        if same(a, b) {
            return b.clone();
        }
        match (a, b) {
            (V::Ref(x), V::Ref(y))
                if depth < DEEPEST
                    && self.spend(1)
                    && !(self.can_be_called(a) && self.can_be_called(b)) =>
            {
                let (a, b) = (x, y);
                self.merge_references(*a, *b, why, depth)
            }
            // Whoever builds an image means the way that has one.
            (V::Ref(id), _) if self.is_storage_or_flow(*id) => a.clone(),
            (_, V::Ref(id)) if self.is_storage_or_flow(*id) => b.clone(),
            (V::Tuple(a), V::Tuple(b)) if a.len() == b.len() && depth < DEEPEST => {
                V::Tuple(self.merge_lists(a, b, why, depth).into())
            }
            (V::Unknown(known), V::Unknown(_)) => V::Unknown(known.clone()),
            _ if self.can_be_called(a) && self.can_be_called(b) => {
                let choice = Obj::Choice(a.clone(), b.clone(), why.clone());
                V::Ref(self.heap.add(choice))
            }
            _ => {
                self.heap.escape(a, why);
                self.heap.escape(b, why);
                V::Unknown(why.clone())
            }
        }
    }

    /// Whether calling a value has effects, or gives a storage or flow.
    fn can_be_called(&self, value: &V) -> bool {
        match value {
            V::Bound(_) => true,
            V::External(path, _) => self.makes(value) || path.starts_with("prefect.storage."),
            V::Ref(id) => matches!(
                self.heap.get(*id),
                Obj::Function(_) | Obj::Class(_) | Obj::Partial(_) | Obj::Choice(..)
            ),
            _ => false,
        }
    }

    fn is_storage_or_flow(&self, id: Id) -> bool {
        matches!(self.heap.get(id), Obj::Storage(_) | Obj::Flow(_))
    }

    fn merge_references(&mut self, a: Id, b: Id, why: &Why, depth: usize) -> V {
        if let Some(merged) = self.merged.get(&(a, b)) {
            return V::Ref(*merged);
        }
        let (ours, theirs) = (self.of_other_way(a), self.heap.share(b));
        let object = match (&*ours, &*theirs) {
            (Obj::Storage(x), Obj::Storage(y)) => Obj::Storage(self.merge_storages(x, y, why)),
            (Obj::Flow(x), Obj::Flow(y)) => Obj::Flow(self.merge_flows(x, y, why)),
            (Obj::Storage(_) | Obj::Flow(_), _) => return V::Ref(a),
            (_, Obj::Storage(_) | Obj::Flow(_)) => return V::Ref(b),
            (Obj::Dict(x), Obj::Dict(y)) => Obj::Dict(self.merge_dicts(x, y, why, depth)),
            (Obj::List(x), Obj::List(y)) if x.len() == y.len() => {
                Obj::List(self.merge_lists(x, y, why, depth))
            }
            _ => {
                self.heap.escape(&V::Ref(a), why);
                self.heap.escape(&V::Ref(b), why);
                return V::Unknown(why.clone());
            }
        };
        let made = matches!(object, Obj::Storage(_) | Obj::Flow(_));
        let id = self.heap.add(object);
        self.merged.insert((a, b), id);
        self.heap.alias(&[a, b, id], why);
        if made {
            for list in [&mut self.flows, &mut self.storages] {
                if let Some(at) = list.iter().position(|other| *other == a) {
                    list.insert(at, id);
                } else if let Some(at) = list.iter().position(|other| *other == b) {
                    list.insert(at, id);
                }
            }
            self.merged_away.extend([a, b]);
        }
        V::Ref(id)
    }
}

/// Whether two values are surely the same.
pub(super) fn same(a: &V, b: &V) -> bool {
    match (a, b) {
        (V::None, V::None) | (V::Ellipsis, V::Ellipsis) => true,
        (V::Bool(a), V::Bool(b)) => a == b,
        (V::Int(a), V::Int(b)) => a == b,
        (V::Float(a), V::Float(b)) => a.to_bits() == b.to_bits(),
        (V::Str(a), V::Str(b))
        | (V::Path(a), V::Path(b))
        | (V::External(a, _), V::External(b, _)) => a == b,
        (V::Bytes(a), V::Bytes(b)) => a == b,
        (V::Ref(a), V::Ref(b)) => a == b,
        (V::Unset(a), V::Unset(b)) | (V::Unknown(a), V::Unknown(b)) => a == b,
        (V::Tuple(a), V::Tuple(b)) => Rc::ptr_eq(a, b),
        (V::Method(a), V::Method(b)) => Rc::ptr_eq(a, b),
        (V::Bound(a), V::Bound(b)) => Rc::ptr_eq(a, b),
        _ => false,
    }
}
