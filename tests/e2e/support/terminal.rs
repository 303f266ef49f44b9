//! A terminal of our own, and the screen that a program draws on it.
//!
//! **Invariant:** dropping a terminal closes it, as a closed window does.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::Project;

/// A program on a terminal.
pub(crate) struct Terminal {
    pub(crate) child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    keyboard: Option<Box<dyn Write + Send>>,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Starts `docker ARGS…` on a terminal of 30 lines and 100 columns.
    pub(crate) fn docker(project: &Project, args: &[&str]) -> Self {
        let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let prepared = project.command("docker", args);
        let mut command = CommandBuilder::new(prepared.get_program());
        command.args(prepared.get_args());
        command.env_clear();
        for (name, value) in prepared.get_envs() {
            command.env(name, value.unwrap());
        }
        command.env("TERM", "xterm-256color");
        command.cwd(project.folder());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let [rows, columns] = [size.rows, size.cols].map(|count| NonZero::new(count).unwrap());
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 1000)));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let drawn = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 {
                    return;
                }
                drawn.lock().unwrap().process(&buffer[..count]);
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { child, master: Some(pair.master), keyboard: Some(keyboard), screen }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// The lines on the screen, without empty ones.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = self.screen.lock().unwrap().screen().contents();
        text.lines().map(|l| l.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.keyboard.as_mut().unwrap().write_all(keys).unwrap();
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    pub(crate) fn until(&self, text: &str, patience: Duration) {
        let started = Instant::now();
        while !self.lines().iter().any(|line| line.contains(text)) {
            assert!(started.elapsed() < patience, "no `{text}`: {:#?}", self.lines());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the program's end; returns its exit code.
    pub(crate) fn wait(&mut self, patience: Duration) -> u32 {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last may still be on its way to the screen.
                thread::sleep(Duration::from_millis(100));
                return status.exit_code();
            }
            assert!(started.elapsed() < patience, "still running: {:?}", self.lines());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.keyboard.take());
        drop(self.master.take());
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            super::processes::signal_group(self.pid(), "KILL");
            let _ = self.child.wait();
        }
    }
}
