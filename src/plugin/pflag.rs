//! Docker's flag syntax: what Go's pflag accepts and how it words what it refuses.
//!
//! Docker's own flags stand before the plugin word, ours after it, and users do not know which
//! program reads which: both are scanned here, so both behave alike.
//!
//! **Invariant:** knows syntax only; what a flag means, and whether its value makes sense, is
//! decided by the caller.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// A flag that may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The name after `--`.
    pub long: String,
    /// The letter after `-`.
    pub short: Option<char>,
    /// Whether it needs a value or is a switch.
    pub takes: Takes,
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, or `=true` and `=false`.
    Nothing,
    /// A value, in the same word or in the next one.
    Value,
}

impl Flag {
    /// A switch.
    pub fn switch(long: &str, short: Option<char>) -> Self {
        Self { long: long.to_owned(), short, takes: Takes::Nothing }
    }

    /// A flag with a value.
    pub fn valued(long: &str, short: Option<char>) -> Self {
        Self { long: long.to_owned(), short, takes: Takes::Value }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(short) = self.short {
            write!(f, "-{short}, ")?;
        }
        write!(f, "--{}", self.long)
    }
}

/// Whether flags may stand after the first word that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first word that is no flag ends the flags, as before a command's name.
    FlagsFirst,
    /// Flags and other words may be mixed, as after a command's name.
    Mixed,
}

/// What a command line was found to hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Scan<'f> {
    /// The flags, in the order in which they were given.
    pub given: Vec<Given<'f>>,
    /// The words that are no flags.
    pub rest: Vec<OsString>,
    /// How many leading words were flags, their values or `--`.
    pub consumed: usize,
    /// Whether `--` ended the flags.
    pub terminated: bool,
}

/// One flag as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given<'f> {
    /// Which flag.
    pub flag: &'f Flag,
    /// What it was given.
    pub value: Value,
    /// Whether it was given by its letter rather than by its name.
    pub by_letter: bool,
}

impl<'f> Given<'f> {
    fn name(flag: &'f Flag, value: Value) -> Self {
        Self { flag, value, by_letter: false }
    }

    fn letter(flag: &'f Flag, value: Value) -> Self {
        Self { flag, value, by_letter: true }
    }
}

/// The value of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The position of a switch.
    Switch(bool),
    /// Text, as it was typed.
    Text(OsString),
}

/// A flag that pflag would refuse, in pflag's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagError {
    /// The last word is a flag whose value is missing.
    NeedsArgument {
        /// The flag's name after `--`.
        long: String,
        /// What pflag says.
        message: String,
    },
    /// Everything else that is wrong with a flag.
    Malformed(String),
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsArgument { message, .. } | Self::Malformed(message) => f.write_str(message),
        }
    }
}

/// Says that `value` does not suit `flag`, and why.
pub fn invalid_argument(value: &OsStr, flag: &Flag, reason: &str) -> String {
    format!("invalid argument {:?} for \"{flag}\" flag: {reason}", value.to_string_lossy())
}

/// Sorts words into flags and the rest.
pub fn scan<'f>(
    flags: &'f [Flag],
    words: &[OsString],
    order: Order,
) -> Result<Scan<'f>, FlagError> {
    let mut scan = Scan { given: Vec::new(), rest: Vec::new(), consumed: 0, terminated: false };
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            scan.terminated = true;
            scan.rest.extend_from_slice(&words[at + 1..]);
            if scan.consumed == at {
                scan.consumed = at + 1;
            }
            return Ok(scan);
        }
        // A lone `-` means a standard stream, never a flag.
        if bytes.len() < 2 || bytes[0] != b'-' {
            if order == Order::FlagsFirst {
                scan.rest.extend_from_slice(&words[at..]);
                return Ok(scan);
            }
            scan.rest.push(word.clone());
            at += 1;
            continue;
        }
        let next = words.get(at + 1);
        let used_next = match bytes.strip_prefix(b"--") {
            Some(body) => long(flags, word, body, next, &mut scan.given)?,
            None => cluster(flags, &bytes[1..], next, &mut scan.given)?,
        };
        let length = if used_next { 2 } else { 1 };
        if scan.consumed == at {
            scan.consumed = at + length;
        }
        at += length;
    }
    Ok(scan)
}

/// Reads `--name`, `--name=value` or `--name value`; says whether the next word was used up.
fn long<'f>(
    flags: &'f [Flag],
    word: &OsStr,
    body: &[u8],
    next: Option<&OsString>,
    given: &mut Vec<Given<'f>>,
) -> Result<bool, FlagError> {
    if matches!(body.first(), Some(b'-' | b'=')) {
        return Err(FlagError::Malformed(format!("bad flag syntax: {}", word.to_string_lossy())));
    }
    let (name, inline) = match body.iter().position(|byte| *byte == b'=') {
        Some(equals) => (&body[..equals], Some(&body[equals + 1..])),
        None => (body, None),
    };
    let Some(flag) = flags.iter().find(|flag| flag.long.as_bytes() == name) else {
        let name = String::from_utf8_lossy(name);
        return Err(FlagError::Malformed(format!("unknown flag: --{name}")));
    };
    if let Some(value) = inline {
        given.push(Given::name(flag, value_of(flag, OsStr::from_bytes(value))?));
        return Ok(false);
    }
    if flag.takes == Takes::Nothing {
        given.push(Given::name(flag, Value::Switch(true)));
        return Ok(false);
    }
    let Some(value) = next else {
        let message = format!("flag needs an argument: --{}", flag.long);
        return Err(FlagError::NeedsArgument { long: flag.long.clone(), message });
    };
    given.push(Given::name(flag, value_of(flag, value)?));
    Ok(true)
}

/// Reads `-a`, `-ab`, `-fvalue`, `-f=value` or `-f value`; says whether the next word was used up.
fn cluster<'f>(
    flags: &'f [Flag],
    letters: &[u8],
    next: Option<&OsString>,
    given: &mut Vec<Given<'f>>,
) -> Result<bool, FlagError> {
    let mut left = letters;
    while let Some(byte) = left.first() {
        let found = flags.iter().find(|flag| flag.short == Some(char::from(*byte)));
        let Some(flag) = found.filter(|_| byte.is_ascii()) else {
            let text = String::from_utf8_lossy(left);
            let letter = text.chars().next().unwrap_or_default();
            let message = format!("unknown shorthand flag: {letter:?} in -{text}");
            return Err(FlagError::Malformed(message));
        };
        let after = &left[1..];
        if after.len() > 1 && after[0] == b'=' {
            given.push(Given::letter(flag, value_of(flag, OsStr::from_bytes(&after[1..]))?));
            return Ok(false);
        }
        match (flag.takes, after.is_empty(), next) {
            (Takes::Nothing, _, _) => {
                given.push(Given::letter(flag, Value::Switch(true)));
                left = after;
            }
            (Takes::Value, false, _) => {
                given.push(Given::letter(flag, value_of(flag, OsStr::from_bytes(after))?));
                return Ok(false);
            }
            (Takes::Value, true, Some(value)) => {
                given.push(Given::letter(flag, value_of(flag, value)?));
                return Ok(true);
            }
            (Takes::Value, true, None) => {
                let letter = char::from(*byte);
                let text = String::from_utf8_lossy(left);
                let message = format!("flag needs an argument: {letter:?} in -{text}");
                return Err(FlagError::NeedsArgument { long: flag.long.clone(), message });
            }
        }
    }
    Ok(false)
}

fn value_of(flag: &Flag, value: &OsStr) -> Result<Value, FlagError> {
    match flag.takes {
        Takes::Value => Ok(Value::Text(value.to_owned())),
        // The spellings of Go's strconv.ParseBool, and its complaint.
        Takes::Nothing => match value.as_bytes() {
            b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Ok(Value::Switch(true)),
            b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Ok(Value::Switch(false)),
            _ => {
                let quoted = value.to_string_lossy();
                let reason = format!("strconv.ParseBool: parsing {quoted:?}: invalid syntax");
                Err(FlagError::Malformed(invalid_argument(value, flag, &reason)))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Vec<Flag> {
        vec![
            Flag::switch("quiet", Some('q')),
            Flag::switch("push", None),
            Flag::valued("file", Some('f')),
            Flag::valued("tag", Some('t')),
        ]
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
    }

    /// Shows a scan as `flag=value … | rest`.
    fn show(line: &str, order: Order) -> String {
        let flags = flags();
        match scan(&flags, &words(line), order) {
            Err(error) => error.to_string(),
            Ok(scan) => {
                let given = scan.given.iter().map(|given| match &given.value {
                    Value::Switch(on) => format!("{}={on}", given.flag.long),
                    Value::Text(text) => format!("{}={}", given.flag.long, text.display()),
                });
                let rest = scan.rest.iter().map(|word| word.display().to_string());
                let bar = std::iter::once("|".to_owned());
                given.chain(bar).chain(rest).collect::<Vec<_>>().join(" ")
            }
        }
    }

    #[test]
    fn every_form_of_pflag_is_read() {
        let table = [
            ("", "|"),
            ("--file x", "file=x |"),
            ("--file=x", "file=x |"),
            ("--file=", "file= |"),
            ("--file=a=b", "file=a=b |"),
            ("-f x", "file=x |"),
            ("-fx", "file=x |"),
            ("-f=x", "file=x |"),
            ("-f=", "file== |"),
            ("-qf x", "quiet=true file=x |"),
            ("-qfx y", "quiet=true file=x | y"),
            ("-q=false", "quiet=false |"),
            ("--push=0 --push", "push=false push=true |"),
            ("a -q b --push c", "quiet=true push=true | a b c"),
            ("a -- -q b", "| a -q b"),
            ("- -q", "quiet=true | -"),
            ("--file -- x", "file=-- | x"),
            ("--file --push", "file=--push |"),
        ];
        for (line, expected) in table {
            assert_eq!(show(line, Order::Mixed), expected, "{line}");
        }
    }

    #[test]
    fn flags_first_leaves_everything_after_the_first_word() {
        assert_eq!(show("-q build -q", Order::FlagsFirst), "quiet=true | build -q");
        assert_eq!(show("-f build build", Order::FlagsFirst), "file=build | build");
        assert_eq!(show("-- -q build", Order::FlagsFirst), "| -q build");
    }

    #[test]
    fn consumed_counts_the_leading_flags_only() {
        let flags = flags();
        let count = |line| scan(&flags, &words(line), Order::Mixed).unwrap().consumed;
        assert_eq!(count("-q -f x y"), 3);
        assert_eq!(count("y -q"), 0);
        assert_eq!(count("-q -- y"), 2);
        assert_eq!(count("y -- z"), 0);
    }

    #[test]
    fn refusals_are_worded_as_docker_does() {
        // Each right side was printed by docker 28.2.2 for a flag of the same kind.
        let table = [
            ("--nope", "unknown flag: --nope"),
            ("--nope=1", "unknown flag: --nope"),
            ("--qu", "unknown flag: --qu"),
            ("-x", "unknown shorthand flag: 'x' in -x"),
            ("-qxy", "unknown shorthand flag: 'x' in -xy"),
            ("-q=", "unknown shorthand flag: '=' in -="),
            ("-é", "unknown shorthand flag: 'é' in -é"),
            ("--file", "flag needs an argument: --file"),
            ("-f", "flag needs an argument: 'f' in -f"),
            ("-qf", "flag needs an argument: 'f' in -f"),
            ("--=x", "bad flag syntax: --=x"),
            ("---x", "bad flag syntax: ---x"),
            (
                "-q=maybe",
                "invalid argument \"maybe\" for \"-q, --quiet\" flag: \
                 strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
            (
                "--push=",
                "invalid argument \"\" for \"--push\" flag: \
                 strconv.ParseBool: parsing \"\": invalid syntax",
            ),
        ];
        for (line, expected) in table {
            assert_eq!(show(line, Order::Mixed), expected, "{line}");
        }
    }

    #[test]
    fn values_need_not_be_utf8() {
        let flags = flags();
        let path = OsStr::from_bytes(b"--file=\xff.py").to_owned();
        let scan = scan(&flags, &[path], Order::Mixed).unwrap();
        assert_eq!(scan.given[0].value, Value::Text(OsStr::from_bytes(b"\xff.py").to_owned()));
    }
}
