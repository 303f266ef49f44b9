//! The state of a build: all events folded into steps.
//!
//! **Invariant:** any sequence of events is accepted, and each digest belongs to exactly one step.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::Finding;
use super::logs::clean;
use super::name::Name;
use super::step::{State, Step};
use super::texts::Texts;
use super::{Event, Log, Moment, Status, Vertex, Warning};

/// What an event changed that is worth a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Work on a step began.
    Started(usize),
    /// A step wrote a line, this long after its start.
    Line(usize, Duration, String),
    /// The check inside the image found something, this long after the step's start.
    Found(usize, Duration, Finding),
    /// The part of this position in [`Step::parts`] of a step is complete.
    PartDone(usize, usize),
    /// A step ended. An internal step may say so more than once.
    Finished(usize),
    /// A remark on the Dockerfile, each once.
    Warning(String),
    /// A line of buildx's own that is no part of a failure.
    Notice(String),
}

/// What came of a target's steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Instructions of the Dockerfile that were looked at.
    pub steps: usize,
    /// Those whose result was there already.
    pub cached: usize,
    /// From the first thing done for the target to the last.
    pub duration: Duration,
}

/// A build as far as it is known.
#[derive(Debug, Default)]
pub struct Graph {
    targets: Vec<String>,
    /// Other names of the targets, and the targets that they stand for.
    aliases: BTreeMap<String, String>,
    steps: Vec<Step>,
    by_digest: BTreeMap<String, usize>,
    by_group: BTreeMap<String, usize>,
    warnings: Vec<String>,
    pub(super) texts: Texts,
    news: Vec<News>,
    origin: Option<Moment>,
    latest: Option<Moment>,
}

impl Graph {
    /// Makes an empty graph. `targets` are all targets of the bake invocation, linked ones too:
    /// buildx puts their names before those of the steps as soon as there are two.
    pub fn new(targets: &[String]) -> Self {
        Self { targets: targets.to_vec(), ..Self::default() }
    }

    /// Shows the steps of targets that are built beside others as steps of those: pairs of such a
    /// target and the one that it belongs to.
    #[must_use]
    pub fn with_aliases(mut self, aliases: &[(String, String)]) -> Self {
        self.aliases.extend(aliases.iter().cloned());
        self
    }

    /// Whether buildx puts the targets' names before those of the steps.
    fn names_targets(&self) -> bool {
        self.targets.len() + self.aliases.len() > 1
    }

    /// Takes an event. What it changed is in [`Self::news`] until the next one.
    pub fn apply(&mut self, event: &Event) {
        self.news.clear();
        match event {
            Event::Vertex(vertex) => self.vertex(vertex),
            Event::Status(status) => self.status(status),
            Event::Log(log) => self.log(log),
            Event::Warning(warning) => self.warning(warning),
            Event::Text(line) => {
                self.news.extend(self.texts.push(line).into_iter().map(News::Notice));
            }
        }
    }

    /// Returns what the last event changed.
    pub fn news(&self) -> &[News] {
        &self.news
    }

    /// Returns all targets.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// Returns the steps in order of their announcement.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the remarks on the Dockerfile, each once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the last lines that belong to no step.
    pub fn texts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.texts.lines()
    }

    /// Returns the first moment that the stream told of.
    pub fn origin(&self) -> Option<Moment> {
        self.origin
    }

    /// Returns the last moment that the stream told of.
    pub fn latest(&self) -> Option<Moment> {
        self.latest
    }

    /// Returns what the check inside the image found, with the step in which it did.
    pub fn findings(&self) -> impl Iterator<Item = (&Step, &Finding)> {
        self.steps.iter().flat_map(|step| step.findings.iter().map(move |finding| (step, finding)))
    }

    /// Returns what came of the steps that `target` needed.
    pub fn totals(&self, target: &str) -> Totals {
        // With one target no step carries a name, and all are its own.
        let asked = self.names_targets().then_some(target);
        let of_target = |step: &&Step| {
            asked.is_none_or(|target| step.targets.iter().any(|known| known == target))
        };
        let mut totals = Totals::default();
        let mut span: Option<(Moment, Moment)> = None;
        for step in self.steps.iter().filter(of_target) {
            // What was done before this build has the times of then.
            let is_cached = step.state() == State::Cached;
            if let Some((start, end)) = step.span(asked).filter(|_| !is_cached) {
                span = Some(
                    span.map_or((start, end), |(first, last)| (first.min(start), last.max(end))),
                );
            }
            if step.kind().is_instruction() && step.is_visible() && step.state() != State::Waiting {
                totals.steps += 1;
                totals.cached += usize::from(is_cached);
            }
        }
        totals.duration = span.map_or(Duration::ZERO, |(first, last)| last.since(first));
        totals
    }

    fn vertex(&mut self, vertex: &Vertex) {
        let names: Vec<String> = if self.names_targets() {
            self.targets.iter().chain(self.aliases.keys()).cloned().collect()
        } else {
            Vec::new()
        };
        let aliases = &self.aliases;
        let parse = |raw: &str| {
            let mut name = Name::parse(raw, &names);
            if let Some(of) = name.target.as_ref().and_then(|target| aliases.get(target)) {
                name.target = Some(of.clone());
            }
            name
        };
        let mut name = parse(&vertex.name);
        let target = name.target.clone().or_else(|| match self.targets.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        });
        let known = self.by_digest.get(&vertex.digest).copied();
        let group = vertex.group.as_ref();
        let at = known.or_else(|| self.by_group.get(&group?.id).copied()).unwrap_or_else(|| {
            if let Some(group) = group.filter(|group| !group.name.is_empty()) {
                // buildx puts the target's name before the members' names only.
                let target = name.target.take();
                name = parse(&group.name);
                name.target = name.target.take().or(target);
            }
            self.steps.push(Step::new(name));
            self.steps.len() - 1
        });
        self.by_digest.insert(vertex.digest.clone(), at);
        if let Some(group) = group {
            self.by_group.entry(group.id.clone()).or_insert(at);
        }
        self.see(vertex.started);
        self.see(vertex.completed);
        if vertex.started.is_some() {
            self.settle(&vertex.inputs);
        }
        let before = self.steps[at].state();
        self.steps[at].apply(vertex, target.as_deref());
        self.tell(at, before);
    }

    /// Says that a step started or ended, where it did.
    fn tell(&mut self, at: usize, before: State) {
        let step = &mut self.steps[at];
        let state = step.state();
        if state == State::Waiting || !step.is_visible() {
            return;
        }
        if !step.told.0 {
            step.told.0 = true;
            self.news.push(News::Started(at));
        }
        let over = match state {
            State::Waiting | State::Running => false,
            State::Done => !step.kind().reopens(),
            State::Cached | State::Failed | State::Cancelled => true,
        };
        if !over || before == state || step.told.1 && !matches!(before, State::Running) {
            return;
        }
        step.told.1 = true;
        for line in step.logs.flush() {
            let since = self.latest.zip(step.started()).map(|(now, start)| now.since(start));
            take_line(at, step, since.unwrap_or_default(), line, &mut self.news);
        }
        if matches!(state, State::Done | State::Cached) {
            step.logs.settle();
        }
        self.news.push(News::Finished(at));
    }

    /// Says that steps whose work may begin again have ended, once others build on them.
    fn settle(&mut self, inputs: &[String]) {
        for at in inputs.iter().filter_map(|digest| self.by_digest.get(digest)) {
            let step = &mut self.steps[*at];
            if step.kind().reopens() && step.state() == State::Done && !step.told.1 {
                step.told.1 = true;
                self.news.push(News::Finished(*at));
            }
        }
    }

    fn status(&mut self, status: &Status) {
        self.see(status.started);
        self.see(status.completed);
        let Some(&at) = self.by_digest.get(&status.vertex) else { return };
        let step = &mut self.steps[at];
        let done = |step: &Step| {
            let same = |part: &super::step::Part| part.id == status.id;
            let found = step.parts().iter().position(same);
            found.filter(|&found| step.parts()[found].completed.is_some())
        };
        let before = done(step);
        step.progress(status);
        if let (None, Some(part)) = (before, done(step)) {
            self.news.push(News::PartDone(at, part));
        }
    }

    fn log(&mut self, log: &Log) {
        self.see(log.at);
        let Some(&at) = self.by_digest.get(&log.vertex) else { return };
        let step = &mut self.steps[at];
        let since = log.at.zip(step.started()).map(|(now, start)| now.since(start));
        for line in step.logs.push(log.stream, &log.data) {
            take_line(at, step, since.unwrap_or_default(), line, &mut self.news);
        }
    }

    fn warning(&mut self, warning: &Warning) {
        let short = clean(warning.short.as_bytes());
        if !self.warnings.contains(&short) {
            self.warnings.push(short.clone());
            self.news.push(News::Warning(short));
        }
    }

    fn see(&mut self, moment: Option<Moment>) {
        if let Some(moment) = moment {
            self.origin = Some(self.origin.map_or(moment, |origin| origin.min(moment)));
            self.latest = self.latest.max(Some(moment));
        }
    }
}

/// Files a line of output as a finding or as text.
fn take_line(at: usize, step: &mut Step, since: Duration, line: String, news: &mut Vec<News>) {
    if let Some(finding) = Finding::parse(&line) {
        step.findings.push(finding.clone());
        news.push(News::Found(at, since, finding));
    } else {
        step.logs.keep(&line);
        news.push(News::Line(at, since, line));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::rawjson::Decoder;
    use super::super::step::{Kind, State, Step};
    use super::{Graph, News};

    fn replay(stream: &str, targets: &[&str]) -> (Graph, Vec<News>) {
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        let mut graph = Graph::new(&targets);
        let mut decoder = Decoder::default();
        let mut events = decoder.push(stream.as_bytes());
        events.extend(decoder.finish());
        let mut news = Vec::new();
        for event in &events {
            graph.apply(event);
            news.extend_from_slice(graph.news());
        }
        (graph, news)
    }

    #[test]
    fn a_linked_step_is_one_step_of_both_targets() {
        let stream = include_str!("../../tests/fixtures/rawjson/bake.jsonl");
        let (graph, _) = replay(stream, &["flow", "base"]);
        let runs: Vec<_> = graph.steps().iter().filter(|step| step.kind() == Kind::Run).collect();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].targets(), ["flow", "base"]);
        assert_eq!(runs[0].duration(None), Duration::from_nanos(409_417_484));
        let flow = graph.totals("flow");
        assert_eq!((flow.steps, flow.cached), (3, 1));
        let base = graph.totals("base");
        assert_eq!((base.steps, base.cached), (2, 1));
        assert!(flow.duration > base.duration);
        assert!(flow.duration < Duration::from_secs(2));
    }

    #[test]
    fn members_of_a_group_are_one_step() {
        let stream = include_str!("../../tests/fixtures/rawjson/multiplatform.jsonl");
        let (graph, _) = replay(stream, &["flow"]);
        let copies: Vec<String> = graph
            .steps()
            .iter()
            .filter(|step| step.kind() == Kind::Copy)
            .map(Step::label)
            .collect();
        assert_eq!(
            copies,
            [
                "[linux/arm64 stage-1 1/1] COPY --link blob.bin /x/blob2",
                "[linux/arm64 base 1/1] COPY blob.bin /blob-linux/arm64",
                "[linux/amd64 stage-1 1/1] COPY --link blob.bin /x/blob2",
                "[linux/amd64 base 1/1] COPY blob.bin /blob-linux/amd64",
            ]
        );
        assert_eq!(graph.totals("flow").steps, 4);
        assert_eq!(graph.warnings().len(), 2);
    }

    #[test]
    fn a_pull_with_many_intervals_ends_once() {
        let stream = include_str!("../../tests/fixtures/rawjson/build-pull.jsonl");
        let (graph, news) = replay(stream, &["flow"]);
        let pull = graph.steps().iter().position(|step| step.kind() == Kind::Pull).unwrap();
        assert_eq!(news.iter().filter(|&news| *news == News::Finished(pull)).count(), 1);
        let transfer = graph.steps()[pull].transfer().unwrap();
        assert_eq!(transfer.total, Some(73_423_400));
        assert!(transfer.current <= 73_423_400);
    }

    #[test]
    fn no_step_is_left_running_at_the_end_of_any_sample() {
        for stream in [
            include_str!("../../tests/fixtures/rawjson/bake.jsonl"),
            include_str!("../../tests/fixtures/rawjson/bake-fail.jsonl"),
            include_str!("../../tests/fixtures/rawjson/build-push.jsonl"),
            include_str!("../../tests/fixtures/rawjson/cancel.jsonl"),
            include_str!("../../tests/fixtures/rawjson/bx0131-bake.pretty-json.txt"),
        ] {
            let (graph, _) = replay(stream, &["flow", "base"]);
            assert!(graph.steps().len() > 3);
            for step in graph.steps() {
                assert_ne!(step.state(), State::Running, "{}", step.label());
            }
        }
    }

    #[test]
    fn lines_and_findings_are_told_with_their_time() {
        let logs = "bGluZSAwIG91dAo=";
        let (graph, news) = replay(
            &format!(
                "{{\"vertexes\":[{{\"digest\":\"d\",\"name\":\"[1/1] RUN a\",\
                 \"started\":\"2026-01-01T00:00:00Z\"}}],\
                 \"logs\":[{{\"vertex\":\"d\",\"stream\":1,\"data\":\"{logs}\",\
                 \"timestamp\":\"2026-01-01T02:00:01.5+02:00\"}},\
                 {{\"vertex\":\"unknown\",\"data\":\"{logs}\"}}]}}"
            ),
            &[],
        );
        let line = News::Line(0, Duration::from_millis(1500), "line 0 out".to_owned());
        assert_eq!(news, [News::Started(0), line]);
        assert_eq!(graph.steps()[0].state(), State::Running);
    }
}
