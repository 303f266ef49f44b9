//! What a fault outside the image means: exit code, cause and remedy, by the text of its message.
//!
//! **Invariant:** the knowledge is in `faults.toml`; a text that matches nothing is a failed build.

use serde::Deserialize;

use crate::error::{Error, Fault};

/// One entry of `faults.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    any: Vec<String>,
    /// If there are any, one of these must be in the output too.
    #[serde(default)]
    all: Vec<String>,
    /// Whether it means the same when a program in the image says it.
    #[serde(default)]
    in_image: bool,
    exit: Kind,
    message: Option<String>,
    hint: String,
    /// For the test of the table.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test of the table"))]
    sample: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Docker,
    Network,
    Build,
}

#[derive(Deserialize)]
struct Table {
    fault: Vec<Entry>,
}

fn table() -> Vec<Entry> {
    let table: Result<Table, _> = toml::from_str(include_str!("faults.toml"));
    table.map(|table| table.fault).unwrap_or_default()
}

/// The error that lines of buildx's output stand for, if they are known.
pub fn classify<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Error> {
    among(&table(), lines)
}

/// The error that lines of a step's output stand for. A program may speak of refused connections
/// for reasons of its own: only some faults mean the same there.
pub fn classify_in_image<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Error> {
    let table: Vec<Entry> = table().into_iter().filter(|entry| entry.in_image).collect();
    among(&table, lines)
}

fn among<'a>(table: &[Entry], lines: impl IntoIterator<Item = &'a str>) -> Option<Error> {
    let lines: Vec<&str> = lines.into_iter().collect();
    let found = table
        .iter()
        .find_map(|entry| lines.iter().find(|line| entry.matches(line)).map(|line| (entry, *line)));
    let (entry, line) = found?;
    let fault =
        Fault::new(entry.message.clone().unwrap_or_else(|| cause(line)), entry.hint.clone());
    Some(match entry.exit {
        Kind::Docker => Error::Docker(fault),
        Kind::Network => Error::Network(fault),
        Kind::Build => Error::Build(fault),
    })
}

impl Entry {
    fn matches(&self, line: &str) -> bool {
        let line = line.to_lowercase();
        let has = |texts: &[String]| texts.iter().any(|text| line.contains(text));
        has(&self.any) && (self.all.is_empty() || has(&self.all))
    }
}

/// A line without what buildx puts in front of every error.
fn cause(line: &str) -> String {
    let mut rest = line.trim();
    for prefix in ["ERROR: ", "failed to build: ", "failed to solve: "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_matches_its_own_entry_and_no_earlier_one() {
        let table: Table = toml::from_str(include_str!("faults.toml")).expect("valid");
        for (at, entry) in table.fault.iter().enumerate() {
            let first = table.fault.iter().position(|other| other.matches(&entry.sample));
            assert_eq!(first, Some(at), "{}", entry.sample);
            let lower = entry.any.iter().chain(&entry.all).all(|text| *text == text.to_lowercase());
            assert!(lower, "{:?} is compared with lower-case text", entry.any);
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let speaks = "dial tcp 10.0.0.1:443: connect: connection refused";
        assert!(classify_in_image([speaks]).is_none());
        assert!(classify_in_image(["head: error writing: No space left on device"]).is_some());
        assert!(classify(["process \"/bin/sh -c make\" did not complete: exit code: 2"]).is_none());
    }

    #[test]
    fn exits_follow_the_kind() {
        let exit = |line: &str| classify([line]).map(|error| u8::from(error.exit()));
        assert_eq!(exit("dial tcp 10.0.0.1:443: connect: connection refused"), Some(75));
        assert_eq!(exit("ERROR: no builder \"x\" found"), Some(3));
        assert_eq!(exit("write /x: no space left on device"), Some(1));
    }
}
