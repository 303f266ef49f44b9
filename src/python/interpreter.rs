//! The state of an execution: frames, budget, and ways that may or may not be taken.
//!
//! **Invariant:** every step is counted; when none are left, everything is unknown.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_text_size::{Ranged, TextRange};

use super::exceptions::{Guard, Raised};
use super::heap::{Changes, Heap, Mark};
use super::object::{Names, Obj};
use super::script::Sources;
use super::source::Library;
use super::value::{Datum, Dict, Id, Key, Span, V, Why};

/// Statements and expressions that are executed before all else is unknown.
const STEPS: usize = 200_000;
/// Steps for a way that may not be taken, which has to be merged.
const WAY: usize = 20;
/// Expressions, blocks and calls within each other.
const DEEPEST: usize = 600;

/// Why an expression or statement gave no value.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// An exception that something around it handles.
    Raised(Raised),
    /// The script ends here.
    Exit,
}

pub(super) type Res<T> = Result<T, Stop>;

/// How a block ended.
#[derive(Clone, Debug)]
pub(super) enum Control {
    Next,
    Break,
    Continue,
    Return(V),
}

/// A call, or the body of a module or class.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) source: usize,
    pub(super) globals: Id,
    pub(super) locals: Id,
    pub(super) enclosing: Rc<[Id]>,
    /// Names that were declared `global` or `nonlocal`, with the scope they live in.
    pub(super) declared: BTreeMap<Name, Id>,
    /// The class that the function is a method of, and its first argument, for `super()`.
    pub(super) class: Option<Id>,
    pub(super) receiver: Option<V>,
    /// Returns that happen if something unknown is so.
    pub(super) pending: Vec<Pending<'a>>,
    /// An exception that nothing handles: what follows would not run.
    pub(super) raised: Option<Why>,
    /// The exception that is being handled.
    pub(super) handling: Option<Raised>,
    /// A condition that is not known ended a loop early, or not.
    pub(super) uncertain: Option<Why>,
    /// A list of what a generator has given.
    pub(super) yielded: Option<Id>,
    /// Whether it is the body of a class, whose names functions in it do not see.
    pub(super) is_class: bool,
}

impl Frame<'_> {
    /// A frame whose names are those of a module, or for a start of a call or class.
    pub(super) fn new(source: usize, globals: Id, locals: Id) -> Self {
        Self {
            source,
            globals,
            locals,
            enclosing: Rc::new([]),
            declared: BTreeMap::new(),
            class: None,
            receiver: None,
            pending: Vec::new(),
            raised: None,
            handling: None,
            uncertain: None,
            yielded: None,
            is_class: false,
        }
    }
}

/// A way that returned while another one went on.
#[derive(Debug)]
pub(super) struct Pending<'a> {
    mark: Mark,
    changes: Changes<'a>,
    value: V,
    why: Why,
}

/// What one way of a condition did.
#[derive(Debug)]
pub(super) struct Way<'a> {
    pub(super) changes: Changes<'a>,
    /// None if the script cannot get past it.
    pub(super) control: Option<Control>,
    /// What it raises, and something around it handles.
    raised: Option<Raised>,
    escapes: Vec<(Changes<'a>, V, Why)>,
}

/// The execution of a script.
#[derive(Debug)]
pub(super) struct Interpreter<'a> {
    pub(super) sources: &'a Sources,
    /// The current folder, which `os.chdir` changes.
    pub(super) cwd: Result<Rc<str>, Why>,
    /// Folders that modules are imported from, which changing `sys.path` adds to.
    pub(super) roots: Vec<PathBuf>,
    pub(super) library: &'a Library,
    pub(super) heap: Heap<'a>,
    pub(super) frames: Vec<Frame<'a>>,
    pub(super) steps: usize,
    depth: usize,
    /// Ways open that may not be taken.
    pub(super) ways: usize,
    pub(super) flows: Vec<Id>,
    pub(super) storages: Vec<Id>,
    /// The way that is merged into the current state, while it is.
    pub(super) merging: Option<(Mark, Changes<'a>)>,
    /// Results of merging, and what went into them.
    pub(super) merged: BTreeMap<(Id, Id), Id>,
    pub(super) merged_away: BTreeSet<Id>,
    pub(super) wanted: BTreeSet<PathBuf>,
    pub(super) modules: BTreeMap<String, Id>,
    pub(super) environment: Id,
    /// Local modules being imported.
    pub(super) importing: usize,
    /// What handles exceptions around the current statement, innermost last.
    pub(super) guards: Vec<Guard>,
    /// Functions of the script, and which were called, by where they are defined.
    pub(super) functions: Vec<Id>,
    pub(super) called: BTreeSet<Span>,
    /// Results of functions that keep them, by where they are defined and their arguments.
    pub(super) kept: BTreeMap<(Span, Vec<Key>), V>,
    /// Variables of the environment that were asked for.
    pub(super) variables: RefCell<BTreeSet<String>>,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(sources: &'a Sources, library: &'a Library) -> Self {
        let mut heap = Heap::default();
        let mut environment = Dict::default();
        environment.environment = true;
        for (name, value) in &sources.env {
            let value = Datum::new(V::text(value.as_str()), Span::default());
            environment.insert(V::text(name.as_str()), value);
        }
        let environment = heap.add(Obj::Dict(environment));
        Self {
            sources,
            roots: sources.roots.clone(),
            cwd: Ok(sources.cwd.to_string_lossy().into()),
            library,
            heap,
            frames: Vec::new(),
            steps: STEPS,
            depth: 0,
            ways: 0,
            flows: Vec::new(),
            storages: Vec::new(),
            merging: None,
            merged: BTreeMap::new(),
            merged_away: BTreeSet::new(),
            wanted: BTreeSet::new(),
            modules: BTreeMap::new(),
            environment,
            importing: 0,
            guards: Vec::new(),
            functions: Vec::new(),
            called: BTreeSet::new(),
            kept: BTreeMap::new(),
            variables: RefCell::default(),
        }
    }

    /// Takes steps from the budget; false if there are too few left.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        let enough = self.steps > steps;
        self.steps = self.steps.saturating_sub(steps);
        enough
    }

    /// Runs something one level deeper, unless that is too deep or nothing of the budget is left.
    pub(super) fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= DEEPEST || !self.spend(1) {
            return None;
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        Some(result)
    }

    /// The script asks for a key of a mapping: of the environment, that is a variable.
    pub(super) fn asks(&self, dict: &Dict, key: &V) {
        if let (true, V::Str(name)) = (dict.environment, key) {
            self.variables.borrow_mut().insert(name.as_ref().to_owned());
        }
    }

    pub(super) fn frame(&self) -> &Frame<'a> {
        &self.frames[self.frames.len() - 1]
    }

    pub(super) fn frame_mut(&mut self) -> &mut Frame<'a> {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    pub(super) fn span(&self, range: TextRange) -> Span {
        Span { source: self.frame().source, range }
    }

    pub(super) fn unknown(&self, node: &impl Ranged) -> V {
        V::Unknown(Why::at(self.span(node.range())))
    }

    pub(super) fn names(&self, scope: Id) -> Option<&Names> {
        match self.heap.get(scope) {
            Obj::Scope(names) => Some(names),
            _ => None,
        }
    }

    pub(super) fn bind_in(&mut self, scope: Id, name: &str, value: V) {
        if let Obj::Scope(names) = self.heap.change(scope) {
            names.insert(Name::new(name), value);
        }
    }

    /// Runs one way of a condition that is not known and takes its changes back.
    pub(super) fn way(&mut self, run: impl FnOnce(&mut Self) -> Res<Control>) -> Way<'a> {
        self.spend(WAY);
        let first = self.heap.next();
        let mark = self.heap.mark();
        let pending = self.frame().pending.len();
        let (frames, depth, guards) = (self.frames.len(), self.depth, self.guards.len());
        let made = (self.flows.len(), self.storages.len());
        self.ways += 1;
        let (control, raised) = match run(self) {
            Ok(control) => (Some(control), None),
            Err(Stop::Raised(raised)) => (None, Some(raised)),
            Err(Stop::Exit) => (None, None),
        };
        self.ways -= 1;
        self.frames.truncate(frames);
        self.guards.truncate(guards);
        self.depth = depth;
        let mut escapes = Vec::new();
        for escape in self.frame_mut().pending.split_off(pending) {
            let mut changes = self.heap.between(mark, escape.mark);
            changes.extend(escape.changes);
            escapes.push((changes, escape.value, escape.why));
        }
        if control.is_none() && escapes.is_empty() {
            self.flows.truncate(made.0);
            self.storages.truncate(made.1);
        }
        let mut changes = self.heap.take_back(mark);
        // Objects that it made are its own.
        for (id, object) in changes.split_off(&first) {
            self.heap.set(id, object);
        }
        Way { changes, control, raised, escapes }
    }

    /// Goes on after two ways that exclude each other.
    pub(super) fn join(&mut self, a: Way<'a>, b: Way<'a>, why: &Why) -> Res<Control> {
        for raised in a.raised.iter().chain(&b.raised) {
            self.perhaps_raised(raised, why);
        }
        for (changes, value, why) in a.escapes.into_iter().chain(b.escapes) {
            self.postpone(changes, value, why);
        }
        match (a.control, b.control) {
            (None, None) => match self.frame_mut().pending.pop() {
                None => Err(Stop::Exit),
                Some(last) => {
                    self.heap.take_back(last.mark);
                    self.heap.apply(&last.changes);
                    Ok(Control::Return(last.value))
                }
            },
            (Some(control), None) => {
                self.heap.apply(&a.changes);
                Ok(control)
            }
            (None, Some(control)) => {
                self.heap.apply(&b.changes);
                Ok(control)
            }
            (Some(Control::Return(x)), Some(Control::Return(y))) => {
                self.both(&a.changes, &b.changes, why);
                Ok(Control::Return(self.merge_values(&x, &y, why)))
            }
            (Some(Control::Return(value)), Some(control)) => {
                self.postpone(a.changes, value, why.clone());
                self.heap.apply(&b.changes);
                Ok(control)
            }
            (Some(control), Some(Control::Return(value))) => {
                self.postpone(b.changes, value, why.clone());
                self.heap.apply(&a.changes);
                Ok(control)
            }
            (Some(x), Some(y)) => {
                self.both(&a.changes, &b.changes, why);
                match (&x, &y) {
                    (Control::Next, Control::Next)
                    | (Control::Break, Control::Break)
                    | (Control::Continue, Control::Continue) => Ok(x),
                    _ => {
                        self.frame_mut().uncertain = Some(why.clone());
                        Ok(Control::Next)
                    }
                }
            }
        }
    }

    fn both(&mut self, a: &Changes<'a>, b: &Changes<'a>, why: &Why) {
        let mark = self.heap.mark();
        self.heap.apply(b);
        self.merge(mark, a, why);
        self.heap.keep(mark);
    }

    fn postpone(&mut self, changes: Changes<'a>, value: V, why: Why) {
        let mark = self.heap.mark();
        self.frame_mut().pending.push(Pending { mark, changes, value, why });
    }

    /// The result of a call, its early returns considered; none if it never returns.
    pub(super) fn settle(&mut self, result: Option<V>) -> Option<V> {
        let mut result = result;
        while let Some(pending) = self.frame_mut().pending.pop() {
            result = Some(if let Some(value) = result {
                self.merge(pending.mark, &pending.changes, &pending.why);
                self.heap.keep(pending.mark);
                self.merge_values(&pending.value, &value, &pending.why)
            } else {
                self.heap.take_back(pending.mark);
                self.heap.apply(&pending.changes);
                pending.value
            });
        }
        result
    }

    /// Makes everything unknown that a loop changed whose rounds cannot be counted.
    pub(super) fn blur(&mut self, mark: Mark, why: &Why) {
        for id in self.heap.changed(mark) {
            let before = self.heap.at(mark, id);
            let (Obj::Scope(before), Obj::Scope(now)) = (&*before, self.heap.get(id)) else {
                continue;
            };
            let changed = now.iter().filter(|(name, value)| {
                !before.get(*name).is_some_and(|before| super::merge::same(before, value))
                    && !matches!(value, V::Ref(id) if self.is_lasting(*id))
            });
            let changed: Vec<Name> = changed.map(|(name, _)| name.clone()).collect();
            for name in changed {
                if let Some(value) = self.names(id).and_then(|names| names.get(&name)).cloned() {
                    self.heap.escape(&value, why);
                }
                self.bind_in(id, &name, V::Unknown(why.clone()));
            }
        }
        self.merge(mark, &Changes::new(), why);
    }

    /// Makes names unknown that were bound to one value or another on the way.
    pub(super) fn blur_names(&mut self, names: Vec<&str>, why: &Why) {
        for name in names {
            match self.bound(name) {
                None => {}
                Some(V::Ref(id)) if self.is_lasting(id) => {}
                Some(value) => {
                    self.heap.escape(&value, why);
                    self.bind(name, V::Unknown(why.clone()));
                }
            }
        }
    }

    /// Whether something is the same thing in every round of a loop, or is wanted all the same.
    fn is_lasting(&self, id: Id) -> bool {
        matches!(
            self.heap.get(id),
            Obj::Function(_) | Obj::Class(_) | Obj::Module(_) | Obj::Flow(_) | Obj::Storage(_)
        )
    }
}
