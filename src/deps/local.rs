//! Requirements that are files or folders of the user's own.
//!
//! **Invariant:** what is recognised here is installed from what is sent along, never from an index.

use std::fmt::Write as _;

use super::requirements::normalise;
use crate::access::{unescaped, userinfo};

/// A requirement that names a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// The path, relative to the spec.
    pub path: String,
    /// The distribution, where the requirement or a file's name says it.
    pub name: Option<String>,
    /// `[a,b]`, or nothing.
    extras: String,
    /// `; python_version > "3"`, or nothing.
    marker: String,
    /// Whether `-e` was written.
    pub is_editable: bool,
    /// Where it is below the folder of local packages, once that is known.
    pub place: Option<String>,
}

impl Local {
    /// The line for the installer. `folder` is where local packages are when it runs.
    pub fn line(&self, folder: &str) -> String {
        let Self { extras, marker, .. } = self;
        let path = format!("{folder}/{}", self.place.as_deref().unwrap_or_default());
        let space = if marker.is_empty() { "" } else { " " };
        match &self.name {
            Some(name) => format!("{name}{extras} @ file://{}{space}{marker}", escaped(&path)),
            None => format!("file://{}{extras}{space}{marker}", escaped(&path)),
        }
    }
}

/// What stands for itself in the path of a URL.
fn escaped(path: &str) -> String {
    let mut result = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!+,=".contains(&byte) {
            result.push(char::from(byte));
        } else {
            let _ = write!(result, "%{byte:02X}");
        }
    }
    result
}

/// The text of a requirement without `-e`, and whether it was there.
pub(super) fn editable(text: &str) -> (&str, bool) {
    let long = text.strip_prefix("--editable").map(|rest| rest.trim_start_matches(['=', ' ']));
    let rest = text.strip_prefix("-e").filter(|rest| rest.starts_with([' ', '=', '.', '/']));
    match rest.map(|rest| rest.trim_start_matches(['=', ' '])).or(long) {
        Some(rest) => (rest.trim(), true),
        None => (text, false),
    }
}

/// Reads a requirement that names a path; none for any other. `beside` makes a path relative to
/// the spec.
pub(super) fn read(text: &str, beside: &dyn Fn(&str) -> String) -> Option<Local> {
    let (text, is_editable) = editable(text);
    let (text, marker) = match text.split_once(" ;").or_else(|| text.split_once("; ")) {
        Some((text, marker)) => (text.trim(), format!("; {}", marker.trim())),
        None => (text, String::new()),
    };
    let (named, target) = match text.split_once('@') {
        Some((named, target)) if is_named(named) => (Some(named.trim()), target.trim()),
        _ => (None, text),
    };
    let (target, target_extras) = with_extras(target);
    let path = match target.strip_prefix("file:") {
        Some(url) => {
            let path = url.strip_prefix("//localhost").or_else(|| url.strip_prefix("//"));
            unescaped(path.unwrap_or(url).split('#').next().unwrap_or_default())
        }
        None if userinfo(target).is_some() || target.contains("://") => return None,
        None => target.to_owned(),
    };
    let is_path = target.starts_with("file:")
        || path.starts_with(['.', '/', '~'])
        || is_wheel(&path)
        || is_archive(&path);
    if !is_path || path.is_empty() {
        return None;
    }
    let (name, extras) = match named.map(with_extras) {
        Some((name, extras)) => (Some(normalise(name)), extras),
        None => (name_of_file(&path), target_extras),
    };
    let path = beside(path.trim_end_matches('/'));
    Some(Local { path, name, extras: extras.to_owned(), marker, is_editable, place: None })
}

/// `name` or `name[extras]`: what may stand before `@`.
fn is_named(text: &str) -> bool {
    let (name, _) = with_extras(text.trim());
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn with_extras(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.find('[').filter(|_| text.ends_with(']')) {
        Some(at) => (text[..at].trim(), &text[at..]),
        None => (text, ""),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path is a wheel's, by its end.
pub fn is_wheel(path: &str) -> bool {
    super::requirements::has_extension(path, "whl")
}

/// Whether a path is that of a source archive.
pub fn is_archive(path: &str) -> bool {
    path.ends_with(".tar.gz") || super::requirements::has_extension(path, "zip")
}

/// The distribution that the name of a wheel or an archive says.
fn name_of_file(path: &str) -> Option<String> {
    if is_wheel(path) {
        return file_name(path).split('-').next().map(normalise);
    }
    let name = file_name(path).strip_suffix(".tar.gz").filter(|_| is_archive(path))?;
    name.rsplit_once('-').map(|(name, _)| normalise(name))
}

/// Whether a file has the name that a wheel must have:
/// `name-version[-build]-python-abi-platform.whl`.
pub fn is_wheel_name(path: &str) -> bool {
    let Some(name) = file_name(path).strip_suffix(".whl") else { return false };
    let parts: Vec<&str> = name.split('-').collect();
    let word = |part: &&str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '!' | '+'))
    };
    let build = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    parts.iter().all(word)
        && parts.get(1).is_some_and(|version| build(version))
        && (parts.len() == 5 || parts.len() == 6 && build(parts[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_other_requirements() {
        let beside = |path: &str| format!("d/{path}");
        for (text, path, line) in [
            (
                "./dist/My_Lib-1.0-py3-none-any.whl",
                "d/./dist/My_Lib-1.0-py3-none-any.whl",
                "my-lib @ file:///l/0/x",
            ),
            ("libs/x-1.0.tar.gz", "d/libs/x-1.0.tar.gz", "x @ file:///l/0/x"),
            ("./libs/mylib", "d/./libs/mylib", "file:///l/0/x"),
            ("-e ./libs/mylib/", "d/./libs/mylib", "file:///l/0/x"),
            ("--editable=../mylib[fast]", "d/../mylib", "file:///l/0/x[fast]"),
            ("-e .", "d/.", "file:///l/0/x"),
            ("MyLib[a,b] @ file:./libs/my%20lib", "d/./libs/my lib", "mylib[a,b] @ file:///l/0/x"),
            ("mylib @ file:///srv/mylib#egg=x", "d//srv/mylib", "mylib @ file:///l/0/x"),
            (
                "mylib @ ./mylib ; python_version > '3'",
                "d/./mylib",
                "mylib @ file:///l/0/x ; python_version > '3'",
            ),
        ] {
            let mut local = read(text, &beside).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(local.path, path, "{text}");
            local.place = Some("0/x".to_owned());
            assert_eq!(local.line("/l"), line, "{text}");
            assert_eq!(local.is_editable, text.starts_with('-'), "{text}");
        }
        for text in [
            "pandas>=2",
            "x @ https://h.example.org/x-1.0-py3-none-any.whl",
            "https://h.example.org/x-1.0-py3-none-any.whl",
            "git+ssh://git@h.example.org/x.git",
            "--extra-index-url file:///srv/index",
        ] {
            assert_eq!(read(text, &beside), None, "{text}");
        }
    }

    #[test]
    fn names_of_wheels() {
        for (name, is_one) in [
            ("d/x-1.0-py3-none-any.whl", true),
            ("x_y-1.0+local.1-2b-cp311-cp311-manylinux_2_17_x86_64.whl", true),
            ("x-1.0-py3-none.whl", false),
            ("x-1.0-build-py3-none-any.whl", false),
            ("x-one-py3-none-any.whl", false),
            ("x 1-1.0-py3-none-any.whl", false),
            ("x.whl", false),
        ] {
            assert_eq!(is_wheel_name(name), is_one, "{name}");
        }
    }
}
