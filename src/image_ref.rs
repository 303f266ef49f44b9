//! Names of images: `[registry/]repository[:tag][@digest]`.
//!
//! **Invariant:** a value of these types is one that a registry accepts, by the grammar of
//! <https://pkg.go.dev/github.com/distribution/reference>.

use std::fmt;
use std::str::FromStr;

/// A repository with its registry, without tag and digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository(String);

/// A tag: up to 128 letters, digits, `_`, `.` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(String);

/// A repository and a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageRef {
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
}

/// Why a text names no image: one line, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAName {
    /// One line.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

fn wrong(message: String, remedy: &str) -> NotAName {
    NotAName { message, remedy: remedy.to_owned() }
}

impl FromStr for Repository {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        if text.contains("://") {
            return Err(wrong(
                format!("`{text}` is a URL, not a registry"),
                "leave out the scheme, as registry.example.org/team",
            ));
        }
        if text.is_empty() || text.len() > 255 {
            return Err(wrong(
                "an image name has 1 to 255 characters".to_owned(),
                "set `image_name` to a name such as \"etl\"",
            ));
        }
        let mut parts: Vec<&str> = text.split('/').collect();
        if parts.len() > 1 && is_registry(parts[0]) {
            let host = parts.remove(0);
            if !is_host(host) {
                return Err(wrong(
                    format!("`{host}` is not a registry"),
                    "write host or host:port, as registry.example.org:5000",
                ));
            }
        }
        match parts.iter().find(|part| !is_component(part)) {
            None => Ok(Self(text.to_owned())),
            Some(part) if part.contains(':') || part.contains('@') => Err(wrong(
                format!("`{text}` holds a tag or a digest"),
                "write the tag in `image_tag`",
            )),
            Some(_) => Err(wrong(
                format!("`{text}` is not an image name"),
                "use lower-case letters, digits, and `-`, `_`, `.` or `/` between them",
            )),
        }
    }
}

impl FromStr for Tag {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let valid = text.len() <= 128
            && text.starts_with(word)
            && text.chars().all(|c| word(c) || c == '.' || c == '-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong(
                format!("`{text}` is not a tag"),
                "use up to 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`",
            ))
        }
    }
}

impl FromStr for ImageRef {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let name_starts = text.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match text[name_starts..].find(':') {
            Some(at) => (&text[..name_starts + at], &text[name_starts + at + 1..]),
            None => (text, "latest"),
        };
        Ok(Self { repository: repository.parse()?, tag: tag.parse()? })
    }
}

/// Whether the first part of a name is a registry rather than a namespace.
fn is_registry(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':', '[']) || part.chars().any(char::is_uppercase)
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let port_fits = port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    let ipv6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let name_fits = match ipv6 {
        Some(address) => address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }),
    };
    port_fits && name_fits
}

/// Lower-case alphanumerics, separated by one of `.`, `_`, `__` or any number of `-`.
fn is_component(part: &str) -> bool {
    let separator = |c: char| matches!(c, '.' | '_' | '-');
    let ends_fit = !part.is_empty() && !part.starts_with(separator) && !part.ends_with(separator);
    let chars_fit =
        part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || separator(c));
    let runs_fit = part
        .split(|c: char| !separator(c))
        .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-'));
    ends_fit && chars_fit && runs_fit
}

macro_rules! text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text!(Repository, Tag);

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

/// Whether a text can follow FROM: a name with optional tag and digest, or a build argument.
pub fn is_base_image(text: &str) -> bool {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let digest_fits = digest.is_none_or(|digest| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-')
                && hex.len() >= 32
                && hex.bytes().all(|b| b.is_ascii_hexdigit())
        })
    });
    digest_fits && name.parse::<ImageRef>().is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_registries_take() {
        for text in [
            "etl",
            "team/etl:1.0",
            "127.0.0.1:5000/etl:a_b",
            "[::1]:5000/x",
            "a.b/c--d:x",
            "localhost/etl:latest",
            "registry.example.org:443/a/b/c__d:2026-11-24",
        ] {
            let parsed: ImageRef = text.parse().unwrap_or_else(|e| panic!("{text}: {e:?}"));
            let shown = parsed.to_string();
            assert!(shown == text || shown == format!("{text}:latest"), "{text} → {shown}");
        }
    }

    #[test]
    fn names_that_they_refuse() {
        for text in [
            "",
            "ETL",
            "a//b",
            "-a",
            "a:b:c",
            "a b",
            "a/",
            "/a",
            "a___b",
            "a..b",
            "a:-x",
            "https://example.org/a",
            "ex_ample.org/a",
            "a\nRUN x",
            "a:x\n",
            "é",
        ] {
            assert!(text.parse::<ImageRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn bases_may_have_digests() {
        let digest = "a".repeat(64);
        assert!(is_base_image(&format!("python:3.11@sha256:{digest}")));
        assert!(is_base_image("python"));
        assert!(!is_base_image("python@sha256:xyz"));
        assert!(!is_base_image("python AS x"));
    }

    proptest! {
        #[test]
        fn no_name_can_end_its_line(text in "\\PC{0,40}|[a-z \\n\\t:/@.]{0,40}") {
            if is_base_image(&text) {
                prop_assert!(!text.contains(|c: char| c.is_whitespace() || c.is_control()));
            }
        }
    }
}
