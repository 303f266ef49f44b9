//! The format specifications of `format` and `%`.
//!
//! **Invariant:** pure; none for what Python refuses or is not understood.

use super::ops;
use super::repr;
use super::value::V;

/// A parsed specification.
#[derive(Debug, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// Widths and precisions beyond this are nobody's.
const WIDEST: usize = 10_000;

fn parse(spec: &str) -> Option<Spec> {
    let characters: Vec<char> = spec.chars().collect();
    let mut parsed = Spec::default();
    let mut at = 0;
    let is_align = |c: Option<&char>| c.is_some_and(|c| "<>=^".contains(*c));
    if is_align(characters.get(1)) {
        parsed.fill = Some(characters[0]);
        parsed.align = Some(characters[1]);
        at = 2;
    } else if is_align(characters.first()) {
        parsed.align = Some(characters[0]);
        at = 1;
    }
    let mut take = |set: &str| {
        let found = characters.get(at).copied().filter(|c| set.contains(*c));
        at += usize::from(found.is_some());
        found
    };
    parsed.sign = take("+- ");
    parsed.alternate = take("#").is_some();
    if take("0").is_some() {
        parsed.fill.get_or_insert('0');
        parsed.align.get_or_insert('=');
    }
    while let Some(digit) = take("0123456789") {
        parsed.width = parsed.width * 10 + usize::try_from(digit.to_digit(10)?).ok()?;
        if parsed.width > WIDEST {
            return None;
        }
    }
    parsed.grouping = take(",_");
    if take(".").is_some() {
        let mut precision = 0;
        let mut any = false;
        while let Some(digit) = take("0123456789") {
            any = true;
            precision = precision * 10 + usize::try_from(digit.to_digit(10)?).ok()?;
            if precision > WIDEST {
                return None;
            }
        }
        parsed.precision = any.then_some(precision);
        parsed.precision?;
    }
    parsed.kind = take("bcdeEfFgGnosxX%");
    (at == characters.len()).then_some(parsed)
}

/// `format(value, spec)` with a specification that is not empty.
pub(super) fn format(value: &V, spec: &str) -> Option<String> {
    let spec = parse(spec)?;
    match value {
        V::Str(text) if matches!(spec.kind, None | Some('s')) => text_of(text, &spec),
        V::Int(value) => integer(*value, &spec),
        V::Bool(value) if spec.kind.is_some() => integer(i64::from(*value), &spec),
        V::Float(value) => float(*value, &spec),
        _ => None,
    }
}

fn text_of(text: &str, spec: &Spec) -> Option<String> {
    if spec.sign.is_some() || spec.alternate || spec.grouping.is_some() {
        return None;
    }
    let text: String = match spec.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let align = match spec.align {
        Some('=') if spec.fill == Some('0') => '<',
        Some('=') => return None,
        other => other.unwrap_or('<'),
    };
    Some(aligned("", &text, align, spec))
}

fn integer(value: i64, spec: &Spec) -> Option<String> {
    if let Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') = spec.kind {
        return float(ops::float(&V::Int(value))?, spec);
    }
    if spec.precision.is_some() {
        return None;
    }
    let size = value.unsigned_abs();
    let (prefix, digits) = match spec.kind {
        None | Some('d') => ("", size.to_string()),
        Some('b') => ("0b", format!("{size:b}")),
        Some('o') => ("0o", format!("{size:o}")),
        Some('x') => ("0x", format!("{size:x}")),
        Some('X') => ("0X", format!("{size:X}")),
        _ => return None,
    };
    let every = if prefix.is_empty() { 3 } else { 4 };
    let digits = match spec.grouping {
        Some(',') if every == 4 => return None,
        Some(separator) => grouped(&digits, every, separator),
        None => digits,
    };
    let prefix = if spec.alternate { prefix } else { "" };
    number(value < 0, prefix, &digits, spec)
}

fn float(value: f64, spec: &Spec) -> Option<String> {
    if !value.is_finite() || spec.alternate {
        return None;
    }
    let size = value.abs();
    let digits = match spec.kind {
        Some('f' | 'F') => format!("{size:.*}", spec.precision.unwrap_or(6)),
        Some('%') => format!("{:.*}%", spec.precision.unwrap_or(6), size * 100.0),
        Some(kind @ ('e' | 'E')) => scientific(size, spec.precision.unwrap_or(6), kind)?,
        Some(kind @ ('g' | 'G')) => general(size, spec.precision.unwrap_or(6).max(1), kind)?,
        None if spec.precision.is_none() => repr::float(size),
        _ => return None,
    };
    let digits = match spec.grouping {
        Some(separator) => {
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            grouped(&digits[..end], 3, separator) + &digits[end..]
        }
        None => digits,
    };
    number(value.is_sign_negative(), "", &digits, spec)
}

fn scientific(value: f64, precision: usize, kind: char) -> Option<String> {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let text = repr::with_exponent(mantissa, exponent.parse().ok()?);
    Some(if kind == 'E' { text.to_uppercase() } else { text })
}

fn general(value: f64, precision: usize, kind: char) -> Option<String> {
    let rounded = format!("{value:.*e}", precision - 1);
    let (mantissa, exponent) = rounded.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let trim = |digits: &str| {
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            digits.to_owned()
        }
    };
    let text = if exponent < -4 || exponent >= i32::try_from(precision).ok()? {
        repr::with_exponent(&trim(mantissa), exponent)
    } else {
        let decimals = i32::try_from(precision).ok()? - 1 - exponent;
        trim(&format!("{value:.*}", usize::try_from(decimals).ok()?))
    };
    Some(if kind == 'G' { text.to_uppercase() } else { text })
}

fn grouped(digits: &str, every: usize, separator: char) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(every) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

fn number(negative: bool, prefix: &str, digits: &str, spec: &Spec) -> Option<String> {
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    };
    // Zeros that fill up are grouped too.
    if spec.grouping.is_some() && spec.align == Some('=') && spec.width > digits.len() {
        return None;
    }
    Some(aligned(&format!("{sign}{prefix}"), digits, spec.align.unwrap_or('>'), spec))
}

fn aligned(sign: &str, text: &str, align: char, spec: &Spec) -> String {
    let missing = spec.width.saturating_sub(sign.chars().count() + text.chars().count());
    let fill = |count: usize| std::iter::repeat_n(spec.fill.unwrap_or(' '), count);
    let (before, inside, after) = match align {
        '<' => (0, 0, missing),
        '^' => (missing / 2, 0, missing - missing / 2),
        '=' => (0, missing, 0),
        _ => (missing, 0, 0),
    };
    let mut out: String = fill(before).collect();
    out.push_str(sign);
    out.extend(fill(inside));
    out.push_str(text);
    out.extend(fill(after));
    out
}

/// One field of `%`: flags, width and precision before its letter.
pub(super) fn percent(value: &V, flags: &str, kind: u8) -> Option<String> {
    let end = flags.find(|c: char| !"#0- +".contains(c)).unwrap_or(flags.len());
    let (marks, size) = flags.split_at(end);
    let mut spec = parse(size)?;
    if spec.grouping.is_some() || spec.kind.is_some() || spec.align.is_some() {
        return None;
    }
    spec.alternate = marks.contains('#');
    spec.sign = if marks.contains('+') { Some('+') } else { marks.contains(' ').then_some(' ') };
    if marks.contains('-') {
        spec.align = Some('<');
    } else if marks.contains('0') {
        spec.align = Some('=');
        spec.fill = Some('0');
    } else {
        spec.align = Some('>');
    }
    match (kind, value) {
        (b's' | b'r', V::Str(text)) => {
            let align = if spec.align == Some('<') { '<' } else { '>' };
            let plain =
                Spec { fill: None, align: Some(align), sign: None, alternate: false, ..spec };
            text_of(text, &plain)
        }
        (b'd' | b'i' | b'u', V::Int(_) | V::Bool(_)) if spec.precision.is_none() => {
            spec.kind = Some('d');
            integer(whole(value)?, &spec)
        }
        (b'x' | b'X' | b'o', V::Int(_)) if spec.precision.is_none() => {
            spec.kind = Some(char::from(kind));
            integer(whole(value)?, &spec)
        }
        (b'f' | b'F' | b'e' | b'E' | b'g' | b'G', V::Int(_) | V::Bool(_) | V::Float(_)) => {
            spec.kind = Some(char::from(kind));
            float(ops::float(value)?, &spec)
        }
        (b'c', V::Str(text)) if text.chars().count() == 1 && flags.is_empty() => {
            Some(text.as_ref().to_owned())
        }
        _ => None,
    }
}

fn whole(value: &V) -> Option<i64> {
    match value {
        V::Int(value) => Some(*value),
        V::Bool(value) => Some(i64::from(*value)),
        _ => None,
    }
}
