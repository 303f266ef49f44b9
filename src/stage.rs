//! Puts plans on disk, for buildx or for the user to keep.
//!
//! **Invariant:** the only writer of contexts; times and modes depend on contents alone, so that the
//! same plan gives the same layers, and other contents never pass for the same file.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::facts::hex;
use crate::plan::bake::{BakeFile, Group, Target};
use crate::plan::{Content, Plan};

/// The name of the bake file: one that `docker buildx bake` looks for by itself.
pub const BAKE_FILE: &str = "docker-bake.json";

/// Where users' own contexts are when the folder is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserContexts {
    /// Where they were found.
    InPlace,
    /// Copied beside ours, so that the folder stands alone.
    Copied,
}

/// The bake file of some plans, before options of a build are added.
/// `staged` is the absolute folder that they will be written to.
pub fn bake_file(plans: &[Plan], contexts: UserContexts, staged: &Path) -> BakeFile {
    let target = |plan: &Plan| {
        let ours = format!("{}/context", plan.name);
        let mut target = Target {
            context: ours.clone(),
            dockerfile: "../Dockerfile".to_owned(),
            args: plan.args.clone(),
            tags: plan.references.iter().map(ToString::to_string).collect(),
            platforms: plan.platforms.clone(),
            // An attestation with the time in it would make every build a new image.
            attest: vec!["type=provenance,disabled=true".to_owned()],
            secret: plan.secrets.clone(),
            ssh: plan.ssh.clone(),
            no_cache: plan.build.no_cache,
            pull: plan.build.pull,
            cache_from: plan.build.cache_from.clone(),
            network: plan.build.network.clone(),
            extra_hosts: plan.build.extra_hosts.iter().cloned().collect(),
            shm_size: plan.build.shm_size.clone(),
            ..Target::default()
        };
        if let Some(folder) = &plan.user_context {
            target.contexts = BTreeMap::from([("flowstorage".to_owned(), ours)]);
            target.context = match contexts {
                UserContexts::InPlace => match ascii_link(folder) {
                    Some(link) => format!("{}/{link}", plan.name),
                    None => folder.to_string_lossy().into_owned(),
                },
                UserContexts::Copied => format!("{}/user", plan.name),
            };
            // Relative to the context, which is then elsewhere.
            if contexts == UserContexts::InPlace {
                target.dockerfile =
                    staged.join(&plan.name).join("Dockerfile").to_string_lossy().into_owned();
            }
        }
        (plan.name.clone(), target)
    };
    let targets = plans.iter().map(|plan| plan.name.clone()).collect();
    BakeFile {
        group: BTreeMap::from([("default", Group { targets })]),
        target: plans.iter().map(target).collect(),
    }
}

/// Writes plans and their bake file into a folder.
pub fn write(
    plans: &[Plan],
    bake: &BakeFile,
    folder: &Path,
    contexts: UserContexts,
) -> anyhow::Result<()> {
    for plan in plans {
        let place = folder.join(&plan.name);
        write_plan(plan, &place, contexts)
            .with_context(|| format!("writing the build context of storage `{}`", plan.name))?;
    }
    let text = bake.to_json();
    write_file(&folder.join(BAKE_FILE), text.as_bytes(), 0o644, &digest(&text))
        .with_context(|| format!("writing `{BAKE_FILE}`"))
}

/// Writes a folder that stands alone. It appears whole or not at all.
pub fn eject(plans: &[Plan], folder: &Path) -> anyhow::Result<()> {
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if folder.exists() && fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_some())
    {
        bail!("`{}` exists and is not an empty folder; name a new one", folder.display());
    }
    fs::create_dir_all(parent).with_context(|| format!("making `{}`", parent.display()))?;
    let staged = tempfile::Builder::new()
        .prefix(".flowstorage-")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in(parent)
        .with_context(|| format!("making a folder in `{}`", parent.display()))?;
    let bake = bake_file(plans, UserContexts::Copied, folder);
    write(plans, &bake, staged.path(), UserContexts::Copied)?;
    let staged = staged.keep();
    let renamed = fs::rename(&staged, folder);
    if renamed.is_err() {
        // It did not become the user's folder: leave nothing behind.
        let _ = fs::remove_dir_all(&staged);
    }
    renamed.with_context(|| format!("making `{}`", folder.display()))
}

/// The name of a link to a folder whose own name buildx cannot send: with two targets it puts the
/// name into a header, which holds ASCII only. What `BuildKit` keeps of a context it keeps by that
/// name, so that each folder has its own.
fn ascii_link(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_string_lossy();
    let path = folder.to_string_lossy();
    (!name.is_ascii()).then(|| format!("user-{}", &digest(&path)[..12]))
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn write_plan(plan: &Plan, place: &Path, contexts: UserContexts) -> anyhow::Result<()> {
    let context = place.join("context");
    fs::create_dir_all(&context)?;
    if let (Some(folder), UserContexts::Copied) = (&plan.user_context, contexts) {
        copy_tree(folder, &place.join("user"))?;
    }
    if let (Some(folder), UserContexts::InPlace) = (&plan.user_context, contexts)
        && let Some(link) = ascii_link(folder)
    {
        std::os::unix::fs::symlink(folder, place.join(link))?;
    }
    if let Some(patterns) = &plan.dockerignore {
        // buildx prefers the patterns beside the Dockerfile to those of the context.
        let path = place.join("Dockerfile.dockerignore");
        write_file(&path, patterns.as_bytes(), 0o644, &digest(patterns))?;
    }
    let text = &plan.dockerfile;
    write_file(&place.join("Dockerfile"), text.as_bytes(), 0o644, &digest(text))?;
    let mut folders = Vec::new();
    for entry in &plan.context {
        let target = context.join(&entry.path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        match &entry.content {
            Content::Folder => {
                fs::create_dir_all(&target)?;
                folders.push(target);
            }
            Content::Text(text) => {
                write_file(&target, text.as_bytes(), entry.mode(), &entry.digest())?;
            }
            Content::File(file) => {
                fs::copy(&file.source, &target)
                    .with_context(|| format!("reading `{}`", file.source.display()))?;
                finish(&target, entry.mode(), &entry.digest())?;
            }
        }
    }
    // Deepest first: to set a time inside a folder changes the folder's own.
    folders.sort();
    for folder in folders.iter().rev() {
        finish(folder, 0o755, "")?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8], mode: u32, digest: &str) -> io::Result<()> {
    File::create(path)?.write_all(bytes)?;
    finish(path, mode, digest)
}

/// Sets mode and time.
fn finish(path: &Path, mode: u32, digest: &str) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    let time = SystemTime::UNIX_EPOCH + time_of(digest);
    File::open(path)?.set_times(FileTimes::new().set_modified(time).set_accessed(time))
}

/// 2 January 1980: wheels are zip files, which know no time before 1980 in any time zone.
const DAY: Duration = Duration::from_hours(3653 * 24);

/// A time on one [`DAY`] that tells contents apart. `BuildKit` does not send a file that has the
/// name, size, mode and time of the last build's: with one time for all, an edit that keeps the
/// size would build the old file.
fn time_of(digest: &str) -> Duration {
    let number = |from: usize, to: usize| {
        digest.get(from..to).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or_default()
    };
    DAY + Duration::new(u64::from(number(0, 8) % 86_400), number(8, 16) % 1_000_000_000)
}

/// Copies a folder as it is, links and modes included.
fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut pending: Vec<(PathBuf, PathBuf)> = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = pending.pop() {
        fs::create_dir_all(&to)?;
        let read = fs::read_dir(&from).with_context(|| format!("reading `{}`", from.display()))?;
        for entry in read {
            let entry = entry?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                // The folder that is being written may be inside the one that is copied.
                let is_ours = entry.file_name().to_string_lossy().starts_with(".flowstorage-");
                if !is_ours {
                    pending.push((source, target));
                }
            } else if kind.is_symlink() {
                std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
            } else if kind.is_file() {
                fs::copy(&source, &target)
                    .with_context(|| format!("reading `{}`", source.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_tell_contents_apart_within_a_day() {
        let times: Vec<Duration> = ["print(1)", "print(2)", ""].map(|t| time_of(&digest(t))).into();
        assert!(times[0] != times[1] && times[1] != times[2] && times[0] != times[2]);
        // As `date -u -d 1980-01-02 +%s` has it.
        assert!(times.iter().all(|time| (315_619_200..315_705_600).contains(&time.as_secs())));
        assert_eq!(time_of(""), DAY);
    }
}
