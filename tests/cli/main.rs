//! Tests that need no engine: the command line, whole plans, recorded streams, the code's shape.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and starts processes"
)]
mod defects;
mod docs;
mod explain;
mod help;
mod init;
mod layering;
mod locks;
mod plan;
mod plugin;
mod reader;
mod replay;
