//! Lists, mappings, sets, tuples: iterating, items, slices and methods.
//!
//! **Invariant:** a change that is not understood leaves the container unknown, never as it was.

use std::rc::Rc;

use super::display::set_of;
use super::expr::MOST_ITEMS;
use super::interpreter::{Interpreter, Res};
use super::object::{Args, Obj, OpenFile};
use super::ops::unknown;
use super::paths;
use super::script::Because;
use super::strings;
use super::value::{Datum, Dict, Id, Key, Span, V, Why};

impl Interpreter<'_> {
    /// The items that iterating gives, or why they are not known.
    pub(super) fn iterate(&mut self, value: &V, span: Span) -> Result<Vec<Datum>, Why> {
        let here = |value: V| Datum::new(value, span);
        let items = match value {
            V::Tuple(items) => items.to_vec(),
            V::Str(text) => text.chars().map(|c| here(V::text(c.to_string()))).collect(),
            V::Range(first, end, step) => {
                let len = paths::range_len(*first, *end, *step);
                if usize::try_from(len).map_or(true, |len| len > MOST_ITEMS) {
                    return Err(Why::at(span));
                }
                (0..len).map(|at| here(V::Int(first + at * step))).collect()
            }
            V::Ref(id) => {
                self.force(*id, span);
                self.iterate_object(*id, span)?
            }
            other => return Err(other.why().cloned().unwrap_or_else(|| Why::at(span))),
        };
        if items.len() > MOST_ITEMS || !self.spend(items.len() / 4) {
            return Err(Why::at(span));
        }
        Ok(items)
    }

    /// The items that iterating gives in some order, and whether that order is by chance.
    pub(super) fn iterate_any(&mut self, value: &V, span: Span) -> Result<(Vec<Datum>, bool), Why> {
        if let V::Ref(id) = value {
            self.force(*id, span);
            match self.heap.get(*id) {
                Obj::Bag(items) => return Ok((items.clone(), true)),
                Obj::Set(set) if set.rest.is_none() && set.len() > 1 => {
                    return Ok((set.iter().map(|(_, item)| item.clone()).collect(), true));
                }
                _ => {}
            }
        }
        self.iterate(value, span).map(|items| (items, false))
    }

    /// A list, which remembers if its order is by chance.
    pub(super) fn new_list(&mut self, items: Vec<Datum>, unordered: bool) -> V {
        let bag = unordered && items.len() > 1;
        V::Ref(self.heap.add(if bag { Obj::Bag(items) } else { Obj::List(items) }))
    }

    fn iterate_object(&mut self, id: Id, span: Span) -> Result<Vec<Datum>, Why> {
        match self.heap.get(id) {
            Obj::List(items) => Ok(items.clone()),
            Obj::Dict(dict) | Obj::Set(dict) => {
                if let Some(why) = dict.uncertain() {
                    return Err(why.clone());
                }
                if matches!(self.heap.get(id), Obj::Set(set) if set.len() > 1) {
                    return Err(Why::at(span));
                }
                Ok(dict.iter().map(|(key, datum)| Datum::new(key.clone(), datum.at)).collect())
            }
            Obj::Lost(why) => Err(why.clone()),
            Obj::View(dict, view) => self.view(*dict, *view),
            Obj::Instance(instance) => self.record(instance).ok_or_else(|| Why::at(span)),
            Obj::Class(_) => self.members(id).ok_or_else(|| Why::at(span)),
            Obj::Iter(_) => match self.heap.change(id) {
                Obj::Iter(items) => Ok(std::mem::take(items)),
                _ => Err(Why::at(span)),
            },
            Obj::File(_) => match self.heap.change(id) {
                Obj::File(file) if !file.binary => {
                    let lines = rest_of(file);
                    let lines = strings::lines_with_ends(&lines);
                    Ok(lines.map(|line| Datum::new(V::text(line), span)).collect())
                }
                _ => Err(Why::at(span)),
            },
            _ => Err(Why::at(span)),
        }
    }

    /// `object[key]`.
    pub(super) fn item(&mut self, object: &V, key: &V, span: Span) -> Res<V> {
        let missing = |this: &mut Self, class| match key.why() {
            Some(why) => {
                this.perhaps(class, why);
                Ok(V::Unknown(why.clone()))
            }
            None => this.raise(class, Why::at(span)),
        };
        match object {
            V::Str(text) => {
                let characters: Vec<char> = text.chars().collect();
                match index(key, characters.len()) {
                    Some(at) => Ok(V::text(characters[at].to_string())),
                    None => missing(self, "IndexError"),
                }
            }
            V::Tuple(items) => match index(key, items.len()) {
                Some(at) => Ok(items[at].value.clone()),
                None => missing(self, "IndexError"),
            },
            V::External(path, _) if &**path == "sys.version_info" && matches!(key, V::Int(0)) => {
                Ok(V::Int(3))
            }
            V::External(path, _) if is_annotation(path) => {
                Ok(V::External(Rc::clone(path), Why::at(span)))
            }
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(items) => match index(key, items.len()) {
                    Some(at) => Ok(items[at].value.clone()),
                    None => missing(self, "IndexError"),
                },
                Obj::Dict(dict) => {
                    self.asks(dict, key);
                    if let Some(index) = Key::of(key)
                        && let Some(found) = dict.get(&index)
                    {
                        let value = found.value.clone();
                        if let Some(why) = dict.doubts(&index).cloned() {
                            self.perhaps("KeyError", &why);
                        }
                        return Ok(value);
                    }
                    if let (Some(why), false) = (&dict.rest, dict.environment) {
                        return Ok(V::Unknown(why.clone()));
                    }
                    if dict.environment
                        && let V::Str(name) = key
                    {
                        let because = Because::Variable(name.as_ref().to_owned());
                        let why = Why::because(span, because);
                        return match dict.rest {
                            Some(_) => Ok(V::Unknown(why)),
                            None => self.raise("KeyError", why),
                        };
                    }
                    if let Some(factory) = dict.factory.clone() {
                        let value = self.call(&factory, Args::default(), span)?;
                        self.set_item(object, key.clone(), Datum::new(value.clone(), span));
                        return Ok(value);
                    }
                    missing(self, "KeyError")
                }
                Obj::Lost(why) => {
                    let why = why.clone();
                    self.perhaps("IndexError", &why);
                    self.perhaps("KeyError", &why);
                    Ok(V::Unknown(why))
                }
                Obj::Class(_) => Ok(self.member_named(*id, key, span)),
                Obj::Instance(instance) => {
                    let items = self.record(instance).unwrap_or_default();
                    let found = index(key, items.len()).map(|at| items[at].value.clone());
                    Ok(found.unwrap_or_else(|| unknown(&[key], span)))
                }
                _ => Ok(unknown(&[key], span)),
            },
            // The item of something outside is the expression that is not known.
            V::External(..) => Ok(V::Unknown(Why::at(span))),
            _ => Ok(unknown(&[object, key], span)),
        }
    }

    /// `object[lower:upper:step]`.
    pub(super) fn slice(&mut self, object: &V, bounds: &[V; 3], span: Span) -> V {
        let positions = |len: usize| positions(bounds, len);
        let gives = |value: Option<V>| {
            value.unwrap_or_else(|| unknown(&[&bounds[0], &bounds[1], &bounds[2]], span))
        };
        match object {
            V::Str(text) => {
                let characters: Vec<char> = text.chars().collect();
                let text = positions(characters.len())
                    .map(|at| at.into_iter().map(|at| characters[at]).collect::<String>());
                gives(text.map(V::text))
            }
            V::Tuple(items) => {
                let items = positions(items.len())
                    .map(|at| at.into_iter().map(|at| items[at].clone()).collect::<Vec<_>>());
                gives(items.map(|items| V::Tuple(items.into())))
            }
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(items) => {
                    let items = positions(items.len())
                        .map(|at| at.into_iter().map(|at| items[at].clone()).collect::<Vec<_>>());
                    gives(items.map(|items| V::Ref(self.heap.add(Obj::List(items)))))
                }
                Obj::Lost(why) => V::Unknown(why.clone()),
                _ => unknown(&[], span),
            },
            V::External(..) => V::Unknown(Why::at(span)),
            _ => unknown(&[object], span),
        }
    }

    pub(super) fn set_method(&mut self, id: Id, name: &str, args: &Args, span: Span) -> V {
        let Obj::Set(set) = self.heap.get(id) else { return unknown(&[], span) };
        let mut set = set.clone();
        let first = args.positional.first().cloned();
        let mut changes = true;
        let mut result = V::None;
        match (name, first) {
            ("add", Some(item)) => set.insert(item.value.clone(), item),
            ("discard" | "remove", Some(item)) => match Key::of(&item.value) {
                Some(key) => _ = set.remove(&key),
                None => set.blur(&Why::at(span)),
            },
            ("update" | "union", _) => {
                for more in &args.positional {
                    match self.iterate_any(&more.value, span) {
                        Ok((items, _)) => {
                            for item in items {
                                set.insert(item.value.clone(), item);
                            }
                        }
                        Err(why) => set.blur(&why),
                    }
                }
                changes = name == "update";
            }
            ("copy", None) => changes = false,
            ("clear", None) => set.clear(),
            _ => {
                self.heap.lose(id, Why::at(span));
                return unknown(&[], span);
            }
        }
        if changes {
            *self.heap.change(id) = Obj::Set(set);
        } else {
            result = V::Ref(self.heap.add(Obj::Set(set)));
        }
        result
    }

    /// A set made of what iterating gives.
    pub(super) fn set_from(&mut self, items: Vec<Datum>) -> V {
        V::Ref(self.heap.add(Obj::Set(set_of(items))))
    }

    /// A mapping made of pairs.
    pub(super) fn pairs(&mut self, items: &[Datum], dict: &mut Dict, span: Span) {
        for item in items {
            match self.iterate(&item.value, span).as_deref() {
                Ok([key, value]) => {
                    dict.insert(key.value.clone(), Datum::new(value.value.clone(), key.at));
                }
                Ok(_) => dict.blur(&Why::at(span)),
                Err(why) => dict.blur(why),
            }
        }
    }
}

/// What is left to read of a file, which is then at its end.
pub(super) fn rest_of(file: &mut OpenFile) -> Rc<str> {
    let rest = file.text.get(file.position..).unwrap_or_default().into();
    file.position = file.text.len();
    rest
}

pub(super) fn count_of(count: usize) -> V {
    V::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The position that an index means.
pub(super) fn index(key: &V, len: usize) -> Option<usize> {
    let (V::Int(_) | V::Bool(_)) = key else { return None };
    let at = match key {
        V::Int(at) => *at,
        _ => i64::from(matches!(key, V::Bool(true))),
    };
    let at = if at < 0 { at.checked_add(i64::try_from(len).ok()?)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < len)
}

/// A bound of a slice.
pub(super) fn clamp(at: i64, len: usize) -> usize {
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let at = if at < 0 { at.saturating_add(signed) } else { at };
    usize::try_from(at.clamp(0, signed)).unwrap_or(len)
}

pub(super) fn positions(bounds: &[V; 3], len: usize) -> Option<Vec<usize>> {
    let bound = |value: &V| match value {
        V::None => Some(None),
        V::Int(at) => Some(Some(*at)),
        _ => None,
    };
    let step = bound(&bounds[2])?.unwrap_or(1);
    let (lower, upper) = (bound(&bounds[0])?, bound(&bounds[1])?);
    if step > 0 {
        let lower = lower.map_or(0, |at| clamp(at, len));
        let upper = upper.map_or(len, |at| clamp(at, len));
        return Some((lower..upper).step_by(usize::try_from(step).ok()?).collect());
    }
    let signed = i64::try_from(len).ok()?;
    let back =
        |at: i64| (if at < 0 { at.saturating_add(signed) } else { at }).clamp(-1, signed - 1);
    let mut at = lower.map_or(signed - 1, back);
    let end = upper.map_or(-1, back);
    let mut found = Vec::new();
    while step < 0 && at > end {
        found.push(usize::try_from(at).ok()?);
        at = at.saturating_add(step);
    }
    (step < 0).then_some(found)
}

/// Whether `path[…]` is the same as `path` for what is asked here.
fn is_annotation(path: &str) -> bool {
    path.starts_with("typing.") || path.starts_with("builtins.") || path.starts_with("collections.")
}
