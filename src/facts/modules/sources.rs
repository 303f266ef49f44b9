//! Source files, read and parsed, several at a time.
//!
//! **Invariant:** the results come in the order of the paths, however many threads there are.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sha2::{Digest, Sha256};

use super::has_extension;
use crate::facts::{FileFact, hex};
use crate::python::SyntaxError;
use crate::python::imports::{self, Reads};

/// Bytes of stack that the deepest source that is parsed can be walked with.
pub(super) const STACK: usize = 64 << 20;
/// Files that are not worth a thread.
const FEW: usize = 16;

/// A source file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: FileFact,
    pub(super) reads: Result<Reads, SyntaxError>,
}

/// Reads files. To be called with [`STACK`].
pub(super) fn read_all(paths: &[PathBuf]) -> Vec<io::Result<Source>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    if paths.len() < FEW || threads == 1 {
        return paths.iter().map(|path| read(path)).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, path)) = take(&next, paths) {
            done.push((at, read(path)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).filter_map(spawn).collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, source)| source).collect()
}

fn take<'a>(next: &AtomicUsize, paths: &'a [PathBuf]) -> Option<(usize, &'a Path)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, paths.get(at)?))
}

fn read(path: &Path) -> io::Result<Source> {
    let bytes = fs::read(path)?;
    let mode = fs::metadata(path)?.permissions().mode();
    let file = FileFact {
        source: path.to_owned(),
        size: bytes.len() as u64,
        executable: mode & 0o111 != 0,
        digest: hex(&Sha256::digest(&bytes)),
        text: None,
        first: bytes.first().copied(),
    };
    let reads = if has_extension(&path.to_string_lossy(), "py") {
        decoded(bytes).and_then(|text| imports::imports(&text))
    } else {
        Ok(Reads::default())
    };
    Ok(Source { file, reads })
}

/// The text of a source, in UTF-8 unless its first lines declare an encoding of single bytes.
fn decoded(bytes: Vec<u8>) -> Result<String, SyntaxError> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error.into_bytes(),
    };
    let declared = bytes.split(|byte| *byte == b'\n').take(2).find_map(encoding);
    match declared {
        // All of these have ASCII at its place, and no name of a module has anything else.
        Some(name) if is_single_byte(&name) => Ok(bytes.into_iter().map(char::from).collect()),
        Some(name) => {
            Err(SyntaxError { message: format!("it is in `{name}`, not UTF-8"), line: 1 })
        }
        None => Err(SyntaxError { message: "it is not UTF-8".to_owned(), line: 1 }),
    }
}

/// The encoding that a line declares: PEP 263.
fn encoding(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii_start();
    if !line.starts_with(b"#") {
        return None;
    }
    let line = String::from_utf8_lossy(line);
    let rest = line.split_once("coding")?.1.strip_prefix([':', '='])?.trim_start();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = rest.chars().take_while(|c| is_part(*c)).collect();
    (!name.is_empty()).then(|| name.to_ascii_lowercase().replace('_', "-"))
}

fn is_single_byte(encoding: &str) -> bool {
    let families = ["latin", "l1", "iso-8859-", "iso8859-", "cp125", "windows-125", "koi8-"];
    families.iter().any(|family| encoding.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_decoded_as_they_declare() {
        for (bytes, text) in [
            (&b"x = '\xc3\xa9'"[..], Ok("x = 'é'")),
            (b"# -*- coding: latin-1 -*-\nx = '\xe9'", Ok("# -*- coding: latin-1 -*-\nx = 'é'")),
            (
                b"#!x\n# vim: fileencoding=ISO_8859-15\n\xe9",
                Ok("#!x\n# vim: fileencoding=ISO_8859-15\né"),
            ),
            (b"\n\n# coding: latin-1\n\xe9", Err("it is not UTF-8")),
            (b"x = '\xe9'", Err("it is not UTF-8")),
            (b"# coding: big5\n\xa4\xa4", Err("it is in `big5`, not UTF-8")),
        ] {
            let found = decoded(bytes.to_vec()).map_err(|error| error.message);
            assert_eq!(found, text.map(str::to_owned).map_err(str::to_owned));
        }
    }

    #[test]
    fn results_keep_the_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |number: usize| folder.path().join(format!("m{number}.py"));
        for number in 0..600 {
            fs::write(path(number), format!("import n{number}")).expect("a file");
        }
        let mut paths: Vec<PathBuf> = (0..600).map(path).collect();
        paths.insert(50, folder.path().join("missing.py"));
        let found: Vec<String> = read_all(&paths)
            .into_iter()
            .map(|source| match source {
                Ok(source) => source.reads.expect("Python").imports[0].module.clone(),
                Err(_) => "missing".to_owned(),
            })
            .collect();
        let mut wanted: Vec<String> = (0..600).map(|number| format!("n{number}")).collect();
        wanted.insert(50, "missing".to_owned());
        assert_eq!(found, wanted);
    }
}
