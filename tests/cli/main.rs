//! Tests that need no engine: the command line, whole plans, recorded streams, the code's shape.

mod help;
mod plugin;
mod replay;
