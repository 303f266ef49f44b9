//! Questions to a distribution's lists of contents (`Contents-ARCH` of an apt repository), and which
//! of the packages that they name is meant.
//!
//! A line of such a list is a path without its first slash, spaces, and the packages that have it,
//! each with its section: `usr/include/uhd.h   libdevel/libuhd-dev`.
//!
//! **Invariant:** the answer depends on the lines alone, not on their order.

use regex::Regex;

use super::{Missing, MissingKind};

/// Characters that mean something else in a regular expression of POSIX.
const SPECIAL: &str = r".^$*+?()[]{}|\";

/// A part of every line that answers, as it is written there.
pub fn literal(missing: &Missing) -> String {
    match missing.kind {
        MissingKind::Header | MissingKind::Program => format!("/{}", missing.name),
        MissingKind::PkgConfig => format!("/{}.pc", missing.name),
        MissingKind::Library => format!("/{}", library_file(&missing.name)),
    }
}

/// An extended regular expression of POSIX that only lines match that answer.
pub fn pattern(missing: &Missing) -> String {
    let name = escaped(missing);
    let path = match missing.kind {
        MissingKind::Header => format!("usr/.*include/(.*/)?{name}"),
        MissingKind::PkgConfig => format!("usr/.*pkgconfig/{name}"),
        MissingKind::Program => format!("(usr/)?(s?bin|games)/{name}"),
        MissingKind::Library => format!("(usr/)?lib.*/{name}"),
    };
    format!("^(\\./)?{path}[[:space:]]")
}

/// The same for the places where compilers, linkers and shells look first: none is better.
pub fn exact(missing: &Missing) -> String {
    let name = escaped(missing);
    let path = match missing.kind {
        MissingKind::Header => format!("usr/include/({TRIPLET}/)?{name}"),
        MissingKind::PkgConfig => format!("usr/(lib/({TRIPLET}/)?|share/)pkgconfig/{name}"),
        MissingKind::Program => format!("(usr/)?s?bin/{name}"),
        MissingKind::Library => format!("(usr/)?lib/({TRIPLET}/)?{name}"),
    };
    format!("^(\\./)?{path}[[:space:]]")
}

/// A folder for one architecture.
const TRIPLET: &str = "[a-z0-9_]+-linux-gnu[a-z0-9]*";

/// The file's name as a part of an expression.
fn escaped(missing: &Missing) -> String {
    let name = match missing.kind {
        MissingKind::Header | MissingKind::Program => missing.name.clone(),
        MissingKind::PkgConfig => format!("{}.pc", missing.name),
        MissingKind::Library => library_file(&missing.name),
    };
    let escaped = |c: char| SPECIAL.contains(c).then_some('\\').into_iter().chain([c]);
    name.chars().flat_map(escaped).collect()
}

/// `-lfoo` links with `libfoo.so`.
fn library_file(name: &str) -> String {
    name.strip_prefix("-l").map_or_else(|| name.to_owned(), |link| format!("lib{link}.so"))
}

/// The package that has what is missing, among lines of the lists.
pub fn best<S: AsRef<str>>(missing: &Missing, lines: &[S]) -> Option<String> {
    let answers = Regex::new(&pattern(missing)).ok()?;
    let lines = lines.iter().map(AsRef::as_ref).filter(|line| answers.is_match(line));
    let candidates = lines.filter_map(read).flat_map(|(path, all)| {
        all.split(',').filter_map(move |entry| {
            let (section, package) = entry.rsplit_once('/').unwrap_or(("", entry));
            Some((rank(missing, path, section, package)?, package))
        })
    });
    candidates.min().map(|(_, package)| package.to_owned())
}

fn read(line: &str) -> Option<(&str, &str)> {
    let (path, packages) = line.trim_end().rsplit_once([' ', '\t'])?;
    let path = path.trim_end();
    Some((path.strip_prefix("./").unwrap_or(path), packages))
}

/// What tells packages apart, the best first: whether it is where compilers, linkers and shells look;
/// whether its kind is right; whether it is free; how deep; whether its name is alike; how short.
type Rank = (usize, bool, bool, usize, bool, usize);

fn rank(missing: &Missing, path: &str, section: &str, package: &str) -> Option<Rank> {
    let name = missing.name.as_str();
    let (places, file, is_for_building): (&[&str], String, bool) = match missing.kind {
        MissingKind::Header => (&["usr/include/"], name.to_owned(), true),
        MissingKind::PkgConfig => {
            (&["usr/lib/pkgconfig/", "usr/share/pkgconfig/"], format!("{name}.pc"), true)
        }
        MissingKind::Program => {
            (&["usr/bin/", "bin/", "usr/sbin/", "sbin/"], name.to_owned(), false)
        }
        MissingKind::Library => (&["usr/lib/", "lib/"], library_file(name), name.starts_with("-l")),
    };
    let place = without_triplet(path.strip_suffix(file.as_str())?);
    let at = places.iter().position(|known| *known == place).unwrap_or(places.len());
    let is_odd =
        if is_for_building { !package.ends_with("-dev") } else { package.ends_with("-dev") };
    let is_unfree = section.contains("non-free") || section.contains("contrib");
    let alike = stem(missing);
    let is_unlike = !package.to_lowercase().contains(&alike);
    Some((at, is_odd, is_unfree, path.matches('/').count(), is_unlike, package.len()))
}

/// `usr/lib/x86_64-linux-gnu/` is `usr/lib/` for one architecture.
fn without_triplet(folder: &str) -> String {
    let parts = folder.split('/').filter(|part| !part.contains("-linux-gnu"));
    parts.collect::<Vec<_>>().join("/")
}

/// The part of a name that a package's name probably has too.
fn stem(missing: &Missing) -> String {
    let name = missing.name.trim_start_matches("-l");
    let first = name.split(['/', '.']).next().unwrap_or_default();
    let stem = match missing.kind {
        MissingKind::Library => first.trim_start_matches("lib"),
        MissingKind::Header | MissingKind::Program | MissingKind::PkgConfig => first,
    };
    stem.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Phase;

    fn missing(kind: MissingKind, name: &str) -> Missing {
        Missing { kind, name: name.to_owned(), phase: Phase::Build }
    }

    #[track_caller]
    fn check(kind: MissingKind, name: &str, lines: &[&str], expected: Option<&str>) {
        let missing = missing(kind, name);
        assert_eq!(best(&missing, lines).as_deref(), expected, "{name}");
        let reversed: Vec<&str> = lines.iter().rev().copied().collect();
        assert_eq!(best(&missing, &reversed).as_deref(), expected, "{name}");
        // What would be answered is what is asked for.
        let pattern = Regex::new(&pattern(&missing)).unwrap();
        let exactly = Regex::new(&exact(&missing)).unwrap();
        assert!(
            lines.iter().all(|line| !exactly.is_match(line) || pattern.is_match(line)),
            "{name}"
        );
        for line in lines {
            let asked = pattern.is_match(line) && line.contains(&literal(&missing));
            assert_eq!(asked, best(&missing, &[line]).is_some(), "{line}");
        }
    }

    #[test]
    fn the_place_decides_then_the_kind_then_the_name() {
        use MissingKind::{Header, Library, PkgConfig, Program};
        check(
            Header,
            "hiredis/hiredis.h",
            &[
                "usr/include/x/hiredis/hiredis.h               libdevel/libx-dev",
                "usr/include/hiredis/hiredis.h                 libdevel/libhiredis-dev",
                "usr/share/include/hiredis/hiredis.h           libdevel/a-dev",
            ],
            Some("libhiredis-dev"),
        );
        check(
            Header,
            "png.h",
            &[
                "usr/lib/include/png.h               libdevel/png-dev",
                "usr/include/x86_64-linux-gnu/png.h  libdevel/libpng-dev",
                "usr/include/png.h                   non-free/libdevel/libpng-x-dev,misc/png",
            ],
            Some("libpng-dev"),
        );
        check(
            Library,
            "-lmodbus",
            &[
                "usr/lib/x86_64-linux-gnu/libmodbus.so    libdevel/libmodbus-dev",
                "usr/lib/i386/other/libmodbus.so          libdevel/a-dev",
            ],
            Some("libmodbus-dev"),
        );
        check(
            Library,
            "libmodbus.so.5",
            &[
                "usr/lib/x86_64-linux-gnu/libmodbus.so.5   libs/libmodbus5",
                "usr/lib/game/libmodbus.so.5               games/game",
            ],
            Some("libmodbus5"),
        );
        check(
            PkgConfig,
            "libmongoc-1.0",
            &[
                "usr/lib/x86_64-linux-gnu/pkgconfig/libmongoc-1.0.pc universe/libdevel/libmongoc-dev",
            ],
            Some("libmongoc-dev"),
        );
        check(
            Program,
            "g++",
            &["./usr/bin/g++ devel/g++", "usr/sbin/g++ devel/other", "usr/games/g++ games/x"],
            Some("g++"),
        );
    }

    #[test]
    fn what_is_exact_needs_no_other_list() {
        let exactly = |kind, name: &str, line: &str| {
            Regex::new(&exact(&missing(kind, name))).unwrap().is_match(line)
        };
        for (kind, name, path, expected) in [
            (MissingKind::Header, "a/b.h", "usr/include/a/b.h", true),
            (MissingKind::Header, "a/b.h", "usr/include/x86_64-linux-gnu/a/b.h", true),
            (MissingKind::Header, "a/b.h", "usr/include/c/a/b.h", false),
            (MissingKind::Library, "-lfoo", "usr/lib/aarch64-linux-gnu/libfoo.so", true),
            (MissingKind::Library, "libfoo.so.1", "lib/arm-linux-gnueabihf/libfoo.so.1", true),
            (MissingKind::Library, "libfoo.so.1", "usr/lib/foo/libfoo.so.1", false),
            (MissingKind::PkgConfig, "foo", "usr/share/pkgconfig/foo.pc", true),
            (MissingKind::Program, "foo", "usr/games/foo", false),
            (MissingKind::Program, "foo", "sbin/foo", true),
        ] {
            assert_eq!(exactly(kind, name, &format!("{path}  x/y")), expected, "{path}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_no_answer() {
        use MissingKind::{Header, Library, Program};
        check(Header, "uhd.h", &["usr/include/my_uhd.h x/y", "usr/include/uhd.hpp x/y"], None);
        check(
            Library,
            "libfoo.so.1",
            &["usr/lib/libfoo.so.10 x/y", "usr/lib/libfooXso.1 x/y"],
            None,
        );
        check(Program, "osmium", &["usr/share/doc/osmium x/y"], None);
    }
}
