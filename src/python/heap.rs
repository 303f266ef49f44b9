//! The objects that values refer to, and a journal of their changes.
//!
//! **Invariant:** whatever changes after a mark can be taken back and applied again, so that both
//! ways of a condition that is not known start from the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::object::Obj;
use super::value::Id;

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
}

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
        Rc::make_mut(&mut self.slots[id.0].object)
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
