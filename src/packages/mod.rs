//! Which Debian packages are needed for what.
//!
//! **Invariant:** tables are data; nothing here asks the machine or the network.

pub mod recipes;
