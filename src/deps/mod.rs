//! Python dependencies as users declare them.
//!
//! **Invariant:** reads text only; what an index or an image holds is not known here.

pub mod external;
mod lines;
pub mod local;
pub mod lock;
pub mod marker;
pub mod requirements;
mod tables;
pub mod wheel;

pub use tables::{declares_dependencies, project_name, script_block};
