//! One step of a build: what it is called, how far it is, what it wrote.
//!
//! **Invariant:** positions never go backwards, and a step that is told about under several names,
//! as a stage shared by two bake targets is, counts as one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::Finding;
use super::logs::Logs;
use super::name::Name;
use super::{Moment, Status, Vertex};

/// What a step does, as far as a view treats it differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Housekeeping of `BuildKit` or buildx.
    Internal,
    /// Local files travel to the builder.
    Upload,
    /// A base image is resolved and pulled.
    Pull,
    /// A `RUN` instruction.
    Run,
    /// A `COPY` or `ADD` instruction.
    Copy,
    /// Another instruction that takes work, such as `WORKDIR`.
    Other,
    /// The result is packed, named, and, by most builders, pushed.
    Export,
    /// A push that is a step of its own.
    Push,
}

impl Kind {
    fn of(name: &Name) -> Self {
        let first = name.text.split(' ').next().unwrap_or_default();
        let context = name.stage.as_deref().is_some_and(|stage| stage.starts_with("context "));
        if name.text.starts_with("load build context") || context && name.text == "load from client"
        {
            Self::Upload
        } else if name.internal {
            Self::Internal
        } else if first.starts_with("docker-image://") || first.starts_with("oci-layout://") {
            Self::Pull
        } else if name.index.is_some() {
            match first {
                "FROM" => Self::Pull,
                "RUN" => Self::Run,
                "COPY" | "ADD" => Self::Copy,
                _ => Self::Other,
            }
        } else {
            match first {
                "exporting" | "importing" if name.text.contains(" to ") => Self::Export,
                "merging" => Self::Export,
                "pushing" => Self::Push,
                _ => Self::Internal,
            }
        }
    }

    /// Returns whether it is one of the Dockerfile's instructions that a cache can spare.
    pub fn is_instruction(self) -> bool {
        matches!(self, Self::Run | Self::Copy | Self::Other)
    }

    /// Returns whether its work may begin again after it was reported as complete.
    pub(super) fn reopens(self) -> bool {
        matches!(self, Self::Upload | Self::Pull)
    }
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Announced. After a failure it may stay so for ever.
    Waiting,
    /// Being worked on.
    Running,
    /// Complete.
    Done,
    /// Complete without work.
    Cached,
    /// Ended by an error of its own.
    Failed,
    /// Ended because something else failed or the build was stopped.
    Cancelled,
}

/// Bytes that a step moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes done.
    pub current: u64,
    /// Bytes in all, where that is known.
    pub total: Option<u64>,
}

/// A part of a step's work, by `BuildKit`'s own name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `exporting layers`, a layer's digest, and so on.
    pub id: String,
    /// Its bytes, if it counts any.
    pub transfer: Transfer,
    /// When it began.
    pub started: Option<Moment>,
    /// When it ended.
    pub completed: Option<Moment>,
}

/// One step of a build.
#[derive(Debug)]
pub struct Step {
    pub(super) name: Name,
    pub(super) targets: Vec<String>,
    kind: Kind,
    reports: Vec<Report>,
    parts: Vec<Part>,
    pub(super) logs: Logs,
    pub(super) findings: Vec<Finding>,
    /// Whether it was said to have started, and to have finished.
    pub(super) told: (bool, bool),
}

/// What was said of one digest under one name. Each bake target has its own idea of the times.
#[derive(Debug)]
struct Report {
    digest: String,
    name: String,
    target: Option<String>,
    weak: bool,
    /// Start and end of each interval of work.
    intervals: BTreeMap<Moment, Option<Moment>>,
    cached: bool,
    error: Option<String>,
}

impl Step {
    pub(super) fn new(name: Name) -> Self {
        Self {
            kind: Kind::of(&name),
            name,
            targets: Vec::new(),
            reports: Vec::new(),
            parts: Vec::new(),
            logs: Logs::default(),
            findings: Vec::new(),
            told: (false, false),
        }
    }

    /// Takes what is said about the step, or about one member of its group.
    pub(super) fn apply(&mut self, vertex: &Vertex, target: Option<&str>) {
        if let Some(target) = target
            && !self.targets.iter().any(|known| known == target)
        {
            self.targets.push(target.to_owned());
        }
        let known = |report: &Report| report.digest == vertex.digest && report.name == vertex.name;
        let at = self.reports.iter().position(known).unwrap_or_else(|| {
            self.reports.push(Report {
                digest: vertex.digest.clone(),
                name: vertex.name.clone(),
                target: target.map(str::to_owned),
                weak: vertex.group.as_ref().is_some_and(|group| group.weak),
                intervals: BTreeMap::new(),
                cached: false,
                error: None,
            });
            self.reports.len() - 1
        });
        let report = &mut self.reports[at];
        report.cached = vertex.cached;
        if vertex.error.is_some() {
            report.error.clone_from(&vertex.error);
        }
        if let Some(started) = vertex.started.or(vertex.completed) {
            // Work that begins again without a word on its end has ended by then.
            for (&began, end) in &mut report.intervals {
                if began < started && end.is_none() {
                    *end = Some(started);
                }
            }
            report.intervals.insert(started, vertex.completed);
        }
    }

    /// Takes the progress of a part.
    pub(super) fn progress(&mut self, status: &Status) {
        let at = self.parts.iter().position(|part| part.id == status.id).unwrap_or_else(|| {
            self.parts.push(Part {
                id: status.id.clone(),
                transfer: Transfer::default(),
                started: None,
                completed: None,
            });
            self.parts.len() - 1
        });
        let part = &mut self.parts[at];
        part.transfer.current = part.transfer.current.max(status.current);
        part.transfer.total = part.transfer.total.max(status.total);
        part.started = part.started.or(status.started);
        part.completed = part.completed.or(status.completed);
    }

    /// Returns the name, in the form that `BuildKit` gives it: `[etl 2/7] RUN make`.
    pub fn label(&self) -> String {
        self.name.label()
    }

    /// Returns the bracket of the label without brackets, and the text after it.
    pub fn label_parts(&self) -> (Option<String>, &str) {
        let label = self.name.label();
        let bracket = label.strip_prefix('[').and_then(|rest| rest.split_once("] "));
        (bracket.map(|(bracket, _)| bracket.to_owned()), &self.name.text)
    }

    /// Returns the instruction, or what an internal step does.
    pub fn text(&self) -> &str {
        &self.name.text
    }

    /// Returns the targets that need the step.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// Returns what the step does.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns whether there is anything to show: members of a group that only hold it together
    /// are not.
    pub fn is_visible(&self) -> bool {
        self.reports.iter().any(|report| !report.weak)
    }

    /// Returns how far the step is.
    pub fn state(&self) -> State {
        let mut started = false;
        let mut running = false;
        let mut cached = true;
        let mut failed = None;
        for report in self.leading() {
            started |= !report.intervals.is_empty();
            running |= report.is_open();
            cached &= report.intervals.is_empty() || report.cached;
            failed = failed.or(report.error.as_deref());
        }
        match failed {
            Some(error) if is_cancellation(error) => State::Cancelled,
            Some(_) => State::Failed,
            None if running => State::Running,
            None if started && cached => State::Cached,
            None if started => State::Done,
            None => State::Waiting,
        }
    }

    /// Returns why it failed, a cause of its own before a cancellation.
    pub fn error(&self) -> Option<&str> {
        let errors = || self.reports.iter().filter_map(|report| report.error.as_deref());
        errors().find(|error| !is_cancellation(error)).or_else(|| errors().next())
    }

    /// Returns when work on it began.
    pub fn started(&self) -> Option<Moment> {
        self.leading().iter().filter_map(|report| report.intervals.keys().next().copied()).min()
    }

    /// Returns when work on it ended, if it has.
    pub fn completed(&self) -> Option<Moment> {
        let ends = self.leading().into_iter().map(|report| report.intervals.values().copied());
        ends.flatten().max_by_key(|end| end.map_or((1, None), |at| (0, Some(at)))).flatten()
    }

    /// Returns the time spent on it, waiting not counted. `now` ends what still runs.
    pub fn duration(&self, now: Option<Moment>) -> Duration {
        let intervals = self.leading().into_iter().flat_map(|report| &report.intervals);
        merged(intervals.map(|(&start, end)| (start, end.or(now).unwrap_or(start))))
    }

    /// Returns the first start and the last end, as `target` saw them.
    pub(super) fn span(&self, target: Option<&str>) -> Option<(Moment, Moment)> {
        let seen = |report: &&Report| target.is_none() || report.target.as_deref() == target;
        let intervals = self.reports.iter().filter(seen).flat_map(|report| &report.intervals);
        intervals.fold(None, |span, (&start, end)| {
            let end = end.unwrap_or(start);
            Some(span.map_or((start, end), |(first, last): (Moment, Moment)| {
                (first.min(start), last.max(end))
            }))
        })
    }

    /// Returns the parts of its work, in order of appearance.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the part being worked on.
    pub fn activity(&self) -> Option<&str> {
        let open = |part: &&Part| part.completed.is_none();
        self.parts.iter().rev().find(open).map(|part| {
            // A layer by its digest means nothing to a reader.
            part.id.split_once(" sha256:").map_or(part.id.as_str(), |(verb, _)| verb)
        })
    }

    /// Returns the bytes that it moved, all parts together, if it moves any.
    pub fn transfer(&self) -> Option<Transfer> {
        let mut sum = Transfer::default();
        for part in &self.parts {
            let counted = match self.kind {
                Kind::Upload => true,
                // Beside layers there are `extracting` and `resolve`, which count nothing.
                _ => part.transfer.total.is_some(),
            };
            if counted {
                sum.current += part.transfer.current;
                sum.total = part.transfer.total.map(|total| total + sum.total.unwrap_or(0));
            }
        }
        (sum.current > 0 || sum.total.is_some()).then_some(sum)
    }

    /// Returns the last line of its output, complete or not.
    pub fn last_line(&self) -> Option<String> {
        self.logs.last()
    }

    /// Returns what the check inside the image found in this step.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns one report for each digest: the first that is complete, or else the first.
    fn leading(&self) -> Vec<&Report> {
        let mut leading: Vec<&Report> = Vec::new();
        for report in &self.reports {
            match leading.iter_mut().find(|lead| lead.digest == report.digest) {
                None => leading.push(report),
                Some(lead) if report.outlives(lead) => *lead = report,
                Some(_) => {}
            }
        }
        leading
    }
}

impl Report {
    fn is_open(&self) -> bool {
        self.error.is_none() && self.intervals.values().any(Option::is_none)
    }

    /// Whether this name tells of an end that `other` has not heard of: its own part of the build
    /// was cancelled. An end before the present work of `other` began is none.
    fn outlives(&self, other: &Self) -> bool {
        let waits = other.error.is_none() && (other.intervals.is_empty() || other.is_open());
        let ended = self.intervals.values().copied().max().flatten();
        waits
            && !self.is_open()
            && (self.error.is_some() || ended > other.intervals.keys().max().copied())
    }
}

/// What a step says that was stopped because of another's failure, or on demand.
pub(super) fn is_cancellation(error: &str) -> bool {
    error.ends_with("context canceled") || error.ends_with("context cancelled")
}

/// Sums intervals that may overlap.
fn merged(intervals: impl Iterator<Item = (Moment, Moment)>) -> Duration {
    let mut intervals: Vec<_> = intervals.collect();
    intervals.sort_unstable();
    let mut sum = Duration::ZERO;
    let mut covered: Option<Moment> = None;
    for (start, end) in intervals {
        let from = covered.map_or(start, |covered| covered.max(start));
        sum += end.since(from);
        covered = Some(covered.map_or(end, |covered| covered.max(end)));
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::name::Name;
    use super::super::{Moment, Status, Vertex};
    use super::{Kind, State, Step, Transfer};

    fn at(second: u8) -> Option<Moment> {
        let nanos = i128::from(second).checked_mul(1_000_000_000);
        nanos.map(Moment::from_unix_nanos)
    }

    fn vertex(name: &str, started: Option<Moment>, completed: Option<Moment>) -> Vertex {
        Vertex {
            digest: "d".to_owned(),
            inputs: Vec::new(),
            name: name.to_owned(),
            started,
            completed,
            cached: false,
            error: None,
            group: None,
        }
    }

    fn step(name: &str) -> Step {
        Step::new(Name::parse(name, &[]))
    }

    #[test]
    fn kinds_are_told_by_name() {
        for (name, kind) in [
            ("[internal] load .dockerignore", Kind::Internal),
            ("[internal] load build context", Kind::Upload),
            ("[context gen] load from client", Kind::Upload),
            ("[context gen] load .dockerignore", Kind::Internal),
            ("[1/2] FROM a", Kind::Pull),
            ("[s 1/2] RUN a", Kind::Run),
            ("[1/2] ADD a b", Kind::Copy),
            ("[1/2] WORKDIR /a", Kind::Other),
            ("exporting to image", Kind::Export),
            ("exporting to client directory", Kind::Export),
            ("importing to docker", Kind::Export),
            ("importing cache manifest from a", Kind::Internal),
            ("resolving provenance for metadata file", Kind::Internal),
            ("pushing a/b with docker", Kind::Push),
            ("docker-image://example.org/a", Kind::Pull),
        ] {
            assert_eq!(step(name).kind(), kind, "{name}");
        }
    }

    #[test]
    fn completed_is_not_final() {
        let mut step = step("[1/2] FROM a");
        assert_eq!(step.state(), State::Waiting);
        step.apply(&vertex("[1/2] FROM a", at(1), at(2)), None);
        assert_eq!(step.state(), State::Done);
        step.apply(&vertex("[1/2] FROM a", at(5), None), None);
        assert_eq!((step.state(), step.completed()), (State::Running, None));
        step.apply(&vertex("[1/2] FROM a", at(5), at(8)), None);
        assert_eq!((step.state(), step.completed()), (State::Done, at(8)));
        assert_eq!(step.duration(None), Duration::from_secs(4));
    }

    #[test]
    fn another_name_of_the_same_step_counts_once() {
        let mut step = step("[a 1/1] RUN x");
        step.apply(&vertex("[a 1/1] RUN x", at(1), None), Some("a"));
        step.apply(&vertex("[b 1/1] RUN x", at(3), at(9)), Some("b"));
        // `a` never hears of the end, since it was cancelled.
        assert_eq!((step.state(), step.duration(None)), (State::Done, Duration::from_secs(6)));
        assert_eq!(step.targets(), ["a", "b"]);
    }

    #[test]
    fn bytes_never_go_backwards() {
        let mut step = step("[1/2] FROM a");
        for (id, current, total) in
            [("resolve", 0, None), ("l1", 5, Some(9)), ("l2", 1, Some(2)), ("l1", 3, None)]
        {
            step.progress(&Status {
                vertex: "d".to_owned(),
                id: id.to_owned(),
                current,
                total,
                started: at(1),
                completed: None,
            });
        }
        assert_eq!(step.transfer(), Some(Transfer { current: 6, total: Some(11) }));
    }
}
