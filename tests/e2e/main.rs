//! The plugin under a real docker, on a real engine and registry, with the real package indexes.
//!
//! Needs what `tests/engine/up` exports: `make test` does that, or `eval "$(tests/engine/up)"`.
//!
//! **Invariant:** tests share nothing but the engine's cache, so that any of them can run alone.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod check;
mod crash;
mod defects;
mod eject;
mod environment;
mod explain;
mod faults;
mod fix;
mod flows;
mod golden;
mod image;
mod inference;
mod libraries;
mod locks;
mod modules;
mod output;
mod packages;
mod plugin;
mod prefect3;
mod private;
mod recipes;
mod registration;
mod release;
mod remote_builder;
mod repositories;
mod script_spec;
mod spec;
mod stop;
mod support;
mod user_dockerfile;
