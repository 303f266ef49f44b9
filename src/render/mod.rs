//! How a build looks while it runs, and when it failed.
//!
//! **Invariant:** views read a [`Graph`] and are told the time; what they write goes to stderr.

pub mod bars;
pub mod canvas;
pub mod frame;

mod failure;
mod fit;
mod plain;
mod summary;

use std::time::Duration;

use crate::error::Fault;
use crate::progress::Event;
use crate::progress::graph::Graph;

pub use canvas::{Canvas, Charset, Size};
pub use failure::{failure, failure_context};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A block that is redrawn in place, on a terminal.
    Bars,
    /// Lines, for pipes and logs.
    Plain,
    /// Nothing.
    Quiet,
    /// buildx's own stream, unchanged.
    RawJson,
}

impl Mode {
    /// Chooses a mode as buildx does. `flag` is the value of `--progress` or, without it, of
    /// `BUILDKIT_PROGRESS`.
    pub fn choose(flag: Option<&str>, stderr_is_terminal: bool) -> Result<Self, Fault> {
        match (flag.unwrap_or_default(), stderr_is_terminal) {
            ("" | "auto" | "tty", true) => Ok(Self::Bars),
            ("" | "auto", false) | ("plain", _) => Ok(Self::Plain),
            ("quiet", _) => Ok(Self::Quiet),
            ("rawjson", _) => Ok(Self::RawJson),
            ("tty", false) => Err(Fault::new(
                "progress `tty` needs a terminal on stderr",
                "use `--progress plain`, or leave the choice to `--progress auto`",
            )),
            (other, _) => Err(Fault::new(
                format!("invalid progress mode `{other}`"),
                "use one of `auto`, `tty`, `plain`, `quiet`, `rawjson`",
            )),
        }
    }
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was built.
    Built,
    /// Something was not. What it was is for [`failure`] to say.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// Shows a build. Calls come from one thread, in the order of what happens.
pub trait Renderer: Send {
    /// An event was applied to the graph; [`Graph::news`] has what it changed.
    fn event(&mut self, graph: &Graph, event: &Event);

    /// Time passed: `elapsed` counts from the start of the build. Wanted about ten times a second.
    fn tick(&mut self, graph: &Graph, elapsed: Duration);

    /// Bytes of the stream arrived, before they are decoded.
    fn raw(&mut self, bytes: &[u8]);

    /// The build was asked to stop.
    fn cancelling(&mut self, graph: &Graph);

    /// The build is over.
    fn finish(self: Box<Self>, graph: &Graph, ending: Ending);
}

/// Makes the renderer of a mode.
pub fn new(mode: Mode, canvas: Canvas) -> Box<dyn Renderer> {
    match mode {
        Mode::Bars => Box::new(bars::Bars::new(canvas)),
        Mode::Plain => Box::new(plain::Plain::new(canvas)),
        Mode::Quiet => Box::new(Quiet),
        Mode::RawJson => Box::new(RawJson { canvas }),
    }
}

/// Shows nothing.
#[derive(Debug)]
struct Quiet;

impl Renderer for Quiet {
    fn event(&mut self, _: &Graph, _: &Event) {}
    fn tick(&mut self, _: &Graph, _: Duration) {}
    fn raw(&mut self, _: &[u8]) {}
    fn cancelling(&mut self, _: &Graph) {}
    fn finish(self: Box<Self>, _: &Graph, _: Ending) {}
}

/// Passes the stream on as it is.
#[derive(Debug)]
struct RawJson {
    canvas: Canvas,
}

impl Renderer for RawJson {
    fn event(&mut self, _: &Graph, _: &Event) {}
    fn tick(&mut self, _: &Graph, _: Duration) {}
    fn raw(&mut self, bytes: &[u8]) {
        self.canvas.write(bytes);
    }
    fn cancelling(&mut self, _: &Graph) {}
    fn finish(self: Box<Self>, _: &Graph, _: Ending) {}
}

#[cfg(test)]
mod tests {
    use super::Mode;

    #[test]
    fn modes_are_chosen_as_buildx_does() {
        let (bars, plain, refused) = (Some(Mode::Bars), Some(Mode::Plain), None);
        for (flag, on_terminal, on_pipe) in [
            (None, bars, plain),
            (Some(""), bars, plain),
            (Some("auto"), bars, plain),
            (Some("tty"), bars, refused),
            (Some("plain"), plain, plain),
            (Some("quiet"), Some(Mode::Quiet), Some(Mode::Quiet)),
            (Some("rawjson"), Some(Mode::RawJson), Some(Mode::RawJson)),
            (Some("none"), refused, refused),
            (Some("TTY"), refused, refused),
        ] {
            assert_eq!(Mode::choose(flag, true).ok(), on_terminal, "{flag:?} on a terminal");
            assert_eq!(Mode::choose(flag, false).ok(), on_pipe, "{flag:?} on a pipe");
        }
        let fault = Mode::choose(Some("fancy"), true).unwrap_err();
        assert_eq!(fault.message, "invalid progress mode `fancy`");
    }
}
