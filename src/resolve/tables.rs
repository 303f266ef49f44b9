//! Reading the tables of a spec whose keys are their own: lists of words, and files with where they
//! come from.
//!
//! **Invariant:** a value that is read is valid; one that is not has been said, with its line.

use super::Resolver;
use crate::facts::FileFact;
use crate::problem::Place;
use crate::spec::Keyed;
use crate::spec::document::{Entry, Located, Node, Table};
use crate::storage::Source;

/// A table of a key of the spec.
#[derive(Clone, Copy)]
pub(super) struct Within<'a> {
    /// The key.
    pub(super) key: &'static str,
    /// The file that the table is in.
    pub(super) file: &'a str,
}

impl Within<'_> {
    pub(super) fn place(self, line: usize) -> Place {
        Place { file: self.file.to_owned(), line }
    }
}

impl Resolver<'_> {
    pub(super) fn problem_at(
        &mut self,
        within: Within<'_>,
        line: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problem(within.key, Some(&within.place(line)), message, remedy);
    }

    /// Says that a table has a key that it may not have.
    pub(super) fn unknown_entry(
        &mut self,
        within: Within<'_>,
        entry: &Entry,
        of: &str,
        known: &[&str],
    ) {
        let remedy = match nearest(&entry.key, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "leave it out".to_owned(),
            None => format!("it may hold {}", known.join(", ")),
        };
        self.problem_at(within, entry.line, format!("`{}` is no key of {of}", entry.key), remedy);
    }

    /// The strings of a list; one stands for a list of one. What is no string is said.
    pub(super) fn words(&mut self, within: Within<'_>, entry: &Entry) -> Vec<Keyed<String>> {
        let mut words = Vec::new();
        for item in items(&entry.value) {
            if let Node::String(text) = &item.node {
                words.push(Keyed { value: text.clone(), place: within.place(item.line) });
            } else {
                let message = format!("`{}` holds {}", entry.key, item.node.kind());
                self.problem_at(within, item.line, message, "write strings in quotes");
            }
        }
        words
    }

    /// A file beside the spec, or an address with a checksum.
    pub(super) fn source(
        &mut self,
        within: Within<'_>,
        name: &str,
        at: &Located,
    ) -> Option<Source> {
        match &at.node {
            Node::String(text) if text.contains("://") => {
                let remedy = format!("write {name} = {{ url = \"…\", sha256 = \"…\" }}");
                let message = format!("`{name}` is an address without a checksum");
                self.problem_at(within, at.line, message, remedy);
                None
            }
            Node::String(text) if text.contains('\n') => {
                let message = format!("`{name}` is a text of several lines");
                let remedy = "write it into a file beside the spec, and name the file";
                self.problem_at(within, at.line, message, remedy);
                None
            }
            Node::String(path) => {
                self.file(within.key, path, &within.place(at.line)).map(Source::File)
            }
            Node::Table(table) => self.download(within, name, table, at.line),
            other => {
                let message = format!("`{name}` is {}", other.kind());
                let remedy = "write the path of a file, or { url = \"…\", sha256 = \"…\" }";
                self.problem_at(within, at.line, message, remedy);
                None
            }
        }
    }

    fn download(
        &mut self,
        within: Within<'_>,
        name: &str,
        table: &Table,
        line: usize,
    ) -> Option<Source> {
        let mut fits = true;
        for entry in &table.entries {
            if !matches!(entry.key.as_str(), "url" | "sha256") {
                self.unknown_entry(within, entry, &format!("`{name}`"), &["url", "sha256"]);
                fits = false;
            }
        }
        let text = |key: &str| match &table.get(key)?.value.node {
            Node::String(text) => Some(text.clone()),
            _ => None,
        };
        let at = |key: &str| table.get(key).map_or(line, |entry| entry.line);
        let url = text("url").unwrap_or_default();
        let scheme = ["https://", "http://"].into_iter().any(|scheme| url.starts_with(scheme));
        if has_credential(&url) {
            let message = format!("the `url` of `{name}` holds a credential");
            self.problem_at(within, at("url"), message, "leave it out, or name a file instead");
            fits = false;
        } else if !scheme || !url.chars().all(|c| c.is_ascii_graphic()) {
            let message = format!("`{name}` has no `url` that can be fetched");
            self.problem_at(within, at("url"), message, "write url = \"https://…\"");
            fits = false;
        }
        let sha256 = text("sha256").unwrap_or_default().to_ascii_lowercase();
        let sha256 = sha256.strip_prefix("sha256:").unwrap_or(&sha256).to_owned();
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = match table.get("sha256") {
                Some(_) => format!("the `sha256` of `{name}` is not a checksum"),
                None => format!("`{name}` has an address without a checksum"),
            };
            let remedy = "add sha256 = \"…\": the 64 digits that sha256sum prints for the file";
            self.problem_at(within, at("sha256"), message, remedy);
            fits = false;
        }
        fits.then_some(Source::Url { url, sha256 })
    }

    /// The public keys that a repository is signed with.
    pub(super) fn keys(&mut self, within: Within<'_>, entry: &Entry) -> Vec<Source> {
        let mut keys = Vec::new();
        for item in items(&entry.value) {
            let Some(source) = self.source(within, &entry.key, item) else { continue };
            if let (Source::File(file), Node::String(path)) = (&source, &item.node)
                && let Some((message, remedy)) = key_fault(file)
            {
                self.problem_at(within, item.line, format!("`{path}` {message}"), remedy);
                continue;
            }
            keys.push(source);
        }
        keys
    }
}

/// A list's items, or a value that stands for a list of one.
pub(super) fn items(value: &Located) -> &[Located] {
    match &value.node {
        Node::List(items) => items,
        _ => std::slice::from_ref(value),
    }
}

/// The name that a misspelt one was probably meant to be.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = name.to_lowercase().replace(['-', ' '], "_");
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.replace('-', "_")), *known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3).min(4))
        .min()
        .map(|(_, known)| known)
}

/// Whether the part of an address before its path names a user.
pub(super) fn has_credential(uri: &str) -> bool {
    uri.split_once("://")
        .is_some_and(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or("").contains('@'))
}

/// Why a file is not the public key of a repository.
fn key_fault(file: &FileFact) -> Option<(&'static str, &'static str)> {
    // The first byte of a binary key names its packet: old and new form of RFC 4880, 4.2.
    let (is_private, is_public) = match &file.text {
        Some(text) => (
            text.contains("-----BEGIN PGP PRIVATE KEY BLOCK-----"),
            text.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----"),
        ),
        None => (
            matches!(file.first, Some(0x94..=0x97 | 0xc5)),
            matches!(file.first, Some(0x98..=0x9a | 0xc6)),
        ),
    };
    if is_private {
        Some(("is a private key", "name the public key: gpg --export --armor NAME writes it"))
    } else if is_public {
        None
    } else {
        let remedy = "name the public key that the repository is signed with, as its provider \
                      publishes it";
        Some(("is no PGP public key", remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_told_from_public_ones() {
        let text = |text: &str| FileFact { text: Some(text.to_owned()), ..FileFact::default() };
        let bytes = |first| FileFact { first: Some(first), ..FileFact::default() };
        let fault = |file: &FileFact| key_fault(file).map(|(message, _)| message);
        for (file, wanted) in [
            (text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"), None),
            (text("about it\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n"), Some("is a private key")),
            (text("<html>"), Some("is no PGP public key")),
            (bytes(0x99), None),
            (bytes(0xc6), None),
            (bytes(0x95), Some("is a private key")),
            (bytes(0xff), Some("is no PGP public key")),
            (FileFact::default(), Some("is no PGP public key")),
        ] {
            assert_eq!(fault(&file), wanted, "{file:?}");
        }
    }

    #[test]
    fn a_user_in_an_address_is_found() {
        for (uri, wanted) in [
            ("https://me:pw@example.org/x", true),
            ("https://token@example.org", true),
            ("https://example.org/a@b", false),
            ("file:/srv/a@b", false),
        ] {
            assert_eq!(has_credential(uri), wanted, "{uri}");
        }
    }
}
