//! The folders that a project's modules are imported from.
//!
//! **Invariant:** in the order of `sys.path`; only folders that exist, and no virtual environment.

use std::fs;
use std::path::{Path, PathBuf};

use super::folders::Folders;

/// Files that mark the folder of a project.
const PROJECT_MARKS: [&str; 5] =
    ["pyproject.toml", "setup.py", "setup.cfg", "prefect.yaml", ".git"];
/// Folders of installed distributions.
const INSTALLED: [&str; 3] = ["site-packages", "dist-packages", "node_modules"];

/// The roots of a script that a spec in `folder` names. All paths are absolute.
pub fn roots(script: &Path, folder: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut folders = Folders::default();
    let own = script.parent().unwrap_or(Path::new("/"));
    let top = top(own, &mut folders);
    let project = project(script, home);
    let mut roots = Vec::new();
    for base in [Some(own), Some(top), project.as_deref(), Some(folder)].into_iter().flatten() {
        roots.push(base.to_owned());
        let source = base.join("src");
        if !folders.is_package(&source) {
            roots.push(source);
        }
        let declared = fs::read_to_string(base.join("pyproject.toml"));
        let declared = declared.ok().and_then(|text| text.parse::<toml::Table>().ok());
        roots.extend(declared.iter().flat_map(source_folders).map(|below| base.join(below)));
    }
    let mut kept: Vec<PathBuf> = Vec::new();
    for root in roots {
        let root = crate::facts::normalised(&root);
        if !kept.contains(&root) && root.is_dir() && !is_environment(&root) {
            kept.push(root);
        }
    }
    kept
}

/// The folder of the project that a script is part of: the nearest above it that has a mark of one.
pub fn project(script: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let own = script.parent()?;
    let is_project = |folder: &&Path| PROJECT_MARKS.iter().any(|mark| folder.join(mark).exists());
    // A home under version control is no project.
    let mut below_home =
        own.ancestors().take_while(|folder| Some(*folder) != home || *folder == own);
    let marked = below_home.find(is_project);
    // A script in a package is part of what is above the package.
    let mut folders = Folders::default();
    let above = folders.is_package(own).then(|| top(own, &mut folders));
    marked.or(above).map(Path::to_owned)
}

/// The folder above the topmost package that a folder is in.
fn top<'a>(own: &'a Path, folders: &mut Folders) -> &'a Path {
    let mut top = own;
    while folders.is_package(top) {
        let Some(above) = top.parent() else { break };
        top = above;
    }
    top
}

fn is_environment(folder: &Path) -> bool {
    let is_installed = |name: &std::ffi::OsStr| INSTALLED.iter().any(|known| name == *known);
    folder.join("pyvenv.cfg").exists() || folder.iter().any(is_installed)
}

/// Where build back ends and pytest are told to look for packages.
fn source_folders(pyproject: &toml::Table) -> Vec<String> {
    let at = |path: &str| -> Option<&toml::Value> {
        let mut keys = path.split('.');
        let first = pyproject.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get(key))
    };
    // A list of texts, or one text with spaces between names.
    let texts = |path: &str| -> Vec<String> {
        let value = at(path);
        let one = value.and_then(toml::Value::as_str).into_iter().flat_map(str::split_whitespace);
        let list = value.and_then(toml::Value::as_array).into_iter().flatten();
        one.chain(list.filter_map(toml::Value::as_str)).map(str::to_owned).collect()
    };
    let mut folders = texts("tool.setuptools.packages.find.where");
    let root = at("tool.setuptools.package-dir").and_then(|dirs| dirs.get(""));
    folders.extend(root.and_then(toml::Value::as_str).map(str::to_owned));
    let poetry = at("tool.poetry.packages").and_then(toml::Value::as_array).into_iter().flatten();
    let from = poetry.filter_map(|package| package.get("from")?.as_str());
    folders.extend(from.map(str::to_owned));
    for hatch in ["tool.hatch.build", "tool.hatch.build.targets.wheel"] {
        let packages = texts(&format!("{hatch}.packages"));
        let parents = packages.iter().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned()));
        folders.extend(parents);
        let sources = format!("{hatch}.sources");
        folders.extend(texts(&sources));
        // `sources = {"src" = ""}`: what is below the one is found below the other.
        let moved = at(&sources).and_then(toml::Value::as_table).into_iter().flatten();
        let to_top = moved.filter(|(_, to)| to.as_str() == Some(""));
        folders.extend(to_top.map(|(from, _)| from.clone()));
    }
    folders.extend(texts("tool.pytest.ini_options.pythonpath"));
    folders
}
