//! What users and programs are told: lines and JSON objects on stdout.
//!
//! **Invariant:** every object carries `schema_version`; fields are added, never changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::explain::{self, Explanation, Missing};
use crate::plan::{Content, Plan};
use crate::problem::Problem;
use crate::python::SyntaxError;
use crate::python::script::{FlowFound, Script, Value as PythonValue};
use crate::spec::{StorageSpec, UnknownValue};
use crate::storage::{Storage, Value};

/// The version of every JSON object here.
const SCHEMA_VERSION: u32 = 1;

/// A flow in a report.
#[derive(Clone, Debug, Serialize)]
pub struct FlowReport {
    /// Its name.
    pub name: String,
    /// The script as the spec names it.
    pub script: String,
    /// Its absolute path in the image.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// What a runner of Prefect 2 and 3 is given: the path in the image and the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<String>,
}

/// The flows of a storage.
pub fn flows(storage: &Storage) -> Vec<FlowReport> {
    let report = |flow: &crate::storage::Flow| FlowReport {
        name: flow.name.clone(),
        script: flow.script.clone(),
        location: flow.location.clone(),
        entrypoint: flow.entrypoint(),
    };
    storage.flows.iter().map(report).collect()
}

/// The flows of a storage that could not be resolved: their names, as far as they are known.
pub fn found_flows(
    storage: &StorageSpec,
    scripts: &BTreeMap<String, Result<Script, SyntaxError>>,
) -> Vec<FlowReport> {
    let mut flows = Vec::new();
    for named in storage.flows.iter().flat_map(|flows| &flows.value) {
        let read = scripts.get(&named.path).and_then(|script| script.as_ref().ok());
        let names: Vec<&str> = match (&named.name, read) {
            (Some(name), _) => vec![name],
            (None, Some(script)) => script.flows.iter().filter_map(known_name).collect(),
            (None, None) => Vec::new(),
        };
        flows.extend(names.into_iter().map(|name| FlowReport {
            name: name.to_owned(),
            script: named.path.clone(),
            location: String::new(),
            entrypoint: None,
        }));
    }
    flows
}

fn known_name(flow: &FlowFound) -> Option<&str> {
    match &flow.name {
        PythonValue::Text(name) => Some(name),
        _ => None,
    }
}

/// The result of `build --format json`.
#[derive(Clone, Debug, Serialize)]
pub struct BuildReport {
    schema_version: u32,
    /// What was built.
    pub storages: Vec<BuiltReport>,
    /// What was not.
    pub failed: Vec<FailedReport>,
}

/// One image that was built.
#[derive(Clone, Debug, Serialize)]
pub struct BuiltReport {
    /// The storage.
    pub name: String,
    /// `repository:tag`.
    pub reference: String,
    /// Digest of its manifest or index; none for results that are no image.
    pub digest: Option<String>,
    /// `os/arch[/variant]`.
    pub platforms: Vec<String>,
    /// Bytes of its layers as a registry stores them, over all platforms.
    pub size: Option<u64>,
    /// From the first step's start to the last one's end.
    pub duration_ms: u128,
    /// Instructions of the Dockerfile that it took.
    pub steps: usize,
    /// How many of them were cached.
    pub cached_steps: usize,
    /// Its flows.
    pub flows: Vec<FlowReport>,
}

/// One image that was not built.
#[derive(Clone, Debug, Serialize)]
pub struct FailedReport {
    /// The storage.
    pub name: String,
    /// The step that failed, if one did.
    pub step: Option<String>,
    /// One line.
    pub cause: String,
    /// One line.
    pub remedy: Option<String>,
    /// Lines to write into the spec.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<String>,
}

impl BuildReport {
    /// A report on storages.
    pub fn new(storages: Vec<BuiltReport>, failed: Vec<FailedReport>) -> Self {
        Self { schema_version: SCHEMA_VERSION, storages, failed }
    }

    /// One line per image: `repository:tag@digest`.
    pub fn lines(&self) -> String {
        self.storages.iter().fold(String::new(), |mut lines, built| {
            let _ = match &built.digest {
                Some(digest) => writeln!(lines, "{}@{digest}", built.reference),
                None => writeln!(lines, "{}", built.reference),
            };
            lines
        })
    }
}

#[derive(Serialize)]
struct CheckReport {
    schema_version: u32,
    problems: Vec<ProblemReport>,
    storages: Vec<CheckedReport>,
}

/// A problem or a warning, as JSON has it.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemReport {
    key: Option<String>,
    file: Option<String>,
    line: Option<usize>,
    message: String,
    remedy: String,
}

/// Problems as reports have them.
pub fn problems<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Vec<ProblemReport> {
    let report = |problem: &Problem| ProblemReport {
        key: problem.key.clone(),
        file: problem.place.as_ref().map(|place| place.file.clone()),
        line: problem.place.as_ref().map(|place| place.line),
        message: problem.message.clone(),
        remedy: problem.remedy.clone(),
    };
    problems.into_iter().map(report).collect()
}

/// One storage in the result of `check`.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedReport {
    /// The storage; none for one without a name that could not be resolved.
    pub name: Option<String>,
    /// Its flows, as far as they are known.
    pub flows: Vec<FlowReport>,
    /// Every key that has a value.
    pub values: BTreeMap<&'static str, ValueReport>,
    /// What only a run could tell.
    pub unknown: Vec<UnknownValue>,
    /// What is said although the storage can be built.
    pub warnings: Vec<ProblemReport>,
}

/// A value with its origin.
#[derive(Clone, Debug, Serialize)]
pub struct ValueReport {
    value: serde_json::Value,
    origin: String,
}

/// Values as reports have them.
pub fn values(values: &BTreeMap<&'static str, Value>) -> BTreeMap<&'static str, ValueReport> {
    let report =
        |value: &Value| ValueReport { value: value.value.clone(), origin: value.origin.clone() };
    values.iter().map(|(key, value)| (*key, report(value))).collect()
}

/// The JSON object of `check`.
pub fn check_json(found: &[Problem], storages: Vec<CheckedReport>) -> String {
    let problems = problems(found);
    json(&CheckReport { schema_version: SCHEMA_VERSION, problems, storages })
}

#[derive(Serialize)]
struct PlanReport<'a> {
    schema_version: u32,
    storages: Vec<PlannedReport<'a>>,
}

#[derive(Serialize)]
struct PlannedReport<'a> {
    name: &'a str,
    reference: String,
    runtime: &'a str,
    python_version: Option<&'a str>,
    platforms: &'a [String],
    flows: Vec<FlowReport>,
    values: BTreeMap<&'static str, ValueReport>,
    unknown: &'a [UnknownValue],
    system_packages: Vec<PackageReport<'a>>,
    context: Vec<EntryReport<'a>>,
    dockerfile: &'a str,
    bake: serde_json::Value,
}

#[derive(Serialize)]
struct PackageReport<'a> {
    name: &'a str,
    phase: &'a str,
    because: String,
}

#[derive(Serialize)]
struct EntryReport<'a> {
    path: &'a str,
    source: Option<String>,
    size: u64,
    because: &'a str,
}

/// The JSON object of `plan`.
pub fn plan_json(storages: &[Storage], plans: &[Plan], bake: &str) -> String {
    let planned = storages.iter().zip(plans).map(|(storage, plan)| {
        let because = |key: &str| storage.values.get(key).map(|v| v.origin.clone());
        let packages = |names: &'_ [String], key: &str, phase: &'static str| -> Vec<_> {
            let because = because(key).unwrap_or_else(|| "default".to_owned());
            names.iter().map(|name| (name.clone(), phase, because.clone())).collect()
        };
        let mut all = packages(&storage.system_packages, "system_packages", "run");
        all.extend(packages(&storage.build_packages, "build_packages", "build"));
        (storage, plan, all)
    });
    let planned: Vec<_> = planned.collect();
    let report = PlanReport {
        schema_version: SCHEMA_VERSION,
        storages: planned
            .iter()
            .map(|(storage, plan, packages)| PlannedReport {
                name: &plan.name,
                reference: reference(plan),
                runtime: storage.runtime.name(),
                python_version: storage.python_version.as_deref(),
                platforms: &plan.platforms,
                flows: flows(storage),
                values: values(&storage.values),
                unknown: &storage.unknown,
                system_packages: packages
                    .iter()
                    .map(|(name, phase, because)| PackageReport {
                        name,
                        phase,
                        because: because.clone(),
                    })
                    .collect(),
                context: plan.context.iter().map(entry).collect(),
                dockerfile: &plan.dockerfile,
                bake: serde_json::from_str(bake).unwrap_or_default(),
            })
            .collect(),
    };
    json(&report)
}

fn entry(entry: &crate::plan::ContextEntry) -> EntryReport<'_> {
    EntryReport {
        path: &entry.path,
        source: match &entry.content {
            Content::File(file) => Some(file.source.to_string_lossy().into_owned()),
            Content::Text(_) | Content::Folder => None,
        },
        size: entry.size(),
        because: &entry.because,
    }
}

/// What a plan's image is called.
pub fn reference(plan: &Plan) -> String {
    plan.references.first().map(ToString::to_string).unwrap_or_default()
}

/// A plan for people: values, Dockerfile, context, bake definition.
pub fn plan_text(storages: &[Storage], plans: &[Plan], bake: &str) -> String {
    let mut text = String::new();
    for (storage, plan) in storages.iter().zip(plans) {
        let _ = writeln!(text, "==> {}: values and where they come from <==", plan.name);
        let width = storage.values.keys().map(|key| key.len()).max().unwrap_or_default();
        for (key, value) in &storage.values {
            let _ = writeln!(text, "{key:width$} = {}  ({})", value.value, value.origin);
        }
        text.push('\n');
        let _ = writeln!(text, "==> {}/Dockerfile for {} <==", plan.name, reference(plan));
        let _ = writeln!(text, "{}", plan.dockerfile);
        if let Some(folder) = &plan.user_context {
            let folder = folder.to_string_lossy();
            let _ =
                writeln!(text, "==> {}: the Dockerfile's own context is {folder} <==\n", plan.name);
        }
        let _ = writeln!(text, "==> {}/context <==", plan.name);
        let width = plan.context.iter().map(|entry| entry.path.chars().count()).max();
        for entry in &plan.context {
            let _ = writeln!(
                text,
                "{:>9}  {:width$}  {}",
                entry.size(),
                entry.path,
                entry.because,
                width = width.unwrap_or_default()
            );
        }
        text.push('\n');
    }
    let _ = write!(text, "==> docker-bake.json <==\n{bake}");
    text
}

#[derive(Serialize)]
struct ExplainReport<'a> {
    schema_version: u32,
    explanations: Vec<ExplainedReport<'a>>,
}

#[derive(Serialize)]
struct ExplainedReport<'a> {
    cause: &'a str,
    line: &'a str,
    fix: FixReport<'a>,
    missing: Vec<MissingReport<'a>>,
    add: Vec<String>,
}

#[derive(Serialize)]
struct FixReport<'a> {
    build: &'a [String],
    run: &'a [String],
    advice: Option<&'a str>,
}

#[derive(Serialize)]
struct MissingReport<'a> {
    kind: &'a str,
    name: &'a str,
    phase: &'a str,
}

/// The JSON object of `explain`.
pub fn explain_json(explanation: Option<&Explanation>) -> String {
    json(&ExplainReport {
        schema_version: SCHEMA_VERSION,
        explanations: explanation.into_iter().map(explained_report).collect(),
    })
}

fn explained_report(explanation: &Explanation) -> ExplainedReport<'_> {
    let fix = &explanation.fix;
    ExplainedReport {
        cause: &explanation.cause,
        line: &explanation.line,
        fix: FixReport { build: &fix.build, run: &fix.run, advice: fix.advice.as_deref() },
        missing: explanation.missing.iter().map(missing_report).collect(),
        add: explain::lines(fix, &[], &[]),
    }
}

fn missing_report(missing: &Missing) -> MissingReport<'_> {
    MissingReport { kind: missing.kind.name(), name: &missing.name, phase: missing.phase.name() }
}

/// An explanation for people: cause, the line that tells it, what to do.
pub fn explain_text(explanation: &Explanation) -> String {
    let Explanation { cause, line, fix, .. } = explanation;
    let mut text = format!("{cause}\n\n  {line}\n");
    let add = explain::lines(fix, &[], &[]);
    if !add.is_empty() {
        text += "\nAdd to the spec:\n\n";
        for line in add {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Some(advice) = &fix.advice {
        let _ = write!(text, "\nhint: {advice}\n");
    }
    text
}

/// A report as text.
pub fn json(report: &impl Serialize) -> String {
    serde_json::to_string_pretty(report).map(|text| text + "\n").unwrap_or_default()
}
