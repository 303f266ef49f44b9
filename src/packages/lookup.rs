//! Which Debian packages have a library, a header, a program, or what an external requirement names.
//!
//! **Invariant:** where the releases differ, Debian 12's package comes first.

use super::{PROGRAMS, SONAMES, table};

const HEADERS: &str = include_str!("data/headers.tsv");
const EXTERNAL: &str = include_str!("data/external.tsv");

/// What a requirement of `[external]` (PEP 725) stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Packages that building with it needs.
    pub build: Vec<&'static str>,
    /// Packages that running with it needs.
    pub run: Vec<&'static str>,
}

/// Returns the package that has a program.
pub fn program(name: &str) -> Option<&'static str> {
    let (_, [package]) = table::entry(PROGRAMS, name)?;
    Some(package)
}

/// Returns the packages that have a shared library with this soname.
pub fn soname(name: &str) -> Vec<&'static str> {
    by_release(SONAMES, name)
}

/// Returns the packages that have a header, as an `#include` names it.
pub fn header(name: &str) -> Vec<&'static str> {
    by_release(HEADERS, name)
}

fn by_release(table: &'static str, name: &str) -> Vec<&'static str> {
    let cells = table::entry(table, name).map(|(_, cells): (_, [_; 2])| cells).unwrap_or_default();
    let mut packages: Vec<_> = cells.into_iter().flat_map(table::items).collect();
    packages.dedup();
    packages
}

/// Returns what the identifier of an external requirement stands for, whatever version it asks for.
///
/// An early draft of PEP 725 wrote `pkg:generic/libpq` for `dep:generic/libpq`.
pub fn external(id: &str) -> Option<External> {
    let id = id.split(['@', '?', '#']).next().unwrap_or_default().trim_end();
    let renamed = id.strip_prefix("pkg:").map(|rest| format!("dep:{rest}"));
    let (_, [build, run]) = table::entry(EXTERNAL, renamed.as_deref().unwrap_or(id))?;
    Some(External { build: table::items(build), run: table::items(run) })
}
