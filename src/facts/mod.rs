//! What the machine says about the paths of a spec, asked once and kept as plain data.
//!
//! **Invariant:** the only look at the user's files before the context is staged; nothing is
//! decided here.

mod local;
pub mod modules;
mod scripts;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::deps;
use crate::deps::requirements::{Item, Requirement};
use crate::python::SyntaxError;
use crate::python::imports;
use crate::python::script::Script;
use crate::spec::{SpecFile, StorageSpec};

pub use local::LocalPackage;
use modules::{Mentioned, Modules};
pub use scripts::read_script;

/// The process's surroundings, as far as a spec can refer to them.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// The user's home folder.
    pub home: Option<&'a Path>,
    /// The current folder, absolute.
    pub cwd: &'a Path,
    /// Environment variables.
    pub env: &'a BTreeMap<OsString, OsString>,
}

impl Machine<'_> {
    fn var(&self, name: &str) -> Option<&str> {
        self.env.get(std::ffi::OsStr::new(name))?.to_str()
    }
}

/// Everything that resolving a spec needs to know of the machine.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The machine's architecture, as wheels name it: what is built for where no platform is given.
    pub arch: String,
    /// What was found at each path, by the path as the spec has it.
    pub paths: BTreeMap<String, Found>,
    /// What each glob of `flows` matches, sorted.
    pub globs: BTreeMap<String, Vec<String>>,
    /// The flow scripts, read, by the path as the spec has it.
    pub scripts: BTreeMap<String, Result<Script, SyntaxError>>,
    /// The variables of this machine that the flow scripts read.
    pub environment: BTreeMap<String, String>,
    /// What each flow script imports of the user's own, by the script's path.
    pub modules: BTreeMap<String, Modules>,
    /// What scripts name of programs and drivers, where their imports are not followed.
    pub outside: BTreeMap<String, Vec<Mentioned>>,
    /// What each path of `modules` holds.
    pub given_modules: BTreeMap<String, Modules>,
    /// The local packages that requirements name, by their paths.
    pub local_packages: BTreeMap<String, LocalPackage>,
    /// Where the files of secrets and keys are that only buildx reads, by the path as the spec has
    /// it.
    pub places: BTreeMap<String, PathBuf>,
    /// The user's own file of known hosts, if there is one.
    pub known_hosts: Option<PathBuf>,
}

/// The folder of the project that a script is part of, or else its own.
pub fn project_of(script: &Path, machine: Machine<'_>) -> PathBuf {
    let own = || script.parent().unwrap_or(Path::new("/")).to_owned();
    modules::project(script, machine.home).unwrap_or_else(own)
}

impl Facts {
    fn text(&self, path: &str) -> Option<&str> {
        match self.at(path) {
            Found::File(file) => file.text.as_deref(),
            _ => None,
        }
    }

    /// Whether a script says in a block of PEP 723 what it needs.
    pub fn has_script_block(&self, path: &str) -> bool {
        self.text(path).and_then(deps::script_block).is_some()
    }

    /// The file of requirements that a project without a spec has: `requirements.txt`, or else a
    /// lock, or else the dependencies of `pyproject.toml`.
    pub fn requirements_file(&self) -> Option<&'static str> {
        let [_, pyproject] = PYTHON_VERSION_FILES;
        let declares = |text: &str| deps::declares_dependencies(text);
        let is_there = |name: &&'static str| self.text(name).is_some();
        let mut exact = std::iter::once(REQUIREMENTS_FILE).chain(deps::lock::NAMES);
        if let Some(name) = exact.find(|name| is_there(name)) {
            Some(name)
        } else {
            self.text(pyproject).is_some_and(declares).then_some(pyproject)
        }
    }

    /// What was found at a path of the spec.
    pub fn at(&self, path: &str) -> &Found {
        self.paths.get(path).unwrap_or(&Found::Missing)
    }
}

/// What there is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Missing,
    /// Something that cannot be read, and why.
    Unreadable(String),
    /// A regular file.
    File(FileFact),
    /// A folder with everything in it, sorted by path; links are followed.
    Folder(FolderFact),
}

/// A folder as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFact {
    /// Its absolute path.
    pub source: PathBuf,
    /// Path below the folder with `/` between names, and the file; none for a folder.
    pub entries: Vec<(String, Option<FileFact>)>,
}

/// A regular file as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFact {
    /// Its absolute path.
    pub source: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Whether anyone may execute it.
    pub executable: bool,
    /// SHA-256 of its content, in hex.
    pub digest: String,
    /// Its content where the plan depends on it; none if it is not UTF-8.
    pub text: Option<String>,
    /// Its first byte, by which binary formats differ.
    pub first: Option<u8>,
}

/// What a path is needed for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The bytes travel; their meaning does not matter.
    Bytes,
    /// The text is read.
    Text,
}

/// Files beside a spec that say which Python the project is for.
pub const PYTHON_VERSION_FILES: [&str; 2] = [".python-version", "pyproject.toml"];
/// The requirements of a flow script that comes without a spec.
pub const REQUIREMENTS_FILE: &str = "requirements.txt";

/// The key whose requirements are relative to the spec itself.
const DEPENDENCIES: &str = "python_dependencies";

/// A flow script by its path in a spec, as it was read.
pub type ReadScript = (String, Result<Script, SyntaxError>);

/// Looks at every path that a spec names. `read` is a script of it that was read before.
pub fn gather(spec: &SpecFile, machine: Machine<'_>, read: Option<ReadScript>) -> Facts {
    let facts = Facts {
        arch: std::env::consts::ARCH.to_owned(),
        scripts: read.into_iter().collect(),
        ..Facts::default()
    };
    let mut gatherer = Gatherer { spec, folder: &spec.folder, machine, facts };
    for name in PYTHON_VERSION_FILES {
        gatherer.path(name, Need::Text);
    }
    if spec.is_script() {
        for name in std::iter::once(REQUIREMENTS_FILE).chain(deps::lock::NAMES) {
            gatherer.requirements(name);
        }
        gatherer.local_packages(PYTHON_VERSION_FILES[1]);
    }
    for storage in &spec.storages {
        gatherer.storage(storage);
    }
    gatherer.facts
}

struct Gatherer<'a> {
    spec: &'a SpecFile,
    folder: &'a Path,
    machine: Machine<'a>,
    facts: Facts,
}

impl Gatherer<'_> {
    fn storage(&mut self, storage: &StorageSpec) {
        for flow in storage.flows.iter().flat_map(|flows| &flows.value) {
            if !is_glob(&flow.path) {
                self.script(&flow.path, storage);
            } else if !self.facts.globs.contains_key(&flow.path) {
                let matches = self.glob(&flow.path);
                for path in &matches {
                    self.script(path, storage);
                }
                self.facts.globs.insert(flow.path.clone(), matches);
            }
        }
        for module in storage.modules.iter().flat_map(|list| &list.value) {
            if !self.facts.given_modules.contains_key(&module.value) {
                self.path(&module.value, Need::Bytes);
                let found = modules::given(&module.value, &self.absolute(&module.value));
                self.facts.given_modules.insert(module.value.clone(), found);
            }
        }
        for key in [&storage.dockerfile, &storage.dockerignore].into_iter().flatten() {
            self.path(&key.value, Need::Text);
        }
        if let Some(dockerfile) = &storage.dockerfile {
            self.path(&format!("{}.dockerignore", dockerfile.value), Need::Text);
        }
        for requirements in storage.requirements.iter().flat_map(|list| &list.value) {
            self.requirements(&requirements.value);
        }
        for item in storage.python_dependencies.iter().flat_map(|list| &list.value) {
            let local = deps::requirements::read_one(&item.value, &item.place, DEPENDENCIES);
            if let Ok(Item::Requirement(Requirement { local: Some(local), .. })) = local {
                self.local_package(&local.path);
            }
        }
        for pair in storage.files.iter().flat_map(|files| &files.value) {
            self.path(&pair.key, Need::Bytes);
        }
        for (path, is_key) in storage.files_in_tables() {
            self.path(path, if is_key { Need::Text } else { Need::Bytes });
        }
        self.access(storage);
    }

    /// What the build fetches with: the text of certificates, the places of the rest.
    fn access(&mut self, storage: &StorageSpec) {
        for certificate in storage.ca_certificates.iter().flat_map(|list| &list.value) {
            self.path(&certificate.value, Need::Text);
        }
        let secrets = storage.build_secrets.iter().flat_map(|secrets| &secrets.value);
        let secrets = secrets.filter_map(|pair| pair.value.strip_prefix("src="));
        let keys = storage.ssh.iter().flat_map(|list| &list.value);
        let keys = keys.filter_map(|entry| Some(entry.value.split_once('=')?.1));
        for path in secrets.chain(keys.flat_map(|paths| paths.split(','))) {
            let place = normalised(&self.absolute(path));
            self.facts.places.insert(path.to_owned(), place);
        }
        let known_hosts = self.machine.home.map(|home| home.join(".ssh/known_hosts"));
        self.facts.known_hosts = known_hosts.filter(|path| path.is_file());
    }

    /// The local packages that a file of requirements, or the block of a script, names.
    fn local_packages(&mut self, path: &str) {
        let text = self.facts.text(path).unwrap_or_default();
        for local in deps::requirements::local_paths(text, path) {
            self.local_package(&local);
        }
    }

    fn local_package(&mut self, path: &str) {
        if !self.facts.local_packages.contains_key(path) {
            let found = local::look_at(&normalised(&self.absolute(path)));
            self.facts.local_packages.insert(path.to_owned(), found);
        }
    }

    /// A flow script, and what it imports unless the spec says so itself.
    fn script(&mut self, path: &str, storage: &StorageSpec) {
        self.path(path, Need::Text);
        let Found::File(file) = self.facts.at(path) else { return };
        let source = normalised(&file.source);
        let file_text = file.text.clone();
        if file_text.is_none() {
            return;
        }
        self.local_packages(path);
        if !self.facts.scripts.contains_key(path) {
            let script = read_script(&source, self.folder, self.machine);
            self.facts.scripts.insert(path.to_owned(), script);
        }
        let read = self.facts.scripts.get(path).and_then(|script| script.as_ref().ok());
        for name in read.iter().flat_map(|script| &script.variables) {
            if let Some(value) = self.machine.var(name) {
                self.facts.environment.insert(name.clone(), value.to_owned());
            }
        }
        if storage.modules.is_none() && !self.facts.modules.contains_key(path) {
            let roots = modules::roots(&source, self.folder, self.machine.home);
            let found = modules::find(&source, &roots, self.folder);
            self.facts.modules.insert(path.to_owned(), found);
        }
        if storage.modules.is_some() && !self.facts.outside.contains_key(path) {
            let mentions = file_text.and_then(|text| imports::imports(&text).ok());
            let mut alone = Modules::default();
            alone.mention(path, &mentions.unwrap_or_default().outside);
            self.facts.outside.insert(path.to_owned(), alone.outside);
        }
    }

    /// A requirements file and the files that it includes, each looked at once.
    fn requirements(&mut self, path: &str) {
        let mut pending = vec![path.to_owned()];
        while let Some(path) = pending.pop() {
            if self.facts.paths.contains_key(&path) {
                continue;
            }
            self.path(&path, Need::Text);
            if let Found::File(FileFact { text: Some(text), .. }) = self.facts.at(&path) {
                pending.extend(deps::requirements::included(text, &path));
            }
            self.local_packages(&path);
        }
    }

    fn path(&mut self, path: &str, need: Need) {
        let known = match self.facts.paths.get(path) {
            Some(Found::File(file)) => need == Need::Bytes || file.text.is_some(),
            Some(_) => true,
            None => false,
        };
        if !known {
            let found = look(&self.absolute(path), need);
            self.facts.paths.insert(path.to_owned(), found);
        }
    }

    fn absolute(&self, path: &str) -> PathBuf {
        if let (Some(rest), Some(home)) = (path.strip_prefix("~/"), self.machine.home) {
            return home.join(rest);
        }
        let in_project = self.folder.join(path);
        let Some(script) = &self.spec.script else { return in_project };
        if in_project == *script {
            return in_project;
        }
        let beside = script.parent().map_or_else(|| in_project.clone(), |own| own.join(path));
        // A script is often run from elsewhere, and what it names is then relative to there. What
        // it does not name is the project's.
        let is_inferred = PYTHON_VERSION_FILES.contains(&path)
            || path == REQUIREMENTS_FILE
            || deps::lock::NAMES.contains(&path);
        let elsewhere = (!is_inferred).then(|| self.machine.cwd.join(path));
        let places = [Some(beside.clone()), Some(in_project), elsewhere];
        places.into_iter().flatten().find(|place| place.exists()).unwrap_or(beside)
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let Ok(glob) = ignore::overrides::OverrideBuilder::new(self.folder)
            .add(&format!("/{}", pattern.trim_start_matches("./")))
            .and_then(|builder| builder.build())
        else {
            return Vec::new();
        };
        let mut matches: Vec<String> = ignore::WalkBuilder::new(self.folder)
            .standard_filters(false)
            .max_depth(if pattern.contains("**") { None } else { Some(pattern.split('/').count()) })
            .build()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_some_and(|kind| !kind.is_dir()))
            .filter(|entry| glob.matched(entry.path(), false).is_whitelist())
            .filter_map(|entry| Some(entry.path().strip_prefix(self.folder).ok()?.to_str()?.into()))
            .collect();
        matches.sort();
        matches
    }
}

/// Whether a path of `flows` is a pattern.
pub fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// An absolute path without `.` and `..`, by its text alone.
pub fn normalised(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                result.pop();
            }
            part => result.push(part),
        }
    }
    result
}

fn look(path: &Path, need: Need) -> Found {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Missing,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Found::Missing,
        Err(error) => return Found::Unreadable(error.to_string()),
    };
    let found = if metadata.is_dir() {
        walk(path).map(Found::Folder)
    } else if metadata.is_file() {
        file(path, need).map(Found::File)
    } else {
        return Found::Unreadable("it is neither a file nor a folder".to_owned());
    };
    found.unwrap_or_else(|error| Found::Unreadable(error.to_string()))
}

fn walk(folder: &Path) -> io::Result<FolderFact> {
    let entries = entries(folder, walker(folder).build(), |_, _| Ok(true))?;
    Ok(FolderFact { source: folder.to_owned(), entries })
}

/// Walks everything below a folder, sorted by path; links are followed.
fn walker(folder: &Path) -> ignore::WalkBuilder {
    let mut walker = ignore::WalkBuilder::new(folder);
    walker.standard_filters(false).follow_links(true).sort_by_file_path(Path::cmp);
    walker
}

/// What a walk finds, by its path below the folder: files that are wanted, and folders.
fn entries(
    folder: &Path,
    walk: ignore::Walk,
    mut is_wanted: impl FnMut(&ignore::DirEntry, &str) -> io::Result<bool>,
) -> io::Result<Vec<(String, Option<FileFact>)>> {
    let mut entries = Vec::new();
    for entry in walk {
        let entry = entry.map_err(io::Error::other)?;
        let Ok(relative) = entry.path().strip_prefix(folder) else { continue };
        if relative.as_os_str().is_empty() {
            continue;
        }
        let Some(relative) = relative.to_str() else {
            let name = relative.to_string_lossy().into_owned();
            return Err(io::Error::other(format!("the name `{name}` in it is not UTF-8")));
        };
        let kind = entry.file_type();
        if kind.is_some_and(|kind| kind.is_dir()) {
            entries.push((relative.to_owned(), None));
        } else if kind.is_some_and(|kind| kind.is_file()) && is_wanted(&entry, relative)? {
            entries.push((relative.to_owned(), Some(file(entry.path(), Need::Bytes)?)));
        }
    }
    Ok(entries)
}

fn file(path: &Path, need: Need) -> io::Result<FileFact> {
    let name =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut open = fs::File::open(path).map_err(name)?;
    let executable = open.metadata().map_err(name)?.permissions().mode() & 0o111 != 0;
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut first = None;
    let mut kept = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = open.read(&mut buffer).map_err(name)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
        first = first.or(buffer.first().copied());
        if need == Need::Text {
            kept.extend_from_slice(&buffer[..count]);
        }
    }
    let text = match need {
        Need::Text => String::from_utf8(kept).ok(),
        Need::Bytes => None,
    };
    Ok(FileFact {
        source: path.to_owned(),
        size,
        executable,
        digest: hex(&hasher.finalize()),
        text,
        first,
    })
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
