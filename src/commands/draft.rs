//! A spec as it will be once what `--fix` found is written.
//!
//! **Invariant:** a file is written once, whole, and only where it still is what was read.

use std::path::{Path, PathBuf};

use super::Loaded;
use super::learn::Learnt;
use crate::diff;
use crate::error::{Error, Fault};
use crate::facts::Machine;
use crate::host::Host;
use crate::init;
use crate::resolve::Overrides;
use crate::spec::Format;
use crate::spec::edit::{self, Addition};
use crate::storage::Storage;

/// A text in the place of a spec.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    path: PathBuf,
    /// The file as the user named it.
    name: String,
    /// What is in the file; none for a file that is not there.
    before: Option<String>,
    text: String,
}

impl Draft {
    /// The spec of a build; or why it is none that can be written.
    pub(super) fn of(loaded: &Loaded, host: &Host) -> Result<Self, String> {
        if let Some(text) = &loaded.text {
            let name = loaded.spec.file.clone();
            let path = host.cwd.join(&name);
            return Ok(Self { path, name, before: Some(text.clone()), text: text.clone() });
        }
        let script = &loaded.spec.file;
        let name = super::DEFAULT_FILES[0].to_owned();
        let path = host.cwd.join(&name);
        if path.symlink_metadata().is_ok() {
            return Err(format!("`{script}` is a script, and `{name}` is there already"));
        }
        let home = host.var("HOME").map(PathBuf::from);
        let machine = Machine { home: home.as_deref(), cwd: &host.cwd, env: &host.env };
        let sources = super::init::sources(Path::new(script), machine);
        let sources = sources.map_err(|error| error.to_string())?;
        if loaded.spec.storages.len() != 1 {
            return Err(format!("`{script}` is a script with several storages"));
        }
        Ok(Self { path, name, before: None, text: init::to_toml(&sources, &host.cwd) })
    }

    /// Adds packages to the storages that lack them.
    pub(super) fn add(&mut self, loaded: &Loaded, learnt: &[Learnt]) -> Result<(), String> {
        let mut text = self.text.clone();
        for Learnt { storage, build, run, .. } in learnt {
            // A spec of one storage without a name has no table for it.
            let mut named = loaded.spec.storages.iter().filter_map(|known| known.name.as_deref());
            let table = named.find(|known| known == storage && self.before.is_some());
            let additions = [
                Addition { key: "system_packages", items: run.clone() },
                Addition { key: "build_packages", items: build.clone() },
            ];
            text = edit::add(&text, Format::of(&self.path), table, &additions)
                .map_err(|error| error.to_string())?;
        }
        self.text = text;
        Ok(())
    }

    /// The storages that it describes: those of `known`.
    pub(super) fn storages(
        &self,
        known: &[Storage],
        overrides: &Overrides,
        host: &Host,
    ) -> Result<Vec<Storage>, String> {
        let loaded = super::read(self.text.clone(), &self.path, &self.name, host);
        let mut overrides = overrides.clone();
        if self.before.is_none() {
            // A script's only storage may have a name, the new spec's has none.
            overrides.storages.clear();
        }
        let storages = loaded.resolve(&overrides).map_err(|problems| {
            let first = problems.first().map(|problem| problem.message.clone());
            format!("`{}` would be wrong: {}", self.name, first.unwrap_or_default())
        })?;
        let same = storages.iter().map(|s| &s.name).eq(known.iter().map(|s| &s.name));
        let other = || format!("`{}` would describe other storages", self.name);
        if same { Ok(storages) } else { Err(other()) }
    }

    /// The file as the user named it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What writing it would change.
    pub(super) fn diff(&self) -> String {
        diff::unified(self.before.as_deref(), &self.text, &self.name)
    }

    /// Writes it.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let Some(before) = &self.before else {
            return super::build::write_new(&self.path, &self.text);
        };
        let now = std::fs::read(&self.path).ok();
        if now.as_deref() != Some(before.as_bytes()) {
            let message =
                format!("`{}` was changed during the build; nothing was written", self.name);
            return Err(Error::Build(Fault::new(message, "build again with --fix")).into());
        }
        super::build::write_atomically(&self.path, &self.text)
    }
}
