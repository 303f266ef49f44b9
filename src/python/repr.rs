//! `repr` of numbers and strings.
//!
//! **Invariant:** pure; exactly Python's text, or none.

use std::fmt::Write;

/// `repr` of a float: the shortest digits that give it back.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let digits = format!("{value:e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let text = format!("{value}");
        return if text.contains('.') { text } else { text + ".0" };
    }
    with_exponent(mantissa, exponent)
}

/// A mantissa and an exponent as Python writes them: with a sign and two digits at least.
pub(super) fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `repr` of a string; none if it has characters of which it is not sure that Python prints them.
pub(super) fn string(text: &str) -> Option<String> {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut repr = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => repr.push_str("\\\\"),
            '\n' => repr.push_str("\\n"),
            '\r' => repr.push_str("\\r"),
            '\t' => repr.push_str("\\t"),
            c if c == quote => {
                repr.push('\\');
                repr.push(c);
            }
            c if c < ' ' || c == '\x7f' => _ = write!(repr, "\\x{:02x}", u32::from(c)),
            c if c.is_ascii() || c.is_alphanumeric() => repr.push(c),
            _ => return None,
        }
    }
    repr.push(quote);
    Some(repr)
}

/// `repr` of bytes.
pub(super) fn bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut repr = format!("b{}", char::from(quote));
    for byte in bytes {
        match byte {
            b'\\' => repr.push_str("\\\\"),
            b'\n' => repr.push_str("\\n"),
            b'\r' => repr.push_str("\\r"),
            b'\t' => repr.push_str("\\t"),
            byte if *byte == quote => {
                repr.push('\\');
                repr.push(char::from(quote));
            }
            b' '..=b'~' => repr.push(char::from(*byte)),
            byte => _ = write!(repr, "\\x{byte:02x}"),
        }
    }
    repr.push(char::from(quote));
    repr
}
