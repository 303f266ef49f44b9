//! Flags of `build` that write files for Prefect, and what they and `--push` need to be there.
//!
//! **Invariant:** what cannot be written is said before anything is built; files appear whole, and
//! only after the image is there.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::BuildArgs;
use crate::error::{Error, Fault};
use crate::host::Host;
use crate::plan::Plan;
use crate::plan::bake::{BakeFile, Target};
use crate::problem::Problem;
use crate::registration::{self, ImageName, PREFECT_YAML_MARK};
use crate::report::BuiltReport;
use crate::spec::RuntimeKind;
use crate::storage::Storage;

/// The file that the program in the image leaves.
const LEFT: &str = "registration.json";

/// Says what is wrong with the flags.
pub(super) fn check(args: &BuildArgs, storages: &[Storage], host: &Host) -> Result<(), Error> {
    let mut problems = Vec::new();
    let mut problem = |message: String, remedy: &str| {
        problems.push(Problem { key: None, place: None, message, remedy: remedy.to_owned() });
    };
    let not_of = |kind: RuntimeKind| storages.iter().find(|storage| storage.runtime != kind);
    for (flag, is_given) in [
        ("--flows-json", args.flows_json.is_some()),
        ("--storage-json", args.storage_json.is_some()),
    ] {
        if let (true, Some(other)) = (is_given, not_of(RuntimeKind::Prefect1)) {
            let kind = other.runtime.name();
            let message = format!("{flag} is for flows of Prefect 1; `{}` is `{kind}`", other.name);
            problem(message, "leave it out; `--prefect-yaml` is for Prefect 2 and 3");
        }
    }
    if args.storage_json.is_some() && storages.len() > 1 {
        let message = format!("--storage-json writes one storage, not {}", storages.len());
        problem(message, "name the storage to build");
    }
    for (flag, file) in [
        ("--flows-json", &args.flows_json),
        ("--storage-json", &args.storage_json),
        ("--prefect-yaml", &args.prefect_yaml),
        ("--metadata-file", &args.metadata_file),
    ] {
        let Some(file) = file else { continue };
        let path = host.cwd.join(file);
        let folder = path.parent().unwrap_or(Path::new("/"));
        if path.is_dir() {
            problem(format!("{flag}: `{}` is a folder", file.display()), "name a file");
        } else if !folder.is_dir() {
            let message = format!("{flag}: there is no folder `{}`", folder.display());
            problem(message, "make it first, or name another file");
        }
    }
    for storage in storages.iter().filter(|_| args.push) {
        let repository = match storage.references.first() {
            Some(reference) => reference.repository.to_string(),
            None => storage.repository.to_string(),
        };
        // One word alone is a name that nobody but Docker may push to.
        if !repository.contains('/') {
            let message = format!("--push: `{repository}` names no registry");
            problem(message, "set registry_url, or pass --registry-url or --tag");
        }
    }
    if args.pin_digest && !args.push {
        let message = "--pin-digest names an image that only a registry can give out";
        problem(message.to_owned(), "add --push");
    }
    if args.pin_digest && !wants_files(args) {
        let message = "--pin-digest says how --flows-json and --storage-json name the image";
        problem(message.to_owned(), "give one of them too");
    }
    if let Some(file) = &args.prefect_yaml {
        if let Some(other) = not_of(RuntimeKind::Prefect) {
            let (name, kind) = (&other.name, other.runtime.name());
            let message = format!("--prefect-yaml is for Prefect 2 and 3; `{name}` is `{kind}`");
            problem(message, "leave it out; `--flows-json` is for Prefect 1");
        }
        let there = std::fs::read_to_string(host.cwd.join(file)).ok();
        if there.is_some_and(|text| !text.starts_with(PREFECT_YAML_MARK)) {
            let message = format!("`{}` exists and is not ours to overwrite", file.display());
            problem(message, "name another file, and copy what you need into yours");
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Spec(problems)) }
}

fn wants_files(args: &BuildArgs) -> bool {
    args.flows_json.is_some() || args.storage_json.is_some()
}

/// Adds targets that bring out of the build what the files are made of; returns their names, each
/// with the target that it belongs to.
pub(super) fn add_targets(
    bake: &mut BakeFile,
    args: &BuildArgs,
    plans: &[Plan],
) -> Vec<(String, String)> {
    if !wants_files(args) {
        return Vec::new();
    }
    let mut added = Vec::new();
    for plan in plans {
        let (Some(stage), Some(of)) = (&plan.registration, bake.target.get(&plan.name)) else {
            continue;
        };
        let target = Target {
            target: Some(stage.clone()),
            tags: Vec::new(),
            // The flows of all platforms are the same.
            platforms: of.platforms.first().cloned().into_iter().collect(),
            output: vec![format!("type=local,dest={}", folder(plan))],
            cache_to: Vec::new(),
            ..of.clone()
        };
        let name = format!("{}-registration", plan.name);
        added.push((name.clone(), plan.name.clone()));
        bake.target.insert(name, target);
    }
    added
}

fn folder(plan: &Plan) -> String {
    format!("{}-registration", plan.name)
}

/// Writes the files.
pub(super) fn write(
    args: &BuildArgs,
    storages: &[Storage],
    plans: &[Plan],
    reports: &[BuiltReport],
    staged: &Path,
    host: &Host,
) -> anyhow::Result<()> {
    if wants_files(args) {
        let mut registrations = Vec::new();
        for ((storage, plan), report) in storages.iter().zip(plans).zip(reports) {
            let digest = report.digest.as_deref().filter(|_| args.pin_digest);
            if args.pin_digest && digest.is_none() {
                let message = format!("the image of `{}` has no digest to pin", storage.name);
                return Err(Error::Build(Fault::new(message, "push it, or load it")).into());
            }
            let name = ImageName::new(storage, &report.reference, digest);
            let path = staged.join(folder(plan)).join(LEFT);
            let text = std::fs::read_to_string(path)
                .context("reading what the image says of its flows")?;
            let read = registration::read(&text, &name).map_err(|(cause, remedy)| {
                let message =
                    format!("the image is built, but its flows cannot be serialised: {cause}");
                match remedy {
                    Some(remedy) => Error::Build(Fault::new(message, &remedy)),
                    None => Error::Build(Fault::bare(message)),
                }
            })?;
            registrations.push(read);
        }
        let path = |file: &PathBuf| host.cwd.join(file);
        if let Some(file) = &args.flows_json {
            let text = registration::flows_json(&registrations);
            super::build::write_atomically(&path(file), &text)?;
        }
        if let (Some(file), [only]) = (&args.storage_json, registrations.as_slice()) {
            super::build::write_atomically(&path(file), &registration::storage_json(only))?;
        }
    }
    if let Some(file) = &args.prefect_yaml {
        let image = |(storage, report): (_, &BuiltReport)| {
            let image = match &report.digest {
                Some(digest) => {
                    let name = report.reference.rsplit_once(':').map_or("", |(name, _)| name);
                    format!("{name}@{digest}")
                }
                None => report.reference.clone(),
            };
            (storage, image)
        };
        let images: Vec<(&Storage, String)> = storages.iter().zip(reports).map(image).collect();
        let text = registration::prefect_yaml(&images);
        super::build::write_atomically(&host.cwd.join(file), &text)?;
    }
    Ok(())
}
