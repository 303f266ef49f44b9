//! TOML and JSON read into one tree that remembers the line of every key and value.
//!
//! **Invariant:** the two formats give the same tree for the same shape; nothing is interpreted.

use toml::de::{DeTable, DeValue};

use crate::problem::{Place, Problem};

/// A value with the line that it starts on, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The value.
    pub node: Node,
    /// Its line.
    pub line: usize,
}

/// What a document can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A string.
    String(String),
    /// A whole number.
    Integer(i64),
    /// Any other number, as written.
    Float(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A list.
    List(Vec<Located>),
    /// A table, in the order of the document.
    Table(Table),
    /// A value that a spec has no use for: a date, `null`.
    Other(&'static str),
}

impl Node {
    /// The string, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The word for this kind of value in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Keys and values in the order of the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The entries; no two have the same key.
    pub entries: Vec<Entry>,
}

/// One key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The line of the key, counted from 1.
    pub line: usize,
    /// What it holds.
    pub value: Located,
}

impl Table {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// Reads TOML. Every syntax error is reported; what could be read is returned beside them.
pub fn from_toml(text: &str, file: &str) -> (Table, Vec<Problem>) {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| Problem {
            key: None,
            place: Some(Place {
                file: file.to_owned(),
                line: error.span().map_or(1, |span| lines.of(span.start)),
            }),
            message: format!("not TOML: {}", one_line(error.message())),
            remedy: "correct the syntax at this line".to_owned(),
        })
        .collect();
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    (toml_table(table.get_ref(), &lines), problems)
}

/// Reads JSON: no comments, no trailing commas.
pub fn from_json(text: &str, file: &str) -> (Table, Vec<Problem>) {
    let lines = Lines::new(text);
    let at = |line, message: String, remedy: &str| Problem {
        key: None,
        place: Some(Place { file: file.to_owned(), line }),
        message,
        remedy: remedy.to_owned(),
    };
    let options = jsonc_parser::ParseOptions {
        allow_comments: false,
        allow_trailing_commas: false,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    match jsonc_parser::parse_to_ast(text, &jsonc_parser::CollectOptions::default(), &options) {
        Err(error) => {
            let line = lines.of(error.range().start);
            let message = format!("not JSON: {}", one_line(&error.kind().to_string()));
            (Table::default(), vec![at(line, message, "correct the syntax at this line")])
        }
        Ok(parsed) => {
            let mut problems = Vec::new();
            let Some(jsonc_parser::ast::Value::Object(object)) = &parsed.value else {
                let problem = at(1, "the spec is not a JSON object".to_owned(), "write `{…}`");
                return (Table::default(), vec![problem]);
            };
            let table = json_table(object, &lines, &mut |line, key| {
                problems.push(at(line, format!("`{key}` is given twice"), "keep one of the two"));
            });
            (table, problems)
        }
    }
}

fn toml_table(table: &DeTable<'_>, lines: &Lines) -> Table {
    let mut entries: Vec<(usize, Entry)> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            let entry = Entry {
                key: key.get_ref().to_string(),
                line: lines.of(start),
                value: Located {
                    node: toml_node(value.get_ref(), lines),
                    line: lines.of(value.span().start),
                },
            };
            (start, entry)
        })
        .collect();
    entries.sort_by_key(|(start, _)| *start);
    Table { entries: entries.into_iter().map(|(_, entry)| entry).collect() }
}

fn toml_node(value: &DeValue<'_>, lines: &Lines) -> Node {
    match value {
        DeValue::String(text) => Node::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Node::Float(number.as_str().to_owned()), Node::Integer),
        DeValue::Float(number) => Node::Float(number.as_str().to_owned()),
        DeValue::Boolean(value) => Node::Boolean(*value),
        DeValue::Datetime(_) => Node::Other("a date"),
        DeValue::Array(items) => Node::List(
            items
                .iter()
                .map(|item| Located {
                    node: toml_node(item.get_ref(), lines),
                    line: lines.of(item.span().start),
                })
                .collect(),
        ),
        DeValue::Table(table) => Node::Table(toml_table(table, lines)),
    }
}

fn json_table(
    object: &jsonc_parser::ast::Object<'_>,
    lines: &Lines,
    duplicate: &mut dyn FnMut(usize, &str),
) -> Table {
    let mut table = Table::default();
    for property in &object.properties {
        let key = property.name.as_str().to_owned();
        let line = lines.of(property.range.start);
        if table.get(&key).is_some() {
            duplicate(line, &key);
            continue;
        }
        let value = json_node(&property.value, lines, duplicate);
        table.entries.push(Entry { key, line, value });
    }
    table
}

fn json_node(
    value: &jsonc_parser::ast::Value<'_>,
    lines: &Lines,
    duplicate: &mut dyn FnMut(usize, &str),
) -> Located {
    use jsonc_parser::ast::Value;
    use jsonc_parser::common::Ranged;
    let line = lines.of(value.range().start);
    let node = match value {
        Value::StringLit(text) => Node::String(text.value.to_string()),
        Value::NumberLit(number) => number
            .value
            .parse()
            .map_or_else(|_| Node::Float(number.value.to_owned()), Node::Integer),
        Value::BooleanLit(value) => Node::Boolean(value.value),
        Value::NullKeyword(_) => Node::Other("null"),
        Value::Array(list) => {
            Node::List(list.elements.iter().map(|item| json_node(item, lines, duplicate)).collect())
        }
        Value::Object(object) => Node::Table(json_table(object, lines, duplicate)),
    };
    Located { node, line }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Finds the line of a byte offset.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(breaks.map(|(at, _)| at).collect())
    }

    fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|at| *at < offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_and_json_give_the_same_values() {
        let (toml, problems) =
            from_toml("b = \"x\"\na = [1, true]\n[env]\nZ = \"1\"\nA = 2.5\n", "s.toml");
        assert_eq!(problems, []);
        let json = r#"{"b": "x", "a": [1, true],
            "env": {"Z": "1", "A": 2.5}}"#;
        let (json, problems) = from_json(json, "s.json");
        assert_eq!(problems, []);
        assert_eq!(values(&toml), values(&json));
        assert_eq!(values(&toml), r#"{b:"x" a:[1 true] env:{Z:"1" A:2.5}}"#);
    }

    #[test]
    fn lines_are_those_of_keys_and_values() {
        let (table, _) = from_toml("a = 1\n\nb = [\n  'x',\n  'y',\n]\n", "s.toml");
        let b = table.get("b").expect("b is there");
        assert_eq!(b.line, 3);
        let Node::List(items) = &b.value.node else { panic!("b is a list") };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn every_syntax_error_of_toml_is_reported() {
        let (table, problems) = from_toml("a = \nb = 2\nc = [1\n", "s.toml");
        let places: Vec<_> = problems.iter().map(|problem| problem.place.clone()).collect();
        assert!(places.len() >= 2, "{problems:?}");
        assert_eq!(places[0], Some(Place { file: "s.toml".into(), line: 1 }));
        assert_eq!(table.get("b").map(|entry| &entry.value.node), Some(&Node::Integer(2)));
    }

    #[test]
    fn json_errors_have_a_line() {
        for (text, line) in [("{\n\"a\": 1,\n}", 2), ("{\n\"a\": 1,\n\"a\": 2}", 3), ("[]", 1)] {
            let (_, problems) = from_json(text, "s.json");
            let lines: Vec<_> =
                problems.iter().filter_map(|p| p.place.as_ref()).map(|p| p.line).collect();
            assert_eq!(lines, [line], "{text}: {problems:?}");
        }
    }

    fn values(table: &Table) -> String {
        fn show(node: &Node) -> String {
            match node {
                Node::String(text) => format!("{text:?}"),
                Node::Integer(number) => number.to_string(),
                Node::Float(text) => text.clone(),
                Node::Boolean(value) => value.to_string(),
                Node::List(items) => {
                    let items: Vec<_> = items.iter().map(|item| show(&item.node)).collect();
                    format!("[{}]", items.join(" "))
                }
                Node::Table(table) => values(table),
                Node::Other(kind) => (*kind).to_owned(),
            }
        }
        let entries: Vec<_> =
            table.entries.iter().map(|e| format!("{}:{}", e.key, show(&e.value.node))).collect();
        format!("{{{}}}", entries.join(" "))
    }
}
