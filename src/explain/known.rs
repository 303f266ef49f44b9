//! What the tables of packages say about a match: names by release, and what is missing by its name.
//!
//! **Invariant:** a name that is in a table is never left to a search.

use super::{Fix, Missing, MissingKind, Release};
use crate::packages;
use crate::storage::Phase;

/// The package that Debian 12 calls `name`, as a release calls it. One that the release no longer
/// has keeps its name: apt says so.
pub(super) fn name_in(release: Release, name: &str) -> String {
    let known = packages::package(name);
    let names = known.map(|package| package.names).unwrap_or_default();
    let chosen = match release {
        Release::Bookworm => names.first(),
        Release::Trixie => names.last(),
    };
    chosen.map_or_else(|| name.to_owned(), |name| (*name).to_owned())
}

/// What a package is on a distribution that is not Debian's.
pub(super) fn generic_name(name: &str) -> String {
    packages::package(name).map_or_else(|| name.to_owned(), |package| package.generic.to_owned())
}

/// Whether the releases call a package by different names.
pub(super) fn is_renamed(name: &str) -> bool {
    packages::package(name).is_some_and(|package| package.names.len() > 1)
}

/// Adds the package of everything that a table knows; what remains is missing.
pub(super) fn answer(fix: &mut Fix, missing: &[Missing]) {
    for one in missing {
        let found = match one.kind {
            MissingKind::Header => packages::header(&one.name).first().copied(),
            MissingKind::Library => packages::soname(&one.name).first().copied(),
            MissingKind::Program => packages::program(&one.name),
            MissingKind::PkgConfig => None,
        };
        let list = match one.phase {
            Phase::Build => &mut fix.build,
            Phase::Run => &mut fix.run,
        };
        if let Some(package) = found
            && !list.iter().any(|known| known == package)
        {
            list.push(package.to_owned());
        }
    }
}

/// Whether a table knows what has it.
pub(super) fn is_known(missing: &Missing) -> bool {
    let mut fix = Fix::default();
    answer(&mut fix, std::slice::from_ref(missing));
    fix != Fix::default()
}

/// Adds what compiling a distribution takes, and what the result is linked with.
pub(super) fn add_distribution(fix: &mut Fix, name: &str) {
    let Some(known) = packages::distribution(name) else { return };
    for (list, names) in [(&mut fix.build, known.compiled), (&mut fix.run, known.linked)] {
        for name in names {
            if !list.iter().any(|listed| listed == name) {
                list.push(name.to_owned());
            }
        }
    }
}
