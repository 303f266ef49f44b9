//! From the document's tree to typed storages, with every problem on the way.
//!
//! **Invariant:** looks at keys and types only; whether a value makes sense is decided later.

use super::document::{Entry, Located, Node, Table};
use super::keys::{self, Key, Shape};
use super::{FlowSpec, Keyed, Pair, RuntimeKind, StorageSpec};
use crate::problem::{Place, Problem};

/// Tables whose entries are inherited one by one; all other keys are replaced whole.
const MERGED: [&str; 3] = ["env_vars", "files", "image_labels"];

/// The table `[tool.flowstorage]` of a pyproject.toml.
pub(super) fn tool_table(table: &Table) -> Option<&Table> {
    match &table.get("tool")?.value.node {
        Node::Table(tool) => match &tool.get("flowstorage")?.value.node {
            Node::Table(ours) => Some(ours),
            _ => None,
        },
        _ => None,
    }
}

/// All storages of a spec, each with what it inherits.
pub(super) fn storages(table: &Table, file: &str, problems: &mut Vec<Problem>) -> Vec<StorageSpec> {
    let mut reader = Reader { file, problems };
    let shared: Vec<&Entry> = table.entries.iter().filter(|e| e.key != "storage").collect();
    for entry in &shared {
        reader.check_key(entry);
    }
    let Some(named) = table.get("storage") else {
        return vec![reader.storage(None, None, &merge(&shared, &Table::default()))];
    };
    let Node::Table(named) = &named.value.node else {
        reader.wrong_type(named, "write tables, as [storage.etl]");
        return Vec::new();
    };
    let mut storages = Vec::new();
    for entry in &named.entries {
        if !is_target_name(&entry.key) {
            reader.problem(
                "storage",
                entry.line,
                format!("`{}` cannot name a storage", entry.key),
                "use letters, digits, `-` and `_`, beginning with a letter or digit",
            );
        }
        let Node::Table(own) = &entry.value.node else {
            reader.wrong_type(entry, "write a table, as [storage.etl]");
            continue;
        };
        for key in &own.entries {
            reader.check_key(key);
        }
        let place = reader.place(entry.line);
        storages.push(reader.storage(Some(entry.key.clone()), Some(place), &merge(&shared, own)));
    }
    // Inherited keys are read once per storage: say each problem once.
    let mut seen: Vec<Problem> = Vec::new();
    for problem in std::mem::take(reader.problems) {
        if !seen.contains(&problem) {
            seen.push(problem);
        }
    }
    *reader.problems = seen;
    storages
}

/// What bake accepts as the name of a target, and what a shell does not take for a flag.
pub(super) fn is_target_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn merge(shared: &[&Entry], own: &Table) -> Vec<Entry> {
    let mut merged: Vec<Entry> = Vec::new();
    for entry in shared {
        let Some(over) = own.get(&entry.key) else {
            merged.push((*entry).clone());
            continue;
        };
        let mut result = over.clone();
        if let (true, Node::Table(base), Node::Table(above)) =
            (MERGED.contains(&entry.key.as_str()), &entry.value.node, &over.value.node)
        {
            let mut table = base.clone();
            for pair in &above.entries {
                match table.entries.iter_mut().find(|old| old.key == pair.key) {
                    Some(old) => *old = pair.clone(),
                    None => table.entries.push(pair.clone()),
                }
            }
            result.value.node = Node::Table(table);
        }
        merged.push(result);
    }
    let new = own.entries.iter().filter(|e| shared.iter().all(|s| s.key != e.key));
    merged.extend(new.cloned());
    merged
}

/// One storage whose keys are all in one table.
pub(super) fn storage(
    table: &Table,
    name: Option<String>,
    place: &Place,
    problems: &mut Vec<Problem>,
) -> StorageSpec {
    let mut reader = Reader { file: &place.file, problems };
    for entry in &table.entries {
        reader.check_key(entry);
    }
    reader.storage(name, Some(place.clone()), &table.entries)
}

struct Reader<'a> {
    file: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn place(&self, line: usize) -> Place {
        Place { file: self.file.to_owned(), line }
    }

    fn problem(&mut self, key: &str, line: usize, message: String, remedy: impl Into<String>) {
        let place = Some(self.place(line));
        self.problems.push(Problem {
            key: Some(key.to_owned()),
            place,
            message,
            remedy: remedy.into(),
        });
    }

    fn wrong_type(&mut self, entry: &Entry, remedy: &str) {
        let message = format!("`{}` is {}", entry.key, entry.value.node.kind());
        self.problem(&entry.key, entry.line, message, remedy);
    }

    fn check_key(&mut self, entry: &Entry) {
        if keys::find(&entry.key).is_some() {
            return;
        }
        let remedy = match keys::nearest(&entry.key) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "remove it; docs/spec.md lists all keys".to_owned(),
        };
        let message = format!("`{}` is not a key of the spec", entry.key);
        self.problem(&entry.key, entry.line, message, remedy);
    }

    fn storage(
        &mut self,
        name: Option<String>,
        place: Option<Place>,
        entries: &[Entry],
    ) -> StorageSpec {
        let mut storage = StorageSpec { name, place, ..StorageSpec::default() };
        for entry in entries {
            if let Some(key) = keys::find(&entry.key) {
                self.set(&mut storage, key, entry);
            }
        }
        storage
    }

    fn set(&mut self, storage: &mut StorageSpec, key: &Key, entry: &Entry) {
        match key.name {
            "flows" => storage.flows = self.flows(entry),
            "runtime" => storage.runtime = self.runtime(entry),
            "registry_url" => storage.registry_url = self.text(entry),
            "image_name" => storage.image_name = self.text(entry),
            "image_tag" => storage.image_tag = self.text(entry),
            "base_image" => storage.base_image = self.text(entry),
            "dockerfile" => storage.dockerfile = self.text(entry),
            "dockerignore" => storage.dockerignore = self.text(entry),
            "python_version" => storage.python_version = self.text(entry),
            "python_dependencies" => storage.python_dependencies = self.texts(entry),
            "requirements" => storage.requirements = self.texts(entry),
            "env_vars" => storage.env_vars = self.pairs(entry),
            "files" => storage.files = self.pairs(entry),
            "system_packages" => storage.system_packages = self.texts(entry),
            "build_packages" => storage.build_packages = self.texts(entry),
            "infer_system_packages" => storage.infer_system_packages = self.switch(entry),
            "exclude_system_packages" => storage.exclude_system_packages = self.texts(entry),
            "required_commands" => storage.required_commands = self.texts(entry),
            "apt_repositories" => storage.apt_repositories = self.tables(entry),
            "recipes" => storage.recipes = self.texts_or_options(entry),
            "index_url" => storage.index_url = self.text(entry),
            "extra_index_urls" => storage.extra_index_urls = self.texts(entry),
            "build_secrets" => storage.build_secrets = self.pairs(entry),
            "ssh" => storage.ssh = self.texts(entry),
            "ca_certificates" => storage.ca_certificates = self.texts(entry),
            "keep_ca_certificates" => storage.keep_ca_certificates = self.switch(entry),
            "extra_dockerfile_commands" => storage.extra_dockerfile_commands = self.texts(entry),
            "prefect_version" => storage.prefect_version = self.text(entry),
            "prefect_directory" => storage.prefect_directory = self.text(entry),
            "path" => storage.path = self.text(entry),
            "stored_as_script" => storage.stored_as_script = self.switch(entry),
            "ignore_healthchecks" => storage.ignore_healthchecks = self.switch(entry),
            "import_check_exclude" => storage.import_check_exclude = self.texts(entry),
            "platforms" => storage.platforms = self.texts(entry),
            "image_labels" => storage.image_labels = self.pairs(entry),
            "user" => storage.user = self.text(entry),
            "modules" => storage.modules = self.texts(entry),
            "local_image" => storage.local_image = self.switch(entry),
            "secrets" => storage.secrets = self.texts(entry),
            "base_url" => storage.base_url = self.text(entry),
            "tls_config" => storage.tls_config = self.tls(entry),
            "build_kwargs" => storage.build_kwargs = self.table(entry),
            other => unreachable!("`{other}` is in KEYS but has no field"),
        }
    }

    fn keyed<T>(&self, entry: &Entry, value: T) -> Keyed<T> {
        Keyed { value, place: self.place(entry.line) }
    }

    fn text(&mut self, entry: &Entry) -> Option<Keyed<String>> {
        match &entry.value.node {
            Node::String(text) => Some(self.keyed(entry, text.clone())),
            Node::Float(number) => {
                let message = format!("`{}` is a number, which drops zeros", entry.key);
                let remedy = format!("write {} = \"{number}\"", entry.key);
                self.problem(&entry.key, entry.line, message, remedy);
                None
            }
            _ => {
                self.wrong_type(entry, Shape::Text.remedy());
                None
            }
        }
    }

    fn switch(&mut self, entry: &Entry) -> Option<Keyed<bool>> {
        if let Node::Boolean(value) = &entry.value.node {
            return Some(self.keyed(entry, *value));
        }
        self.wrong_type(entry, Shape::Switch.remedy());
        None
    }

    fn table(&mut self, entry: &Entry) -> Option<Keyed<Table>> {
        if let Node::Table(table) = &entry.value.node {
            return Some(self.keyed(entry, table.clone()));
        }
        self.wrong_type(entry, Shape::Options.remedy());
        None
    }

    fn tls(&mut self, entry: &Entry) -> Option<Keyed<Node>> {
        if let node @ (Node::Boolean(_) | Node::Table(_)) = &entry.value.node {
            return Some(self.keyed(entry, node.clone()));
        }
        self.wrong_type(entry, Shape::SwitchOrOptions.remedy());
        None
    }

    /// A list of tables, or one table that stands for a list of one.
    fn tables(&mut self, entry: &Entry) -> Option<Keyed<Vec<Located>>> {
        let one = std::slice::from_ref(&entry.value);
        let items: &[Located] = match &entry.value.node {
            Node::Table(_) => one,
            Node::List(items) => items,
            _ => {
                self.wrong_type(entry, Shape::Tables.remedy());
                return None;
            }
        };
        let mut tables = Vec::new();
        for item in items {
            if matches!(item.node, Node::Table(_)) {
                tables.push(item.clone());
            } else {
                let message = format!("an item of `{}` is {}", entry.key, item.node.kind());
                self.problem(&entry.key, item.line, message, Shape::Tables.remedy());
            }
        }
        Some(self.keyed(entry, tables))
    }

    fn texts_or_options(&mut self, entry: &Entry) -> Option<Keyed<Node>> {
        if let node @ (Node::String(_) | Node::List(_) | Node::Table(_)) = &entry.value.node {
            return Some(self.keyed(entry, node.clone()));
        }
        self.wrong_type(entry, Shape::TextsOrOptions.remedy());
        None
    }

    fn texts(&mut self, entry: &Entry) -> Option<Keyed<Vec<Keyed<String>>>> {
        let one = std::slice::from_ref(&entry.value);
        let items: &[Located] = match &entry.value.node {
            Node::String(_) => one,
            Node::List(items) => items,
            _ => {
                self.wrong_type(entry, Shape::Texts.remedy());
                return None;
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.node {
                Node::String(text) => {
                    texts.push(Keyed { value: text.clone(), place: self.place(item.line) });
                }
                other => {
                    let message = format!("an item of `{}` is {}", entry.key, other.kind());
                    self.problem(&entry.key, item.line, message, Shape::Texts.remedy());
                }
            }
        }
        Some(self.keyed(entry, texts))
    }

    fn pairs(&mut self, entry: &Entry) -> Option<Keyed<Vec<Pair>>> {
        let Node::Table(table) = &entry.value.node else {
            self.wrong_type(entry, Shape::Pairs.remedy());
            return None;
        };
        let mut pairs = Vec::new();
        for pair in &table.entries {
            // As Python's str() writes them, which is what Prefect put into the Dockerfile.
            let value = match &pair.value.node {
                Node::String(text) => text.clone(),
                Node::Integer(number) => number.to_string(),
                Node::Float(number) => number.clone(),
                Node::Boolean(true) => "True".to_owned(),
                Node::Boolean(false) => "False".to_owned(),
                other => {
                    let message = format!("`{}.{}` is {}", entry.key, pair.key, other.kind());
                    self.problem(&entry.key, pair.line, message, Shape::Text.remedy());
                    continue;
                }
            };
            pairs.push(Pair { key: pair.key.clone(), value, place: self.place(pair.line) });
        }
        Some(self.keyed(entry, pairs))
    }

    fn flows(&mut self, entry: &Entry) -> Option<Keyed<Vec<FlowSpec>>> {
        let flows = match &entry.value.node {
            Node::Table(_) => self
                .pairs(entry)?
                .value
                .into_iter()
                .map(|pair| FlowSpec { name: Some(pair.key), path: pair.value, place: pair.place })
                .collect(),
            Node::String(_) | Node::List(_) => self
                .texts(entry)?
                .value
                .into_iter()
                .map(|path| FlowSpec { name: None, path: path.value, place: path.place })
                .collect(),
            _ => {
                self.wrong_type(entry, Shape::Flows.remedy());
                return None;
            }
        };
        Some(self.keyed(entry, flows))
    }

    fn runtime(&mut self, entry: &Entry) -> Option<Keyed<RuntimeKind>> {
        let text = self.text(entry)?;
        let kind = RuntimeKind::ALL.into_iter().find(|kind| kind.name() == text.value);
        if kind.is_none() {
            let message = format!("`{}` is not a runtime", text.value);
            let names = RuntimeKind::ALL.map(|kind| format!("\"{}\"", kind.name()));
            let remedy = format!("write {}", names.join(" or "));
            self.problem("runtime", entry.line, message, remedy);
        }
        Some(self.keyed(entry, kind?))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{Format, SpecFile, parse};
    use super::*;

    fn read(text: &str) -> (SpecFile, Vec<String>) {
        let (spec, problems) = parse(text, Format::Toml, "s.toml", PathBuf::from("/p"));
        (spec, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_key_of_the_table_has_a_field() {
        for key in keys::KEYS {
            let value = match key.shape {
                Shape::Text if key.name == "runtime" => "\"python\"",
                Shape::Text => "\"x\"",
                Shape::Switch | Shape::SwitchOrOptions => "true",
                Shape::Texts | Shape::Flows | Shape::TextsOrOptions => "[\"x\"]",
                Shape::Tables => "[{ a = \"x\" }]",
                Shape::Pairs | Shape::Options => "{ a = \"x\" }",
            };
            let (spec, problems) = read(&format!("{} = {value}", key.name));
            assert_eq!(problems, Vec::<String>::new(), "{}", key.name);
            assert_ne!(spec.storages[0], StorageSpec::default(), "{} was dropped", key.name);
        }
    }

    #[test]
    fn all_problems_are_found_at_once() {
        let (_, problems) = read(
            "base_imge = \"x\"\nflows = 3\nruntime = \"airflow\"\npython_version = 3.10\n\
             stored_as_script = \"yes\"\npython_dependencies = [\"a\", 2]\n\
             [env_vars]\nA = [1]\n[storage.\"a b\"]\ntag = \"x\"\n",
        );
        assert_eq!(
            problems,
            [
                "s.toml:1: `base_imge` is not a key of the spec\n    did you mean `base_image`?",
                "s.toml:9: `a b` cannot name a storage\n    \
                 use letters, digits, `-` and `_`, beginning with a letter or digit",
                "s.toml:10: `tag` is not a key of the spec\n    \
                 remove it; docs/spec.md lists all keys",
                "s.toml:2: `flows` is a number\n    \
                 write a list of paths, or a table { \"flow name\" = \"path\" }",
                "s.toml:3: `airflow` is not a runtime\n    \
                 write \"prefect1\" or \"prefect\" or \"python\"",
                "s.toml:4: `python_version` is a number, which drops zeros\n    \
                 write python_version = \"3.10\"",
                "s.toml:5: `stored_as_script` is a string\n    \
                 write true or false, without quotes",
                "s.toml:6: an item of `python_dependencies` is a number\n    \
                 write a list of strings, as [\"a\", \"b\"]",
                "s.toml:8: `env_vars.A` is a list\n    write a string in quotes",
            ]
        );
    }

    #[test]
    fn storages_inherit() {
        let (spec, problems) = read(
            "base_image = \"b\"\nsystem_packages = [\"x\"]\n[env_vars]\nA = \"1\"\nB = true\n\
             [storage.one]\nsystem_packages = [\"y\"]\n[storage.one.env_vars]\nB = 2\nC = \"3\"\n\
             [storage.two]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let env = |at: usize| -> Vec<(String, String, usize)> {
            let pairs = spec.storages[at].env_vars.as_ref().expect("inherited");
            pairs.value.iter().map(|p| (p.key.clone(), p.value.clone(), p.place.line)).collect()
        };
        let pair = |key: &str, value: &str, line| (key.to_owned(), value.to_owned(), line);
        assert_eq!(env(0), [pair("A", "1", 4), pair("B", "2", 9), pair("C", "3", 10)]);
        assert_eq!(env(1), [pair("A", "1", 4), pair("B", "True", 5)]);
        let packages = spec.storages[0].system_packages.as_ref().expect("replaced");
        assert_eq!(packages.value[0].value, "y");
        assert_eq!(spec.storages[1].base_image.as_ref().map(|b| b.place.line), Some(1));
    }

    #[test]
    fn a_pyproject_without_our_table_is_said() {
        let parse = |text| parse(text, Format::Pyproject, "pyproject.toml", PathBuf::new());
        assert_eq!(parse("[project]\nname = 'x'\n").1.len(), 1);
        let (spec, problems) = parse("[tool.flowstorage]\nflows = ['a.py']\n");
        assert_eq!(problems, []);
        assert_eq!(spec.storages[0].flows.as_ref().map(|flows| flows.value.len()), Some(1));
    }
}
