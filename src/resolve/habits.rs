//! Habits of Prefect's own storage that are no longer needed, for those who move over.
//!
//! **Invariant:** each is harmless where it stands: a spec with habits builds as it is.

use std::path::Path;

use super::pairs;
use crate::problem::{Place, Problem};
use crate::spec::{Keyed, SpecFile, StorageSpec};
use crate::storage::{Storage, Tree};

/// The habits of one storage, in the order of the spec's keys.
pub(super) fn of(file: &SpecFile, spec: &StorageSpec, storage: &Storage) -> Vec<Problem> {
    let mut habits = Habits(Vec::new());
    habits.dependencies(spec);
    habits.environment(spec, storage);
    habits.files(file, spec, storage);
    habits.commands(spec);
    habits.switches(spec);
    habits.0
}

struct Habits(Vec<Problem>);

impl Habits {
    fn say(&mut self, key: &str, place: &Place, message: impl Into<String>, remedy: &str) {
        self.0.push(Problem {
            key: Some(key.to_owned()),
            place: Some(place.clone()),
            message: message.into(),
            remedy: remedy.to_owned(),
        });
    }

    fn dependencies(&mut self, spec: &StorageSpec) {
        let items = spec.python_dependencies.iter().flat_map(|list| &list.value);
        for item in items {
            let name = item.value.split(['=', '<', '>', '~', '!', '[', ' ']).next();
            match name.unwrap_or_default() {
                "wheel" | "setuptools" | "pip" => {
                    let message = format!("`{}` was needed to install the others", item.value);
                    self.say(
                        "python_dependencies",
                        &item.place,
                        message,
                        "leave it out: uv installs",
                    );
                }
                "prefect" => {
                    let message = format!("`{}` installs Prefect by hand", item.value);
                    let remedy =
                        "set prefect_version: Prefect is installed where the base lacks it";
                    self.say("python_dependencies", &item.place, message, remedy);
                }
                _ => {}
            }
        }
    }

    fn environment(&mut self, spec: &StorageSpec, storage: &Storage) {
        for pair in pairs(spec.env_vars.as_ref()) {
            let folder = spec.prefect_directory.as_ref().map_or("/opt/prefect", |k| &k.value);
            let default = format!("{}/config.toml", folder.trim_end_matches('/'));
            if pair.key == "PREFECT__USER_CONFIG_PATH" && pair.value == default {
                let message = "`PREFECT__USER_CONFIG_PATH` has this value by itself";
                self.say("env_vars", &pair.place, message, "leave it out");
            }
            if pair.key == "PYTHONPATH" && !storage.modules.files.is_empty() {
                let message = "`PYTHONPATH` was needed to import local modules";
                let remedy = "leave it out: the modules that the flow imports are importable by \
                              themselves";
                self.say("env_vars", &pair.place, message, remedy);
            }
        }
    }

    fn files(&mut self, file: &SpecFile, spec: &StorageSpec, storage: &Storage) {
        let modules: Vec<&str> =
            storage.modules.files.iter().map(|module| module.file.digest.as_str()).collect();
        let copied = pairs(spec.files.as_ref()).zip(&storage.files);
        for (pair, entry) in copied {
            let is_flow = |digest: &str| storage.flows.iter().any(|f| f.source.digest == digest);
            match &entry.tree {
                Tree::File(copied) if is_flow(&copied.digest) => {
                    let message =
                        format!("`{}` is the flow script, which travels by itself", pair.key);
                    self.say("files", &pair.place, message, "leave it out");
                }
                Tree::File(copied) if modules.contains(&copied.digest.as_str()) => {
                    let message =
                        format!("`{}` is imported by the flow, and travels by itself", pair.key);
                    self.say("files", &pair.place, message, "leave it out");
                }
                _ => {
                    let path = Path::new(&pair.key);
                    if let Ok(below) = path.strip_prefix(&file.folder)
                        && !file.is_script()
                        && !below.as_os_str().is_empty()
                    {
                        let message = format!("`{}` is a path of this machine", pair.key);
                        let remedy =
                            format!("write `{}`: paths are relative to the spec", below.display());
                        self.say("files", &pair.place, message, &remedy);
                    }
                }
            }
        }
    }

    fn commands(&mut self, spec: &StorageSpec) {
        for command in spec.extra_dockerfile_commands.iter().flat_map(|list| &list.value) {
            let Keyed { value, place } = command;
            let words: Vec<&str> = value.split_whitespace().collect();
            let has = |pair: [&str; 2]| words.windows(2).any(|window| window == pair);
            let key = "extra_dockerfile_commands";
            if has(["apt-get", "install"]) || has(["apt", "install"]) {
                let message = "the command installs Debian packages";
                let remedy = "name them in `system_packages`: they are cached, and come before the \
                              Python packages that may need them";
                self.say(key, place, message, remedy);
            }
            if has(["pip", "install"]) || has(["pip3", "install"]) {
                let message = "the command installs Python packages";
                let remedy = "name them in `python_dependencies`: they are cached and checked";
                self.say(key, place, message, remedy);
            }
        }
    }

    fn switches(&mut self, spec: &StorageSpec) {
        if let Some(Keyed { value: true, place }) = &spec.ignore_healthchecks {
            let message =
                "`ignore_healthchecks` was often set because the check failed for no reason";
            let remedy = "try without it: the check compares nothing with this machine's Python";
            self.say("ignore_healthchecks", place, message, remedy);
        }
        let script = spec.stored_as_script.as_ref().is_some_and(|keyed| keyed.value);
        if let (true, Some(path)) = (script, &spec.path) {
            let message = "`path` had to name the script in the image";
            let remedy =
                "leave it out where nothing else depends on the place: the script is copied";
            self.say("path", &path.place, message, remedy);
        }
    }
}
