//! Python 2, recognised where its syntax is an error today.
//!
//! **Invariant:** asked only about a line that Python 3 refuses.

use super::SyntaxError;

/// What the line that cannot be read is in Python 2.
pub(super) fn recognise(text: &str, lines: &[usize], line: usize) -> Option<SyntaxError> {
    let start = *lines.get(line.checked_sub(1)?)?;
    let end = lines.get(line).copied().unwrap_or(text.len());
    let construct = construct(text[start..end].trim())?;
    let message = format!("this is Python 2: {construct}; Python 3 is needed");
    Some(SyntaxError { message, line })
}

/// The message for `except X, e:`, which Python 3.14 reads as two classes.
pub(super) fn except(line: usize) -> SyntaxError {
    let message = "this is Python 2: `except X, e`; Python 3 is needed".to_owned();
    SyntaxError { message, line }
}

fn construct(line: &str) -> Option<&'static str> {
    let code = line.rsplit_once(": ").filter(|(head, _)| !head.contains(['"', '\'']));
    let statement = code.map_or(line, |(_, statement)| statement.trim());
    if statement_of(statement, "print") {
        return Some("`print` is a statement");
    }
    if statement_of(statement, "exec") {
        return Some("`exec` is a statement");
    }
    if line.starts_with("except") && line.contains(',') {
        return Some("`except X, e`");
    }
    if statement.starts_with("raise ") && statement.contains(',') {
        return Some("`raise E, \"…\"`");
    }
    let bare = without_strings(line)?;
    if bare.contains('`') {
        return Some("backticks");
    }
    if bare.contains("<>") {
        return Some("`<>`");
    }
    let words = || bare.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.' && c != '"');
    if words().any(|word| word.to_ascii_lowercase().starts_with("ur\"")) {
        return Some("`ur''`");
    }
    if words().any(old_octal) {
        return Some("an octal number without `0o`");
    }
    words().any(long).then_some("a number with `L`")
}

/// Whether a line is `word`, then something that cannot follow a name.
fn statement_of(line: &str, word: &str) -> bool {
    line.strip_prefix(word).is_some_and(|rest| {
        rest.starts_with(['"', '\''])
            || rest.trim_start() != rest
                && rest.trim_start().starts_with(|c: char| {
                    c.is_alphanumeric() || matches!(c, '"' | '\'' | '_' | '`' | '(' | '%')
                })
    })
}

fn old_octal(word: &str) -> bool {
    word.len() > 1 && word.starts_with('0') && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn long(word: &str) -> bool {
    word.strip_suffix(['L', 'l'])
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The line with each string literal as `""` and no comment; none if a string does not end.
fn without_strings(line: &str) -> Option<String> {
    let mut bare = String::new();
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '#' => break,
            '"' | '\'' => {
                bare.push_str("\"\"");
                loop {
                    match characters.next()? {
                        '\\' => _ = characters.next(),
                        end if end == c => break,
                        _ => {}
                    }
                }
            }
            c => bare.push(c),
        }
    }
    Some(bare)
}
