//! The steps of apt-get, and what recipes do after them.
//!
//! **Invariant:** what is downloaded stays in cache mounts; what a later build would change for no
//! reason (logs, caches) is not in the layer. Repositories and their keys are mounted while apt-get
//! runs, and are in no layer either.

use std::fmt::Write as _;

use super::super::context::{APT, KEYS, MOUNT, WITHOUT_APT, recipe_folder};
use super::super::{quote, shell};
use super::quote::Dollar;
use super::{PYTHON, Writer};
use crate::runtime;
use crate::storage::{Argument, NeededPackage, Phase, Recipe, Source};

/// Where the stage of repositories leaves what apt takes.
const PREPARED: &str = "/apt";
/// Where a recipe's own folder of the context is seen while its step runs.
const RECIPE: &str = "/mnt/flowstorage/recipe";
/// Where what was fetched is seen.
const DOWNLOADS: &str = "/mnt/flowstorage/downloads";

/// Makes folders that slim images lack, and without which some packages cannot be configured:
/// <https://bugs.debian.org/863199>.
const MAN_PAGES: &str = "mkdir -p /usr/share/man/man1 /usr/share/man/man7";
/// What the names of these packages begin with: their alternatives have pages of the manual.
const WITH_MAN_PAGES: [&str; 3] = ["default-j", "openjdk-", "postgresql"];
/// Removes what apt-get and dpkg leave behind.
const CLEAN: &str = "rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
                     /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old";

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
        let program =
            format!("sh {MOUNT}/{APT}/repositories.sh {MOUNT}/{APT} {DOWNLOADS} {PREPARED}");
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
        self.keep_trust();
        for recipe in &storage.recipes {
            let about = quote::comment(&recipe.about);
            self.line(&format!("# recipe {}: {about}", recipe.name));
        }
        if storage.has_packages(Phase::Run) {
            self.apt(Phase::Run);
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

    /// A step that installs what the spec names and what is needed besides in a phase.
    pub(super) fn apt(&mut self, phase: Phase) {
        let storage = self.storage;
        let (required, inferred): (Vec<&NeededPackage>, Vec<_>) =
            storage.needed_in(phase).partition(|package| package.is_required);
        let (single, several): (Vec<_>, Vec<_>) =
            required.into_iter().map(|package| &package.names).partition(|names| names.len() == 1);
        let certain = storage.named_in(phase).iter().chain(single.into_iter().flatten());
        let mut names: Vec<String> = certain.map(|name| shell::quote(name)).collect();
        // Names of other releases are no packages here: apt takes the first that is one.
        let mut choices: Vec<String> =
            several.iter().map(|names| shell::quote(&names.join(" | "))).collect();
        for words in [&mut names, &mut choices] {
            words.sort();
            words.dedup();
        }
        let is_inferred_alone = names.is_empty() && choices.is_empty();
        let (words, programs) = self.inferred(&inferred);
        names.extend(words);

        let mut env = String::new();
        let (trust, options) = self.apt_trust();
        let mut commands = vec![format!("apt-get{options} update --quiet")];
        if phase == Phase::Run {
            let recipes = storage.recipes.iter();
            for (name, value) in recipes.flat_map(|recipe| &recipe.install_env) {
                env.extend([name, "=", &shell::quote(value), " "]);
            }
        }
        let needed = storage.needed_in(phase).flat_map(|package| &package.names);
        if needed.chain(storage.named_in(phase)).any(has_man_pages) {
            commands.push(MAN_PAGES.to_owned());
        }
        let escape = self.escape;
        let separator = format!(" {escape}\n      ");
        for (command, words) in [("install", &names), ("satisfy", &choices)] {
            if !words.is_empty() {
                let words = words.join(&separator);
                commands.push(format!(
                    "{env}DEBIAN_FRONTEND=noninteractive apt-get{options} {command} --yes --quiet \
                     --no-install-recommends{separator}{words}"
                ));
            }
        }
        commands.push(CLEAN.to_owned());
        let mut mounts = self.apt_mounts();
        mounts.extend(trust);
        // One by one: a step must not run anew because of what another one mounts.
        mounts.extend(programs.iter().map(|program| self.bind(&format!("system/{program}"))));
        if is_inferred_alone && storage.without_apt.is_some() {
            // Nobody asked for apt: a base without it is told what it should have.
            mounts.push(self.bind(&format!("system/{WITHOUT_APT}")));
            let first = &mut commands[0];
            *first = format!("if command -v apt-get >/dev/null; then {escape}\n    {first}");
            if let Some(last) = commands.last_mut() {
                let _ = write!(last, "; {escape}\n    else cat {MOUNT}/system/{WITHOUT_APT}; fi");
            }
        }
        self.run(&mounts, &commands);
    }

    /// A step of its own for more packages: what stands before it stays cached.
    pub(super) fn apt_also(&mut self, packages: &[String]) {
        let words: Vec<String> = packages.iter().map(|name| shell::quote(name)).collect();
        let separator = format!(" {}\n      ", self.escape);
        let (trust, options) = self.apt_trust();
        let mut commands = vec![format!("apt-get{options} update --quiet")];
        if packages.iter().any(has_man_pages) {
            commands.push(MAN_PAGES.to_owned());
        }
        commands.extend([
            format!(
                "DEBIAN_FRONTEND=noninteractive apt-get{options} install --yes --quiet \
                 --no-install-recommends{separator}{}",
                words.join(&separator)
            ),
            CLEAN.to_owned(),
        ]);
        let mut mounts = self.apt_mounts();
        mounts.extend(trust);
        self.run(&mounts, &commands);
    }

    /// Packages that nobody asked for, as words of a shell that the base's release decides, and the
    /// files that these run.
    fn inferred(&self, packages: &[&NeededPackage]) -> (Vec<String>, Vec<&'static str>) {
        let (headers, others): (Vec<&NeededPackage>, Vec<_>) =
            packages.iter().partition(|package| package.is_python_headers());
        let mut names: Vec<String> =
            others.iter().map(|package| shell::quote(&package.names.join("|"))).collect();
        names.sort();
        names.dedup();
        let mut words = Vec::new();
        let mut programs = Vec::new();
        if !names.is_empty() {
            let (program, _) = runtime::AVAILABLE;
            let separator = format!(" {}\n        ", self.escape);
            let names = names.join(&separator);
            programs.push(program);
            words.push(format!("$(sh {MOUNT}/system/{program}{separator}{names})"));
        }
        if !headers.is_empty() {
            let (program, _) = runtime::HEADERS;
            programs.push(program);
            words.push(format!("$({PYTHON} {MOUNT}/system/{program})"));
        }
        (words, programs)
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

    /// Installs what a file of another stage lists, which may be nothing, and shows another file.
    pub(super) fn apt_listed(&mut self, stage: &str, packages: &str, findings: &str) {
        let (trust, options) = self.apt_trust();
        let mut mounts = self.apt_mounts();
        mounts.extend(trust);
        // Only the two: what else is there changes more often.
        for file in [packages, findings] {
            mounts.push(format!("type=bind,from={stage},source={file},target={file}"));
        }
        let escape = self.escape;
        self.run(
            &mounts,
            &[
                format!("if test -s {packages}; then {escape}\n    cat {findings}"),
                format!("apt-get{options} update --quiet"),
                format!(
                    "DEBIAN_FRONTEND=noninteractive xargs --arg-file={packages} {escape}\n      \
                     apt-get{options} install --yes --quiet --no-install-recommends"
                ),
                format!("{CLEAN}; {escape}\n    fi"),
            ],
        );
    }
}

fn has_man_pages(package: impl AsRef<str>) -> bool {
    WITH_MAN_PAGES.iter().any(|start| package.as_ref().starts_with(start))
}

/// The name of a repository's key where it has not been looked at.
pub(in super::super) fn key_name(repository: &str, at: usize) -> String {
    format!("{repository}-{}.key", at + 1)
}
