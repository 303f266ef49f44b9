//! The thin binary: hands the world to [`docker_flowstorage::run`] and returns its exit code.
//!
//! **Invariant:** nothing is decided here.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(answer) = docker_flowstorage::plugin::metadata_request(&args) {
        return answer;
    }
    docker_flowstorage::run(&args, &mut docker_flowstorage::host::Host::from_process())
}
