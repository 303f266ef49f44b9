//! What may be a credential, told by the name of a variable or the form of its value.
//!
//! **Invariant:** better one too many: what looks like a credential stays out of plan and image.

use std::collections::BTreeMap;

use crate::python::script::{Because, Item, Script, Spot, StorageFound, Unknown, Value};

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

/// Shorter values are found anywhere by chance.
const SHORTEST: usize = 6;

/// Whether a variable may hold a credential.
pub fn is_credential(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    // Whole words: `MONKEY` holds no key.
    let has = |part: &&str| format!("_{upper}_").contains(&format!("_{part}_"));
    let run_together = ["PASSWORD", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY"];
    let with_user = value
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')));
    SECRET.iter().any(has) || run_together.iter().any(|part| upper.contains(part)) || with_user
}

/// Takes credentials out of the storages of a script: what holds the value of such a variable is
/// then not known. `variables` are those that the script reads.
pub fn take_out(script: &mut Script, variables: &BTreeMap<String, String>) {
    let secret: Vec<(&String, &String)> = variables
        .iter()
        .filter(|(name, value)| value.len() >= SHORTEST && is_credential(name, value))
        .collect();
    for StorageFound { arguments, .. } in &mut script.storages {
        for argument in arguments {
            let at = argument.at.clone();
            take(&mut argument.value, &at, &secret);
        }
    }
}

fn take(value: &mut Value, at: &Spot, secret: &[(&String, &String)]) {
    match value {
        Value::Text(text) => {
            if let Some((name, _)) = secret.iter().find(|(_, word)| text.contains(word.as_str())) {
                *value = Value::Unknown(Unknown {
                    expression: (*name).clone(),
                    at: at.clone(),
                    because: Because::Credential((*name).clone()),
                });
            }
        }
        Value::List(items) => {
            for Item { value, at } in items {
                take(value, at, secret);
            }
        }
        Value::Table(pairs) => {
            for (_, Item { value, at }) in pairs {
                take(value, at, secret);
            }
        }
        Value::None
        | Value::Boolean(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Unknown(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::script::Argument;

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
            assert_eq!(is_credential(name, value), secret, "{name}");
        }
    }

    #[test]
    fn a_value_that_holds_a_credential_is_taken_out_whole() {
        let at = |line| Spot { file: "/p/flow.py".into(), line };
        let text = |text: &str, line| Item { value: Value::Text(text.to_owned()), at: at(line) };
        let table = vec![
            ("STAGE".to_owned(), text("prod", 2)),
            ("AUTH".to_owned(), text("Bearer hidden-word", 3)),
        ];
        let argument =
            Argument { key: "env_vars".to_owned(), value: Value::Table(table), at: at(1) };
        let found =
            StorageFound { at: at(1), variable: None, arguments: vec![argument], rest: None };
        let mut script = Script { storages: vec![found], ..Script::default() };
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = BTreeMap::from([
            variable("API_TOKEN", "hidden-word"),
            variable("SHORT_KEY", "prod"),
            variable("STAGE", "prod"),
        ]);
        take_out(&mut script, &variables);
        let Value::Table(pairs) = &script.storages[0].arguments[0].value else {
            panic!("{script:?}")
        };
        assert_eq!(pairs[0].1, text("prod", 2));
        let Value::Unknown(unknown) = &pairs[1].1.value else { panic!("{pairs:?}") };
        assert_eq!(unknown.because, Because::Credential("API_TOKEN".to_owned()));
        assert_eq!((unknown.expression.as_str(), unknown.at.line), ("API_TOKEN", 3));
    }
}
