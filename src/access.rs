//! What a build fetches with: indexes, secrets, ssh, certificates.
//!
//! **Invariant:** knows secrets by their names and places, never by their values; no URL in it holds
//! a credential that is written out.

use std::path::PathBuf;

use crate::problem::Place;

/// What the steps that install Python packages, and those of apt, may use and do not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Where Python packages come from.
    pub indexes: Indexes,
    /// Variables that the URLs of requirements name.
    pub in_requirements: Vec<String>,
    /// Secrets of the build, each once.
    pub secrets: Vec<Secret>,
    /// Agents and keys of ssh.
    pub ssh: Vec<Ssh>,
    /// The certificates that the build trusts besides the base's, one PEM block each.
    pub certificates: Vec<String>,
    /// Whether the image keeps them.
    pub keep_certificates: bool,
}

impl Access {
    /// Whether the steps that install Python packages need more than a plain Dockerfile has.
    pub fn is_needed(&self) -> bool {
        *self != Self::default()
    }

    /// The secret that a netrc file is.
    pub fn has_netrc(&self) -> bool {
        self.secrets.iter().any(|secret| secret.id == NETRC)
    }
}

/// The id of the secret that is a netrc file.
pub const NETRC: &str = "netrc";
/// The id of the secret that is the user's file of known hosts.
pub const KNOWN_HOSTS: &str = "flowstorage-known-hosts";

/// Indexes of Python packages. Their URLs may hold `${NAME}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexes {
    /// Instead of `PyPI`.
    pub default: Option<String>,
    /// Before it, in order.
    pub extra: Vec<String>,
}

impl Indexes {
    /// All URLs.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.default.iter().chain(&self.extra).map(String::as_str)
    }
}

/// A secret of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What the Dockerfile calls it.
    pub id: String,
    /// Where its value is.
    pub source: Source,
    /// The variable that it is in the steps that install Python packages.
    pub variable: Option<String>,
    /// Whether its value may be seen: a name of a user, a list of hosts.
    pub is_public: bool,
    /// The key that asks for it.
    pub key: &'static str,
    /// Where it does.
    pub place: Place,
}

/// An agent, or keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// What the Dockerfile calls it.
    pub id: String,
    /// Keys or the socket of an agent, absolute; none for the agent of whoever builds.
    pub paths: Vec<PathBuf>,
    /// Where the spec asks for it.
    pub place: Place,
}

impl Ssh {
    /// The same in buildx's words.
    pub fn to_flag(&self) -> String {
        let paths: Vec<_> = self.paths.iter().map(|path| path.to_string_lossy()).collect();
        if paths.is_empty() { self.id.clone() } else { format!("{}={}", self.id, paths.join(",")) }
    }
}

/// Where the value of a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a variable of whoever builds.
    Variable(String),
    /// In a file, absolute.
    File(PathBuf),
}

impl Secret {
    /// The secret in buildx's words.
    pub fn to_csv(&self) -> String {
        let source = match &self.source {
            Source::Variable(name) => format!("env={name}"),
            Source::File(path) => format!("src={}", path.to_string_lossy()),
        };
        format!("id={},{}", self.id, csv_field(&source))
    }
}

/// A field of CSV, quoted where it must be.
pub fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The fields of a line of CSV.
pub fn csv_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => fields[last].push('"'),
            '"' if quoted || fields[last].is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields[last].push(c),
        }
    }
    fields
}

/// Why a URL is refused, and what to write.
pub type Refused = (String, String);

/// Whether a text can be the name of a variable.
pub fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The variables that a text names as `${NAME}`, each once.
pub fn variables(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for rest in text.split("${").skip(1) {
        let name = rest.split('}').next().unwrap_or_default();
        if is_variable(name) && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// The variables of a URL that are only names of users: a password stands beside them.
pub fn users(url: &str) -> Vec<&str> {
    let Some((user, _)) = userinfo(url).and_then(|(start, end)| url[start..end].split_once(':'))
    else {
        return Vec::new();
    };
    let elsewhere = variables(&url[url.find(user).unwrap_or_default() + user.len()..]);
    variables(user).into_iter().filter(|name| !elsewhere.contains(name)).collect()
}

/// Reads the URL of an index.
pub fn index_url(text: &str) -> Result<String, Refused> {
    let shown = without_credentials(text);
    let refused = |message: String, remedy: &str| Err((message, remedy.to_owned()));
    // The whole URL may be what is secret.
    let is_variable_alone =
        text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(is_variable);
    if is_variable_alone {
        return Ok(text.to_owned());
    }
    let rest = ["https://", "http://", "file://"].iter().find_map(|s| text.strip_prefix(s));
    let is_url = rest.is_some_and(|rest| !rest.is_empty())
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if !is_url {
        return refused(
            format!("`{shown}` is not the URL of an index"),
            "write it as \"https://pypi.example.org/simple\"",
        );
    }
    check_credentials(text)?;
    for rest in text.split("${").skip(1) {
        if !rest.split_once('}').is_some_and(|(name, _)| is_variable(name)) {
            return refused(
                format!("a `${{` in `{shown}` names no variable"),
                "write ${NAME}, with letters, digits and `_`",
            );
        }
    }
    Ok(text.to_owned())
}

/// Says what is wrong where a URL holds a credential that is written out.
pub fn check_credentials(url: &str) -> Result<(), Refused> {
    let Some((start, end)) = userinfo(url) else { return Ok(()) };
    let secret = url[start..end].split_once(':').map_or(&url[start..end], |(_, word)| word);
    if !secret.is_empty() && without_variables(secret).is_empty() {
        return Ok(());
    }
    let (scheme, host) = (&url[..start], url[end + 1..].split('/').next().unwrap_or_default());
    Err((
        format!("the URL `{}` holds a credential", without_credentials(url)),
        format!(
            "write {scheme}${{USER}}:${{TOKEN}}@{host}/…, with the names of variables that you \
             set where you build"
        ),
    ))
}

/// A text with what is written out before the `@` of a URL left out.
pub fn without_credentials(text: &str) -> String {
    let Some((start, end)) = userinfo(text) else { return text.to_owned() };
    let hidden = |part: &str| {
        if without_variables(part).is_empty() { part.to_owned() } else { "…".to_owned() }
    };
    let shown = match text[start..end].split_once(':') {
        Some((user, word)) => format!("{}:{}", hidden(user), hidden(word)),
        None => hidden(&text[start..end]),
    };
    format!("{}{shown}{}", &text[..start], &text[end..])
}

/// A text without `%XX`.
pub fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| text.as_bytes()[at] == b'%');
        // A sign is taken by the parser, and is no digit.
        let hex = hex.filter(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(text.as_bytes()[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is left of a text without its `${NAME}`.
fn without_variables(text: &str) -> String {
    let mut rest = text.to_owned();
    for name in variables(text) {
        rest = rest.replace(&format!("${{{name}}}"), "");
    }
    rest
}

/// Where the user and the password of a URL begin and end.
pub fn userinfo(text: &str) -> Option<(usize, usize)> {
    let start = text.find("://")? + 3;
    let host_end = text[start..].find(['/', ' ', '?', '#']).map_or(text.len(), |at| start + at);
    let at = text[start..host_end].rfind('@')?;
    Some((start, start + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_indexes() {
        for url in [
            "https://pypi.example.org/simple",
            "https://${USER}:${TOKEN}@pypi.example.org/simple",
            "https://__token__:${TOKEN}@pypi.example.org/simple",
            "https://${TOKEN}@pypi.example.org/simple",
            "https://pypi.example.org/${TOKEN}/simple",
            "http://127.0.0.1:8080/",
            "file:///srv/index",
            "${PIP_INDEX_URL}",
        ] {
            assert_eq!(index_url(url), Ok(url.to_owned()), "{url}");
        }
        let remedy = "write https://${USER}:${TOKEN}@h.example.org/…, with the names of variables \
                      that you set where you build";
        let not_url = "write it as \"https://pypi.example.org/simple\"";
        let no_name = "write ${NAME}, with letters, digits and `_`";
        for (url, message, remedy) in [
            (
                "https://me:word@h.example.org/x",
                "the URL `https://…:…@h.example.org/x` holds a credential",
                remedy,
            ),
            (
                "https://${USER}:word@h.example.org",
                "the URL `https://${USER}:…@h.example.org` holds a credential",
                remedy,
            ),
            (
                "https://token@h.example.org/x",
                "the URL `https://…@h.example.org/x` holds a credential",
                remedy,
            ),
            (
                "https://me:a${X}@h.example.org/x",
                "the URL `https://…:…@h.example.org/x` holds a credential",
                remedy,
            ),
            (
                "https://me:@h.example.org/x",
                "the URL `https://…:@h.example.org/x` holds a credential",
                remedy,
            ),
            ("pypi.example.org", "`pypi.example.org` is not the URL of an index", not_url),
            ("https://a b", "`https://a b` is not the URL of an index", not_url),
            ("https://h/${}", "a `${` in `https://h/${}` names no variable", no_name),
            ("https://h/${A", "a `${` in `https://h/${A` names no variable", no_name),
        ] {
            assert_eq!(index_url(url), Err((message.to_owned(), remedy.to_owned())), "{url}");
        }
    }

    #[test]
    fn a_user_beside_a_password_is_no_secret() {
        for (url, names) in [
            ("https://${USER}:${TOKEN}@h/", &["USER"][..]),
            ("https://${TOKEN}@h/", &[]),
            ("https://${TOKEN}:${TOKEN}@h/", &[]),
            ("https://${USER}:${TOKEN}@h/${USER}", &[]),
            ("https://h/${USER}", &[]),
        ] {
            assert_eq!(users(url), names, "{url}");
        }
        assert_eq!(variables("https://${A}:${B}@h/${A}/${2}"), ["A", "B"]);
    }

    #[test]
    fn escapes_are_undone_once() {
        for (text, plain) in
            [("a%2Fb%c3%b6", "a/b\u{f6}"), ("%2525%", "%25%"), ("%+1\u{f6}%2", "%+1\u{f6}%2")]
        {
            assert_eq!(unescaped(text), plain, "{text}");
        }
    }

    #[test]
    fn fields_of_csv_come_back() {
        for text in ["src=/a", "src=/a,b", "src=/a\"b", "src=\"", "x"] {
            let line = format!("id=x,{}", csv_field(text));
            assert_eq!(csv_fields(&line), ["id=x", text], "{line}");
        }
    }
}
