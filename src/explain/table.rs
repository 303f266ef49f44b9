//! The tables of what is known: a pattern, what it means and what to do.
//!
//! **Invariant:** rows are tried in the order of the file, each over the whole log, so that what
//! is said of one library is never hidden by what is said of any.

use regex::{Captures, Regex, RegexSet};

use super::{Fix, Missing, MissingKind};
use crate::storage::Phase;

/// Longer lines are minified files, not messages.
const MAX_LINE: usize = 8 * 1024;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pattern: &'static str,
    cause: &'static str,
    build: &'static str,
    run: &'static str,
    pub(super) advice: &'static str,
}

impl Row {
    /// The packages that it adds.
    #[cfg(test)]
    pub(super) fn packages(&self) -> impl Iterator<Item = &'static str> {
        let cells = self.build.split(',').chain(self.run.split(','));
        cells.filter(|name| !name.is_empty())
    }
}

/// A row that a line matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) row: usize,
    pub(super) line: String,
    pub(super) cause: String,
    pub(super) fix: Fix,
    pub(super) missing: Vec<Missing>,
    /// The pattern's group `retry` marks what may pass.
    pub(super) retry: bool,
}

/// A table that lines can be compared with.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    patterns: RegexSet,
}

fn rows(table: &'static str) -> Vec<Row> {
    let row = |line: &'static str| {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().filter(|cell| *cell != "-").unwrap_or_default();
        Row { pattern: cell(), cause: cell(), build: cell(), run: cell(), advice: cell() }
    };
    table.lines().skip(1).map(row).collect()
}

impl Table {
    /// What steps of a build say.
    pub(super) fn of_steps() -> Self {
        Self::new(rows(include_str!("data/signatures.tsv")))
    }

    /// What builder, registry and engine say.
    pub(super) fn of_builders() -> Self {
        Self::new(rows(include_str!("data/builder.tsv")))
    }

    fn new(rows: Vec<Row>) -> Self {
        // A table with a pattern that is none would know nothing: a test reads each.
        let patterns = RegexSet::new(rows.iter().map(|row| row.pattern));
        Self { rows, patterns: patterns.unwrap_or_default() }
    }

    /// The first row that a line matches, with every other line that matches it.
    pub(super) fn first(&self, lines: &[String]) -> Option<Match> {
        let readable = || lines.iter().filter(|line| line.len() <= MAX_LINE);
        let row_of = |line: &String| self.patterns.matches(line).iter().next();
        let at = readable().filter_map(row_of).min()?;
        matched(at, &self.rows[at], readable())
    }
}

fn matched<'l>(at: usize, row: &Row, lines: impl Iterator<Item = &'l String>) -> Option<Match> {
    let pattern = Regex::new(row.pattern).ok()?;
    let matching: Vec<(&String, Captures<'_>)> =
        lines.filter_map(|line| Some((line, pattern.captures(line)?))).collect();
    let (line, captures) = matching.first()?;
    let mut missing: Vec<Missing> = Vec::new();
    for one in matching.iter().flat_map(|(_, captures)| missing_of(&pattern, captures)) {
        if !missing.contains(&one) {
            missing.push(one);
        }
    }
    Some(Match {
        row: at,
        line: line.trim().to_owned(),
        cause: filled(row.cause, &pattern, captures),
        fix: Fix {
            build: list(row.build),
            run: list(row.run),
            advice: (!row.advice.is_empty()).then(|| filled(row.advice, &pattern, captures)),
        },
        missing,
        retry: captures.name("retry").is_some(),
    })
}

fn list(cell: &str) -> Vec<String> {
    cell.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The named groups that took part, without the digits that keep alternatives apart.
fn named<'p, 'l>(
    pattern: &'p Regex,
    captures: &'p Captures<'l>,
) -> impl Iterator<Item = (&'p str, &'l str)> + 'p {
    let names = pattern.capture_names().flatten();
    names.filter_map(|name| {
        let found = captures.name(name)?.as_str();
        Some((name.trim_end_matches(|c: char| c.is_ascii_digit()), found))
    })
}

/// Puts what the line names into a text: `$version`, and `$name` for every other group.
fn filled(text: &str, pattern: &Regex, captures: &Captures<'_>) -> String {
    let mut filled = text.to_owned();
    for (group, value) in named(pattern, captures) {
        filled = match group {
            "version" => filled.replace("$version", value),
            "link" => filled.replace("$name", &format!("-l{value}")),
            _ => filled.replace("$name", value),
        };
    }
    filled
}

/// What a row says is missing, where it is by its group's name.
fn missing_of(pattern: &Regex, captures: &Captures<'_>) -> Vec<Missing> {
    let missing = |(group, name): (&str, &str)| {
        let (kind, name, phase) = match group {
            "header" => (MissingKind::Header, name.to_owned(), Phase::Build),
            "link" => (MissingKind::Library, format!("-l{name}"), Phase::Build),
            "soname" => (MissingKind::Library, name.to_owned(), Phase::Run),
            "pkgconfig" => (MissingKind::PkgConfig, name.to_owned(), Phase::Build),
            "program" => (MissingKind::Program, name.to_owned(), Phase::Run),
            _ => return None,
        };
        Some(Missing { kind, name, phase })
    };
    named(pattern, captures).filter_map(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole_and_its_pattern_sound() {
        for row in Table::of_steps().rows.iter().chain(&Table::of_builders().rows) {
            assert!(Regex::new(row.pattern).is_ok(), "{}", row.pattern);
            assert!(!row.cause.is_empty() && !row.cause.ends_with('.'), "{}", row.cause);
            assert!(!row.advice.ends_with('.') || row.advice.ends_with(".."), "{}", row.advice);
            let sorted = |names: &[String]| names.is_sorted();
            assert!(sorted(&list(row.build)) && sorted(&list(row.run)), "{}", row.cause);
        }
    }

    #[test]
    fn the_order_of_rows_beats_that_of_lines_and_all_names_are_gathered() {
        let lines = [
            "a.c:1:10: fatal error: one.h: No such file or directory",
            "b.c:1:10: fatal error: two/two.h: No such file or directory",
            "a.c:1:10: fatal error: one.h: No such file or directory",
        ]
        .map(str::to_owned);
        let steps = Table::of_steps();
        let found = steps.first(&lines).unwrap();
        assert_eq!(found.line, lines[0]);
        assert_eq!(found.cause, "the header `one.h` is missing");
        let names: Vec<&str> = found.missing.iter().map(|missing| missing.name.as_str()).collect();
        assert_eq!(names, ["one.h", "two/two.h"]);

        let specific = "c.c:1:10: fatal error: libpq-fe.h: No such file or directory".to_owned();
        let found = steps.first(&[&lines[..], &[specific]].concat()).unwrap();
        assert_eq!(found.cause, "the headers of PostgreSQL's client library are missing");
        assert_eq!(found.missing, []);
    }

    #[test]
    fn a_wall_of_text_is_no_message() {
        let wall = format!("{} fatal error: x.h: No such file", "x".repeat(MAX_LINE));
        assert_eq!(Table::of_steps().first(&[wall]), None);
    }
}
