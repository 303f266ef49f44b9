//! What reading a flow script gives: flows, storages, and what cannot be known.
//!
//! **Invariant:** plain data; a value is either what running the script on this machine would give,
//! or [`Value::Unknown`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What reading may know of the machine. What it would like to know besides is returned in
/// [`Script::wanted`]: whoever has the files adds them and reads again.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Texts by absolute, normalised path; none for what is not a file that can be read as UTF-8.
    pub files: BTreeMap<PathBuf, Option<String>>,
    /// Folders that local modules are imported from, in the order of `sys.path`.
    pub roots: Vec<PathBuf>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The current folder, absolute.
    pub cwd: PathBuf,
}

/// A place in a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Absolute path.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

/// A flow script, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// Absolute modules that it imports anywhere, first dotted name whole, in order.
    pub imports: Vec<String>,
    /// The flows that running it leaves in its globals or makes on the way, in order, each once.
    pub flows: Vec<FlowFound>,
    /// The `Docker(...)` storages that it makes, in order; each call that runs is one.
    pub storages: Vec<StorageFound>,
    /// Environment variables that running it asks for, set or not.
    pub variables: BTreeSet<String>,
    /// Files that were asked for and are not in [`Sources::files`].
    pub wanted: BTreeSet<PathBuf>,
}

/// Which Prefect a flow is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// `Flow(...)` of Prefect 0.x and 1.x.
    Prefect1,
    /// `@flow` of Prefect 2 and 3.
    Prefect,
}

/// A flow that a script makes or imports.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowFound {
    /// Its name: [`Value::Text`] or [`Value::Unknown`].
    pub name: Value,
    /// Which Prefect it is of.
    pub kind: FlowKind,
    /// The decorated function of a flow of Prefect 2 or 3; for a method `Class.method`.
    pub function: Option<String>,
    /// Where it is made.
    pub at: Spot,
    /// Its storage: an index into [`Script::storages`].
    pub storage: Option<usize>,
}

/// A `Docker(...)` call.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageFound {
    /// Where it is called.
    pub at: Spot,
    /// The variable that it was bound to first, if any.
    pub variable: Option<String>,
    /// The arguments in the order of the call, positional ones under their names. An argument
    /// whose value is `None` is there as [`Value::None`].
    pub arguments: Vec<Argument>,
    /// A `**mapping` of the call that cannot be known: any keyword may be in it.
    pub rest: Option<Unknown>,
}

/// One argument of a `Docker(...)` call.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The keyword.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Where the argument stands in the call, or the pair in the mapping that it came by.
    pub at: Spot,
}

/// A value of Python, as far as a spec can hold it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` and `False`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number that is no `i64`, as Python's `repr` writes it.
    Float(String),
    /// A string; a path as `str(path)` gives it.
    Text(String),
    /// A list, tuple or set (in the order of the source).
    List(Vec<Item>),
    /// A mapping in order of insertion, its keys as `str` gives them.
    Table(Vec<(String, Item)>),
    /// Known only when the script runs.
    Unknown(Unknown),
}

/// An item of a list or mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The value.
    pub value: Value,
    /// Where it is written.
    pub at: Spot,
}

/// Why a value cannot be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The innermost expression that is not known, as written, on one line.
    pub expression: String,
    /// Where it stands.
    pub at: Spot,
    /// What would make it known, where that is more than running the script.
    pub because: Because,
}

/// What a value depends on that is not in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// It is computed when the script runs.
    RunTime,
    /// An environment variable without a default is not set.
    Variable(String),
    /// A file that the script reads does not exist, or is not UTF-8.
    File(PathBuf),
    /// It is known, and holds the value of an environment variable that looks like a credential.
    Credential(String),
}
