//! What `BuildKit` says about a build, from bytes to a picture of the whole.
//!
//! Bytes become [`Event`]s in [`rawjson`], events are folded into a [`graph::Graph`], and views read
//! that graph: none of them ever sees JSON.
//!
//! **Invariant:** no clock, environment or file is read here; every time comes from the stream, so a
//! recording replays to the same result.

pub mod failure;
pub mod finding;
pub mod graph;
pub mod rawjson;
pub mod redact;
pub mod step;

mod logs;
mod name;
mod texts;

use std::time::Duration;

/// Reads a text as the output of a program: its lines as a terminal would leave them, without escape
/// sequences.
pub fn lines(text: &[u8]) -> Vec<String> {
    logs::read(text)
}

/// A point in time as the stream tells it, in nanoseconds of the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i128);

impl Moment {
    /// Makes a moment of nanoseconds since the Unix epoch.
    pub fn from_unix_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// Returns the time passed since `earlier`, zero if that is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.0 - earlier.0).map_or(Duration::ZERO, Duration::from_nanos)
    }

    /// Returns the moment that comes `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0 + i128::try_from(by.as_nanos()).unwrap_or(i128::MAX / 2))
    }
}

/// One thing that was said during a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step was announced, started, or completed.
    Vertex(Vertex),
    /// A part of a step made progress.
    Status(Status),
    /// A step wrote output.
    Log(Log),
    /// The Dockerfile frontend found fault with the Dockerfile.
    Warning(Warning),
    /// A line on the stream that belongs to no step: buildx's own words.
    Text(String),
}

/// The state of one step; each one replaces what was said about it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// What identifies the step within this build. Differs between builds.
    pub digest: String,
    /// Digests of the steps that it needs.
    pub inputs: Vec<String>,
    /// Its name as `BuildKit` writes it.
    pub name: String,
    /// When the present interval of work began.
    pub started: Option<Moment>,
    /// When that interval ended. Work may begin again after it.
    pub completed: Option<Moment>,
    /// Whether the result was there already.
    pub cached: bool,
    /// Why it failed.
    pub error: Option<String>,
    /// Steps of one group are shown as one.
    pub group: Option<Group>,
}

/// What several vertices have in common, as those of `COPY --link` do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The same for all members.
    pub id: String,
    /// The name that stands for all of them.
    pub name: String,
    /// A weak member alone is no reason to show the group.
    pub weak: bool,
}

/// The progress of one part of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Digest of the step.
    pub vertex: String,
    /// What is being done: a layer's digest, `exporting layers`, and so on.
    pub id: String,
    /// Bytes done.
    pub current: u64,
    /// Bytes in all, where that is known.
    pub total: Option<u64>,
    /// When it began.
    pub started: Option<Moment>,
    /// When it ended.
    pub completed: Option<Moment>,
}

/// A piece of a step's output: not a line, and not even whole characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Digest of the step.
    pub vertex: String,
    /// 1 for stdout, 2 for stderr.
    pub stream: u8,
    /// The bytes as they were written.
    pub data: Vec<u8>,
    /// When they were written.
    pub at: Option<Moment>,
}

/// A remark on the user's Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Digest of the step that it came with.
    pub vertex: String,
    /// The remark, one line.
    pub short: String,
}
