//! The steps of apt-get, and what recipes do after them.
//!
//! **Invariant:** what is downloaded stays in cache mounts; what a later build would change for no
//! reason (logs, caches) is not in the layer. Repositories and their keys are mounted while apt-get
//! runs, and are in no layer either.

use super::super::context::{APT, KEYS, MOUNT, recipe_folder};
use super::super::{installs_debian_packages, quote, shell};
use super::Writer;
use super::quote::Dollar;
use crate::storage::{Argument, Phase, Recipe, Source};

/// Where the stage of repositories leaves what apt takes.
const PREPARED: &str = "/apt";
/// Where a recipe's own folder of the context is seen while its step runs.
const RECIPE: &str = "/mnt/flowstorage/recipe";
/// Where what was fetched is seen.
const DOWNLOADS: &str = "/mnt/flowstorage/downloads";

impl Writer<'_> {
    /// What the builder fetches by checksum.
    pub(super) fn downloads(&mut self) {
        let storage = self.storage;
        let keys = storage.apt_repositories.iter().flat_map(|repository| {
            let keys = repository.keys.iter().enumerate();
            keys.map(|(at, key)| (key, format!("/{APT}/{}", key_name(&repository.name, at))))
        });
        let files = storage.recipes.iter().flat_map(|recipe| {
            let files = recipe.files.iter();
            files.map(|(name, file)| (file, format!("/{}/{name}", recipe_folder(recipe))))
        });
        let lines: Vec<String> = keys
            .chain(files)
            .filter_map(|(source, at)| match source {
                Source::Url { url, sha256 } => Some(format!(
                    "ADD --checksum=sha256:{sha256} {}",
                    quote::add(url, &at, self.escape)
                )),
                Source::File(_) => None,
            })
            .collect();
        if lines.is_empty() {
            return;
        }
        self.block("files from elsewhere, each with its checksum; not in the image");
        self.line(&format!("FROM scratch AS {}", self.stage("downloads")));
        for line in lines {
            self.line(&line);
        }
    }

    /// Repositories as apt takes them, for the release that the base turns out to be.
    pub(super) fn repositories(&mut self) {
        let storage = self.storage;
        if storage.apt_repositories.is_empty() {
            return;
        }
        self.block("repositories of Debian packages, and their keys; not in the image");
        self.line(&format!("FROM {} AS {}", self.base, self.stage("repositories")));
        self.root();
        let mut mounts = vec![self.bind(APT)];
        let mut keys = storage.apt_repositories.iter().flat_map(|repository| &repository.keys);
        if keys.any(|key| matches!(key, Source::Url { .. })) {
            mounts.push(self.bind_downloads(APT));
        }
        let program = format!(
            "sh {MOUNT}/{APT}/repositories.sh {MOUNT}/{APT} {DOWNLOADS} {PREPARED}"
        );
        self.run(&mounts, &[program]);
    }

    fn bind_downloads(&self, folder: &str) -> String {
        let from = self.stage("downloads");
        format!("type=bind,from={from},source=/{folder},target={DOWNLOADS}")
    }

    pub(super) fn system(&mut self) {
        self.block("environment and system packages");
        self.line(&format!("FROM {} AS {}", self.base, self.stage("system")));
        self.root();
        let storage = self.storage;
        if storage.env.iter().any(|(_, value)| quote::needs_newline(value)) {
            self.line(&format!("ARG {}", quote::NEWLINE_ARG));
        }
        for (name, value) in &storage.env {
            let value = quote::value(value, Dollar::Expands, self.escape);
            self.line(&format!("ENV {name}={value}"));
        }
        for recipe in &storage.recipes {
            let about = quote::comment(&recipe.about);
            self.line(&format!("# recipe {}: {about}", recipe.name));
        }
        if installs_debian_packages(storage, Phase::Run) {
            self.apt(&storage.system_packages, Phase::Run);
        }
        for recipe in storage.recipes.iter().filter(|recipe| !recipe.steps.is_empty()) {
            self.steps(recipe);
        }
    }

    /// The mounts of every step that runs apt-get: its caches, and the repositories of the spec.
    fn apt_mounts(&self) -> Vec<String> {
        let keep = if self.own { "from=flowstorage," } else { "" };
        let mut mounts = vec![
            "type=cache,target=/var/cache/apt,sharing=locked".to_owned(),
            "type=cache,target=/var/lib/apt/lists,sharing=locked".to_owned(),
            format!(
                "type=bind,{keep}source=system/keep-packages.conf,\
                 target=/etc/apt/apt.conf.d/docker-clean"
            ),
        ];
        let from = self.stage("repositories");
        for repository in &self.storage.apt_repositories {
            let name = &repository.name;
            mounts.push(format!(
                "type=bind,from={from},source={PREPARED}/{name}.sources,\
                 target=/etc/apt/sources.list.d/flowstorage-{name}.sources"
            ));
        }
        if !self.storage.apt_repositories.is_empty() {
            mounts.push(format!("type=bind,from={from},source={PREPARED}/keys,target={KEYS}"));
        }
        mounts
    }

    /// A step that installs named packages and those that a phase needs for a reason.
    pub(super) fn apt(&mut self, packages: &[String], phase: Phase) {
        let storage = self.storage;
        let needed = storage.needed.iter().filter(|package| package.phase == phase);
        let (single, several): (Vec<_>, Vec<_>) =
            needed.map(|package| &package.names).partition(|names| names.len() == 1);
        let names = packages.iter().chain(single.into_iter().flatten());
        let mut names: Vec<String> = names.map(|name| shell::quote(name)).collect();
        // Names of other releases are no packages here: apt takes the first that is one.
        let mut choices: Vec<String> =
            several.iter().map(|names| shell::quote(&names.join(" | "))).collect();
        let mut env = String::new();
        let mut commands = vec!["apt-get update --quiet".to_owned()];
        if phase == Phase::Run {
            let recipes = || storage.recipes.iter();
            for (name, value) in recipes().flat_map(|recipe| &recipe.install_env) {
                env.extend([name, "=", &shell::quote(value), " "]);
            }
            let folders = recipes().flat_map(|recipe| &recipe.folders);
            commands.extend(folders.map(|folder| format!("mkdir -p {}", shell::quote(folder))));
        }
        let separator = format!(" {}\n      ", self.escape);
        for (command, words) in [("install", &mut names), ("satisfy", &mut choices)] {
            words.sort();
            words.dedup();
            if !words.is_empty() {
                let words = words.join(&separator);
                commands.push(format!(
                    "{env}DEBIAN_FRONTEND=noninteractive apt-get {command} --yes --quiet \
                     --no-install-recommends{separator}{words}"
                ));
            }
        }
        commands.push(
            "rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
             /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old"
                .to_owned(),
        );
        self.run(&self.apt_mounts(), &commands);
    }

    /// What a recipe does besides packages and variables.
    fn steps(&mut self, recipe: &Recipe) {
        let folder = recipe_folder(recipe);
        let from = if self.own { "from=flowstorage," } else { "" };
        let mut mounts = vec![format!("type=bind,{from}source={folder},target={RECIPE}")];
        if recipe.files.iter().any(|(_, source)| matches!(source, Source::Url { .. })) {
            mounts.push(self.bind_downloads(&folder));
        }
        let place = |name: &String| {
            let source = recipe.files.iter().find(|(known, _)| known == name);
            let fetched = matches!(source, Some((_, Source::Url { .. })));
            format!("{}/{name}", if fetched { DOWNLOADS } else { RECIPE })
        };
        let command = |step: &crate::storage::RecipeStep| {
            let mut words = vec!["sh".to_owned(), format!("{RECIPE}/{}", step.program)];
            words.extend(step.arguments.iter().map(|argument| match argument {
                Argument::Text(text) => shell::quote(text),
                Argument::File(name) => shell::quote(&place(name)),
            }));
            words.join(" ")
        };
        let commands: Vec<String> = recipe.steps.iter().map(command).collect();
        self.run(&mounts, &commands);
    }
}

/// The name of a repository's key where it has not been looked at.
pub(in super::super) fn key_name(repository: &str, at: usize) -> String {
    format!("{repository}-{}.key", at + 1)
}
