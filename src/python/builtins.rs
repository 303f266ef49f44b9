//! Built-in functions.
//!
//! **Invariant:** one that is not listed, or is called in a way that is not understood, is unknown.

use std::rc::Rc;

use super::containers::count_of;
use super::interpreter::{Interpreter, Res};
use super::object::{Args, Obj};
use super::ops::{self, unknown};
use super::paths;
use super::value::{Datum, Span, V, Why};

impl Interpreter<'_> {
    pub(super) fn builtin(&mut self, name: &str, args: &Args, span: Span) -> Res<V> {
        if let Some(why) = args.uncertain() {
            return Ok(V::Unknown(why.clone()));
        }
        let first = args.at(0).cloned();
        let Some(value) = first else { return Ok(self.without_arguments(name, args, span)) };
        Ok(match name {
            "str" => match args.positional.len() {
                1 => match self.str_of(&value, span) {
                    Ok(text) => self.string(text, span),
                    Err(why) => V::Unknown(why),
                },
                _ => match &value {
                    V::Bytes(_) => {
                        let decode = self.attribute(&value, "decode", span)?;
                        return self.call(&decode, Args::default(), span);
                    }
                    _ => unknown(&[&value], span),
                },
            },
            "repr" => match self.repr_of(&value, span) {
                Ok(text) => self.string(text, span),
                Err(why) => V::Unknown(why),
            },
            "format" => {
                let spec = match args.at(1) {
                    Some(V::Str(spec)) => spec.as_ref(),
                    _ => "",
                };
                match self.formatted(&value, spec, span) {
                    Ok(text) => self.string(text, span),
                    Err(why) => V::Unknown(why),
                }
            }
            "len" => self.len(&value, span),
            "list" | "tuple" | "set" | "frozenset" | "sorted" | "reversed" | "iter"
            | "enumerate" | "sum" | "any" | "all" => {
                return self.of_items(name, &value, args, span);
            }
            "dict" => self.new_dict(args, span),
            "range" => range(args).unwrap_or_else(|| {
                unknown(&args.positional.iter().map(|d| &d.value).collect::<Vec<_>>(), span)
            }),
            "min" | "max" => return self.extreme(name, args, span),
            "zip" => self.zip(args, span),
            "map" | "filter" => self.mapped(name, args, span),
            "next" => self.next(&value, args.at(1), span),
            "isinstance" => self.is_instance(&value, args.at(1), span),
            "getattr" | "hasattr" | "setattr" => return self.named_attribute(name, args, span),
            "callable" => match &value {
                V::Ref(id) if self.is_function(*id) => V::Bool(true),
                V::Str(_) | V::Int(_) | V::None => V::Bool(false),
                _ => unknown(&[&value], span),
            },
            "bytes" => match (&value, args.at(1)) {
                (V::Str(text), Some(V::Str(encoding))) if super::strings::is_utf8(encoding) => {
                    V::Bytes(text.as_bytes().into())
                }
                (V::Bytes(_), None) => value,
                _ => unknown(&[&value], span),
            },
            "open" => return self.open(&value, args.get(1, "mode"), span),
            "print" => V::None,
            "exit" | "quit" => return self.exit(args, span),
            "super" => match (&value, args.at(1)) {
                (V::Ref(class), Some(receiver)) => {
                    V::Ref(self.heap.add(Obj::Super(*class, receiver.clone())))
                }
                _ => unknown(&[], span),
            },
            "__import__" => self.import_by_name(&value, span),
            _ => return self.of_numbers(name, &value, args, span),
        })
    }

    /// Built-in functions of numbers.
    fn of_numbers(&mut self, name: &str, value: &V, args: &Args, span: Span) -> Res<V> {
        Ok(match name {
            "int" | "float" => return self.number(name, value, args.at(1), span),
            "bool" => match self.truth(value, span) {
                Ok(truth) => V::Bool(truth),
                Err(why) => V::Unknown(why),
            },
            "abs" => match value {
                V::Int(number) => number.checked_abs().map_or_else(|| unknown(&[], span), V::Int),
                V::Bool(value) => V::Int(i64::from(*value)),
                V::Float(number) => V::Float(number.abs()),
                _ => unknown(&[value], span),
            },
            "round" => match (value, args.at(1)) {
                (V::Int(number), None) => V::Int(*number),
                (V::Float(number), None) => {
                    let rounded = super::value::whole(number.round_ties_even());
                    rounded.map_or_else(|| unknown(&[], span), V::Int)
                }
                (V::Float(number), Some(V::Int(digits @ 0..=15))) => {
                    // Python rounds its decimal digits, as writing them does.
                    let digits = usize::try_from(*digits).unwrap_or(0);
                    let text = format!("{number:.digits$}");
                    text.parse().map_or_else(|_| unknown(&[], span), V::Float)
                }
                _ => unknown(&[value], span),
            },
            "divmod" => {
                use ruff_python_ast::Operator;
                let Some(by) = args.at(1).cloned() else { return Ok(unknown(&[], span)) };
                let quotient = self.binary(value, Operator::FloorDiv, &by, span)?;
                let rest = self.binary(value, Operator::Mod, &by, span)?;
                V::Tuple([Datum::new(quotient, span), Datum::new(rest, span)].into())
            }
            "pow" => match (args.at(1).cloned(), args.positional.len()) {
                (Some(by), 2) => {
                    return self.binary(value, ruff_python_ast::Operator::Pow, &by, span);
                }
                _ => unknown(&[], span),
            },
            "chr" => match value {
                V::Int(code) => {
                    let c = u32::try_from(*code).ok().and_then(char::from_u32);
                    c.map_or_else(|| unknown(&[], span), |c| V::text(c.to_string()))
                }
                _ => unknown(&[value], span),
            },
            "ord" => match value {
                V::Str(text) if text.chars().count() == 1 => {
                    V::Int(text.chars().map(|c| i64::from(u32::from(c))).sum())
                }
                _ => unknown(&[value], span),
            },
            _ => V::Unknown(Why::at(span)),
        })
    }

    fn without_arguments(&mut self, name: &str, args: &Args, span: Span) -> V {
        match name {
            "dict" => self.new_dict(args, span),
            "list" => V::Ref(self.heap.add(Obj::List(Vec::new()))),
            "set" | "frozenset" => self.set_from(Vec::new()),
            "tuple" => V::Tuple(Rc::new([])),
            "str" => V::text(""),
            "int" => V::Int(0),
            "float" => V::Float(0.0),
            "bool" => V::Bool(false),
            "print" => V::None,
            "super" => {
                let frame = self.frame();
                match (frame.class, frame.receiver.clone()) {
                    (Some(class), Some(receiver)) => {
                        V::Ref(self.heap.add(Obj::Super(class, receiver)))
                    }
                    _ => unknown(&[], span),
                }
            }
            _ => unknown(&[], span),
        }
    }

    /// `sys.exit`: with an error, what follows is still read, as after an exception.
    pub(super) fn exit(&mut self, args: &Args, span: Span) -> Res<V> {
        use super::interpreter::Stop;
        let why = Why::at(span);
        if let stop @ Err(_) = self.raise("SystemExit", why.clone()) {
            return stop;
        }
        match args.at(0) {
            None | Some(V::None | V::Int(0) | V::Bool(false)) => Err(Stop::Exit),
            Some(V::Str(_) | V::Int(_) | V::Bool(_)) => {
                self.give_up("SystemExit", why.clone())?;
                Ok(V::Unknown(why))
            }
            Some(_) => Err(Stop::Exit),
        }
    }

    fn number(&self, name: &str, value: &V, base: Option<&V>, span: Span) -> Res<V> {
        let number = match (name, value, base) {
            ("int", V::Int(_) | V::Bool(_), None) => match value {
                V::Bool(value) => Some(V::Int(i64::from(*value))),
                other => Some(other.clone()),
            },
            ("int", V::Float(float), None) => super::value::whole(float.trunc()).map(V::Int),
            ("int", V::Str(text), None) => {
                let text = text.trim_matches(super::strings::is_space);
                match text.parse() {
                    Ok(number) => Some(V::Int(number)),
                    Err(_) if text.contains('_') || !text.is_ascii() || text.len() > 18 => None,
                    Err(_) => return self.raise("ValueError", Why::at(span)),
                }
            }
            ("int", V::Str(text), Some(V::Int(base @ (0 | 2 | 8 | 10 | 16)))) => {
                let text = text.trim_matches(super::strings::is_space).to_ascii_lowercase();
                let prefix = match base {
                    2 => "0b",
                    8 => "0o",
                    16 => "0x",
                    _ => "",
                };
                let digits = text.strip_prefix(prefix).unwrap_or(&text);
                let base = u32::try_from(*base).ok().filter(|base| *base != 0);
                base.and_then(|base| i64::from_str_radix(digits, base).ok()).map(V::Int)
            }
            ("float", V::Str(text), None) => {
                let text = text.trim_matches(super::strings::is_space);
                let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
                text.parse().ok().filter(|_| plain).map(V::Float)
            }
            ("float", other, None) => ops::float(other).map(V::Float),
            _ => None,
        };
        Ok(number.unwrap_or_else(|| unknown(&[value], span)))
    }

    fn len(&self, value: &V, span: Span) -> V {
        let len = match value {
            V::Str(text) => text.chars().count(),
            V::Bytes(bytes) => bytes.len(),
            V::Tuple(items) => items.len(),
            V::Range(first, end, step) => {
                usize::try_from(paths::range_len(*first, *end, *step)).unwrap_or(0)
            }
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(items) | Obj::Bag(items) => items.len(),
                Obj::Dict(dict) | Obj::Set(dict) => match dict.uncertain() {
                    None => dict.len(),
                    Some(why) => return V::Unknown(why.clone()),
                },
                Obj::Lost(why) => return V::Unknown(why.clone()),
                Obj::View(dict, _) => return self.len(&V::Ref(*dict), span),
                _ => return unknown(&[], span),
            },
            _ => return unknown(&[value], span),
        };
        count_of(len)
    }
}

fn range(args: &Args) -> Option<V> {
    let numbers: Option<Vec<i64>> = args
        .positional
        .iter()
        .map(|datum| match &datum.value {
            V::Int(number) => Some(*number),
            _ => None,
        })
        .collect();
    match numbers?.as_slice() {
        [stop] => Some(V::Range(0, *stop, 1)),
        [start, stop] => Some(V::Range(*start, *stop, 1)),
        [first, end, step] if *step != 0 => Some(V::Range(*first, *end, *step)),
        _ => None,
    }
}
