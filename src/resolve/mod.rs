//! From what the user wrote and what was found to storages that can be built.
//!
//! **Invariant:** pure; either every storage is valid, or every problem is returned.

mod access;
mod base;
mod build;
mod environment;
mod files;
mod flows;
mod grammar;
mod habits;
mod local;
mod modules;
mod names;
mod packages;
mod recipes;
mod repositories;
mod tables;
mod unknown;
pub mod values;
mod versions;

use crate::deps::requirements::{self, Requirements};
use crate::facts::{Facts, Found};
use crate::problem::{Place, Problem};
use crate::python::SyntaxError;
use crate::runtime::{self, Runtime, Settings};
use crate::spec::{Keyed, Pair, RuntimeKind, SpecFile, StorageSpec};
use crate::storage::{Added, Base, Check, Engine, LocalEntry, Prefect1Fields, Storage, UserFile};
use crate::user_file;
use files::Stored;

/// What the command line says instead of the spec.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Storages to build; none for all.
    pub storages: Vec<String>,
    /// `--tag`.
    pub tags: Vec<String>,
    /// `--platform`.
    pub platforms: Vec<String>,
    /// `--registry-url`.
    pub registry_url: Option<String>,
    /// `--image-name`.
    pub image_name: Option<String>,
    /// `--image-tag`.
    pub image_tag: Option<String>,
}

/// Resolves every storage of a spec.
pub fn resolve(
    spec: &SpecFile,
    overrides: &Overrides,
    facts: &Facts,
) -> Result<Vec<Storage>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut storages = Vec::new();
    for (name, storage) in selected(spec, overrides, &mut problems) {
        let mut resolver =
            Resolver { spec, facts, storage, problems: Vec::new(), warnings: Vec::new() };
        let outcome = resolver.storage(name.as_deref(), overrides);
        for problem in resolver.problems {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        storages.extend(outcome);
    }
    names::same_image(spec, &storages, &mut problems);
    build::one_engine(spec, &storages, &mut problems);
    if problems.is_empty() { Ok(storages) } else { Err(problems) }
}

fn flag_problem(message: String, remedy: String) -> Problem {
    Problem { key: None, place: None, message, remedy }
}

fn selected<'a>(
    spec: &'a SpecFile,
    overrides: &Overrides,
    problems: &mut Vec<Problem>,
) -> Vec<(Option<String>, &'a StorageSpec)> {
    let named: Vec<&str> = spec.storages.iter().filter_map(|s| s.name.as_deref()).collect();
    for wanted in &overrides.storages {
        if !named.contains(&wanted.as_str()) {
            let remedy = match named.as_slice() {
                [] => format!("{} describes one storage without a name: leave it out", spec.file),
                named => format!("{} has {}", spec.file, quoted(named)),
            };
            problems.push(flag_problem(format!("there is no storage `{wanted}`"), remedy));
        }
    }
    let chosen: Vec<_> = spec
        .storages
        .iter()
        .filter(|storage| {
            overrides.storages.is_empty()
                || storage.name.as_ref().is_some_and(|name| overrides.storages.contains(name))
        })
        .map(|storage| (storage.name.clone(), storage))
        .collect();
    if !overrides.tags.is_empty() && chosen.len() > 1 {
        problems.push(flag_problem(
            format!("--tag names one image, but {} storages would be built", chosen.len()),
            "name one storage, or set image_name and image_tag in the spec".to_owned(),
        ));
    }
    if overrides.image_name.is_some() && chosen.len() > 1 {
        problems.push(flag_problem(
            format!("--image-name names one image, but {} storages would be built", chosen.len()),
            "name one storage, or set image_name in the spec".to_owned(),
        ));
    }
    chosen
}

/// `a`, `b` and `c`.
fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

struct Resolver<'a> {
    spec: &'a SpecFile,
    facts: &'a Facts,
    storage: &'a StorageSpec,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Resolver<'_> {
    fn problem(
        &mut self,
        key: &str,
        place: Option<&Place>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let whole = || self.storage.place.clone();
        let first_line = || Some(Place { file: self.spec.file.clone(), line: 1 });
        let place = place.cloned().or_else(whole).or_else(first_line);
        self.problems.push(Problem {
            key: Some(key.to_owned()),
            place,
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    #[expect(clippy::too_many_lines, reason = "one line per field, in the order of its needs")]
    fn storage(&mut self, name: Option<&str>, overrides: &Overrides) -> Option<Storage> {
        let spec = self.storage;
        self.check_grammars();
        let unknown = self.unknown(overrides);
        let scripts = self.scripts();
        let kind = self.runtime(&scripts);
        let runtime = runtime::of(kind);
        let named = self.named_flows(&scripts, runtime);
        let paths: Vec<&str> = scripts.iter().map(flows::Named::path).collect();
        let (requirements, local) = self.requirements(kind, &paths);
        let access = self.access(&requirements);

        let all_flows: Vec<_> = named.iter().flat_map(|(_, flows)| flows.clone()).collect();
        let image_name = self.image_name(name, &all_flows, paths.first().copied(), overrides);
        let fallback = image_name.as_deref().unwrap_or_default();
        let fallback = fallback.rsplit('/').next().unwrap_or_default().replace('.', "-");
        let storage_name = name.map_or(fallback, str::to_owned);

        let needs_python = spec.base_image.is_none() && spec.dockerfile.is_none();
        let inferred = match &spec.python_version {
            None if needs_python => self.inferred_python(kind, &paths),
            _ => None,
        };
        let python = text(spec.python_version.as_ref())
            .or_else(|| inferred.as_ref().map(|inferred| inferred.version.as_str()));
        let prefect = self.prefect_version(kind, &requirements);
        let settings = Settings {
            directory: text(spec.prefect_directory.as_ref()),
            path: text(spec.path.as_ref()),
            prefect_version: prefect.as_deref(),
            python_version: python,
            stored_as_script: spec.stored_as_script.as_ref().is_some_and(|k| k.value),
            storage: &storage_name,
        };
        let flows = self.flows(named, runtime, &settings);
        let modules = self.modules(&scripts, &flows, runtime, &settings);
        let kwargs = self.build_kwargs();
        let base = self.base(runtime.default_base(&settings), kwargs.target.as_deref());
        let mut files = self.files(&flows, stored_as(kind, &settings), &modules);
        if kind == RuntimeKind::Prefect1 && settings.stored_as_script {
            for entry in modules::beside_locations(self.facts, &scripts, &flows) {
                if files.iter().all(|known| known.dest != entry.dest) {
                    files.push(entry);
                }
            }
        }
        let image = image_name.map(|image_name| self.image(&image_name, overrides));
        let references = self.references(overrides);
        let platforms = self.platforms(overrides, kwargs.platforms);
        let address = self.address();
        let added = self.recipes(&platforms);
        let apt_repositories = self.repositories(added.repositories);

        let env = variables(spec, runtime.env(&settings), added.env);
        let (engine, build_packages) =
            self.engine(runtime, &settings, base.as_ref(), &requirements);
        let mut labels: Vec<(String, String)> = kwargs.labels;
        labels.extend(pairs(spec.image_labels.as_ref()).map(|p| (p.key.clone(), p.value.clone())));
        let (repository, tag) = image?;
        let said = added.packages.into_iter().chain(access::needed(&requirements)).collect();
        let packages::Inferred { needed, without_apt, odbc_drivers } =
            self.inferred(packages::Context {
                base: base.as_ref(),
                python,
                platforms: &platforms,
                requirements: &requirements,
                scripts: &paths,
                engine: engine
                    .as_ref()
                    .map_or(&[], |_| runtime.engine_build_packages(&settings, false)),
                said,
            });
        let (workdir, stored_as_script) = (runtime.workdir(&settings), settings.stored_as_script);
        let python_version = python.map(str::to_owned);
        let origins = values::Origins { inferred_python: inferred };
        let mut storage = Storage {
            name: storage_name.clone(),
            spec: self.spec.file.clone(),
            repository: repository?,
            tag,
            references,
            runtime: kind,
            base: base?,
            python_version,
            env,
            system_packages: list(spec.system_packages.as_ref()),
            build_packages,
            needed,
            without_apt,
            odbc_drivers,
            apt_repositories,
            recipes: added.recipes,
            infer: self.infers(),
            excluded_packages: list(spec.exclude_system_packages.as_ref()),
            added: Added::default(),
            required_commands: list(spec.required_commands.as_ref()),
            requirements,
            local,
            access,
            engine,
            files,
            modules,
            commands: list(spec.extra_dockerfile_commands.as_ref()),
            environment: self.environment(&scripts),
            flows,
            stored_as_script,
            prefect1: prefect1_fields(spec, overrides),
            build: kwargs.options,
            address,
            local_image: spec.local_image.as_ref().is_some_and(|k| k.value),
            workdir,
            check: check(spec),
            platforms,
            labels,
            user: text(spec.user.as_ref()).map(str::to_owned),
            values: std::collections::BTreeMap::new(),
            unknown,
            warnings: std::mem::take(&mut self.warnings),
            habits: Vec::new(),
        };
        storage.values = values::of(spec, &storage, overrides, &origins);
        storage.habits = habits::of(self.spec, spec, &storage);
        Some(storage)
    }

    /// What is to be installed of the workflow engine, and all packages to build with.
    fn engine(
        &self,
        runtime: &dyn Runtime,
        settings: &Settings<'_>,
        base: Option<&Base>,
        requirements: &Requirements,
    ) -> (Option<Engine>, Vec<String>) {
        let spec = self.storage;
        let base_has_engine = match base {
            Some(Base::Image(image)) => runtime.is_in_base(image),
            // Whoever writes a Dockerfile sees to it; installing wheels still works without.
            Some(Base::Dockerfile(_)) | None => true,
        };
        let asks_for = |module: &str| {
            let mut wanted = requirements.wanted.iter().filter_map(|r| r.distribution.as_ref());
            runtime.yields_to_requirements() && wanted.any(|d| d.name == module)
        };
        let engine = if matches!(base, Some(Base::Image(_))) && base_has_engine {
            None
        } else {
            runtime.engine(settings).filter(|engine| !asks_for(engine.module))
        };
        let mut build_packages = list(spec.build_packages.as_ref());
        if spec.base_image.is_none() {
            for package in runtime.engine_build_packages(settings, base_has_engine) {
                if !build_packages.iter().any(|known| known == package) {
                    build_packages.push((*package).to_owned());
                }
            }
        }
        (engine, build_packages)
    }

    fn base(&mut self, default: String, target: Option<&str>) -> Option<Base> {
        let spec = self.storage;
        if let (Some(_), Some(dockerfile)) = (&spec.base_image, &spec.dockerfile) {
            self.problem(
                "dockerfile",
                Some(&dockerfile.place),
                "both `base_image` and `dockerfile` are given",
                "keep one: `dockerfile` names its own base",
            );
        }
        let Some(dockerfile) = &spec.dockerfile else {
            return Some(Base::Image(
                spec.base_image.as_ref().map_or(default, |base| base.value.clone()),
            ));
        };
        let (text, source) = self.file_text("dockerfile", dockerfile)?;
        let parsed = match user_file::read(&text, target) {
            Ok(parsed) => parsed,
            Err(error) => {
                let place = Place { file: dockerfile.value.clone(), line: error.line };
                self.problem("dockerfile", Some(&place), error.message, error.remedy);
                return None;
            }
        };
        let own = format!("{}.dockerignore", dockerfile.value);
        let ignore = match (&spec.dockerignore, self.facts.at(&own)) {
            (Some(ignore), _) => Some(self.file_text("dockerignore", ignore)?.0),
            (None, Found::File(file)) => file.text.clone(),
            (None, _) => None,
        };
        Some(Base::Dockerfile(UserFile {
            path: dockerfile.value.clone(),
            parsed,
            context: source.parent()?.to_owned(),
            ignore,
        }))
    }

    /// The text and absolute path of a file that a key names.
    fn file_text(
        &mut self,
        key: &str,
        path: &Keyed<String>,
    ) -> Option<(String, std::path::PathBuf)> {
        let file = self.file(key, &path.value, &path.place)?;
        if file.text.is_none() {
            self.problem(
                key,
                Some(&path.place),
                format!("`{}` is not a text in UTF-8", path.value),
                "save it as UTF-8",
            );
        }
        Some((file.text.clone()?, file.source.clone()))
    }

    fn file(&mut self, key: &str, path: &str, place: &Place) -> Option<crate::facts::FileFact> {
        match self.facts.at(path) {
            Found::File(file) => return Some(file.clone()),
            Found::Missing => {
                let remedy =
                    format!("create it, or correct `{key}`; paths are relative to the spec");
                self.problem(key, Some(place), format!("`{path}` does not exist"), remedy);
            }
            Found::Folder(_) => {
                let message = format!("`{path}` is a folder");
                self.problem(key, Some(place), message, "name a file");
            }
            Found::Unreadable(reason) => {
                let message = format!("`{path}` cannot be read: {reason}");
                self.problem(key, Some(place), message, "make it readable for you");
            }
        }
        None
    }

    /// What is to be installed, and the local packages among it.
    fn requirements(
        &mut self,
        kind: RuntimeKind,
        scripts: &[&str],
    ) -> (Requirements, Vec<LocalEntry>) {
        let spec = self.storage;
        let mut result = Requirements::default();
        for item in spec.python_dependencies.iter().flat_map(|list| &list.value) {
            match requirements::read_one(&item.value, &item.place, "python_dependencies") {
                Ok(item) => result.take(item),
                Err(problem) => self.problems.push(problem),
            }
        }
        let facts = self.facts;
        let text_of = |path: &str| match facts.at(path) {
            Found::File(file) => file.text.as_deref(),
            _ => None,
        };
        for path in spec.requirements.iter().flat_map(|list| &list.value) {
            if self.file_text("requirements", path).is_some() {
                requirements::read_file(&path.value, &text_of, &mut result, &mut self.problems);
            }
        }
        for path in self.inferred_requirements(kind, scripts) {
            requirements::read_file(&path, &text_of, &mut result, &mut self.problems);
        }
        if spec.index_url.is_some() || spec.extra_index_urls.is_some() {
            // Whoever names indexes has those of the lock in mind, perhaps under other names.
            result.wanted.retain(|requirement| !requirement.is_locked_index());
        }
        let local = self.local_packages(&mut result);
        (result, local)
    }

    /// Where requirements are read from although the spec does not say so: the scripts' own blocks
    /// of PEP 723; or, for a script without a spec, the file that everyone has beside it.
    fn inferred_requirements(&self, kind: RuntimeKind, scripts: &[&str]) -> Vec<String> {
        let spec = self.storage;
        let unread = |key: &str| {
            let is_unknown = spec.unknown.iter().any(|unknown| unknown.key == key);
            is_unknown || self.spec.unread.iter().any(|unread| unread == key)
        };
        if spec.requirements.is_some() || unread("requirements") {
            return Vec::new();
        }
        let has_block = |path: &&str| self.facts.has_script_block(path);
        let blocks: Vec<String> =
            scripts.iter().copied().filter(has_block).map(str::to_owned).collect();
        let says_itself = spec.python_dependencies.is_some() || unread("python_dependencies");
        // A `Docker(...)` call says all that its image has.
        let has_call = kind == RuntimeKind::Prefect1 && self.has_docker_call(scripts);
        let alone = self.spec.is_script() && !says_itself && !has_call;
        let file = self.facts.requirements_file().filter(|_| blocks.is_empty() && alone);
        file.map_or(blocks, |file| vec![file.to_owned()])
    }

    fn has_docker_call(&self, scripts: &[&str]) -> bool {
        let read = |path: &&str| self.facts.scripts.get(*path)?.as_ref().ok();
        scripts.iter().filter_map(read).any(|script| !script.storages.is_empty())
    }
}

/// What agents load of a flow.
fn stored_as(kind: RuntimeKind, settings: &Settings<'_>) -> Stored {
    let is_script = settings.stored_as_script || kind != RuntimeKind::Prefect1;
    if is_script { Stored::AsScripts } else { Stored::Serialised }
}

/// The environment variables of the image: the runtime's, the recipes', the user's own.
fn variables(
    spec: &StorageSpec,
    of_runtime: Vec<(String, String)>,
    of_recipes: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let is_free = |key: &str| pairs(spec.env_vars.as_ref()).all(|pair| pair.key != key);
    let mut env = of_runtime;
    env.retain(|(key, _)| is_free(key));
    env.extend(of_recipes.into_iter().filter(|(key, value)| {
        // What adds to a variable has its place before the user's own addition.
        value.contains(&format!("${key}")) || is_free(key)
    }));
    env.extend(pairs(spec.env_vars.as_ref()).map(|p| (p.key.clone(), p.value.clone())));
    env
}

fn check(spec: &StorageSpec) -> Check {
    if spec.ignore_healthchecks.as_ref().is_some_and(|keyed| keyed.value) {
        return Check::Off;
    }
    let exclude = list(spec.import_check_exclude.as_ref());
    Check::On { exclude: exclude.iter().map(|name| requirements::normalise(name)).collect() }
}

fn prefect1_fields(spec: &StorageSpec, overrides: &Overrides) -> Prefect1Fields {
    let owned = |keyed: &Option<Keyed<String>>| text(keyed.as_ref()).map(str::to_owned);
    Prefect1Fields {
        registry_url: overrides.registry_url.clone().or_else(|| owned(&spec.registry_url)),
        secrets: list(spec.secrets.as_ref()),
        directory: owned(&spec.prefect_directory),
        path: owned(&spec.path),
        version: owned(&spec.prefect_version),
    }
}

/// What is said of a file that is not Python.
pub fn not_python(name: &str, error: &SyntaxError) -> String {
    let said = &error.message;
    if let Some(reason) = said.strip_prefix("it cannot be read: ") {
        format!("`{name}` cannot be read: {reason}")
    } else if said.starts_with("this is") || said.starts_with("it is") {
        format!("`{name}` cannot be read: {said}")
    } else {
        format!("`{name}` is not valid Python 3: {said}")
    }
}

/// The name of a file without its folder and `.py`.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".py").unwrap_or(name)
}

fn text(keyed: Option<&Keyed<String>>) -> Option<&str> {
    keyed.map(|keyed| keyed.value.as_str())
}

fn list(keyed: Option<&Keyed<Vec<Keyed<String>>>>) -> Vec<String> {
    keyed.iter().flat_map(|keyed| &keyed.value).map(|item| item.value.clone()).collect()
}

fn pairs(keyed: Option<&Keyed<Vec<Pair>>>) -> impl Iterator<Item = &Pair> {
    keyed.into_iter().flat_map(|keyed| &keyed.value)
}
