//! What Python distributions need of the system.
//!
//! **Invariant:** every Debian package is given by the name that `package` knows it by.

use super::table;

const TABLE: &str = include_str!("data/distributions.tsv");

/// Whether the package index has a wheel for Linux, of the distribution and of what it always pulls in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wheel {
    /// Of every recent version, for amd64 and arm64.
    Yes,
    /// Of none: it is compiled, or it is pure and comes as source.
    No,
    /// Of some versions, platforms or Pythons only.
    Partial,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Its normalised name.
    pub name: &'static str,
    /// Packages that building it from source needs.
    pub compiled: Vec<&'static str>,
    /// Packages that the image needs if it was built from source.
    pub linked: Vec<&'static str>,
    /// Packages that the image always needs.
    pub needed: Vec<&'static str>,
    /// Libraries that it opens at run time, as `ctypes.util.find_library` takes them.
    pub loads: Vec<&'static str>,
    /// Programs that it runs.
    pub calls: Vec<&'static str>,
    /// Whether the package index spares compiling it.
    pub wheel: Wheel,
    /// What else its user should know.
    pub note: Option<&'static str>,
}

/// Returns what is known of the distribution with a normalised name (PEP 503).
pub fn distribution(normalised: &str) -> Option<Distribution> {
    let (name, [compiled, linked, needed, loads, calls, wheel, note]) =
        table::entry(TABLE, normalised)?;
    let wheel = match wheel {
        "no" => Wheel::No,
        "partial" => Wheel::Partial,
        _ => Wheel::Yes,
    };
    Some(Distribution {
        name,
        compiled: table::items(compiled),
        linked: table::items(linked),
        needed: table::items(needed),
        loads: table::items(loads),
        calls: table::items(calls),
        wheel,
        note: table::given(note),
    })
}
