//! Which flows a storage has, of which runtime, and where each is found in the image.
//!
//! **Invariant:** no two flows have one name or one location.

use std::path::Path;

use super::{Resolver, not_python, stem};
use crate::facts::{FileFact, Found, is_glob};
use crate::problem::Place;
use crate::python::script::Script;
use crate::runtime::{self, NamedFlow, NoFlows, Runtime, Settings};
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

impl Named {
    /// The script's path as the spec has it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The folder that the script's file is in.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.file.source.parent()
    }

    /// Environment variables that loading it asks for.
    pub(super) fn variables(&self) -> impl Iterator<Item = &String> {
        self.script.variables.iter()
    }

    /// Where the spec names it.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }
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
        if file.text.is_none() {
            let message = format!("`{path}` is not a text in UTF-8");
            self.problem("flows", Some(place), message, "name a Python script");
            return None;
        }
        match self.facts.scripts.get(path) {
            Some(Ok(script)) => Some(Named {
                name,
                path: path.to_owned(),
                place: place.clone(),
                file,
                script: script.clone(),
            }),
            Some(Err(error)) => {
                let shown = if self.spec.is_script() { &self.spec.file } else { path };
                let at = Place { file: shown.to_owned(), line: error.line };
                let message = not_python(shown, error);
                self.problem("flows", Some(&at), message, "correct the script at this line");
                None
            }
            None => None,
        }
    }

    /// The runtime that the spec names, or that all scripts agree on.
    pub(super) fn runtime(&mut self, scripts: &[Named]) -> RuntimeKind {
        if let Some(runtime) = &self.storage.runtime {
            return runtime.value;
        }
        let mut found: Option<RuntimeKind> = None;
        for named in scripts {
            let kind = runtime::detect(&named.script);
            if found.is_some_and(|found| found != kind) {
                let message = "the scripts are of different runtimes".to_owned();
                let remedy = "set `runtime`, or give each its own [storage.NAME]";
                self.problem("flows", Some(&named.place), message, remedy);
            }
            found = Some(kind);
        }
        found.unwrap_or(RuntimeKind::Python)
    }

    /// The flows of each script.
    pub(super) fn named_flows<'a>(
        &mut self,
        scripts: &'a [Named],
        runtime: &dyn Runtime,
    ) -> Vec<(&'a Named, Vec<NamedFlow>)> {
        let mut named = Vec::new();
        for script in scripts {
            let own = runtime.flows(&script.script, stem(&script.path));
            // A name that the spec gives is one of the script's flows, or what a run calls it.
            let flows = match (&script.name, own) {
                (Some(name), own) => {
                    let flow = own.into_iter().flatten().find(|flow| flow.name == *name);
                    let function = None;
                    vec![flow.unwrap_or(NamedFlow { name: name.clone(), function, line: 1 })]
                }
                (None, Ok(flows)) => flows,
                (None, Err(NoFlows { line, message, remedy })) => {
                    let file = if self.spec.is_script() { &self.spec.file } else { &script.path };
                    let place = Place { file: file.clone(), line };
                    self.problem("flows", Some(&place), message, remedy);
                    continue;
                }
            };
            named.push((script, flows));
        }
        named
    }

    /// Every flow with its location.
    pub(super) fn flows(
        &mut self,
        named: Vec<(&Named, Vec<NamedFlow>)>,
        runtime: &dyn Runtime,
        settings: &Settings<'_>,
    ) -> Vec<Flow> {
        let mut flows: Vec<Flow> = Vec::new();
        for (script, own) in named {
            for NamedFlow { name, function, line } in own {
                let place = if self.spec.is_script() {
                    Place { file: self.spec.file.clone(), line }
                } else {
                    script.place.clone()
                };
                let slug = slugify(&name);
                if runtime.has_slugs() && slug.is_empty() {
                    let message = format!("nothing of the name `{name}` can be part of a path");
                    let remedy = "give the flow a name with letters or digits";
                    self.problem("flows", Some(&place), message, remedy);
                }
                if name.chars().any(char::is_control) {
                    let message = "the name of a flow holds a control character".to_owned();
                    self.problem("flows", Some(&place), message, "give it another name");
                }
                let location = runtime.location(settings, &slug, &script.path);
                let flow = Flow {
                    name,
                    script: script.path.clone(),
                    source: script.file.clone(),
                    location,
                    function,
                };
                let may_share = settings.stored_as_script || runtime.shares_locations();
                self.conflicts(&flows, &flow, &place, settings, may_share);
                flows.push(flow);
            }
        }
        flows
    }

    fn conflicts(
        &mut self,
        flows: &[Flow],
        new: &Flow,
        place: &Place,
        settings: &Settings<'_>,
        may_share: bool,
    ) {
        if let Some(twin) = flows.iter().find(|flow| flow.name == new.name) {
            let message = format!("two flows are named `{}`", twin.name);
            self.problem("flows", Some(place), message, "give each flow its own name");
            return;
        }
        let shared = flows.iter().find(|flow| {
            // Several flows of one script are stored once.
            let same_script = may_share && flow.script == new.script;
            flow.location == new.location && !same_script
        });
        if let Some(twin) = shared {
            let message =
                format!("`{}` and `{}` would both be `{}`", twin.name, new.name, new.location);
            let remedy = if settings.path.is_some() {
                "leave out `path`, or give each flow its own [storage.NAME]"
            } else if slugify(&twin.name) == slugify(&new.name) {
                "give the flows names that differ in letters or digits"
            } else {
                "rename one of the scripts, or give each its own [storage.NAME] and image_name"
            };
            self.problem("flows", Some(place), message, remedy);
        }
    }

    /// Whether a path was found to be a file or folder.
    pub(super) fn found(&self, path: &str) -> &Found {
        self.facts.at(path)
    }
}
