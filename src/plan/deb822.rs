//! The form in which apt takes repositories: fields and values, one stanza a file.
//!
//! The rules are those of sources.list(5), "DEB822-STYLE FORMAT", and deb822(5).
//!
//! **Invariant:** a word is one word of its own field, whatever it holds.

use crate::storage::AptRepository;

/// The file of a repository. `keys` are the paths of its keys where apt runs.
pub(super) fn sources(repository: &AptRepository, keys: &[String]) -> String {
    let fields = [
        ("Types", &repository.types),
        ("URIs", &repository.uris),
        ("Suites", &repository.suites),
        ("Components", &repository.components),
        ("Architectures", &repository.architectures),
    ];
    let mut text = String::new();
    for (name, words) in fields {
        text.push_str(&field(name, words));
    }
    text.push_str(&field("Signed-By", keys));
    text
}

/// A field with its words; nothing where there are none.
fn field(name: &str, words: &[String]) -> String {
    if words.is_empty() {
        return String::new();
    }
    let words: Vec<String> = words.iter().map(|text| word(text)).collect();
    format!("{name}: {}\n", words.join(" "))
}

/// Encodes what would end a word, as apt decodes it in addresses.
fn word(text: &str) -> String {
    let mut result = String::new();
    for byte in text.bytes() {
        // A comma parts words of some fields.
        if byte.is_ascii_graphic() && byte != b',' {
            result.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            let _ = write!(result, "%{byte:02X}");
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What apt makes of a stanza: names of fields and their words.
    fn parsed(text: &str) -> Vec<(String, Vec<String>)> {
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        for line in text.split_terminator(['\n', '\r']) {
            assert!(!line.is_empty(), "a second stanza: {text:?}");
            if line.starts_with('#') {
                continue;
            }
            let is_continued = line.starts_with([' ', '\t']);
            let (name, value) =
                if is_continued { ("", line) } else { line.split_once(':').unwrap() };
            let words = value.split(|c: char| c.is_whitespace() || c == ',').map(str::to_owned);
            let words = words.filter(|word| !word.is_empty());
            if is_continued {
                fields.last_mut().unwrap().1.extend(words);
            } else {
                fields.push((name.to_owned(), words.collect()));
            }
        }
        fields
    }

    fn decoded(word: &str) -> Vec<u8> {
        let mut bytes = word.bytes();
        let mut result = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap().to_owned();
                result.push(u8::from_str_radix(&digits, 16).unwrap());
            } else {
                result.push(byte);
            }
        }
        result
    }

    #[test]
    fn a_repository_is_one_stanza() {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let repository = AptRepository {
            name: "example".into(),
            types: list(&["deb"]),
            uris: list(&["https://packages.example.org/{id}"]),
            suites: list(&["{codename}", "{codename}-updates"]),
            components: list(&["main"]),
            ..AptRepository::default()
        };
        assert_eq!(
            sources(&repository, &["/keys/example-1".into(), "/keys/example-2".into()]),
            "Types: deb\nURIs: https://packages.example.org/{id}\n\
             Suites: {codename} {codename}-updates\nComponents: main\n\
             Signed-By: /keys/example-1 /keys/example-2\n"
        );
    }

    proptest! {
        #[test]
        fn words_stay_in_their_field(
            uris in prop::collection::vec("[^%]{1,12}|[a\\n\\r:, #\\t{}-]{1,8}", 1..3),
            suites in prop::collection::vec("[^%]{1,12}|[a\\n\\r:, #\\t{}-]{1,8}", 1..3),
        ) {
            let repository = AptRepository {
                uris: uris.clone(),
                suites: suites.clone(),
                ..AptRepository::default()
            };
            let keys = ["/keys/a".to_owned()];
            let fields = parsed(&sources(&repository, &keys));
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(names, ["URIs", "Suites", "Signed-By"]);
            for ((_, words), given) in fields.iter().zip([&uris, &suites, &keys.to_vec()]) {
                let words: Vec<Vec<u8>> = words.iter().map(|word| decoded(word)).collect();
                let given: Vec<Vec<u8>> = given.iter().map(|word| word.as_bytes().to_vec()).collect();
                prop_assert_eq!(words, given);
            }
        }
    }
}
