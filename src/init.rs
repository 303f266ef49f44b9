//! The text of a spec that says what a flow script says.
//!
//! **Invariant:** building the spec gives what building the script gives; what the script computes
//! is a comment that names the place.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::resolve::values;
use crate::spec::keys::KEYS;
use crate::spec::{SpecFile, StorageSpec, UnknownValue};

/// Keys whose values are paths, relative to the spec.
const PATHS: [&str; 4] = ["dockerfile", "dockerignore", "requirements", "modules"];

/// A script read as a spec, and what besides is found beside it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The script as a spec.
    pub spec: SpecFile,
    /// Where the paths that the script names were found.
    pub found: BTreeMap<String, PathBuf>,
    /// Keys that resolving inferred and that a reader of the spec wants to see.
    pub inferred: Vec<(&'static str, Json, String)>,
}

/// Writes the spec of some scripts, to lie in `folder`.
pub fn to_toml(sources: &[Source], folder: &Path) -> String {
    let names: Vec<&str> = sources.iter().map(|source| source.spec.file.as_str()).collect();
    let mut text = format!(
        "# Written by docker flowstorage init from {}.\n# All keys: docs/spec.md of docker flowstorage.\n",
        names.join(", ")
    );
    let storages: Vec<(&Source, &StorageSpec)> =
        sources.iter().flat_map(|s| s.spec.storages.iter().map(move |one| (s, one))).collect();
    let several = storages.len() > 1;
    let mut taken: Vec<String> = Vec::new();
    for (source, storage) in storages {
        let prefix = several.then(|| {
            let name = storage.name.clone().unwrap_or_else(|| stem(&source.spec.file));
            let mut unique = name.clone();
            let mut number = 1;
            while taken.contains(&unique) {
                number += 1;
                unique = format!("{name}-{number}");
            }
            taken.push(unique.clone());
            format!("storage.{unique}")
        });
        text.push('\n');
        Writer { source, storage, folder, text: &mut text }.storage(prefix.as_deref());
    }
    text
}

/// The file's name without `.py`, as a table can be called.
fn stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let name = name.strip_suffix(".py").unwrap_or(name);
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().map(fits).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "storage".to_owned() } else { name }
}

struct Writer<'a> {
    source: &'a Source,
    storage: &'a StorageSpec,
    folder: &'a Path,
    text: &'a mut String,
}

impl Writer<'_> {
    fn storage(&mut self, prefix: Option<&str>) {
        if let Some(prefix) = prefix {
            let _ = writeln!(self.text, "[{prefix}]");
        }
        let mut written = values::written(self.storage);
        let mut tables = Vec::new();
        for key in KEYS {
            if let Some(value) = written.remove(key.name) {
                let value = self.placed(key.name, &value.value);
                if let (Json::Object(_), true) = (&value, key.name != "flows") {
                    tables.push((key.name, value));
                } else {
                    self.line(key.name, &value);
                }
            } else if let Some((_, value, because)) =
                self.source.inferred.iter().find(|(name, ..)| *name == key.name)
            {
                let _ = writeln!(self.text, "# {because}");
                let value = self.placed(key.name, value);
                self.line(key.name, &value);
            }
            let is_table = tables.iter().any(|(name, _)| *name == key.name);
            let is_here = |unknown: &UnknownValue| unknown.item.is_none() || !is_table;
            self.unknown(|unknown| unknown.key == key.name && is_here(unknown));
        }
        self.unknown(|unknown| unknown.key == "**");
        for (name, value) in tables {
            let Json::Object(pairs) = value else { continue };
            let head = prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}.{name}"));
            let _ = writeln!(self.text, "\n[{head}]");
            for (key, value) in &pairs {
                let key = toml_key(key);
                let _ = writeln!(self.text, "{key} = {}", toml_value(value));
            }
            self.unknown(|unknown| unknown.key == name && unknown.item.is_some());
        }
    }

    fn line(&mut self, key: &str, value: &Json) {
        let _ = writeln!(self.text, "{key} = {}", toml_value(value));
    }

    fn unknown(&mut self, is_meant: impl Fn(&UnknownValue) -> bool) {
        for unknown in self.storage.unknown.iter().filter(|unknown| is_meant(unknown)) {
            let UnknownValue { key, item, expression, place, credential, .. } = unknown;
            let name = match item {
                Some(item) if item.bytes().all(|b| b.is_ascii_digit()) => {
                    format!("an item of {key}")
                }
                Some(item) => toml_key(item),
                None if key == "**" => "more keywords".to_owned(),
                None => key.clone(),
            };
            // A control character would end the comment.
            let shown: String = expression.chars().filter(|c| !c.is_control()).collect();
            let why = match credential {
                Some(variable) => format!("{place} takes it from `{variable}`, a credential"),
                None => format!("{place} computes it: {shown}"),
            };
            let _ = writeln!(self.text, "# {name} = …  # {why}");
        }
    }

    /// A value with its paths as seen from the new spec.
    fn placed(&self, key: &str, value: &Json) -> Json {
        let placed = |path: &str| Json::String(self.path(path));
        match (key, value) {
            ("flows", Json::Object(pairs)) => Json::Object(
                pairs
                    .iter()
                    .map(|(name, path)| (name.clone(), placed(path.as_str().unwrap_or_default())))
                    .collect(),
            ),
            ("files", Json::Object(pairs)) => {
                Json::Object(pairs.iter().map(|(from, to)| (self.path(from), to.clone())).collect())
            }
            (key, Json::Array(items)) if key == "flows" || PATHS.contains(&key) => {
                items.iter().map(|item| placed(item.as_str().unwrap_or_default())).collect()
            }
            (key, Json::String(path)) if PATHS.contains(&key) => placed(path),
            _ => value.clone(),
        }
    }

    fn path(&self, path: &str) -> String {
        if path.starts_with("~/") {
            return path.to_owned();
        }
        let found = self.source.found.get(path).cloned();
        let found = found.unwrap_or_else(|| self.source.spec.folder.join(path));
        relative(&found, self.folder)
    }
}

/// A path as seen from a folder; both are absolute. What has nothing in common stays absolute.
fn relative(path: &Path, folder: &Path) -> String {
    let mut up = PathBuf::new();
    for base in folder.ancestors() {
        if base.parent().is_none() {
            break;
        }
        if let Ok(below) = path.strip_prefix(base) {
            return up.join(below).to_string_lossy().into_owned();
        }
        up.push("..");
    }
    path.to_string_lossy().into_owned()
}

/// A key, quoted where it needs it.
fn toml_key(key: &str) -> String {
    let alone = toml::Table::from_iter([(key.to_owned(), toml::Value::Integer(0))]).to_string();
    alone.strip_suffix(" = 0\n").unwrap_or(&alone).to_owned()
}

/// A value on one line; tables are written inline.
fn toml_value(value: &Json) -> String {
    match value {
        Json::Object(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{} = {}", toml_key(key), toml_value(value)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_value).collect();
            match items.len() {
                0 | 1 => format!("[{}]", items.join("")),
                _ => format!("[\n    {},\n]", items.join(",\n    ")),
            }
        }
        Json::String(text) => toml::Value::String(text.clone()).to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn strings_come_back(key in "\\PC{1,12}|[\"'\\\\\\n\\t#=]{1,6}", text in "[\\s\\S]{0,20}") {
            let line = format!("{} = {}\n", toml_key(&key), toml_value(&json!(text)));
            let table: toml::Table = line.parse().expect("TOML");
            prop_assert_eq!(table.get(&key).and_then(toml::Value::as_str), Some(text.as_str()));
        }
    }

    #[test]
    fn paths_are_seen_from_the_new_spec() {
        for (path, folder, seen) in [
            ("/p/flows/etl.py", "/p", "flows/etl.py"),
            ("/p/etl.py", "/p/deploy", "../etl.py"),
            ("/q/x", "/p", "/q/x"),
        ] {
            assert_eq!(relative(Path::new(path), Path::new(folder)), seen);
        }
    }
}
