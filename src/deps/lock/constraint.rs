//! Poetry's version constraints: <https://python-poetry.org/docs/dependency-specification/>.
//!
//! **Invariant:** what is not understood is none, never a guess.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

/// Alternatives, of which a version must meet one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constraint(Vec<VersionSpecifiers>);

impl Constraint {
    /// Reads a constraint.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.replace("||", "|").split('|').map(alternative).collect::<Option<_>>().map(Self)
    }

    /// Whether a version meets it.
    pub(super) fn contains(&self, version: &Version) -> bool {
        self.0.iter().any(|alternative| alternative.contains(version))
    }

    /// The marker of a constraint on Python.
    pub(super) fn of_python(&self) -> String {
        let alternatives = self.0.iter().map(|alternative| {
            let limit = |limit: &pep440_rs::VersionSpecifier| {
                let (operator, version) = (limit.operator(), limit.version());
                let star = if operator.is_star() { ".*" } else { "" };
                format!("python_full_version {operator} '{version}{star}'")
            };
            let limits: Vec<String> = alternative.iter().map(limit).collect();
            if limits.is_empty() { String::new() } else { format!("({})", limits.join(" and ")) }
        });
        let alternatives: Vec<String> = alternatives.collect();
        // One that says nothing is always met.
        if alternatives.iter().any(String::is_empty) {
            String::new()
        } else {
            alternatives.join(" or ")
        }
    }
}

fn alternative(text: &str) -> Option<VersionSpecifiers> {
    let mut joined = String::new();
    // A space separates two limits, but may also stand after an operator.
    for c in text.trim().replace(", ", ",").chars() {
        if !c.is_whitespace() {
            joined.push(c);
        } else if joined.ends_with(|c: char| c.is_alphanumeric() || c == '*') {
            joined.push(',');
        }
    }
    let limits: Option<Vec<String>> =
        joined.split(',').filter(|limit| !limit.is_empty()).map(limit).collect();
    let limits: Vec<String> = limits?.into_iter().filter(|limit| !limit.is_empty()).collect();
    VersionSpecifiers::from_str(&limits.join(",")).ok()
}

fn limit(text: &str) -> Option<String> {
    if text == "*" {
        return Some(String::new());
    }
    if let Some(version) = text.strip_prefix('^') {
        let parsed = Version::from_str(version).ok()?;
        let release = parsed.release();
        // The first part that is not zero must stay; of zeros alone, the last.
        let kept = release.iter().position(|part| *part != 0).unwrap_or(release.len() - 1);
        return Some(format!(">={version},<{}", next(release, kept)));
    }
    if let Some(version) = text.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let parsed = Version::from_str(version).ok()?;
        let release = parsed.release();
        return Some(format!(">={version},<{}", next(release, 1.min(release.len() - 1))));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(format!("=={text}"));
    }
    if let Some(version) = text.strip_prefix('=').filter(|rest| !rest.starts_with('=')) {
        return Some(format!("=={version}"));
    }
    Some(text.to_owned())
}

/// The release with the part at `kept` one higher.
fn next(release: &[u64], kept: usize) -> String {
    let parts = release.iter().take(kept).copied().chain([release[kept] + 1]);
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_hold_what_poetry_says() {
        for (text, inside, outside) in [
            ("^1.2.3", "1.2.3 1.9", "1.2.2 2.0"),
            ("^0.2.3", "0.2.4", "0.3 0.2.2"),
            ("^0.0.3", "0.0.3", "0.0.4"),
            ("^0.0", "0.0.9", "0.1"),
            ("^0", "0.9", "1"),
            ("~1.2", "1.2.9", "1.3"),
            ("~1", "1.9", "2.0"),
            ("~=1.2", "1.9", "2.0 1.1"),
            ("*", "1 2", ""),
            ("1.2.*", "1.2.9", "1.3"),
            ("1.2", "1.2.0", "1.2.1"),
            (">=1.5.6,<1.5.7 || >1.5.7", "1.5.6 1.6", "1.5.7"),
            (">= 1.0 , < 2", "1.5", "2"),
            (">=1.0 <2", "1.5", "2"),
            ("!=3.0.*,>=2.7", "2.7 3.1", "3.0.5"),
        ] {
            let constraint = Constraint::parse(text).unwrap_or_else(|| panic!("{text}"));
            let holds = |version: &str| constraint.contains(&Version::from_str(version).unwrap());
            assert!(inside.split_whitespace().all(holds), "{text}: {inside}");
            assert!(!outside.split_whitespace().any(holds), "{text}: {outside}");
        }
        assert_eq!(Constraint::parse("what?"), None);
    }

    #[test]
    fn a_constraint_on_python_is_a_marker() {
        let marker = |text: &str| Constraint::parse(text).unwrap().of_python();
        assert_eq!(marker("*"), "");
        assert_eq!(marker("<3.11"), "(python_full_version < '3.11')");
        assert_eq!(
            marker("^3.9 || 3.5.*"),
            "(python_full_version >= '3.9' and python_full_version < '4') or \
             (python_full_version == '3.5.*')"
        );
    }
}
