//! One file per command: each reads as the pipeline that it is.
//!
//! **Invariant:** commands connect the other modules and decide nothing that those could.

mod attempt;
pub mod build;
pub mod check;
mod draft;
pub mod explain;
mod explanation;
mod fix;
pub mod init;
pub mod install;
mod learn;
mod local_base;
pub mod plan;
mod registration;
mod secrets;
pub mod version;

use std::path::{Path, PathBuf};

use crate::cli::{NameArgs, SpecArgs};
use crate::error::Error;
use crate::facts::{self, Facts, Machine};
use crate::host::Host;
use crate::plan::Plan;
use crate::problem::{Place, Problem};
use crate::python::script::Script;
use crate::resolve::{self, Overrides};
use crate::spec::{self, Format, SpecFile};
use crate::storage::Storage;

/// A spec as it was read, and every problem with it.
struct Loaded {
    spec: SpecFile,
    facts: Facts,
    problems: Vec<Problem>,
    /// The file's text, where it is no script.
    text: Option<String>,
}

/// Names of the spec that are tried where none is given.
const DEFAULT_FILES: [&str; 2] = ["flowstorage.toml", "pyproject.toml"];

fn load(args: &SpecArgs, host: &Host) -> Result<Loaded, Error> {
    let problem = |message: String, remedy: &str| {
        Error::Spec(vec![Problem { key: None, place: None, message, remedy: remedy.to_owned() }])
    };
    let home = host.var("HOME").map(PathBuf::from);
    let machine = Machine { home: home.as_deref(), cwd: &host.cwd, env: &host.env };
    let default = DEFAULT_FILES.iter().find(|name| host.cwd.join(name).is_file());
    let Some(file) = args.file.clone().or_else(|| default.map(PathBuf::from)) else {
        let is_script =
            |name: &&String| Path::new(name.as_str()).extension().is_some_and(|e| e == "py");
        let remedy = match args.storages.iter().find(is_script) {
            Some(script) => format!("did you mean --file {script}?"),
            None => "write one, or name a spec or a flow script with --file".to_owned(),
        };
        let message = format!("no `flowstorage.toml` in `{}`", host.cwd.display());
        return Err(problem(message, &remedy));
    };
    let name = file.to_string_lossy().into_owned();
    let path = host.cwd.join(&file);
    if path.extension().is_some_and(|extension| extension == "py") {
        return load_script(&name, &path, machine);
    }
    let bytes = std::fs::read(&path).map_err(|error| {
        problem(format!("`{name}` cannot be read: {error}"), "name a spec with --file")
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| problem(format!("`{name}` is not UTF-8"), "save it as UTF-8"))?;
    Ok(read(text, &path, &name, host))
}

/// Reads a spec that is, or could be, at a path.
fn read(text: String, path: &Path, name: &str, host: &Host) -> Loaded {
    let home = host.var("HOME").map(PathBuf::from);
    let machine = Machine { home: home.as_deref(), cwd: &host.cwd, env: &host.env };
    let folder = path.parent().map_or_else(|| host.cwd.clone(), Path::to_path_buf);
    let (spec, problems) = spec::parse(&text, Format::of(path), name, folder);
    let facts = facts::gather(&spec, machine, None);
    Loaded { spec, facts, problems, text: Some(text) }
}

/// A flow script alone is a spec.
fn load_script(name: &str, path: &Path, machine: Machine<'_>) -> Result<Loaded, Error> {
    let path = facts::normalised(path);
    if !path.is_file() {
        return Err(Error::Spec(vec![Problem {
            key: None,
            place: None,
            message: format!("`{name}` is not a file"),
            remedy: "name a flow script or a spec with --file".to_owned(),
        }]));
    }
    let folder = facts::project_of(&path, machine);
    let script = facts::read_script(&path, &folder, machine);
    // What cannot be read gives a spec all the same: gathering its facts finds out why.
    let nothing = Script::default();
    let known = script.as_ref().unwrap_or(&nothing);
    let (spec, problems) = spec::script::from_script(known, name, &path, &folder);
    let own_name = path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().into_owned();
    let facts = facts::gather(&spec, machine, Some((own_name, script)));
    Ok(Loaded { spec, facts, problems, text: None })
}

/// What the command line says about names; the rest is for the command to add.
fn overrides(spec: &SpecArgs, names: &NameArgs) -> Overrides {
    Overrides {
        storages: spec.storages.clone(),
        registry_url: names.registry_url.clone(),
        image_name: names.image_name.clone(),
        image_tag: names.image_tag.clone(),
        ..Overrides::default()
    }
}

/// Says what should be known of a spec although it can be built.
fn warn(storages: &[Storage], host: &mut Host) {
    let mut said: Vec<&Problem> = Vec::new();
    for warning in storages.iter().flat_map(|storage| &storage.warnings) {
        if !said.contains(&warning) {
            host.term.warning(&warning.to_string());
            said.push(warning);
        }
    }
}

impl Loaded {
    /// The storages to build, or every problem.
    fn resolve(&self, overrides: &Overrides) -> Result<Vec<Storage>, Vec<Problem>> {
        let mut problems = self.problems.clone();
        // What could not be read whole would only give problems that are none.
        if problems.iter().any(|problem| problem.key.is_none()) {
            return Err(problems);
        }
        let resolved = resolve::resolve(&self.spec, overrides, &self.facts);
        if let Err(more) = &resolved {
            problems.extend(more.iter().cloned());
        }
        if problems.is_empty() {
            return resolved;
        }
        problems.sort_by(|a, b| position(a, &self.spec.file).cmp(&position(b, &self.spec.file)));
        Err(problems)
    }
}

/// The spec's own problems come first, each file's by line.
fn position<'a>(problem: &'a Problem, spec: &str) -> (bool, Option<&'a Place>) {
    let place = problem.place.as_ref();
    (place.is_some_and(|place| place.file != spec), place)
}

/// Plans every storage.
fn plans(storages: &[Storage]) -> Vec<Plan> {
    storages.iter().map(crate::plan::plan).collect()
}
