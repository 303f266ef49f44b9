//! Takes the values of secrets out of what `BuildKit` says, before anything else sees it.
//!
//! A build step may print a secret, whole or in pieces, plain or encoded: its output arrives in
//! chunks that are cut anywhere, each in base64 inside a line of JSON.
//!
//! **Invariant:** with no secret the stream passes unchanged, byte for byte; with one, no form of it
//! that [`Redactor::new`] lists leaves here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// What stands for a secret.
const HIDDEN: &str = "***";
/// Shorter values are found anywhere by chance.
const SHORTEST: usize = 6;

/// Redacts a stream of `--progress=rawjson`.
#[derive(Debug, Default)]
pub struct Redactor {
    /// The forms of all secrets, the longest first.
    forms: Vec<Vec<u8>>,
    /// The last line, while its end has not been seen.
    line: Vec<u8>,
    /// The lines of an indented object, while its end has not been seen.
    object: Vec<u8>,
    /// Of each step's stream, the end of what was written that may be the beginning of a secret.
    held: BTreeMap<(String, u64), Vec<u8>>,
}

impl Redactor {
    /// A redactor of some values: as they are, and as URLs, JSON and base64 have them. Values of
    /// several lines are looked for line by line.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        for value in values.into_iter().flat_map(str::lines).map(str::trim) {
            if value.len() >= SHORTEST {
                forms.extend(forms_of(value));
            }
        }
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        forms.dedup();
        Self { forms, ..Self::default() }
    }

    /// Takes more of the stream, and returns what of it may be seen by now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.forms.is_empty() {
            return bytes.to_vec();
        }
        let mut out = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.take_line(line, &mut out);
            }
        }
        out
    }

    /// Returns what is left when the stream ends.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(line, &mut out);
        }
        let object = std::mem::take(&mut self.object);
        out.extend(self.text(&object));
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            let logs: Vec<Value> = held.into_iter().map(|(of, data)| log(of, &data)).collect();
            if !out.is_empty() && !out.ends_with(b"\n") {
                out.push(b'\n');
            }
            out.extend_from_slice(json!({ "logs": logs }).to_string().as_bytes());
            out.push(b'\n');
        }
        out
    }

    /// Redacts a text that is whole.
    pub fn text(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            if let Some(form) = self.forms.iter().find(|form| text[at..].starts_with(form)) {
                out.extend_from_slice(HIDDEN.as_bytes());
                at += form.len();
            } else {
                out.push(text[at]);
                at += 1;
            }
        }
        out
    }

    fn take_line(&mut self, line: Vec<u8>, out: &mut Vec<u8>) {
        let bare = line.trim_ascii_end();
        if !self.object.is_empty() {
            self.object.extend_from_slice(&line);
            if bare == b"}" {
                let object = std::mem::take(&mut self.object);
                self.object_or_text(&object, out);
            } else if !line.starts_with(b" ") {
                // Every inner line is indented: this is no object after all.
                let lines = std::mem::take(&mut self.object);
                out.extend(self.text(&lines));
            }
        } else if bare == b"{" {
            self.object = line;
        } else {
            self.object_or_text(&line, out);
        }
    }

    fn object_or_text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match serde_json::from_slice::<Value>(text) {
            Ok(mut value) if value.is_object() => {
                if self.object_value(&mut value) {
                    out.extend_from_slice(value.to_string().as_bytes());
                    out.push(b'\n');
                } else {
                    out.extend_from_slice(text);
                }
            }
            _ => out.extend(self.text(text)),
        }
    }

    /// Redacts an object of the stream. Returns whether anything was changed.
    fn object_value(&mut self, value: &mut Value) -> bool {
        let mut changed = false;
        if let Some(logs) = value.get_mut("logs").and_then(Value::as_array_mut) {
            for entry in logs {
                changed |= self.log(entry);
            }
        }
        let over: Vec<(String, u64)> = {
            let vertexes = value.get("vertexes").and_then(Value::as_array).into_iter().flatten();
            let over = vertexes.filter(|vertex| vertex.get("completed").is_some());
            let digests: Vec<&str> = over.filter_map(|v| v.get("digest")?.as_str()).collect();
            let held = self.held.keys().filter(|(digest, _)| digests.contains(&digest.as_str()));
            held.cloned().collect()
        };
        for of in over {
            // Nothing more can follow that would make it a secret.
            let Some(data) = self.held.remove(&of) else { continue };
            changed = true;
            if !value.get("logs").is_some_and(Value::is_array) {
                value["logs"] = json!([]);
            }
            if let Some(logs) = value["logs"].as_array_mut() {
                logs.push(log(of, &data));
            }
        }
        changed | self.strings(value, false)
    }

    /// Redacts the output in a log entry, together with what was held back before it.
    fn log(&mut self, entry: &mut Value) -> bool {
        let of = (
            entry.get("vertex").and_then(Value::as_str).unwrap_or_default().to_owned(),
            entry.get("stream").and_then(Value::as_u64).unwrap_or_default(),
        );
        let Some(Ok(data)) = entry.get("data").and_then(Value::as_str).map(|d| STANDARD.decode(d))
        else {
            return false;
        };
        let mut whole = self.held.remove(&of).unwrap_or_default();
        let had = whole.len();
        whole.extend_from_slice(&data);
        let mut clean = self.text(&whole);
        let keep = self.beginning(&whole).min(clean.len());
        if keep > 0 {
            let held = clean.split_off(clean.len() - keep);
            self.held.insert(of, held);
        }
        let changed = had > 0 || clean != data;
        if changed {
            entry["data"] = json!(STANDARD.encode(&clean));
        }
        changed
    }

    /// How many bytes at the end may be the beginning of a secret.
    fn beginning(&self, text: &[u8]) -> usize {
        // After a secret that is whole, the search begins anew.
        let mut from = 0;
        let mut at = 0;
        while at < text.len() {
            let found = self.forms.iter().find(|form| text[at..].starts_with(form));
            at += found.map_or(1, Vec::len);
            if found.is_some() {
                from = at;
            }
        }
        (from..text.len())
            .find(|&at| self.forms.iter().any(|form| form.starts_with(&text[at..])))
            .map_or(0, |at| text.len() - at)
    }

    /// Redacts every string but the output of steps, which [`Self::log`] does.
    fn strings(&self, value: &mut Value, is_log: bool) -> bool {
        match value {
            Value::String(text) => {
                let clean = self.text(text.as_bytes());
                let changed = clean != text.as_bytes();
                if changed {
                    *text = String::from_utf8_lossy(&clean).into_owned();
                }
                changed
            }
            Value::Array(items) => {
                items.iter_mut().fold(false, |changed, item| self.strings(item, is_log) | changed)
            }
            Value::Object(fields) => fields.iter_mut().fold(false, |changed, (name, field)| {
                let is_bytes = is_log && name == "data" || name == "short" || name == "detail";
                let now = match field {
                    Value::String(text) if is_bytes && name != "data" => {
                        let Ok(data) = STANDARD.decode(&*text) else { return changed };
                        let clean = self.text(&data);
                        let is_other = clean != data;
                        if is_other {
                            *text = STANDARD.encode(&clean);
                        }
                        is_other
                    }
                    _ if is_bytes && name == "data" => false,
                    field => self.strings(field, is_log || name == "logs"),
                };
                now | changed
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

fn log((vertex, stream): (String, u64), data: &[u8]) -> Value {
    json!({ "vertex": vertex, "stream": stream, "data": STANDARD.encode(data) })
}

/// The forms that a value may be printed in.
fn forms_of(value: &str) -> Vec<Vec<u8>> {
    // What a URL leaves as it is, by RFC 3986 and by what browsers do.
    let strict = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let lax = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>?`{}/:;=@[\\]^|%".contains(&byte);
    let mut forms = vec![value.as_bytes().to_vec()];
    for upper in [true, false] {
        forms.push(escaped(value, strict, upper));
        forms.push(escaped(value, lax, upper));
        forms.push(escaped(value, |byte| strict(byte) || byte == b'/', upper));
    }
    let quoted = json!(value).to_string();
    forms.push(quoted.trim_matches('"').as_bytes().to_vec());
    for before in 0..3 {
        // What stands before a value decides how its first bytes are written: those are left.
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value.as_bytes());
        let first = (before * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.push(text.as_bytes()[first..last].to_vec());
        }
    }
    forms
}

fn escaped(value: &str, is_plain: impl Fn(u8) -> bool, upper: bool) -> Vec<u8> {
    let mut out = String::new();
    for byte in value.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else if upper {
            let _ = write!(out, "%{byte:02X}");
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

    use super::super::rawjson::Decoder;
    use super::super::{Event, Log};
    use super::*;

    const WORD: &str = "hid/den+w\u{f6}rd\"x";

    fn line(data: &[u8]) -> String {
        log(("v".to_owned(), 2), data).to_string()
    }

    /// The output of a step, after a redactor, with the raw stream.
    fn output(redactor: &mut Redactor, stream: &[u8], piece: usize) -> (Vec<u8>, Vec<u8>) {
        let mut raw: Vec<u8> = Vec::new();
        for bytes in stream.chunks(piece) {
            raw.extend(redactor.push(bytes));
        }
        raw.extend(redactor.finish());
        let mut decoder = Decoder::default();
        let mut events = decoder.push(&raw);
        events.extend(decoder.finish());
        let data = events.into_iter().map(|event| match event {
            Event::Log(Log { data, .. }) => data,
            Event::Text(text) => text.into_bytes(),
            _ => Vec::new(),
        });
        (data.flatten().collect(), raw)
    }

    #[test]
    fn every_form_is_hidden() {
        let credentials = format!("deploy:{WORD}");
        let encoded = STANDARD.encode(&credentials);
        for (said, shown) in [
            (WORD.to_owned(), "a *** b"),
            ("hid%2Fden%2Bw%C3%B6rd%22x".to_owned(), "a *** b"),
            ("hid%2fden%2bw%c3%b6rd%22x".to_owned(), "a *** b"),
            ("hid%2Fden+w%C3%B6rd%22x".to_owned(), "a *** b"),
            ("hid/den+w\u{f6}rd\\\"x".to_owned(), "a *** b"),
            ("hid/den+w\u{f6}rd".to_owned(), "a hid/den+w\u{f6}rd b"),
        ] {
            let text = format!("a {said} b\n");
            let mut redactor = Redactor::new([WORD]);
            let stream = format!("{{\"logs\":[{}]}}\n", line(text.as_bytes()));
            let (found, _) = output(&mut redactor, stream.as_bytes(), 1000);
            assert_eq!(String::from_utf8_lossy(&found), format!("{shown}\n"));
            let bare = redactor.text(format!("ERROR: {said}").as_bytes());
            assert_eq!(
                String::from_utf8_lossy(&bare),
                format!("ERROR: {}", &shown[2..shown.len() - 2])
            );
        }
        for before in 0..3 {
            let text = STANDARD.encode(format!("{}{WORD}x", "u".repeat(before)));
            let clean = Redactor::new([WORD]).text(text.as_bytes());
            let clean = String::from_utf8_lossy(&clean);
            assert!(clean.contains(HIDDEN) && clean.len() < 10, "{clean}");
        }
        assert!(!Redactor::new([WORD]).text(encoded.as_bytes()).is_empty());
    }

    #[test]
    fn names_errors_and_remarks_are_redacted() {
        let short = STANDARD.encode(format!("use {WORD}"));
        let stream = json!({
            "vertexes": [{ "digest": "d", "name": format!("RUN {WORD}"), "error": WORD }],
            "statuses": [{ "id": WORD, "vertex": "d" }],
            "warnings": [{ "vertex": "d", "short": short }],
        });
        let clean = Redactor::new([WORD]).push(format!("{stream}\n").as_bytes());
        let clean: Value = serde_json::from_slice(&clean).expect("JSON");
        let wanted = json!({
            "vertexes": [{ "digest": "d", "name": "RUN ***", "error": "***" }],
            "statuses": [{ "id": "***", "vertex": "d" }],
            "warnings": [{ "vertex": "d", "short": STANDARD.encode("use ***") }],
        });
        assert_eq!(clean, wanted);
    }

    #[test]
    fn what_holds_no_secret_is_not_touched() {
        for stream in [
            &include_bytes!("../../tests/fixtures/rawjson/bake-fail.jsonl")[..],
            &include_bytes!("../../tests/fixtures/rawjson/bx0131-bake.pretty-json.txt")[..],
            b"{\nnot json\n{ \"a\": 1,\n\xff\xfe no end",
        ] {
            for secrets in [vec![], vec!["zzzzzzzz"]] {
                let mut redactor = Redactor::new(secrets);
                let mut raw = redactor.push(stream);
                raw.extend(redactor.finish());
                assert!(raw == stream);
            }
        }
    }

    #[test]
    fn a_short_value_is_not_looked_for() {
        assert_eq!(Redactor::new(["short", "\n"]).forms, Vec::<Vec<u8>>::new());
        assert_eq!(Redactor::new(["one-line\nand-two"]).text(b"x and-two"), b"x ***");
    }

    #[test]
    fn what_was_held_back_comes_when_the_step_is_over() {
        let logs = format!("{{\"logs\":[{}]}}\n", line(b"over: hid"));
        let mut redactor = Redactor::new([WORD]);
        let first = redactor.push(logs.as_bytes());
        assert_eq!(
            String::from_utf8_lossy(&first),
            format!("{{\"logs\":[{}]}}\n", line(b"over: "))
        );
        let done = "{\"vertexes\":[{\"digest\":\"v\",\"completed\":\"2026-01-01T00:00:00Z\"}]}\n";
        let second: Value = serde_json::from_slice(&redactor.push(done.as_bytes())).expect("JSON");
        assert_eq!(second["logs"], json!([log(("v".to_owned(), 2), b"hid")]));
        assert_eq!(redactor.finish(), b"");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn cutting_hides_nothing_less(
            before in "[a-z/ ]{0,12}",
            after in "[a-z/ ]{0,12}",
            twice in any::<bool>(),
            piece in 1usize..9,
            cut in 1usize..5,
        ) {
            let middle = if twice { format!("{WORD}{WORD}") } else { WORD.to_owned() };
            let said = format!("{before}{middle}{after}");
            let lines = said.as_bytes().chunks(cut);
            let lines: Vec<_> = lines.map(|data| format!("{{\"logs\":[{}]}}", line(data))).collect();
            let stream = lines.join("\n");
            let mut redactor = Redactor::new([WORD]);
            let (found, _) = output(&mut redactor, stream.as_bytes(), piece);
            let shown = said.replace(WORD, HIDDEN);
            prop_assert!(found == shown.as_bytes(), "{}", String::from_utf8_lossy(&found));
        }
    }
}
