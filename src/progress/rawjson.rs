//! Reads `--progress=rawjson`: JSON, one object per line or spread over many, mixed with plain text.
//!
//! buildx before 0.15 indents its objects, so one of them is a run of lines from `{` to `}`. What is
//! not such an object is text, errors among it: buildx never reports those as JSON.
//!
//! **Invariant:** the events do not depend on how the bytes were cut, and no byte is dropped silently.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Event, Group, Log, Moment, Status, Vertex, Warning};

/// Turns the bytes of a stream into events, as they arrive.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The last line, while its end has not been seen. Lines of megabytes do occur.
    line: Vec<u8>,
    /// The lines of an indented object, while its end has not been seen.
    object: String,
}

impl Decoder {
    /// Takes more of the stream and returns what it completed.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            let line = std::mem::take(&mut self.line);
            self.take_line(&String::from_utf8_lossy(&line), &mut events);
            rest = &rest[end + 1..];
        }
        self.line.extend_from_slice(rest);
        events
    }

    /// Returns what is left when the stream ends, be it unterminated.
    pub fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.take_line(&String::from_utf8_lossy(&line), &mut events);
        }
        self.abandon_object(&mut events);
        events
    }

    fn take_line(&mut self, line: &str, events: &mut Vec<Event>) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if self.object.is_empty() {
            if line == "{" {
                self.object.push_str("{\n");
            } else {
                read_object_or_text(line, events);
            }
        } else if line == "}" {
            self.object.push('}');
            let object = std::mem::take(&mut self.object);
            if !read_object(&object, events) {
                events.extend(object.lines().map(|line| Event::Text(line.to_owned())));
            }
        } else if line.starts_with(' ') {
            self.object.push_str(line);
            self.object.push('\n');
        } else {
            // Every inner line is indented: this is no object after all.
            self.abandon_object(events);
            self.take_line(line, events);
        }
    }

    fn abandon_object(&mut self, events: &mut Vec<Event>) {
        let object = std::mem::take(&mut self.object);
        events.extend(object.lines().map(|line| Event::Text(line.to_owned())));
    }
}

fn read_object_or_text(line: &str, events: &mut Vec<Event>) {
    if !(line.starts_with('{') && read_object(line, events)) {
        events.push(Event::Text(line.to_owned()));
    }
}

/// Appends the events of one object; returns whether it was one of the stream's objects at all.
fn read_object(text: &str, events: &mut Vec<Event>) -> bool {
    let Ok(wire) = serde_json::from_str::<Wire>(text) else { return false };
    let before = events.len();
    events.extend(wire.vertexes.into_iter().flatten().map(|vertex| Event::Vertex(vertex.into())));
    events.extend(wire.statuses.into_iter().flatten().map(|status| Event::Status(status.into())));
    events.extend(wire.logs.into_iter().flatten().map(|log| Event::Log(log.into())));
    events.extend(wire.warnings.into_iter().flatten().map(|warn| Event::Warning(warn.into())));
    // An empty object is a keep-alive. One of other keys is somebody else's JSON.
    events.len() > before || text.chars().all(|c| matches!(c, '{' | '}') || c.is_whitespace())
}

#[derive(Deserialize)]
struct Wire {
    vertexes: Option<Vec<WireVertex>>,
    statuses: Option<Vec<WireStatus>>,
    logs: Option<Vec<WireLog>>,
    warnings: Option<Vec<WireWarning>>,
}

#[derive(Deserialize)]
struct WireVertex {
    digest: String,
    #[serde(default)]
    inputs: Option<Vec<String>>,
    #[serde(default)]
    name: String,
    started: Option<String>,
    completed: Option<String>,
    #[serde(default)]
    cached: bool,
    error: Option<String>,
    #[serde(rename = "progressGroup")]
    group: Option<WireGroup>,
}

#[derive(Deserialize)]
struct WireGroup {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    weak: bool,
}

#[derive(Deserialize)]
struct WireStatus {
    #[serde(default)]
    vertex: String,
    id: String,
    #[serde(default)]
    current: i64,
    #[serde(default)]
    total: i64,
    started: Option<String>,
    completed: Option<String>,
}

#[derive(Deserialize)]
struct WireLog {
    #[serde(default)]
    vertex: String,
    #[serde(default)]
    stream: u8,
    #[serde(default)]
    data: String,
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct WireWarning {
    #[serde(default)]
    vertex: String,
    #[serde(default)]
    short: String,
}

impl From<WireVertex> for Vertex {
    fn from(wire: WireVertex) -> Self {
        Self {
            digest: wire.digest,
            inputs: wire.inputs.unwrap_or_default(),
            name: wire.name,
            started: moment(wire.started),
            completed: moment(wire.completed),
            cached: wire.cached,
            error: wire.error.filter(|error| !error.is_empty()),
            group: wire.group.map(|group| Group {
                id: group.id,
                name: group.name,
                weak: group.weak,
            }),
        }
    }
}

impl From<WireStatus> for Status {
    fn from(wire: WireStatus) -> Self {
        Self {
            vertex: wire.vertex,
            id: wire.id,
            current: u64::try_from(wire.current).unwrap_or(0),
            total: u64::try_from(wire.total).ok().filter(|&total| total > 0),
            started: moment(wire.started),
            completed: moment(wire.completed),
        }
    }
}

impl From<WireLog> for Log {
    fn from(wire: WireLog) -> Self {
        Self {
            vertex: wire.vertex,
            stream: wire.stream,
            data: bytes(wire.data),
            at: moment(wire.timestamp),
        }
    }
}

impl From<WireWarning> for Warning {
    fn from(wire: WireWarning) -> Self {
        let short = String::from_utf8_lossy(&bytes(wire.short)).into_owned();
        Self { vertex: wire.vertex, short }
    }
}

/// Decodes Go's `[]byte`. What is no base64 is kept as it stands rather than lost.
fn bytes(base64: String) -> Vec<u8> {
    STANDARD.decode(&base64).unwrap_or_else(|_| base64.into_bytes())
}

/// Reads a timestamp. Go writes year 1 where it has none.
fn moment(text: Option<String>) -> Option<Moment> {
    let when = OffsetDateTime::parse(&text?, &Rfc3339).ok()?;
    (when.year() > 1).then(|| Moment::from_unix_nanos(when.unix_timestamp_nanos()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, proptest};

    use super::{Decoder, Event};

    const SAMPLES: [&[u8]; 5] = [
        include_bytes!("../../tests/fixtures/rawjson/bake-fail.jsonl"),
        include_bytes!("../../tests/fixtures/rawjson/fail-push.jsonl"),
        include_bytes!("../../tests/fixtures/rawjson/fail-syntax.jsonl"),
        include_bytes!("../../tests/fixtures/rawjson/bx0131-bake.pretty-json.txt"),
        // Text between objects, bytes that are no UTF-8, an object cut off at the end.
        b"{}\r\n{\nnot json\n{\n  \"logs\": []\n}\n{\"level\":\"info\"}\n\xff\xfe caf\xc3\xa9\n\
          time=\"2026-01-01T00:00:00Z\" level=debug msg=x\n{\n  \"vertexes\": [",
    ];

    fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
        let mut decoder = Decoder::default();
        let mut events: Vec<Event> = chunks.into_iter().flat_map(|c| decoder.push(c)).collect();
        events.extend(decoder.finish());
        events
    }

    fn text(line: &str) -> Event {
        Event::Text(line.to_owned())
    }

    #[test]
    fn both_shapes_of_json_say_the_same() {
        let jsonl = include_str!("../../tests/fixtures/rawjson/build-load.jsonl");
        let indented: String = jsonl
            .lines()
            .map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                serde_json::to_string_pretty(&value).unwrap() + "\n"
            })
            .collect();
        let events = decode([indented.as_bytes()]);
        assert_eq!(events, decode([jsonl.as_bytes()]));
        assert!(events.iter().all(|event| !matches!(event, Event::Text(_))));
    }

    #[test]
    fn what_is_no_object_of_the_stream_is_text() {
        assert_eq!(
            decode([SAMPLES[4]]),
            [
                text("{"),
                text("not json"),
                text("{"),
                text("  \"logs\": []"),
                text("}"),
                text("{\"level\":\"info\"}"),
                text("\u{fffd}\u{fffd} café"),
                text("time=\"2026-01-01T00:00:00Z\" level=debug msg=x"),
                text("{"),
                text("  \"vertexes\": ["),
            ],
        );
    }

    #[test]
    fn a_line_of_megabytes_and_one_without_an_end_are_whole() {
        let name = "x".repeat(3 << 20);
        let line = format!("{{\"vertexes\":[{{\"digest\":\"d\",\"name\":\"{name}\"}}]}}");
        let events = decode(line.as_bytes().chunks(4096));
        let [Event::Vertex(vertex)] = events.as_slice() else { panic!("one vertex expected") };
        assert_eq!(vertex.name.len(), name.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn cutting_changes_nothing(
            (sample, cuts) in (0..SAMPLES.len()).prop_flat_map(|sample| {
                let cut = 0..=SAMPLES[sample].len();
                (Just(sample), proptest::collection::vec(cut, 0..40))
            }),
            bytewise in any::<bool>(),
        ) {
            let whole = SAMPLES[sample];
            let mut cuts = if bytewise { (0..=whole.len()).collect() } else { cuts };
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &whole[pair[0]..pair[1]]);
            prop_assert_eq!(decode(pieces), decode([whole]));
        }
    }
}
