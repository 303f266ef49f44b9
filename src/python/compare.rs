//! Comparisons.
//!
//! **Invariant:** a comparison that depends on something unknown is unknown.

use std::cmp::Ordering;

use ruff_python_ast::{CmpOp, ExprCompare};
use ruff_text_size::Ranged;

use super::interpreter::{Interpreter, Res};
use super::object::{ClassKind, Obj, View};
use super::ops::{float, integer};
use super::value::{Datum, Dict, Key, Span, V, Why};

/// How deep values are compared.
const DEEPEST: usize = 30;

impl<'a> Interpreter<'a> {
    pub(super) fn compare(&mut self, compare: &'a ExprCompare) -> Res<V> {
        let span = self.span(compare.range());
        let mut left = self.eval(&compare.left)?;
        let mut result = V::Bool(true);
        for (op, right) in compare.ops.iter().zip(&compare.comparators) {
            let right = self.eval(right)?;
            result = match self.comparison(&left, *op, &right, span) {
                Ok(truth) => V::Bool(truth),
                Err(why) => V::Unknown(why),
            };
            if !matches!(result, V::Bool(true)) {
                break;
            }
            left = right;
        }
        Ok(result)
    }

    fn comparison(&self, a: &V, op: CmpOp, b: &V, span: Span) -> Result<bool, Why> {
        let reason = || {
            let inner =
                a.why().or(b.why()).or_else(|| self.doubt_of(a)).or_else(|| self.doubt_of(b));
            inner.cloned().unwrap_or_else(|| Why::at(span))
        };
        match op {
            CmpOp::Eq => self.equal(a, b, 0).ok_or_else(reason),
            CmpOp::NotEq => self.equal(a, b, 0).map(|equal| !equal).ok_or_else(reason),
            CmpOp::Is => self.identical(a, b).ok_or_else(reason),
            CmpOp::IsNot => self.identical(a, b).map(|same| !same).ok_or_else(reason),
            CmpOp::In => self.contains(b, a).ok_or_else(reason),
            CmpOp::NotIn => self.contains(b, a).map(|contains| !contains).ok_or_else(reason),
            CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE => {
                if let Some(truth) = version_comparison(a, op, b) {
                    return Ok(truth);
                }
                let order = self.order(a, b, 0).ok_or_else(reason)?;
                Ok(match op {
                    CmpOp::Lt => order == Ordering::Less,
                    CmpOp::LtE => order != Ordering::Greater,
                    CmpOp::Gt => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                })
            }
        }
    }

    /// Why something about a container is not known.
    fn doubt_of(&self, value: &V) -> Option<&Why> {
        match value {
            V::Ref(id) => match self.heap.get(*id) {
                Obj::Dict(dict) | Obj::Set(dict) => dict.uncertain(),
                Obj::Lost(why) => Some(why),
                _ => None,
            },
            _ => None,
        }
    }

    fn identical(&self, a: &V, b: &V) -> Option<bool> {
        match (a, b) {
            (V::Unknown(_) | V::External(..), _) | (_, V::Unknown(_) | V::External(..)) => None,
            (V::Ref(a), V::Ref(b)) => Some(a == b),
            _ if a.is_none() || b.is_none() => Some(a.is_none() && b.is_none()),
            (V::Bool(a), V::Bool(b)) => Some(a == b),
            (V::Bool(_), _) | (_, V::Bool(_)) => Some(false),
            _ => self.equal(a, b, 0).filter(|equal| !equal),
        }
    }

    /// Whether two values are equal; none if that is not known.
    pub(super) fn equal(&self, a: &V, b: &V, depth: usize) -> Option<bool> {
        if depth > DEEPEST {
            return None;
        }
        match (a, b) {
            (V::Unknown(_) | V::External(..), _) | (_, V::Unknown(_) | V::External(..)) => None,
            (V::Ref(a), V::Ref(b)) if a == b => Some(true),
            (V::Ref(x), V::Ref(y)) => match (self.heap.get(*x), self.heap.get(*y)) {
                (Obj::List(x), Obj::List(y)) => self.all_equal(x, y, depth),
                (Obj::Dict(x), Obj::Dict(y)) | (Obj::Set(x), Obj::Set(y)) => {
                    self.equal_dicts(x, y, depth)
                }
                (Obj::Instance(x), Obj::Instance(_)) => {
                    let class = x.class?;
                    self.is_kind(class, ClassKind::Enum).then_some(false)
                }
                _ => None,
            },
            (V::Ref(id), _) | (_, V::Ref(id)) => match self.heap.get(*id) {
                Obj::List(_) | Obj::Dict(_) | Obj::Set(_) | Obj::Flow(_) | Obj::Storage(_) => {
                    Some(false)
                }
                _ => None,
            },
            (V::Tuple(a), V::Tuple(b)) => self.all_equal(a, b, depth),
            _ if a.is_none() || b.is_none() => Some(a.is_none() && b.is_none()),
            _ => Some(Key::of(a)? == Key::of(b)?),
        }
    }

    fn all_equal(&self, a: &[Datum], b: &[Datum], depth: usize) -> Option<bool> {
        if a.len() != b.len() {
            return Some(false);
        }
        for (a, b) in a.iter().zip(b) {
            if !self.equal(&a.value, &b.value, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn equal_dicts(&self, a: &Dict, b: &Dict, depth: usize) -> Option<bool> {
        if a.uncertain().is_some() || b.uncertain().is_some() {
            return None;
        }
        if a.len() != b.len() {
            return Some(false);
        }
        for (key, ours) in a.iter() {
            let Some(theirs) = b.get(&Key::of(key)?) else { return Some(false) };
            if !self.equal(&ours.value, &theirs.value, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// How two values compare; none if they cannot be, or that is not known.
    pub(super) fn order(&self, a: &V, b: &V, depth: usize) -> Option<Ordering> {
        match (a, b) {
            (V::Str(a), V::Str(b)) | (V::Path(a), V::Path(b)) => Some(a.cmp(b)),
            (V::Bytes(a), V::Bytes(b)) => Some(a.cmp(b)),
            (V::Tuple(a), V::Tuple(b)) => self.order_items(a, b, depth),
            (V::Ref(x), V::Ref(y)) => match (self.heap.get(*x), self.heap.get(*y)) {
                (Obj::List(x), Obj::List(y)) => self.order_items(x, y, depth),
                _ => None,
            },
            (V::Int(_) | V::Bool(_), V::Int(_) | V::Bool(_)) => Some(integer(a)?.cmp(&integer(b)?)),
            _ => float(a)?.partial_cmp(&float(b)?),
        }
    }

    fn order_items(&self, a: &[Datum], b: &[Datum], depth: usize) -> Option<Ordering> {
        if depth > DEEPEST {
            return None;
        }
        for (a, b) in a.iter().zip(b) {
            if !self.equal(&a.value, &b.value, depth + 1)? {
                return self.order(&a.value, &b.value, depth + 1);
            }
        }
        Some(a.len().cmp(&b.len()))
    }

    fn contains(&self, container: &V, value: &V) -> Option<bool> {
        match (container, value) {
            (V::Str(text), V::Str(part)) => Some(text.contains(&**part)),
            (V::Tuple(items), _) => self.one_of(items, value),
            (V::Range(first, end, step), V::Int(value)) => {
                let (low, high) = if *step > 0 { (*first, *end - 1) } else { (*end + 1, *first) };
                Some(low <= *value && *value <= high && (value - first) % step == 0)
            }
            (V::Ref(id), _) => match self.heap.get(*id) {
                Obj::List(items) | Obj::Bag(items) => self.one_of(items, value),
                Obj::Dict(dict) | Obj::Set(dict) => {
                    self.asks(dict, value);
                    let key = if value.is_none() { Key::None } else { Key::of(value)? };
                    let found = dict.get(&key).is_some();
                    if dict.doubts(&key).is_some() {
                        return None;
                    }
                    if dict.rest.is_some() && !found { None } else { Some(found) }
                }
                Obj::View(dict, View::Keys) => self.contains(&V::Ref(*dict), value),
                Obj::View(dict, view) => self.one_of(&self.view(*dict, *view).ok()?, value),
                Obj::Class(_) => {
                    let members = self.members(*id)?;
                    self.one_of(&members, value)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn one_of(&self, items: &[Datum], value: &V) -> Option<bool> {
        let mut certain = true;
        for item in items {
            match self.equal(&item.value, value, 1) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => certain = false,
            }
        }
        certain.then_some(false)
    }
}

/// Comparisons of `sys.version_info` that come out the same for every Python that is supported.
fn version_comparison(a: &V, op: CmpOp, b: &V) -> Option<bool> {
    let (V::External(path, _), V::Tuple(items)) = (a, b) else { return None };
    if &**path != "sys.version_info" {
        return None;
    }
    let numbers: Vec<i64> = items.iter().map(|item| integer(&item.value)).collect::<Option<_>>()?;
    if numbers.as_slice() > [3, 6].as_slice() {
        return None;
    }
    Some(matches!(op, CmpOp::Gt | CmpOp::GtE))
}
