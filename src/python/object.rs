//! The objects of the heap.
//!
//! **Invariant:** plain data; an object that may be one thing or another is `Lost`.

use std::collections::BTreeMap;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_python_ast::{Expr, ExprGenerator, Parameters, Stmt};

use super::script::FlowKind;
use super::value::{Datum, Dict, Id, Span, V, Why};

/// Names and what they are bound to.
pub(super) type Names = BTreeMap<Name, V>;

/// An object.
#[derive(Clone, Debug)]
pub(super) enum Obj<'a> {
    /// The names of a module, a call or a class.
    Scope(Names),
    List(Vec<Datum>),
    /// A list in the order of a set, which is by chance.
    Bag(Vec<Datum>),
    /// A set: its values in order of insertion.
    Set(Dict),
    Dict(Dict),
    /// What is left of an iterator.
    Iter(Vec<Datum>),
    /// An iterator that nothing has been taken of yet.
    Later(Later<'a>),
    /// What a mapping has at the time of looking.
    View(Id, View),
    /// One of two functions, and why it is not known which.
    Choice(V, V, Why),
    File(OpenFile),
    Function(Function<'a>),
    Class(Class),
    Instance(Instance),
    Module(Module),
    Flow(FlowObj),
    Storage(StorageObj),
    Partial(Partial),
    /// `flow(name=…)` of Prefect 2, before it is given a function.
    FlowMaker(Args),
    /// `super()`: the class after which to look, and the instance.
    Super(Id, V),
    /// What it is depends on something that is not known.
    Lost(Why),
}

/// What an iterator will execute.
#[derive(Clone, Debug)]
pub(super) enum Later<'a> {
    /// A generator expression, what its first loop goes over, and where it stands.
    Generator {
        generator: &'a ExprGenerator,
        first: (Vec<Datum>, bool),
        source: usize,
        globals: Id,
        enclosing: Rc<[Id]>,
    },
    /// A call of a generator function.
    Call(Id, Args, Span),
    /// `map` or `filter`.
    Map { filters: bool, function: V, items: (Vec<Datum>, bool) },
}

/// The parts of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Keys,
    Values,
    Items,
}

/// A file opened for reading, what is left of its text, and whether it is read as bytes.
#[derive(Clone, Debug)]
pub(super) struct OpenFile {
    pub(super) text: Rc<str>,
    pub(super) position: usize,
    pub(super) binary: bool,
}

/// A function of the user's.
#[derive(Clone, Debug)]
pub(super) struct Function<'a> {
    pub(super) name: Name,
    pub(super) code: Code<'a>,
    pub(super) source: usize,
    pub(super) globals: Id,
    pub(super) enclosing: Rc<[Id]>,
    /// Values of the defaults, by parameter.
    pub(super) defaults: Rc<Names>,
    /// The class that it is a method of.
    pub(super) class: Option<Id>,
    pub(super) binding: Binding,
    pub(super) at: Span,
    /// What sets a property.
    pub(super) setter: Option<Id>,
    /// Whether it gives the same object again for the same arguments.
    pub(super) cached: bool,
    /// Whether it is run by something that passes arguments of its own, like a command line.
    pub(super) wrapped: bool,
}

/// What a function executes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Code<'a> {
    Def { parameters: &'a Parameters, body: &'a [Stmt], yields: bool },
    Lambda { parameters: Option<&'a Parameters>, body: &'a Expr },
}

/// How a function of a class is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    Method,
    Static,
    Class,
    Property,
}

/// A class of the user's.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) name: Name,
    pub(super) bases: Vec<V>,
    pub(super) scope: Id,
    pub(super) kind: ClassKind,
    /// Fields with an annotation, in order.
    pub(super) fields: Rc<[Name]>,
}

/// What instances of a class are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClassKind {
    Plain,
    /// `dataclass` or `NamedTuple`: `__init__` follows from the fields.
    Record,
    Enum,
    /// A subclass of Prefect's `Docker`.
    Storage,
    /// A subclass of Prefect's `Flow`.
    Flow,
    /// It has a base or decorator that is not the user's.
    Foreign,
}

/// An instance of a class of the user's, or a `SimpleNamespace`.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) class: Option<Id>,
    pub(super) attributes: Names,
}

/// A module of the user's.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) name: Rc<str>,
    pub(super) scope: Id,
}

/// A flow.
#[derive(Clone, Debug)]
pub(super) struct FlowObj {
    pub(super) name: V,
    pub(super) kind: FlowKind,
    pub(super) function: Option<String>,
    /// Whether `function` is the name that it is bound to, which is what finds it.
    pub(super) bound: bool,
    pub(super) at: Span,
    pub(super) storage: V,
    /// Made while a local module was imported.
    pub(super) imported: bool,
    /// Whether the script itself does something with it.
    pub(super) used: bool,
    pub(super) class: Option<Id>,
    pub(super) attributes: Names,
}

/// A `Docker(...)` storage.
#[derive(Clone, Debug)]
pub(super) struct StorageObj {
    pub(super) at: Span,
    pub(super) variable: Option<Name>,
    pub(super) arguments: Vec<(Name, Datum)>,
    pub(super) rest: Option<Why>,
    pub(super) class: Option<Id>,
    pub(super) attributes: Names,
}

/// `functools.partial`.
#[derive(Clone, Debug)]
pub(super) struct Partial {
    pub(super) function: V,
    pub(super) args: Args,
}

/// Arguments of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Args {
    pub(super) positional: Vec<Datum>,
    pub(super) keywords: Vec<(Name, Datum)>,
    /// A `*list` that is not known.
    pub(super) more: Option<Why>,
    /// A `**mapping` that is not known.
    pub(super) rest: Option<Why>,
}

impl Args {
    /// The argument under a name or position.
    pub(super) fn get(&self, position: usize, name: &str) -> Option<&V> {
        let named = self.keywords.iter().find(|(key, _)| key.as_str() == name);
        named.map(|(_, datum)| &datum.value).or_else(|| self.at(position))
    }

    pub(super) fn keyword(&self, name: &str) -> Option<&V> {
        self.keywords.iter().find(|(key, _)| key.as_str() == name).map(|(_, datum)| &datum.value)
    }

    /// The positional argument at a position.
    pub(super) fn at(&self, position: usize) -> Option<&V> {
        self.positional.get(position).map(|datum| &datum.value)
    }

    /// Why not all arguments are known, if so.
    pub(super) fn uncertain(&self) -> Option<&Why> {
        self.more.as_ref().or(self.rest.as_ref())
    }

    /// The first argument that is not known, or the reason why there may be others.
    pub(super) fn unknown(&self) -> Option<&Why> {
        let keywords = self.keywords.iter().map(|(_, datum)| datum);
        let mut all = self.positional.iter().chain(keywords);
        self.uncertain().or_else(|| all.find_map(|datum| datum.value.why()))
    }
}
