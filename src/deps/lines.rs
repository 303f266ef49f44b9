//! Lines of requirements.txt files.
//!
//! **Invariant:** a line has the number of its first line in the file.

/// What a file of requirements is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Install,
    Constrain,
}

/// Lines joined at `\`, without comments and empty ones, each with its first line's number.
pub(super) fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (start, mut joined) = open.take().unwrap_or((at + 1, String::new()));
        let is_comment = line.trim_start().starts_with('#');
        if let (Some(head), false) = (line.strip_suffix('\\'), is_comment) {
            joined.push_str(head);
            open = Some((start, joined));
            continue;
        }
        joined.push_str(line);
        lines.push((start, joined));
    }
    lines.extend(open);
    let clean = lines.into_iter().map(|(at, line)| (at, without_comment(&line).trim().to_owned()));
    clean.filter(|(_, line)| !line.is_empty()).collect()
}

/// A `#` begins a comment at the start of a line or after a space: URLs hold others.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        if c == '#' && before.is_whitespace() {
            return &line[..at];
        }
        before = c;
    }
    line
}

/// The file that a line names with `-r` or `-c`.
pub(super) fn include(line: &str) -> Option<(Purpose, &str)> {
    let after = |flags: [&str; 2]| {
        let short = line.strip_prefix(flags[0]);
        let rest = line.strip_prefix(flags[1]).or(short)?;
        Some(rest.trim_start_matches([' ', '\t', '=']).trim())
    };
    let install = after(["-r", "--requirement"]).map(|path| (Purpose::Install, path));
    install.or_else(|| after(["-c", "--constraint"]).map(|path| (Purpose::Constrain, path)))
}

/// A path that a file names, from where the file's own is.
pub(super) fn beside(path: &str, target: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) if !target.starts_with('/') => format!("{folder}/{target}"),
        _ => target.to_owned(),
    }
}
