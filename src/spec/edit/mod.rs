//! Adds items to the lists of a spec as a careful person would: where the list is, in the way that
//! the file is written.
//!
//! **Invariant:** text is only inserted, so that comments, line ends and layout stay; what comes
//! out reads as the old spec with the new items, or nothing comes out.

mod insert;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;
use std::path::PathBuf;

use super::{Format, StorageSpec, parse};
use insert::Writer;
use tree::{Container, Entry, Value};

/// Items for one list of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The key: one that holds a list of strings.
    pub key: &'static str,
    /// What the list is to hold besides what it has.
    pub items: Vec<String>,
}

/// Why a spec cannot be changed by inserting text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable(String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

/// Keys that a new key is put beside, the nearest first.
const NEIGHBOURS: [&str; 8] = [
    "system_packages",
    "build_packages",
    "infer_system_packages",
    "exclude_system_packages",
    "python_dependencies",
    "requirements",
    "python_version",
    "base_image",
];

/// Adds items to lists of a storage; `storage` is none for a spec without `[storage.NAME]`.
///
/// A list that the storage inherits grows where it is: all that inherit it get the items.
pub fn add(
    text: &str,
    format: Format,
    storage: Option<&str>,
    additions: &[Addition],
) -> Result<String, Unwritable> {
    let mut edited = text.to_owned();
    for addition in additions {
        edited = add_one(&edited, format, storage, addition)?;
    }
    verify(text, &edited, format, storage, additions)?;
    Ok(edited)
}

fn add_one(
    text: &str,
    format: Format,
    storage: Option<&str>,
    addition: &Addition,
) -> Result<String, Unwritable> {
    let root = tree::read(text, format).map_err(Unwritable)?;
    let mut path = match format {
        Format::Pyproject => vec!["tool", "flowstorage"],
        Format::Toml | Format::Json => Vec::new(),
    };
    let absent = |what: &str| Unwritable(format!("the spec has no {what}"));
    let shared = root.descend(&path).ok_or_else(|| absent("`[tool.flowstorage]`"))?;
    let own = match storage {
        None => shared,
        Some(name) => {
            path.extend(["storage", name]);
            let own = shared.descend(&["storage", name]);
            own.ok_or_else(|| absent(&format!("storage `{name}`")))?
        }
    };
    let writer = Writer { text, format };
    let key = addition.key;
    let insertions = match own.entry(key).or_else(|| shared.entry(key)) {
        Some(entry) => grow(&writer, entry, &addition.items)?,
        None if addition.items.is_empty() => Vec::new(),
        None => writer.new_key(own, &path, &NEIGHBOURS, key, &unique(&addition.items))?,
    };
    Ok(insert::apply(text, insertions))
}

/// Adds to a list that is there.
fn grow(
    writer: &Writer<'_>,
    entry: &Entry,
    items: &[String],
) -> Result<Vec<insert::Insertion>, Unwritable> {
    let held: Vec<&String> = match &entry.value {
        Value::Text { content, .. } => vec![content],
        Value::List { items, .. } => items.iter().map(|(_, content)| content).collect(),
        Value::Table(_) | Value::Other(_) => {
            return Err(Unwritable(format!("`{}` is no list", entry.key)));
        }
    };
    let mut new = unique(items);
    new.retain(|item| !held.contains(&item));
    Ok(if new.is_empty() { Vec::new() } else { writer.grow(&entry.value, &new) })
}

fn unique(items: &[String]) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for item in items {
        if !unique.contains(item) {
            unique.push(item.clone());
        }
    }
    unique
}

/// Makes sure that the edited text is a spec and says what it should.
fn verify(
    old: &str,
    new: &str,
    format: Format,
    storage: Option<&str>,
    additions: &[Addition],
) -> Result<(), Unwritable> {
    let read = |text: &str| {
        let (spec, problems) = parse(text, format, "", PathBuf::new());
        let found = spec.storages.into_iter().find(|known| known.name.as_deref() == storage);
        (found, problems)
    };
    let ((old, _), (new, problems)) = (read(old), read(new));
    let kept = |(old, new): (StorageSpec, StorageSpec)| {
        let keys = ["system_packages", "build_packages"];
        keys.iter().all(|key| {
            let mut wanted = texts(&old, key);
            let added = additions.iter().filter(|addition| addition.key == *key);
            for item in added.flat_map(|addition| unique(&addition.items)) {
                if !wanted.contains(&item) {
                    wanted.push(item);
                }
            }
            texts(&new, key) == wanted
        })
    };
    if problems.is_empty() && old.zip(new).is_some_and(kept) {
        return Ok(());
    }
    Err(Unwritable("the spec is written in a way that cannot be added to".to_owned()))
}

fn texts(storage: &StorageSpec, key: &str) -> Vec<String> {
    let list = match key {
        "system_packages" => &storage.system_packages,
        _ => &storage.build_packages,
    };
    list.iter().flat_map(|list| &list.value).map(|item| item.value.clone()).collect()
}

impl Container {
    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn descend(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |table, key| match &table.entry(key)?.value {
            Value::Table(below) => Some(below),
            Value::Text { .. } | Value::List { .. } | Value::Other(_) => None,
        })
    }
}
