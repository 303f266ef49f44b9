//! The block that is shown on a terminal, as lines.
//!
//! **Invariant:** no line is wider than the window and the block is lower than it, whatever happens
//! in the build; the same arguments give the same lines.

use std::time::Duration;

use super::canvas::{BOLD, CYAN, Charset, DIM, GREEN, RED, Size, YELLOW, paint};
use super::{Ending, fit, summary};
use crate::progress::Moment;
use crate::progress::finding::Level;
use crate::progress::graph::Graph;
use crate::progress::step::{Kind, State, Step, Transfer};
use crate::term::Style;

/// Housekeeping that ends at once is not shown: it would only flicker.
const WORTH_SHOWING: Duration = Duration::from_millis(500);
/// Below this, only what matters most has room.
const NARROW: usize = 40;
/// Columns of a bar.
const BAR: usize = 16;
/// Columns of the mark before a label.
const MARK: usize = 3;

/// What a frame depends on besides the graph.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns and rows of the window.
    pub size: Size,
    /// Whether colours are shown.
    pub style: Style,
    /// What characters are shown.
    pub charset: Charset,
    /// Time since the start of the build.
    pub elapsed: Duration,
    /// The present on the stream's own clock, by which running steps are timed.
    pub now: Option<Moment>,
    /// Whether the build was asked to stop.
    pub cancelling: bool,
}

/// Tells the present on the stream's clock, which started earlier or later than ours.
#[derive(Debug, Default)]
pub(super) struct Clock {
    anchor: Option<(Moment, Duration)>,
}

impl Clock {
    /// Returns the present, once the stream has told of any moment.
    pub(super) fn now(&mut self, graph: &Graph, elapsed: Duration) -> Option<Moment> {
        let latest = graph.latest()?;
        let (moment, then) = *self.anchor.get_or_insert((latest, elapsed));
        Some(latest.max(moment.plus(elapsed.saturating_sub(then))))
    }
}

/// Returns the block of a build that is under way.
pub fn frame(graph: &Graph, look: &Look) -> Vec<String> {
    let room = look.size.height.saturating_sub(1).max(1);
    let mut lines = vec![header(graph, look, None)];
    let (running, mut done) = shown(graph, look);
    let left = room - 1;
    let mut body: Vec<(String, Option<String>)> =
        running.iter().map(|step| (row(step, look), detail(step, look))).collect();
    if body.len() > left {
        let more = body.len() - left.saturating_sub(1);
        body.truncate(left.saturating_sub(1));
        if left > 0 {
            let text = format!("and {} more", fit::count(more, "step"));
            body.push((marked(look, " ", DIM, &text, ""), None));
        }
    }
    let cached = graph.steps().iter().filter(|step| is_cached(step)).count();
    // Finished rows give way to running ones; what a step says comes after both.
    let spare = left - body.len();
    let summed = usize::from(cached > 0);
    let mut hidden = 0;
    if done.len() + summed > spare {
        let fit = spare.saturating_sub(1);
        hidden = done.len() - fit.min(done.len());
        done.drain(..hidden);
    }
    let mut spare = spare - done.len();
    if spare > 0 && hidden + cached > 0 {
        let text = match hidden {
            0 => format!("{} cached", fit::count(cached, "step")),
            _ if cached == 0 => format!("{} done", fit::count(hidden, "step")),
            _ => format!("{} done, {cached} cached", fit::count(hidden, "step")),
        };
        lines.push(marked(look, tick(look), GREEN, &text, ""));
        spare -= 1;
    }
    lines.extend(done.iter().map(|step| row(step, look)));
    for (row, detail) in body {
        lines.push(row);
        if let Some(detail) = detail.filter(|_| spare > 0) {
            lines.push(detail);
            spare -= 1;
        }
    }
    lines
}

/// Returns what is left of the block when the build is over.
pub fn ending(graph: &Graph, look: &Look, ending: Ending) -> Vec<String> {
    let mut lines = vec![header(graph, look, Some(ending))];
    match ending {
        Ending::Built => {
            let width = graph.targets().iter().map(|name| fit::columns(name)).max().unwrap_or(0);
            for (name, totals) in summary::rows(graph) {
                let pad = " ".repeat(width.saturating_sub(fit::columns(name)));
                let text = format!("{name}{pad}  {}", summary::steps(totals));
                lines.push(marked(look, tick(look), GREEN, &text, &fit::time(totals.duration)));
            }
        }
        Ending::Failed => {
            let failed = graph.steps().iter().filter(|step| step.state() == State::Failed);
            lines.extend(failed.map(|step| row(step, look)));
        }
        Ending::Cancelled => {}
    }
    let found = graph.findings().filter(|(_, finding)| finding.level == Level::Warning);
    let found = found.map(|(_, finding)| finding.message.as_str());
    for warning in graph.warnings().iter().map(String::as_str).chain(found) {
        // Not cut: it is there to be read, and nothing is drawn over it any more.
        lines.push(format!(" {} {warning}", paint(look.style, YELLOW, "!")));
    }
    lines
}

/// Returns running steps in order of their start, and finished ones in order of their end.
fn shown<'a>(graph: &'a Graph, look: &Look) -> (Vec<&'a Step>, Vec<&'a Step>) {
    let mut running = Vec::new();
    let mut done = Vec::new();
    for step in graph.steps().iter().filter(|step| step.is_visible()) {
        let internal = step.kind() == Kind::Internal;
        match step.state() {
            State::Running if !internal || step.duration(look.now) >= WORTH_SHOWING => {
                running.push(step);
            }
            State::Done if !internal => done.push(step),
            State::Failed => done.push(step),
            State::Running | State::Done | State::Waiting | State::Cached | State::Cancelled => {}
        }
    }
    running.sort_by_key(|step| step.started());
    done.sort_by_key(|step| step.completed());
    (running, done)
}

fn is_cached(step: &Step) -> bool {
    step.is_visible() && step.kind() != Kind::Internal && step.state() == State::Cached
}

fn header(graph: &Graph, look: &Look, ending: Option<Ending>) -> String {
    let steps = || {
        let steps = graph.steps().iter().filter(|step| step.is_visible());
        steps.filter(|step| step.kind() != Kind::Internal)
    };
    let over = |step: &&Step| matches!(step.state(), State::Done | State::Cached);
    let (word, colour) = match ending {
        Some(Ending::Built) => (" FINISHED", GREEN),
        Some(Ending::Failed) => (" FAILED", RED),
        Some(Ending::Cancelled) => (" CANCELLED", YELLOW),
        None if look.cancelling => (" cancelling", YELLOW),
        None => ("", BOLD),
    };
    let counts = match steps().count() {
        0 => String::new(),
        count => format!(" ({}/{count})", steps().filter(over).count()),
    };
    let verb = if width(look) < NARROW { "" } else { " Building" };
    let line = format!("[+]{verb} {}{counts}{word}", fit::time(look.elapsed));
    paint(look.style, colour, &fit::cut(&line, width(look), look.charset))
}

fn row(step: &Step, look: &Look) -> String {
    let time = fit::time(step.duration(look.now));
    let (mark, colour) = match (step.state(), look.charset) {
        (State::Failed, Charset::Unicode) => ("✘", RED),
        (State::Failed, Charset::Ascii) => ("x", RED),
        (State::Running, _) => (spinner(look), CYAN),
        _ => (tick(look), GREEN),
    };
    let running = step.state() == State::Running;
    let moved = step.transfer().filter(|_| running);
    let right = match moved {
        Some(moved) if width(look) >= 60 => {
            let bar = moved.total.map(|total| bar(look, moved.current, total)).unwrap_or_default();
            format!("{bar} {}  {time:>6}", bytes_of(moved))
        }
        Some(moved) if width(look) >= NARROW => format!("{}  {time:>6}", fit::bytes(moved.current)),
        _ => time,
    };
    let mut label = fit::short_label(step);
    if width(look) < NARROW
        && let Some((_, text)) = label.split_once("] ").filter(|_| label.starts_with('['))
    {
        label = text.to_owned();
    }
    marked(look, mark, colour, &label, &right)
}

/// Bytes in columns that do not jump while they grow.
fn bytes_of(moved: Transfer) -> String {
    match moved.total {
        Some(total) => format!("{:>7} / {:>7}", fit::bytes(moved.current), fit::bytes(total)),
        None => fit::bytes(moved.current),
    }
}

/// What a running step says: the last line of a command, the present part of an export.
fn detail(step: &Step, look: &Look) -> Option<String> {
    let text = match step.kind() {
        Kind::Run => step.last_line()?,
        Kind::Export | Kind::Push | Kind::Pull => step.activity()?.to_owned(),
        Kind::Internal | Kind::Upload | Kind::Copy | Kind::Other => return None,
    };
    // A layer's digest is told by the bar already.
    let text = text.trim();
    if text.is_empty() || text.starts_with("sha256:") || text.starts_with("resolve ") {
        return None;
    }
    let indent = MARK + 2;
    let room = width(look).checked_sub(indent).filter(|&room| room > 4)?;
    let text = fit::cut(text, room, look.charset);
    Some(format!("{}{}", " ".repeat(indent), paint(look.style, DIM, &text)))
}

/// A mark, a label, and something at the right edge.
fn marked(look: &Look, mark: &str, colour: &str, label: &str, right: &str) -> String {
    let room = width(look).saturating_sub(MARK);
    let reserved = if right.is_empty() { 0 } else { fit::columns(right).max(6) + 1 };
    if reserved + 4 > room {
        let label = fit::cut(label, room, look.charset);
        return format!(" {} {label}", paint(look.style, colour, mark));
    }
    let label = fit::cut(label, room - reserved, look.charset);
    let gap = room - fit::columns(&label) - fit::columns(right);
    let gap = if right.is_empty() { 0 } else { gap };
    let label = match label.find("] ").filter(|_| label.starts_with('[')) {
        Some(end) => {
            let (bracket, text) = label.split_at(end + 1);
            format!("{}{text}", paint(look.style, DIM, bracket))
        }
        None => label,
    };
    let mark = paint(look.style, colour, mark);
    let right = paint(look.style, DIM, right);
    format!(" {mark} {label}{}{right}", " ".repeat(gap))
}

fn bar(look: &Look, current: u64, total: u64) -> String {
    let share = u128::from(current) * BAR as u128 / u128::from(total.max(1));
    let full = usize::try_from(share).unwrap_or(BAR).min(BAR);
    let (done, open) = match look.charset {
        Charset::Unicode => ("━", "╌"),
        Charset::Ascii => ("=", "-"),
    };
    format!("{}{}", done.repeat(full), open.repeat(BAR - full))
}

fn tick(look: &Look) -> &'static str {
    match look.charset {
        Charset::Unicode => "✔",
        Charset::Ascii => "+",
    }
}

fn spinner(look: &Look) -> &'static str {
    const UNICODE: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    const ASCII: [&str; 4] = ["|", "/", "-", "\\"];
    let frames: &[&'static str] = match look.charset {
        Charset::Unicode => &UNICODE,
        Charset::Ascii => &ASCII,
    };
    let turn = usize::try_from(look.elapsed.as_millis() / 100).unwrap_or(0);
    frames[turn % frames.len()]
}

/// The last column stays free: some terminals begin a new line when it is written to.
fn width(look: &Look) -> usize {
    look.size.width.saturating_sub(1)
}
