//! Values as text: f-strings, `%`, `str.format`.
//!
//! **Invariant:** a text with a part that is not known is not known, for the reason of that part.

use std::fmt::Write;

use ruff_python_ast::{
    ConversionFlag, ExprFString, FStringPart, InterpolatedElement, InterpolatedStringElement,
};
use ruff_text_size::Ranged;

use super::interpreter::{Interpreter, Res};
use super::object::{Args, Obj};
use super::ops::LONGEST;
use super::repr;
use super::spec;
use super::strings;
use super::value::{Span, V, Why};

/// Fields within the format specification of a field.
const DEEPEST: usize = 2;

impl<'a> Interpreter<'a> {
    pub(super) fn f_string(&mut self, string: &'a ExprFString) -> Res<V> {
        let mut text = String::new();
        let mut unknown = None;
        for part in &string.value {
            match part {
                FStringPart::Literal(literal) => text.push_str(literal),
                FStringPart::FString(f_string) => {
                    if let Err(why) = self.elements(&f_string.elements, &mut text)? {
                        unknown.get_or_insert(why);
                    }
                }
            }
        }
        let span = self.span(string.range());
        Ok(match unknown {
            Some(why) => V::Unknown(why),
            None => self.string(text, span),
        })
    }

    fn elements(
        &mut self,
        elements: impl IntoIterator<Item = &'a InterpolatedStringElement>,
        text: &mut String,
    ) -> Res<Result<(), Why>> {
        let mut unknown = None;
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(literal) => text.push_str(literal),
                InterpolatedStringElement::Interpolation(field) => match self.field(field)? {
                    Ok(part) if text.len() + part.len() <= LONGEST => text.push_str(&part),
                    Ok(_) => unknown = unknown.or(Some(Why::at(self.span(field.range())))),
                    Err(why) => unknown = unknown.or(Some(why)),
                },
            }
        }
        Ok(unknown.map_or(Ok(()), Err))
    }

    fn field(&mut self, field: &'a InterpolatedElement) -> Res<Result<String, Why>> {
        let value = self.eval(&field.expression)?;
        let span = self.span(field.expression.range());
        let mut spec = String::new();
        if let Some(format) = &field.format_spec
            && let Err(why) = self.elements(&format.elements, &mut spec)?
        {
            return Ok(Err(why));
        }
        let debug = field.debug_text.as_ref();
        let conversion = match field.conversion {
            ConversionFlag::None if debug.is_some() && field.format_spec.is_none() => Some('r'),
            ConversionFlag::None => None,
            ConversionFlag::Str => Some('s'),
            ConversionFlag::Ascii => Some('a'),
            ConversionFlag::Repr => Some('r'),
        };
        let text = self.converted(&value, conversion, &spec, span);
        Ok(text.map(|text| match debug {
            Some(debug) => format!("{}{text}", debug.as_str()),
            None => text,
        }))
    }

    fn converted(
        &self,
        value: &V,
        conversion: Option<char>,
        spec: &str,
        span: Span,
    ) -> Result<String, Why> {
        let value = match conversion {
            None => value.clone(),
            Some('s') => V::text(self.str_of(value, span)?),
            Some('r') => V::text(self.repr_of(value, span)?),
            Some(_) => {
                let text = self.repr_of(value, span)?;
                if !text.is_ascii() {
                    return Err(Why::at(span));
                }
                V::text(text)
            }
        };
        self.formatted(&value, spec, span)
    }

    /// `format(value, spec)`.
    pub(super) fn formatted(&self, value: &V, spec: &str, span: Span) -> Result<String, Why> {
        if spec.is_empty() {
            return self.str_of(value, span);
        }
        if let Some(why) = value.why() {
            return Err(why.clone());
        }
        spec::format(value, spec).ok_or_else(|| Why::at(span))
    }

    /// `str(value)`.
    pub(super) fn str_of(&self, value: &V, span: Span) -> Result<String, Why> {
        match value {
            V::Str(text) | V::Path(text) => Ok(text.as_ref().to_owned()),
            V::Ref(id) => {
                if let Obj::Instance(instance) = self.heap.get(*id)
                    && let Some(V::Str(text)) = instance.attributes.get("__str__")
                {
                    return Ok(text.as_ref().to_owned());
                }
                self.repr_of(value, span)
            }
            _ => self.repr_of(value, span),
        }
    }

    /// `repr(value)`.
    pub(super) fn repr_of(&self, value: &V, span: Span) -> Result<String, Why> {
        let mut text = String::new();
        self.write_repr(value, span, &mut text, 0)?;
        Ok(text)
    }

    fn write_repr(
        &self,
        value: &V,
        span: Span,
        text: &mut String,
        depth: usize,
    ) -> Result<(), Why> {
        let fails = || Why::at(span);
        if depth > 20 || text.len() > LONGEST {
            return Err(fails());
        }
        match value {
            V::None => text.push_str("None"),
            V::Bool(true) => text.push_str("True"),
            V::Bool(false) => text.push_str("False"),
            V::Int(value) => _ = write!(text, "{value}"),
            V::Float(value) => text.push_str(&repr::float(*value)),
            V::Str(value) => text.push_str(&repr::string(value).ok_or_else(fails)?),
            V::Bytes(value) => text.push_str(&repr::bytes(value)),
            V::Path(path) => {
                _ = write!(text, "PosixPath({})", repr::string(path).ok_or_else(fails)?);
            }
            V::Ellipsis => text.push_str("Ellipsis"),
            V::Range(start, stop, 1) => _ = write!(text, "range({start}, {stop})"),
            V::Range(first, end, step) => _ = write!(text, "range({first}, {end}, {step})"),
            V::Tuple(items) => {
                text.push('(');
                self.write_items(items.iter().map(|item| &item.value), span, text, depth)?;
                text.push_str(if items.len() == 1 { ",)" } else { ")" });
            }
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(items) => {
                    text.push('[');
                    self.write_items(items.iter().map(|item| &item.value), span, text, depth)?;
                    text.push(']');
                }
                Obj::Set(set) if set.len() == 1 => {
                    text.push('{');
                    self.write_items(set.iter().map(|(key, _)| key), span, text, depth)?;
                    text.push('}');
                }
                Obj::Dict(dict) if dict.uncertain().is_none() && !dict.environment => {
                    text.push('{');
                    for (at, (key, datum)) in dict.iter().enumerate() {
                        if at > 0 {
                            text.push_str(", ");
                        }
                        self.write_repr(key, span, text, depth + 1)?;
                        text.push_str(": ");
                        self.write_repr(&datum.value, span, text, depth + 1)?;
                    }
                    text.push('}');
                }
                Obj::Lost(why) => return Err(why.clone()),
                _ => return Err(fails()),
            },
            V::Unknown(why) | V::Unset(why) | V::External(_, why) => return Err(why.clone()),
            V::Method(_) | V::Bound(_) => return Err(fails()),
        }
        Ok(())
    }

    fn write_items<'v>(
        &self,
        items: impl Iterator<Item = &'v V>,
        span: Span,
        text: &mut String,
        depth: usize,
    ) -> Result<(), Why> {
        for (at, item) in items.enumerate() {
            if at > 0 {
                text.push_str(", ");
            }
            self.write_repr(item, span, text, depth + 1)?;
        }
        Ok(())
    }
}

/// `template % value`.
pub(super) fn percent(
    this: &Interpreter<'_>,
    template: &str,
    value: &V,
    span: Span,
) -> Result<String, Why> {
    let fails = || value.why().cloned().unwrap_or_else(|| Why::at(span));
    let mut positional = match value {
        V::Tuple(items) => items.iter().map(|item| item.value.clone()).collect(),
        other => vec![other.clone()],
    }
    .into_iter();
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut value = None;
        if let Some(named) = rest.strip_prefix('(') {
            let (name, after) = named.split_once(')').ok_or_else(fails)?;
            value = Some(mapped(this, positional.as_slice().first(), name).ok_or_else(fails)?);
            rest = after;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic() || c == '%').ok_or_else(fails)?;
        let (flags, kind) = (&rest[..end], rest.as_bytes()[end]);
        rest = &rest[end + 1..];
        if kind == b'%' {
            text.push('%');
            continue;
        }
        let value = match value {
            Some(value) => value,
            None => positional.next().ok_or_else(fails)?,
        };
        if let Some(why) = value.why() {
            return Err(why.clone());
        }
        let value = match kind {
            b's' => V::text(this.str_of(&value, span)?),
            b'r' => V::text(this.repr_of(&value, span)?),
            _ => value,
        };
        text.push_str(&spec::percent(&value, flags, kind).ok_or_else(fails)?);
        if text.len() > LONGEST {
            return Err(fails());
        }
    }
    text.push_str(rest);
    // What is left over is an error, except that a mapping may have more than is asked for.
    match positional.next() {
        Some(V::Ref(_)) if !matches!(value, V::Tuple(_)) => Ok(text),
        Some(_) => Err(fails()),
        None => Ok(text),
    }
}

fn mapped(this: &Interpreter<'_>, mapping: Option<&V>, name: &str) -> Option<V> {
    match mapping {
        Some(V::Ref(id)) => match this.heap.get(*id) {
            Obj::Dict(dict) => match dict.get(&strings::key(name)) {
                Some(datum) => Some(datum.value.clone()),
                None => dict.rest.clone().map(V::Unknown),
            },
            Obj::Lost(why) => Some(V::Unknown(why.clone())),
            _ => None,
        },
        Some(unknown @ V::Unknown(_)) => Some(unknown.clone()),
        _ => None,
    }
}

/// `template.format(…)`.
pub(super) fn braces(
    this: &mut Interpreter<'_>,
    template: &str,
    args: &Args,
    span: Span,
) -> Result<String, Why> {
    let mut next = 0;
    expand(this, template, args, span, &mut next, 0)
}

fn expand(
    this: &mut Interpreter<'_>,
    template: &str,
    args: &Args,
    span: Span,
    next: &mut usize,
    depth: usize,
) -> Result<String, Why> {
    let fails = || Why::at(span);
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        if rest.as_bytes().first() == Some(&brace) {
            text.push(char::from(brace));
            rest = &rest[1..];
            continue;
        }
        let end = if brace == b'{' { closing(rest) } else { None };
        let field = &rest[..end.ok_or_else(fails)?];
        rest = &rest[field.len() + 1..];
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = match field.split_once('!') {
            Some((name, conversion)) => (name, conversion.chars().next()),
            None => (field, None),
        };
        let value = replacement(this, name, args, span, next)?;
        let spec = if spec.contains('{') {
            if depth >= DEEPEST {
                return Err(fails());
            }
            expand(this, spec, args, span, next, depth + 1)?
        } else {
            spec.to_owned()
        };
        text.push_str(&this.converted(&value, conversion, &spec, span)?);
        if text.len() > LONGEST {
            return Err(fails());
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// Where the field ends that begins a text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// The value of a field like `0`, `name`, `name.attribute` or `name[key]`.
fn replacement(
    this: &mut Interpreter<'_>,
    field: &str,
    args: &Args,
    span: Span,
    next: &mut usize,
) -> Result<V, Why> {
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (name, mut rest) = field.split_at(end);
    let value = if name.is_empty() {
        *next += 1;
        args.at(*next - 1)
    } else if let Ok(position) = name.parse::<usize>() {
        args.at(position)
    } else {
        args.keyword(name)
    };
    let Some(value) = value else {
        return Err(args.uncertain().cloned().unwrap_or_else(|| Why::at(span)));
    };
    let mut value = value.clone();
    while !rest.is_empty() {
        let step = if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']').ok_or_else(|| Why::at(span))?;
            rest = after;
            let key = key.parse().map_or_else(|_| V::text(key), V::Int);
            this.item(&value, &key, span)
        } else {
            let inner = rest.strip_prefix('.').ok_or_else(|| Why::at(span))?;
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            rest = &inner[end..];
            this.attribute(&value, &inner[..end], span)
        };
        value = step.map_err(|_| Why::at(span))?;
    }
    Ok(value)
}
