//! What the build fetches with: indexes and their variables, secrets, ssh, certificates.
//!
//! **Invariant:** what passes here names secrets only; whether they are there is asked when a build
//! begins.

use super::Resolver;
use crate::access::{self, Access, KNOWN_HOSTS, NETRC, Secret, Source, Ssh};
use crate::deps::requirements::Requirements;
use crate::problem::Place;
use crate::spec::Keyed;
use crate::storage::{NeededPackage, Phase};

/// A PEM block's first and last line.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

impl Resolver<'_> {
    /// Everything that the build fetches with.
    pub(super) fn access(&mut self, requirements: &Requirements) -> Access {
        let mut access = Access { indexes: requirements.indexes.clone(), ..Access::default() };
        self.indexes(&mut access);
        for requirement in requirements.wanted.iter().filter(|r| r.git().is_some()) {
            let Some((start, end)) = access::userinfo(&requirement.line) else { continue };
            for name in access::variables(&requirement.line[start..end]) {
                if !access.in_requirements.iter().any(|known| known == name) {
                    access.in_requirements.push(name.to_owned());
                }
                let secret = of_variable(name, false, "requirements", &requirement.place);
                add(&mut access.secrets, secret);
            }
        }
        self.build_secrets(&mut access);
        self.ssh(&mut access, requirements);
        self.certificates(&mut access);
        access
    }

    fn indexes(&mut self, access: &mut Access) {
        let spec = self.storage;
        let key = spec.index_url.as_ref();
        let first_line = Place { file: self.spec.file.clone(), line: 1 };
        let place = |keyed: Option<&Place>| keyed.cloned().unwrap_or_else(|| first_line.clone());
        if let Some(Keyed { value, place }) = key {
            match access::index_url(value) {
                Ok(url) => access.indexes.default = Some(url),
                Err((message, remedy)) => self.problem("index_url", Some(place), message, remedy),
            }
        }
        for Keyed { value, place } in spec.extra_index_urls.iter().flat_map(|list| &list.value) {
            match access::index_url(value) {
                Ok(url) if access.indexes.extra.contains(&url) => {}
                Ok(url) => access.indexes.extra.push(url),
                Err((message, remedy)) => {
                    self.problem("extra_index_urls", Some(place), message, remedy);
                }
            }
        }
        let extra = spec.extra_index_urls.as_ref();
        for url in access.indexes.all() {
            let of_extra = extra.and_then(|list| list.value.iter().find(|item| item.value == url));
            let (name, place) = match (key.filter(|key| key.value == url), of_extra) {
                (Some(key), _) => ("index_url", place(Some(&key.place))),
                (None, Some(item)) => ("extra_index_urls", place(Some(&item.place))),
                (None, None) => {
                    let files = spec.requirements.as_ref().map(|list| &list.place);
                    let list = spec.python_dependencies.as_ref().map(|list| &list.place);
                    ("requirements", place(files.or(list)))
                }
            };
            let users = access::users(url);
            for variable in access::variables(url) {
                let is_public = users.contains(&variable);
                add(&mut access.secrets, of_variable(variable, is_public, name, &place));
            }
        }
    }

    fn build_secrets(&mut self, access: &mut Access) {
        let key = "build_secrets";
        for pair in self.storage.build_secrets.iter().flat_map(|pairs| &pairs.value) {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            let id = pair.key.as_str();
            if id.is_empty() || !id.chars().all(fits) || id.starts_with('.') {
                let message = format!("`{id}` cannot be the id of a secret");
                let remedy = "use letters, digits, `_`, `-` and `.`";
                self.problem(key, Some(&pair.place), message, remedy);
                continue;
            }
            if id.starts_with("flowstorage-") {
                let message = format!("ids that begin with `flowstorage-` are ours: `{id}`");
                self.problem(key, Some(&pair.place), message, "give it another id");
                continue;
            }
            let source = match pair.value.split_once('=') {
                Some(("env", name)) if access::is_variable(name) => {
                    Source::Variable(name.to_owned())
                }
                Some(("src", path)) if !path.is_empty() => match self.facts.places.get(path) {
                    Some(place) => Source::File(place.clone()),
                    None => continue,
                },
                // A value may have been written here: it is not repeated.
                _ => {
                    let message = format!("the secret `{id}` names no variable and no file");
                    let remedy = "write \"env=NAME\" or \"src=PATH\"";
                    self.problem(key, Some(&pair.place), message, remedy);
                    continue;
                }
            };
            access.secrets.push(Secret {
                id: id.to_owned(),
                source,
                variable: (id != NETRC && access::is_variable(id)).then(|| id.to_owned()),
                is_public: false,
                key,
                place: pair.place.clone(),
            });
        }
    }

    fn ssh(&mut self, access: &mut Access, requirements: &Requirements) {
        for Keyed { value, place } in self.storage.ssh.iter().flat_map(|list| &list.value) {
            let (id, paths) = match value.split_once('=') {
                Some((id, paths)) => (id, Some(paths)),
                None => (value.as_str(), None),
            };
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            let is_one = !id.is_empty()
                && id.chars().all(fits)
                && paths.is_none_or(|paths| paths.split(',').all(|path| !path.is_empty()));
            if !is_one || paths.is_none() && id != "default" {
                let message = format!("`{value}` names no agent and no key");
                let remedy = "write \"default\" for your agent, or \"default=PATH\" for a key";
                self.problem("ssh", Some(place), message, remedy);
                continue;
            }
            if access.ssh.iter().any(|known| known.id == id) {
                let message = format!("`{id}` is there twice");
                let remedy = "name several keys in one item, as \"default=one,two\"";
                self.problem("ssh", Some(place), message, remedy);
                continue;
            }
            let paths = paths.iter().flat_map(|paths| paths.split(','));
            let paths = paths.filter_map(|path| self.facts.places.get(path)).cloned().collect();
            access.ssh.push(Ssh { id: id.to_owned(), paths, place: place.clone() });
            if let (Some(known_hosts), 1) = (&self.facts.known_hosts, access.ssh.len()) {
                access.secrets.push(Secret {
                    id: KNOWN_HOSTS.to_owned(),
                    source: Source::File(known_hosts.clone()),
                    variable: None,
                    is_public: true,
                    key: "ssh",
                    place: place.clone(),
                });
            }
        }
        let over_ssh = requirements.wanted.iter().find(|r| r.git() == Some(true));
        let has_none = self.storage.ssh.as_ref().is_none_or(|list| list.value.is_empty());
        if let (Some(requirement), true) = (over_ssh, has_none) {
            let message = format!("`{}` is fetched by ssh", requirement.line);
            let remedy = "add ssh = [\"default\"] to the spec, for the keys of your agent";
            self.problem("ssh", Some(&requirement.place), message, remedy);
        }
    }

    fn certificates(&mut self, access: &mut Access) {
        let spec = self.storage;
        for path in spec.ca_certificates.iter().flat_map(|list| &list.value) {
            let Some((text, _)) = self.file_text("ca_certificates", path) else { continue };
            let found = certificates(&text);
            let said = if text.contains("PRIVATE KEY-----") {
                Some((
                    format!("`{}` holds a private key", path.value),
                    "name a file with the certificates alone",
                ))
            } else if found.is_empty() {
                Some((
                    format!("`{}` holds no certificate", path.value),
                    "name a file in PEM, with `-----BEGIN CERTIFICATE-----`",
                ))
            } else {
                None
            };
            match said {
                Some((message, remedy)) => {
                    self.problem("ca_certificates", Some(&path.place), message, remedy);
                }
                None => access.certificates.extend(found),
            }
        }
        access.certificates.sort();
        access.certificates.dedup();
        if let Some(Keyed { value: true, place }) = &spec.keep_ca_certificates {
            access.keep_certificates = true;
            if spec.ca_certificates.as_ref().is_none_or(|list| list.value.is_empty()) {
                let message = "`keep_ca_certificates` has nothing to keep";
                let remedy = "name the certificates in `ca_certificates`, or leave it out";
                self.problem("keep_ca_certificates", Some(place), message, remedy);
            }
        }
    }
}

/// The Debian packages that fetching takes.
pub(super) fn needed(requirements: &Requirements) -> Vec<NeededPackage> {
    let mut needed: Vec<NeededPackage> = Vec::new();
    for requirement in &requirements.wanted {
        let Some(is_ssh) = requirement.git() else { continue };
        let by = if is_ssh { "openssh-client" } else { "ca-certificates" };
        for name in ["git", by] {
            if needed.iter().all(|known| known.names[0] != name) {
                needed.push(NeededPackage {
                    names: vec![name.to_owned()],
                    phase: Phase::Build,
                    is_required: true,
                    because: format!(
                        "git fetches `{}`",
                        access::without_credentials(&requirement.line)
                    ),
                });
            }
        }
    }
    needed
}

fn of_variable(name: &str, is_public: bool, key: &'static str, place: &Place) -> Secret {
    Secret {
        id: format!("flowstorage-{name}"),
        source: Source::Variable(name.to_owned()),
        variable: None,
        is_public,
        key,
        place: place.clone(),
    }
}

/// Adds a secret that may be there; what is secret anywhere is secret.
fn add(secrets: &mut Vec<Secret>, secret: Secret) {
    match secrets.iter_mut().find(|known| known.id == secret.id) {
        Some(known) => known.is_public &= secret.is_public,
        None => secrets.push(secret),
    }
}

/// The PEM blocks of a text, without what stands around them.
fn certificates(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in text.split(BEGIN).skip(1) {
        let Some((body, _)) = rest.split_once(END) else { continue };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let lines: Vec<&str> =
            body.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if !lines.is_empty() && lines.iter().all(|line| line.chars().all(fits)) {
            found.push(format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_taken_out_of_a_text() {
        let text = "Subject: x\r\n-----BEGIN CERTIFICATE-----\r\nAB+/\r\nCD==\r\n\
                    -----END CERTIFICATE-----\r\n# more\n-----BEGIN CERTIFICATE-----\nE F\n\
                    -----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nGH";
        assert_eq!(
            certificates(text),
            ["-----BEGIN CERTIFICATE-----\nAB+/\nCD==\n-----END CERTIFICATE-----\n"]
        );
    }
}
