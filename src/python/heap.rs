//! The objects that values refer to, and a journal of their changes.
//!
//! **Invariant:** whatever changes after a mark can be taken back and applied again, so that both
//! ways of a condition that is not known start from the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::object::Obj;
use super::value::{Id, V, Why};

#[derive(Debug)]
struct Slot<'a> {
    object: Rc<Obj<'a>>,
    /// The mark since which it may change without a note.
    since: usize,
}

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Heap<'a> {
    slots: Vec<Slot<'a>>,
    journal: Vec<(Id, Rc<Obj<'a>>, usize)>,
    marks: usize,
    current: usize,
    /// Objects that may be the same as others, and why that is not known.
    aliases: BTreeMap<Id, Vec<(Id, Why)>>,
    /// Objects that a value which is not known may be.
    escaped: Vec<(Id, Why)>,
}

/// How deep containers are looked into.
const DEEPEST: usize = 8;

/// A state to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    journal: usize,
    before: usize,
}

/// What changed since a mark: objects as they were then became.
pub(super) type Changes<'a> = BTreeMap<Id, Rc<Obj<'a>>>;

impl<'a> Heap<'a> {
    pub(super) fn add(&mut self, object: Obj<'a>) -> Id {
        self.slots.push(Slot { object: Rc::new(object), since: self.current });
        Id(self.slots.len() - 1)
    }

    pub(super) fn get(&self, id: Id) -> &Obj<'a> {
        &self.slots[id.0].object
    }

    pub(super) fn share(&self, id: Id) -> Rc<Obj<'a>> {
        Rc::clone(&self.slots[id.0].object)
    }

    pub(super) fn change(&mut self, id: Id) -> &mut Obj<'a> {
        self.note(id);
        if !self.aliases.is_empty() {
            self.blur_aliases(id);
        }
        Rc::make_mut(&mut self.slots[id.0].object)
    }

    /// Remembers objects of which one may be another.
    pub(super) fn alias(&mut self, ids: &[Id], why: &Why) {
        for id in ids {
            let others = ids.iter().filter(|other| *other != id);
            let others = others.map(|other| (*other, why.clone()));
            self.aliases.entry(*id).or_default().extend(others);
        }
    }

    /// What may be the same object as one that changes may change as well.
    fn blur_aliases(&mut self, id: Id) {
        let mut seen = BTreeSet::from([id]);
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            for (other, why) in self.aliases.get(&id).cloned().unwrap_or_default() {
                if seen.insert(other) {
                    self.lose_one(other, why);
                    left.push(other);
                }
            }
        }
    }

    fn lose_one(&mut self, id: Id, why: Why) {
        self.note(id);
        match Rc::make_mut(&mut self.slots[id.0].object) {
            Obj::Storage(storage) => {
                for (_, datum) in &mut storage.arguments {
                    datum.value = V::Unknown(why.clone());
                }
                storage.rest = Some(why);
            }
            // A flow that went into another is not listed itself.
            Obj::Flow(_) => {}
            object => *object = Obj::Lost(why),
        }
    }

    /// A value becomes unknown: whatever is done to that may be done to this object.
    pub(super) fn escape(&mut self, value: &V, why: &Why) {
        self.escape_below(value, why, 0);
    }

    fn escape_below(&mut self, value: &V, why: &Why, depth: usize) {
        match value {
            V::Ref(id) if depth < DEEPEST && !self.escaped.iter().any(|(other, _)| other == id) => {
                let object = self.share(*id);
                if matches!(*object, Obj::Function(_) | Obj::Class(_) | Obj::Module(_)) {
                    return;
                }
                self.escaped.push((*id, why.clone()));
                self.escape_values(&object, why, depth);
            }
            V::Tuple(items) if depth < DEEPEST => {
                for item in items.iter() {
                    self.escape_below(&item.value, why, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// What is in an object becomes unknown.
    pub(super) fn escape_content(&mut self, object: &Obj<'a>, why: &Why) {
        self.escape_values(object, why, 0);
    }

    fn escape_values(&mut self, object: &Obj<'a>, why: &Why, depth: usize) {
        match object {
            Obj::List(items) | Obj::Bag(items) | Obj::Iter(items) => {
                for item in items {
                    self.escape_below(&item.value, why, depth + 1);
                }
            }
            Obj::Dict(dict) => {
                for (_, item) in dict.iter() {
                    self.escape_below(&item.value, why, depth + 1);
                }
            }
            Obj::Instance(instance) => {
                for value in instance.attributes.values() {
                    self.escape_below(value, why, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// Something that is not known is changed, and with it all that it may be.
    pub(super) fn lose_escaped(&mut self) {
        for (id, why) in self.escaped.clone() {
            self.lose_one(id, why);
            self.blur_aliases(id);
        }
    }

    /// An object changes in a way that is not known.
    pub(super) fn lose(&mut self, id: Id, why: Why) {
        let object = self.share(id);
        self.escape_content(&object, &why);
        self.note(id);
        self.blur_aliases(id);
        self.slots[id.0].object = Rc::new(Obj::Lost(why));
    }

    /// The object that is added next.
    pub(super) fn next(&self) -> Id {
        Id(self.slots.len())
    }

    pub(super) fn set(&mut self, id: Id, object: Rc<Obj<'a>>) {
        self.note(id);
        self.slots[id.0].object = object;
    }

    fn note(&mut self, id: Id) {
        let slot = &mut self.slots[id.0];
        if slot.since < self.current {
            self.journal.push((id, Rc::clone(&slot.object), slot.since));
            slot.since = self.current;
        }
    }

    pub(super) fn mark(&mut self) -> Mark {
        let mark = Mark { journal: self.journal.len(), before: self.current };
        self.marks += 1;
        self.current = self.marks;
        mark
    }

    /// Closes a mark; what changed stays.
    pub(super) fn keep(&mut self, mark: Mark) {
        self.current = mark.before;
    }

    /// The innermost open mark.
    pub(super) fn level(&self) -> usize {
        self.current
    }

    /// Closes all marks that were opened since a level.
    pub(super) fn return_to(&mut self, level: usize) {
        self.current = level;
        if level == 0 {
            self.journal.clear();
        }
    }

    /// Closes a mark and takes back what changed.
    pub(super) fn take_back(&mut self, mark: Mark) -> Changes<'a> {
        let mut changes = Changes::new();
        for (id, object, since) in self.journal.drain(mark.journal..).rev() {
            let slot = &mut self.slots[id.0];
            let new = std::mem::replace(&mut slot.object, object);
            slot.since = since;
            changes.entry(id).or_insert(new);
        }
        self.current = mark.before;
        changes
    }

    /// Objects that changed since a mark.
    pub(super) fn changed(&self, mark: Mark) -> BTreeSet<Id> {
        self.journal[mark.journal..].iter().map(|(id, ..)| *id).collect()
    }

    /// An object as it was at a mark.
    pub(super) fn at(&self, mark: Mark, id: Id) -> Rc<Obj<'a>> {
        let noted = self.journal[mark.journal..].iter().find(|(other, ..)| *other == id);
        noted.map_or_else(|| self.share(id), |(_, object, _)| Rc::clone(object))
    }

    /// What changed from one mark to a later one.
    pub(super) fn between(&self, first: Mark, second: Mark) -> Changes<'a> {
        let ids = self.journal[first.journal..second.journal].iter().map(|(id, ..)| *id);
        ids.map(|id| (id, self.at(second, id))).collect()
    }

    pub(super) fn apply(&mut self, changes: &Changes<'a>) {
        for (id, object) in changes {
            self.set(*id, Rc::clone(object));
        }
    }
}
