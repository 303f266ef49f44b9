//! Which flows a storage has, of which runtime, and where each is found in the image.
//!
//! **Invariant:** no two flows have one name or one location.

use super::Resolver;
use crate::facts::{FileFact, Found, is_glob};
use crate::problem::Place;
use crate::python::{self, Script};
use crate::runtime::{self, Settings};
use crate::slug::slugify;
use crate::spec::RuntimeKind;
use crate::storage::Flow;

/// A script that `flows` names, read.
pub(super) struct Named {
    /// The flow's name where the spec gives it.
    name: Option<String>,
    path: String,
    place: Place,
    file: FileFact,
    script: Script,
}

impl Resolver<'_> {
    /// Every script that `flows` names.
    pub(super) fn scripts(&mut self) -> Vec<Named> {
        let Some(flows) = &self.storage.flows else {
            if !self.spec.unread.iter().any(|key| key == "flows") {
                self.problem("flows", None, "no flow is named", "add flows = [\"flow.py\"]");
            }
            return Vec::new();
        };
        if flows.value.is_empty() {
            let place = Some(&flows.place);
            self.problem("flows", place, "`flows` is empty", "write flows = [\"flow.py\"]");
        }
        let mut scripts = Vec::new();
        for flow in &flows.value {
            let facts = self.facts;
            let one = [flow.path.clone()];
            let paths: &[String] = if is_glob(&flow.path) {
                facts.globs.get(&flow.path).map_or(&[], Vec::as_slice)
            } else {
                &one
            };
            if paths.is_empty() {
                let message = format!("no file matches `{}`", flow.path);
                let remedy = "correct the pattern; it is relative to the spec";
                self.problem("flows", Some(&flow.place), message, remedy);
            }
            for path in paths {
                scripts.extend(self.script(flow.name.clone(), path, &flow.place));
            }
        }
        scripts
    }

    fn script(&mut self, name: Option<String>, path: &str, place: &Place) -> Option<Named> {
        let file = self.file("flows", path, place)?;
        let Some(text) = file.text.clone() else {
            let message = format!("`{path}` is not a text in UTF-8");
            self.problem("flows", Some(place), message, "name a Python script");
            return None;
        };
        match python::read(&text) {
            Ok(script) => {
                Some(Named { name, path: path.to_owned(), place: place.clone(), file, script })
            }
            Err(error) => {
                let at = Place { file: path.to_owned(), line: error.line };
                let message = format!("`{path}` is not valid Python 3: {}", error.message);
                self.problem("flows", Some(&at), message, "correct the script at this line");
                None
            }
        }
    }

    /// The runtime that the spec names, or that all scripts agree on.
    pub(super) fn runtime(&mut self, scripts: &[Named]) -> RuntimeKind {
        if let Some(runtime) = &self.storage.runtime {
            return runtime.value;
        }
        let mut found: Option<RuntimeKind> = None;
        for named in scripts {
            match runtime::detect(&named.script) {
                Err(message) => {
                    let place = Some(&named.place);
                    let remedy = "set runtime = \"python\" to store it as a plain script";
                    self.problem("runtime", place, format!("`{}`: {message}", named.path), remedy);
                }
                Ok(kind) if found.is_some_and(|found| found != kind) => {
                    let message = "the scripts are of different runtimes".to_owned();
                    let remedy = "set `runtime`, or give each its own [storage.NAME]";
                    self.problem("flows", Some(&named.place), message, remedy);
                }
                Ok(kind) => found = Some(kind),
            }
        }
        found.unwrap_or(RuntimeKind::Python)
    }

    /// Every flow with its name and location.
    pub(super) fn flows(
        &mut self,
        scripts: &[Named],
        kind: RuntimeKind,
        settings: &Settings<'_>,
    ) -> Vec<Flow> {
        let runtime = runtime::of(kind);
        let mut flows: Vec<Flow> = Vec::new();
        for named in scripts {
            let file_name = named.path.rsplit('/').next().unwrap_or(&named.path);
            let stem = file_name.strip_suffix(".py").unwrap_or(file_name);
            let names = match &named.name {
                Some(name) => Ok(vec![name.clone()]),
                None => runtime.flow_names(&named.script, stem),
            };
            let names = match names {
                Ok(names) => names,
                Err((line, message, remedy)) => {
                    let place = Place { file: named.path.clone(), line };
                    self.problem("flows", Some(&place), message, remedy);
                    continue;
                }
            };
            for name in names {
                let slug = slugify(&name);
                if runtime.has_slugs() && slug.is_empty() {
                    let message = format!("nothing of the name `{name}` can be part of a path");
                    let remedy = "give the flow a name with letters or digits";
                    self.problem("flows", Some(&named.place), message, remedy);
                }
                if name.chars().any(char::is_control) {
                    let message = "the name of a flow holds a control character".to_owned();
                    self.problem("flows", Some(&named.place), message, "give it another name");
                }
                let location = runtime.location(settings, &slug, file_name);
                let flow =
                    Flow { name, script: named.path.clone(), source: named.file.clone(), location };
                self.conflicts(&flows, &flow, &named.place, settings);
                flows.push(flow);
            }
        }
        flows
    }

    fn conflicts(&mut self, flows: &[Flow], new: &Flow, place: &Place, settings: &Settings<'_>) {
        if let Some(twin) = flows.iter().find(|flow| flow.name == new.name) {
            let message = format!("two flows are named `{}`", twin.name);
            self.problem("flows", Some(place), message, "give each flow its own name");
            return;
        }
        let shared = flows.iter().find(|flow| {
            // Several flows of one script are stored once.
            let same_script = settings.stored_as_script && flow.script == new.script;
            flow.location == new.location && !same_script
        });
        if let Some(twin) = shared {
            let message =
                format!("`{}` and `{}` would both be `{}`", twin.name, new.name, new.location);
            let remedy = if settings.path.is_some() {
                "leave out `path`, or give each flow its own [storage.NAME]"
            } else {
                "give the flows names that differ in letters or digits"
            };
            self.problem("flows", Some(place), message, remedy);
        }
    }

    /// Whether a path was found to be a file or folder.
    pub(super) fn found(&self, path: &str) -> &Found {
        self.facts.at(path)
    }
}
