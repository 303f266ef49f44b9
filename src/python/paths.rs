//! Paths as text, the way `posixpath` and `pathlib` see them.
//!
//! **Invariant:** pure; links are not followed.

/// Numbers of a range.
pub(super) fn range_len(first: i64, end: i64, step: i64) -> i64 {
    let (low, high) = if step > 0 { (first, end) } else { (end, first) };
    if low >= high || step == 0 {
        return 0;
    }
    let distance = i128::from(high) - i128::from(low) - 1;
    i64::try_from(distance / i128::from(step.unsigned_abs()) + 1).unwrap_or(i64::MAX)
}

/// `os.path.join` of two paths.
pub(super) fn join(a: &str, b: &str) -> String {
    if b.starts_with('/') || a.is_empty() {
        return b.to_owned();
    }
    if a.ends_with('/') { format!("{a}{b}") } else { format!("{a}/{b}") }
}

/// A path as `pathlib` keeps it: without `.`, empty names and a slash at the end.
pub(super) fn pure(path: &str) -> String {
    let names: Vec<&str> = names(path).filter(|name| *name != ".").collect();
    match (root(path), names.join("/")) {
        ("", names) if names.is_empty() => ".".to_owned(),
        (root, names) => format!("{root}{names}"),
    }
}

/// `os.path.normpath`.
pub(super) fn normal(path: &str) -> String {
    let root = root(path);
    let mut kept: Vec<&str> = Vec::new();
    for name in names(path) {
        match name {
            "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => _ = kept.pop(),
            ".." if !root.is_empty() => {}
            name => kept.push(name),
        }
    }
    match kept.join("/") {
        names if names.is_empty() && root.is_empty() => ".".to_owned(),
        names => format!("{root}{names}"),
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// Two slashes at the front are kept, three are one.
fn root(path: &str) -> &'static str {
    match path.bytes().take_while(|byte| *byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    }
}

/// `os.path.split`.
pub(super) fn split(path: &str) -> (&str, &str) {
    let at = path.rfind('/').map_or(0, |at| at + 1);
    let (head, tail) = path.split_at(at);
    let bare = head.trim_end_matches('/');
    (if bare.is_empty() { head } else { bare }, tail)
}

/// `os.path.splitext`: dots at the front of a name begin no extension.
pub(super) fn split_extension(path: &str) -> (&str, &str) {
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let name = &path[name_at..];
    let bare = name.trim_start_matches('.');
    match bare.rfind('.') {
        Some(at) => path.split_at(name_at + (name.len() - bare.len()) + at),
        None => (path, ""),
    }
}

/// The last name of a path of `pathlib`.
pub(super) fn name(path: &str) -> &str {
    match split(path).1 {
        "." => "",
        name => name,
    }
}

/// Stem and suffix of a path of `pathlib`.
pub(super) fn stem_and_suffix(path: &str) -> (&str, &str) {
    let name = name(path);
    match name.rfind('.') {
        Some(at) if at > 0 && at + 1 < name.len() && !name[..at].bytes().all(|b| b == b'.') => {
            name.split_at(at)
        }
        _ => (name, ""),
    }
}

/// The parent of a path of `pathlib`.
pub(super) fn parent(path: &str) -> &str {
    match split(path) {
        ("", _) => ".",
        (head, "") if head == path => path,
        (head, _) => head,
    }
}

/// `os.path.relpath` of two normal, absolute paths.
pub(super) fn relative(path: &str, start: &str) -> String {
    let path: Vec<&str> = names(path).collect();
    let start: Vec<&str> = names(start).collect();
    let same = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", start.len() - same);
    let parts: Vec<&str> = up.chain(path[same..].iter().copied()).collect();
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}
