//! The reader of flow scripts over a corpus of scripts, one folder per case.
//!
//! What is expected comes from running the scripts: see `tests/fixtures/reader/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use docker_flowstorage::python::read;
use docker_flowstorage::python::script::{
    Because, FlowKind, Script, Sources, Spot, Unknown, Value,
};
use serde_json::{Map, Value as Json};

/// Keys of `expected.json`; the last three are for the oracle.
const KEYS: [&str; 8] =
    ["flows", "storages", "error", "script", "roots", "oracle", "prefect", "python"];

/// A folder of the corpus.
struct Case {
    folder: PathBuf,
    expected: Map<String, Json>,
}

impl Case {
    fn all() -> Vec<Case> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reader");
        let mut folders: Vec<PathBuf> = fs::read_dir(corpus)
            .expect("the corpus")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        folders.into_iter().map(Case::open).collect()
    }

    fn open(folder: PathBuf) -> Case {
        let text = fs::read_to_string(folder.join("expected.json"))
            .unwrap_or_else(|error| panic!("{}: expected.json: {error}", folder.display()));
        let parent = folder.parent().expect("a parent").to_string_lossy().into_owned();
        let text = text.replace("{DIR}", &folder.to_string_lossy()).replace("{PARENT}", &parent);
        let expected: Map<String, Json> = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: expected.json: {error}", folder.display()));
        for key in expected.keys() {
            assert!(KEYS.contains(&&**key), "{}: key `{key}`", folder.display());
        }
        Case { folder, expected }
    }

    fn script(&self) -> PathBuf {
        self.folder.join(self.expected.get("script").and_then(Json::as_str).unwrap_or("flow.py"))
    }

    fn env(&self) -> BTreeMap<String, String> {
        fs::read_to_string(self.folder.join("env.json")).map_or_else(
            |_| BTreeMap::new(),
            |text| serde_json::from_str(&text).expect("env.json maps text to text"),
        )
    }

    /// Reads the script, and whatever more the reader asks for.
    fn read(&self) -> Result<Script, String> {
        let script = self.script();
        let roots = self.expected.get("roots").map_or_else(
            || vec![self.folder.clone()],
            |roots| {
                let roots = roots.as_array().expect("roots are a list");
                roots.iter().map(|root| self.root(root.as_str().expect("text"))).collect()
            },
        );
        let mut sources = Sources {
            files: BTreeMap::from([(script.clone(), fs::read_to_string(&script).ok())]),
            roots,
            env: self.env(),
            home: Some(PathBuf::from("/home/user")),
            cwd: self.folder.clone(),
        };
        for _ in 0..50 {
            let found = read(&script, &sources)
                .map_err(|error| format!("{}: {}", error.line, error.message))?;
            let missing: BTreeSet<PathBuf> = found
                .wanted
                .iter()
                .filter(|path| !sources.files.contains_key(*path))
                .cloned()
                .collect();
            if missing.is_empty() {
                return Ok(found);
            }
            for path in missing {
                // Nothing of the machine that runs the test may matter.
                let text = path.starts_with(&self.folder).then(|| fs::read_to_string(&path).ok());
                sources.files.insert(path, text.flatten());
            }
        }
        panic!("{}: the reader wants ever more files", self.folder.display());
    }

    fn root(&self, root: &str) -> PathBuf {
        if root == "." { self.folder.clone() } else { self.folder.join(root) }
    }

    /// A place as `expected.json` has it: a line of the script, or `file:line`.
    fn place(&self, at: &Json) -> String {
        let script = self.script();
        let script = script.strip_prefix(&self.folder).expect("in its folder").to_string_lossy();
        match at {
            Json::Number(line) => format!("{script}:{line}"),
            other => other.as_str().expect("a place").to_owned(),
        }
    }

    fn spot(&self, at: &Spot) -> String {
        let file = at.file.strip_prefix(&self.folder).unwrap_or(&at.file);
        format!("{}:{}", file.display(), at.line)
    }
}

/// What is expected, one line for each thing that can differ.
fn expected_lines(case: &Case) -> Vec<String> {
    let mut lines = Vec::new();
    let list = |key: &str| case.expected[key].as_array().expect("a list");
    for (n, flow) in list("flows").iter().enumerate() {
        let flow = flow.as_object().expect("a flow is an object");
        let known = ["name", "storage", "function", "@"];
        assert!(flow.keys().all(|key| known.contains(&&**key)), "{flow:?}");
        expected_value(case, &format!("flows[{n}].name"), &flow["name"], &mut lines);
        let storage = flow.get("storage").unwrap_or(&Json::Null);
        lines.push(format!("flows[{n}].storage = {storage}"));
        let function = flow.get("function").unwrap_or(&Json::Null);
        lines.push(format!("flows[{n}].function = {function}"));
        expected_places(case, &format!("flows[{n}]"), flow, &mut lines);
    }
    for (n, storage) in list("storages").iter().enumerate() {
        let storage = storage.as_object().expect("a storage is an object");
        lines.push(format!("storages[{n}]"));
        for (key, value) in storage.iter().filter(|(key, _)| *key != "@") {
            expected_value(case, &format!("storages[{n}].{key}"), value, &mut lines);
        }
        expected_places(case, &format!("storages[{n}]"), storage, &mut lines);
    }
    lines
}

fn expected_places(case: &Case, path: &str, of: &Map<String, Json>, lines: &mut Vec<String>) {
    let Some(at) = of.get("@").and_then(Json::as_object) else { return };
    if let Some(line) = at.get("line") {
        lines.push(format!("{path} is at {}", case.place(line)));
    }
    if let Some(variable) = at.get("variable") {
        lines.push(format!("{path} is bound to {variable}"));
    }
}

fn expected_value(case: &Case, path: &str, value: &Json, lines: &mut Vec<String>) {
    match value {
        Json::Object(object) if object.contains_key("unknown") => {
            let mut line = format!(
                "{path} = unknown {} at {}",
                object["unknown"],
                case.place(&object["line"])
            );
            if let Some(variable) = object.get("variable") {
                write!(line, ", variable {variable}").expect("a string");
            }
            if let Some(file) = object.get("file") {
                write!(line, ", file {file}").expect("a string");
            }
            lines.push(line);
        }
        Json::Object(object) => {
            lines.push(format!("{path} = {{"));
            for (key, value) in object {
                expected_value(case, &format!("{path}[{key:?}]"), value, lines);
            }
        }
        Json::Array(items) => {
            lines.push(format!("{path} = ["));
            for (n, item) in items.iter().enumerate() {
                expected_value(case, &format!("{path}[{n}]"), item, lines);
            }
        }
        plain => lines.push(format!("{path} = {plain}")),
    }
}

/// What was read, in the same lines. Places are said where `expected.json` says them.
fn read_lines(case: &Case, script: &Script) -> Vec<String> {
    let mut lines = Vec::new();
    let places = |key: &str, n: usize, place: &str| {
        let of = case.expected[key].as_array().and_then(|list| list.get(n));
        of.and_then(|of| of.get("@")).is_some_and(|at| at.get(place).is_some())
    };
    for (n, flow) in script.flows.iter().enumerate() {
        read_value(case, &format!("flows[{n}].name"), &flow.name, &mut lines);
        lines.push(format!("flows[{n}].storage = {}", Json::from(flow.storage)));
        lines.push(format!("flows[{n}].function = {}", Json::from(flow.function.clone())));
        let first = flow.kind == FlowKind::Prefect1;
        if first != flow.function.is_none() {
            lines.push(format!("flows[{n}].kind = {:?}", flow.kind));
        }
        if places("flows", n, "line") {
            lines.push(format!("flows[{n}] is at {}", case.spot(&flow.at)));
        }
    }
    for (n, storage) in script.storages.iter().enumerate() {
        lines.push(format!("storages[{n}]"));
        for argument in &storage.arguments {
            let path = format!("storages[{n}].{}", argument.key);
            read_value(case, &path, &argument.value, &mut lines);
        }
        if let Some(rest) = &storage.rest {
            lines.push(read_unknown(case, &format!("storages[{n}].**"), rest));
        }
        if places("storages", n, "line") {
            lines.push(format!("storages[{n}] is at {}", case.spot(&storage.at)));
        }
        if places("storages", n, "variable") {
            let variable = Json::from(storage.variable.clone());
            lines.push(format!("storages[{n}] is bound to {variable}"));
        }
    }
    lines
}

fn read_unknown(case: &Case, path: &str, unknown: &Unknown) -> String {
    let expression = Json::from(unknown.expression.clone());
    let mut line = format!("{path} = unknown {expression} at {}", case.spot(&unknown.at));
    match &unknown.because {
        Because::RunTime => {}
        Because::Variable(name) => {
            write!(line, ", variable {}", Json::from(name.clone())).expect("a string");
        }
        Because::Credential(name) => {
            write!(line, ", credential {}", Json::from(name.clone())).expect("a string");
        }
        Because::File(file) => {
            let file = file.strip_prefix(&case.folder).unwrap_or(file);
            write!(line, ", file {}", Json::from(file.to_string_lossy())).expect("a string");
        }
    }
    line
}

fn read_value(case: &Case, path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::None => lines.push(format!("{path} = null")),
        Value::Boolean(value) => lines.push(format!("{path} = {value}")),
        Value::Integer(value) => lines.push(format!("{path} = {value}")),
        Value::Float(value) => lines.push(format!("{path} = {value}")),
        Value::Text(value) => lines.push(format!("{path} = {}", Json::from(value.clone()))),
        Value::List(items) => {
            lines.push(format!("{path} = ["));
            for (n, item) in items.iter().enumerate() {
                read_value(case, &format!("{path}[{n}]"), &item.value, lines);
            }
        }
        Value::Table(pairs) => {
            lines.push(format!("{path} = {{"));
            for (key, item) in pairs {
                read_value(case, &format!("{path}[{key:?}]"), &item.value, lines);
            }
        }
        Value::Unknown(unknown) => lines.push(read_unknown(case, path, unknown)),
    }
}

/// What differs, in the order of what is expected; nothing if all is the same.
fn difference(case: &Case) -> String {
    let mut said = String::new();
    let mut say = |sign: char, line: &str| writeln!(said, "  {sign} {line}").expect("a string");
    match (case.expected["error"].as_str(), case.read()) {
        (None, Ok(script)) => {
            let (expected, read) = (expected_lines(case), read_lines(case, &script));
            expected.iter().filter(|line| !read.contains(line)).for_each(|line| say('-', line));
            read.iter().filter(|line| !expected.contains(line)).for_each(|line| say('+', line));
            if said.is_empty() && expected != read {
                said = format!("  the same lines in another order: {read:#?}\n");
            }
        }
        (Some(expected), Err(read)) => {
            let (line, text) = expected.split_once(": ").expect("`line: text`");
            let same =
                read.split_once(": ").is_some_and(|(at, said)| at == line && said.contains(text));
            if !same || read.contains('\n') {
                say('-', expected);
                say('+', &read);
            }
        }
        (Some(expected), Ok(_)) => {
            say('-', expected);
            say('+', "no error");
        }
        (None, Err(read)) => {
            say('-', "no error");
            say('+', &read);
        }
    }
    said
}

#[test]
fn scripts_are_read_as_python_runs_them() {
    let cases = Case::all();
    assert!(cases.len() >= 100, "only {} cases", cases.len());
    let mut failed = Vec::new();
    for case in &cases {
        let difference = difference(case);
        if !difference.is_empty() {
            let name = case.folder.file_name().expect("a name").to_string_lossy();
            failed.push(format!("{name}:\n{difference}"));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} cases differ (-: expected, +: read)\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
}

#[test]
fn reading_twice_gives_the_same() {
    for case in Case::all() {
        assert_eq!(case.read(), case.read(), "{}", case.folder.display());
    }
}
