//! Secrets, keys and agents of a build: that they are there, and what must not be seen of them.
//!
//! **Invariant:** the only place that reads the value of a secret; it goes into a redactor and
//! nowhere else.

use crate::access::{Source, csv_fields, unescaped, userinfo};
use crate::cli::BuildArgs;
use crate::error::Error;
use crate::host::Host;
use crate::plan::bake::BakeFile;
use crate::problem::Problem;
use crate::progress::redact::Redactor;
use crate::storage::Storage;

/// Says which secrets and keys are not there.
pub(super) fn check(args: &BuildArgs, storages: &[Storage], host: &Host) -> Result<(), Error> {
    let mut problems: Vec<Problem> = Vec::new();
    // What the command line gives replaces what the spec names.
    let is_given = |id: &str| args.secret.iter().any(|given| self::id(given) == id);
    for storage in storages {
        for secret in &storage.access.secrets {
            let (message, remedy) = match &secret.source {
                _ if is_given(&secret.id) => continue,
                Source::Variable(name) if host.var(name).is_none() => (
                    format!("the variable `{name}` is not set"),
                    format!("set it where you build: `{}` needs it", secret.key),
                ),
                Source::File(path) if !path.is_file() => (
                    format!("`{}`, the secret `{}`, is not a file", path.display(), secret.id),
                    format!("create it, or correct `{}`", secret.key),
                ),
                Source::Variable(_) | Source::File(_) => continue,
            };
            let problem = Problem {
                key: Some(secret.key.to_owned()),
                place: Some(secret.place.clone()),
                message,
                remedy,
            };
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        for ssh in &storage.access.ssh {
            if args.ssh.iter().any(|given| given.split('=').next() == Some(&ssh.id)) {
                continue;
            }
            let missing = ssh.paths.iter().find(|path| !path.exists());
            let (message, remedy) = match missing {
                None if ssh.paths.is_empty() && host.var("SSH_AUTH_SOCK").is_none() => (
                    "there is no ssh agent: `SSH_AUTH_SOCK` is not set".to_owned(),
                    "start one, or name a key, as ssh = [\"default=~/.ssh/id_ed25519\"]",
                ),
                Some(path) => {
                    let path = path.display();
                    (format!("the key `{path}` does not exist"), "create it, or correct `ssh`")
                }
                None => continue,
            };
            let problem = Problem {
                key: Some("ssh".to_owned()),
                place: Some(ssh.place.clone()),
                message,
                remedy: remedy.to_owned(),
            };
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Spec(problems)) }
}

/// The id in a secret of buildx.
pub(super) fn id(secret: &str) -> String {
    let fields = csv_fields(secret);
    let id = fields.iter().find_map(|field| field.strip_prefix("id="));
    id.unwrap_or_default().to_owned()
}

/// A redactor of the values of all secrets that buildx is given.
pub(super) fn redactor(bake: &BakeFile, storages: &[Storage], host: &Host) -> Redactor {
    let is_public = |id: &str| {
        let mut secrets = storages.iter().flat_map(|storage| &storage.access.secrets);
        secrets.any(|secret| secret.id == id && secret.is_public)
    };
    let mut values = Vec::new();
    for line in bake.target.values().flat_map(|target| &target.secret) {
        let fields = csv_fields(line);
        let field = |names: &[&str]| {
            fields.iter().find_map(|field| {
                let (name, value) = field.split_once('=')?;
                names.contains(&name).then_some(value)
            })
        };
        let id = field(&["id"]).unwrap_or_default();
        if is_public(id) {
            continue;
        }
        let file = field(&["src", "source"]);
        let name = field(&["env"]).or(file.is_none().then_some(id));
        if let Some(value) = name.and_then(|name| host.var(name)) {
            values.extend(words(value));
        } else if let Some(path) = file.or(Some(id)) {
            let bytes = std::fs::read(host.cwd.join(path)).unwrap_or_default();
            values.extend(words(&String::from_utf8_lossy(&bytes)));
        }
    }
    Redactor::new(values.iter().map(String::as_str))
}

/// What is secret in a value: the passwords of a netrc file or of URLs, or else every line.
fn words(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let tokens: Vec<&str> = value.split_whitespace().collect();
    let is_netrc = tokens.first().is_some_and(|first| matches!(*first, "machine" | "default"))
        && tokens.contains(&"password");
    if is_netrc {
        for pair in tokens.windows(2) {
            if matches!(pair[0], "password" | "account") {
                let word = pair[1];
                let bare = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
                found.push(bare.unwrap_or(word).to_owned());
            }
        }
        return found;
    }
    for line in value.lines().map(str::trim) {
        found.push(line.to_owned());
        if let Some((start, end)) = userinfo(line) {
            let who = &line[start..end];
            let word = who.split_once(':').map_or(who, |(_, word)| word);
            found.extend([word.to_owned(), unescaped(word)]);
        } else if let Some((_, word)) = line.split_once(['=', ':']) {
            found.push(word.trim().trim_matches('"').to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_of_a_value() {
        for (value, found) in [
            ("hidden-word", &["hidden-word"][..]),
            (
                "machine h.example.org\nlogin me\npassword hidden-word\n\
                 machine i login me account other-word password \"a-third\"",
                &["hidden-word", "other-word", "a-third"],
            ),
            (
                "https://me:a%2Fb-word@h.example.org/simple",
                &["https://me:a%2Fb-word@h.example.org/simple", "a%2Fb-word", "a/b-word"],
            ),
            ("[global]\ntoken = \"abc\"", &["[global]", "token = \"abc\"", "abc"]),
        ] {
            assert_eq!(words(value), found, "{value}");
        }
    }
}
