//! A builder that cannot see the engine's images: a second engine behind buildx's driver `remote`.
//!
//! An engine builds for whoever speaks gRPC to its socket after an upgrade, for which buildx asks
//! only where the driver is `docker`. A relay in between asks for it.
//!
//! **Invariant:** the builder belongs to one project, and the engine behind it to one test; both go
//! with the test.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use super::{Project, engine_script};

const UPGRADE: &str =
    "POST /grpc HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

/// The builder; its name is what `--builder` takes.
pub(crate) struct FarBuilder {
    pub(crate) name: &'static str,
}

impl FarBuilder {
    /// Starts the engine and tells the project's buildx of it.
    pub(crate) fn start(project: &Project) -> Self {
        let builder = Self { name: "far" };
        let output = engine_script("up", "far").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let exports = String::from_utf8(output.stdout).unwrap();
        let host = exports.lines().find_map(|line| line.strip_prefix("export DOCKER_HOST=unix://"));
        let engine = PathBuf::from(host.expect("an engine has an address"));
        let socket = project.client().join("far.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let engine = engine.clone();
                thread::spawn(move || relay(&stream, &engine));
            }
        });
        let address = format!("unix://{}", socket.display());
        let create = ["buildx", "create", "--driver", "remote", "--name", builder.name, &address];
        project.docker(&create).ok();
        builder
    }
}

impl Drop for FarBuilder {
    fn drop(&mut self) {
        let _ = engine_script("down", "far").output();
    }
}

/// Carries bytes both ways until either side ends.
fn relay(client: &UnixStream, engine: &Path) -> io::Result<()> {
    let mut engine = UnixStream::connect(engine)?;
    engine.write_all(UPGRADE.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    // Byte by byte: what follows the head is the client's.
    while !head.ends_with(b"\r\n\r\n") {
        engine.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let (mut from, mut to) = (client.try_clone()?, engine.try_clone()?);
    let up = thread::spawn(move || carry(&mut from, &mut to));
    carry(&mut engine, &mut client.try_clone()?);
    let _ = up.join();
    Ok(())
}

fn carry(from: &mut UnixStream, to: &mut UnixStream) {
    // A side that went away ends the other; whoever waited for an answer says so.
    let _ = io::copy(from, to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
