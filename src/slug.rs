//! Names made fit for paths and image names, as python-slugify makes them for Prefect 1.
//!
//! **Invariant:** a slug consists of `a-z`, `0-9` and single inner dashes, so that agents find a
//! flow where Prefect would have put it.

use unicode_normalization::UnicodeNormalization;

/// The slug of a flow's name; empty if nothing of it can be kept.
pub fn slugify(name: &str) -> String {
    let quoted = collapse(name, '\'');
    let ascii: String = quoted.nfkd().map(transliterate).collect();
    let decoded = decode_entities(&ascii);
    let plain: String =
        decoded.nfkd().flat_map(char::to_lowercase).filter(|c| *c != '\'').collect();
    let chars: Vec<char> = plain.chars().collect();
    let mut slug = String::new();
    for (at, c) in chars.iter().enumerate() {
        let digit =
            |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
        if *c == ',' && digit(at.checked_sub(1)) && digit(Some(at + 1)) {
            continue;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(*c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Where each character's text begins in [`TEXTS`]: 32 bits each, little-endian. See `build.rs`.
const OFFSETS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/transliteration.offsets"));
const TEXTS: &str = include_str!(concat!(env!("OUT_DIR"), "/transliteration.txt"));

/// A character in ASCII; empty where there is no such text.
fn transliterate(c: char) -> &'static str {
    let offset = |index: usize| {
        let bytes = OFFSETS.get(index * 4..index * 4 + 4)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let index = c as usize;
    let range = offset(index).zip(index.checked_add(1).and_then(offset));
    range.and_then(|(from, to)| TEXTS.get(from..to)).unwrap_or_default()
}

/// Runs of `'` become one dash.
fn collapse(text: &str, quote: char) -> String {
    let mut result = String::new();
    let mut in_run = false;
    for c in text.chars() {
        if c != quote {
            result.push(c);
        } else if !in_run {
            result.push('-');
        }
        in_run = c == quote;
    }
    result
}

/// Decodes `&amp;`, `&#381;` and `&#x17D;`; what is no entity stays.
fn decode_entities(text: &str) -> String {
    const NAMED: [(&str, char); 5] =
        [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("nbsp", '\u{a0}')];
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest.find(';').map(|end| &rest[1..end]);
        let decoded = entity.and_then(|entity| {
            let named = NAMED.iter().find(|(name, _)| *name == entity).map(|(_, c)| *c);
            let code = entity.strip_prefix('#').and_then(|code| match code.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => code.parse().ok(),
            });
            named.or_else(|| code.and_then(char::from_u32))
        });
        if let (Some(c), Some(entity)) = (decoded, entity) {
            result.push(c);
            rest = &rest[entity.len() + 2..];
        } else {
            result.push('&');
            rest = &rest[1..];
        }
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::{slugify, transliterate};

    #[test]
    fn the_table_is_that_of_the_crate() {
        for c in (0..=0x11_0000).filter_map(char::from_u32) {
            assert_eq!(transliterate(c), unidecode::unidecode_char(c), "{c:?}");
        }
    }

    /// What python-slugify 9.2.0 gives.
    #[test]
    fn as_python_slugify() {
        for (name, slug) in [
            ("ETL", "etl"),
            ("it's", "it-s"),
            ("I don\u{2019}t", "i-dont"),
            ("a_b.c", "a-b-c"),
            ("!!!", ""),
            ("日本語", "ri-ben-yu"),
            ("№5", "no5"),
            ("™", "tm"),
            ("ß", "ss"),
            ("1,000 rows", "1000-rows"),
            ("a, b", "a-b"),
            ("a &amp; b", "a-b"),
            ("&#381;ito", "z-ito"),
            ("!&& ~~ cool flow :shades:", "cool-flow-shades"),
            ("WHAT IS THIS !!! ~~~~", "what-is-this"),
            ("Überweisung", "uberweisung"),
        ] {
            assert_eq!(slugify(name), slug, "{name}");
        }
    }
}
