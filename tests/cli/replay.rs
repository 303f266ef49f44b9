//! Recorded streams replayed to what a user sees of them, compared with whole golden files.
//!
//! **Invariant:** every recording under `fixtures/rawjson` is replayed, and nothing depends on the
//! machine's clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its recordings has failed")]

use std::fs;
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use docker_flowstorage::progress::Event;
use docker_flowstorage::progress::graph::Graph;
use docker_flowstorage::progress::rawjson::Decoder;
use docker_flowstorage::render::bars::Bars;
use docker_flowstorage::render::frame::{Look, ending, frame};
use docker_flowstorage::render::{self, Canvas, Charset, Ending, Mode, Renderer, Size};
use docker_flowstorage::term::Style;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rawjson")
}

/// Every recording, by the name of its golden files.
fn recordings() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let file = path.file_name()?.to_str()?;
            let case = file.strip_suffix(".jsonl").or(file.strip_suffix(".pretty-json.txt"))?;
            Some((case.to_owned(), fs::read(&path).unwrap()))
        })
        .collect();
    found.sort();
    assert!(found.len() > 10, "the recordings are missing");
    found
}

fn recording(case: &str) -> Vec<u8> {
    recordings().into_iter().find(|(name, _)| name == case).unwrap().1
}

fn targets(case: &str) -> Vec<String> {
    let targets: &[&str] = match case {
        "check-fail" => &["etl", "report"],
        _ if case.contains("bake") => &["flow", "base"],
        _ => &["flow"],
    };
    targets.iter().map(|&target| target.to_owned()).collect()
}

fn events(stream: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    let mut events: Vec<Event> = stream.chunks(1000).flat_map(|c| decoder.push(c)).collect();
    events.extend(decoder.finish());
    events
}

/// Folds events until the stream's own clock has come so far.
fn graph_at(case: &str, millis: u64) -> Graph {
    let events = events(&recording(case));
    let mut ahead = Graph::new(&targets(case));
    let mut graph = Graph::new(&targets(case));
    for event in &events {
        ahead.apply(event);
        if elapsed(&ahead) > Duration::from_millis(millis) {
            break;
        }
        graph.apply(event);
    }
    graph
}

fn elapsed(graph: &Graph) -> Duration {
    let span = graph.latest().zip(graph.origin());
    span.map_or(Duration::ZERO, |(latest, origin)| latest.since(origin))
}

fn how_it_ended(graph: &Graph) -> Ending {
    match graph.failure() {
        Some(failure) if failure.cancelled => Ending::Cancelled,
        Some(_) => Ending::Failed,
        None => Ending::Built,
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn canvas(&self, size: &Arc<Mutex<Size>>) -> Canvas {
        let size = Arc::clone(size);
        let size = move || *size.lock().unwrap();
        Canvas::new(Box::new(self.clone()), Box::new(size), Style::Plain, Charset::Unicode)
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn screen(height: u16, width: u16) -> vt100::Parser {
    let cells = |count| NonZeroU16::new(count).unwrap();
    vt100::Parser::new(cells(height), cells(width), 100)
}

fn window(width: usize, height: usize) -> Arc<Mutex<Size>> {
    Arc::new(Mutex::new(Size { width, height }))
}

/// Replays a whole recording, with a tick after each event.
fn replay(mut view: Box<dyn Renderer>, case: &str) -> Graph {
    let mut graph = Graph::new(&targets(case));
    for event in events(&recording(case)) {
        graph.apply(&event);
        view.event(&graph, &event);
        view.tick(&graph, elapsed(&graph));
    }
    let ending = how_it_ended(&graph);
    view.finish(&graph, ending);
    graph
}

fn golden(case: &str, kind: &str) -> snapbox::Data {
    snapbox::Data::read_from(&fixtures().join(format!("{case}.{kind}.txt")), None).raw()
}

#[test]
fn plain_lines() {
    for (case, _) in recordings() {
        let out = Shared::default();
        replay(render::new(Mode::Plain, out.canvas(&window(80, 24))), &case);
        let lines = String::from_utf8(out.bytes()).unwrap();
        snapbox::assert_data_eq!(lines, golden(&case, "plain"));
    }
}

#[test]
fn failures() {
    for (case, _) in recordings() {
        let mut graph = Graph::new(&targets(&case));
        for event in events(&recording(&case)) {
            graph.apply(&event);
        }
        if let Some(failure) = graph.failure() {
            let text = render::failure(&failure, 80, Style::Plain);
            snapbox::assert_data_eq!(text, golden(&case, "failure"));
        }
    }
}

#[test]
fn blocks() {
    for (case, moments) in [
        ("build-pull", &[500, 1500][..]),
        ("check-fail", &[700, 1800, 2500, 5300, 6820][..]),
        ("bake", &[600, 900][..]),
    ] {
        let mut shown = Vec::new();
        for (&at, &(width, height)) in moments.iter().flat_map(|at| {
            [(20, 24), (80, 24), (80, 5), (200, 24)].iter().map(move |size| (at, size))
        }) {
            let graph = graph_at(case, at);
            let look = Look {
                size: Size { width, height },
                style: Style::Plain,
                charset: if height == 5 { Charset::Ascii } else { Charset::Unicode },
                elapsed: Duration::from_millis(at),
                now: graph.origin().map(|origin| origin.plus(Duration::from_millis(at))),
                cancelling: false,
            };
            let lines = frame(&graph, &look);
            assert!(lines.len() < height, "{case} at {at}: higher than {height} rows");
            shown.push(format!("── after {at} ms, {width}×{height}"));
            for line in &lines {
                let columns = unicode_width::UnicodeWidthStr::width(line.as_str());
                assert!(columns < width, "{case} at {at}: wider than {width}: {line}");
                shown.push(line.clone());
            }
        }
        snapbox::assert_data_eq!(shown.join("\n") + "\n", golden(case, "bars"));
    }
}

#[test]
fn what_is_left_of_a_block() {
    let mut shown = Vec::new();
    for (case, _) in recordings() {
        let graph = graph_at(&case, u64::MAX);
        let look = Look {
            size: Size { width: 80, height: 24 },
            style: Style::Plain,
            charset: Charset::Unicode,
            elapsed: elapsed(&graph),
            now: graph.latest(),
            cancelling: false,
        };
        shown.push(format!("── {case}"));
        for line in ending(&graph, &look, how_it_ended(&graph)) {
            shown.push(line);
        }
    }
    snapbox::assert_data_eq!(shown.join("\n") + "\n", golden("all", "endings"));
}

#[test]
fn any_block_fits_any_window() {
    for (case, _) in recordings() {
        for at in (0..8000).step_by(400) {
            let graph = graph_at(&case, at);
            for (width, height) in [(1, 1), (5, 2), (9, 3), (20, 4), (33, 6), (80, 8), (200, 50)] {
                let look = Look {
                    size: Size { width, height },
                    style: Style::Plain,
                    charset: Charset::Unicode,
                    elapsed: Duration::from_millis(at),
                    now: graph.latest(),
                    cancelling: true,
                };
                let lines = frame(&graph, &look);
                assert!(lines.len() <= height.saturating_sub(1).max(1), "{case} at {at}");
                for line in lines.iter().filter(|_| width > 4) {
                    let columns = unicode_width::UnicodeWidthStr::width(line.as_str());
                    assert!(columns < width, "{case} at {at}: wider than {width}: {line}");
                }
            }
        }
    }
}

#[test]
fn a_terminal_keeps_what_was_there_and_gets_its_cursor_back() {
    let out = Shared::default();
    let graph = replay(Box::new(Bars::new(out.canvas(&window(60, 14)))), "check-fail");
    let mut terminal = screen(14, 60);
    terminal.process(b"$ docker flowstorage build\r\n");
    // The terminal's driver makes \r\n of our \n.
    let drawn = String::from_utf8(out.bytes()).unwrap().replace('\n', "\r\n");
    terminal.process(drawn.as_bytes());
    assert!(!terminal.screen().hide_cursor());
    assert_eq!(how_it_ended(&graph), Ending::Failed);
    assert_eq!(
        terminal.screen().contents().lines().map(str::trim_end).collect::<Vec<_>>(),
        [
            "$ docker flowstorage build",
            "[+] Building 6.9s (5/8) FAILED",
            " ✘ [etl 6/6] RUN python /flowstorage/check.py          0.7s",
            " ! flow `nightly` has no result: retries start from scratch",
        ]
    );
}

#[test]
fn a_window_made_narrower_leaves_no_rubbish() {
    let out = Shared::default();
    let size = window(100, 20);
    let mut bars = Box::new(Bars::new(out.canvas(&size)));
    let mut terminal = screen(20, 100);
    terminal.process(b"$ before\r\n");
    let mut seen = 0;
    let mut show = |terminal: &mut vt100::Parser| {
        let bytes = out.bytes();
        let fresh = String::from_utf8_lossy(&bytes[seen..]).replace('\n', "\r\n");
        seen = bytes.len();
        terminal.process(fresh.as_bytes());
    };
    bars.tick(&graph_at("check-fail", 5300), Duration::from_millis(5300));
    show(&mut terminal);
    assert!(terminal.screen().hide_cursor());
    // This terminal does not break lines anew, as a real one does: it is shown them broken.
    let broken: String = terminal
        .screen()
        .contents()
        .lines()
        .flat_map(|line| {
            let cells: Vec<char> = line.chars().collect();
            let rows = cells.chunks(40).map(|row| row.iter().collect::<String>() + "\r\n");
            rows.collect::<Vec<_>>()
        })
        .collect();
    let mut narrow = screen(20, 40);
    narrow.process(broken.as_bytes());
    *size.lock().unwrap() = Size { width: 40, height: 20 };
    bars.tick(&graph_at("check-fail", 5400), Duration::from_millis(5500));
    show(&mut narrow);
    let contents = narrow.screen().contents();
    let headers = contents.lines().filter(|line| line.starts_with("[+]")).count();
    assert_eq!((headers, contents.lines().next()), (1, Some("$ before")), "{contents}");
    drop(bars);
    show(&mut narrow);
    assert!(!narrow.screen().hide_cursor());
}

#[test]
fn quiet_writes_nothing_and_rawjson_everything() {
    let stream = recording("fail-run");
    for (mode, want) in [(Mode::Quiet, &b""[..]), (Mode::RawJson, &stream)] {
        let out = Shared::default();
        let mut view = render::new(mode, out.canvas(&window(80, 24)));
        view.raw(&stream);
        replay(view, "fail-run");
        assert_eq!(out.bytes(), want, "{mode:?}");
    }
}
