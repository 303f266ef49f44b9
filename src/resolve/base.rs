//! What the name of a base image says of it.
//!
//! **Invariant:** a name that says nothing gives nothing: what an image holds is found out in the
//! build.

use crate::deps::wheel::Target;
use crate::storage::Base;

/// What is known of a base image before it is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The image, without registry mirrors resolved.
    pub(super) image: String,
    /// Major and minor version of its Python.
    pub(super) python: Option<(u8, u8)>,
    /// Its distribution.
    pub(super) system: System,
    /// Whether it is Docker's own image of Python, which has no workflow engine.
    pub(super) is_plain_python: bool,
}

/// The distribution of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// Debian or a descendant, with the glibc of its release where the name tells the release.
    Debian(Option<(u32, u32)>),
    /// Another one, by its name.
    Other(&'static str),
    /// The name does not say.
    Unknown,
}

/// Releases, as tags name them, with their glibc:
/// <https://packages.debian.org/libc6>, <https://packages.ubuntu.com/libc6>.
const RELEASES: [(&str, (u32, u32)); 10] = [
    ("buster", (2, 28)),
    ("bullseye", (2, 31)),
    ("bookworm", (2, 36)),
    ("trixie", (2, 41)),
    ("bionic", (2, 27)),
    ("focal", (2, 31)),
    ("jammy", (2, 35)),
    ("noble", (2, 39)),
    ("22.04", (2, 35)),
    ("24.04", (2, 39)),
];

/// Words of names that mean another distribution, and what it is called.
const OTHERS: [(&str, &str); 19] = [
    ("alpine", "Alpine Linux"),
    ("wolfi", "Wolfi"),
    ("chainguard", "Wolfi"),
    ("distroless", "a distroless image"),
    ("ubi7", "Red Hat's"),
    ("ubi8", "Red Hat's"),
    ("ubi9", "Red Hat's"),
    ("ubi", "Red Hat's"),
    ("rhel", "Red Hat's"),
    ("fedora", "Fedora"),
    ("centos", "CentOS"),
    ("rockylinux", "Rocky Linux"),
    ("almalinux", "AlmaLinux"),
    ("amazonlinux", "Amazon Linux"),
    ("oraclelinux", "Oracle Linux"),
    ("opensuse", "openSUSE"),
    ("archlinux", "Arch Linux"),
    ("busybox", "BusyBox"),
    ("photon", "Photon OS"),
];

/// Repositories whose images are Debian's whatever the tag says, unless it says otherwise.
const DEBIAN: [&str; 6] =
    ["python", "prefecthq/prefect", "debian", "ubuntu", "buildpack-deps", "bitnami/python"];

/// glibc of the oldest release that is still common: what is compiled for nothing does no harm.
const OLDEST_GLIBC: (u32, u32) = (2, 31);

/// Reads the name of a base.
pub(super) fn known(base: &Base) -> Option<Known> {
    let image = match base {
        Base::Image(image) => image,
        Base::Dockerfile(file) => file.parsed.image.as_ref()?,
    };
    let lower = image.to_ascii_lowercase();
    let without_digest = lower.split('@').next().unwrap_or_default();
    let last_slash = without_digest.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match without_digest[last_slash..].find(':') {
        Some(at) => (&without_digest[..last_slash + at], &without_digest[last_slash + at + 1..]),
        None => (without_digest, ""),
    };
    let path = path.trim_start_matches("docker.io/").trim_start_matches("library/");
    let is_separator = |c: char| !(c.is_ascii_alphanumeric() || c == '.');
    let words = || path.split(is_separator).chain(tag.split(is_separator));
    // `alpine3.20` is a word of tags.
    let is = |word: &str, name: &str| {
        word.strip_prefix(name)
            .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    let other = OTHERS.iter().find(|(name, _)| words().any(|word| is(word, name)));
    let release = RELEASES.iter().find(|(name, _)| words().any(|word| word == *name));
    let system = match (other, release) {
        (Some((_, name)), _) => System::Other(name),
        (None, Some((_, glibc))) => System::Debian(Some(*glibc)),
        (None, None) if DEBIAN.contains(&path) => System::Debian(None),
        (None, None) => System::Unknown,
    };
    // `python3.11` anywhere, or the tag of an image called `python`.
    let named = words().find_map(|word| version(word.strip_prefix("python")?));
    let is_python = path.rsplit('/').next() == Some("python");
    let tagged = || is_python.then(|| version(tag.split(is_separator).next()?)).flatten();
    let is_plain_python = path == "python";
    Some(Known { image: image.clone(), python: named.or_else(tagged), system, is_plain_python })
}

/// Major and minor of a version.
pub(super) fn version(text: &str) -> Option<(u8, u8)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// What wheels must fit, for each platform.
pub(super) fn targets(
    known: Option<&Known>,
    python: Option<(u8, u8)>,
    platforms: &[String],
    own_arch: &str,
) -> Vec<Target> {
    let glibc = match known.map(|known| known.system) {
        Some(System::Debian(Some(glibc))) => glibc,
        _ => OLDEST_GLIBC,
    };
    let python = python.or_else(|| known.and_then(|known| known.python));
    let arch = |platform: &str| {
        let mut parts = platform.split('/');
        match (parts.nth(1), parts.next()) {
            (Some("amd64"), _) => "x86_64".to_owned(),
            (Some("arm64"), _) => "aarch64".to_owned(),
            (Some("386"), _) => "i686".to_owned(),
            (Some("arm"), Some("v6")) => "armv6l".to_owned(),
            (Some("arm"), _) => "armv7l".to_owned(),
            (Some(other), _) => other.to_owned(),
            (None, _) => own_arch.to_owned(),
        }
    };
    let mut archs: Vec<String> = platforms.iter().map(|platform| arch(platform)).collect();
    if archs.is_empty() {
        archs.push(own_arch.to_owned());
    }
    archs.into_iter().map(|arch| Target { python, arch, glibc }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_say() {
        let debian = System::Debian;
        for (image, python, system) in [
            ("python:3.11-slim", Some((3, 11)), debian(None)),
            ("python:3.12.4-slim-bookworm", Some((3, 12)), debian(Some((2, 36)))),
            ("docker.io/library/python:3.13-slim-trixie", Some((3, 13)), debian(Some((2, 41)))),
            ("prefecthq/prefect:1.4.1-python3.10", Some((3, 10)), debian(None)),
            ("prefecthq/prefect:3-latest", None, debian(None)),
            ("python:3.12-alpine3.20", Some((3, 12)), System::Other("Alpine Linux")),
            ("registry.example.org:5000/team/base:1", None, System::Unknown),
            ("registry.example.org/python:3.9@sha256:00", Some((3, 9)), System::Unknown),
            ("ubuntu:22.04", None, debian(Some((2, 35)))),
            ("registry.example.org/ubi9/python-311", None, System::Other("Red Hat's")),
            ("alpinist/base:1", None, System::Unknown),
            ("python", None, debian(None)),
        ] {
            let found = known(&Base::Image(image.to_owned())).expect("a name");
            assert_eq!((found.python, found.system), (python, system), "{image}");
        }
    }

    #[test]
    fn targets_follow_platforms_and_release() {
        let base = known(&Base::Image("python:3.12-slim-bookworm".to_owned()));
        let platforms = ["linux/amd64".to_owned(), "linux/arm64".to_owned()];
        let found = targets(base.as_ref(), None, &platforms, "riscv64");
        let target =
            |arch: &str| Target { python: Some((3, 12)), arch: arch.to_owned(), glibc: (2, 36) };
        assert_eq!(found, [target("x86_64"), target("aarch64")]);
        let found = targets(None, Some((3, 9)), &[], "x86_64");
        let wanted =
            Target { python: Some((3, 9)), arch: "x86_64".to_owned(), glibc: OLDEST_GLIBC };
        assert_eq!(found, [wanted]);
    }
}
