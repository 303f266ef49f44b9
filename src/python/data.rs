//! Values as JSON and TOML, and their copies.
//!
//! **Invariant:** what is written or read with options is unknown.

use std::fmt::Write;
use std::rc::Rc;

use super::interpreter::{Interpreter, Res};
use super::object::{Args, Obj};
use super::ops::unknown;
use super::value::{Datum, Dict, Key, Span, V, Why};

/// How deep containers are copied.
pub(super) const DEEPEST: usize = 20;

impl Interpreter<'_> {
    /// A copy; of containers in it too, unless it is deep enough already.
    pub(super) fn copied(&mut self, value: &V, depth: usize, span: Span) -> V {
        if !self.spend(1) {
            return V::Unknown(Why::at(span));
        }
        let below = |this: &mut Self, datum: &Datum| {
            if depth >= DEEPEST {
                return datum.clone();
            }
            Datum::new(this.copied(&datum.value, depth + 1, span), datum.at)
        };
        let V::Ref(id) = value else { return value.clone() };
        let object = self.heap.share(*id);
        let copy = match &*object {
            Obj::List(items) => Obj::List(items.iter().map(|item| below(self, item)).collect()),
            Obj::Dict(dict) => {
                let mut copy = Dict::default();
                copy.rest.clone_from(&dict.rest);
                copy.environment = dict.environment;
                copy.factory.clone_from(&dict.factory);
                for (key, datum) in dict.iter() {
                    let datum = below(self, datum);
                    copy.insert(key.clone(), datum);
                    if let Some(why) = Key::of(key).as_ref().and_then(|key| dict.doubts(key)) {
                        copy.doubt(key, why);
                    }
                }
                Obj::Dict(copy)
            }
            Obj::Storage(storage) => {
                let mut storage = storage.clone();
                storage.at = span;
                storage.variable = None;
                for (_, datum) in &mut storage.arguments {
                    *datum = below(self, datum);
                }
                return V::Ref(self.add_storage(storage));
            }
            Obj::Flow(flow) => {
                let mut flow = flow.clone();
                flow.at = span;
                return V::Ref(self.add_flow(flow));
            }
            Obj::Set(_) | Obj::Instance(_) => (*object).clone(),
            Obj::Lost(why) => return V::Unknown(why.clone()),
            _ => return value.clone(),
        };
        V::Ref(self.heap.add(copy))
    }

    /// `json.loads(text)`, `json.load(file)` and their likes for TOML.
    pub(super) fn parse_text(&mut self, path: &str, args: &Args, span: Span) -> Res<V> {
        let Some(source) = args.at(0).cloned() else { return Ok(unknown(&[], span)) };
        let text = match &source {
            V::Str(_) | V::Path(_) if path == "toml.load" => {
                match self.read_file(&source, span)? {
                    Ok(text) => text,
                    Err(value) => return Ok(value),
                }
            }
            V::Str(text) => Rc::clone(text),
            V::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(_) => return Ok(unknown(&[], span)),
            },
            V::Ref(id) => match self.heap.change(*id) {
                Obj::File(file) => super::containers::rest_of(file),
                _ => return Ok(unknown(&[], span)),
            },
            other => return Ok(unknown(&[other], span)),
        };
        // Options change how things are read.
        if args.positional.len() > 1 || !args.keywords.is_empty() || !self.spend(text.len() / 16) {
            return Ok(unknown(&[], span));
        }
        let (value, error) = if path.starts_with("json.") {
            (serde_json::from_str(&text).ok(), "JSONDecodeError")
        } else {
            let table = text.parse::<toml::Table>().ok();
            (table.and_then(|table| serde_json::to_value(table).ok()), "TOMLDecodeError")
        };
        match value {
            Some(value) => Ok(self.of_json(&value, span)),
            None => self.raise(error, Why::at(span)),
        }
    }

    fn of_json(&mut self, value: &serde_json::Value, span: Span) -> V {
        use serde_json::Value;
        match value {
            Value::Null => V::None,
            Value::Bool(value) => V::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => V::Int(number),
                (None, Some(float)) if number.is_f64() => V::Float(float),
                _ => V::Unknown(Why::at(span)),
            },
            Value::String(text) => V::text(text.as_str()),
            Value::Array(items) => {
                let items = items.iter().map(|item| Datum::new(self.of_json(item, span), span));
                let items = Obj::List(items.collect());
                V::Ref(self.heap.add(items))
            }
            Value::Object(entries) => {
                let mut dict = Dict::default();
                for (key, value) in entries {
                    let value = self.of_json(value, span);
                    dict.insert(V::text(key.as_str()), Datum::new(value, span));
                }
                V::Ref(self.heap.add(Obj::Dict(dict)))
            }
        }
    }

    /// `json.dumps` without options.
    pub(super) fn json_dumps(&self, args: &Args, span: Span) -> V {
        let Some(value) = args.at(0) else { return unknown(&[], span) };
        if args.positional.len() > 1 || !args.keywords.is_empty() || args.uncertain().is_some() {
            return unknown(&[value], span);
        }
        let mut text = String::new();
        match self.write_json(value, &mut text, span, 0) {
            Ok(()) => V::text(text),
            Err(why) => V::Unknown(why),
        }
    }

    fn write_json(
        &self,
        value: &V,
        text: &mut String,
        span: Span,
        depth: usize,
    ) -> Result<(), Why> {
        let fails = || value.why().cloned().unwrap_or_else(|| Why::at(span));
        if depth > DEEPEST || text.len() > super::ops::LONGEST {
            return Err(fails());
        }
        match value {
            V::None => text.push_str("null"),
            V::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            V::Int(value) => text.push_str(&value.to_string()),
            V::Float(value) => text.push_str(&super::repr::float(*value)),
            V::Str(value) => {
                for c in serde_json::Value::from(&**value).to_string().chars() {
                    match c {
                        // JSON of Python is ASCII.
                        c if !c.is_ascii() => {
                            for unit in c.encode_utf16(&mut [0; 2]) {
                                _ = write!(text, "\\u{unit:04x}");
                            }
                        }
                        c => text.push(c),
                    }
                }
            }
            V::Tuple(items) => self.write_json_items(items, text, span, depth)?,
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(items) => self.write_json_items(items, text, span, depth)?,
                Obj::Dict(dict) if dict.uncertain().is_none() => {
                    text.push('{');
                    for (at, (key, datum)) in dict.iter().enumerate() {
                        if !matches!(key, V::Str(_)) {
                            return Err(fails());
                        }
                        text.push_str(if at > 0 { ", " } else { "" });
                        self.write_json(key, text, span, depth + 1)?;
                        text.push_str(": ");
                        self.write_json(&datum.value, text, span, depth + 1)?;
                    }
                    text.push('}');
                }
                Obj::Lost(why) => return Err(why.clone()),
                _ => return Err(fails()),
            },
            _ => return Err(fails()),
        }
        Ok(())
    }

    fn write_json_items(
        &self,
        items: &[Datum],
        text: &mut String,
        span: Span,
        depth: usize,
    ) -> Result<(), Why> {
        text.push('[');
        for (at, item) in items.iter().enumerate() {
            text.push_str(if at > 0 { ", " } else { "" });
            self.write_json(&item.value, text, span, depth + 1)?;
        }
        text.push(']');
        Ok(())
    }
}
