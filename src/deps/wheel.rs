//! Wheel file names, and which machine takes which wheel.
//!
//! The names are those of PEP 427, the tags in them those of PEP 425, PEP 600 and PEP 656. Only
//! `CPython` with its lock (no `cp313t`) on Linux with glibc is a target.
//!
//! **Invariant:** a wheel that is said to fit is one that pip and uv would take there.

use std::ops::RangeInclusive;
use std::str::FromStr;

use pep440_rs::Version;

/// The Pythons that an image may have where nothing says which one it is: minor versions of 3.
const SUPPORTED: RangeInclusive<u8> = 8..=14;

/// What a wheel must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Major and minor version of Python, if it is known.
    pub python: Option<(u8, u8)>,
    /// The architecture as wheels have it: `x86_64`, `aarch64`.
    pub arch: String,
    /// The version of glibc.
    pub glibc: (u32, u32),
}

/// Whether a wheel fits a target. Where its Python is not known, a wheel fits that fits any Python
/// from 3.8 to 3.14: whoever leaves the version open gets one that has wheels in most cases, and
/// the build says so where it is not.
pub fn fits(file_name: &str, target: &Target) -> bool {
    let Some(name) = WheelName::parse(file_name) else { return false };
    match target.python {
        Some((3, minor)) => name.fits(minor, target),
        Some(_) => false,
        None => SUPPORTED.clone().any(|minor| name.fits(minor, target)),
    }
}

/// A wheel's file name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelName<'a> {
    /// The distribution as the file name spells it.
    pub distribution: &'a str,
    /// Its version.
    pub version: Version,
    pythons: &'a str,
    abis: &'a str,
    platforms: &'a str,
}

impl<'a> WheelName<'a> {
    /// Takes a file name apart; none if it is not a wheel's.
    pub fn parse(file_name: &'a str) -> Option<Self> {
        let parts: Vec<&str> = file_name.strip_suffix(".whl")?.split('-').collect();
        let (distribution, version, build, tags) = match parts.as_slice() {
            [distribution, version, tags @ ..] if tags.len() == 3 => {
                (distribution, version, None, tags)
            }
            [distribution, version, build, tags @ ..] if tags.len() == 3 => {
                (distribution, version, Some(build), tags)
            }
            _ => return None,
        };
        if build.is_some_and(|build| !build.starts_with(|c: char| c.is_ascii_digit())) {
            return None;
        }
        // Names in URLs have `+` escaped, and old tools wrote `_` for `-` and for `+`.
        let unescaped = version.replace("%2B", "+").replace("%2b", "+");
        let version = Version::from_str(&unescaped)
            .or_else(|_| Version::from_str(&unescaped.replacen('_', "+", 1)))
            .ok()?;
        let [pythons, abis, platforms] = tags else { return None };
        Some(Self { distribution, version, pythons, abis, platforms })
    }

    /// Each of the three is a set, written with dots.
    fn fits(&self, minor: u8, target: &Target) -> bool {
        let platforms = || self.platforms.split('.');
        let is_any = platforms().any(|platform| platform == "any");
        let is_here = is_any || platforms().any(|platform| fits_platform(platform, target));
        let mut pairs = self
            .pythons
            .split('.')
            .flat_map(|python| self.abis.split('.').map(move |abi| (python, abi)));
        is_here && pairs.any(|(python, abi)| fits_python(python, abi, minor))
    }
}

/// Whether Python 3.`minor` takes a pair of tags.
fn fits_python(python: &str, abi: &str, minor: u8) -> bool {
    let of = |prefix: &str| {
        let digits = python.strip_prefix(prefix)?.strip_prefix('3')?;
        if digits.is_empty() { Some(None) } else { digits.parse::<u8>().ok().map(Some) }
    };
    match (of("cp"), of("py"), abi) {
        // The stable ABI goes on working in every later Python.
        (Some(Some(built)), _, "abi3") => built <= minor,
        (Some(Some(built)), _, "none") => built == minor,
        (Some(Some(built)), _, abi) => built == minor && abi == python,
        (_, Some(None), "none") => true,
        (_, Some(Some(from)), "none") => from <= minor,
        _ => false,
    }
}

/// Whether a platform tag is one of Linux with glibc on the target's architecture.
fn fits_platform(platform: &str, target: &Target) -> bool {
    let Some(tag) = platform.strip_suffix(target.arch.as_str()) else { return false };
    let needed = match tag {
        // Not in an index, but in a folder of wheels.
        "linux_" => return true,
        "manylinux1_" => (2, 5),
        "manylinux2010_" => (2, 12),
        "manylinux2014_" => (2, 17),
        tag => {
            let version = tag.strip_prefix("manylinux_").and_then(|tag| tag.strip_suffix('_'));
            let numbers = version.and_then(|version| version.split_once('_'));
            match numbers.map(|(major, minor)| (major.parse(), minor.parse())) {
                Some((Ok(major), Ok(minor))) => (major, minor),
                _ => return false,
            }
        }
    };
    needed <= target.glibc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bookworm(python: Option<(u8, u8)>, arch: &str) -> Target {
        Target { python, arch: arch.to_owned(), glibc: (2, 36) }
    }

    /// Real names, and the Pythons of 3.8 to 3.14 on `x86_64` that take them.
    #[test]
    fn wheels_fit_the_pythons_that_pip_gives_them() {
        for (file, wanted) in [
            ("numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "11"),
            ("numpy-1.26.4-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", ""),
            ("numpy-1.26.4-cp311-cp311-musllinux_1_1_x86_64.whl", ""),
            ("numpy-1.26.4-cp311-cp311-macosx_11_0_arm64.whl", ""),
            ("numpy-2.2.0-cp313-cp313t-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", ""),
            ("numpy-1.26.4-pp39-pypy39_pp73-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", ""),
            ("numpy-1.21.6-cp37-cp37m-manylinux_2_12_x86_64.manylinux2010_x86_64.whl", ""),
            ("cryptography-42.0.5-cp37-abi3-manylinux_2_28_x86_64.whl", "8 9 10 11 12 13 14"),
            ("cryptography-42.0.5-cp311-abi3-manylinux_2_28_x86_64.whl", "11 12 13 14"),
            ("cryptography-42.0.5-cp39-abi3-musllinux_1_2_x86_64.whl", ""),
            ("cryptography-42.0.5-cp39-abi3-win_amd64.whl", ""),
            ("psycopg2-2.9.9-cp311-cp311-win_amd64.whl", ""),
            ("psycopg2_binary-2.9.9-cp38-cp38-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "8"),
            ("pyodbc-5.1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "12"),
            ("ibm_db-3.2.3-cp39-cp39-manylinux1_x86_64.whl", "9"),
            ("ibm_db-3.2.6-cp310-cp310-manylinux_2_17_i686.manylinux2014_i686.whl", ""),
            ("tensorflow-2.16.1-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "10"),
            ("pywin32-306-cp311-cp311-win_amd64.whl", ""),
            ("six-1.16.0-py2.py3-none-any.whl", "8 9 10 11 12 13 14"),
            ("futures-3.4.0-py2-none-any.whl", ""),
            ("torch-2.1.0%2Bcpu-cp311-cp311-linux_x86_64.whl", "11"),
            ("importlib_metadata-7.0-py310-none-any.whl", "10 11 12 13 14"),
            (
                "ruff-0.4.1-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                "8 9 10 11 12 13 14",
            ),
            ("pkg-1.0-cp310-none-any.whl", "10"),
            ("pkg-1.0-1build-py3-none-any.whl", "8 9 10 11 12 13 14"),
            ("pkg-1.0-cp38.cp39-cp38.cp39-manylinux2010_x86_64.whl", "8 9"),
            ("pkg-1.0-cp311-cp311-manylinux_2_39_x86_64.whl", ""),
            ("pkg-1.0-build-py3-none-any.whl", ""),
            ("pkg-1.0.tar.gz", ""),
            ("pkg-not_a_version-py3-none-any.whl", ""),
        ] {
            let is_taken = |minor: &u8| fits(file, &bookworm(Some((3, *minor)), "x86_64"));
            let taken: Vec<String> =
                SUPPORTED.filter(is_taken).map(|minor| minor.to_string()).collect();
            assert_eq!(taken.join(" "), wanted, "{file}");
            assert_eq!(fits(file, &bookworm(None, "x86_64")), !wanted.is_empty(), "{file}");
        }
    }

    #[test]
    fn the_architecture_and_the_age_of_glibc_count() {
        let file = "numpy-2.0.0-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl";
        assert!(fits(file, &bookworm(Some((3, 11)), "aarch64")));
        assert!(!fits(file, &bookworm(Some((2, 7)), "aarch64")));
        for (platform, oldest) in [
            ("manylinux1", (2, 5)),
            ("manylinux2010", (2, 12)),
            ("manylinux2014", (2, 17)),
            ("manylinux_2_28", (2, 28)),
        ] {
            let file = format!("x-1-cp311-cp311-{platform}_x86_64.whl");
            let at = |glibc| {
                let target = bookworm(Some((3, 11)), "x86_64");
                fits(&file, &Target { glibc, ..target })
            };
            assert_eq!((at(oldest), at((2, oldest.1 - 1))), (true, false), "{file}");
        }
    }

    #[test]
    fn a_name_is_taken_apart() {
        let name = WheelName::parse("foo_bar-1.0_local.1-2b-py3-none-any.whl").unwrap();
        assert_eq!(
            (name.distribution, name.version.to_string()),
            ("foo_bar", "1.0+local.1".into())
        );
    }
}
