//! `build --fix`: adds what a failed build lacks and builds again, until it succeeds.
//!
//! What is added gets steps of its own behind those that succeeded, so that none of them runs
//! again; the image has the name that the spec will give it.
//!
//! **Invariant:** the spec is written after a build that succeeded, by the user's word, or not at
//! all.

use super::Loaded;
use super::attempt::{Attempt, Purpose, Site};
use super::draft::Draft;
use super::learn::{self, Learnt};
use crate::docker::run::Answer;
use crate::error::Error;
use crate::host::Host;
use crate::plan::{self, Plan};
use crate::render::Mode;
use crate::report::FixedReport;
use crate::resolve::Overrides;
use crate::storage::{Added, Storage};

/// Builds after the first.
const MOST: usize = 5;

/// What is built.
#[derive(Clone, Copy)]
pub(super) struct Project<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) overrides: &'a Overrides,
    pub(super) storages: &'a [Storage],
}

/// What came of it.
pub(super) struct Fix {
    /// The last run.
    pub(super) attempt: Attempt,
    /// What it built.
    pub(super) plans: Vec<Plan>,
    /// The storages as the spec will describe them.
    pub(super) storages: Vec<Storage>,
    pub(super) fixed: Fixed,
}

/// What was added.
pub(super) struct Fixed {
    reports: Vec<FixedReport>,
    /// Where to write it; or why there is no such place.
    draft: Result<Draft, String>,
}

/// Builds again until it succeeds or nothing new is learnt.
pub(super) fn until_built(
    site: &Site<'_>,
    project: &Project<'_>,
    first: Attempt,
    host: &mut Host,
) -> anyhow::Result<Fix> {
    let fixed = Fixed { reports: Vec::new(), draft: Draft::of(project.loaded, host) };
    let storages = project.storages.to_vec();
    let (written, plans) = (storages.clone(), Vec::new());
    let mut works = Works { site, project, host, storages, written, plans, fixed };
    works.plan();
    let first = works.outcome(first)?;
    let attempt = rounds(&mut works, first)?;
    let Works { plans, written, fixed, .. } = works;
    Ok(Fix { attempt, plans, storages: written, fixed })
}

/// How a run ended.
enum Outcome<A> {
    Built(A),
    Stopped(A),
    Failed(Failed<A>),
}

/// A run that failed.
struct Failed<A> {
    attempt: A,
    /// The storages that failed, and not for another one's sake.
    storages: Vec<String>,
    learnt: Vec<Learnt>,
}

/// Where runs happen.
trait World {
    type Attempt;

    /// All storages.
    fn names(&self) -> Vec<String>;

    /// Builds some of them.
    fn build(
        &mut self,
        names: &[String],
        purpose: Purpose,
    ) -> anyhow::Result<Outcome<Self::Attempt>>;

    /// Gives storages what they lack. Returns those that got something new.
    fn add(&mut self, learnt: &[Learnt]) -> anyhow::Result<Vec<String>>;
}

/// Returns the run that decides.
fn rounds<W: World>(world: &mut W, first: Outcome<W::Attempt>) -> anyhow::Result<W::Attempt> {
    let mut outcome = first;
    for _ in 0..MOST {
        let failed = match outcome {
            Outcome::Built(attempt) | Outcome::Stopped(attempt) => return Ok(attempt),
            Outcome::Failed(failed) => failed,
        };
        let mut round = vec![failed];
        // What failed first stopped the others, which may lack something too.
        while round.iter().all(Failed::is_understood) {
            let tried = |name: &String| round.iter().any(|failed| failed.storages.contains(name));
            let mut rest = world.names();
            rest.retain(|name| !tried(name));
            if rest.is_empty() {
                break;
            }
            match world.build(&rest, Purpose::Trial)? {
                Outcome::Built(_) => break,
                Outcome::Stopped(attempt) => return Ok(attempt),
                Outcome::Failed(failed) => round.push(failed),
            }
        }
        let learnt: Vec<Learnt> = round.iter().flat_map(|failed| failed.learnt.clone()).collect();
        let grown = world.add(&learnt)?;
        // A storage that got nothing new would only fail again.
        let is_lost = |failed: &Failed<W::Attempt>| {
            failed.storages.is_empty() || failed.storages.iter().any(|name| !grown.contains(name))
        };
        if let Some(lost) = round.iter().position(is_lost) {
            return Ok(round.swap_remove(lost).attempt);
        }
        let names = world.names();
        outcome = world.build(&names, Purpose::Again)?;
    }
    Ok(match outcome {
        Outcome::Built(attempt) | Outcome::Stopped(attempt) => attempt,
        Outcome::Failed(failed) => failed.attempt,
    })
}

impl<A> Failed<A> {
    /// Whether something is known that each storage lacks.
    fn is_understood(&self) -> bool {
        let lacks = |name: &String| self.learnt.iter().any(|learnt| learnt.storage == *name);
        !self.storages.is_empty() && self.storages.iter().all(lacks)
    }
}

/// The engine's world.
struct Works<'a> {
    site: &'a Site<'a>,
    project: &'a Project<'a>,
    host: &'a mut Host,
    /// With what was added.
    storages: Vec<Storage>,
    /// As the spec will describe them.
    written: Vec<Storage>,
    plans: Vec<Plan>,
    fixed: Fixed,
}

impl Works<'_> {
    fn outcome(&mut self, mut attempt: Attempt) -> anyhow::Result<Outcome<Attempt>> {
        if attempt.driven.exited.code == 0 {
            return Ok(Outcome::Built(attempt));
        }
        if attempt.is_stopped() {
            return Ok(Outcome::Stopped(attempt));
        }
        let mut storages: Vec<String> = Vec::new();
        for failure in attempt.driven.graph.failures().into_iter().filter(|f| !f.cancelled) {
            extend(&mut storages, &failure.targets);
        }
        let learnt = learn::learn(&mut attempt, self.site, &self.written, self.host)?;
        Ok(Outcome::Failed(Failed { attempt, storages, learnt }))
    }

    /// Plans the storages under the names that the spec will give them.
    fn plan(&mut self) {
        let named = |(storage, written): (&Storage, &Storage)| Plan {
            references: plan::plan(written).references,
            ..plan::plan(storage)
        };
        self.plans = self.storages.iter().zip(&self.written).map(named).collect();
        super::build::add_arguments(&mut self.plans, &self.site.args.build_arg, self.host);
    }

    /// The storages as the spec will describe them.
    fn with(&mut self, learnt: &[Learnt]) -> Vec<Storage> {
        if let Ok(draft) = &mut self.fixed.draft {
            let (loaded, overrides) = (self.project.loaded, self.project.overrides);
            let written = draft
                .add(loaded, learnt)
                .and_then(|()| draft.storages(&self.storages, overrides, self.host));
            match written {
                Ok(storages) => return storages,
                Err(reason) => self.fixed.draft = Err(reason),
            }
        }
        let mut written = self.storages.clone();
        for storage in &mut written {
            let own = |learnt: &&Learnt| learnt.storage == storage.name;
            let new = || learnt.iter().filter(own);
            let run =
                storage.added.run.concat().into_iter().chain(new().flat_map(|l| l.run.clone()));
            let build =
                storage.added.build.concat().into_iter().chain(new().flat_map(|l| l.build.clone()));
            let (run, build): (Vec<_>, Vec<_>) = (run.collect(), build.collect());
            extend(&mut storage.system_packages, &run);
            extend(&mut storage.build_packages, &build);
            storage.added = Added::default();
        }
        written
    }
}

impl World for Works<'_> {
    type Attempt = Attempt;

    fn names(&self) -> Vec<String> {
        self.storages.iter().map(|storage| storage.name.clone()).collect()
    }

    fn build(&mut self, names: &[String], purpose: Purpose) -> anyhow::Result<Outcome<Attempt>> {
        let mut plans = self.plans.clone();
        plans.retain(|plan| names.contains(&plan.name));
        let attempt = self.site.build(&plans, purpose, self.host)?;
        self.outcome(attempt)
    }

    fn add(&mut self, learnt: &[Learnt]) -> anyhow::Result<Vec<String>> {
        self.written = self.with(learnt);
        let mut grown = Vec::new();
        for (storage, written) in self.storages.iter_mut().zip(&self.written) {
            let run = new(&written.system_packages, &storage.system_packages, &storage.added.run);
            let build = new(&written.build_packages, &storage.build_packages, &storage.added.build);
            if run.is_empty() && build.is_empty() {
                continue;
            }
            let report = FixedReport {
                name: storage.name.clone(),
                system_packages: run.clone(),
                build_packages: build.clone(),
            };
            if !matches!(self.site.mode, Mode::Quiet | Mode::RawJson) {
                let own = learnt.iter().find(|learnt| learnt.storage == storage.name);
                let cause =
                    own.map_or("a list that it inherits grew", |learnt| learnt.cause.as_str());
                self.host
                    .term
                    .note(&format!("{}: {cause}; adding and building again:", storage.name));
                show(&report, self.host);
            }
            self.fixed.note(report);
            storage.added.run.extend(Some(run).filter(|run| !run.is_empty()));
            storage.added.build.extend(Some(build).filter(|build| !build.is_empty()));
            grown.push(storage.name.clone());
        }
        self.plan();
        Ok(grown)
    }
}

/// What is wanted and not there.
fn new(wanted: &[String], held: &[String], added: &[Vec<String>]) -> Vec<String> {
    let is_new = |name: &&String| !held.contains(name) && !added.iter().any(|a| a.contains(name));
    wanted.iter().filter(is_new).cloned().collect()
}

fn extend(list: &mut Vec<String>, items: &[String]) {
    for item in items {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

/// Says which packages a storage got, as a spec would.
fn show(report: &FixedReport, host: &mut Host) {
    for (key, packages) in
        [("system_packages", &report.system_packages), ("build_packages", &report.build_packages)]
    {
        if !packages.is_empty() {
            host.term.note(&format!("    {key} = {packages:?}"));
        }
    }
}

impl Fixed {
    /// What each storage got.
    pub(super) fn reports(&self) -> Vec<FixedReport> {
        self.reports.clone()
    }

    fn note(&mut self, new: FixedReport) {
        match self.reports.iter_mut().find(|known| known.name == new.name) {
            Some(known) => {
                extend(&mut known.system_packages, &new.system_packages);
                extend(&mut known.build_packages, &new.build_packages);
            }
            None => self.reports.push(new),
        }
    }

    fn say(&self, host: &mut Host) {
        for report in &self.reports {
            host.term.note(&format!("  `{}`:", report.name));
            show(report, host);
        }
    }

    /// Says what was added and did not help.
    pub(super) fn say_in_vain(&self, host: &mut Host) {
        if !self.reports.is_empty() {
            host.term.note("--fix added what follows, which was not enough; nothing was written:");
            self.say(host);
        }
    }

    /// Shows what was added, and writes it if the user wants it.
    pub(super) fn offer(self, site: &Site<'_>, host: &mut Host) -> anyhow::Result<()> {
        if self.reports.is_empty() {
            return Ok(());
        }
        let draft = match &self.draft {
            Ok(draft) => draft,
            Err(reason) => {
                host.term.warning(&format!("nothing was written: {reason}; add to the spec:"));
                self.say(host);
                return Ok(());
            }
        };
        let is_quiet = site.mode == Mode::Quiet;
        if !(is_quiet && site.args.yes) {
            host.term.diff(&draft.diff());
        }
        if !site.args.yes {
            if !(host.term.in_is_terminal && host.term.err_is_terminal) {
                host.term.note("nothing was written: give --yes to write it");
                return Ok(());
            }
            host.term.ask(&format!("Write it to {}? [y/N]", draft.name()));
            match site.requests.answer() {
                Answer::Line(line) if is_yes(&line) => {}
                Answer::Line(_) => {
                    host.term.note("nothing was written");
                    return Ok(());
                }
                Answer::None => {
                    host.term.note("\nnothing was written");
                    return Ok(());
                }
                Answer::Stop => {
                    host.term.note("");
                    return Err(Error::Cancelled.into());
                }
            }
        }
        draft.write()?;
        if !is_quiet {
            host.term.note(&format!("wrote `{}`", draft.name()));
        }
        Ok(())
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests;
