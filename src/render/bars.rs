//! Draws the block of [`super::frame`] in place, again and again.
//!
//! **Invariant:** whatever is on the screen above the block stays, and the cursor is back when the
//! drawing ends, however it ends.

use std::time::Duration;

use super::canvas::{Canvas, YELLOW, paint};
use super::frame::{Clock, Look, ending, frame};
use super::{Ending, Renderer, fit};
use crate::progress::Event;
use crate::progress::graph::{Graph, News};

/// A build that is over by then shows its summary only.
const FIRST: Duration = Duration::from_millis(150);
/// Between two drawings.
const PAUSE: Duration = Duration::from_millis(95);

/// Shows a build on a terminal.
#[derive(Debug)]
pub struct Bars {
    drawer: Drawer,
    clock: Clock,
    elapsed: Duration,
    drawn: Option<Duration>,
    cancelling: bool,
    /// Lines of buildx's own, until the next drawing.
    notices: Vec<String>,
}

impl Bars {
    /// Makes bars that are drawn on a terminal.
    pub fn new(canvas: Canvas) -> Self {
        Self {
            drawer: Drawer { canvas, lines: Vec::new(), hides_cursor: false },
            clock: Clock::default(),
            elapsed: Duration::ZERO,
            drawn: None,
            cancelling: false,
            notices: Vec::new(),
        }
    }

    fn look(&mut self, graph: &Graph) -> Look {
        let canvas = &self.drawer.canvas;
        Look {
            size: canvas.size(),
            style: canvas.style,
            charset: canvas.charset,
            elapsed: self.elapsed,
            now: self.clock.now(graph, self.elapsed),
            cancelling: self.cancelling,
        }
    }

    fn draw(&mut self, graph: &Graph) {
        let look = self.look(graph);
        let notices = std::mem::take(&mut self.notices);
        self.drawer.draw(&notices, frame(graph, &look));
        self.drawn = Some(self.elapsed);
    }
}

impl Renderer for Bars {
    fn event(&mut self, graph: &Graph, _: &Event) {
        for news in graph.news() {
            if let News::Notice(line) = news {
                let line = match line.strip_prefix("WARNING:") {
                    Some(rest) => {
                        format!("{}{rest}", paint(self.drawer.canvas.style, YELLOW, "WARNING:"))
                    }
                    None => line.clone(),
                };
                self.notices.push(line);
            }
        }
    }

    fn tick(&mut self, graph: &Graph, elapsed: Duration) {
        self.elapsed = elapsed;
        let due = self.drawn.map_or(FIRST, |drawn| drawn + PAUSE);
        if elapsed >= due {
            self.draw(graph);
        }
    }

    fn raw(&mut self, _: &[u8]) {}

    fn cancelling(&mut self, graph: &Graph) {
        self.cancelling = true;
        self.draw(graph);
    }

    fn finish(mut self: Box<Self>, graph: &Graph, how: Ending) {
        let look = self.look(graph);
        let mut lines = std::mem::take(&mut self.notices);
        lines.extend(ending(graph, &look, how));
        self.drawer.draw(&lines, Vec::new());
    }
}

/// Replaces the lines that it wrote last.
#[derive(Debug)]
struct Drawer {
    canvas: Canvas,
    lines: Vec<String>,
    hides_cursor: bool,
}

impl Drawer {
    /// Writes lines that stay, and below them a block that the next call replaces.
    fn draw(&mut self, above: &[String], block: Vec<String>) {
        // In one piece, and on terminals that know it as one update: nothing flickers.
        let mut out = String::from("\x1b[?2026h");
        if !self.hides_cursor && !block.is_empty() {
            self.hides_cursor = true;
            out.push_str("\x1b[?25l");
        }
        out.push('\r');
        let rows = self.rows();
        if rows > 0 {
            out.push_str("\x1b[");
            out.push_str(&rows.to_string());
            out.push('A');
        }
        for line in above.iter().chain(&block) {
            out.push_str(line);
            out.push_str("\x1b[K\n");
        }
        // What is left below: rows of a higher block, or the ^C that the terminal echoed.
        out.push_str("\x1b[J");
        if block.is_empty() {
            out.push_str(self.show_cursor());
        }
        out.push_str("\x1b[?2026l");
        self.canvas.write(out.as_bytes());
        self.lines = block;
    }

    /// Returns the rows that the block takes now: a window made narrower breaks its lines.
    fn rows(&self) -> usize {
        let width = self.canvas.size().width.max(1);
        self.lines.iter().map(|line| visible_columns(line).div_ceil(width).max(1)).sum()
    }

    fn show_cursor(&mut self) -> &'static str {
        if std::mem::take(&mut self.hides_cursor) { "\x1b[?25h" } else { "" }
    }
}

impl Drop for Drawer {
    fn drop(&mut self) {
        let show = self.show_cursor();
        if !show.is_empty() {
            self.canvas.write(show.as_bytes());
        }
    }
}

/// The columns of a line of ours, whose only escape sequences are colours.
fn visible_columns(line: &str) -> usize {
    let mut parts = line.split("\x1b[");
    let first = parts.next().map_or(0, fit::columns);
    first
        + parts
            .map(|part| part.split_once('m').map_or(0, |(_, text)| fit::columns(text)))
            .sum::<usize>()
}
