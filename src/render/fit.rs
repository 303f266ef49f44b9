//! Texts and numbers made to fit: cut to columns, in units that people read.
//!
//! **Invariant:** nothing returned is wider than was asked for.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::canvas::Charset;
use crate::progress::step::{Step, Transfer};

/// Returns the columns that a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// Cuts a text to `width` columns, and shows that it was cut.
pub(super) fn cut(text: &str, width: usize, charset: Charset) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mark = match charset {
        Charset::Unicode => "…",
        Charset::Ascii => "~",
    };
    if width == 0 {
        return String::new();
    }
    let mut taken = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > width - 1 {
            break;
        }
        end = at + c.len_utf8();
    }
    format!("{}{mark}", &text[..end])
}

/// Returns seconds with one decimal, as buildx shows them.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

/// Returns a time in at most seven columns.
pub(super) fn time(time: Duration) -> String {
    let whole = time.as_secs();
    match whole {
        0..100 => seconds(time),
        100..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
    }
}

/// Returns bytes in Docker's units, which are decimal.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count}B");
    }
    let mut scale: u64 = 1000;
    let mut unit = 0;
    // 999.95 would be shown as 1000.0.
    while unit + 1 < UNITS.len() && count >= scale * 1000 - scale / 20 {
        scale *= 1000;
        unit += 1;
    }
    let tenths = (u128::from(count) * 10 + u128::from(scale) / 2) / u128::from(scale);
    format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Returns bytes done, of bytes in all where that is known.
pub(super) fn transfer(transfer: Transfer) -> String {
    match transfer.total {
        Some(total) if total > transfer.current => {
            format!("{} / {}", bytes(transfer.current), bytes(total))
        }
        _ => bytes(transfer.current),
    }
}

/// Returns a step's label without what only a machine wants to know: digests of base images, the
/// default registry, mounts of caches, that it is internal.
pub(super) fn short_label(step: &Step) -> String {
    let (bracket, text) = step.label_parts();
    let mut words = text.split_whitespace();
    let verb = words.next().unwrap_or_default();
    let words = words
        .filter(|word| !(verb == "RUN" && is_mount(word)))
        .map(|word| if verb == "FROM" { short_image(word) } else { word });
    let text = std::iter::once(verb).chain(words).collect::<Vec<_>>().join(" ");
    let bracket = bracket.unwrap_or_default();
    let bracket: Vec<&str> = bracket.split(' ').filter(|word| *word != "internal").collect();
    match bracket.join(" ") {
        empty if empty.is_empty() => text,
        bracket => format!("[{bracket}] {text}"),
    }
}

/// Returns whether a word of an instruction only says what is mounted while it runs.
pub(super) fn is_mount(word: &str) -> bool {
    word.starts_with("--mount=")
}

fn short_image(reference: &str) -> &str {
    let named = reference.split_once("@sha256:").map_or(reference, |(name, _)| name);
    let named = named.strip_prefix("docker.io/").unwrap_or(named);
    named.strip_prefix("library/").unwrap_or(named)
}

/// `1 step`, `2 steps`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, columns, cut, time};
    use crate::render::canvas::Charset;

    #[test]
    fn cutting_counts_columns() {
        for (text, width, want) in [
            ("naïve", 5, "naïve"),
            ("naïve", 4, "naï…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            let got = cut(text, width, Charset::Unicode);
            assert_eq!(got, want);
            assert!(columns(&got) <= width);
        }
        assert_eq!(cut("abc", 2, Charset::Ascii), "a~");
    }

    #[test]
    fn numbers_are_short() {
        for (count, want) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1.0kB"),
            (999_949, "999.9kB"),
            (999_950, "1.0MB"),
            (73_423_400, "73.4MB"),
            (u64::MAX, "18446.7PB"),
        ] {
            assert_eq!(bytes(count), want);
        }
        for (millis, want) in [
            (40, "0.0s"),
            (1250, "1.2s"),
            (99_900, "99.9s"),
            (100_000, "1m40s"),
            (3_661_000, "1h01m"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), want);
        }
    }
}
