//! Scripts and what is read from them.
//!
//! **Invariant:** every row of a table is one script, or one expression in one.

mod flows;
mod limits;
mod syntax;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::script::{Because, Item, Script, Sources, Unknown, Value};
use super::{SyntaxError, read};

const SCRIPT: &str = "/project/flow.py";

fn sources(files: &[(&str, &str)]) -> Sources {
    let files = files.iter().map(|(path, text)| {
        let text = (*text != "-").then(|| (*text).to_owned());
        (PathBuf::from("/project").join(path), text)
    });
    let env = [("SET", "of the machine"), ("STAGE", "prod"), ("EMPTY", "")];
    Sources {
        files: files.collect(),
        roots: vec!["/project".into()],
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        home: Some("/home/user".into()),
        cwd: "/project".into(),
    }
}

/// Reads a script; files that it asks for do not exist.
fn try_script(source: &str, files: &[(&str, &str)]) -> Result<Script, SyntaxError> {
    let mut all = vec![("flow.py", source)];
    all.extend(files);
    let mut sources = sources(&all);
    for _ in 0..10 {
        let script = read(SCRIPT.as_ref(), &sources)?;
        let new: BTreeMap<_, _> = script
            .wanted
            .iter()
            .filter(|path| !sources.files.contains_key(*path))
            .map(|path| (path.clone(), None))
            .collect();
        if new.is_empty() {
            return Ok(script);
        }
        sources.files.extend(new);
    }
    panic!("it always wants something new");
}

#[track_caller]
fn script(source: &str, files: &[(&str, &str)]) -> Script {
    try_script(source, files).unwrap_or_else(|error| panic!("{error:?} in\n{source}"))
}

fn shown(value: &Value) -> String {
    let items =
        |items: &[Item]| items.iter().map(|item| shown(&item.value)).collect::<Vec<_>>().join(", ");
    match value {
        Value::None => "None".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.clone(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(list) => format!("[{}]", items(list)),
        Value::Table(entries) => {
            let entries =
                entries.iter().map(|(key, item)| format!("{key}: {}", shown(&item.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Unknown(why) => reason(why),
    }
}

fn reason(why: &Unknown) -> String {
    let because = match &why.because {
        Because::RunTime | Because::Credential(_) => String::new(),
        Because::Variable(name) => format!(" ${name}"),
        Because::File(path) => format!(" @{}", path.display()),
    };
    format!("<{}{because}>", why.expression)
}

/// The arguments of all storages, and the flows with the storage of each.
fn summary(script: &Script) -> String {
    let storages = script.storages.iter().map(|storage| {
        let arguments = storage.arguments.iter();
        let arguments = arguments.map(|a| format!("{}={}", a.key, shown(&a.value)));
        let rest = storage.rest.iter().map(|why| format!("**{}", reason(why)));
        format!("Docker({})", arguments.chain(rest).collect::<Vec<_>>().join(", "))
    });
    let flows = script.flows.iter().map(|flow| {
        let storage = flow.storage.map_or("-".to_owned(), |at| at.to_string());
        let function = flow.function.iter().map(|function| format!(" {function}()"));
        format!("{}{}: {storage}", shown(&flow.name), function.collect::<String>())
    });
    storages.chain(flows).collect::<Vec<_>>().join("; ")
}
