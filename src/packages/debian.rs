//! The names of Debian packages in the releases we know, and what they are elsewhere.
//!
//! **Invariant:** a package has at least one name; the first is the one of Debian 12 where that has it.

use super::table;

const TABLE: &str = include_str!("data/debian.tsv");

/// A Debian package under all its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name on Debian 12, then the one on Debian 13 where that is another.
    pub names: Vec<&'static str>,
    /// What it is on any distribution, as "libxml2, headers".
    pub generic: &'static str,
}

/// Returns the package that Debian 12 calls `name`.
pub fn package(name: &str) -> Option<Package> {
    let (bookworm, [trixie, generic]) = table::entry(TABLE, name)?;
    let mut names = vec![bookworm];
    names.extend(table::given(trixie).filter(|trixie| *trixie != "="));
    Some(Package { names, generic })
}
