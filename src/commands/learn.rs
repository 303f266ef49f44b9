//! What a failed build says that its storages lack.
//!
//! **Invariant:** what a retry may cure teaches nothing, and neither does a failure that nobody can
//! explain.

use super::attempt::{Attempt, Site};
use super::explanation::{self, Build, Explained};
use crate::error::Error;
use crate::explain::{Explanation, Fix, Missing, MissingKind};
use crate::host::Host;
use crate::progress::failure::Failure;
use crate::progress::finding::{self, Level};
use crate::progress::graph::Graph;
use crate::progress::step::Step;
use crate::storage::{Phase, Storage};

/// What a storage lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learnt {
    /// The storage.
    pub(super) storage: String,
    /// Why the build failed, in one line.
    pub(super) cause: String,
    /// Debian packages only where Python packages are built.
    pub(super) build: Vec<String>,
    /// Debian packages in the image.
    pub(super) run: Vec<String>,
}

/// Learns from every failure of a run. `storages` are those that it built, as the spec describes
/// them.
pub(super) fn learn(
    attempt: &mut Attempt,
    site: &Site<'_>,
    storages: &[Storage],
    host: &mut Host,
) -> anyhow::Result<Vec<Learnt>> {
    let mut learnt = Vec::new();
    for (failure, explained) in attempt.explained(site, storages, host)? {
        if failure.cancelled {
            continue;
        }
        let error = super::build::error_of(&failure, explained.as_ref());
        if matches!(error, Error::Network(_)) {
            continue;
        }
        let fix = if failure.findings.is_empty() {
            explained.map(of_log).unwrap_or_default()
        } else {
            of_findings(&failure, &attempt.build(site, storages), host)?
        };
        let mut fix = fix;
        if fix.build.is_empty() && fix.run.is_empty() {
            // A flow that does not load may say it in words of its own; the check warned before.
            fix.run = warned(&attempt.driven.graph, &failure);
        }
        if fix.run.is_empty() && fix.build.is_empty() {
            continue;
        }
        learnt.extend(failure.targets.iter().map(|target| Learnt {
            storage: target.clone(),
            cause: error.to_string(),
            build: fix.build.clone(),
            run: fix.run.clone(),
        }));
    }
    Ok(learnt)
}

/// Packages of the programs that the check missed in what failed later.
fn warned(graph: &Graph, failure: &Failure) -> Vec<String> {
    if !failure.findings.iter().any(|finding| finding.check == "flow" || finding.check == "import")
    {
        return Vec::new();
    }
    let is_ours = |step: &&Step| {
        let targets = step.targets();
        targets.is_empty() || targets.iter().any(|target| failure.targets.contains(target))
    };
    let findings = graph.steps().iter().filter(is_ours).flat_map(Step::findings);
    let programs = findings
        .filter(|finding| finding.level == Level::Warning && finding.check == "command")
        .flat_map(|finding| &finding.missing)
        .flat_map(|missing| &missing.packages);
    let mut packages: Vec<String> = Vec::new();
    for package in programs {
        if !packages.contains(package) {
            packages.push(package.clone());
        }
    }
    packages
}

fn of_log(explained: Explained) -> Fix {
    explained.explanation.fix
}

/// What the check in the image found missing: it knows the package, or the base is asked.
fn of_findings(failure: &Failure, build: &Build<'_>, host: &mut Host) -> anyhow::Result<Fix> {
    let mut explanation = found(failure);
    explanation::complete_for(&mut explanation, failure, build, host)?;
    Ok(explanation.fix)
}

/// The findings as an explanation, which may name what no package is known for.
fn found(failure: &Failure) -> Explanation {
    let mut fix = Fix::default();
    let mut unknown = Vec::new();
    for missing in failure.findings.iter().flat_map(|finding| &finding.missing) {
        let phase = if missing.phase == "build" { Phase::Build } else { Phase::Run };
        if let (true, Some(kind)) = (missing.packages.is_empty(), kind(missing)) {
            unknown.push(Missing { kind, name: missing.name.clone(), phase });
            continue;
        }
        let list = match phase {
            Phase::Build => &mut fix.build,
            Phase::Run => &mut fix.run,
        };
        for package in &missing.packages {
            if !list.contains(package) {
                list.push(package.clone());
            }
        }
    }
    let cause = failure.cause();
    let mut found = Explanation { cause, line: String::new(), fix, missing: unknown, retry: false };
    found.answer();
    found
}

/// What a list of contents can be searched for.
fn kind(missing: &finding::Missing) -> Option<MissingKind> {
    match missing.kind.as_str() {
        "library" => Some(MissingKind::Library),
        "program" => Some(MissingKind::Program),
        "header" => Some(MissingKind::Header),
        "pkgconfig" => Some(MissingKind::PkgConfig),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::finding::Finding;
    use crate::progress::rawjson::Decoder;
    use base64::Engine;

    #[test]
    fn what_the_check_names_is_taken_and_the_rest_is_asked_for() {
        let finding = |missing: &str| {
            let line = format!(
                "flowstorage-check: {{\"level\":\"error\",\"message\":\"m\",\"missing\":[{missing}]}}"
            );
            Finding::parse(&line).expect("a finding")
        };
        let failure = Failure {
            findings: vec![
                finding(
                    r#"{"kind":"library","name":"libGL.so.1","packages":["libgl1"],"phase":"run"},
                       {"kind":"library","name":"libz9.so.9","packages":[],"phase":"run"},
                       {"kind":"program","name":"psql","packages":[],"phase":"run"}"#,
                ),
                finding(
                    r#"{"kind":"header","name":"pq.h","packages":["libpq-dev"],"phase":"build"},
                       {"kind":"program","name":"dot","packages":["graphviz"],"phase":"run"},
                       {"kind":"library","name":"libGL.so.1","packages":["libgl1"],"phase":"run"},
                       {"kind":"odbc-driver","name":"X","packages":[],"phase":"run"}"#,
                ),
            ],
            ..Failure::default()
        };
        let explanation = found(&failure);
        // The step that loads flows has no tables: ours answer for it.
        assert_eq!(explanation.fix.run, ["libgl1", "graphviz", "postgresql-client"]);
        assert_eq!(explanation.fix.build, ["libpq-dev"]);
        let library = Missing {
            kind: MissingKind::Library,
            name: "libz9.so.9".to_owned(),
            phase: Phase::Run,
        };
        assert_eq!(explanation.unknown(), [&library]);
    }

    #[test]
    fn what_the_check_warned_of_is_tried_where_a_flow_does_not_load() {
        let warning = r#"flowstorage-check: {"level":"warning","check":"command","message":"m","missing":[{"kind":"program","name":"gpg","packages":["gnupg"],"phase":"run"}]}"#;
        let data = base64::engine::general_purpose::STANDARD.encode(format!("{warning}\n"));
        let stream = format!(
            "{{\"vertexes\":[{{\"digest\":\"a\",\"name\":\"[check 1/2] RUN x\"}}]}}\n\
             {{\"logs\":[{{\"vertex\":\"a\",\"stream\":1,\"data\":\"{data}\",\
             \"timestamp\":\"2026-01-01T00:00:00Z\"}}]}}\n"
        );
        let mut graph = Graph::new(&["app".to_owned()]);
        let mut decoder = Decoder::default();
        for event in decoder.push(stream.as_bytes()).iter().chain(&decoder.finish()) {
            graph.apply(event);
        }
        let failed = |check: &str| {
            let line = format!(
                "flowstorage-check: {{\"level\":\"error\",\"check\":\"{check}\",\"message\":\"m\"}}"
            );
            let findings = vec![Finding::parse(&line).expect("a finding")];
            Failure { findings, targets: vec!["app".to_owned()], ..Failure::default() }
        };
        assert_eq!(warned(&graph, &failed("flow")), ["gnupg"]);
        assert_eq!(warned(&graph, &failed("library")), Vec::<String>::new());
        assert_eq!(warned(&graph, &Failure::default()), Vec::<String>::new());
    }
}
