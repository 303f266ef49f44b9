//! Requests to stop: signals, and docker closing its socket.
//!
//! **Invariant:** one press of Ctrl-C is one request, though it may reach us in two ways.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::mpsc::Sender;
use std::thread;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Sends `message` for each request to stop, until the receiver is gone.
pub fn watch<T: Clone + Send + 'static>(
    socket: Option<&OsStr>,
    to: &Sender<T>,
    message: &T,
) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("waiting for signals")?;
    let (sender, copy) = (to.clone(), message.clone());
    thread::spawn(move || {
        for _ in signals.forever() {
            if sender.send(copy.clone()).is_err() {
                return;
            }
        }
    });
    if let Some(socket) = socket {
        let (socket, sender, copy) = (socket.to_owned(), to.clone(), message.clone());
        thread::spawn(move || {
            // docker closes it at the first request, or by dying. It never writes.
            if wait_for_end(&socket).is_ok() {
                let _ = sender.send(copy);
            }
        });
    }
    Ok(())
}

/// Returns when docker closes its end; an error if there is no such socket.
fn wait_for_end(socket: &OsString) -> std::io::Result<()> {
    let bytes = socket.as_bytes();
    // Docker's notation for the abstract namespace.
    let mut stream = match bytes.strip_prefix(b"@") {
        Some(name) => UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => UnixStream::connect(socket)?,
    };
    let mut buffer = [0; 64];
    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
    Ok(())
}
