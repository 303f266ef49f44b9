//! Quoting for POSIX shells.
//!
//! **Invariant:** a quoted word is one argument, byte for byte.

/// Quotes a word where it needs it.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:,@%+=-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::quote;

    proptest! {
        #[test]
        fn words_come_back(word in "[^\\x00]{0,30}") {
            prop_assert_eq!(shlex::split(&quote(&word)), Some(vec![word]));
        }
    }

    #[test]
    fn plain_words_stay_plain() {
        assert_eq!(quote("unixodbc=2.3.11-2"), "unixodbc=2.3.11-2");
        assert_eq!(quote("lib*"), "'lib*'");
        assert_eq!(quote(""), "''");
    }
}
