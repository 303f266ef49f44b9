//! Which Python distribution could not be built.
//!
//! **Invariant:** a name is one that the log gives, never one that is guessed.

use regex::Regex;

/// uv, pip (of several ages) and poetry name what they could not build.
const NAMED: [&str; 6] = [
    r"Failed to (?:download and )?build `(?<name>[A-Za-z0-9._-]+)(?:(?<version>==[A-Za-z0-9.!+_-]+)| @ [^`]*)?`",
    r"Failed to build '(?<name>[A-Za-z0-9._-]+)(?<version>==[A-Za-z0-9.!+_-]+)?'",
    r"Failed building (?:editable|wheel) for (?<name>[A-Za-z0-9._-]+)",
    r"Could not build wheels for (?<name>[A-Za-z0-9._-]+)",
    r"Failed to build installable wheels for some pyproject\.toml based projects \((?<name>[A-Za-z0-9._-]+)",
    r#"pip wheel .*--use-pep517 "(?<name>[A-Za-z0-9._-]+) \((?<version>==[A-Za-z0-9.!+_-]+)\)"#,
];
/// pip names what it works on before it fails to read its metadata.
const COLLECTING: &str =
    r"^ *Collecting (?<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?<version>==[A-Za-z0-9.!+_-]+)?";
const UNNAMED: &str = r"subprocess-exited-with-error|metadata-generation-failed|Command errored out|python setup\.py egg_info";

/// A distribution that could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Distribution {
    /// By its normalised name.
    pub(super) name: String,
    /// As the log has it, with its version where that is said.
    pub(super) shown: String,
}

/// Finds the distribution in a log.
pub(super) fn distribution(lines: &[String]) -> Option<Distribution> {
    let named = NAMED.iter().find_map(|pattern| {
        let pattern = Regex::new(pattern).ok()?;
        lines.iter().find_map(|line| read(&pattern, line))
    });
    named.or_else(|| {
        let unnamed = Regex::new(UNNAMED).ok()?;
        let end = lines.iter().position(|line| unnamed.is_match(line))?;
        let collecting = Regex::new(COLLECTING).ok()?;
        lines[..end].iter().rev().find_map(|line| read(&collecting, line))
    })
}

fn read(pattern: &Regex, line: &str) -> Option<Distribution> {
    let captures = pattern.captures(line)?;
    let name = captures.name("name")?.as_str();
    let version = captures.name("version").map_or("", |version| version.as_str());
    Some(Distribution { name: normalised(name), shown: format!("{name}{version}") })
}

/// The name as PEP 503 compares it.
fn normalised(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::{Distribution, distribution};

    fn found(log: &str) -> Option<(String, String)> {
        let lines: Vec<String> = log.lines().map(str::to_owned).collect();
        distribution(&lines).map(|Distribution { name, shown }| (name, shown))
    }

    #[test]
    fn every_installer_names_it_in_its_own_way() {
        for (log, name, shown) in [
            ("  × Failed to build `psycopg2==2.9.12`", "psycopg2", "psycopg2==2.9.12"),
            ("error: Failed to download and build `X.y_z==1`", "x-y-z", "X.y_z==1"),
            ("  x Failed to build `a @ git+https://example.org/a`", "a", "a"),
            ("  ERROR: Failed building wheel for python-ldap", "python-ldap", "python-ldap"),
            ("ERROR: Could not build wheels for dlib, which is required", "dlib", "dlib"),
            (
                "Collecting six\nCollecting dbus-python==1.3.2\n  Downloading x\n  \
                 error: subprocess-exited-with-error\nCollecting later",
                "dbus-python",
                "dbus-python==1.3.2",
            ),
        ] {
            assert_eq!(found(log), Some((name.to_owned(), shown.to_owned())), "{log}");
        }
        assert_eq!(found("Collecting six\nerror: something else"), None);
    }
}
