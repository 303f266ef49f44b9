//! The binary that users get.
//!
//! **Invariant:** what is looked at is built by the release profile, from the committed lock file.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::BINARY;

const LARGEST: u64 = 8 * 1024 * 1024;
/// libc, its loader, and what GCC links into every program that unwinds.
const FAMILY: [&str; 6] =
    ["linux-vdso", "linux-gate", "libc.so", "libm.so", "libgcc_s.so", "ld-linux"];

#[expect(clippy::disallowed_methods, reason = "cargo and ldd are this test's tools")]
fn run(program: &str, args: &[&str]) -> String {
    let output = std::process::Command::new(program)
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn release() -> PathBuf {
    let target = Path::new(BINARY).ancestors().nth(2).unwrap();
    let words = ["build", "--release", "--locked", "--quiet", "--bin", "docker-flowstorage"];
    run(env!("CARGO"), &[&words[..], &["--target-dir", target.to_str().unwrap()]].concat());
    target.join("release/docker-flowstorage")
}

#[test]
fn one_small_binary_that_needs_libc_alone() {
    let binary = release();
    let size = binary.metadata().unwrap().len();
    assert!(size < LARGEST, "{size} bytes");

    let listed = run("ldd", &[binary.to_str().unwrap()]);
    let strangers: Vec<&str> = listed
        .lines()
        .map(|line| line.trim().split(' ').next().unwrap().rsplit('/').next().unwrap())
        .filter(|name| !FAMILY.iter().any(|known| name.starts_with(known)))
        .collect();
    assert_eq!(strangers, Vec::<&str>::new(), "{listed}");
}
