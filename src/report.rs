//! What users and programs are told: lines and JSON objects on stdout.
//!
//! **Invariant:** every object carries `schema_version`; fields are added, never changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::plan::{Content, Plan};
use crate::problem::Problem;
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
    pub location: String,
}

/// The flows of a storage.
pub fn flows(storage: &Storage) -> Vec<FlowReport> {
    let report = |flow: &crate::storage::Flow| FlowReport {
        name: flow.name.clone(),
        script: flow.script.clone(),
        location: flow.location.clone(),
    };
    storage.flows.iter().map(report).collect()
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
struct CheckReport<'a> {
    schema_version: u32,
    problems: Vec<ProblemReport<'a>>,
    storages: Vec<CheckedReport>,
}

#[derive(Serialize)]
struct ProblemReport<'a> {
    key: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<usize>,
    message: &'a str,
    remedy: &'a str,
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
    pub unknown: Vec<serde_json::Value>,
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
pub fn check_json(problems: &[Problem], storages: Vec<CheckedReport>) -> String {
    let report = |problem| {
        let problem: &Problem = problem;
        ProblemReport {
            key: problem.key.as_deref(),
            file: problem.place.as_ref().map(|place| place.file.as_str()),
            line: problem.place.as_ref().map(|place| place.line),
            message: &problem.message,
            remedy: &problem.remedy,
        }
    };
    let problems = problems.iter().map(report).collect();
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
    unknown: Vec<serde_json::Value>,
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
                unknown: Vec::new(),
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

/// A report as text.
pub fn json(report: &impl Serialize) -> String {
    serde_json::to_string_pretty(report).map(|text| text + "\n").unwrap_or_default()
}
