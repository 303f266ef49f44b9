//! A Dockerfile that a user wrote, read as far as ours can follow it.
//!
//! The format is that of <https://docs.docker.com/reference/dockerfile/#format>.
//!
//! **Invariant:** the user's lines keep their numbers: only the last FROM may grow at its end.

/// What must be known of a Dockerfile to go on from its last stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The escape character: `\`, or what a directive says.
    pub escape: char,
    /// The text, in which the last stage has a name.
    pub text: String,
    /// That name.
    pub last_stage: String,
    /// The last USER of the last stage, as written.
    pub user: Option<String>,
    /// The image that the last stage begins from, over all stages in between; none where only
    /// the build could tell.
    pub image: Option<String>,
}

/// Why a Dockerfile cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Counted from 1.
    pub line: usize,
    /// One line.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// The name that a last stage without one is given.
const STAGE: &str = "flowstorage-base";

/// Reads a Dockerfile, to go on from its last stage or from the one that `target` names.
pub fn read(text: &str, target: Option<&str>) -> Result<Parsed, Unreadable> {
    let escape = escape_directive(text);
    let instructions = instructions(text, escape)?;
    let froms: Vec<usize> =
        (0..instructions.len()).filter(|at| instructions[*at].is("FROM")).collect();
    let Some(last) = froms.last().copied() else {
        return Err(Unreadable {
            line: 1,
            message: "the Dockerfile has no FROM".to_owned(),
            remedy: "begin it with FROM and an image".to_owned(),
        });
    };
    // A stage is named by its name, in whatever case, or by its number.
    let is_target = |stage: usize, wanted: &str| {
        let name = instructions[froms[stage]].stage_name();
        name.is_some_and(|name| name.eq_ignore_ascii_case(wanted)) || stage.to_string() == wanted
    };
    let chosen = match target {
        None => last,
        Some(wanted) => match (0..froms.len()).rev().find(|stage| is_target(*stage, wanted)) {
            Some(stage) => froms[stage],
            None => {
                return Err(Unreadable {
                    line: 1,
                    message: format!("the Dockerfile has no stage `{wanted}`"),
                    remedy: "correct `target` in build_kwargs, or leave it out".to_owned(),
                });
            }
        },
    };
    let from = &instructions[chosen];
    let name = from.stage_name().map(str::to_owned);
    let end = froms.iter().copied().find(|at| *at > chosen).unwrap_or(instructions.len());
    let user = instructions[chosen..end]
        .iter()
        .rfind(|instruction| instruction.is("USER"))
        .map(|instruction| instruction.arguments.clone());
    let mut named = text.to_owned();
    let last_stage = name.unwrap_or_else(|| {
        named.insert_str(from.end, &format!(" AS {STAGE}"));
        STAGE.to_owned()
    });
    if !named.ends_with('\n') {
        named.push('\n');
    }
    let image = image_of(&instructions, &froms, chosen);
    Ok(Parsed { escape, text: named, last_stage, user, image })
}

/// The image that a stage begins from in the end. `chosen` is the place of its FROM.
fn image_of(instructions: &[Instruction], froms: &[usize], chosen: usize) -> Option<String> {
    let mut at = froms.iter().position(|from| *from == chosen)?;
    loop {
        let from = &instructions[froms[at]];
        let word = from.arguments.split_whitespace().find(|word| !word.starts_with("--"))?;
        // Stages are named by those below them only, the nearest one first.
        let is_named = |stage: &usize| {
            let name = instructions[froms[*stage]].stage_name();
            name.is_some_and(|name| name.eq_ignore_ascii_case(word)) || stage.to_string() == word
        };
        match (0..at).rev().find(is_named) {
            Some(stage) => at = stage,
            None => return with_arguments(word, &instructions[..froms[0]]),
        }
    }
}

/// The name of an image with the defaults of the arguments above the first FROM.
fn with_arguments(word: &str, above: &[Instruction]) -> Option<String> {
    let mut image = word.to_owned();
    for argument in above.iter().filter(|instruction| instruction.is("ARG")) {
        let Some((name, default)) = argument.arguments.split_once('=') else { continue };
        let default = default.trim_matches(['"', '\'']);
        image = image.replace(&format!("${{{name}}}"), default);
        if image == format!("${name}") {
            default.clone_into(&mut image);
        }
    }
    (!image.contains('$') && image != "scratch").then_some(image)
}

struct Instruction {
    /// As written.
    word: String,
    /// The rest, continued lines joined.
    arguments: String,
    /// Byte offset where its text ends, without line break and trailing space.
    end: usize,
}

impl Instruction {
    fn is(&self, word: &str) -> bool {
        self.word.eq_ignore_ascii_case(word)
    }

    /// The NAME of `FROM image AS NAME`.
    fn stage_name(&self) -> Option<&str> {
        let mut words = self.arguments.split_whitespace();
        words.find(|word| word.eq_ignore_ascii_case("as"))?;
        words.next()
    }
}

/// Directives stand before everything else, each once.
fn escape_directive(text: &str) -> char {
    for line in text.trim_start_matches('\u{feff}').lines() {
        let Some(comment) = line.trim().strip_prefix('#') else { break };
        let Some((key, value)) = comment.split_once('=') else { break };
        let key = key.trim().to_ascii_lowercase();
        match (key.as_str(), value.trim()) {
            ("escape", "`") => return '`',
            ("escape" | "syntax" | "check", _) => {}
            _ => break,
        }
    }
    '\\'
}

fn instructions(text: &str, escape: char) -> Result<Vec<Instruction>, Unreadable> {
    let mut result = Vec::new();
    let mut lines = Lines { text, at: 0, number: 0 };
    while let Some((start, line)) = lines.next() {
        if is_comment(line) || line.trim().is_empty() {
            continue;
        }
        let first_number = lines.number;
        let mut joined = String::new();
        let (mut start, mut line) = (start, line);
        let end = loop {
            let trimmed = line.trim_end();
            let Some(head) = trimmed.strip_suffix(escape) else {
                joined.push_str(trimmed);
                break start + trimmed.len();
            };
            joined.push_str(head);
            // Comments and empty lines do not end what is continued.
            let next = loop {
                match lines.next() {
                    Some((_, line)) if is_comment(line) || line.trim().is_empty() => {}
                    other => break other,
                }
            };
            match next {
                Some(next) => (start, line) = next,
                None => break start + head.trim_end().len(),
            }
        };
        let joined = joined.trim();
        let (word, arguments) = joined.split_once(char::is_whitespace).unwrap_or((joined, ""));
        let takes_heredocs = ["RUN", "COPY", "ADD"].iter().any(|w| word.eq_ignore_ascii_case(w));
        if takes_heredocs {
            for (name, strips_tabs) in heredocs(arguments) {
                let closes = |line: &str| {
                    let line = if strips_tabs { line.trim_start_matches('\t') } else { line };
                    line.trim_end_matches('\r') == name
                };
                loop {
                    match lines.next() {
                        Some((_, line)) if closes(line) => break,
                        Some(_) => {}
                        None => {
                            return Err(Unreadable {
                                line: first_number,
                                message: format!("the here-document `{name}` is not closed"),
                                remedy: format!("end it with a line `{name}`"),
                            });
                        }
                    }
                }
            }
        }
        let arguments = arguments.trim().to_owned();
        result.push(Instruction { word: word.to_owned(), arguments, end });
    }
    Ok(result)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Names of here-documents: `<<EOF`, `<<-EOF`, `<<"EOF"`, `3<<EOF`, not `<<<`.
fn heredocs(arguments: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for word in arguments.split_whitespace() {
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let Some(rest) = word.strip_prefix("<<") else { continue };
        let (rest, strips_tabs) = match rest.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let name = rest.trim_matches(['"', '\'']);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-';
        if !name.is_empty() && name.chars().all(fits) {
            found.push((name.to_owned(), strips_tabs));
        }
    }
    found
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
    number: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    /// Byte offset and text of the next line, without its line break.
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        let length = self.text[start..].find('\n').unwrap_or(self.text.len() - start);
        self.at = start + length + 1;
        self.number += 1;
        Some((start, &self.text[start..start + length]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_gets_a_name_in_its_own_line() {
        let parsed = read(
            "FROM a AS x\nRUN y\nFROM --platform=linux/amd64 \\\n  # why\n  b  \nUSER me",
            None,
        )
        .expect("valid");
        assert_eq!(
            parsed.text,
            "FROM a AS x\nRUN y\nFROM --platform=linux/amd64 \\\n  # why\n  b AS flowstorage-base  \nUSER me\n"
        );
        assert_eq!(parsed.last_stage, "flowstorage-base");
        assert_eq!(parsed.user.as_deref(), Some("me"));
    }

    #[test]
    fn a_named_stage_keeps_its_name() {
        let text = "# syntax=docker/dockerfile:1\n# escape=`\nfrom a as Final\r\nuser 1`\n000\n";
        let parsed = read(text, None).expect("valid");
        assert_eq!((parsed.text.as_str(), parsed.last_stage.as_str()), (text, "Final"));
        assert_eq!((parsed.escape, parsed.user.as_deref()), ('`', Some("1000")));
    }

    #[test]
    fn here_documents_are_no_instructions() {
        let text = "FROM a\nRUN <<EOF cat <<-'X'\nFROM no\nUSER no\nEOF\n\tUSER no\n\tX\nCOPY <<F /f\nFROM no\nF\n";
        let parsed = read(text, None).expect("valid");
        assert_eq!(parsed.user, None);
        assert!(parsed.text.starts_with("FROM a AS flowstorage-base\n"));
        let open = read("FROM a\n\nRUN <<EOF\nx", None).expect_err("open");
        assert_eq!(
            (open.line, open.message.as_str()),
            (3, "the here-document `EOF` is not closed")
        );
    }

    #[test]
    fn a_user_of_an_earlier_stage_does_not_count() {
        let parsed = read("FROM a\nUSER me\nFROM b AS c\n", None).expect("valid");
        assert_eq!(parsed.user, None);
        assert!(read("# FROM x\nRUN y\n", None).is_err());
    }

    #[test]
    fn the_image_is_that_of_the_first_stage_on_the_way() {
        let of = |text: &str, target| read(text, target).expect("valid").image;
        let text = "ARG V=3.11\nARG B=python\nFROM --platform=linux/amd64 $B:${V} AS one\n\
                    FROM debian:12 AS two\nFROM ONE\n";
        assert_eq!(of(text, None), None, "`$B:` is not understood");
        assert_eq!(of(&text.replace("$B:", "${B}:"), None).as_deref(), Some("python:3.11"));
        assert_eq!(of(text, Some("two")).as_deref(), Some("debian:12"));
        assert_eq!(of("ARG B='x:1'\nFROM $B\n", None).as_deref(), Some("x:1"));
        assert_eq!(of("FROM a\nFROM 0\n", None).as_deref(), Some("a"));
        assert_eq!(of("FROM scratch\n", None), None);
    }

    #[test]
    fn a_target_is_a_stage_by_name_or_number() {
        let text = "FROM a AS Build\nUSER me\nFROM b\nUSER you\nFROM c AS last\n";
        let of = |target| read(text, Some(target)).map(|parsed| (parsed.last_stage, parsed.user));
        assert_eq!(of("build"), Ok(("Build".to_owned(), Some("me".to_owned()))));
        assert_eq!(of("1"), Ok((STAGE.to_owned(), Some("you".to_owned()))));
        assert_eq!(of("last"), Ok(("last".to_owned(), None)));
        let error = of("none").expect_err("there is no such stage");
        assert_eq!(error.message, "the Dockerfile has no stage `none`");
        let named = read(text, Some("1")).expect("valid").text;
        assert_eq!(named, text.replace("FROM b\n", "FROM b AS flowstorage-base\n"));
    }
}
