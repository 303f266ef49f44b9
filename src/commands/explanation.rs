//! From a log to what a user is told: the tables first, then the base image's own repositories.
//!
//! **Invariant:** a base is asked only about a build that failed, and only for what no table knows.

use std::ffi::OsStr;

use crate::docker::Docker;
use crate::docker::lookup::{self, Answer, Question};
use crate::error::{Error, Fault};
use crate::explain::{self, Explanation, Missing, Release, contents};
use crate::host::Host;
use crate::plan::bake::BakeFile;
use crate::progress::failure::Failure;
use crate::storage::{Base, NeededPackage, Phase, Storage};

/// The build that failed, as far as an explanation needs it.
#[derive(Debug)]
pub(super) struct Build<'a> {
    pub(super) storages: &'a [Storage],
    /// With what the command line added.
    pub(super) bake: &'a BakeFile,
    pub(super) docker: &'a Docker,
    pub(super) builder: Option<&'a str>,
    pub(super) socket: Option<&'a OsStr>,
}

/// An explanation, and what it means for one spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Explained {
    pub(super) explanation: Explanation,
    /// The lines to write into the spec.
    pub(super) add: Vec<String>,
}

impl Explained {
    /// The error that ends the build: what to do has a line for each thing.
    pub(super) fn error(&self) -> Error {
        let Explanation { cause, fix, retry, .. } = &self.explanation;
        let hints: Vec<&str> = self.add.iter().chain(&fix.advice).map(String::as_str).collect();
        let hint = (!hints.is_empty()).then(|| hints.join("\n"));
        let fault = Fault { message: cause.clone(), hint };
        if *retry { Error::Network(fault) } else { Error::Build(fault) }
    }
}

/// Explains why a step failed. What the check found needs no explanation.
pub(super) fn of_failure(
    failure: &Failure,
    build: &Build<'_>,
    host: &mut Host,
) -> anyhow::Result<Option<Explained>> {
    if !failure.findings.is_empty() {
        return Ok(None);
    }
    if failure.exit_code.is_none() {
        let said: Vec<String> = failure.error.lines().map(str::to_owned).collect();
        let explained = |explanation| Explained { explanation, add: Vec::new() };
        return Ok(explain::explain_builder(&said).map(explained));
    }
    let Some(mut explanation) = explain::explain_step(&failure.log) else { return Ok(None) };
    if !failure.step.as_ref().is_some_and(|step| step.contains(INSTALLER)) {
        // Packages for compiling reach the steps that install Python packages alone.
        explanation.move_to_run();
    }
    let Some(storage) = storage_of(failure, build) else { return Ok(None) };
    complete_for(&mut explanation, failure, build, host)?;
    Ok(Some(for_spec(explanation, storage)))
}

/// The storage whose build failed.
fn storage_of<'a>(failure: &Failure, build: &Build<'a>) -> Option<&'a Storage> {
    let of_target = |storage: &&Storage| failure.targets.contains(&storage.name);
    build.storages.iter().find(of_target).or_else(|| build.storages.first())
}

/// Completes an explanation by what the base of the failed storage says.
pub(super) fn complete_for(
    explanation: &mut Explanation,
    failure: &Failure,
    build: &Build<'_>,
    host: &mut Host,
) -> anyhow::Result<()> {
    let Some(storage) = storage_of(failure, build) else { return Ok(()) };
    let Some(base) = base(storage) else { return Ok(()) };
    let target = build.bake.target.get(&storage.name);
    let question = Question {
        base: &base,
        builder: build.builder,
        contexts: target.map(|target| target.contexts.clone()).unwrap_or_default(),
        network: storage.build.network.as_deref(),
        extra_hosts: storage.build.extra_hosts.clone(),
        ..Question::default()
    };
    complete(explanation, question, build.docker, build.socket, host)
}

/// What the steps call that install Python packages.
const INSTALLER: &str = "/uv/bin/uv pip ";

/// Leaves out what the image has already, and writes the rest as lines of the spec.
fn for_spec(mut explanation: Explanation, storage: &Storage) -> Explained {
    let is_there = |name: &String, phase: Phase| {
        let needed = |needed: &NeededPackage| {
            // The stage that compiles begins from the image with its packages.
            needed.phase >= phase && needed.names.contains(name)
        };
        storage.needed.iter().any(needed)
            || storage.system_packages.contains(name)
            || phase == Phase::Build && storage.build_packages.contains(name)
    };
    let fix = &mut explanation.fix;
    fix.build.retain(|name| !is_there(name, Phase::Build));
    fix.run.retain(|name| !is_there(name, Phase::Run));
    let add = explain::lines(fix, &storage.build_packages, &storage.system_packages);
    Explained { explanation, add }
}

/// The image that a storage begins from.
fn base(storage: &Storage) -> Option<String> {
    match &storage.base {
        Base::Image(image) => Some(image.clone()),
        Base::Dockerfile(file) => file.parsed.image.clone(),
    }
}

/// Turns an explanation to the release of its base, and asks that base for what no table knows.
/// A base that cannot be asked leaves the explanation as it was.
pub(super) fn complete(
    explanation: &mut Explanation,
    mut question: Question<'_>,
    docker: &Docker,
    socket: Option<&OsStr>,
    host: &mut Host,
) -> anyhow::Result<()> {
    let unknown: Vec<Missing> = explanation.unknown().into_iter().cloned().collect();
    let release = Release::of_image(question.base);
    if unknown.is_empty() && (release.is_some() || !explanation.depends_on_release()) {
        explanation.turn_to(release.unwrap_or_default());
        return Ok(());
    }
    if !unknown.is_empty() {
        let names: Vec<String> =
            unknown.iter().map(|missing| format!("`{}`", missing.name)).collect();
        let names = names.join(", ");
        host.term.note(&format!("looking up {names} in the package contents of the base image"));
    }
    question.literals = unknown.iter().map(contents::literal).collect();
    question.patterns = unknown.iter().map(contents::pattern).collect();
    question.exact = unknown.iter().map(contents::exact).collect();
    match lookup::ask(docker, &question, socket)? {
        Ok(answer) => {
            apply(explanation, &unknown, &answer, question.base);
            if answer.has_apt && answer.lists == 0 && !unknown.is_empty() {
                host.term.note("the base image's repositories have no lists of contents, or could not be reached");
            }
        }
        Err(said) => {
            explanation.turn_to(release.unwrap_or_default());
            host.term.note(&format!("the base image could not be asked: {said}"));
        }
    }
    Ok(())
}

fn apply(explanation: &mut Explanation, unknown: &[Missing], answer: &Answer, base: &str) {
    let release = answer.codename.as_deref().and_then(Release::of_codename);
    explanation.turn_to(release.or_else(|| Release::of_image(base)).unwrap_or_default());
    if !answer.has_apt {
        // The keys of packages take apt: what is needed can only be said.
        let mut names = explanation.fix.generic();
        names.extend(unknown.iter().map(|missing| missing.name.clone()));
        explanation.fix.build.clear();
        explanation.fix.run.clear();
        if !names.is_empty() {
            explanation.fix.advice = Some(format!(
                "the base image has no apt: install {} in `dockerfile`, with the base's own tools, or \
                 take a `base_image` of Debian",
                names.join("; ")
            ));
        }
        return;
    }
    if answer.lists == 0 {
        return;
    }
    let mut nowhere = Vec::new();
    for missing in unknown {
        match contents::best(missing, &answer.lines) {
            Some(package) => explanation.fix.add(missing, &package),
            None => nowhere.push(format!("`{}`", missing.name)),
        }
    }
    if !nowhere.is_empty() && explanation.fix.advice.is_none() {
        explanation.fix.advice = Some(format!(
            "no package of the base's repositories has {}: name another repository in \
             `apt_repositories`, or copy it with `files`",
            nowhere.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain;

    fn explanation() -> Explanation {
        let log = "a.c:1:10: fatal error: uhd.h: No such file or directory\n\
                   b.c:1:10: fatal error: none/such.h: No such file or directory\n";
        explain::explain(log).unwrap()
    }

    fn applied(answer: &Answer) -> Explanation {
        let mut explanation = explanation();
        let unknown: Vec<Missing> = explanation.unknown().into_iter().cloned().collect();
        apply(&mut explanation, &unknown, answer, "python:3.11-slim");
        explanation
    }

    #[test]
    fn what_the_base_has_is_added_and_what_it_has_not_is_said() {
        let answer = Answer {
            codename: Some("bookworm".to_owned()),
            has_apt: true,
            lists: 1,
            lines: vec!["usr/include/uhd.h    libdevel/libuhd-dev".to_owned()],
        };
        let fix = applied(&answer).fix;
        assert_eq!(fix.build, ["libuhd-dev"]);
        assert_eq!(
            fix.advice.as_deref(),
            Some(
                "no package of the base's repositories has `none/such.h`: name another repository \
                 in `apt_repositories`, or copy it with `files`"
            )
        );
    }

    #[test]
    fn what_could_not_be_asked_is_not_denied() {
        let answer = Answer { has_apt: true, ..Answer::default() };
        assert_eq!(applied(&answer).fix, explain::Fix::default());
    }

    #[test]
    fn a_base_without_apt_is_told_what_not_how() {
        let fix = applied(&Answer::default()).fix;
        assert_eq!((fix.build.len(), fix.run.len()), (0, 0));
        assert_eq!(
            fix.advice.as_deref(),
            Some(
                "the base image has no apt: install uhd.h; none/such.h in `dockerfile`, with the \
                 base's own tools, or take a `base_image` of Debian"
            )
        );
    }
}
