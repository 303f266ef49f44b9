//! Variables of this machine that the scripts read while they are loaded.
//!
//! The flow of a script that says `TABLE = os.environ["STAGE"] + "_orders"` is made of that
//! variable, and the image does not have it: it is handed to the step that loads the flows, and to
//! nothing else.
//!
//! **Invariant:** a value that may be a credential is named only; its value stays with buildx.

use super::Resolver;
use super::flows::Named;
use crate::storage::Variable;

/// What the image has of its own, whatever this machine says.
const OF_THE_IMAGE: [&str; 18] = [
    "HOME",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "OLDPWD",
    "PATH",
    "PWD",
    "PYTHONHOME",
    "PYTHONPATH",
    "SHELL",
    "SHLVL",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "USER",
    "VIRTUAL_ENV",
];

/// Parts of the names of credentials.
const SECRET: [&str; 11] = [
    "AUTH",
    "CONNECTION_STRING",
    "CREDENTIAL",
    "DSN",
    "KEY",
    "PASS",
    "PASSWD",
    "PASSWORD",
    "PWD",
    "SECRET",
    "TOKEN",
];

impl Resolver<'_> {
    /// The variables, sorted by name.
    pub(super) fn environment(&self, scripts: &[Named]) -> Vec<Variable> {
        let read = scripts.iter().flat_map(Named::variables);
        let mut names: Vec<&str> = read.map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let variable = |name: &str| {
            let value = self.facts.environment.get(name)?;
            let is_ours = OF_THE_IMAGE.contains(&name)
                || name.starts_with("LC_")
                || name.starts_with("DOCKER_")
                || !is_plain(name);
            (!is_ours).then(|| Variable {
                name: name.to_owned(),
                value: (!is_secret(name, value)).then(|| value.clone()),
            })
        };
        names.into_iter().filter_map(variable).collect()
    }
}

/// Whether a name can be the name of a secret of a build.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_secret(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    // Whole words: `MONKEY` holds no key.
    let has = |part: &&str| format!("_{upper}_").contains(&format!("_{part}_"));
    let run_together = ["PASSWORD", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY"];
    let with_user = value
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')));
    SECRET.iter().any(has) || run_together.iter().any(|part| upper.contains(part)) || with_user
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_by_name_or_value() {
        for (name, value, secret) in [
            ("STAGE", "prod", false),
            ("MONKEY", "x", false),
            ("PASSENGER_COUNT", "3", false),
            ("REGISTRY_URL", "https://registry.example.org/team", false),
            ("DB_PASSWORD", "x", true),
            ("pgpassword", "x", true),
            ("AWS_SECRET_ACCESS_KEY", "x", true),
            ("API_KEY", "x", true),
            ("GITHUB_TOKEN", "x", true),
            ("SENTRY_DSN", "x", true),
            ("DATABASE_URL", "postgres://me:word@db.example.org/x", true),
        ] {
            assert_eq!(is_secret(name, value), secret, "{name}");
        }
    }
}
