//! Python dependencies as users declare them.
//!
//! **Invariant:** reads text only; what an index or an image holds is not known here.

pub mod requirements;
mod tables;

pub use tables::script_block;
