//! What travels to the builder: files with their place in the context, and why.
//!
//! **Invariant:** sorted by path; two entries never have the same path.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{deb822, dockerfile};
use crate::facts::{FileFact, hex};
use crate::packages;
use crate::runtime;
use crate::storage::{Base, Check, FileEntry, NeededPackage, Phase, Recipe, Source, Storage, Tree};

/// One file or folder of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextEntry {
    /// Path below the context, `/` between names.
    pub path: String,
    /// What it holds.
    pub content: Content,
    /// Why it is there.
    pub because: String,
}

/// What a [`ContextEntry`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes made by the plan.
    Text(String),
    /// A file of the user's.
    File(FileFact),
    /// A folder of its own, which may stay empty.
    Folder,
}

impl ContextEntry {
    /// Bytes; 0 for a folder.
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Text(text) => text.len() as u64,
            Content::File(file) => file.size,
            Content::Folder => 0,
        }
    }

    /// Permission bits: what the user's umask was does not matter in the image.
    pub fn mode(&self) -> u32 {
        match &self.content {
            Content::File(file) if file.executable => 0o755,
            Content::Folder => 0o755,
            Content::Text(_) | Content::File(_) => 0o644,
        }
    }

    /// SHA-256 of the content in hex; empty for a folder.
    pub fn digest(&self) -> String {
        match &self.content {
            Content::Text(text) => hex(&Sha256::digest(text.as_bytes())),
            Content::File(file) => file.digest.clone(),
            Content::Folder => String::new(),
        }
    }
}

/// The digest of a whole context: paths, modes and contents.
pub fn digest(entries: &[ContextEntry]) -> String {
    let mut manifest = String::new();
    for entry in entries {
        let _ = writeln!(manifest, "{} {:o} {:?}", entry.digest(), entry.mode(), entry.path);
    }
    hex(&Sha256::digest(manifest.as_bytes()))
}

/// What `check_environment.py` reads.
#[derive(Serialize)]
struct CheckSpec<'a> {
    python_version: Option<&'a str>,
    dependencies: Vec<Dependency<'a>>,
    exclude: &'a [String],
    modules: Vec<String>,
    conflicts: bool,
    uv: Option<&'a str>,
    base_conflicts: Option<&'a str>,
    /// Whether the libraries of ELF files are looked for.
    libraries: bool,
    /// Libraries that distributions open when they run.
    loads: BTreeMap<&'a str, Vec<&'static str>>,
    /// Programs that distributions run.
    calls: BTreeMap<&'a str, Vec<&'static str>>,
    required_commands: &'a [String],
    odbc_drivers: Vec<OdbcDriver<'a>>,
    /// The tables that name packages.
    sonames: String,
    programs: String,
}

#[derive(Serialize)]
struct OdbcDriver<'a> {
    /// As flows have it.
    name: &'a str,
    /// The Debian package that registers it.
    package: Option<&'static str>,
    /// The line of a spec that installs it.
    recipe: Option<String>,
}

#[derive(Serialize)]
struct Dependency<'a> {
    name: &'a str,
    requirement: &'a str,
    /// A marker may leave it out.
    optional: bool,
}

/// What `flows.py` reads.
#[derive(Serialize)]
struct FlowsSpec<'a> {
    runtime: &'a str,
    check: bool,
    stored_as_script: bool,
    output: &'a str,
    /// The folder that flows are loaded in.
    #[serde(skip_serializing_if = "Option::is_none")]
    workdir: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<StorageSpec<'a>>,
    /// Variables that are set while flows are loaded.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<&'a str, &'a str>,
    /// Those whose values come as secrets of the build.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secret_environment: Vec<SecretSpec<'a>>,
    flows: Vec<FlowSpec<'a>>,
}

#[derive(Serialize)]
struct SecretSpec<'a> {
    name: &'a str,
    /// The file that holds the value, where it was given.
    file: String,
}

#[derive(Serialize)]
struct FlowSpec<'a> {
    name: &'a str,
    script: String,
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a str>,
    /// What the script sees as its own path while it is serialised.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

/// What a storage of Prefect 1 says of itself. Its tag is not here: it may be a digest of this.
#[derive(Serialize)]
struct StorageSpec<'a> {
    registry_url: Option<&'a str>,
    image_name: String,
    prefect_directory: Option<&'a str>,
    path: Option<&'a str>,
    stored_as_script: bool,
    secrets: &'a [String],
    prefect_version: Option<&'a str>,
}

/// The entries of a storage's context.
pub(super) fn entries(storage: &Storage) -> Vec<ContextEntry> {
    let mut entries = Vec::new();
    let mut text = |path: &str, text: String, because: &str| {
        entries.push(ContextEntry {
            path: path.to_owned(),
            content: Content::Text(text),
            because: because.to_owned(),
        });
    };
    let adds = !storage.added.run.is_empty();
    if storage.has_packages(Phase::Run) || adds || super::compiles(storage) {
        text("system/keep-packages.conf", KEEP_PACKAGES.to_owned(), "packages stay in the cache");
    }
    system(storage, &mut text);
    if super::installs(storage) {
        let lines = |lines: Vec<&str>| lines.iter().flat_map(|line| [line, "\n"]).collect();
        let local = super::access::local_folder();
        let wanted: Vec<String> = storage.requirements.wanted_lines(&local).collect();
        let wanted = wanted.iter().map(String::as_str).collect();
        text("python/requirements.txt", lines(wanted), "python_dependencies and requirements");
        if !storage.requirements.constraints.is_empty() {
            let kept = storage.requirements.constraints.iter().map(|r| r.line.as_str()).collect();
            text("python/constraints.txt", lines(kept), "constraints of requirements");
        }
        if let Some(engine) = &storage.engine {
            let wanted = engine.requirements.iter().map(String::as_str).collect();
            let name = format!("python/{}.txt", engine.module);
            text(&name, lines(wanted), "installed where the base lacks it");
        }
    }
    if super::compiles(storage) {
        text("python/wheels.py", runtime::WHEELS.to_owned(), "keeps what was compiled");
        if storage.infer {
            let (name, program) = runtime::WHEEL_PACKAGES;
            let because = "finds the packages of what was linked";
            text(&format!("python/{name}"), program.to_owned(), because);
        }
    }
    for (name, program) in runtime::PROGRAMS {
        text(&format!("programs/{name}"), (*program).to_owned(), "serialises and checks flows");
    }
    if let Check::On { exclude } = &storage.check {
        text("check/check.json", json(&check_spec(storage, exclude)), "what the check looks at");
        let because = "says which package has what is missing";
        text(SONAMES, packages::SONAMES.to_owned(), because);
        text(PROGRAMS, packages::PROGRAMS.to_owned(), because);
    }
    text("flows/flows.json", json(&flows_spec(storage)), "names and locations of the flows");
    entries.extend(repositories(storage));
    entries.extend(storage.recipes.iter().flat_map(recipe));
    for (at, flow) in storage.flows.iter().enumerate() {
        // Several flows of one script are one file.
        if script_index(storage, at) == at {
            entries.push(ContextEntry {
                path: format!("flows/{at}/{}", file_name(&flow.script)),
                content: Content::File(flow.source.clone()),
                because: format!("flow `{}`", flow.name),
            });
        }
    }
    for (at, entry) in storage.files.iter().enumerate() {
        let root = format!("files/{at}/{}", name_in_context(entry));
        let mut push = |path: String, content: Content| {
            entries.push(ContextEntry { path, content, because: entry.origin.clone() });
        };
        match &entry.tree {
            Tree::File(file) => push(root, Content::File(file.clone())),
            Tree::Folder(below) => {
                push(root.clone(), Content::Folder);
                for (path, file) in below {
                    let content = file.clone().map_or(Content::Folder, Content::File);
                    push(format!("{root}/{path}"), content);
                }
            }
        }
    }
    if !storage.modules.files.is_empty() {
        let (name, program) = runtime::MODULES_PATH;
        entries.push(ContextEntry {
            path: format!("path/{name}"),
            content: Content::Text(program.to_owned()),
            because: "makes local modules importable from any folder".to_owned(),
        });
    }
    for module in &storage.modules.files {
        entries.push(ContextEntry {
            path: format!("modules/{}", module.path),
            content: Content::File(module.file.clone()),
            because: module.because.clone(),
        });
    }
    entries.extend(super::access::entries(storage));
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries
}

/// What the steps of apt run and print besides.
fn system(storage: &Storage, text: &mut impl FnMut(&str, String, &str)) {
    let (headers, others): (Vec<&NeededPackage>, Vec<_>) =
        storage.needed.iter().partition(|package| package.is_python_headers());
    let inferred = |package: &&NeededPackage| !package.is_required;
    let programs = [
        (
            others.iter().any(inferred),
            runtime::AVAILABLE,
            "picks the names that the base's release has",
        ),
        (!headers.is_empty(), runtime::HEADERS, "says whether headers of Python are missing"),
    ];
    for (is_used, (name, program), because) in programs {
        if is_used {
            text(&format!("system/{name}"), program.to_owned(), because);
        }
    }
    if let (Some(remedy), false) = (&storage.without_apt, storage.needed.is_empty()) {
        let finding = serde_json::json!({
            "level": "warning",
            "check": "packages",
            "subject": "apt",
            "message": "the base has no apt: what is needed is not installed by us",
            "remedy": remedy,
        });
        let line = format!("flowstorage-check: {finding}\n");
        text(&format!("system/{WITHOUT_APT}"), line, "said where the base has no apt");
    }
}

/// What is printed where the base has no apt.
pub(super) const WITHOUT_APT: &str = "without-apt.txt";

/// The repositories as templates, their keys that are files, and the program that reads them.
fn repositories(storage: &Storage) -> Vec<ContextEntry> {
    let mut entries = Vec::new();
    let mut push = |path: String, content: Content, because: &str| {
        let because = because.to_owned();
        entries.push(ContextEntry { path: format!("{APT}/{path}"), content, because });
    };
    for repository in &storage.apt_repositories {
        let name = |at: usize| dockerfile::key_name(&repository.name, at);
        let paths: Vec<String> =
            (0..repository.keys.len()).map(|at| format!("{KEYS}/{}", name(at))).collect();
        let because = &repository.because;
        let text = deb822::sources(repository, &paths);
        push(format!("{}.sources", repository.name), Content::Text(text), because);
        for (at, key) in repository.keys.iter().enumerate() {
            if let Source::File(file) = key {
                // Nobody executes a key.
                let file = FileFact { executable: false, ..file.clone() };
                push(format!("keys/{}", name(at)), Content::File(file), because);
            }
        }
    }
    if !storage.apt_repositories.is_empty() {
        let (name, program) = runtime::REPOSITORIES;
        let because = "makes of repositories what apt takes";
        push(name.to_owned(), Content::Text(program.to_owned()), because);
    }
    entries
}

/// What a recipe's steps run and read.
fn recipe(recipe: &Recipe) -> Vec<ContextEntry> {
    let folder = recipe_folder(recipe);
    let entry = |name: &str, content: Content| ContextEntry {
        path: format!("{folder}/{name}"),
        content,
        because: recipe.origin.clone(),
    };
    let text = |text: &str| Content::Text(text.to_owned());
    let steps = recipe.steps.iter().map(|step| entry(step.program, text(step.text)));
    let files = recipe.files.iter().filter_map(|(name, source)| match source {
        Source::File(file) => Some(entry(name, Content::File(file.clone()))),
        Source::Url { .. } => None,
    });
    steps.chain(files).collect()
}

/// The folder of repositories, in the context and among what is fetched.
pub(super) const APT: &str = "apt";
/// Where apt reads the keys of repositories.
pub(super) const KEYS: &str = "/mnt/flowstorage/keys";

/// The folder of a recipe, in the context and among what is fetched.
pub(super) fn recipe_folder(recipe: &Recipe) -> String {
    format!("recipes/{}", recipe.name)
}

/// Debian's images delete downloaded packages, which a cache mount is there to keep.
const KEEP_PACKAGES: &str = "Binary::apt::APT::Keep-Downloaded-Packages \"true\";\n";

/// Where `flows.py` leaves the files of the image.
pub(super) const OUTPUT: &str = "/tmp/flowstorage";
/// Where `flows.py` leaves what `prefect register` reads.
pub(super) const REGISTRATION_FOLDER: &str = "/tmp/flowstorage-registration";
/// The tables that the check names packages by.
const SONAMES: &str = "check/sonames.tsv";
const PROGRAMS: &str = "check/programs.tsv";
/// Where the context is seen during a build step.
pub(super) const MOUNT: &str = "/mnt/flowstorage";

fn check_spec<'a>(storage: &'a Storage, exclude: &'a [String]) -> CheckSpec<'a> {
    let installs = super::installs(storage);
    let mut dependencies: Vec<Dependency<'a>> = Vec::new();
    for requirement in &storage.requirements.wanted {
        // What a lock brings besides may be of no use alone: what is imported is what was asked for.
        if let Some(distribution) = requirement.distribution.as_ref().filter(|d| d.direct)
            && dependencies.iter().all(|known| known.name != distribution.name)
        {
            dependencies.push(Dependency {
                name: &distribution.name,
                requirement: requirement.without_hashes(),
                optional: distribution.conditional,
            });
        }
    }
    let known = |names: fn(packages::Distribution) -> Vec<&'static str>| {
        let rows = dependencies.iter().filter_map(|dependency| {
            let names = names(packages::distribution(dependency.name)?);
            (!names.is_empty()).then_some((dependency.name, names))
        });
        rows.collect::<BTreeMap<_, _>>()
    };
    let (loads, calls) = (known(|row| row.loads), known(|row| row.calls));
    CheckSpec {
        python_version: storage.python_version.as_deref(),
        dependencies,
        exclude,
        modules: modules(storage),
        conflicts: installs,
        uv: installs.then_some("/uv/bin/uv"),
        base_conflicts: installs.then_some("/uv/base-conflicts.txt"),
        libraries: true,
        loads,
        calls,
        required_commands: &storage.required_commands,
        odbc_drivers: storage.odbc_drivers.iter().map(|name| odbc_driver(name)).collect(),
        sonames: format!("{MOUNT}/{SONAMES}"),
        programs: format!("{MOUNT}/{PROGRAMS}"),
    }
}

fn odbc_driver(name: &str) -> OdbcDriver<'_> {
    let known = packages::odbc_driver(name);
    OdbcDriver {
        name,
        package: known.and_then(|driver| driver.package),
        recipe: known.and_then(|driver| driver.recipe_line()),
    }
}

/// Copied files that may be modules: the check imports those that lie on `sys.path`.
fn modules(storage: &Storage) -> Vec<String> {
    let mut modules = Vec::new();
    for entry in &storage.files {
        let dest = entry.dest.trim_end_matches('/');
        match &entry.tree {
            Tree::File(_) if entry.dest.ends_with('/') && is_python(&entry.basename) => {
                modules.push(format!("{dest}/{}", entry.basename));
            }
            Tree::File(_) if is_python(dest) => modules.push(dest.to_owned()),
            // Under another name it is no module.
            Tree::File(_) => {}
            Tree::Folder(below) => {
                let is_file = |path: &str| below.iter().any(|(p, f)| p == path && f.is_some());
                if is_file("__init__.py") {
                    modules.push(dest.to_owned());
                    continue;
                }
                for (path, file) in below {
                    let is_module = file.is_some() && is_python(path) && !path.contains('/');
                    let is_package = file.is_none()
                        && !path.contains('/')
                        && is_file(&format!("{path}/__init__.py"));
                    if is_module || is_package {
                        modules.push(format!("{dest}/{path}"));
                    }
                }
            }
        }
    }
    modules.retain(|module| module.starts_with('/'));
    modules
}

fn is_python(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "py")
}

fn flows_spec(storage: &Storage) -> FlowsSpec<'_> {
    let registers = super::registers(storage);
    let flow = |(at, flow)| {
        let flow: &crate::storage::Flow = flow;
        FlowSpec {
            name: &flow.name,
            script: format!(
                "{MOUNT}/flows/{}/{}",
                script_index(storage, at),
                file_name(&flow.script)
            ),
            location: &flow.location,
            function: flow.function.as_deref(),
            file: registers.then(|| {
                let folder = storage.modules.folder.trim_end_matches('/');
                format!("{folder}/{}", file_name(&flow.script))
            }),
        }
    };
    let fields = &storage.prefect1;
    let repository = storage.repository.to_string();
    // What follows the registry, as Prefect joins the two again.
    let registry = fields.registry_url.as_deref().map(|url| url.trim_end_matches('/'));
    let image_name = registry
        .and_then(|registry| repository.strip_prefix(registry)?.strip_prefix('/'))
        .unwrap_or(&repository);
    let of_storage = StorageSpec {
        registry_url: fields.registry_url.as_deref(),
        image_name: image_name.to_owned(),
        prefect_directory: fields.directory.as_deref(),
        path: fields.path.as_deref(),
        stored_as_script: storage.stored_as_script,
        secrets: &fields.secrets,
        prefect_version: fields.version.as_deref(),
    };
    let environment = storage.environment.iter();
    let secrets = super::secret_variables(storage);
    FlowsSpec {
        environment: environment
            .filter_map(|variable| Some((variable.name.as_str(), variable.value.as_deref()?)))
            .collect(),
        secret_environment: secrets
            .map(|(id, name)| SecretSpec { name, file: format!("/run/secrets/{id}") })
            .collect(),
        registration: registers.then_some(REGISTRATION_FOLDER),
        storage: registers.then_some(of_storage),
        runtime: storage.runtime.name(),
        check: storage.check != Check::Off,
        stored_as_script: storage.stored_as_script,
        output: OUTPUT,
        workdir: storage.workdir.as_deref(),
        flows: storage.flows.iter().enumerate().map(flow).collect(),
    }
}

/// The first flow of the same script: its number is the script's folder.
fn script_index(storage: &Storage, at: usize) -> usize {
    let script = &storage.flows[at].script;
    storage.flows.iter().position(|flow| flow.script == *script).unwrap_or(at)
}

/// The name of a copied file or folder in the context. `BuildKit`, choosing what to send, takes
/// patterns and their escapes literally and trims spaces: such names are left for the destination.
pub(super) fn name_in_context(entry: &FileEntry) -> &str {
    let name = entry.basename.as_str();
    let is_special = name.contains(['*', '?', '[', '\\']) || name.trim() != name;
    if is_special { "renamed" } else { name }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default()
}

/// Whether the main context is the user's own folder.
pub(super) fn is_beside_users(storage: &Storage) -> bool {
    matches!(storage.base, Base::Dockerfile(_))
}
