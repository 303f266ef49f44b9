//! From what the user wrote and what was found to storages that can be built.
//!
//! **Invariant:** pure; either every storage is valid, or every problem is returned.

mod files;
mod flows;
pub mod values;

use std::str::FromStr;

use crate::deps::requirements::{self, Requirements};
use crate::facts::{Facts, Found};
use crate::image_ref::{self, ImageRef, Repository, Tag};
use crate::problem::{Place, Problem};
use crate::runtime::{self, Settings};
use crate::slug::slugify;
use crate::spec::{Keyed, Pair, SpecFile, StorageSpec};
use crate::storage::{Base, Check, Storage, UserFile};
use crate::user_file;

/// What the command line says instead of the spec.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Storages to build; none for all.
    pub storages: Vec<String>,
    /// `--tag`.
    pub tags: Vec<String>,
    /// `--platform`.
    pub platforms: Vec<String>,
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
        let mut resolver = Resolver { spec, facts, storage, problems: Vec::new() };
        let outcome = resolver.storage(name.as_deref(), overrides);
        for problem in resolver.problems {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        storages.extend(outcome);
    }
    same_image(spec, &storages, &mut problems);
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

/// Two storages may not overwrite each other's image.
fn same_image(spec: &SpecFile, storages: &[Storage], problems: &mut Vec<Problem>) {
    for (at, storage) in storages.iter().enumerate() {
        let twin = storages[..at].iter().find(|other| {
            other.references.is_empty()
                && storage.references.is_empty()
                && other.repository == storage.repository
                && other.tag == storage.tag
        });
        if let Some(twin) = twin {
            let of_storage =
                spec.storages.iter().find(|s| s.name.as_deref() == Some(&storage.name));
            problems.push(Problem {
                key: Some("image_name".to_owned()),
                place: of_storage.and_then(|storage| storage.place.clone()),
                message: format!(
                    "storages `{}` and `{}` make the same image `{}`",
                    twin.name, storage.name, storage.repository
                ),
                remedy: "give each its own image_name or image_tag".to_owned(),
            });
        }
    }
}

struct Resolver<'a> {
    spec: &'a SpecFile,
    facts: &'a Facts,
    storage: &'a StorageSpec,
    problems: Vec<Problem>,
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

    fn storage(&mut self, name: Option<&str>, overrides: &Overrides) -> Option<Storage> {
        let spec = self.storage;
        self.check_grammars();
        let settings = Settings {
            directory: text(spec.prefect_directory.as_ref()),
            path: text(spec.path.as_ref()),
            prefect_version: text(spec.prefect_version.as_ref()),
            python_version: text(spec.python_version.as_ref()),
            stored_as_script: spec.stored_as_script.as_ref().is_some_and(|k| k.value),
        };
        let scripts = self.scripts();
        let kind = self.runtime(&scripts);
        let runtime = runtime::of(kind);
        let flows = self.flows(&scripts, kind, &settings);
        let base = self.base(runtime.default_base(&settings));
        let files = self.files(&flows);
        let requirements = self.requirements();
        let (repository, tag) = self.image(name, &flows);
        let references = self.references(overrides);
        let platforms = self.platforms(overrides);

        let mut env = runtime.env(&settings);
        env.retain(|(key, _)| pairs(spec.env_vars.as_ref()).all(|pair| pair.key != *key));
        env.extend(pairs(spec.env_vars.as_ref()).map(|p| (p.key.clone(), p.value.clone())));

        let base_has_engine = match &base {
            Some(Base::Image(image)) => runtime.is_in_base(image),
            // Whoever writes a Dockerfile sees to it; installing wheels still works without.
            Some(Base::Dockerfile(_)) | None => true,
        };
        let engine = if matches!(&base, Some(Base::Image(_))) && base_has_engine {
            None
        } else {
            runtime.engine(&settings)
        };
        let mut build_packages = list(spec.build_packages.as_ref());
        if spec.base_image.is_none() {
            for package in runtime.engine_build_packages(base_has_engine) {
                if !build_packages.iter().any(|known| known == package) {
                    build_packages.push((*package).to_owned());
                }
            }
        }
        let check = if spec.ignore_healthchecks.as_ref().is_some_and(|k| k.value) {
            Check::Off
        } else {
            let exclude = list(spec.import_check_exclude.as_ref());
            Check::On {
                exclude: exclude.iter().map(|name| requirements::normalise(name)).collect(),
            }
        };
        let repository = repository?;
        let fallback = repository.to_string();
        let fallback = fallback.rsplit('/').next().unwrap_or_default().replace('.', "-");
        let mut storage = Storage {
            name: name.map_or(fallback, str::to_owned),
            spec: self.spec.file.clone(),
            repository,
            tag,
            references,
            runtime: kind,
            base: base?,
            python_version: settings.python_version.map(str::to_owned),
            env,
            system_packages: list(spec.system_packages.as_ref()),
            build_packages,
            requirements,
            engine,
            files,
            commands: list(spec.extra_dockerfile_commands.as_ref()),
            flows,
            stored_as_script: settings.stored_as_script,
            check,
            platforms,
            labels: pairs(spec.image_labels.as_ref())
                .map(|pair| (pair.key.clone(), pair.value.clone()))
                .collect(),
            user: text(spec.user.as_ref()).map(str::to_owned),
            values: std::collections::BTreeMap::new(),
        };
        storage.values = values::of(spec, &storage, overrides);
        Some(storage)
    }

    fn base(&mut self, default: String) -> Option<Base> {
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
        let parsed = match user_file::read(&text) {
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

    fn requirements(&mut self) -> Requirements {
        let spec = self.storage;
        let mut result = Requirements::default();
        for item in spec.python_dependencies.iter().flat_map(|list| &list.value) {
            match requirements::read_one(&item.value, &item.place, "python_dependencies") {
                Ok(requirement) => result.wanted.push(requirement),
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
        result
    }

    fn image(
        &mut self,
        name: Option<&str>,
        flows: &[crate::storage::Flow],
    ) -> (Option<Repository>, Option<Tag>) {
        let spec = self.storage;
        let from_flows = match flows {
            [flow] => Some(slugify(&flow.name)),
            _ => None,
        };
        let given = text(spec.image_name.as_ref()).map(str::to_owned);
        let inferred = from_flows.or_else(|| name.map(str::to_lowercase));
        let Some(image_name) = given.or(inferred) else {
            if !flows.is_empty() {
                let message = format!("{} flows share one image without a name", flows.len());
                self.problem("image_name", None, message, "set image_name = \"…\"");
            }
            return (None, None);
        };
        let full = match text(spec.registry_url.as_ref()) {
            Some(registry) if !registry.trim_end_matches('/').is_empty() => {
                format!("{}/{image_name}", registry.trim_end_matches('/'))
            }
            _ => image_name.clone(),
        };
        let key =
            if image_name.parse::<Repository>().is_ok() { "registry_url" } else { "image_name" };
        let place = match key {
            "image_name" => spec.image_name.as_ref(),
            _ => spec.registry_url.as_ref().or(spec.image_name.as_ref()),
        };
        let place = place.map(|keyed| &keyed.place);
        let repository = self.name(key, place, full.parse::<Repository>());
        let tag = spec
            .image_tag
            .as_ref()
            .and_then(|tag| self.name("image_tag", Some(&tag.place), Tag::from_str(&tag.value)));
        (repository, tag)
    }

    fn name<T>(
        &mut self,
        key: &str,
        place: Option<&Place>,
        parsed: Result<T, image_ref::NotAName>,
    ) -> Option<T> {
        match parsed {
            Ok(name) => Some(name),
            Err(error) => {
                self.problem(key, place, error.message, error.remedy);
                None
            }
        }
    }

    fn references(&mut self, overrides: &Overrides) -> Vec<ImageRef> {
        let mut references = Vec::new();
        for tag in &overrides.tags {
            match tag.parse() {
                Ok(reference) => references.push(reference),
                Err(image_ref::NotAName { message, remedy }) => {
                    self.problems.push(flag_problem(format!("--tag: {message}"), remedy));
                }
            }
        }
        references
    }

    fn platforms(&mut self, overrides: &Overrides) -> Vec<String> {
        let remedy = "write os/architecture, as linux/arm64";
        let fits = |platform: &str| {
            let parts: Vec<&str> = platform.split('/').collect();
            (2..=3).contains(&parts.len())
                && parts.iter().all(|part| {
                    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                })
        };
        if !overrides.platforms.is_empty() {
            for platform in overrides.platforms.iter().filter(|platform| !fits(platform)) {
                let message = format!("--platform: `{platform}` is not a platform");
                self.problems.push(flag_problem(message, remedy.to_owned()));
            }
            return overrides.platforms.clone();
        }
        let platforms = self.storage.platforms.as_ref().map_or(&[][..], |list| &list.value);
        for platform in platforms.iter().filter(|platform| !fits(&platform.value)) {
            let message = format!("`{}` is not a platform", platform.value);
            self.problem("platforms", Some(&platform.place), message, remedy);
        }
        platforms.iter().map(|platform| platform.value.clone()).collect()
    }

    /// Values that must have a certain form whatever the rest says.
    fn check_grammars(&mut self) {
        let spec = self.storage;
        if let Some(base) = &spec.base_image
            && !image_ref::is_base_image(&base.value)
        {
            let message = format!("`{}` is not an image", base.value);
            let remedy = "write name:tag, as python:3.11-slim";
            self.problem("base_image", Some(&base.place), message, remedy);
        }
        for (key, value) in
            [("python_version", &spec.python_version), ("prefect_version", &spec.prefect_version)]
        {
            let Some(value) = value else { continue };
            if value.value.parse::<pep440_rs::Version>().is_err() {
                let message = format!("`{}` is not a version", value.value);
                let remedy = format!("write {key} = \"3.11\", for example");
                self.problem(key, Some(&value.place), message, remedy);
            }
        }
        for (key, value) in [("prefect_directory", &spec.prefect_directory), ("path", &spec.path)] {
            let Some(value) = value else { continue };
            if !value.value.starts_with('/') || value.value.chars().any(char::is_control) {
                let message = format!("`{}` is not an absolute path of the image", value.value);
                self.problem(key, Some(&value.place), message, "begin it with `/`");
            }
        }
        for (key, packages) in
            [("system_packages", &spec.system_packages), ("build_packages", &spec.build_packages)]
        {
            for package in packages.iter().flat_map(|list| &list.value) {
                if !is_debian_package(&package.value) {
                    let message = format!("`{}` is not the name of a package", package.value);
                    let remedy = "write one Debian package per item, as \"unixodbc\"";
                    self.problem(key, Some(&package.place), message, remedy);
                }
            }
        }
        for (key, table) in [("env_vars", &spec.env_vars), ("image_labels", &spec.image_labels)] {
            for pair in pairs(table.as_ref()) {
                let fits = |c: char| {
                    c.is_ascii_graphic() && !matches!(c, '=' | '"' | '\'' | '\\' | '$' | '`' | '#')
                };
                if pair.key.is_empty() || !pair.key.chars().all(fits) {
                    let message = format!("`{}` cannot be a name in `{key}`", pair.key);
                    let remedy = "use letters, digits, `_`, `-` and `.`";
                    self.problem(key, Some(&pair.place), message, remedy);
                }
                if pair.value.contains('\0') {
                    let message = format!("the value of `{}` holds a NUL character", pair.key);
                    self.problem(key, Some(&pair.place), message, "remove the character");
                }
            }
        }
        if let Some(user) = &spec.user {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
            if user.value.is_empty() || !user.value.chars().all(fits) {
                let message = format!("`{}` is not a user", user.value);
                self.problem("user", Some(&user.place), message, "write a name or uid[:gid]");
            }
        }
    }
}

/// `name[:architecture][=version]` or `name[/release]`, as apt-get takes it.
fn is_debian_package(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(word)
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric()
                || matches!(c, '+' | '-' | '.' | ':' | '=' | '~' | '/' | '*' | '_')
        })
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
