//! Quoting for Dockerfiles: values in ENV and LABEL, paths in COPY.
//!
//! The rules are those of `BuildKit`'s word parser,
//! <https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/shell/lex.go>.
//!
//! **Invariant:** what comes out is one word on one line, whatever went in.

/// The build argument that stands for a line break: a Dockerfile cannot write one in a value.
pub const NEWLINE_ARG: &str = "FLOWSTORAGE_NEWLINE";

/// What `$` means in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dollar {
    /// `$NAME` and `${NAME}` are expanded by the build, `\$` is a dollar.
    Expands,
    /// A dollar is a dollar.
    Literal,
}

/// Quotes a value of ENV or LABEL. `escape` is the Dockerfile's escape character.
pub fn value(text: &str, dollar: Dollar, escape: char) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '\n' => quoted.extend(["${", NEWLINE_ARG, "}"]),
            '$' => match (dollar, reference(rest)) {
                (Dollar::Expands, Some(length)) => {
                    quoted.push_str(&rest[..length]);
                    used = length;
                }
                _ => quoted.extend([escape, '$']),
            },
            '\\' if dollar == Dollar::Expands && rest.starts_with("\\$") => {
                quoted.extend([escape, '$']);
                used = 2;
            }
            c if c == '"' || c == escape => quoted.extend([escape, c]),
            c => quoted.push(c),
        }
        rest = &rest[used..];
    }
    quoted.push('"');
    quoted
}

/// Whether [`value`] needs [`NEWLINE_ARG`] for a text.
pub fn needs_newline(text: &str) -> bool {
    text.contains('\n')
}

/// The length of `$NAME`, `${NAME}`, `${NAME:-word}` or `${NAME:+word}` at the start of a text.
fn reference(text: &str) -> Option<usize> {
    let name_length = |text: &str| {
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if begins { Some(length.unwrap_or(text.len())) } else { None }
    };
    let after = text.strip_prefix('$')?;
    let Some(inner) = after.strip_prefix('{') else {
        return Some(1 + name_length(after)?);
    };
    let name = name_length(inner)?;
    let end = inner.find('}')?;
    let default = &inner[name..end];
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./,@%+=-".contains(c) || c == ':';
    let fits = default.is_empty()
        || (default.starts_with(":-") || default.starts_with(":+"))
            && default[2..].chars().all(plain);
    if fits { Some(3 + end) } else { None }
}

/// Quotes sources and destination of COPY in its JSON form. The sources are no patterns, and
/// none of them holds variables.
pub fn copy<S: AsRef<str>>(sources: &[S], dest: &str, escape: char) -> String {
    let source = |source: &S| word(&pattern(source.as_ref()), escape);
    let mut words: Vec<String> = sources.iter().map(source).collect();
    words.push(word(dest, escape));
    serde_json::Value::from(words).to_string()
}

/// Quotes the address and the destination of ADD in its JSON form.
pub fn add(url: &str, dest: &str, escape: char) -> String {
    serde_json::Value::from(vec![word(url, escape), word(dest, escape)]).to_string()
}

/// Makes a name a pattern that matches nothing else, for Go's
/// [`filepath.Match`](https://pkg.go.dev/path/filepath#Match).
fn pattern(name: &str) -> String {
    let mut pattern = String::new();
    for c in name.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Escapes what the word parser would take for quotes, variables or escapes.
fn word(text: &str, escape: char) -> String {
    let mut result = String::new();
    for c in text.chars() {
        if c == escape || matches!(c, '$' | '\'' | '"') {
            result.push(escape);
        }
        result.push(c);
    }
    result
}

/// A text that may stand in a comment.
pub fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `BuildKit`'s word parser makes of a double-quoted word, with variables by `lookup`.
    fn parsed(word: &str, escape: char, lookup: &dyn Fn(&str) -> String) -> String {
        let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
        let chars: Vec<char> = inner.expect("quoted").chars().collect();
        let mut result = String::new();
        let mut at = 0;
        while at < chars.len() {
            match chars[at] {
                '"' => panic!("the word ends early: {word}"),
                c if c == escape => {
                    let next = *chars.get(at + 1).expect("nothing to escape");
                    if !(next == '"' || next == '$' || next == escape) {
                        result.push(escape);
                    }
                    result.push(next);
                    at += 2;
                    continue;
                }
                '$' => {
                    let braced = chars.get(at + 1) == Some(&'{');
                    let start = at + 1 + usize::from(braced);
                    let mut end = start;
                    while chars.get(end).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        end += 1;
                    }
                    assert!(end > start, "a stray dollar: {word}");
                    result.push_str(&lookup(&chars[start..end].iter().collect::<String>()));
                    at = end;
                    if braced {
                        while chars[at] != '}' {
                            at += 1;
                        }
                        at += 1;
                    }
                    continue;
                }
                c => result.push(c),
            }
            at += 1;
        }
        result
    }

    fn newline_only(name: &str) -> String {
        assert_eq!(name, NEWLINE_ARG);
        "\n".to_owned()
    }

    #[test]
    fn values() {
        for (text, quoted) in [
            ("$PATH:/x", r#""$PATH:/x""#),
            ("${HOME}/a b", r#""${HOME}/a b""#),
            ("${A:-b/c}", r#""${A:-b/c}""#),
            ("${A:-$(x)}", r#""\${A:-\$(x)}""#),
            ("cost $5, \\$HOME, $", r#""cost \$5, \$HOME, \$""#),
            (r"C:\dir\", r#""C:\\dir\\""#),
            ("it's \"q\"", r#""it's \"q\"""#),
            ("a\nRUN x", r#""a${FLOWSTORAGE_NEWLINE}RUN x""#),
        ] {
            assert_eq!(value(text, Dollar::Expands, '\\'), quoted, "{text}");
        }
        assert_eq!(value("a`b\\c\"$", Dollar::Literal, '`'), "\"a``b\\c`\"`$\"");
    }

    #[test]
    fn paths() {
        assert_eq!(copy(&["files/0/a b.txt"], "/x y", '\\'), r#"["files/0/a b.txt","/x y"]"#);
        assert_eq!(copy(&["a$b"], "c'd\"", '\\'), r#"["a\\$b","c\\'d\\\""]"#);
        assert_eq!(copy(&["a[1]*"], "é#", '\\'), r#"["a\\\\[1]\\\\*","é#"]"#);
    }

    #[test]
    fn addresses() {
        let quoted = r#"["https://example.org/a?b=\\$c[1]","/k"]"#;
        assert_eq!(add("https://example.org/a?b=$c[1]", "/k", '\\'), quoted);
    }

    proptest! {
        #[test]
        fn literal_values_come_back(text in "[\\PC\\n]{0,30}|[$\\\\`\"'{}A-C\\n#]{0,20}", tick: bool) {
            let escape = if tick { '`' } else { '\\' };
            let quoted = value(&text, Dollar::Literal, escape);
            prop_assert!(!quoted.contains('\n'));
            prop_assert_eq!(parsed(&quoted, escape, &newline_only), text);
        }

        #[test]
        fn values_stay_one_word(text in "[\\PC\\n]{0,30}|[$\\\\`\"'{}:A-C\\n#]{0,20}", tick: bool) {
            let escape = if tick { '`' } else { '\\' };
            let quoted = value(&text, Dollar::Expands, escape);
            prop_assert!(!quoted.contains('\n'));
            parsed(&quoted, escape, &|_| String::new());
        }

        #[test]
        fn copies_are_two_json_strings(source in "[^\\x00]{1,20}", dest in "[^\\x00]{1,20}") {
            let line = copy(&[source], &dest, '\\');
            prop_assert!(!line.contains('\n'));
            let words: Vec<String> = serde_json::from_str(&line).expect("JSON");
            prop_assert_eq!(words.len(), 2);
        }
    }
}
