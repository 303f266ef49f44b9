//! Methods of lists, and sorting.
//!
//! **Invariant:** a change that is not understood leaves the list unknown, never as it was.

use std::cmp::Ordering;

use super::containers::{clamp, count_of, index, positions};
use super::expr::MOST_ITEMS;
use super::interpreter::{Interpreter, Res};
use super::object::{Args, Obj};
use super::ops::unknown;
use super::value::{Datum, Id, Span, V, Why};

impl Interpreter<'_> {
    pub(super) fn list_method(&mut self, id: Id, name: &str, args: &Args, span: Span) -> Res<V> {
        let Obj::List(items) = self.heap.get(id) else { return Ok(unknown(&[], span)) };
        let len = items.len();
        let lost = |this: &mut Self, why: Why| Ok(this.lost(id, why));
        if let Some(why) = args.uncertain() {
            return lost(self, why.clone());
        }
        let first = args.positional.first().cloned();
        match (name, first) {
            ("append", Some(item)) if len < MOST_ITEMS => {
                self.change_list(id, |items| items.push(item));
            }
            ("insert", Some(Datum { value: V::Int(at), .. })) if len < MOST_ITEMS => {
                let Some(item) = args.positional.get(1).cloned() else {
                    return lost(self, Why::at(span));
                };
                let at = clamp(at, len);
                self.change_list(id, |items| items.insert(at, item));
            }
            ("extend", Some(more)) => match self.iterate_any(&more.value, span) {
                Ok((more, true)) if len + more.len() <= MOST_ITEMS => {
                    let all = items_and(self.heap.get(id), more);
                    *self.heap.change(id) = Obj::Bag(all);
                }
                Ok((more, false)) if len + more.len() <= MOST_ITEMS => {
                    self.change_list(id, |items| items.extend(more));
                }
                Ok(_) => return lost(self, Why::at(span)),
                Err(why) => return lost(self, why),
            },
            ("pop", at) => {
                let at = at.map_or(V::Int(-1), |at| at.value);
                let Some(at) = index(&at, len) else { return lost(self, Why::at(span)) };
                let mut popped = V::None;
                self.change_list(id, |items| popped = items.remove(at).value);
                return Ok(popped);
            }
            ("remove", Some(item)) => {
                let items = items.clone();
                for (at, other) in items.iter().enumerate() {
                    match self.equal(&other.value, &item.value, 0) {
                        Some(true) => {
                            self.change_list(id, |items| _ = items.remove(at));
                            return Ok(V::None);
                        }
                        Some(false) => {}
                        None => return lost(self, Why::at(span)),
                    }
                }
                return self.raise("ValueError", Why::at(span));
            }
            ("index", Some(item)) if args.positional.len() == 1 => {
                return Ok(self.position(&items.clone(), &item.value, span));
            }
            ("count", Some(item)) => {
                let equal = items.iter().map(|other| self.equal(&other.value, &item.value, 0));
                let equal: Option<Vec<bool>> = equal.collect();
                let count = equal.map(|equal| equal.into_iter().filter(|equal| *equal).count());
                return Ok(count.map_or_else(|| unknown(&[], span), count_of));
            }
            ("copy", None) => {
                let copy = Obj::List(items.clone());
                return Ok(V::Ref(self.heap.add(copy)));
            }
            ("clear", None) => self.change_list(id, Vec::clear),
            ("reverse", None) => self.change_list(id, |items| items.reverse()),
            ("sort", None) => {
                let items = items.clone();
                match self.sorted(items, false, args, span)? {
                    Ok(sorted) => self.change_list(id, |items| *items = sorted),
                    Err(why) => return lost(self, why),
                }
            }
            _ => return lost(self, Why::at(span)),
        }
        Ok(V::None)
    }

    /// Methods of a list whose order is by chance.
    pub(super) fn bag_method(&mut self, id: Id, name: &str, args: &Args, span: Span) -> Res<V> {
        let Obj::Bag(items) = self.heap.get(id) else { return Ok(unknown(&[], span)) };
        let mut items = items.clone();
        match (name, args.positional.as_slice(), args.uncertain()) {
            ("append", [item], None) if items.len() < MOST_ITEMS => items.push(item.clone()),
            ("extend", [more], None) => match self.iterate_any(&more.value, span) {
                Ok((more, _)) if items.len() + more.len() <= MOST_ITEMS => items.extend(more),
                _ => return Ok(self.lost(id, Why::at(span))),
            },
            ("copy", [], None) => return Ok(self.new_list(items, true)),
            ("sort", [], None) => {
                *self.heap.change(id) = match self.sorted(items, true, args, span)? {
                    Ok(items) => Obj::List(items),
                    Err(why) => Obj::Lost(why),
                };
                return Ok(V::None);
            }
            _ => return Ok(self.lost(id, Why::at(span))),
        }
        *self.heap.change(id) = Obj::Bag(items);
        Ok(V::None)
    }

    pub(super) fn lost(&mut self, id: Id, why: Why) -> V {
        self.heap.lose(id, why.clone());
        V::Unknown(why)
    }

    /// `list[lower:upper] = value`.
    pub(super) fn set_slice(&mut self, object: &V, bounds: &[V; 3], value: &V, span: Span) {
        let V::Ref(id) = object else { return self.heap.lose_escaped() };
        let Obj::List(items) = self.heap.get(*id) else { return self.heap.lose_escaped() };
        let at = positions(bounds, items.len());
        let lower = match &bounds[0] {
            V::Int(at) => clamp(*at, items.len()),
            _ => 0,
        };
        match (self.iterate(value, span), at) {
            (Ok(new), Some(at)) if bounds[2].is_none() => self.change_list(*id, |items| {
                items.splice(lower..lower + at.len(), new);
                items.truncate(MOST_ITEMS);
            }),
            (Err(why), _) => _ = self.lost(*id, why),
            _ => _ = self.lost(*id, Why::at(span)),
        }
    }

    fn change_list(&mut self, id: Id, change: impl FnOnce(&mut Vec<Datum>)) {
        if let Obj::List(items) = self.heap.change(id) {
            change(items);
        }
    }

    fn position(&self, items: &[Datum], value: &V, span: Span) -> V {
        for (at, item) in items.iter().enumerate() {
            match self.equal(&item.value, value, 0) {
                Some(true) => return count_of(at),
                Some(false) => {}
                None => break,
            }
        }
        unknown(&[value], span)
    }

    pub(super) fn tuple_method(&self, items: &[Datum], name: &str, args: &Args, span: Span) -> V {
        match (name, args.positional.as_slice()) {
            ("index", [value]) => self.position(items, &value.value, span),
            ("count", [value]) => {
                let equal = items.iter().map(|item| self.equal(&item.value, &value.value, 0));
                let equal: Option<Vec<bool>> = equal.collect();
                let count = equal.map(|equal| equal.into_iter().filter(|equal| *equal).count());
                count.map_or_else(|| unknown(&[], span), count_of)
            }
            _ => unknown(&[], span),
        }
    }

    /// Items in order, or why they cannot be sorted.
    pub(super) fn sorted(
        &mut self,
        items: Vec<Datum>,
        unordered: bool,
        args: &Args,
        span: Span,
    ) -> Res<Result<Vec<Datum>, Why>> {
        let mut keyed = Vec::with_capacity(items.len());
        for item in items {
            let key = match args.keyword("key") {
                None | Some(V::None) => item.value.clone(),
                Some(function) => {
                    let function = function.clone();
                    let mut args = Args::default();
                    args.positional.push(item.clone());
                    self.call(&function, args, span)?
                }
            };
            keyed.push((key, item));
        }
        let reverse = args.keyword("reverse").cloned().unwrap_or(V::None);
        let reverse = match self.truth(&reverse, span) {
            Ok(reverse) if self.spend(keyed.len()) => reverse,
            Ok(_) => return Ok(Err(Why::at(span))),
            Err(why) => return Ok(Err(why)),
        };
        Ok(self
            .merge_sort(keyed, reverse, unordered, span)
            .map(|keyed| keyed.into_iter().map(|(_, item)| item).collect()))
    }

    /// Stable, and content with keys that cannot all be compared.
    fn merge_sort(
        &self,
        mut items: Vec<(V, Datum)>,
        reverse: bool,
        unordered: bool,
        span: Span,
    ) -> Result<Vec<(V, Datum)>, Why> {
        if items.len() < 2 {
            return Ok(items);
        }
        let right = items.split_off(items.len() / 2);
        let mut left = self.merge_sort(items, reverse, unordered, span)?.into_iter().peekable();
        let mut right = self.merge_sort(right, reverse, unordered, span)?.into_iter().peekable();
        let mut sorted = Vec::with_capacity(left.len() + right.len());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let order = self
                .order(&a.0, &b.0, 0)
                .ok_or_else(|| a.0.why().or(b.0.why()).cloned().unwrap_or_else(|| Why::at(span)))?;
            // Which comes first is by chance.
            if order == Ordering::Equal && unordered {
                return Err(Why::at(span));
            }
            let order = if reverse { order.reverse() } else { order };
            let next = if order == Ordering::Greater { right.next() } else { left.next() };
            sorted.extend(next);
        }
        sorted.extend(left);
        sorted.extend(right);
        Ok(sorted)
    }
}

fn items_and(object: &Obj<'_>, more: Vec<Datum>) -> Vec<Datum> {
    let mut items = match object {
        Obj::List(items) | Obj::Bag(items) => items.clone(),
        _ => Vec::new(),
    };
    items.extend(more);
    items
}
