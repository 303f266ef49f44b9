//! What a failed build's log means, and what to write into the spec.
//!
//! What is known is in the tables `data/signatures.tsv` (what steps say) and `data/builder.tsv` (what
//! builder, registry and engine say); what is not in any is left for the distribution's own lists of
//! contents, which [`contents`] ranks.
//!
//! **Invariant:** pure; a log that nothing is known of is not explained.

pub mod contents;

mod failed;
mod known;
mod log;
mod table;

use std::sync::LazyLock;

use crate::storage::Phase;
use log::Log;
use table::{Match, Table};

/// Why a build failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence: lower case, no final period.
    pub cause: String,
    /// The line of the log that says so.
    pub line: String,
    /// What to do.
    pub fix: Fix,
    /// What the log names as missing. No table knows a package for those that
    /// [`Explanation::unknown`] returns.
    pub missing: Vec<Missing>,
    /// Whether the same build may well succeed another time.
    pub retry: bool,
}

/// What would have let the build go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fix {
    /// Debian packages where Python packages are built.
    pub build: Vec<String>,
    /// Debian packages in the image.
    pub run: Vec<String>,
    /// One line for what is no package.
    pub advice: Option<String>,
}

/// Something that a log names as missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// What it is.
    pub kind: MissingKind,
    /// Its name: `hiredis/hiredis.h`, `-lfoo`, `libfoo.so.1`, `ffmpeg`, `libmongoc-1.0`.
    pub name: String,
    /// Where it is missing.
    pub phase: Phase,
}

/// Kinds of what can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissingKind {
    /// A header, as `#include` names it.
    Header,
    /// A library: `-lfoo` to link with, `libfoo.so.1` to load.
    Library,
    /// A program.
    Program,
    /// A module of pkg-config.
    PkgConfig,
}

impl MissingKind {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Library => "library",
            Self::Program => "program",
            Self::PkgConfig => "pkgconfig",
        }
    }
}

/// A release of Debian, or one of Ubuntu with the same names of packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// Debian 12.
    #[default]
    Bookworm,
    /// Debian 13, and Ubuntu from 24.04 on.
    Trixie,
}

impl Release {
    /// Reads a release from its code name.
    pub fn of_codename(name: &str) -> Option<Self> {
        match name {
            "buster" | "bullseye" | "bookworm" | "focal" | "jammy" => Some(Self::Bookworm),
            "trixie" | "forky" | "sid" | "noble" | "plucky" | "questing" => Some(Self::Trixie),
            _ => None,
        }
    }

    /// Reads a release from the name of an image: `python:3.11-slim-bookworm`, `debian:12`.
    pub fn of_image(image: &str) -> Option<Self> {
        let (name, tag) = image.rsplit_once(':')?;
        let is = |words: [&str; 3]| words.contains(&tag.trim_end_matches("-slim"));
        match name.rsplit('/').next()? {
            "debian" if is(["12", "11", "10"]) => return Some(Self::Bookworm),
            "debian" if is(["13", "stable", "latest"]) => return Some(Self::Trixie),
            "ubuntu" if is(["22.04", "20.04", "18.04"]) => return Some(Self::Bookworm),
            "ubuntu" if is(["24.04", "26.04", "latest"]) => return Some(Self::Trixie),
            _ => {}
        }
        tag.split(['-', '_', '.']).find_map(Self::of_codename)
    }
}

/// Explains a log of any kind of build.
pub fn explain(log: &str) -> Option<Explanation> {
    read(&Log::read(log))
}

/// Explains what one step wrote.
pub fn explain_step(lines: &[String]) -> Option<Explanation> {
    read(&Log { step: lines.to_vec(), ..Log::default() })
}

/// Explains what builder, registry or engine said.
pub fn explain_builder(lines: &[String]) -> Option<Explanation> {
    read(&Log { builder: lines.to_vec(), ..Log::default() })
}

/// The image that the failed build began from, as far as its log names it.
pub fn base(log: &str) -> Option<String> {
    Log::read(log).bases.pop()
}

static STEPS: LazyLock<Table> = LazyLock::new(Table::of_steps);
static BUILDERS: LazyLock<Table> = LazyLock::new(Table::of_builders);

fn read(log: &Log) -> Option<Explanation> {
    let found = STEPS.first(&log.step).or_else(|| BUILDERS.first(&log.builder))?;
    let distribution = failed::distribution(&log.step);
    let Match { line, cause, mut fix, mut missing, retry, .. } = found;
    if distribution.is_some() {
        // What is called while a package is built is needed nowhere else.
        for missing in &mut missing {
            missing.phase = Phase::Build;
        }
    }
    let is_about_packages = !fix.build.is_empty() || !missing.is_empty();
    known::answer(&mut fix, &missing);
    let cause = match distribution {
        None => cause,
        Some(distribution) => {
            let is_unspecific = fix.advice.is_none() || cause.starts_with(UNSPECIFIC);
            if is_about_packages || is_unspecific {
                known::add_distribution(&mut fix, &distribution.name);
            }
            format!("{}: {cause}", distribution.shown)
        }
    };
    fix.build.sort();
    fix.run.sort();
    Some(Explanation { cause, line, fix, missing, retry })
}

/// How the cause begins where only the failure itself is known.
const UNSPECIFIC: &str = "compiling failed";

impl Explanation {
    /// Adds the packages of what is missing, as far as the tables know them.
    pub fn answer(&mut self) {
        known::answer(&mut self.fix, &self.missing);
    }

    /// What no table knows a package for.
    pub fn unknown(&self) -> Vec<&Missing> {
        self.missing.iter().filter(|missing| !known::is_known(missing)).collect()
    }

    /// Whether the packages to add have other names in another release.
    pub fn depends_on_release(&self) -> bool {
        self.fix.build.iter().chain(&self.fix.run).any(|name| known::is_renamed(name))
    }

    /// Moves everything that is needed into the image: what failed runs there.
    pub fn move_to_run(&mut self) {
        let build = std::mem::take(&mut self.fix.build);
        self.fix.run.extend(build);
        self.fix.run.sort();
        self.fix.run.dedup();
        for missing in &mut self.missing {
            missing.phase = Phase::Run;
        }
    }

    /// Calls the packages as a release does.
    pub fn turn_to(&mut self, release: Release) {
        for name in self.fix.build.iter_mut().chain(&mut self.fix.run) {
            *name = known::name_in(release, name);
        }
    }
}

impl Fix {
    /// Adds a package that has what is missing.
    pub fn add(&mut self, missing: &Missing, package: &str) {
        let list = match missing.phase {
            Phase::Build => &mut self.build,
            Phase::Run => &mut self.run,
        };
        if !list.iter().any(|known| known == package) {
            list.push(package.to_owned());
            list.sort();
        }
    }

    /// What the packages are on a distribution that has no apt.
    pub fn generic(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.build.iter().chain(&self.run).map(|name| known::generic_name(name)).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The lines to write into the spec: the whole new value of each key that changes, what it has
/// already in its order, then what is new.
pub fn lines(fix: &Fix, current_build: &[String], current_run: &[String]) -> Vec<String> {
    let line = |key: &str, current: &[String], new: &[String]| {
        let mut all = current.to_vec();
        all.extend(new.iter().filter(|name| !current.contains(name)).cloned());
        let quoted: Vec<String> = all.iter().map(|name| format!("{name:?}")).collect();
        (all.len() > current.len()).then(|| format!("{key} = [{}]", quoted.join(", ")))
    };
    let build = line("build_packages", current_build, &fix.build);
    let run = line("system_packages", current_run, &fix.run);
    build.into_iter().chain(run).collect()
}

#[cfg(test)]
mod tests;
