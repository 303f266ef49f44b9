//! Source files: parsed once, asked for lines and pieces of text.
//!
//! **Invariant:** a source is parsed only if nothing in it is nested so deeply that walking it could
//! exhaust the stack.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ModModule, Stmt};
use ruff_python_parser::{Mode, Parsed, lexer, parse_module};
use ruff_text_size::TextRange;

use super::{SyntaxError, python2};

/// Files that one script may import.
const MOST_SOURCES: usize = 400;
/// Levels of an expression or of blocks. Python itself gives up near 200 parentheses.
const DEEPEST: usize = 3000;
/// Characters of an expression in a message.
const LONGEST_PIECE: usize = 80;

/// A parsed file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    text: String,
    /// Offsets where lines begin.
    lines: Vec<usize>,
    parsed: Parsed<ModModule>,
}

impl Source {
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, SyntaxError> {
        // As Python does, before anything else.
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
        let lines = lines(&text);
        if text.len() > DEEPEST && too_deep(&text) {
            let line = lines.partition_point(|start| !too_deep(&text[..*start]));
            let message = "the code is nested too deeply to be read".to_owned();
            return Err(SyntaxError { message, line });
        }
        let parsed = parse_module(&text).map_err(|error| {
            let at = error.location.start().to_usize();
            let line = line_at(&lines, at);
            python2::recognise(&text, &lines, line).unwrap_or_else(|| {
                let message = error.error.to_string();
                SyntaxError {
                    message: message.split_whitespace().collect::<Vec<_>>().join(" "),
                    line,
                }
            })
        })?;
        Ok(Self { path: path.to_owned(), text, lines, parsed })
    }

    pub(super) fn body(&self) -> &[Stmt] {
        &self.parsed.syntax().body
    }

    /// Counted from 1.
    pub(super) fn line(&self, range: TextRange) -> usize {
        line_at(&self.lines, range.start().to_usize())
    }

    /// The text of an expression on one line, cut where it gets long.
    pub(super) fn piece(&self, range: TextRange) -> String {
        let text = &self.text[range.start().to_usize()..range.end().to_usize()];
        let mut piece = String::new();
        for (count, c) in text.split_whitespace().flat_map(spaced).skip(1).enumerate() {
            if count == LONGEST_PIECE {
                piece.push('…');
                break;
            }
            piece.push(c);
        }
        piece
    }
}

fn spaced(word: &str) -> impl Iterator<Item = char> + '_ {
    std::iter::once(' ').chain(word.chars())
}

/// Files that are parsed as they are asked for and stay until the reading is over.
#[derive(Debug)]
pub(super) struct Library {
    cells: Vec<OnceCell<Source>>,
    used: Cell<usize>,
}

impl Library {
    pub(super) fn new() -> Self {
        let cells = std::iter::repeat_with(OnceCell::new).take(MOST_SOURCES).collect();
        Self { cells, used: Cell::new(0) }
    }

    /// Keeps a source, unless there are too many.
    pub(super) fn keep(&self, source: Source) -> Option<(usize, &Source)> {
        let at = self.used.get();
        let cell = self.cells.get(at)?;
        self.used.set(at + 1);
        Some((at, cell.get_or_init(|| source)))
    }

    pub(super) fn get(&self, at: usize) -> Option<&Source> {
        self.cells.get(at).and_then(OnceCell::get)
    }
}

fn lines(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

fn line_at(lines: &[usize], offset: usize) -> usize {
    lines.partition_point(|start| *start <= offset)
}

/// Whether the syntax tree may get deeper than is safe to walk. Brackets, blocks, and operators
/// since the last comma at each level of brackets bound its depth from above.
fn too_deep(text: &str) -> bool {
    let mut lexer = lexer::lex(text, Mode::Module);
    let mut levels = vec![0_usize];
    let mut depth = 0_usize;
    let mut blocks = 0_usize;
    loop {
        let kind = lexer.next_token();
        match kind {
            TokenKind::EndOfFile => return false,
            TokenKind::Indent => blocks += 1,
            TokenKind::Dedent => blocks = blocks.saturating_sub(1),
            TokenKind::Newline | TokenKind::Comma => {
                depth -= levels.pop().unwrap_or(0);
                levels.push(0);
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace if levels.len() > 1 => {
                depth -= levels.pop().unwrap_or(0);
            }
            kind if nests(kind) => {
                if let Some(last) = levels.last_mut() {
                    *last += 1;
                    depth += 1;
                }
                if matches!(kind, TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace) {
                    levels.push(0);
                }
            }
            _ => {}
        }
        if depth + blocks > DEEPEST {
            return true;
        }
    }
}

fn nests(kind: TokenKind) -> bool {
    kind.is_operator()
        || matches!(
            kind,
            TokenKind::Lambda
                | TokenKind::If
                | TokenKind::Else
                | TokenKind::Not
                | TokenKind::And
                | TokenKind::Or
                | TokenKind::Is
                | TokenKind::In
                | TokenKind::Await
                | TokenKind::Yield
                | TokenKind::FStringStart
                | TokenKind::TStringStart
        )
}
