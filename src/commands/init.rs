//! `init`: writes a spec from flow scripts.
//!
//! **Invariant:** a file that is there is never overwritten.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value as Json, json};

use crate::cli::InitArgs;
use crate::error::Error;
use crate::facts::{self, Facts, Found, Machine};
use crate::host::Host;
use crate::init::{self, Source};
use crate::plugin::Call;
use crate::problem::{Place, Problem};
use crate::resolve::not_python;
use crate::slug::slugify;
use crate::spec;

const DEFAULT_OUTPUT: &str = "flowstorage.toml";

/// Runs the command.
pub fn run(args: &InitArgs, _: &Call, host: &mut Host) -> anyhow::Result<()> {
    let to_stdout = args.output.as_deref().is_some_and(|path| path == Path::new("-"));
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_OUTPUT));
    let target = facts::normalised(&host.cwd.join(&output));
    if !to_stdout && target.symlink_metadata().is_ok() {
        let message = format!("`{}` is there already", output.display());
        return Err(problem(message, "remove it, or name another file with --output").into());
    }
    let home = host.var("HOME").map(PathBuf::from);
    let machine = Machine { home: home.as_deref(), cwd: &host.cwd, env: &host.env };
    let here = PathBuf::from(".");
    let sources = sources(args.source.as_ref().unwrap_or(&here), machine)?;
    let folder = if to_stdout { host.cwd.clone() } else { folder_of(&target) };
    let text = init::to_toml(&sources, &folder);
    if to_stdout {
        host.term.result(&text)?;
        return Ok(());
    }
    super::build::write_new(&target, &text)?;
    let unknown = sources.iter().flat_map(|s| &s.spec.storages).map(|s| s.unknown.len()).sum();
    host.term.note(&format!("wrote `{}`{}", output.display(), left_open(unknown)));
    Ok(())
}

fn left_open(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 value that the script computes is left open".to_owned(),
        count => format!("; {count} values that the script computes are left open"),
    }
}

fn problem(message: String, remedy: &str) -> Error {
    Error::Spec(vec![Problem { key: None, place: None, message, remedy: remedy.to_owned() }])
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

/// The scripts that are meant, each read as a spec.
pub(super) fn sources(given: &Path, machine: Machine<'_>) -> anyhow::Result<Vec<Source>> {
    let path = facts::normalised(&machine.cwd.join(given));
    if !path.is_dir() {
        return Ok(vec![source(given, &path, machine)?]);
    }
    let read = std::fs::read_dir(&path);
    let read = read.with_context(|| format!("reading the folder `{}`", given.display()))?;
    let mut names: Vec<PathBuf> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    names.sort();
    let mut sources = Vec::new();
    for script in names {
        let name = script.file_name().unwrap_or_default();
        let name = if given == Path::new(".") { name.into() } else { given.join(name) };
        let read = facts::read_script(&script, &path, machine);
        // A folder of flows holds other modules too.
        if read.is_ok_and(|script| !script.flows.is_empty()) {
            sources.push(source(&name, &script, machine)?);
        }
    }
    if sources.is_empty() {
        let message = format!("no script in `{}` makes a flow", given.display());
        return Err(problem(message, "name the script").into());
    }
    Ok(sources)
}

fn source(name: &Path, path: &Path, machine: Machine<'_>) -> anyhow::Result<Source> {
    let name = name.to_string_lossy().into_owned();
    if !path.is_file() {
        let message = format!("`{name}` is neither a file nor a folder");
        return Err(problem(message, "name a flow script, or a folder of flow scripts").into());
    }
    let folder = facts::project_of(path, machine);
    let script = facts::read_script(path, &folder, machine);
    let script = script.map_err(|error| {
        Error::Spec(vec![Problem {
            key: None,
            place: Some(Place { file: name.clone(), line: error.line }),
            message: not_python(&name, &error),
            remedy: "correct the script at this line".to_owned(),
        }])
    })?;
    let (spec, problems) = spec::script::from_script(&script, &name, path, &folder);
    if !problems.is_empty() {
        return Err(Error::Spec(problems).into());
    }
    let facts = facts::gather(&spec, machine, None);
    let says_itself = !script.storages.is_empty();
    let own_name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy();
    let inferred = if says_itself { Vec::new() } else { inferred(&facts, &own_name) };
    let mut inferred = inferred;
    if let ([storage], true) = (spec.storages.as_slice(), script.flows.len() > 1)
        && storage.image_name.is_none()
        && !storage.unknown.iter().any(|unknown| unknown.key == "image_name")
    {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        inferred.push(("image_name", json!(slugify(&stem)), "the script's name".to_owned()));
    }
    let found = facts.paths.iter().filter_map(|(path, found)| match found {
        Found::File(file) => Some((path.clone(), file.source.clone())),
        Found::Folder(folder) => Some((path.clone(), folder.source.clone())),
        Found::Missing | Found::Unreadable(_) => None,
    });
    Ok(Source { found: found.collect(), spec, inferred })
}

/// What building the script alone would take from beside it.
fn inferred(facts: &Facts, script: &str) -> Vec<(&'static str, Json, String)> {
    let requirements =
        |path: &str, because: &str| vec![("requirements", json!([path]), because.to_owned())];
    if facts.has_script_block(script) {
        requirements(script, "the script's own block of PEP 723")
    } else if let Some(file) = facts.requirements_file() {
        requirements(file, "found without being named")
    } else {
        Vec::new()
    }
}
