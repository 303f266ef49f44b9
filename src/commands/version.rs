//! `version`: says which build of the plugin this is.
//!
//! **Invariant:** asks nobody; docker's own version is docker's to say.

use serde_json::json;

use crate::cli::{Format, VersionArgs};
use crate::host::Host;
use crate::plugin::{BINARY, Call};

/// Writes the version to stdout.
pub fn run(args: &VersionArgs, _call: &Call, host: &mut Host) -> anyhow::Result<()> {
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    let text = match args.format {
        Format::Default => format!("{BINARY} {version}\n"),
        Format::Json => format!("{}\n", json!({ "version": version })),
    };
    // A result's own fault stays bare: a closed stdout is told from a failure by that.
    Ok(host.term.result(&text)?)
}
