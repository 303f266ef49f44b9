//! Progress as lines, for pipes and logs. The form is buildx's, which people and tools know, less
//! its noise: no digests, no housekeeping that went fast, each thing said once.
//!
//! **Invariant:** every line says which step it is of, and is written in one piece.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::canvas::Canvas;
use super::frame::Clock;
use super::{Ending, Renderer, fit, summary};
use crate::progress::Event;
use crate::progress::failure::short_error;
use crate::progress::graph::{Graph, News};
use crate::progress::step::{Kind, Part, State, Step};

/// Housekeeping is worth a line from here on.
const SLOW: Duration = Duration::from_secs(1);
/// CI systems stop a job that is silent; people wonder earlier.
const SILENCE: Duration = Duration::from_secs(30);

/// Writes lines.
#[derive(Debug)]
pub(super) struct Plain {
    canvas: Canvas,
    /// Numbers by which lines refer to steps, given in order of appearance.
    numbers: BTreeMap<usize, usize>,
    finished: BTreeSet<usize>,
    clock: Clock,
    elapsed: Duration,
    spoke: Duration,
}

impl Plain {
    pub(super) fn new(canvas: Canvas) -> Self {
        Self {
            canvas,
            numbers: BTreeMap::new(),
            finished: BTreeSet::new(),
            clock: Clock::default(),
            elapsed: Duration::ZERO,
            spoke: Duration::ZERO,
        }
    }

    fn say(&mut self, line: &str) {
        self.spoke = self.elapsed;
        self.canvas.line(line.trim_end());
    }

    fn say_of(&mut self, at: usize, step: &Step, words: &str) {
        let next = self.numbers.len() + 1;
        let number = *self.numbers.entry(at).or_insert(next);
        if number == next {
            self.say(&format!("#{number} {}", step.label()));
        }
        if !words.is_empty() {
            self.say(&format!("#{number} {words}"));
        }
    }

    fn finished(&mut self, at: usize, step: &Step) {
        let fast = is_terse(step)
            && step.duration(None) < SLOW
            && matches!(step.state(), State::Done | State::Cached)
            && !self.numbers.contains_key(&at);
        if !fast && self.finished.insert(at) {
            self.say_of(at, step, &ending(step));
        }
    }
}

/// What `BuildKit` does for itself is worth a line only if it takes long.
fn is_terse(step: &Step) -> bool {
    matches!(step.kind(), Kind::Internal | Kind::Upload)
}

impl Renderer for Plain {
    fn event(&mut self, graph: &Graph, _: &Event) {
        for news in graph.news() {
            match news {
                News::Started(at) => {
                    let step = &graph.steps()[*at];
                    if !is_terse(step) {
                        self.say_of(*at, step, "");
                    }
                }
                News::Line(at, since, line) => {
                    self.say_of(*at, &graph.steps()[*at], &stamped(*since, line));
                }
                News::Found(at, since, finding) => {
                    if let Some(line) = finding.line() {
                        self.say_of(*at, &graph.steps()[*at], &stamped(*since, &line));
                    }
                }
                News::PartDone(at, part) => {
                    let step = &graph.steps()[*at];
                    let words = part_done(step, &step.parts()[*part]);
                    // Parts end after their step where that failed.
                    if let Some(words) = words.filter(|_| !self.finished.contains(at)) {
                        self.say_of(*at, step, &words);
                    }
                }
                News::Finished(at) => self.finished(*at, &graph.steps()[*at]),
                News::Warning(short) => self.say(&format!("WARNING: {short}")),
                News::Notice(line) => self.say(line),
            }
        }
    }

    fn tick(&mut self, graph: &Graph, elapsed: Duration) {
        self.elapsed = elapsed;
        let now = self.clock.now(graph, elapsed);
        if elapsed.saturating_sub(self.spoke) < SILENCE {
            return;
        }
        for (at, step) in graph.steps().iter().enumerate() {
            if step.state() == State::Running && step.is_visible() {
                let bytes = step.transfer().map(|bytes| format!(", {}", fit::transfer(bytes)));
                let doing =
                    step.activity().filter(|_| bytes.is_none()).map(|part| format!(", {part}"));
                let time = fit::seconds(step.duration(now));
                let more = bytes.or(doing).unwrap_or_default();
                self.say_of(at, step, &format!("still running after {time}{more}"));
            }
        }
        self.spoke = elapsed;
    }

    fn raw(&mut self, _: &[u8]) {}

    fn cancelling(&mut self, _: &Graph) {
        self.say("cancelling");
    }

    fn finish(mut self: Box<Self>, graph: &Graph, ending: Ending) {
        for (at, step) in graph.steps().iter().enumerate() {
            if !matches!(step.state(), State::Waiting | State::Running) && step.is_visible() {
                self.finished(at, step);
            }
        }
        if ending == Ending::Built {
            for (name, totals) in summary::rows(graph) {
                let time = fit::seconds(totals.duration);
                self.say(&format!("{name}: {} in {time}", summary::steps(totals)));
            }
        }
    }
}

fn stamped(since: Duration, line: &str) -> String {
    format!("{:.3} {line}", since.as_secs_f64())
}

fn ending(step: &Step) -> String {
    match step.state() {
        State::Cached => "CACHED".to_owned(),
        State::Cancelled => "CANCELED".to_owned(),
        State::Failed => {
            format!("ERROR: {}", short_error(step))
        }
        State::Waiting | State::Running | State::Done => {
            let bytes = step.transfer().map(|bytes| format!(" ({})", fit::bytes(bytes.current)));
            format!("DONE {}{}", fit::seconds(step.duration(None)), bytes.unwrap_or_default())
        }
    }
}

/// Of an export's many parts, the ones that take time or that say where the result is.
fn part_done(step: &Step, part: &Part) -> Option<String> {
    let worth = matches!(step.kind(), Kind::Export | Kind::Push)
        && !part.id.contains("moby-dangling")
        && [
            "exporting layers",
            "naming to ",
            "pushing layers",
            "pushing manifest",
            "sending tarball",
            "copying files",
        ]
        .iter()
        .any(|known| part.id.starts_with(known));
    let time = part.completed?.since(part.started?);
    worth.then(|| format!("{} {}", part.id, fit::seconds(time)))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::Plain;
    use crate::progress::graph::Graph;
    use crate::progress::rawjson::Decoder;
    use crate::render::canvas::{Canvas, Charset, Size};
    use crate::render::{Ending, Renderer};
    use crate::term::Style;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_long_silence_is_broken() {
        let out = Shared::default();
        let size = || Size { width: 80, height: 24 };
        let canvas =
            Canvas::new(Box::new(out.clone()), Box::new(size), Style::Plain, Charset::Unicode);
        let mut plain = Box::new(Plain::new(canvas));
        let mut graph = Graph::new(&["etl".to_owned()]);
        let stream = b"{\"vertexes\":[{\"digest\":\"d\",\"name\":\"[1/1] RUN make\",\
                       \"started\":\"2026-01-01T00:00:00Z\"}]}\n";
        for event in Decoder::default().push(stream) {
            graph.apply(&event);
            plain.event(&graph, &event);
        }
        for second in [1, 20, 29, 30, 31, 61] {
            plain.tick(&graph, Duration::from_secs(second));
        }
        plain.cancelling(&graph);
        plain.finish(&graph, Ending::Cancelled);
        assert_eq!(
            String::from_utf8(out.0.lock().unwrap().clone()).unwrap(),
            "#1 [1/1] RUN make\n\
             #1 still running after 29.0s\n\
             #1 still running after 60.0s\n\
             cancelling\n"
        );
    }
}
