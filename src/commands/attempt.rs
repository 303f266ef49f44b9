//! One run of buildx over some plans: staged, built, shown.
//!
//! **Invariant:** what a trial builds goes nowhere: no image, no cache, no file.

use std::ffi::OsStr;

use anyhow::Context;
use tempfile::TempDir;

use super::explanation::{self, Build, Explained};
use super::{local_base, registration, secrets};
use crate::cli::BuildArgs;
use crate::docker::Docker;
use crate::docker::run::Requests;
use crate::drive::{Driven, drive};
use crate::host::Host;
use crate::plan::Plan;
use crate::plan::bake::BakeFile;
use crate::progress::failure::Failure;
use crate::render::{self, Canvas, Charset, Mode};
use crate::stage::{self, BAKE_FILE, UserContexts};
use crate::storage::Storage;

/// The file that buildx leaves in the staged folder.
pub(super) const METADATA_FILE: &str = "metadata.json";

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What the user asked for.
    Result,
    /// The same once more: what was done already need not be done again.
    Again,
    /// To see whether it would work.
    Trial,
}

/// What all runs of a command have in common.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) args: &'a BuildArgs,
    pub(super) docker: &'a Docker,
    pub(super) requests: &'a Requests,
    /// Docker's own, which it closes when we should stop.
    pub(super) socket: Option<&'a OsStr>,
    pub(super) mode: Mode,
    /// The storages as they were resolved, for what they say of secrets.
    pub(super) resolved: &'a [Storage],
}

/// A run that has ended, well or not.
pub(super) struct Attempt {
    pub(super) driven: Driven,
    /// The folder that it was built from.
    pub(super) staged: TempDir,
    bake: BakeFile,
    /// What is known of its failures, once someone asked.
    explained: Option<Explanations>,
}

/// Failures with what they mean, where that is known.
type Explanations = Vec<(Failure, Option<Explained>)>;

impl Site<'_> {
    /// Builds some plans.
    pub(super) fn build(
        &self,
        plans: &[Plan],
        purpose: Purpose,
        host: &Host,
    ) -> anyhow::Result<Attempt> {
        let Self { args, docker, requests, mode, .. } = *self;
        let staged = tempfile::Builder::new()
            .prefix("flowstorage-")
            .tempdir()
            .context("making a temporary folder")?;
        let mut bake = stage::bake_file(plans, UserContexts::InPlace, staged.path());
        super::build::add_options(&mut bake, args, host);
        local_base::hand_over(&mut bake, plans, args.builder.as_deref(), docker, staged.path())?;
        let mut extra = Vec::new();
        if purpose == Purpose::Trial {
            for target in bake.target.values_mut() {
                target.output = vec!["type=cacheonly".to_owned()];
                target.cache_to.clear();
            }
        } else {
            extra = registration::add_targets(&mut bake, args, plans);
        }
        if purpose != Purpose::Result {
            for target in bake.target.values_mut() {
                target.no_cache = false;
            }
        }
        stage::write(plans, &bake, staged.path(), UserContexts::InPlace)?;

        let targets: Vec<String> = plans.iter().map(|plan| plan.name.clone()).collect();
        let mut words: Vec<String> =
            ["buildx", "bake", "--file", BAKE_FILE, "--progress", "rawjson"]
                .into_iter()
                .chain(["--metadata-file", METADATA_FILE])
                .map(str::to_owned)
                .collect();
        if let Some(builder) = &args.builder {
            words.extend(["--builder".to_owned(), builder.clone()]);
        }
        if plans.iter().any(|plan| plan.build.network.as_deref() == Some("host")) {
            words.push("--allow=network.host".to_owned());
        }
        words.extend(targets.iter().chain(extra.iter().map(|(name, _)| name)).cloned());
        let invocation = docker.command(staged.path(), words);
        let charset = Charset::of_locale(["LC_ALL", "LC_CTYPE", "LANG"].map(|name| host.var(name)));
        let run = || {
            let view = render::new(mode, Canvas::stderr(host.term.style, charset));
            let redactor = secrets::redactor(&bake, self.resolved, host);
            drive(&invocation, requests, &targets, &extra, redactor, view)
        };
        let mut driven = run()?;
        if lost_a_race(&driven) {
            driven = run()?;
        }
        Ok(Attempt { driven, staged, bake, explained: None })
    }
}

/// Whether another build named the same image at the same moment: the engine's store then refuses
/// one of the two. Every step is cached by now.
fn lost_a_race(driven: &Driven) -> bool {
    let failures = driven.graph.failures();
    let is_race = |failure: &Failure| {
        let error = failure.error.trim_end();
        error.contains("image \"") && error.ends_with("already exists")
    };
    driven.exited.code != 0
        && !driven.exited.stopped
        && !failures.is_empty()
        && failures.iter().all(is_race)
}

impl Attempt {
    /// Whether someone asked it to stop.
    pub(super) fn is_stopped(&self) -> bool {
        // 130 is what Docker's own commands exit with when they are stopped.
        self.driven.exited.stopped || self.driven.exited.code == 130
    }

    /// Its failures and what they mean for the storages that it built.
    pub(super) fn explained(
        &mut self,
        site: &Site<'_>,
        storages: &[Storage],
        host: &mut Host,
    ) -> anyhow::Result<Explanations> {
        if let Some(known) = &self.explained {
            return Ok(known.clone());
        }
        let build = self.build(site, storages);
        let mut explained = Vec::new();
        for failure in self.driven.graph.failures() {
            let explanation = explanation::of_failure(&failure, &build, host)?;
            explained.push((failure, explanation));
        }
        self.explained = Some(explained.clone());
        Ok(explained)
    }

    /// The build as an explanation of its failures takes it.
    pub(super) fn build<'a>(&'a self, site: &'a Site<'_>, storages: &'a [Storage]) -> Build<'a> {
        Build {
            storages,
            bake: &self.bake,
            docker: site.docker,
            builder: site.args.builder.as_deref(),
            socket: site.socket,
        }
    }
}
