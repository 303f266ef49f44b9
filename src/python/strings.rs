//! Methods of strings.
//!
//! **Invariant:** pure; none where Python's result depends on more than is known here.

use super::containers::count_of;
use super::format;
use super::interpreter::Interpreter;
use super::object::{Args, Obj};
use super::ops::unknown;
use super::value::{Datum, Key, Span, V, Why};

impl Interpreter<'_> {
    pub(super) fn str_method(&mut self, text: &str, name: &str, args: &Args, span: Span) -> V {
        if let Some(why) = args.unknown() {
            return V::Unknown(why.clone());
        }
        let texts: Option<Vec<&str>> = args
            .positional
            .iter()
            .map(|datum| match &datum.value {
                V::Str(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let texts = texts.unwrap_or_default();
        match name {
            "format" => match format::braces(self, text, args, span) {
                Ok(text) => self.string(text, span),
                Err(why) => V::Unknown(why),
            },
            "format_map" => {
                let mut given = Args::default();
                if let Some(V::Ref(id)) = args.at(0)
                    && let Obj::Dict(dict) = self.heap.get(*id)
                {
                    for (key, datum) in dict.iter() {
                        if let V::Str(key) = key {
                            given.keywords.push(((&**key).into(), datum.clone()));
                        }
                    }
                }
                match format::braces(self, text, &given, span) {
                    Ok(text) => self.string(text, span),
                    Err(why) => V::Unknown(why),
                }
            }
            "join" => self.join_texts(text, args, span),
            "split" | "rsplit" | "splitlines" | "partition" | "rpartition" => {
                let parts = match name {
                    "splitlines" => split_lines(text, args.get(0, "keepends")),
                    "partition" | "rpartition" => partition(text, name, &texts),
                    _ => split(text, name, args),
                };
                let Some(parts) = parts else { return unknown(&[], span) };
                let tuple = name.ends_with("partition");
                let parts: Vec<Datum> =
                    parts.into_iter().map(|part| Datum::new(V::text(part), span)).collect();
                if !self.spend(parts.len() / 4) {
                    return unknown(&[], span);
                }
                if tuple { V::Tuple(parts.into()) } else { V::Ref(self.heap.add(Obj::List(parts))) }
            }
            "startswith" | "endswith" => {
                affix(text, name, args).map_or_else(|| unknown(&[], span), V::Bool)
            }
            "encode" => match texts.first().map(|encoding| encoding.to_ascii_lowercase()) {
                None => V::Bytes(text.as_bytes().into()),
                Some(encoding) if is_utf8(&encoding) => V::Bytes(text.as_bytes().into()),
                Some(encoding) if encoding == "ascii" && text.is_ascii() => {
                    V::Bytes(text.as_bytes().into())
                }
                Some(_) => unknown(&[], span),
            },
            "find" | "rfind" | "index" | "rindex" | "count" => match texts.as_slice() {
                [part] if !part.is_empty() => {
                    let found = match name {
                        "count" => return count_of(text.matches(part).count()),
                        "find" | "index" => text.find(part),
                        _ => text.rfind(part),
                    };
                    match found {
                        Some(at) => count_of(text[..at].chars().count()),
                        None if name.ends_with("find") => V::Int(-1),
                        None => unknown(&[], span),
                    }
                }
                _ => unknown(&[], span),
            },
            "isdigit" | "isdecimal" | "isnumeric" | "isalpha" | "isalnum" | "isupper"
            | "islower" | "isspace" | "isidentifier" | "isascii" => {
                predicate(text, name).map_or_else(|| unknown(&[], span), V::Bool)
            }
            _ => match changed(text, name, args, &texts) {
                Some(text) => self.string(text, span),
                None => unknown(&[], span),
            },
        }
    }

    fn join_texts(&mut self, separator: &str, args: &Args, span: Span) -> V {
        let Some(items) = args.at(0) else { return unknown(&[], span) };
        let items = match self.iterate(&items.clone(), span) {
            Ok(items) => items,
            Err(why) => return V::Unknown(why),
        };
        let mut joined = String::new();
        for (at, item) in items.iter().enumerate() {
            let V::Str(text) = &item.value else { return unknown(&[&item.value], span) };
            if at > 0 {
                joined.push_str(separator);
            }
            joined.push_str(text);
            if joined.len() > super::ops::LONGEST {
                return V::Unknown(Why::at(span));
            }
        }
        self.string(joined, span)
    }
}

/// Methods that give another string.
fn changed(text: &str, name: &str, args: &Args, texts: &[&str]) -> Option<String> {
    let ascii = text.is_ascii();
    Some(match (name, texts) {
        ("lower", []) => text.to_lowercase(),
        ("upper", []) => text.to_uppercase(),
        ("casefold", []) if ascii => text.to_ascii_lowercase(),
        ("capitalize", []) => {
            let mut characters = text.chars();
            let Some(first) = characters.next() else { return Some(String::new()) };
            let mut upper = first.to_uppercase();
            // Letters that become two, or stand for two, have a form of their own here.
            if upper.len() != 1 || ('\u{1c4}'..='\u{1f3}').contains(&first) {
                return None;
            }
            upper.by_ref().collect::<String>() + &characters.as_str().to_lowercase()
        }
        ("title", []) if ascii => title(text),
        ("swapcase", []) if ascii => text
            .chars()
            .map(|c| {
                if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() }
            })
            .collect(),
        ("strip" | "lstrip" | "rstrip", texts) => {
            let any = |c: char| match texts.first() {
                Some(set) => set.contains(c),
                None => is_space(c),
            };
            if texts.is_empty() && !matches!(args.at(0), None | Some(V::None)) {
                return None;
            }
            match name {
                "strip" => text.trim_matches(any),
                "lstrip" => text.trim_start_matches(any),
                _ => text.trim_end_matches(any),
            }
            .to_owned()
        }
        ("replace", [old, new]) => match (args.get(2, "count"), args.positional.len()) {
            (None, 2) => replace(text, old, new, usize::MAX)?,
            _ => return None,
        },
        ("replace", _) => match (args.at(0), args.at(1), args.get(2, "count")) {
            (Some(V::Str(old)), Some(V::Str(new)), Some(V::Int(count))) => {
                replace(text, old, new, usize::try_from(*count).unwrap_or(usize::MAX))?
            }
            _ => return None,
        },
        ("removeprefix", [prefix]) => text.strip_prefix(prefix).unwrap_or(text).to_owned(),
        ("removesuffix", [suffix]) => text.strip_suffix(suffix).unwrap_or(text).to_owned(),
        ("zfill" | "ljust" | "rjust" | "center", _) => {
            let Some(V::Int(width)) = args.at(0) else { return None };
            let width = usize::try_from(*width).unwrap_or(0);
            let fill = match args.at(1) {
                None => ' ',
                Some(V::Str(fill)) => fill.chars().next()?,
                Some(_) => return None,
            };
            pad(text, name, width, fill)?
        }
        ("expandtabs", _) => match args.get(0, "tabsize") {
            None => expand_tabs(text, 8)?,
            Some(V::Int(size)) => expand_tabs(text, usize::try_from(*size).unwrap_or(0))?,
            Some(_) => return None,
        },
        _ => return None,
    })
}

fn replace(text: &str, old: &str, new: &str, count: usize) -> Option<String> {
    let grows = new.len().saturating_mul(text.matches(old).count().min(count));
    (grows <= super::ops::LONGEST).then(|| text.replacen(old, new, count))
}

fn pad(text: &str, name: &str, width: usize, fill: char) -> Option<String> {
    if width > super::ops::LONGEST {
        return None;
    }
    let missing = width.saturating_sub(text.chars().count());
    let fill = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    Some(match name {
        "zfill" => {
            let zeros = "0".repeat(missing);
            match text.strip_prefix(['+', '-']) {
                Some(digits) => format!("{}{zeros}{digits}", &text[..1]),
                None => format!("{zeros}{text}"),
            }
        }
        "ljust" => format!("{text}{}", fill(missing)),
        "rjust" => format!("{}{text}", fill(missing)),
        // Where it does not come out even, Python looks at both parities.
        _ => {
            let left = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", fill(left), fill(missing - left))
        }
    })
}

fn expand_tabs(text: &str, size: usize) -> Option<String> {
    let mut expanded = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if size > super::ops::LONGEST || expanded.len() > super::ops::LONGEST => {
                return None;
            }
            '\t' => {
                let spaces = if size == 0 { 0 } else { size - column % size };
                expanded.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            c => {
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
                expanded.push(c);
            }
        }
    }
    Some(expanded)
}

fn title(text: &str) -> String {
    let mut inside = false;
    let letter = |c: char| {
        let new = if inside { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
        inside = c.is_ascii_alphabetic();
        new
    };
    text.chars().map(letter).collect()
}

fn split(text: &str, name: &str, args: &Args) -> Option<Vec<String>> {
    let most = match args.get(1, "maxsplit") {
        None => usize::MAX,
        Some(V::Int(most)) => usize::try_from(*most).unwrap_or(usize::MAX),
        Some(_) => return None,
    };
    let pieces = most.saturating_add(1);
    let owned = |parts: Vec<&str>| parts.into_iter().map(str::to_owned).collect();
    match args.get(0, "sep") {
        Some(V::Str(separator)) if !separator.is_empty() => {
            if name == "split" {
                return Some(owned(text.splitn(pieces, &**separator).collect()));
            }
            let mut parts: Vec<&str> = text.rsplitn(pieces, &**separator).collect();
            parts.reverse();
            Some(owned(parts))
        }
        None | Some(V::None) => {
            let words = text.split(is_space).filter(|word| !word.is_empty());
            if most == usize::MAX {
                return Some(owned(words.collect()));
            }
            (name == "split").then(|| split_words(text, most))
        }
        _ => None,
    }
}

fn split_words(text: &str, most: usize) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        if words.len() == most {
            words.push(rest.to_owned());
            break;
        }
        let end = rest.find(is_space).unwrap_or(rest.len());
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches(is_space);
    }
    words
}

fn partition(text: &str, name: &str, texts: &[&str]) -> Option<Vec<String>> {
    let [separator] = texts else { return None };
    if separator.is_empty() {
        return None;
    }
    let found =
        if name == "partition" { text.split_once(separator) } else { text.rsplit_once(separator) };
    Some(match (found, name) {
        (Some((before, after)), _) => vec![before.into(), (*separator).into(), after.into()],
        (None, "partition") => vec![text.into(), String::new(), String::new()],
        (None, _) => vec![String::new(), String::new(), text.into()],
    })
}

fn split_lines(text: &str, keep: Option<&V>) -> Option<Vec<String>> {
    let keep = match keep {
        None => false,
        Some(V::Bool(keep)) => *keep,
        Some(_) => return None,
    };
    let mut lines = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if !ends_line(c) {
            continue;
        }
        let mut end = at + c.len_utf8();
        if c == '\r' && characters.peek().is_some_and(|(_, next)| *next == '\n') {
            characters.next();
            end += 1;
        }
        lines.push(text[start..if keep { end } else { at }].to_owned());
        start = end;
    }
    if start < text.len() {
        lines.push(text[start..].to_owned());
    }
    Some(lines)
}

fn ends_line(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Lines of a file, each with its end.
pub(super) fn lines_with_ends(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

fn affix(text: &str, name: &str, args: &Args) -> Option<bool> {
    if args.positional.len() != 1 {
        return None;
    }
    let fits = |affix: &str| match name {
        "startswith" => text.starts_with(affix),
        _ => text.ends_with(affix),
    };
    match args.at(0)? {
        V::Str(affix) => Some(fits(affix)),
        V::Tuple(affixes) => {
            let affixes: Option<Vec<bool>> = affixes
                .iter()
                .map(|affix| match &affix.value {
                    V::Str(affix) => Some(fits(affix)),
                    _ => None,
                })
                .collect();
            Some(affixes?.contains(&true))
        }
        _ => None,
    }
}

fn predicate(text: &str, name: &str) -> Option<bool> {
    if name == "isascii" {
        return Some(text.is_ascii());
    }
    if !text.is_ascii() {
        return None;
    }
    let all = |test: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(test);
    let cased = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    Some(match name {
        "isdigit" | "isdecimal" | "isnumeric" => all(u8::is_ascii_digit),
        "isalpha" => all(u8::is_ascii_alphabetic),
        "isalnum" => all(u8::is_ascii_alphanumeric),
        "isspace" => !text.is_empty() && text.chars().all(is_space),
        "isupper" => cased && !text.bytes().any(|byte| byte.is_ascii_lowercase()),
        "islower" => cased && !text.bytes().any(|byte| byte.is_ascii_uppercase()),
        _ => {
            !text.starts_with(|c: char| c.is_ascii_digit())
                && all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        }
    })
}

/// What Python takes for white space.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

pub(super) fn is_utf8(encoding: &str) -> bool {
    matches!(encoding.to_ascii_lowercase().as_str(), "utf-8" | "utf8" | "utf_8")
}

/// `textwrap.dedent`.
pub(super) fn dedent(text: &str) -> String {
    let blank = |line: &str| line.trim_matches([' ', '\t']).is_empty();
    let lines: Vec<&str> = text.split('\n').collect();
    let margin = lines
        .iter()
        .filter(|line| !blank(line))
        .map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]);
    let margin = margin.reduce(|a, b| {
        let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        &a[..same]
    });
    let margin = margin.map_or(0, str::len);
    let lines = lines.iter().map(|line| if blank(line) { "" } else { &line[margin..] });
    lines.collect::<Vec<_>>().join("\n")
}

/// `string.Template.substitute`; none for what it refuses or is not known.
pub(super) fn substitute(
    template: &str,
    safe: bool,
    get: impl Fn(&str) -> Option<Result<String, Why>>,
) -> Option<Result<String, Why>> {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            text.push('$');
            rest = after;
            continue;
        }
        let (name, end) = if let Some(inner) = after.strip_prefix('{') {
            inner.split_once('}')?
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            after.split_at(end.unwrap_or(after.len()))
        };
        match get(name) {
            Some(Ok(value)) => text.push_str(&value),
            Some(Err(why)) => return Some(Err(why)),
            None if safe => text.push_str(&rest[at..rest.len() - end.len()]),
            None => return None,
        }
        rest = end;
    }
    text.push_str(rest);
    Some(Ok(text))
}

/// The key of a text.
pub(super) fn key(text: &str) -> Key {
    Key::Text(text.into())
}
