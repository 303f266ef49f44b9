//! Which Python and which Prefect an image is for, where the spec does not say.
//!
//! **Invariant:** taken from the project's own files; the Python of this machine plays no part.

use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifiers};

use super::{Resolver, text};
use crate::deps::requirements::Requirements;
use crate::deps::script_block;
use crate::facts::{Found, PYTHON_VERSION_FILES};
use crate::spec::RuntimeKind;
use crate::spec::document::{self, Node, Table};

/// Minor releases of Python 3 that images exist for, the default of each runtime first.
const PREFECT1: [u64; 5] = [10, 9, 8, 7, 11];
const PREFECT: [u64; 5] = [12, 13, 11, 10, 14];
const PLAIN: [u64; 7] = [13, 14, 12, 11, 10, 9, 8];

/// A version and what it was inferred from.
pub(super) struct Inferred {
    pub(super) version: String,
    pub(super) from: String,
}

impl Resolver<'_> {
    /// The Python that the project asks for. What it says of no release that there is an image
    /// for says nothing.
    pub(super) fn inferred_python(&self, kind: RuntimeKind, scripts: &[&str]) -> Option<Inferred> {
        let [version_file, pyproject] = PYTHON_VERSION_FILES;
        // A PEP 723 block speaks for the script itself, and comes before the project around it.
        let blocks = scripts.iter().filter_map(|path| {
            let block = script_block(self.file_at(path)?)?;
            let wanted = string(&block, &["requires-python"])?.to_owned();
            Some((wanted, format!("default that requires-python of `{path}` allows")))
        });
        let project = || {
            let (table, _) = document::from_toml(self.file_at(pyproject)?, pyproject);
            let wanted = string(&table, &["project", "requires-python"])?.to_owned();
            Some((wanted, format!("default that requires-python of `{pyproject}` allows")))
        };
        let exact = || {
            let text = self.file_at(version_file)?;
            let line =
                text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'))?;
            let version = line.strip_prefix("cpython@").unwrap_or(line);
            let version = Version::from_str(version).ok()?;
            let [3, _, ..] = version.release() else { return None };
            Some(Inferred {
                version: version.to_string(),
                from: format!("inferred from `{version_file}`"),
            })
        };
        let of = |(wanted, from): (String, String)| {
            Some(Inferred { version: newest_fit(kind, &wanted)?, from })
        };
        blocks.into_iter().find_map(of).or_else(exact).or_else(|| project().and_then(of))
    }

    fn file_at(&self, path: &str) -> Option<&str> {
        match self.facts.at(path) {
            Found::File(file) => file.text.as_deref(),
            _ => None,
        }
    }

    /// The release of Prefect: the one that the spec names, or that a requirement pins.
    pub(super) fn prefect_version(
        &self,
        kind: RuntimeKind,
        requirements: &Requirements,
    ) -> Option<String> {
        let given = text(self.storage.prefect_version.as_ref());
        if let Some(given) = given {
            // Git's tags of Prefect 2 and 3 have no `v`; people write it all the same.
            let release = given.strip_prefix('v').filter(|rest| Version::from_str(rest).is_ok());
            return Some(release.unwrap_or(given).to_owned());
        }
        if kind != RuntimeKind::Prefect {
            return None;
        }
        let pins = requirements.wanted.iter().chain(&requirements.constraints);
        pins.filter(|r| r.distribution.as_ref().is_some_and(|d| d.name == "prefect"))
            .find_map(|requirement| exact_pin(&requirement.line))
    }
}

/// The version of `name==version`.
fn exact_pin(line: &str) -> Option<String> {
    let at = line.find("==")?;
    let specifiers = line[at..].split(';').next()?.trim();
    let specifiers = VersionSpecifiers::from_str(specifiers).ok()?;
    let pin = specifiers.iter().find(|pin| *pin.operator() == Operator::Equal)?;
    Some(pin.version().to_string())
}

/// The first minor release of a runtime's list that a `requires-python` allows.
fn newest_fit(kind: RuntimeKind, wanted: &str) -> Option<String> {
    let specifiers = VersionSpecifiers::from_str(wanted).ok()?;
    let minors: &[u64] = match kind {
        RuntimeKind::Prefect1 => &PREFECT1,
        RuntimeKind::Prefect => &PREFECT,
        RuntimeKind::Python => &PLAIN,
    };
    // A late patch release stands for what the image of a minor release has.
    let fits = |minor: &&u64| specifiers.contains(&Version::new([3, **minor, 99]));
    minors.iter().find(fits).map(|minor| format!("3.{minor}"))
}

fn string<'a>(table: &'a Table, path: &[&str]) -> Option<&'a str> {
    let (key, below) = path.split_first()?;
    match (&table.get(key)?.value.node, below) {
        (Node::String(text), []) => Some(text),
        (Node::Table(table), below) => string(table, below),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_kept_where_it_fits() {
        for (kind, wanted, version) in [
            (RuntimeKind::Prefect1, ">=3.7", Some("3.10")),
            (RuntimeKind::Prefect1, ">=3.7,<3.10", Some("3.9")),
            (RuntimeKind::Prefect1, ">=3.12", None),
            (RuntimeKind::Prefect, ">=3.9", Some("3.12")),
            (RuntimeKind::Prefect, "~=3.11.4", Some("3.11")),
            (RuntimeKind::Python, ">=3.8", Some("3.13")),
            (RuntimeKind::Python, "==3.9.*", Some("3.9")),
            (RuntimeKind::Python, "nonsense", None),
        ] {
            assert_eq!(newest_fit(kind, wanted).as_deref(), version, "{kind:?} {wanted}");
        }
    }

    #[test]
    fn only_exact_pins_name_a_release() {
        for (line, version) in [
            ("prefect==3.4.1", Some("3.4.1")),
            ("prefect[aws] == 2.20.9 ; python_version > '3'", Some("2.20.9")),
            ("prefect==3.*", None),
            ("prefect>=3", None),
            ("prefect", None),
        ] {
            assert_eq!(exact_pin(line).as_deref(), version, "{line}");
        }
    }
}
