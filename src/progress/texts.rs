//! The lines of a stream that are not JSON: remarks, and how a build says that it failed.
//!
//! **Invariant:** every line is kept, within bounds, and is either a notice or part of the failure,
//! never both.

use std::collections::VecDeque;

use super::logs::clean;

/// Lines kept of what is said; an error is at the end, so the oldest go first.
const MAX_LINES: usize = 200;
const RULE: &str = "----";

/// What was said besides the steps.
#[derive(Debug, Default)]
pub(super) struct Texts {
    lines: VecDeque<String>,
    /// `Dockerfile:3`, the box, and its rules.
    excerpt: Vec<String>,
    error: Vec<String>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    /// `Dockerfile:3` was read, which a rule must follow.
    Titled,
    InBox,
    InError,
}

impl Texts {
    /// Takes a line and returns those that are for the user to see now.
    pub(super) fn push(&mut self, line: &str) -> Vec<String> {
        let line = clean(line.as_bytes());
        let mut notices = Vec::new();
        self.sort_in(&line, &mut notices);
        self.lines.push_back(line);
        if self.lines.len() > MAX_LINES {
            self.lines.pop_front();
        }
        notices
    }

    fn sort_in(&mut self, line: &str, notices: &mut Vec<String>) {
        match self.state {
            State::Outside => {
                if let Some(error) = line.strip_prefix("ERROR: ") {
                    self.error = vec![error.to_owned()];
                    self.state = State::InError;
                } else if is_title(line) {
                    self.excerpt = vec![line.to_owned()];
                    self.state = State::Titled;
                } else if !line.trim().is_empty() {
                    notices.push(line.to_owned());
                }
            }
            State::Titled if line.starts_with(RULE) => {
                self.excerpt.push(line.to_owned());
                self.state = State::InBox;
            }
            State::Titled => {
                notices.append(&mut self.excerpt);
                self.state = State::Outside;
                self.sort_in(line, notices);
            }
            State::InBox => {
                self.excerpt.push(line.to_owned());
                if line.starts_with(RULE) {
                    self.state = State::Outside;
                }
            }
            State::InError => {
                let desktop = line.starts_with("View build details:");
                let over = desktop || is_log_record(line) || line.trim().is_empty();
                if over || line.starts_with("ERROR: ") {
                    self.state = State::Outside;
                    self.sort_in(line, notices);
                } else {
                    // A message of several lines, or the stack that --debug adds.
                    self.error.push(line.to_owned());
                }
            }
        }
    }

    /// Returns the last lines, whatever they are.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Returns the lines of the last `ERROR:`, without that word.
    pub(super) fn error(&self) -> Option<&[String]> {
        (!self.error.is_empty()).then_some(self.error.as_slice())
    }

    /// Returns the last piece of a Dockerfile that was quoted.
    pub(super) fn excerpt(&self) -> Option<String> {
        (self.excerpt.len() > 1).then(|| self.excerpt.join("\n"))
    }
}

/// `Dockerfile:3`: a name, not a sentence.
fn is_title(line: &str) -> bool {
    line.rsplit_once(':').is_some_and(|(file, number)| {
        !file.is_empty() && !file.contains(": ") && number.parse::<u32>().is_ok()
    })
}

/// A record of docker's or buildx's logger.
pub(super) fn is_log_record(line: &str) -> bool {
    line.starts_with("time=") && line.contains(" level=")
}

#[cfg(test)]
mod tests {
    use super::Texts;

    fn read(text: &str) -> (Texts, Vec<String>) {
        let mut texts = Texts::default();
        let notices = text.lines().flat_map(|line| texts.push(line)).collect();
        (texts, notices)
    }

    #[test]
    fn a_failure_is_told_from_remarks() {
        let (texts, notices) = read(
            "WARNING: No output specified\n\
             my app/Dockerfile:3\n----------\n   3 | >>> RUN x\n----------\n\
             ERROR: failed to build: failed to solve: x\nsecond line\n\n\
             View build details: docker-desktop://x\n",
        );
        assert_eq!(
            notices,
            ["WARNING: No output specified", "View build details: docker-desktop://x"]
        );
        assert_eq!(
            texts.excerpt().as_deref(),
            Some("my app/Dockerfile:3\n----------\n   3 | >>> RUN x\n----------")
        );
        assert_eq!(texts.error().unwrap(), ["failed to build: failed to solve: x", "second line"]);
        assert_eq!(texts.lines().count(), 9);
    }

    #[test]
    fn what_looks_like_a_title_alone_is_a_remark() {
        let (texts, notices) = read("localhost:5000\nERROR: a\nERROR: b\n");
        assert_eq!(notices, ["localhost:5000"]);
        assert_eq!(texts.excerpt(), None);
        assert_eq!(texts.error().unwrap(), ["b"]);
    }

    #[test]
    fn memory_is_bounded() {
        let (texts, _) = read(&"x\n".repeat(1000));
        assert_eq!(texts.lines().count(), 200);
    }
}
