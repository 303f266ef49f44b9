//! Platforms and size of an image that was built, for the JSON report.
//!
//! **Invariant:** asks only after a build that went well; what cannot be learned stays unknown.

use std::path::Path;

use serde::Deserialize;

use super::Docker;
use super::run::{self, Happening, Requests};

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    size: u64,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    size: u64,
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    fn name(&self) -> String {
        match self.variant.as_deref() {
            Some(variant) if !variant.is_empty() => {
                format!("{}/{}/{variant}", self.os, self.architecture)
            }
            _ => format!("{}/{}", self.os, self.architecture),
        }
    }
}

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `os/arch[/variant]`.
    pub platforms: Vec<String>,
    /// Bytes of layers and configuration, over all platforms.
    pub size: u64,
}

/// Where an image can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In its registry.
    Registry,
    /// In the engine.
    Engine,
}

/// Platforms and size of an image.
pub fn describe(
    docker: &Docker,
    cwd: &Path,
    reference: &str,
    digest: &str,
    whereabouts: Whereabouts,
) -> Option<Description> {
    let (platforms, size) = match whereabouts {
        Whereabouts::Registry => in_registry(docker, cwd, reference, digest),
        Whereabouts::Engine => in_engine(docker, cwd, reference),
    }?;
    Some(Description { platforms, size })
}

fn in_registry(
    docker: &Docker,
    cwd: &Path,
    reference: &str,
    digest: &str,
) -> Option<(Vec<String>, u64)> {
    let repository = reference.rsplit_once(':').map_or(reference, |(name, _)| name);
    let manifest = |digest: &str| -> Option<Manifest> {
        let name = format!("{repository}@{digest}");
        let words = ["buildx", "imagetools", "inspect", "--raw", &name];
        serde_json::from_str(&output(docker, cwd, &words)?).ok()
    };
    let top = manifest(digest)?;
    let mut platforms = Vec::new();
    let mut size = 0;
    if top.manifests.is_empty() {
        size += total(&top);
    }
    for part in &top.manifests {
        // Attestations are manifests of platform unknown/unknown.
        let Some(platform) = part.platform.as_ref().filter(|p| p.os != "unknown") else { continue };
        size += total(&manifest(&part.digest)?);
        platforms.push(platform.name());
    }
    if platforms.is_empty() {
        let name = format!("{repository}@{digest}");
        let words = ["buildx", "imagetools", "inspect", "--format", "{{json .Image}}", &name];
        let image: Platform = serde_json::from_str(&output(docker, cwd, &words)?).ok()?;
        platforms.push(image.name());
    }
    Some((platforms, size))
}

fn total(manifest: &Manifest) -> u64 {
    let layers = manifest.layers.iter().chain(&manifest.config);
    layers.map(|descriptor| descriptor.size).sum()
}

fn in_engine(docker: &Docker, cwd: &Path, reference: &str) -> Option<(Vec<String>, u64)> {
    let text = output(docker, cwd, &["image", "inspect", reference])?;
    let inspected: Vec<Inspected> = serde_json::from_str(&text).ok()?;
    let image = inspected.into_iter().next()?;
    let platform =
        Platform { os: image.os, architecture: image.architecture, variant: image.variant };
    Some((vec![platform.name()], image.size))
}

fn output(docker: &Docker, cwd: &Path, words: &[&str]) -> Option<String> {
    let mut bytes = Vec::new();
    let requests = Requests::listen(None).ok()?;
    let exited =
        run::run(&docker.command(cwd, words.iter().copied()), &requests, &mut |happening| {
            if let Happening::Output(chunk) = happening {
                bytes.extend_from_slice(chunk);
            }
        });
    if exited.ok()?.code != 0 {
        return None;
    }
    String::from_utf8(bytes).ok()
}
