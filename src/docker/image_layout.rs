//! Images of the engine as OCI layouts, for builders that cannot see the engine's images.
//!
//! The layout is that of <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.
//!
//! **Invariant:** nothing is pulled, and nothing outside the given folder is written.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::Docker;
use super::run::{self, Happening, Requests};
use crate::error::{Error, Fault};

/// Whether a builder has images of its own, and not the engine's.
pub fn is_apart(docker: &Docker, cwd: &Path, builder: Option<&str>) -> anyhow::Result<bool> {
    let mut words = vec!["buildx", "inspect"];
    words.extend(builder);
    let (code, text) = output(docker, cwd, &words)?;
    if code != 0 {
        let said = text.lines().next_back().unwrap_or_default();
        let message = format!("the builder cannot be inspected: {said}");
        return Err(Error::Docker(Fault::new(message, "see `docker buildx ls`")).into());
    }
    let driver = text.lines().find_map(|line| line.strip_prefix("Driver:"));
    Ok(driver.map(str::trim) != Some("docker"))
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

/// Writes an image of the engine into a folder, which must not exist; returns its digest.
pub fn export(docker: &Docker, image: &str, folder: &Path) -> anyhow::Result<String> {
    let doing = || format!("taking the base image `{image}` from the engine");
    fs::create_dir_all(folder).with_context(doing)?;
    let archive = folder.with_extension("tar");
    let path = archive.to_string_lossy();
    let words = ["image", "save", "--output", &path, image];
    let (code, text) = output(docker, folder, &words)?;
    if code != 0 {
        let said = text.lines().next_back().unwrap_or_default();
        let message = format!("the engine cannot hand over its image `{image}`: {said}");
        let remedy = "build or load it first; `docker image ls` lists what there is";
        return Err(Error::Docker(Fault::new(message, remedy)).into());
    }
    let open = fs::File::open(&archive).with_context(doing)?;
    tar::Archive::new(open).unpack(folder).with_context(doing)?;
    fs::remove_file(&archive).with_context(doing)?;
    let index = fs::read_to_string(folder.join("index.json")).with_context(doing)?;
    let index: Index = serde_json::from_str(&index).with_context(doing)?;
    let first = index.manifests.into_iter().next();
    first.map(|manifest| manifest.digest).with_context(doing)
}

fn output(docker: &Docker, cwd: &Path, words: &[&str]) -> anyhow::Result<(i32, String)> {
    let mut bytes = Vec::new();
    let requests = Requests::listen(None)?;
    let invocation = docker.command(cwd, words.iter().copied());
    let exited = run::run(&invocation, &requests, &mut |happening| {
        if let Happening::Output(chunk) = happening {
            bytes.extend_from_slice(chunk);
        }
    })?;
    if exited.stopped {
        return Err(Error::Cancelled.into());
    }
    Ok((exited.code, String::from_utf8_lossy(&bytes).into_owned()))
}
