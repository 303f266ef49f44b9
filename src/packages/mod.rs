//! Which Debian packages Python packages and programs need.
//!
//! Debian 12 (bookworm) gives a package its name here; where Debian 13 (trixie) has another one, both
//! are named, so that a build on either finds it.
//!
//! **Invariant:** every table is sorted by its first column, which is unique; every look-up is a binary
//! search in the embedded text and knows nothing of the machine.

mod debian;
mod distributions;
mod lookup;
mod odbc;
pub mod recipes;
mod table;

pub use debian::{Package, package};
pub use distributions::{Distribution, Wheel, distribution};
pub use lookup::{External, external, header, program, soname};
pub use odbc::{OdbcDriver, odbc_driver};

/// The table of libraries as text, to be sent into an image: soname, package on Debian 12 and on 13.
pub const SONAMES: &str = include_str!("data/sonames.tsv");

/// The table of programs as text, to be sent into an image: program, package.
pub const PROGRAMS: &str = include_str!("data/programs.tsv");

#[cfg(test)]
mod tests;
