//! A flow script as a spec: the keywords of its `Docker(...)` calls are the keys.
//!
//! **Invariant:** what the script computes is listed as unknown, never as a value.

use std::collections::BTreeMap;
use std::path::Path;

use super::document::{Entry, Located, Node, Table};
use super::{SpecFile, UnknownValue, read};
use crate::problem::{Place, Problem};
use crate::python::script::{
    Argument, Because, FlowKind, Item, Script, Spot, StorageFound, Unknown, Value,
};

/// Keywords that concern the flow object, which the script makes again in the image.
const OF_THE_FLOW: [&str; 3] = ["result", "labels", "add_default_labels"];

/// The spec that a script is. `file` is the script as the user named it, `path` the same, absolute,
/// and `folder` that of the project around it.
pub fn from_script(
    script: &Script,
    file: &str,
    path: &Path,
    folder: &Path,
) -> (SpecFile, Vec<Problem>) {
    let mut problems = Vec::new();
    let names = Names { file, path, folder };
    let groups = groups(script, &names, &mut problems);
    let several = groups.len() > 1;
    let mut taken: Vec<String> = Vec::new();
    let mut storages = Vec::new();
    for group in &groups {
        let found = group.storage.map(|at| &script.storages[at]);
        let mut table = Table { entries: vec![names.flows(group)] };
        let mut unknown = Vec::new();
        if let Some(found) = found {
            names.arguments(found, &mut table, &mut unknown);
        }
        let name = several.then(|| storage_name(found, &table, &mut taken));
        let at = found.map_or_else(|| Spot { file: path.to_owned(), line: 1 }, |f| f.at.clone());
        let place = names.place(&at);
        let mut storage = read::storage(&table, name, &place, &mut problems);
        storage.unknown = unknown;
        storages.push(storage);
    }
    let unread = problems.iter().filter_map(|problem| problem.key.clone()).collect();
    let spec = SpecFile {
        file: file.to_owned(),
        folder: folder.to_owned(),
        storages,
        unread,
        script: Some(path.to_owned()),
    };
    (spec, problems)
}

/// Flows that share a storage.
struct Group {
    storage: Option<usize>,
    /// Names of its flows where they are not all that the script makes.
    flows: Option<Vec<String>>,
}

/// The storages that are used, each with its flows.
fn groups(script: &Script, names: &Names<'_>, problems: &mut Vec<Problem>) -> Vec<Group> {
    let prefect1 = script.flows.iter().filter(|flow| flow.kind == FlowKind::Prefect1);
    let flows: Vec<_> = prefect1.collect();
    // A function that is called for each flow makes the same storage again: one image.
    let first = |at: usize| {
        let (new, all) = (&script.storages[at], &script.storages[..at]);
        let same = |old: &StorageFound| {
            (&old.at, &old.arguments, &old.rest) == (&new.at, &new.arguments, &new.rest)
        };
        all.iter().position(same).unwrap_or(at)
    };
    let mut used: Vec<usize> = flows.iter().filter_map(|flow| flow.storage).map(first).collect();
    used.sort_unstable();
    used.dedup();
    match (used.as_slice(), script.storages.len()) {
        ([], 0 | 1) => {
            return vec![Group { storage: script.storages.first().map(|_| 0), flows: None }];
        }
        ([], _) => {
            let second = &script.storages[1];
            problems.push(Problem {
                key: None,
                place: Some(names.place(&second.at)),
                message: "the script makes several storages, and no flow is known to use one"
                    .to_owned(),
                remedy: "set `flow.storage`, or write a flowstorage.toml".to_owned(),
            });
            return Vec::new();
        }
        _ => {}
    }
    let group = |at: &usize| {
        let own: Vec<_> =
            flows.iter().filter(|flow| flow.storage.map(first) == Some(*at)).collect();
        let known: Option<Vec<String>> = own
            .iter()
            .map(|flow| match &flow.name {
                Value::Text(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        Group { storage: Some(*at), flows: known.filter(|_| own.len() < flows.len()) }
    };
    used.iter().map(group).collect()
}

/// A name for one of several storages: that of its image or variable, made unique.
fn storage_name(found: Option<&StorageFound>, table: &Table, taken: &mut Vec<String>) -> String {
    let image = table.get("image_name").and_then(|entry| match &entry.value.node {
        Node::String(name) => Some(name.as_str()),
        _ => None,
    });
    let variable = found.and_then(|found| found.variable.as_deref());
    let fits = |name: &&str| read::is_target_name(name);
    let wanted = image.filter(fits).or(variable.filter(fits)).unwrap_or("storage").to_owned();
    let mut name = wanted.clone();
    let mut number = 1;
    while taken.contains(&name) {
        number += 1;
        name = format!("{wanted}-{number}");
    }
    taken.push(name.clone());
    name
}

/// How files are called towards the user.
struct Names<'a> {
    file: &'a str,
    path: &'a Path,
    folder: &'a Path,
}

impl Names<'_> {
    fn place(&self, spot: &Spot) -> Place {
        let file = if spot.file == self.path {
            self.file.to_owned()
        } else {
            let below = spot.file.strip_prefix(self.folder).unwrap_or(&spot.file);
            below.to_string_lossy().into_owned()
        };
        Place { file, line: spot.line }
    }

    /// The key `flows`: the script, under the flows' names where it has others besides.
    fn flows(&self, group: &Group) -> Entry {
        let script = self.path.strip_prefix(self.folder).unwrap_or(self.path);
        let script = script.to_string_lossy().into_owned();
        let path = || Located { node: Node::String(script.clone()), line: 1 };
        let node = match &group.flows {
            None => Node::List(vec![path()]),
            Some(names) => {
                let entry = |name: &String| Entry { key: name.clone(), line: 1, value: path() };
                Node::Table(Table { entries: names.iter().map(entry).collect() })
            }
        };
        Entry { key: "flows".to_owned(), line: 1, value: Located { node, line: 1 } }
    }

    fn arguments(&self, found: &StorageFound, table: &mut Table, unknown: &mut Vec<UnknownValue>) {
        for argument in &found.arguments {
            let Argument { key, value, at } = argument;
            if OF_THE_FLOW.contains(&key.as_str()) {
                continue;
            }
            let line = line_in(found, at, found.at.line);
            let mut tree = Tree { names: self, found, key, unknown: &mut *unknown };
            if let Some(node) = tree.whole(value, line) {
                let value = Located { node, line };
                table.entries.push(Entry { key: key.clone(), line, value });
            }
        }
        if let Some(rest) = &found.rest {
            unknown.push(self.unknown("**", None, rest));
        }
    }

    fn unknown(&self, key: &str, item: Option<String>, unknown: &Unknown) -> UnknownValue {
        let (mut variable, mut missing_file, mut credential) = (None, None, None);
        match &unknown.because {
            Because::RunTime => {}
            Because::Variable(name) => variable = Some(name.clone()),
            Because::Credential(name) => credential = Some(name.clone()),
            Because::File(path) => missing_file = Some(path.to_string_lossy().into_owned()),
        }
        UnknownValue {
            key: key.to_owned(),
            item,
            expression: unknown.expression.clone(),
            place: self.place(&unknown.at),
            variable,
            credential,
            missing_file,
        }
    }
}

/// The line of a spot in the file of the call; of what it came by where it is elsewhere.
fn line_in(found: &StorageFound, spot: &Spot, otherwise: usize) -> usize {
    if spot.file == found.at.file { spot.line } else { otherwise }
}

/// Makes the tree of one argument.
struct Tree<'a> {
    names: &'a Names<'a>,
    found: &'a StorageFound,
    key: &'a str,
    unknown: &'a mut Vec<UnknownValue>,
}

impl Tree<'_> {
    /// The argument; none for `None` and for what is not known.
    fn whole(&mut self, value: &Value, line: usize) -> Option<Node> {
        match value {
            Value::None => None,
            value => self.node(value, line, None),
        }
    }

    fn node(&mut self, value: &Value, line: usize, item: Option<&str>) -> Option<Node> {
        Some(match value {
            // What Prefect writes for it into a Dockerfile.
            Value::None if self.key == "env_vars" => Node::String("None".to_owned()),
            Value::None => return None,
            Value::Boolean(value) => Node::Boolean(*value),
            Value::Integer(number) => Node::Integer(*number),
            Value::Float(number) => Node::Float(number.clone()),
            Value::Text(text) => Node::String(text.clone()),
            Value::List(items) => {
                let numbered = items.iter().enumerate();
                let located = numbered.filter_map(|(at, Item { value, at: spot })| {
                    let line = line_in(self.found, spot, line);
                    let number = at.to_string();
                    let node = self.node(value, line, Some(item.unwrap_or(&number)))?;
                    Some(Located { node, line })
                });
                Node::List(located.collect())
            }
            Value::Table(pairs) => {
                let mut entries: BTreeMap<&str, usize> = BTreeMap::new();
                let mut table = Table::default();
                for (key, Item { value, at }) in pairs {
                    let line = line_in(self.found, at, line);
                    let Some(node) = self.node(value, line, Some(item.unwrap_or(key))) else {
                        continue;
                    };
                    let value = Located { node, line };
                    let entry = Entry { key: key.clone(), line, value };
                    // Two keys of Python may have one text; the later one wins, as in a dict.
                    if let Some(at) = entries.get(key.as_str()) {
                        table.entries[*at] = entry;
                    } else {
                        entries.insert(key, table.entries.len());
                        table.entries.push(entry);
                    }
                }
                Node::Table(table)
            }
            Value::Unknown(unknown) => {
                let unknown = self.names.unknown(self.key, item.map(str::to_owned), unknown);
                self.unknown.push(unknown);
                return None;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::python::script::FlowFound;

    fn spot(line: usize) -> Spot {
        Spot { file: PathBuf::from("/p/flows/etl.py"), line }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn unknown(expression: &str, line: usize, because: Because) -> Value {
        Value::Unknown(Unknown { expression: expression.to_owned(), at: spot(line), because })
    }

    fn item(value: Value, line: usize) -> Item {
        Item { value, at: spot(line) }
    }

    fn storage(line: usize, variable: &str, arguments: Vec<(&str, Value)>) -> StorageFound {
        let argument = |(at, (key, value)): (usize, (&str, Value))| Argument {
            key: key.to_owned(),
            value,
            at: spot(line + 1 + at),
        };
        StorageFound {
            at: spot(line),
            variable: Some(variable.to_owned()),
            arguments: arguments.into_iter().enumerate().map(argument).collect(),
            rest: None,
        }
    }

    fn flow(name: &str, storage: Option<usize>) -> FlowFound {
        let (kind, name) = (FlowKind::Prefect1, text(name));
        FlowFound { name, kind, function: None, at: spot(1), storage }
    }

    fn read(script: &Script) -> (SpecFile, Vec<String>) {
        let path = Path::new("/p/flows/etl.py");
        let folder = Path::new("/p");
        let (spec, problems) = from_script(script, "flows/etl.py", path, folder);
        (spec, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keywords_are_keys_and_none_is_no_value() {
        let script = Script {
            flows: vec![flow("etl", Some(0))],
            storages: vec![storage(
                10,
                "storage",
                vec![
                    ("registry_url", text("r.example.org")),
                    ("dockerfile", Value::None),
                    (
                        "env_vars",
                        Value::Table(vec![
                            ("A".to_owned(), item(Value::None, 20)),
                            ("B".to_owned(), item(Value::Integer(3), 21)),
                            ("C".to_owned(), item(unknown("secret()", 22, Because::RunTime), 22)),
                        ]),
                    ),
                    ("image_tag", unknown("now()", 14, Because::RunTime)),
                    ("labels", Value::List(Vec::new())),
                ],
            )],
            ..Script::default()
        };
        let (spec, problems) = read(&script);
        assert_eq!(problems, Vec::<String>::new());
        let [storage] = spec.storages.as_slice() else { panic!("{spec:?}") };
        assert_eq!((spec.is_script(), &storage.name), (true, &None));
        let flows = storage.flows.as_ref().map(|flows| flows.value[0].path.as_str());
        assert_eq!(flows, Some("flows/etl.py"));
        let registry = storage.registry_url.as_ref().expect("it is given");
        assert_eq!(
            (registry.value.as_str(), registry.place.to_string()),
            ("r.example.org", "flows/etl.py:11".into())
        );
        assert_eq!(storage.dockerfile, None);
        let env = storage.env_vars.as_ref().expect("it is given");
        let env: Vec<_> =
            env.value.iter().map(|p| (p.key.as_str(), p.value.as_str(), p.place.line)).collect();
        assert_eq!(env, [("A", "None", 20), ("B", "3", 21)]);
        let open: Vec<_> = storage
            .unknown
            .iter()
            .map(|u| (u.key.as_str(), u.item.as_deref(), u.expression.as_str(), u.place.line))
            .collect();
        assert_eq!(
            open,
            [("env_vars", Some("C"), "secret()", 22), ("image_tag", None, "now()", 14)]
        );
    }

    #[test]
    fn each_storage_has_its_own_flows() {
        let names = |spec: &SpecFile| -> Vec<(Option<String>, Vec<Option<String>>)> {
            let flows = |s: &crate::spec::StorageSpec| {
                let flows = s.flows.iter().flat_map(|flows| &flows.value);
                flows.map(|flow| flow.name.clone()).collect()
            };
            spec.storages.iter().map(|s| (s.name.clone(), flows(s))).collect()
        };
        let some = |name: &str| Some(name.to_owned());
        let mut script = Script {
            flows: vec![flow("a", Some(0)), flow("b", Some(1)), flow("c", Some(1))],
            storages: vec![
                storage(1, "same", Vec::new()),
                storage(2, "same", vec![("image_name", text("nightly"))]),
            ],
            ..Script::default()
        };
        assert_eq!(
            names(&read(&script).0),
            [(some("same"), vec![some("a")]), (some("nightly"), vec![some("b"), some("c")])]
        );
        // A flow that uses another kind of storage stays out.
        script.flows = vec![flow("a", Some(0)), flow("b", None)];
        assert_eq!(names(&read(&script).0), [(None, vec![some("a")])]);
        // One storage that no flow is known to use is everyone's.
        script.flows = vec![flow("a", None), flow("b", None)];
        script.storages.pop();
        assert_eq!(names(&read(&script).0), [(None, vec![None])]);
        script.storages.clear();
        assert_eq!(names(&read(&script).0), [(None, vec![None])]);
    }

    #[test]
    fn storages_that_nobody_uses_are_a_problem() {
        let script = Script {
            flows: vec![flow("a", None)],
            storages: vec![storage(3, "x", Vec::new()), storage(9, "y", Vec::new())],
            ..Script::default()
        };
        let (spec, problems) = read(&script);
        assert_eq!(spec.storages.len(), 0);
        assert_eq!(
            problems,
            [
                "flows/etl.py:9: the script makes several storages, and no flow is known to use one\n    \
              set `flow.storage`, or write a flowstorage.toml"
            ]
        );
    }
}
