//! What a view writes to: a stream, its size, and what can be shown on it.
//!
//! **Invariant:** a stream that is closed loses what is written; there is nobody left to tell.

use std::fmt;
use std::io::{self, Write};

use crate::term::Style;

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// What characters can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// All of them.
    Unicode,
    /// Those of ASCII.
    Ascii,
}

impl Charset {
    /// Chooses by `LC_ALL`, `LC_CTYPE` and `LANG`, of which the first that is set decides.
    pub fn of_locale(variables: [Option<&str>; 3]) -> Self {
        let locale = variables.into_iter().flatten().find(|value| !value.is_empty());
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Unicode
        } else {
            Self::Ascii
        }
    }
}

/// Where a view is drawn.
pub struct Canvas {
    out: Box<dyn Write + Send>,
    size: Box<dyn Fn() -> Size + Send>,
    /// Whether colours are shown.
    pub style: Style,
    /// What characters are shown.
    pub charset: Charset,
}

impl Canvas {
    /// Makes a canvas of any stream. `size` is asked before each drawing: windows are resized.
    pub fn new(
        out: Box<dyn Write + Send>,
        size: Box<dyn Fn() -> Size + Send>,
        style: Style,
        charset: Charset,
    ) -> Self {
        Self { out, size, style, charset }
    }

    /// Makes a canvas of this process's stderr.
    pub fn stderr(style: Style, charset: Charset) -> Self {
        let size = || {
            let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
            let known = |cells: u16, usual| if cells == 0 { usual } else { usize::from(cells) };
            Size {
                width: size.map_or(80, |size| known(size.ws_col, 80)),
                height: size.map_or(24, |size| known(size.ws_row, 24)),
            }
        };
        Self::new(Box::new(io::stderr()), Box::new(size), style, charset)
    }

    /// Returns the present size.
    pub fn size(&self) -> Size {
        (self.size)()
    }

    /// Writes in one piece, so that lines are not torn.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes).and_then(|()| self.out.flush());
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }
}

impl fmt::Debug for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canvas")
            .field("size", &self.size())
            .field("style", &self.style)
            .field("charset", &self.charset)
            .finish_non_exhaustive()
    }
}

/// Colours of the views, as SGR parameters.
pub(super) const BOLD: &str = "1";
pub(super) const DIM: &str = "2";
pub(super) const RED: &str = "31";
pub(super) const GREEN: &str = "32";
pub(super) const YELLOW: &str = "33";
pub(super) const CYAN: &str = "36";

/// Colours a text.
pub(super) fn paint(style: Style, colour: &str, text: &str) -> String {
    match style {
        Style::Color if !text.is_empty() => format!("\x1b[{colour}m{text}\x1b[0m"),
        Style::Color | Style::Plain => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Charset;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        for (variables, charset) in [
            ([None, None, Some("en_GB.UTF-8")], Charset::Unicode),
            ([Some(""), Some("C.utf8"), None], Charset::Unicode),
            ([Some("C"), None, Some("en_GB.UTF-8")], Charset::Ascii),
            ([None, None, None], Charset::Ascii),
        ] {
            assert_eq!(Charset::of_locale(variables), charset, "{variables:?}");
        }
    }
}
