//! Flow scripts, read together with the files that they refer to.
//!
//! **Invariant:** reads regular files of moderate size only, each once, and only so many.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Machine, modules};
use crate::python;
use crate::python::SyntaxError;
use crate::python::script::{Script, Sources};
use crate::spec::credentials;

/// Rounds of reading what the last one asked for: imports of imports, and files that those name.
const ROUNDS: usize = 40;
/// Bytes of a file that a script may be read together with.
const MAX_BYTES: u64 = 8 << 20;

/// Reads a flow script of a spec in `folder`, and whatever else its values depend on.
pub fn read_script(
    path: &Path,
    folder: &Path,
    machine: Machine<'_>,
) -> Result<Script, SyntaxError> {
    let utf8 = machine
        .env
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())));
    let mut sources = Sources {
        files: BTreeMap::from([(path.to_owned(), text(path))]),
        roots: modules::roots(path, folder, machine.home),
        env: utf8.collect(),
        home: machine.home.map(Path::to_owned),
        cwd: machine.cwd.to_owned(),
    };
    let mut script = python::read(path, &sources)?;
    for _ in 0..ROUNDS {
        let new: Vec<PathBuf> = script
            .wanted
            .iter()
            .filter(|path| !sources.files.contains_key(*path))
            .cloned()
            .collect();
        if new.is_empty() {
            break;
        }
        for path in new {
            let text = text(&path);
            sources.files.insert(path, text);
        }
        script = python::read(path, &sources)?;
    }
    let variables = variables_of(&script, machine);
    credentials::take_out(&mut script, &variables);
    Ok(script)
}

/// The variables that a script reads, as far as they are set.
fn variables_of(script: &Script, machine: Machine<'_>) -> BTreeMap<String, String> {
    let set = |name: &String| Some((name.clone(), machine.var(name)?.to_owned()));
    script.variables.iter().filter_map(set).collect()
}

fn text(path: &Path) -> Option<String> {
    let metadata = path.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}
