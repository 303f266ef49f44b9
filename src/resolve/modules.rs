//! Which local modules travel with the flows, and where they lie in the image.
//!
//! **Invariant:** each file of the folder of modules comes from one source.

use std::collections::BTreeMap;
use std::path::Path;

use super::flows::Named;
use super::{Resolver, not_python, pairs};
use crate::facts::{Facts, FileFact, Found, modules as found};
use crate::problem::{Place, Problem};
use crate::runtime::{Runtime, Settings};
use crate::storage::{FileEntry, Flow, Modules, Tree};

type Taken = BTreeMap<String, (FileFact, String)>;

/// A script that keeps its folder below that of the modules finds there what it opens beside it.
fn beside_script(taken: &mut Taken, found: &found::Modules, script: &Named, folder: &str) {
    let Some(own) = script.folder() else { return };
    for module in &found.files {
        let is_beside = module.file.source.strip_prefix(own) == Ok(Path::new(&module.path));
        if is_beside && !is_code(&module.path) {
            let value = (module.file.clone(), module.because.clone());
            taken.entry(format!("{folder}/{}", module.path)).or_insert(value);
        }
    }
}

/// What scripts open beside them, for scripts that are stored elsewhere than the modules.
pub(super) fn beside_locations(facts: &Facts, scripts: &[Named], flows: &[Flow]) -> Vec<FileEntry> {
    let mut entries: Vec<FileEntry> = Vec::new();
    for flow in flows {
        let script = scripts.iter().find(|script| script.path() == flow.script);
        let own = script.and_then(Named::folder);
        let found = facts.modules.get(&flow.script);
        let (Some(own), Some(found), Some((folder, _))) =
            (own, found, flow.location.rsplit_once('/'))
        else {
            continue;
        };
        for module in &found.files {
            let is_beside = module.file.source.strip_prefix(own) == Ok(Path::new(&module.path));
            let dest = format!("{folder}/{}", module.path);
            if is_beside && !is_code(&module.path) && entries.iter().all(|e| e.dest != dest) {
                let name = module.path.rsplit('/').next().unwrap_or(&module.path);
                entries.push(FileEntry {
                    basename: name.to_owned(),
                    dest,
                    tree: Tree::File(module.file.clone()),
                    origin: module.because.clone(),
                });
            }
        }
    }
    entries
}

fn is_code(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "py")
}

impl Resolver<'_> {
    /// The local modules: those of the key `modules`, or what the scripts import.
    pub(super) fn modules(
        &mut self,
        scripts: &[Named],
        flows: &[Flow],
        runtime: &dyn Runtime,
        settings: &Settings<'_>,
    ) -> Modules {
        let facts = self.facts;
        let mut taken = Taken::new();
        if let Some(given) = &self.storage.modules {
            for path in &given.value {
                match facts.at(&path.value) {
                    Found::Missing | Found::Unreadable(_) => {
                        // Says what is wrong; both are problems.
                        self.file("modules", &path.value, &path.place);
                    }
                    Found::File(_) | Found::Folder(_) => {
                        let Some(found) = facts.given_modules.get(&path.value) else { continue };
                        self.add(&mut taken, found, &path.place);
                    }
                }
            }
        } else {
            for script in scripts {
                let Some(found) = facts.modules.get(script.path()) else { continue };
                self.add(&mut taken, found, script.place());
                if let (true, Some((folder, _))) =
                    (runtime.shares_locations(), script.path().rsplit_once('/'))
                {
                    beside_script(&mut taken, found, script, folder);
                }
            }
        }
        let folder = runtime.modules_folder(settings);
        let mut files = Vec::new();
        let copied: Vec<&Path> = pairs(self.storage.files.as_ref())
            .filter_map(|pair| match facts.at(&pair.key) {
                Found::File(file) => Some(file.source.as_path()),
                Found::Folder(folder) => Some(folder.source.as_path()),
                Found::Missing | Found::Unreadable(_) => None,
            })
            .collect();
        // Data that the spec copies has its place already.
        taken.retain(|path, (file, _)| {
            is_code(path) || !copied.iter().any(|source| file.source.starts_with(source))
        });
        for (path, (file, because)) in taken {
            let at = format!("{}/{path}", folder.trim_end_matches('/'));
            match flows.iter().find(|flow| flow.location == at) {
                // A script that is imported as well lies there already.
                Some(flow) if flow.source.digest == file.digest => {}
                Some(flow) => {
                    let message =
                        format!("flow `{}` and module `{path}` would both be `{at}`", flow.name);
                    let remedy = "rename one of the two files";
                    self.problem("modules", None, message, remedy);
                }
                None => files.push(found::ModuleFile { path, file, because }),
            }
        }
        Modules { folder, files }
    }

    fn add(&mut self, taken: &mut Taken, found: &found::Modules, place: &Place) {
        for (path, error) in &found.broken {
            let name = path.strip_prefix(&self.spec.folder).unwrap_or(path).to_string_lossy();
            let place = Place { file: name.to_string(), line: error.line };
            let message = not_python(&name, error);
            let remedy = "correct it, or name the modules that the flow needs in `modules`";
            self.problem("modules", Some(&place), message, remedy);
        }
        for note in &found.notes {
            let warning = Problem {
                key: Some("modules".to_owned()),
                place: Some(place.clone()),
                message: note.clone(),
                remedy: "name modules that the flow needs in `modules`, and other files in `files`"
                    .to_owned(),
            };
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        for module in &found.files {
            match taken.get(&module.path) {
                Some((known, _)) if known.digest != module.file.digest => {
                    let shown = |file: &FileFact| {
                        let below = file.source.strip_prefix(&self.spec.folder);
                        below.unwrap_or(&file.source).display().to_string()
                    };
                    let message = format!(
                        "`{}` and `{}` are different modules of one name, `{}`",
                        shown(known),
                        shown(&module.file),
                        module.path
                    );
                    let remedy = "rename one, or give each flow its own [storage.NAME]";
                    self.problem("modules", Some(place), message, remedy);
                }
                Some(_) => {}
                None => {
                    let value = (module.file.clone(), module.because.clone());
                    taken.insert(module.path.clone(), value);
                }
            }
        }
    }
}
