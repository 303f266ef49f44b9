//! The output of one step, cut into lines that are safe to show.
//!
//! **Invariant:** memory stays bounded however much a step writes, and no line holds a control
//! character or an escape sequence.

use std::collections::VecDeque;

use super::finding;

/// Lines kept while a step may still fail: its explanation may be far above its end.
const MAX_LINES: usize = 2000;
/// Bytes kept for that.
const MAX_BYTES: usize = 1024 * 1024;
/// Lines of them that are shown of a failure, and kept of a step that went well.
const TAIL_LINES: usize = 200;
/// Bytes of those. Also the length at which a line without an end is cut.
const TAIL_BYTES: usize = 64 * 1024;

/// The end of a step's output.
#[derive(Debug, Default)]
pub(super) struct Logs {
    lines: VecDeque<String>,
    bytes: usize,
    /// stdout and stderr, each with the line it is in the middle of.
    partial: [Partial; 2],
}

#[derive(Debug, Default)]
struct Partial {
    line: Vec<u8>,
    /// A carriage return was seen: what follows overwrites the line, unless it is the line's end.
    returned: bool,
}

impl Logs {
    /// Takes a piece of output and returns the lines that it completed.
    pub(super) fn push(&mut self, stream: u8, data: &[u8]) -> Vec<String> {
        let partial = &mut self.partial[usize::from(stream == 2)];
        let mut done = Vec::new();
        for &byte in data {
            match byte {
                b'\n' => {
                    partial.returned = false;
                    done.push(clean(&std::mem::take(&mut partial.line)));
                }
                b'\r' => partial.returned = true,
                _ => {
                    if std::mem::take(&mut partial.returned) {
                        partial.line.clear();
                    }
                    partial.line.push(byte);
                    if partial.line.len() >= TAIL_BYTES {
                        done.push(clean(&std::mem::take(&mut partial.line)));
                    }
                }
            }
        }
        done
    }

    /// Returns the lines that have no end, once there is nothing more to come.
    pub(super) fn flush(&mut self) -> Vec<String> {
        let open = self.partial.iter_mut().map(|partial| std::mem::take(&mut partial.line));
        open.filter(|line| !line.is_empty()).map(|line| clean(&line)).collect()
    }

    /// Keeps a line, and lets the oldest go where there are too many.
    pub(super) fn keep(&mut self, line: &str) {
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        self.cut(MAX_LINES, MAX_BYTES);
    }

    /// Lets go what only a failure would need.
    pub(super) fn settle(&mut self) {
        self.cut(TAIL_LINES, TAIL_BYTES);
    }

    fn cut(&mut self, lines: usize, bytes: usize) {
        while self.lines.len() > lines || self.bytes > bytes {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    /// Returns the lines kept, the oldest first.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Returns the last of them, as many as are worth showing.
    pub(super) fn tail(&self) -> impl DoubleEndedIterator<Item = &str> {
        let mut room = TAIL_BYTES;
        let fits = |line: &&String| {
            let fits = line.len() <= room;
            room = room.saturating_sub(line.len());
            fits
        };
        let count = self.lines.iter().rev().take(TAIL_LINES).take_while(fits).count();
        self.lines.range(self.lines.len() - count..).map(String::as_str)
    }

    /// Returns the last thing written, be it the middle of a line, as progress meters leave it.
    /// A finding on its way is nothing to show.
    pub(super) fn last(&self) -> Option<String> {
        let open = self.partial.iter().rev().map(|partial| clean(&partial.line));
        open.into_iter()
            .find(|line| !line.trim().is_empty() && !finding::may_become(line))
            .or_else(|| self.tail().rev().find(|line| !line.trim().is_empty()).map(str::to_owned))
    }
}

/// Reads a text as the output of a program: its lines as a terminal would leave them.
pub(super) fn read(text: &[u8]) -> Vec<String> {
    let mut logs = Logs::default();
    let mut lines = logs.push(1, text);
    lines.extend(logs.flush());
    lines
}

/// Removes escape sequences and control characters: a line must not move the cursor nor colour ours.
pub(super) fn clean(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    if !text.chars().any(char::is_control) {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => match chars.next() {
                // CSI: parameters, then a letter.
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // OSC, a title or a link: up to BEL or ESC \.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\x07' || (c == '\x1b' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                // The choice of a character set names it after one of these.
                Some('(' | ')' | '*' | '+' | '#' | '%') => {
                    chars.next();
                }
                Some(_) | None => {}
            },
            '\t' => out.push_str("    "),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Logs, MAX_BYTES, MAX_LINES, TAIL_BYTES, TAIL_LINES, clean, read};

    #[test]
    fn pieces_become_lines_per_stream() {
        let mut logs = Logs::default();
        assert_eq!(logs.push(1, b"one\ntw"), ["one"]);
        assert_eq!(logs.push(2, b"err\n"), ["err"]);
        assert_eq!(logs.push(1, b"o caf\xc3"), [""; 0]);
        assert_eq!(logs.push(1, b"\xa9\r\n"), ["two café"]);
        assert_eq!(logs.push(1, b"no end"), [""; 0]);
        assert_eq!(logs.last().as_deref(), Some("no end"));
        assert_eq!(logs.flush(), ["no end"]);
        assert_eq!(logs.flush(), [""; 0]);
    }

    #[test]
    fn a_carriage_return_overwrites() {
        let mut logs = Logs::default();
        assert_eq!(logs.push(1, b" 10%\r 50%\r"), [""; 0]);
        assert_eq!(logs.last().as_deref(), Some(" 50%"));
        assert_eq!(logs.push(1, b"done\n"), ["done"]);
    }

    #[test]
    fn a_text_is_read_as_a_terminal_shows_it() {
        assert_eq!(read(b"a\r\n10%\r\x1b[1m20%\x1b[0m\nend"), ["a", "20%", "end"]);
        assert_eq!(read(b""), [""; 0]);
    }

    #[test]
    fn escape_sequences_go() {
        assert_eq!(clean(b"\x1b[1;31mred\x1b[0m \x1b[2K\x1b[1A\x1b(Bx\x07"), "red x");
        assert_eq!(clean(b"\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x07."), "link.");
        assert_eq!(clean(b"a\tb\x08\x1b"), "a    b");
    }

    #[test]
    fn memory_is_bounded() {
        let mut logs = Logs::default();
        for number in 0..3000 {
            logs.keep(&number.to_string());
        }
        assert_eq!(logs.lines().count(), MAX_LINES);
        assert_eq!(logs.lines().next(), Some("1000"));
        assert_eq!(logs.tail().count(), TAIL_LINES);
        assert_eq!((logs.tail().next(), logs.tail().next_back()), (Some("2800"), Some("2999")));
        logs.keep(&"x".repeat(TAIL_BYTES));
        assert_eq!((logs.tail().count(), logs.lines().count()), (1, MAX_LINES));
        logs.settle();
        assert_eq!(logs.lines().count(), 1);
        logs.keep(&"x".repeat(MAX_BYTES));
        assert_eq!(logs.lines().count(), 1);
        let endless = logs.push(1, &vec![b'x'; 3 * TAIL_BYTES + 5]);
        assert_eq!(endless.len(), 3);
        assert_eq!(logs.flush(), ["xxxxx"]);
    }
}
