//! The two streams that the user sees, and what they can show.
//!
//! **Invariant:** stdout carries results only; every other word goes to stderr.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use crate::problem::Problem;

/// Whether stderr shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence is written.
    Plain,
    /// ANSI colours.
    Color,
}

/// stdout and stderr of the command.
pub struct Term {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// Whether stdin is a terminal, so that someone can answer.
    pub in_is_terminal: bool,
    /// Whether stderr is a terminal that can move its cursor.
    pub err_is_terminal: bool,
    /// Columns of the terminal, 80 where there is none.
    pub width: usize,
    /// Whether stderr shows colours.
    pub style: Style,
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term")
            .field("in_is_terminal", &self.in_is_terminal)
            .field("err_is_terminal", &self.err_is_terminal)
            .field("width", &self.width)
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

impl Term {
    /// The streams of this process. `no_color` and `dumb` come from `NO_COLOR` and `TERM`.
    pub fn from_process(no_color: bool, dumb: bool) -> Self {
        let err_is_terminal = io::stderr().is_terminal() && !dumb;
        let width =
            rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
        let style = if err_is_terminal && !no_color { Style::Color } else { Style::Plain };
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            in_is_terminal: io::stdin().is_terminal(),
            err_is_terminal,
            width: if width == 0 { 80 } else { width },
            style,
        }
    }

    /// Streams that a test can look into.
    pub fn from_writers(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let (in_is_terminal, err_is_terminal) = (false, false);
        Self { out, err, in_is_terminal, err_is_terminal, width: 80, style: Style::Plain }
    }

    /// Writes a result to stdout. A closed stdout is an error for the caller to see.
    pub fn result(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Writes a line to stderr. A closed stderr loses it: there is nobody left to tell.
    pub fn note(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    /// Writes an error the way Docker's own commands do.
    pub fn error(&mut self, message: &str) {
        let label = self.paint("ERROR:", "1;31");
        self.note(&format!("{label} {message}"));
    }

    /// Writes a warning the way Docker's own commands do.
    pub fn warning(&mut self, message: &str) {
        let label = self.paint("WARNING:", "1;33");
        self.note(&format!("{label} {message}"));
    }

    /// Writes what the user can do, a line for each thing.
    pub fn hint(&mut self, remedy: &str) {
        let label = self.paint("hint:", "1;36");
        for line in remedy.lines() {
            self.note(&format!("{label} {line}"));
        }
    }

    /// Asks a question: what comes next on stderr stands on the same line.
    pub fn ask(&mut self, question: &str) {
        let _ = write!(self.err, "{question} ");
        let _ = self.err.flush();
    }

    /// Writes a unified diff.
    pub fn diff(&mut self, diff: &str) {
        for line in diff.lines() {
            let code = match line.as_bytes().first() {
                _ if line.starts_with("--- ") || line.starts_with("+++ ") => "1",
                Some(b'+') => "32",
                Some(b'-') => "31",
                Some(b'@') => "36",
                _ => "",
            };
            let line = if code.is_empty() { line.to_owned() } else { self.paint(line, code) };
            self.note(&line);
        }
    }

    /// Writes every problem with its place and remedy.
    pub fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            self.note(&problem.to_string());
        }
    }

    /// The raw stream for a renderer that writes lines of its own.
    pub fn err(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.err
    }

    fn paint(&self, text: &str, code: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Color => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}
