//! Where in the text the parts of a spec stand.
//!
//! **Invariant:** every range is one of the text that was read.

use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions};
use toml_edit::{InlineTable, Item, Key, Table};

use super::super::Format;

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) shape: Shape,
    pub(super) entries: Vec<Entry>,
}

/// How a table is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The lines of a file before any header.
    Root,
    /// The lines below a header, which is here.
    Header(Range<usize>),
    /// Only in keys such as `table.key = …`.
    Dotted,
    /// Only in the headers of tables below it.
    Implied,
    /// In braces, which are included.
    Braces(Range<usize>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key begins; of `a.b` this is the `b`.
    pub(super) start: usize,
    pub(super) value: Value,
}

/// A value; every range includes quotes and brackets.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text { range: Range<usize>, content: String },
    List { range: Range<usize>, items: Vec<(Range<usize>, String)> },
    Table(Container),
    Other(Range<usize>),
}

impl Entry {
    /// Key and value, where they stand together: a header stands apart from what is below it.
    pub(super) fn range(&self) -> Option<Range<usize>> {
        let end = match &self.value {
            Value::Text { range, .. } | Value::List { range, .. } | Value::Other(range) => {
                range.end
            }
            Value::Table(Container { shape: Shape::Braces(range), .. }) => range.end,
            Value::Table(_) => return None,
        };
        Some(self.start..end)
    }
}

impl Container {
    /// Where the first part of the table stands.
    pub(super) fn first(&self) -> Option<usize> {
        let own = match &self.shape {
            Shape::Header(range) | Shape::Braces(range) => Some(range.start),
            Shape::Root | Shape::Dotted | Shape::Implied => None,
        };
        let below = self.entries.iter().filter_map(|entry| match &entry.value {
            Value::Table(table) => table.first().or(Some(entry.start)),
            Value::Text { .. } | Value::List { .. } | Value::Other(_) => Some(entry.start),
        });
        own.into_iter().chain(below).min()
    }
}

/// Reads a text; says what is wrong with it.
pub(super) fn read(text: &str, format: Format) -> Result<Container, String> {
    match format {
        Format::Toml | Format::Pyproject => {
            let document = toml_edit::Document::parse(text);
            let document = document.map_err(|error| error.message().to_owned())?;
            Ok(lines(document.as_table(), Shape::Root))
        }
        Format::Json => {
            let (collect, options) = (CollectOptions::default(), ParseOptions::default());
            let parsed = jsonc_parser::parse_to_ast(text, &collect, &options);
            match parsed.map_err(|error| error.kind().to_string())?.value {
                Some(ast::Value::Object(object)) => Ok(object_of(&object)),
                _ => Err("the spec is not a JSON object".to_owned()),
            }
        }
    }
}

fn lines(table: &Table, shape: Shape) -> Container {
    let below = table.iter().filter_map(|(name, item)| {
        let key = table.key(name)?;
        let value = match item {
            Item::Table(below) => {
                let shape = match below.span() {
                    Some(span) if !below.is_implicit() => Shape::Header(span),
                    _ if below.is_dotted() => Shape::Dotted,
                    _ => Shape::Implied,
                };
                Value::Table(lines(below, shape))
            }
            Item::Value(value) => toml_value(value)?,
            Item::ArrayOfTables(tables) => Value::Other(tables.span()?),
            Item::None => return None,
        };
        entry(key, value)
    });
    Container { shape, entries: below.collect() }
}

fn entry(key: &Key, value: Value) -> Option<Entry> {
    Some(Entry { key: key.get().to_owned(), start: key.span()?.start, value })
}

fn inline(table: &InlineTable) -> Option<Container> {
    let shape = match table.span() {
        Some(span) if !table.is_dotted() => Shape::Braces(span),
        _ => Shape::Dotted,
    };
    let below = table.iter().map(|(name, value)| entry(table.key(name)?, toml_value(value)?));
    Some(Container { shape, entries: below.collect::<Option<_>>()? })
}

fn toml_value(value: &toml_edit::Value) -> Option<Value> {
    Some(match value {
        toml_edit::Value::String(text) => {
            Value::Text { range: text.span()?, content: text.value().clone() }
        }
        toml_edit::Value::Array(array) => {
            let item = |item: &toml_edit::Value| {
                Some((item.span()?, item.as_str().unwrap_or_default().to_owned()))
            };
            let items = array.iter().map(item).collect::<Option<_>>()?;
            Value::List { range: array.span()?, items }
        }
        toml_edit::Value::InlineTable(table) => Value::Table(inline(table)?),
        other => Value::Other(other.span()?),
    })
}

fn object_of(object: &ast::Object<'_>) -> Container {
    let range = |value: &dyn Ranged| value.start()..value.end();
    let below = object.properties.iter().map(|property| {
        let value = match &property.value {
            ast::Value::StringLit(text) => {
                Value::Text { range: range(text), content: text.value.to_string() }
            }
            ast::Value::Array(array) => {
                let item = |item: &ast::Value<'_>| {
                    let text = item.as_string_lit().map(|text| text.value.to_string());
                    (range(item), text.unwrap_or_default())
                };
                Value::List {
                    range: range(array),
                    items: array.elements.iter().map(item).collect(),
                }
            }
            ast::Value::Object(object) => Value::Table(object_of(object)),
            other => Value::Other(range(other)),
        };
        Entry { key: property.name.as_str().to_owned(), start: property.range.start, value }
    });
    Container { shape: Shape::Braces(range(object)), entries: below.collect() }
}
