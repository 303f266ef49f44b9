//! `install`: puts this binary where docker looks for its plugins.
//!
//! **Invariant:** docker never sees half a plugin: the file appears whole, or not at all.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde_json::Value;

use crate::cli::InstallArgs;
use crate::host::Host;
use crate::plugin::{BINARY, Call};

/// Where docker looks after the user's own folders, first one first.
const SYSTEM_FOLDERS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];

/// Installs the running binary and says where.
pub fn run(args: &InstallArgs, call: &Call, host: &mut Host) -> anyhow::Result<()> {
    let config = config_folder(call, host);
    let folder = match (&args.dir, &config) {
        (Some(dir), _) => host.cwd.join(dir),
        (None, Some(config)) => config.join("cli-plugins"),
        (None, None) => {
            return Err(anyhow!("no folder to install into: `HOME` is not set, nor is `--dir`"));
        }
    };
    if args.dir.is_none()
        && let Some(config) = &config
    {
        // As docker makes it: credentials will be kept there.
        create_folder(config, 0o700)?;
    }
    create_folder(&folder, 0o755)?;

    let target = folder.join(BINARY);
    let binary = std::env::current_exe().context("finding the running binary")?;
    let word = if place(&binary, &target)? { "installed" } else { "already installed:" };
    host.term.note(&format!("{word} `{}`", target.display()));
    for warning in warnings(&folder, config.as_deref()) {
        host.term.warning(&warning);
    }
    Ok(())
}

/// Docker's client folder: its flag, then its variable, then its place in the home folder.
fn config_folder(call: &Call, host: &Host) -> Option<PathBuf> {
    let variable = |name: &str| {
        let value: Option<&OsString> = host.env.get(std::ffi::OsStr::new(name));
        value.filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    let folder = call
        .config_dir
        .clone()
        .or_else(|| variable("DOCKER_CONFIG"))
        .or_else(|| variable("HOME").map(|home| home.join(".docker")))?;
    Some(host.cwd.join(folder))
}

fn create_folder(folder: &Path, mode: u32) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        .with_context(|| format!("creating folder `{}`", folder.display()))
}

/// Copies the binary; says whether there was anything to do.
fn place(binary: &Path, target: &Path) -> anyhow::Result<bool> {
    let wanted = fs::read(binary).with_context(|| format!("reading `{}`", binary.display()))?;
    let is_file = target
        .symlink_metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o777 == 0o755);
    if is_file && fs::read(target).is_ok_and(|found| found == wanted) {
        return Ok(false);
    }
    write_whole(&wanted, target).with_context(|| format!("installing `{}`", target.display()))?;
    Ok(true)
}

fn write_whole(bytes: &[u8], target: &Path) -> io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    // The dot keeps docker, which takes every `docker-*` for a plugin, from running half a file.
    let mut file = tempfile::Builder::new().prefix(".docker-flowstorage-").tempfile_in(folder)?;
    io::Write::write_all(&mut file, bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(0o755))?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}

/// What keeps docker from running what was just installed.
fn warnings(folder: &Path, config: Option<&Path>) -> Vec<String> {
    let mut order = config.map(extra_folders).unwrap_or_default();
    order.extend(config.map(|config| config.join("cli-plugins")));
    order.extend(SYSTEM_FOLDERS.map(PathBuf::from));

    let Some(at) = order.iter().position(|searched| same(searched, folder)) else {
        return vec![format!(
            "docker does not look for plugins in `{}`; add it to `cliPluginsExtraDirs` of its config.json",
            folder.display()
        )];
    };
    let earlier = order[..at].iter().map(|searched| searched.join(BINARY));
    earlier
        .filter(|other| other.is_file())
        .map(|other| format!("docker will run `{}` instead, which it finds first", other.display()))
        .collect()
}

/// `cliPluginsExtraDirs` of config.json. A file that cannot be read is docker's to complain about.
fn extra_folders(config: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(config.join("config.json")).unwrap_or_default();
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let folders = json.get("cliPluginsExtraDirs").and_then(Value::as_array);
    folders.into_iter().flatten().filter_map(Value::as_str).map(PathBuf::from).collect()
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
