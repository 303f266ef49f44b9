//! The folders that a project's modules are imported from.
//!
//! **Invariant:** in the order of `sys.path`; only folders that exist, and no virtual environment.

use std::fs;
use std::path::{Path, PathBuf};

use super::folders::Folders;

/// Files that mark the folder of a project.
const PROJECT_MARKS: [&str; 4] = ["pyproject.toml", "setup.py", "setup.cfg", ".git"];

/// The roots of a script that a spec in `folder` names. Both paths are absolute.
pub fn roots(script: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut folders = Folders::default();
    let own = script.parent().unwrap_or(Path::new("/"));
    let mut roots = vec![own.to_owned()];
    // A script in a package is imported from above it.
    let mut top = own;
    while folders.is_package(top) {
        let Some(above) = top.parent() else { break };
        top = above;
    }
    roots.push(top.to_owned());
    let is_project = |folder: &&Path| PROJECT_MARKS.iter().any(|mark| folder.join(mark).exists());
    let projects = [own.ancestors().find(is_project), Some(folder)];
    for project in projects.into_iter().flatten() {
        roots.push(project.to_owned());
        let source = project.join("src");
        if source.is_dir() && !folders.is_package(&source) {
            roots.push(source);
        }
        let declared = fs::read_to_string(project.join("pyproject.toml"));
        let declared = declared.ok().and_then(|text| text.parse::<toml::Table>().ok());
        roots.extend(declared.iter().flat_map(source_folders).map(|below| project.join(below)));
    }
    let mut kept: Vec<PathBuf> = Vec::new();
    for root in roots {
        let root = crate::facts::normalised(&root);
        let is_environment = root.join("pyvenv.cfg").exists();
        if !kept.contains(&root) && root.is_dir() && !is_environment {
            kept.push(root);
        }
    }
    kept
}

/// Where build back ends are told to look for packages.
fn source_folders(pyproject: &toml::Table) -> Vec<String> {
    let at = |path: &str| {
        let mut value: Option<&toml::Value> = None;
        for key in path.split('.') {
            value = match value {
                None => pyproject.get(key),
                Some(value) => value.get(key),
            };
            value?;
        }
        value
    };
    let texts = |value: Option<&toml::Value>| -> Vec<String> {
        let items = value.and_then(toml::Value::as_array).into_iter().flatten();
        items.filter_map(toml::Value::as_str).map(str::to_owned).collect()
    };
    let mut folders = texts(at("tool.setuptools.packages.find.where"));
    let root = at("tool.setuptools.package-dir").and_then(|dirs| dirs.get(""));
    folders.extend(root.and_then(toml::Value::as_str).map(str::to_owned));
    let poetry = at("tool.poetry.packages").and_then(toml::Value::as_array).into_iter().flatten();
    let from = poetry.filter_map(|package| package.get("from")?.as_str());
    folders.extend(from.map(str::to_owned));
    let hatch = texts(at("tool.hatch.build.targets.wheel.packages"));
    let parents = hatch.iter().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned()));
    folders.extend(parents);
    folders.extend(texts(at("tool.hatch.build.targets.wheel.sources")));
    folders.extend(texts(at("tool.pytest.ini_options.pythonpath")));
    folders
}
