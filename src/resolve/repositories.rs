//! `apt_repositories`: each table a repository of Debian packages, complete and valid.
//!
//! **Invariant:** every repository has a key, and a name that no other has; no value of one can be
//! read as two.

use super::Resolver;
use super::tables::{Within, has_credential, items};
use crate::spec::Keyed;
use crate::spec::document::{Entry, Node, Table};
use crate::storage::AptRepository;

const KEY: &str = "apt_repositories";
const KNOWN: [&str; 7] =
    ["name", "uris", "suites", "components", "architectures", "signed_by", "types"];

/// What apt fetches from, without a helper of its own to install.
const SCHEMES: [&str; 8] = [
    "https:",
    "http:",
    "file:",
    "copy:",
    "mirror:",
    "mirror+https:",
    "mirror+http:",
    "mirror+file:",
];

/// What stands for something that only the base knows.
const PLACES: [&str; 3] = ["{codename}", "{version}", "{id}"];

impl Resolver<'_> {
    /// The repositories of the spec; `others` are those of recipes.
    pub(super) fn repositories(&mut self, others: Vec<AptRepository>) -> Vec<AptRepository> {
        let mut all: Vec<AptRepository> = Vec::new();
        if let Some(list) = &self.storage.apt_repositories {
            for item in &list.value {
                let within = Within { key: KEY, file: &list.place.file };
                let Node::Table(table) = &item.node else { continue };
                let Some(mut found) = self.repository(within, table, item.line) else { continue };
                let is_taken = |name: &str| all.iter().any(|other| other.name == name);
                if let (Some(entry), true) = (table.get("name"), is_taken(&found.name)) {
                    let message = format!("two repositories are called `{}`", found.name);
                    self.problem_at(within, entry.line, message, "give each its own name");
                } else {
                    found.name = free(&found.name, &all);
                    all.push(found);
                }
            }
        }
        for mut other in others {
            other.name = free(&other.name, &all);
            all.push(other);
        }
        all
    }

    fn repository(
        &mut self,
        within: Within<'_>,
        table: &Table,
        line: usize,
    ) -> Option<AptRepository> {
        let before = self.problems.len();
        for entry in &table.entries {
            self.check_entry(within, entry);
        }
        for (key, example) in [
            ("uris", "uris = [\"https://packages.example.org/debian\"]"),
            ("suites", "suites = [\"{codename}\"]"),
            ("signed_by", "signed_by = \"example.asc\", the public key that it is signed with"),
        ] {
            if table.get(key).is_none() {
                let message = format!("a repository has no `{key}`");
                self.problem_at(within, line, message, format!("add {example}"));
            }
        }
        let mut list = |key: &str, check: Check| -> Vec<String> {
            let Some(entry) = table.get(key) else { return Vec::new() };
            let words = self.words(within, entry);
            if items(&entry.value).is_empty() && key != "components" {
                let message = format!("`{key}` is empty");
                self.problem_at(within, entry.line, message, "name one, or leave the key out");
            }
            for word in &words {
                if let Some((message, remedy)) = check(&word.value) {
                    self.problem(KEY, Some(&word.place), message, remedy);
                }
            }
            words.into_iter().map(|word| word.value).collect()
        };
        let mut types = list("types", check_type);
        let uris = list("uris", check_uri);
        let suites = list("suites", check_suite);
        let components = list("components", check_component);
        let architectures = list("architectures", check_architecture);
        let keys = table.get("signed_by").map(|entry| self.keys(within, entry));
        self.check_suites(within, table, &suites, &components, line);
        let name = match table.get("name") {
            Some(entry) => self.repository_name(within, entry),
            None => uris.first().map(|uri| name_of(uri)),
        };
        if types.is_empty() {
            types.push("deb".to_owned());
        }
        let because = format!("{KEY}, {}", within.place(line));
        (self.problems.len() == before).then_some(AptRepository {
            name: name?,
            types,
            uris,
            suites,
            components,
            architectures,
            keys: keys?,
            because,
        })
    }

    fn check_entry(&mut self, within: Within<'_>, entry: &Entry) {
        match entry.key.as_str() {
            key if KNOWN.contains(&key) => {}
            "packages" => {
                let remedy = "name packages in `system_packages` or `build_packages`";
                self.problem_at(
                    within,
                    entry.line,
                    "a repository has no packages of its own",
                    remedy,
                );
            }
            key if key.to_lowercase().replace('-', "_").starts_with("allow_")
                || key.to_lowercase() == "trusted" =>
            {
                let message = format!("`{key}` would do without the repository's signature");
                let remedy = "leave it out, and name the key in `signed_by`";
                self.problem_at(within, entry.line, message, remedy);
            }
            _ => self.unknown_entry(within, entry, "a repository", &KNOWN),
        }
    }

    /// A suite is a path that ends in `/`, or has components.
    fn check_suites(
        &mut self,
        within: Within<'_>,
        table: &Table,
        suites: &[String],
        components: &[String],
        line: usize,
    ) {
        let (paths, names): (Vec<_>, Vec<_>) = suites.iter().partition(|s| s.ends_with('/'));
        match (names.first(), paths.first(), table.get("components")) {
            (Some(suite), _, None) => {
                let message = format!("the suite `{suite}` has no `components`");
                let remedy =
                    "add components = [\"main\"], or end the suite with `/` if it is a path";
                self.problem_at(within, line, message, remedy);
            }
            (Some(suite), _, Some(entry)) if components.is_empty() => {
                let message = format!("the suite `{suite}` has no components");
                self.problem_at(within, entry.line, message, "add components = [\"main\"]");
            }
            (_, Some(path), Some(entry)) if !components.is_empty() => {
                let message = format!("the suite `{path}` is a path, which has no components");
                let remedy = "leave `components` out, or the `/` at the end of the suite";
                self.problem_at(within, entry.line, message, remedy);
            }
            _ => {}
        }
    }

    fn repository_name(&mut self, within: Within<'_>, entry: &Entry) -> Option<String> {
        let words = self.words(within, entry);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let [Keyed { value, .. }] = words.as_slice()
            && value.starts_with(|c: char| c.is_ascii_alphanumeric())
            && value.chars().all(fits)
        {
            return Some(value.clone());
        }
        let message = "the name of a repository becomes the name of a file";
        self.problem_at(within, entry.line, message, "use letters, digits, `-`, `_` and `.`");
        None
    }
}

/// What is wrong with a value, and what to do about it.
type Fault = (String, &'static str);
type Check = fn(&str) -> Option<Fault>;

/// A word that has none of the characters that apt or a shell could take for something else.
fn is_plain(text: &str, also: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.+~".contains(c) || also.contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || also.contains(c))
        && text.chars().all(fits)
}

fn check_type(text: &str) -> Option<Fault> {
    if matches!(text, "deb" | "deb-src") {
        return None;
    }
    Some((format!("`{}` is no type of a repository", shown(text)), "write \"deb\" or \"deb-src\""))
}

fn check_uri(text: &str) -> Option<Fault> {
    if has_credential(text) {
        let remedy = "leave it out, and give apt a netrc file through `build_secrets`";
        return Some(("an address in `uris` holds a credential".to_owned(), remedy));
    }
    let rest = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
    let Some(rest) = rest else {
        let remedy = "begin it with https://, http:// or file:/";
        return Some((format!("`{}` is no address that apt fetches from", shown(text)), remedy));
    };
    let fits = |c: char| c.is_ascii_graphic() && !"\"'`\\<>|^,".contains(c);
    if rest.trim_start_matches('/').is_empty() || !rest.starts_with('/') || !rest.chars().all(fits)
    {
        let remedy = "write one address per item, with spaces and other special characters as %20";
        return Some((format!("`{}` is not the address of a repository", shown(text)), remedy));
    }
    check_places(text)
}

fn check_suite(text: &str) -> Option<Fault> {
    let bare = PLACES.iter().fold(text.to_owned(), |text, place| text.replace(place, "x"));
    // The root of a repository without releases is `/` or `./`.
    if !bare.contains(['{', '}']) && !is_plain(&bare, "/.") {
        let remedy = "write one suite per item, as \"bookworm\" or \"{codename}\"";
        return Some((format!("`{}` is not the name of a suite", shown(text)), remedy));
    }
    check_places(text)
}

fn check_component(text: &str) -> Option<Fault> {
    if is_plain(text, "/") {
        return None;
    }
    let remedy = "write one component per item, as \"main\"";
    Some((format!("`{}` is not the name of a component", shown(text)), remedy))
}

fn check_architecture(text: &str) -> Option<Fault> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !text.is_empty() && text.chars().all(fits) {
        return None;
    }
    let remedy = "write one of Debian's names per item, as \"amd64\"";
    Some((format!("`{}` is no architecture", shown(text)), remedy))
}

fn check_places(text: &str) -> Option<Fault> {
    let rest = PLACES.iter().fold(text.to_owned(), |text, place| text.replace(place, ""));
    if !rest.contains(['{', '}']) {
        return None;
    }
    let message = format!("`{}` has braces that stand for nothing", shown(text));
    Some((
        message,
        "write {codename}, {version} or {id}, which the base's /etc/os-release fills in",
    ))
}

/// A value in a message, on one line.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A name for files, made of an address: its host, or the last part of its path.
pub(super) fn name_of(uri: &str) -> String {
    let place = match uri.split_once("://") {
        Some((_, rest)) if !rest.starts_with('/') => rest.split('/').next(),
        _ => uri.trim_end_matches('/').rsplit(['/', ':']).next(),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let name: String =
        place.unwrap_or_default().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let name = name.trim_matches(['-', '.']).to_owned();
    if name.is_empty() { "repository".to_owned() } else { name }
}

/// The name, or else the first one with a number that no other repository has.
fn free(name: &str, taken: &[AptRepository]) -> String {
    let is_free = |name: &String| taken.iter().all(|other| other.name != *name);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_made_of_addresses() {
        for (uri, name) in [
            ("https://packages.example.org/debian", "packages.example.org"),
            ("http://localhost:8080/x", "localhost-8080"),
            ("file:/srv/repo/", "repo"),
            ("file:///srv/{codename}", "codename"),
            ("copy:/", "repository"),
        ] {
            assert_eq!(name_of(uri), name, "{uri}");
        }
    }

    #[test]
    fn words_have_their_forms() {
        for (check, good, bad) in [
            (
                check_uri as Check,
                &["https://a.example.org/x%20y", "file:/srv/repo", "http://a/{id}/{version}"][..],
                &["ftp://a/x", "a.example.org", "https://", "file:srv", "https://a/b c", "x\nY: z"]
                    [..],
            ),
            (
                check_suite,
                &["bookworm", "{codename}-updates", "stable/updates", "/", "./"],
                &["", "a b", "{release}", "a\nTrusted: yes", "a,b", "}{"],
            ),
            (check_component, &["main", "non-free/x"], &["", "main contrib", "#x", "[a]"]),
            (check_architecture, &["amd64", "armhf"], &["", "AMD64", "a b"]),
            (check_type, &["deb", "deb-src"], &["", "rpm"]),
        ] {
            for text in good {
                assert_eq!(check(text), None, "{text:?}");
            }
            for text in bad {
                assert!(check(text).is_some(), "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_one_word(text in "\\PC{0,12}|[a-z{}\\n\\t :,#/]{0,12}") {
            for check in [check_uri as Check, check_suite, check_component, check_architecture] {
                if check(&text).is_none() {
                    let is_word = |c: char| c.is_ascii_graphic() && c != ',';
                    prop_assert!(!text.is_empty() && text.chars().all(is_word));
                }
            }
        }
    }
}
