//! What the check program that runs inside the image says about it.
//!
//! The program prints one line per finding: [`PREFIX`], then a JSON object.
//!
//! **Invariant:** a line with the prefix and sound JSON never reaches a user as it stands.

use serde::Deserialize;

/// What a line of the check program begins with.
pub const PREFIX: &str = "flowstorage-check: ";

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Checked and found good.
    Ok,
    /// Works, but not as one might think.
    Warning,
    /// The image would not work.
    Error,
}

/// One result of the check.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// How grave it is.
    pub level: Level,
    /// What was checked, in the check's own vocabulary.
    #[serde(default)]
    pub check: String,
    /// What it was checked on: a flow, a package, a library.
    #[serde(default)]
    pub subject: String,
    /// One line: lower case, no final period.
    #[serde(default)]
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub remedy: Option<String>,
    /// What would have to be installed.
    #[serde(default)]
    pub missing: Vec<Missing>,
}

/// Something that is not in the image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Missing {
    /// `library`, `program`, `header`, `pkgconfig` or `odbc-driver`.
    pub kind: String,
    /// Its name: a soname, a command, a file.
    pub name: String,
    /// The Debian packages that have it, where they are known.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Where it is needed: `build` or `run`.
    #[serde(default)]
    pub phase: String,
}

impl Finding {
    /// Reads a line of a step's output, if it is a finding.
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line.trim_end().strip_prefix(PREFIX)?).ok()
    }

    /// Returns the line that a user sees in its place; nothing for what is good.
    pub fn line(&self) -> Option<String> {
        match self.level {
            Level::Ok => None,
            Level::Warning => Some(format!("warning: {}", self.message)),
            Level::Error => Some(format!("error: {}", self.message)),
        }
    }
}

/// Returns whether a line that is not complete yet begins as a finding does.
pub(super) fn may_become(line: &str) -> bool {
    line.starts_with(PREFIX) || PREFIX.starts_with(line)
}

#[cfg(test)]
mod tests {
    use super::{Finding, Level, Missing, may_become};

    #[test]
    fn a_finding_is_read_and_shown_without_its_json() {
        let line = "flowstorage-check: {\"level\":\"error\",\"check\":\"libraries\",\
                    \"subject\":\"pyodbc\",\"message\":\"`libodbc.so.2` is missing\",\
                    \"remedy\":\"add `unixodbc`\",\"more\":1,\"missing\":[{\"kind\":\"library\",\
                    \"name\":\"libodbc.so.2\",\"packages\":[\"unixodbc\"],\"phase\":\"run\"}]}\r";
        let finding = Finding::parse(line).unwrap();
        assert_eq!(finding.level, Level::Error);
        assert_eq!(finding.subject, "pyodbc");
        assert_eq!(finding.remedy.as_deref(), Some("add `unixodbc`"));
        assert_eq!(finding.line().as_deref(), Some("error: `libodbc.so.2` is missing"));
        let missing = Missing {
            kind: "library".to_owned(),
            name: "libodbc.so.2".to_owned(),
            packages: vec!["unixodbc".to_owned()],
            phase: "run".to_owned(),
        };
        assert_eq!(finding.missing, [missing]);
    }

    #[test]
    fn other_lines_are_not_findings() {
        assert_eq!(Finding::parse("flowstorage-check: hello"), None);
        assert_eq!(Finding::parse(" flowstorage-check: {\"level\":\"ok\"}"), None);
        assert!(
            may_become("flowstor") && may_become("flowstorage-check: {") && !may_become("flows/")
        );
        let good = Finding::parse("flowstorage-check: {\"level\":\"ok\",\"remedy\":null}").unwrap();
        assert_eq!(good.line(), None);
        assert_eq!(good.missing, []);
    }
}
