//! Which names belong to the interpreter and its standard library.
//!
//! **Invariant:** the names are those of `stdlib.toml`, read once.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Deserialize;

static NAMES: LazyLock<Names> =
    LazyLock::new(|| toml::from_str(include_str!("stdlib.toml")).unwrap_or_default());

#[derive(Default, Deserialize)]
struct Names {
    fixed: BTreeSet<String>,
    standard: BTreeSet<String>,
}

/// Whether no file on the path can take the place of a module: it is part of the interpreter, or
/// imported before the path is known.
pub(super) fn is_fixed(name: &str) -> bool {
    NAMES.fixed.contains(name)
}

/// Whether a module is of the standard library. Only what lies beside the script comes before it.
pub(super) fn is_standard(name: &str) -> bool {
    NAMES.standard.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known() {
        assert!(NAMES.fixed.len() > 30 && NAMES.standard.len() > 150);
        assert!(NAMES.fixed.is_disjoint(&NAMES.standard));
        for (name, fixed, standard) in [
            ("sys", true, false),
            ("zipimport", true, false),
            ("queue", false, true),
            ("zlib", false, true),
            // Newer than 3.6, or gone since 3.12.
            ("tomllib", false, false),
            ("distutils", false, false),
            ("pandas", false, false),
        ] {
            assert_eq!((is_fixed(name), is_standard(name)), (fixed, standard), "{name}");
        }
    }
}
