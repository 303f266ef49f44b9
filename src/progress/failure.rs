//! Why a build failed: the cause, not its victims.
//!
//! **Invariant:** a build that failed has a failure with a cause, even where no step says so.

use super::finding::{Finding, Level};
use super::graph::Graph;
use super::step::{State, Step, is_cancellation};
use super::texts::is_log_record;

/// Why a build failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The targets that wanted what failed; the first one is named first by buildx.
    pub targets: Vec<String>,
    /// The step that failed, as its label says: `[etl 2/7] RUN make`.
    pub step: Option<String>,
    /// `BuildKit`'s error without its prefixes. May have several lines.
    pub error: String,
    /// The exit code of the step's command.
    pub exit_code: Option<i32>,
    /// What the check inside the image says is wrong, if that is what failed.
    pub findings: Vec<Finding>,
    /// The end of the step's output, for showing.
    pub log_tail: Vec<String>,
    /// All of it that was kept, for reading.
    pub log: Vec<String>,
    /// The Dockerfile's lines around the failing one, titled `Dockerfile:3`.
    pub excerpt: Option<String>,
    /// The last lines of the stream that belong to no step.
    pub texts: Vec<String>,
    /// Whether the build was stopped rather than failed.
    pub cancelled: bool,
}

impl Failure {
    /// Returns the cause in one line: lower case, no final period.
    pub fn cause(&self) -> String {
        if self.cancelled {
            return "the build was cancelled".to_owned();
        }
        if !self.findings.is_empty() {
            return joined(self.findings.iter().map(|finding| finding.message.as_str()));
        }
        match (&self.step, self.exit_code) {
            (Some(step), Some(code)) => {
                let ended = format!("`{}` ended with exit code {code}", short_instruction(step));
                match self.complaint() {
                    Some(complaint) => format!("{ended}: {complaint}"),
                    None => ended,
                }
            }
            _ => self.error.lines().next().unwrap_or_default().to_owned(),
        }
    }

    /// Returns the last line of the step's output that its program itself calls an error.
    fn complaint(&self) -> Option<&str> {
        // uv, pip, gcc and git; apt-get; Docker's own.
        const MARKS: [&str; 5] = ["error: ", "ERROR: ", "E: ", "fatal: ", "Error: "];
        let said = |line: &'_ String| MARKS.iter().any(|mark| line.trim_start().starts_with(mark));
        let line = self.log_tail.iter().rev().find(|line| said(line))?.trim();
        MARKS.iter().find_map(|mark| line.strip_prefix(mark)).map(str::trim)
    }

    /// Returns what the check says to do about it.
    pub fn remedy(&self) -> Option<String> {
        let remedies = joined(self.findings.iter().filter_map(|finding| finding.remedy.as_deref()));
        (!remedies.is_empty()).then_some(remedies)
    }
}

/// Joins texts, each said once: flows of one script fail for one reason.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut different: Vec<&str> = Vec::new();
    for text in texts {
        if !different.contains(&text) {
            different.push(text);
        }
    }
    different.join("; ")
}

impl Graph {
    /// Returns why the build failed, if it did. Whether it did is for buildx's exit code to say:
    /// a build that ended well may have said `ERROR:` on the way.
    pub fn failure(&self) -> Option<Failure> {
        self.failures().into_iter().next()
    }

    /// Returns every failure, the first first: two targets may fail before either is cancelled.
    pub fn failures(&self) -> Vec<Failure> {
        let text = self.texts.error().map(|lines| tidy(&lines.join("\n")));
        let failed = self.in_state(State::Failed);
        if !failed.is_empty() {
            // The quoted Dockerfile is that of the one error that the text repeats.
            let quoted = |error: &str| {
                failed.len() == 1 || text.as_ref().is_some_and(|(_, text)| text == error)
            };
            let failure = |step: &&Step| {
                let (_, error) = tidy(step.error().unwrap_or_default());
                let excerpt = self.texts.excerpt().filter(|_| quoted(&error));
                Failure { excerpt, ..self.failure_of(Some(step), None, error) }
            };
            return failed.iter().map(failure).collect();
        }
        let victim = self.in_state(State::Cancelled).first().copied();
        let unsaid = || self.texts().rev().find(|line| says_something(line)).map(tidy);
        let (step, (named, error)) = match (text, victim) {
            (Some(text), victim) if is_cancellation(&text.1) => (victim, text),
            (Some(text), _) => (None, text),
            (None, Some(step)) => (Some(step), tidy(step.error().unwrap_or_default())),
            (None, None) => match unsaid() {
                Some(text) => (None, text),
                None => return Vec::new(),
            },
        };
        let cancelled = is_cancellation(&error);
        let excerpt = self.texts.excerpt();
        vec![Failure { excerpt, cancelled, ..self.failure_of(step, named, error) }]
    }

    fn failure_of(&self, step: Option<&Step>, named: Option<String>, error: String) -> Failure {
        let known = |name: &String| self.targets().contains(name);
        let targets = match (step, self.targets()) {
            (Some(step), _) => step.targets().to_vec(),
            (None, [only]) => vec![only.clone()],
            (None, _) => named.into_iter().filter(known).collect(),
        };
        let owned = |line: &str| line.to_owned();
        Failure {
            targets,
            step: step.map(Step::label),
            exit_code: exit_code(&error),
            error,
            findings: step.map(error_findings).unwrap_or_default(),
            log_tail: step.map(|step| step.logs.tail().map(owned).collect()).unwrap_or_default(),
            log: step.map(|step| step.logs.lines().map(owned).collect()).unwrap_or_default(),
            texts: self.texts().map(str::to_owned).collect(),
            ..Failure::default()
        }
    }

    /// Returns the steps that came to `state`, in the order in which they did.
    fn in_state(&self, state: State) -> Vec<&Step> {
        let mut steps: Vec<&Step> =
            self.steps().iter().filter(|step| step.state() == state).collect();
        steps.sort_by_key(|step| (step.completed().is_none(), step.completed()));
        steps
    }
}

fn error_findings(step: &Step) -> Vec<Finding> {
    let errors = step.findings().iter().filter(|finding| finding.level == Level::Error);
    errors.cloned().collect()
}

fn says_something(line: &str) -> bool {
    !(line.trim().is_empty() || is_log_record(line) && line.contains(" level=debug"))
}

/// Returns the first line of a step's error, without what `BuildKit` wraps it into.
pub fn short_error(step: &Step) -> String {
    let (_, error) = tidy(step.error().unwrap_or_default());
    error.lines().next().unwrap_or_default().to_owned()
}

/// Removes what `BuildKit` and buildx wrap an error into; returns the target that they name too.
fn tidy(error: &str) -> (Option<String>, String) {
    const WRAPPERS: [&str; 9] = [
        "ERROR: ",
        "failed to build: ",
        "failed to solve: ",
        "Canceled: ",
        "failed to receive status: ",
        "failed to compute cache key: ",
        "rpc error: code = Unknown desc = ",
        "rpc error: code = Unavailable desc = ",
        "failed to calculate checksum of ref ",
    ];
    let mut target = None;
    let mut rest = error.trim();
    loop {
        if let Some((name, inner)) =
            rest.strip_prefix("target ").and_then(|inner| inner.split_once(": "))
            && !name.contains(' ')
        {
            target = Some(name.to_owned());
            rest = inner;
        } else if let Some(wrapper) = WRAPPERS.iter().find(|&wrapper| rest.starts_with(wrapper)) {
            rest = &rest[wrapper.len()..];
            if wrapper.ends_with("ref ") {
                // A reference into the builder's own storage, new in every build.
                rest = rest.split_once(": ").map_or(rest, |(_, inner)| inner);
            }
        } else {
            return (target, rest.to_owned());
        }
    }
}

fn exit_code(error: &str) -> Option<i32> {
    let (_, code) = error.split_once("did not complete successfully: exit code: ")?;
    code.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Returns a step's instruction without its bracket, cut where it would fill the screen.
fn short_instruction(step: &str) -> String {
    const MAX: usize = 72;
    let bracket = step.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let step = bracket.map_or(step, |(_, text)| text);
    let words = step.split_whitespace().filter(|word| !word.starts_with("--mount="));
    let step = words.collect::<Vec<_>>().join(" ");
    if step.chars().count() <= MAX {
        return step;
    }
    let cut: String = step.chars().take(MAX - 1).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::graph::Graph;
    use super::super::rawjson::Decoder;
    use super::Failure;

    fn replay(stream: &str, targets: &[&str]) -> Graph {
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        let mut graph = Graph::new(&targets);
        let mut decoder = Decoder::default();
        for event in decoder.push(stream.as_bytes()).iter().chain(&decoder.finish()) {
            graph.apply(event);
        }
        graph
    }

    fn failure(stream: &str, targets: &[&str]) -> Failure {
        replay(stream, targets).failure().unwrap()
    }

    #[test]
    fn a_failing_command() {
        let stream = include_str!("../../tests/fixtures/rawjson/fail-run.jsonl");
        let failure = failure(stream, &["etl"]);
        assert_eq!(failure.step.as_deref(), Some("[2/3] RUN [\"/t\",\"fail\",\"37\"]"));
        assert_eq!(failure.targets, ["etl"]);
        assert_eq!(failure.exit_code, Some(37));
        assert_eq!(failure.log_tail, ["boom: no such thing", "about to fail", "red café"]);
        assert!(failure.excerpt.as_deref().unwrap().starts_with("Dockerfile:3\n---"));
        assert_eq!(failure.cause(), "`RUN [\"/t\",\"fail\",\"37\"]` ended with exit code 37");
        assert!(!failure.cancelled);
    }

    #[test]
    fn a_failing_command_of_a_shared_step() {
        let stream = include_str!("../../tests/fixtures/rawjson/bake-fail.jsonl");
        let failure = failure(stream, &["flow", "base"]);
        assert_eq!(failure.targets, ["flow", "base"]);
        assert_eq!(failure.exit_code, Some(3));
    }

    #[test]
    fn a_missing_file() {
        let stream = include_str!("../../tests/fixtures/rawjson/fail-copy.jsonl");
        let failure = failure(stream, &["etl"]);
        assert_eq!(failure.step.as_deref(), Some("[1/1] COPY nope /t"));
        assert_eq!(failure.cause(), "\"/nope\": not found");
    }

    #[test]
    fn a_failing_push() {
        let stream = include_str!("../../tests/fixtures/rawjson/fail-push.jsonl");
        let failure = failure(stream, &["etl"]);
        assert_eq!(failure.step.as_deref(), Some("exporting to image"));
        assert!(failure.cause().starts_with("failed to push 127.0.0.1:5999/x/y:1: "));
        assert_eq!(failure.excerpt, None);
    }

    #[test]
    fn two_targets_that_fail_each_by_themselves() {
        let vertex = |target: &str, second: u8| {
            format!(
                "{{\"vertexes\":[{{\"digest\":\"{target}\",\"name\":\"[{target}] exporting to image\",\
                 \"started\":\"2026-01-01T00:00:00Z\",\"completed\":\"2026-01-01T00:00:0{second}Z\",\
                 \"error\":\"failed to push {target}\"}}]}}\n"
            )
        };
        let stream = format!(
            "{}{}Dockerfile:1\n----\n   1 | >>> FROM a\n----\n\
             ERROR: target a: failed to solve: failed to push a\n",
            vertex("a", 2),
            vertex("b", 1)
        );
        let graph = replay(&stream, &["a", "b"]);
        let failures: Vec<(String, bool)> = graph
            .failures()
            .into_iter()
            .map(|failure| (failure.cause(), failure.excerpt.is_some()))
            .collect();
        assert_eq!(
            failures,
            [("failed to push b".to_owned(), false), ("failed to push a".to_owned(), true)]
        );
        assert_eq!(graph.failure().unwrap().targets, ["b"]);
    }

    #[test]
    fn errors_without_a_step() {
        let stream = include_str!("../../tests/fixtures/rawjson/fail-syntax.jsonl");
        let syntax = failure(stream, &["etl"]);
        assert_eq!((&syntax.step, syntax.targets.as_slice()), (&None, &["etl".to_owned()][..]));
        assert_eq!(
            syntax.cause(),
            "dockerfile parse error on line 3: unknown instruction: RUNN (did you mean RUN?)"
        );
        let gone = "ERROR: target b: failed to receive status: rpc error: code = Unavailable \
                    desc = error reading from server: EOF\n";
        let gone = failure(gone, &["a", "b"]);
        assert_eq!(gone.targets, ["b"]);
        assert_eq!(gone.cause(), "error reading from server: EOF");
        let silent = failure("Cannot connect to the daemon\ntime=1 level=debug msg=x\n", &["a"]);
        assert_eq!(silent.cause(), "Cannot connect to the daemon");
    }

    #[test]
    fn a_stopped_build_is_no_failure_of_its_steps() {
        let stream = include_str!("../../tests/fixtures/rawjson/cancel.jsonl");
        let failure = failure(stream, &["etl"]);
        assert!(failure.cancelled);
        assert_eq!(failure.step.as_deref(), Some("[2/2] RUN [\"/t\",\"sleep\",\"47\"]"));
    }

    #[test]
    fn the_cause_is_what_the_check_found() {
        let stream = include_str!("../../tests/fixtures/rawjson/check-fail.jsonl");
        let failure = failure(stream, &["etl", "report"]);
        assert_eq!(failure.targets, ["etl"]);
        assert_eq!(
            failure.cause(),
            "`libodbc.so.2`, needed by `pyodbc`, is missing; flow `nightly` does not load: \
             no module named `helpers`"
        );
        assert_eq!(failure.remedy().as_deref(), Some("add `unixodbc` to `system_packages`"));
        assert_eq!(failure.findings.len(), 2);
    }
}
