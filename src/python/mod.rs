//! Python source, read and never run.
//!
//! **Invariant:** pure; a value is either what running the script would give or reported as unknown.

mod attribute;
mod block;
mod builtins;
mod call;
mod class;
mod compare;
mod containers;
mod data;
mod dicts;
mod display;
mod exceptions;
mod expr;
mod format;
mod heap;
pub mod imports;
mod interpreter;
mod iterating;
mod later;
mod library;
mod lists;
mod local;
mod members;
mod merge;
mod names;
mod object;
mod ops;
mod pathlib;
mod paths;
mod pattern;
mod prefect;
mod python2;
mod reflect;
mod repr;
mod result;
mod scan;
pub mod script;
mod source;
mod spec;
mod strings;
#[cfg(test)]
mod tests;
mod uncalled;
mod value;

use std::path::Path;
use std::thread;

use interpreter::Interpreter;
pub use script::{Script, Sources};
use source::{Library, Source};

/// Why a script cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// One line.
    pub message: String,
    /// Counted from 1.
    pub line: usize,
}

/// Bytes of stack for following a script, whose depth is bounded.
const STACK: usize = 128 << 20;

/// Reads a script: what running it with these sources would make. `path` is absolute, and its text
/// is among the sources.
pub fn read(path: &Path, sources: &Sources) -> Result<Script, SyntaxError> {
    thread::scope(|scope| {
        let run = || read_here(path, sources);
        let reader = thread::Builder::new().name("reader".to_owned()).stack_size(STACK);
        match reader.spawn_scoped(scope, run) {
            Ok(reader) => reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => Err(SyntaxError {
                message: format!("the script cannot be read, for lack of memory: {error}"),
                line: 1,
            }),
        }
    })
}

fn read_here(path: &Path, sources: &Sources) -> Result<Script, SyntaxError> {
    let text = match sources.files.get(path) {
        Some(Some(text)) => text,
        Some(None) => {
            let message = "the file is not text in UTF-8".to_owned();
            return Err(SyntaxError { message, line: 1 });
        }
        None => {
            let wanted = [path.to_owned()].into();
            return Ok(Script { wanted, ..Script::default() });
        }
    };
    let source = Source::parse(path, text)?;
    let (imports, python2) = scan::imports(source.body());
    if let Some(range) = python2 {
        return Err(python2::except(source.line(range)));
    }
    let library = Library::new();
    let Some((at, source)) = library.keep(source) else { return Ok(Script::default()) };
    let mut interpreter = Interpreter::new(sources, &library);
    let scope = interpreter.module_scope(path, "__main__");
    interpreter.run_module(at, source, scope);
    interpreter.run_uncalled(scope);
    Ok(interpreter.result(scope, imports))
}
