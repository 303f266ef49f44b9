//! A problem of the user's input, with its place and its remedy.
//!
//! **Invariant:** a problem can always be acted on: it names what to change.

use std::fmt;

use serde::Serialize;

/// Where in a file something stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file as the user named it, or relative to the spec.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One thing that is wrong in a spec or in what it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key of the spec that it is about.
    pub key: Option<String>,
    /// Where that key, or the offending text, stands.
    pub place: Option<Place>,
    /// One line: lower case, no final period.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}\n    {}", self.message, self.remedy)
    }
}
