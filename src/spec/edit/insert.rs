//! What to insert, and where, so that it looks like what is around it.
//!
//! **Invariant:** nothing that is there is moved to another line, a comment least of all.

use std::ops::Range;

use super::super::Format;
use super::Unwritable;
use super::tree::{Container, Entry, Shape, Value};

/// A place in the text, and what comes there.
pub(super) type Insertion = (usize, String);

/// A list that is longer than this is written with one item per line.
const WIDTH: usize = 88;

/// Makes the text with its insertions.
pub(super) fn apply(text: &str, mut insertions: Vec<Insertion>) -> String {
    // Stable: what is for one place comes in the order in which it was found.
    insertions.sort_by_key(|(at, _)| *at);
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for (at, inserted) in insertions {
        result.push_str(&text[done..at]);
        result.push_str(&inserted);
        done = at;
    }
    result.push_str(&text[done..]);
    result
}

/// Where a comma is before anything else but comments.
fn comma(gap: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += gap[at..].find(|c: char| !c.is_whitespace())?;
        match gap.as_bytes()[at] {
            b',' => return Some(at),
            b'#' => at += gap[at..].find('\n')?,
            _ => return None,
        }
    }
}

/// What the last one of several lines ends with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Comma,
    Bare,
}

/// Items, each on a line of its own.
fn lines(newline: &str, indent: &str, items: &[String], last: Last) -> String {
    let mut lines = String::new();
    for item in items {
        lines.extend([newline, indent, item, ","]);
    }
    if last == Last::Bare {
        lines.pop();
    }
    lines
}

/// Where the entry's value is, if that is a list or stands for one.
fn list_in(entry: &Entry) -> Option<Range<usize>> {
    match &entry.value {
        Value::List { range, .. } | Value::Text { range, .. } => Some(range.clone()),
        Value::Table(_) | Value::Other(_) => None,
    }
}

pub(super) struct Writer<'a> {
    pub(super) text: &'a str,
    pub(super) format: Format,
}

impl Writer<'_> {
    /// Adds items to a string or a list.
    pub(super) fn grow(&self, value: &Value, items: &[String]) -> Vec<Insertion> {
        match value {
            Value::Text { range, .. } => {
                let items = self.quoted(items, Some(range.start));
                vec![(range.start, "[".to_owned()), (range.end, format!(", {}]", items.join(", ")))]
            }
            Value::List { range, items: held } => match held.last() {
                Some((last, _)) => {
                    let items = self.quoted(items, Some(last.start));
                    self.after(last, range, &items)
                }
                None => self.fill(range, &self.quoted(items, None)),
            },
            Value::Table(_) | Value::Other(_) => Vec::new(),
        }
    }

    /// Adds a key with a list to a table, beside the first of `neighbours` that it has. `path` is
    /// the table's own.
    pub(super) fn new_key(
        &self,
        table: &Container,
        path: &[&str],
        neighbours: &[&str],
        key: &str,
        items: &[String],
    ) -> Result<Vec<Insertion>, Unwritable> {
        let whole = |entry: &'_ Entry| Some((entry.range()?, list_in(entry)));
        let beside = neighbours.iter().find_map(|name| whole(table.entry(name)?));
        let lowest = || table.entries.iter().filter_map(whole).max_by_key(|(range, _)| range.end);
        let beside = beside.or_else(lowest);
        let pair = |indent: &str, like: Option<Range<usize>>| {
            let list = self.new_list(key, items, indent, like);
            match self.format {
                Format::Json => format!("\"{key}\": {list}"),
                Format::Toml | Format::Pyproject => format!("{key} = {list}"),
            }
        };
        let nl = self.newline();
        Ok(match (&table.shape, beside) {
            (Shape::Braces(braces), Some((range, like))) => {
                let pair = pair(self.indent(range.start), like);
                self.after(&range, braces, &[pair])
            }
            (Shape::Braces(braces), None) if self.text[braces.clone()].contains('\n') => {
                let indent = format!("{}{}", self.indent(braces.start), self.unit());
                self.fill(braces, &[pair(&indent, None)])
            }
            (Shape::Braces(braces), None) => {
                vec![(braces.start + 1, format!(" {} ", pair("", None)))]
            }
            (_, Some((range, like))) => {
                let indent = self.indent(range.start);
                // Of `storage.etl.flows = …` the new key takes `storage.etl.`.
                let dots = self.text[self.line_start(range.start)..range.start].trim_start();
                let pair = pair(indent, like);
                vec![(self.line_end(range.end), format!("{nl}{indent}{dots}{pair}"))]
            }
            (Shape::Header(header), None) => {
                let indent = self.indent(header.start);
                let pair = pair(indent, None);
                vec![(self.line_end(header.end), format!("{nl}{indent}{pair}"))]
            }
            (Shape::Root, None) => {
                let at = self.above(table.first().unwrap_or(self.text.len()));
                vec![(at, format!("{}{nl}{nl}", pair("", None)))]
            }
            (Shape::Implied, None) => {
                let at = self.above(table.first().unwrap_or(self.text.len()));
                let header = path.join(".");
                vec![(at, format!("[{header}]{nl}{}{nl}{nl}", pair("", None)))]
            }
            (Shape::Dotted, None) => {
                let message = format!("`{}` has no line of its own", path.join("."));
                return Err(Unwritable(message));
            }
        })
    }

    /// Adds items behind one of those between brackets.
    fn after(
        &self,
        item: &Range<usize>,
        brackets: &Range<usize>,
        items: &[String],
    ) -> Vec<Insertion> {
        let close = brackets.end - 1;
        let line = self.line_start(item.start);
        let begins_line = self.text[line..item.start].trim().is_empty();
        let gap = &self.text[item.end..close];
        let comma = comma(gap);
        let rest = item.end + comma.map_or(0, |at| at + 1);
        // A comment at the end of the line belongs to the item before it.
        let line_end = self.line_end(rest).min(close);
        let tail = self.text[rest..line_end].trim_start();
        let ends_line = line_end < close && (tail.is_empty() || tail.starts_with('#'));
        let nl = self.newline();
        let indent = self.indent(item.start).to_owned();
        let indent = if brackets.start < line { indent } else { indent + self.unit() };
        let lines = |last| lines(nl, &indent, items, last);
        match (comma.is_some(), ends_line) {
            (true, true) => vec![(line_end, lines(Last::Comma))],
            (false, true) => vec![(item.end, ",".to_owned()), (line_end, lines(Last::Bare))],
            (false, false) if begins_line && brackets.start < line => {
                vec![(item.end, format!(",{}", lines(Last::Bare)))]
            }
            (true, false) => vec![(rest, format!(" {},", items.join(", ")))],
            (false, false) => vec![(item.end, format!(", {}", items.join(", ")))],
        }
    }

    /// Adds items between brackets that hold none.
    fn fill(&self, brackets: &Range<usize>, items: &[String]) -> Vec<Insertion> {
        let inner = &self.text[brackets.start + 1..brackets.end - 1];
        if !inner.contains('\n') {
            return vec![(brackets.start + 1, items.join(", "))];
        }
        let at = brackets.start + 1 + inner.trim_end().len();
        let own_line = self.line_start(at) > brackets.start;
        let indent = self.indent(at).to_owned();
        let indent = if own_line { indent } else { indent + self.unit() };
        vec![(at, lines(self.newline(), &indent, items, self.last()))]
    }

    /// A list in the layout of another one.
    fn new_list(
        &self,
        key: &str,
        items: &[String],
        indent: &str,
        like: Option<Range<usize>>,
    ) -> String {
        let quote = like.as_ref().and_then(|like| {
            let first = self.text[like.clone()].find(['"', '\''])?;
            Some(like.start + first)
        });
        let items = self.quoted(items, quote);
        let short = format!("[{}]", items.join(", "));
        let spread = like.is_some_and(|like| self.text[like].contains('\n'));
        let is_long = indent.len() + key.len() + short.len() + 3 > WIDTH;
        if items.len() < 2 || !(spread || is_long) {
            return short;
        }
        let below = format!("{indent}{}", self.unit());
        let lines = lines(self.newline(), &below, &items, self.last());
        format!("[{lines}{}{indent}]", self.newline())
    }

    /// What a new list ends with, where it has one item per line.
    fn last(&self) -> Last {
        if self.format == Format::Json { Last::Bare } else { Last::Comma }
    }

    /// Items in quotes: in single ones where those at `like` are.
    fn quoted(&self, items: &[String], like: Option<usize>) -> Vec<String> {
        let single =
            self.format != Format::Json && like.is_some_and(|at| self.text[at..].starts_with('\''));
        let quote = |item: &String| match self.format {
            Format::Json => serde_json::Value::from(item.as_str()).to_string(),
            _ if single && !item.contains(|c: char| c == '\'' || c.is_control()) => {
                format!("'{item}'")
            }
            Format::Toml | Format::Pyproject => toml::Value::from(item.as_str()).to_string(),
        };
        items.iter().map(quote).collect()
    }

    fn newline(&self) -> &'static str {
        let first = self.text.find('\n').unwrap_or_default();
        if self.text[..first].ends_with('\r') { "\r\n" } else { "\n" }
    }

    /// What one level is indented by.
    fn unit(&self) -> &str {
        let indented = |line: &&str| line.starts_with([' ', '\t']) && !line.trim().is_empty();
        match self.text.lines().find(indented) {
            Some(line) => &line[..line.len() - line.trim_start().len()],
            None if self.format == Format::Json => "  ",
            None => "    ",
        }
    }

    fn line_start(&self, at: usize) -> usize {
        // A byte order mark is before the first line.
        let bom = if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        self.text[..at].rfind('\n').map_or(bom, |newline| newline + 1).min(at)
    }

    /// Where the line ends, without its line break.
    fn line_end(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        let line = rest.split('\n').next().unwrap_or_default();
        at + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// What the line begins with.
    fn indent(&self, at: usize) -> &str {
        let line = &self.text[self.line_start(at)..];
        let end = line.find(|c| c != ' ' && c != '\t').unwrap_or(line.len());
        &line[..end]
    }

    /// The start of a line, or of the comment right above it.
    fn above(&self, at: usize) -> usize {
        let mut start = self.line_start(at);
        while self.text[..start].ends_with('\n') {
            let before = self.line_start(start - 1);
            if !self.text[before..start].trim_start().starts_with('#') {
                break;
            }
            start = before;
        }
        start
    }
}
