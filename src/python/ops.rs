//! Operators: truth, arithmetic, comparison.
//!
//! **Invariant:** what does not fit 64 bits, or grows past the bounds, is unknown rather than rounded.

use std::rc::Rc;

use ruff_python_ast::{Operator, UnaryOp};

use super::expr::MOST_ITEMS;
use super::format;
use super::interpreter::{Interpreter, Res};
use super::object::{ClassKind, Obj};
use super::paths;
use super::value::{Datum, Dict, Id, Key, Span, V, Why};

/// Bytes of one string.
pub(super) const LONGEST: usize = 1 << 20;

impl Interpreter<'_> {
    /// A string, unless it is too long.
    pub(super) fn string(&mut self, text: impl Into<Rc<str>>, span: Span) -> V {
        let text = text.into();
        if text.len() > LONGEST || !self.spend(text.len() / 64) {
            return V::Unknown(Why::at(span));
        }
        V::Str(text)
    }

    pub(super) fn truth(&self, value: &V, span: Span) -> Result<bool, Why> {
        Ok(match value {
            V::None | V::Unset(_) => false,
            V::Bool(value) => *value,
            V::Int(value) => *value != 0,
            V::Float(value) => *value != 0.0,
            V::Str(text) => !text.is_empty(),
            V::Bytes(bytes) => !bytes.is_empty(),
            V::Tuple(items) => !items.is_empty(),
            V::Range(first, end, step) => paths::range_len(*first, *end, *step) > 0,
            V::Path(_) | V::Method(_) | V::Bound(_) | V::Ellipsis => true,
            V::External(path, why) => match constant_truth(path) {
                Some(truth) => truth,
                None => return Err(why.clone()),
            },
            V::Unknown(why) => return Err(why.clone()),
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(items) | Obj::Bag(items) => !items.is_empty(),
                Obj::Dict(dict) | Obj::Set(dict) => match dict.uncertain() {
                    Some(why) if !dict.surely_filled() => return Err(why.clone()),
                    _ => dict.len() > 0,
                },
                Obj::Lost(why) => return Err(why.clone()),
                Obj::View(dict, _) => return self.truth(&V::Ref(*dict), span),
                Obj::Instance(instance) => {
                    let defines = |name: &str| {
                        instance.class.is_some_and(|class| self.class_value(class, name).is_some())
                    };
                    let foreign =
                        instance.class.is_some_and(|c| self.is_kind(c, ClassKind::Foreign));
                    if foreign || defines("__bool__") || defines("__len__") {
                        return Err(Why::at(span));
                    }
                    true
                }
                _ => true,
            },
        })
    }

    pub(super) fn unary(&mut self, op: UnaryOp, value: &V, span: Span) -> V {
        let number = match value {
            V::Bool(value) => V::Int(i64::from(*value)),
            other => other.clone(),
        };
        match (op, number) {
            (UnaryOp::Not, _) => match self.truth(value, span) {
                Ok(truth) => V::Bool(!truth),
                Err(why) => V::Unknown(why),
            },
            (UnaryOp::UAdd, V::Int(value)) => V::Int(value),
            (UnaryOp::UAdd, V::Float(value)) => V::Float(value),
            (UnaryOp::USub, V::Int(value)) => {
                value.checked_neg().map_or_else(|| none(span), V::Int)
            }
            (UnaryOp::USub, V::Float(value)) => V::Float(-value),
            (UnaryOp::Invert, V::Int(value)) => V::Int(!value),
            (_, other) => unknown(&[&other], span),
        }
    }

    pub(super) fn binary(&mut self, a: &V, op: Operator, b: &V, span: Span) -> Res<V> {
        if let V::Unknown(_) | V::Unset(_) | V::External(..) = a {
            return Ok(unknown(&[a], span));
        }
        // An unknown operand of `%` is an unknown part of the text, which is told by formatting.
        let formats = op == Operator::Mod && matches!(a, V::Str(_));
        if let (V::Unknown(_) | V::Unset(_) | V::External(..), false) = (b, formats) {
            return Ok(unknown(&[b], span));
        }
        let value = match (a, op, b) {
            (V::Str(a), Operator::Add, V::Str(b)) => self.string(format!("{a}{b}"), span),
            (V::Bytes(a), Operator::Add, V::Bytes(b)) => V::Bytes([&**a, &**b].concat().into()),
            (V::Str(template), Operator::Mod, _) => {
                match format::percent(self, template, b, span) {
                    Ok(text) => self.string(text, span),
                    Err(why) => V::Unknown(why),
                }
            }
            (V::Str(text), Operator::Mult, V::Int(times))
            | (V::Int(times), Operator::Mult, V::Str(text)) => {
                let times = usize::try_from(*times).unwrap_or(0);
                if text.len().saturating_mul(times) > LONGEST {
                    return Ok(V::Unknown(Why::at(span)));
                }
                self.string(text.repeat(times), span)
            }
            (V::Path(_), Operator::Div, V::Str(_) | V::Path(_))
            | (V::Str(_), Operator::Div, V::Path(_)) => {
                let (V::Str(a) | V::Path(a), V::Str(b) | V::Path(b)) = (a, b) else {
                    return Ok(none(span));
                };
                V::Path(paths::pure(&paths::join(a, b)).into())
            }
            (V::Tuple(a), Operator::Add, V::Tuple(b)) => {
                let items: Vec<Datum> = a.iter().chain(b.iter()).cloned().collect();
                if items.len() > MOST_ITEMS || !self.spend(items.len() / 4) {
                    return Ok(none(span));
                }
                V::Tuple(items.into())
            }
            (V::Ref(x), _, _) => self.object_operation(*x, op, b, span)?,
            (V::Int(times), Operator::Mult, V::Ref(_)) => {
                self.binary(b, op, &V::Int(*times), span)?
            }
            (V::Tuple(items), Operator::Mult, V::Int(times)) => {
                self.repeat(items, *times, span).map_or_else(|| none(span), |i| V::Tuple(i.into()))
            }
            _ => arithmetic(a, op, b).unwrap_or_else(|| none(span)),
        };
        Ok(value)
    }

    fn object_operation(&mut self, a: Id, op: Operator, b: &V, span: Span) -> Res<V> {
        let object = self.heap.share(a);
        let other = match b {
            V::Ref(id) => Some(self.heap.share(*id)),
            _ => None,
        };
        if let Some(Obj::Lost(why)) = other.as_deref() {
            return Ok(V::Unknown(why.clone()));
        }
        let result = match (&*object, op, other.as_deref()) {
            (Obj::Lost(why), ..) => return Ok(V::Unknown(why.clone())),
            (Obj::List(a), Operator::Add, Some(Obj::List(b))) => {
                let items: Vec<Datum> = a.iter().chain(b).cloned().collect();
                if items.len() > MOST_ITEMS || !self.spend(items.len() / 4) {
                    return Ok(none(span));
                }
                Obj::List(items)
            }
            (Obj::List(a) | Obj::Bag(a), Operator::Add, Some(Obj::List(b) | Obj::Bag(b))) => {
                Obj::Bag(a.iter().chain(b).take(MOST_ITEMS).cloned().collect())
            }
            (Obj::List(items), Operator::Mult, None) => {
                let V::Int(times) = b else { return Ok(none(span)) };
                let Some(items) = self.repeat(items, *times, span) else { return Ok(none(span)) };
                Obj::List(items)
            }
            (Obj::Dict(a), Operator::BitOr, Some(Obj::Dict(_))) => {
                let mut merged = a.clone();
                merged.environment = false;
                self.update(&mut merged, b, span);
                Obj::Dict(merged)
            }
            (Obj::Set(x), _, Some(Obj::Set(y))) if x.rest.is_none() && y.rest.is_none() => {
                Obj::Set(match op {
                    Operator::BitOr => filtered(x, |_| true, y, |_| true),
                    Operator::BitAnd => filtered(x, |key| y.get(key).is_some(), y, |_| false),
                    Operator::Sub => filtered(x, |key| y.get(key).is_none(), y, |_| false),
                    Operator::BitXor => {
                        filtered(x, |key| y.get(key).is_none(), y, |key| x.get(key).is_none())
                    }
                    _ => return Ok(none(span)),
                })
            }
            (Obj::Instance(_), ..) => {
                let Some(name) = special(op) else { return Ok(none(span)) };
                let method = self.attribute(&V::Ref(a), name, span)?;
                if !matches!(method, V::Bound(_)) {
                    return Ok(none(span));
                }
                let mut args = super::object::Args::default();
                args.positional.push(Datum::new(b.clone(), span));
                return self.call(&method, args, span);
            }
            _ => return Ok(none(span)),
        };
        Ok(V::Ref(self.heap.add(result)))
    }

    fn repeat(&mut self, items: &[Datum], times: i64, _: Span) -> Option<Vec<Datum>> {
        let times = usize::try_from(times).unwrap_or(0);
        let len = items.len().checked_mul(times)?;
        if len > MOST_ITEMS || !self.spend(len / 4) {
            return None;
        }
        Some(items.iter().cycle().take(len).cloned().collect())
    }

    /// `a op= b`: lists and mappings change in place.
    pub(super) fn in_place(&mut self, a: &V, op: Operator, b: &V, span: Span) -> Res<V> {
        let V::Ref(id) = a else { return self.binary(a, op, b, span) };
        match (self.heap.get(*id), op) {
            (Obj::Bag(_), Operator::Add) => {
                let mut args = super::object::Args::default();
                args.positional.push(Datum::new(b.clone(), span));
                self.bag_method(*id, "extend", &args, span)?;
                Ok(a.clone())
            }
            (Obj::List(_), Operator::Add) => {
                let items = self.iterate_any(b, span);
                if let Ok((more, true)) = items {
                    let more = self.new_list(more, true);
                    let all = self.binary(a, op, &more, span)?;
                    if let V::Ref(all) = all {
                        let all = self.heap.share(all);
                        self.heap.set(*id, all);
                    }
                    return Ok(a.clone());
                }
                let items = items.map(|(items, _)| items);
                let grows = items.as_ref().is_ok_and(|items| self.spend(items.len() / 4));
                let object = self.heap.change(*id);
                match (items, object) {
                    (Ok(items), Obj::List(list))
                        if grows && list.len() + items.len() <= MOST_ITEMS =>
                    {
                        list.extend(items);
                    }
                    (Ok(_), object) => *object = Obj::Lost(Why::at(span)),
                    (Err(why), object) => *object = Obj::Lost(why),
                }
                Ok(a.clone())
            }
            (Obj::Dict(dict), Operator::BitOr) => {
                let mut dict = dict.clone();
                self.update(&mut dict, b, span);
                *self.heap.change(*id) = Obj::Dict(dict);
                Ok(a.clone())
            }
            _ => self.binary(a, op, b, span),
        }
    }
}

fn none(span: Span) -> V {
    V::Unknown(Why::at(span))
}

/// Unknown for the reason of the first operand that has one.
pub(super) fn unknown(operands: &[&V], span: Span) -> V {
    let why = operands.iter().find_map(|value| value.why()).cloned();
    V::Unknown(why.unwrap_or_else(|| Why::at(span)))
}

fn constant_truth(path: &str) -> Option<bool> {
    match path {
        "typing.TYPE_CHECKING" => Some(false),
        _ => path.starts_with("builtins.").then_some(true),
    }
}

pub(super) fn integer(value: &V) -> Option<i64> {
    match value {
        V::Int(value) => Some(*value),
        V::Bool(value) => Some(i64::from(*value)),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "Python's division and comparison round as well")]
pub(super) fn float(value: &V) -> Option<f64> {
    match value {
        V::Float(value) => Some(*value),
        _ => integer(value).map(|value| value as f64),
    }
}

fn arithmetic(a: &V, op: Operator, b: &V) -> Option<V> {
    if let (Some(x), Some(y)) = (integer(a), integer(b)) {
        let value = match op {
            Operator::Add => x.checked_add(y)?,
            Operator::Sub => x.checked_sub(y)?,
            Operator::Mult => x.checked_mul(y)?,
            Operator::Div if y != 0 => return Some(V::Float(float(a)? / float(b)?)),
            Operator::FloorDiv => floor_div(x, y)?,
            Operator::Mod => x.checked_sub(floor_div(x, y)?.checked_mul(y)?)?,
            Operator::Pow if y >= 0 => x.checked_pow(u32::try_from(y).ok()?)?,
            Operator::Pow if x != 0 => return Some(V::Float(float(a)?.powf(float(b)?))),
            Operator::LShift if (0..63).contains(&y) => {
                x.checked_mul(1_i64.checked_shl(u32::try_from(y).ok()?)?)?
            }
            Operator::RShift if y >= 0 => x >> y.min(63),
            Operator::BitOr => x | y,
            Operator::BitAnd => x & y,
            Operator::BitXor => x ^ y,
            _ => return None,
        };
        let both = matches!((a, b), (V::Bool(_), V::Bool(_)));
        let logical = matches!(op, Operator::BitOr | Operator::BitAnd | Operator::BitXor);
        return Some(if both && logical { V::Bool(value != 0) } else { V::Int(value) });
    }
    let (x, y) = (float(a)?, float(b)?);
    let value = match op {
        Operator::Add => x + y,
        Operator::Sub => x - y,
        Operator::Mult => x * y,
        Operator::Div if y != 0.0 => x / y,
        Operator::FloorDiv if y != 0.0 => floor_quotient(x, y),
        Operator::Mod if y != 0.0 => modulo(x, y),
        Operator::Pow if x > 0.0 => x.powf(y),
        _ => return None,
    };
    value.is_finite().then_some(V::Float(value))
}

/// `%` of floats: it has the sign of the divisor.
fn modulo(x: f64, y: f64) -> f64 {
    match x % y {
        rest if rest != 0.0 && (y < 0.0) != (rest < 0.0) => rest + y,
        rest => rest.copysign(if rest == 0.0 { y } else { rest }),
    }
}

/// `//` of floats: the floor of the exact quotient, as what `%` leaves tells.
fn floor_quotient(x: f64, y: f64) -> f64 {
    let quotient = (x - modulo(x, y)) / y;
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

fn floor_div(x: i64, y: i64) -> Option<i64> {
    let quotient = x.checked_div(y)?;
    let exact = quotient.checked_mul(y)? == x;
    Some(if !exact && (x < 0) != (y < 0) { quotient - 1 } else { quotient })
}

fn special(op: Operator) -> Option<&'static str> {
    Some(match op {
        Operator::Add => "__add__",
        Operator::Div => "__truediv__",
        Operator::Mod => "__mod__",
        Operator::BitOr => "__or__",
        Operator::RShift => "__rshift__",
        Operator::LShift => "__lshift__",
        _ => return None,
    })
}

fn filtered(
    a: &Dict,
    keep_a: impl Fn(&Key) -> bool,
    b: &Dict,
    keep_b: impl Fn(&Key) -> bool,
) -> Dict {
    let mut set = Dict::default();
    for (key, datum) in a.iter().filter(|(key, _)| Key::of(key).is_some_and(|key| keep_a(&key))) {
        set.insert(key.clone(), datum.clone());
    }
    for (key, datum) in b.iter().filter(|(key, _)| Key::of(key).is_some_and(|key| keep_b(&key))) {
        set.insert(key.clone(), datum.clone());
    }
    set
}
