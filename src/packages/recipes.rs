//! Recipes: what each adds to an image, by the options that it has.
//!
//! **Invariant:** all of it is in `data/recipes.toml` and `data/recipes/*.sh`; a recipe of that
//! table refers to options and programs that exist.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

static RECIPES: LazyLock<BTreeMap<String, Recipe>> =
    LazyLock::new(|| toml::from_str(include_str!("data/recipes.toml")).unwrap_or_default());

/// The programs that recipes run in the image, by file name.
const PROGRAMS: [(&str, &str); 2] = [
    ("openssl-legacy-tls.sh", include_str!("data/recipes/openssl-legacy-tls.sh")),
    ("oracle-instantclient.sh", include_str!("data/recipes/oracle-instantclient.sh")),
];

/// A recipe. In its texts `<name>` stands for the value of an option.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What it adds, on one line.
    pub about: String,
    /// `yes`, or `as text` with the reason that it could not be built.
    pub verified: String,
    /// Debian packages; alternatives are parted by `|`.
    pub packages: Vec<String>,
    /// Environment variables of the image.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Environment variables of the installation.
    #[serde(default)]
    pub install_env: BTreeMap<String, String>,
    /// Programs with their arguments, run after the installation.
    #[serde(default)]
    pub steps: Vec<Vec<String>>,
    /// Where the packages are, if not in the base's own repositories.
    pub repository: Option<Repository>,
    /// What the user may or must say.
    #[serde(default)]
    pub options: BTreeMap<String, Choice>,
    /// What is added where options have these values.
    #[serde(default)]
    pub when: Vec<When>,
    /// Where it cannot be had.
    #[serde(default)]
    pub lacks: Vec<Lack>,
}

/// The repository of a recipe's packages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `apt_repositories`")]
pub struct Repository {
    pub uris: Vec<String>,
    pub suites: Vec<String>,
    pub components: Vec<String>,
    pub keys: Vec<Key>,
}

/// The key of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its address.
    pub url: String,
    /// Its checksum.
    pub sha256: String,
}

/// An option of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What its value is.
    pub kind: Kind,
    /// One line about it.
    pub about: String,
    /// Numbers that it may be, the default first.
    #[serde(default)]
    pub values: Vec<i64>,
    /// The name of a licence.
    #[serde(default)]
    pub licence: String,
    /// Where the licence can be read.
    #[serde(default)]
    pub url: String,
    /// What the file is called where steps read it.
    #[serde(default)]
    pub file: String,
}

/// What the value of an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `true` or `false`; `false` by default.
    Switch,
    /// One of some numbers.
    Number,
    /// `true`, which must be said.
    Licence,
    /// Keys of the repository, instead of those that the recipe knows.
    Keys,
    /// A file beside the spec or an address with a checksum, which must be given.
    File,
}

/// What values of options add.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Options and values, as text.
    pub is: BTreeMap<String, String>,
    /// More packages.
    pub packages: Vec<String>,
    /// More environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// A platform that a recipe cannot be had for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lack {
    /// Options and values, as text.
    pub is: BTreeMap<String, String>,
    /// The platform.
    pub platform: String,
    /// What is missing.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// All recipes by name.
pub fn all() -> &'static BTreeMap<String, Recipe> {
    &RECIPES
}

/// A program that recipes run, by its file name.
pub fn program(name: &str) -> Option<(&'static str, &'static str)> {
    PROGRAMS.into_iter().find(|(known, _)| *known == name)
}

/// Puts values of options in their places.
pub fn filled(text: &str, values: &BTreeMap<String, String>) -> String {
    let fill =
        |text: String, (name, value): (&String, &String)| text.replace(&format!("<{name}>"), value);
    values.iter().fold(text.to_owned(), fill)
}

/// Whether options have these values.
pub fn applies(is: &BTreeMap<String, String>, values: &BTreeMap<String, String>) -> bool {
    is.iter().all(|(name, value)| values.get(name) == Some(value))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        let read: Result<BTreeMap<String, Recipe>, _> =
            toml::from_str(include_str!("data/recipes.toml"));
        let names: Vec<String> = read.expect("the table").into_keys().collect();
        assert_eq!(
            names,
            [
                "chromium",
                "freetds",
                "java",
                "mssql-odbc",
                "odbc-postgresql",
                "openssl-legacy-tls",
                "oracle-instantclient",
            ]
        );
        assert_eq!(all().len(), 7);
    }

    /// The names in `<…>` of a text.
    fn places(text: &str) -> Vec<&str> {
        text.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0)).collect()
    }

    #[test]
    fn every_reference_leads_somewhere() {
        for (name, recipe) in all() {
            let values: BTreeSet<&str> = recipe
                .options
                .iter()
                .filter(|(_, choice)| matches!(choice.kind, Kind::Number | Kind::File))
                .map(|(option, _)| option.as_str())
                .collect();
            let licences = recipe.options.values().flat_map(|c| [&c.licence, &c.url]);
            let packages = recipe.packages.iter().chain(recipe.steps.iter().flatten());
            for text in packages.chain(licences).chain([&recipe.about]) {
                for place in places(text) {
                    assert!(values.contains(place), "{name}: <{place}>");
                }
            }
            let conditions = recipe.when.iter().map(|when| &when.is);
            for is in conditions.chain(recipe.lacks.iter().map(|lack| &lack.is)) {
                assert!(is.keys().all(|key| recipe.options.contains_key(key)), "{name}: {is:?}");
            }
            for step in &recipe.steps {
                assert!(program(&step[0]).is_some(), "{name}: {step:?}");
            }
            let is_known = recipe.verified == "yes" || recipe.verified.starts_with("as text: ");
            assert!(is_known, "{name}: {}", recipe.verified);
        }
    }

    #[test]
    fn options_have_what_their_kind_takes() {
        for (name, recipe) in all() {
            for (option, choice) in &recipe.options {
                let given = (
                    choice.values.is_empty(),
                    choice.licence.is_empty() || choice.url.is_empty(),
                    choice.file.is_empty(),
                );
                let wanted = match choice.kind {
                    Kind::Switch | Kind::Keys => (true, true, true),
                    Kind::Number => (false, true, true),
                    Kind::Licence => (true, false, true),
                    Kind::File => (true, true, false),
                };
                assert_eq!(given, wanted, "{name}: {option}");
                assert!(!choice.about.ends_with('.'), "{name}: {option}");
            }
        }
    }

    #[test]
    fn values_fill_their_places() {
        let values = BTreeMap::from([("version".to_owned(), "18".to_owned())]);
        assert_eq!(filled("msodbcsql<version>, {version}", &values), "msodbcsql18, {version}");
        let is = |version: &str| BTreeMap::from([("version".to_owned(), version.to_owned())]);
        assert!(applies(&is("18"), &values));
        assert!(!applies(&is("17"), &values));
    }
}
