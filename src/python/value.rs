//! The values that a script is executed over.
//!
//! **Invariant:** a value is exactly what Python would have, or says which expression is not known.

use std::collections::BTreeMap;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_text_size::TextRange;

use super::script::Because;

/// A piece of a source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) source: usize,
    pub(super) range: TextRange,
}

impl Ord for Span {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |span: &Self| (span.source, span.range.start(), span.range.end());
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Span {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Why something is not known: the expression, and what would make it known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Why {
    pub(super) span: Span,
    pub(super) because: Option<Rc<Because>>,
}

impl Why {
    pub(super) fn at(span: Span) -> Self {
        Self { span, because: None }
    }

    pub(super) fn because(span: Span, because: Because) -> Self {
        Self { span, because: Some(Rc::new(because)) }
    }
}

/// An object of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(pub(super) usize);

/// A value.
#[derive(Clone, Debug)]
pub(super) enum V {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Rc<str>),
    Bytes(Rc<[u8]>),
    /// A path of `pathlib`, as `str` gives it.
    Path(Rc<str>),
    Tuple(Rc<[Datum]>),
    Range(i64, i64, i64),
    /// A list, mapping, function, module … of the heap.
    Ref(Id),
    /// A method of a value that is no object of a class of the script.
    Method(Rc<(V, Name)>),
    /// A function of a class of the script, bound to its first argument.
    Bound(Rc<(V, Id)>),
    /// Something of a module that is not the user's, by its dotted path.
    External(Rc<str>, Why),
    /// What `os.getenv` gives for a variable that is not set: `None` where that is asked about,
    /// but never the value of anything.
    Unset(Why),
    Ellipsis,
    Unknown(Why),
}

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Datum {
    pub(super) value: V,
    pub(super) at: Span,
}

impl V {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Str(text.into())
    }

    /// The reason, for what is no value that a spec or a string can hold.
    pub(super) fn why(&self) -> Option<&Why> {
        match self {
            Self::Unknown(why) | Self::Unset(why) | Self::External(_, why) => Some(why),
            _ => None,
        }
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None | Self::Unset(_))
    }
}

impl Datum {
    pub(super) fn new(value: V, at: Span) -> Self {
        Self { value, at }
    }
}

/// What a mapping or set finds a value by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    None,
    Integer(i64),
    Float(u64),
    Text(Rc<str>),
    Bytes(Rc<[u8]>),
    Path(Rc<str>),
    Tuple(Vec<Key>),
    Object(Id),
}

/// How deep tuples are looked into.
const DEEPEST_KEY: usize = 20;

impl Key {
    /// None for what cannot be a key, or is not known.
    pub(super) fn of(value: &V) -> Option<Self> {
        Self::below(value, 0)
    }

    fn below(value: &V, depth: usize) -> Option<Self> {
        Some(match value {
            V::None => Self::None,
            V::Bool(value) => Self::Integer(i64::from(*value)),
            V::Int(value) => Self::Integer(*value),
            V::Float(value) => match whole(*value) {
                Some(whole) => Self::Integer(whole),
                None => Self::Float(value.to_bits()),
            },
            V::Str(text) => Self::Text(Rc::clone(text)),
            V::Bytes(bytes) => Self::Bytes(Rc::clone(bytes)),
            V::Path(path) => Self::Path(Rc::clone(path)),
            V::Tuple(items) if depth < DEEPEST_KEY => {
                let keys = items.iter().map(|item| Self::below(&item.value, depth + 1));
                Self::Tuple(keys.collect::<Option<_>>()?)
            }
            V::Ref(id) => Self::Object(*id),
            _ => return None,
        })
    }
}

/// The whole number that a float is.
#[expect(clippy::cast_possible_truncation, reason = "only below 2^53, where nothing is lost")]
pub(super) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64)
}

/// A mapping in order of insertion.
#[derive(Clone, Debug, Default)]
pub(super) struct Dict {
    entries: Vec<(V, Datum)>,
    index: BTreeMap<Key, usize>,
    /// Keys that are there or not, and why that is not known.
    perhaps: BTreeMap<Key, Why>,
    /// Set when there may be other entries than these.
    pub(super) rest: Option<Why>,
    /// Whether a missing key is a variable of the environment that is not set.
    pub(super) environment: bool,
    /// What makes the value of a missing key.
    pub(super) factory: Option<V>,
}

impl Dict {
    pub(super) fn get(&self, key: &Key) -> Option<&Datum> {
        self.index.get(key).map(|at| &self.entries[*at].1)
    }

    /// False if the key is not known: then nothing of the mapping is certain any more.
    pub(super) fn insert(&mut self, key: V, datum: Datum) {
        let Some(index) = Key::of(&key) else {
            let why = key.why().cloned().unwrap_or_else(|| Why::at(datum.at));
            self.blur(&why);
            return;
        };
        self.perhaps.remove(&index);
        if let Some(at) = self.index.get(&index) {
            self.entries[*at].1 = datum;
        } else {
            self.index.insert(index, self.entries.len());
            self.entries.push((key, datum));
        }
    }

    /// Makes it uncertain whether a key is there.
    pub(super) fn doubt(&mut self, key: &V, why: &Why) {
        if let Some(key) = Key::of(key) {
            self.perhaps.insert(key, why.clone());
        }
    }

    /// Why it is not known whether a key is there.
    pub(super) fn doubts(&self, key: &Key) -> Option<&Why> {
        self.perhaps.get(key)
    }

    /// Why it is not known which keys there are.
    pub(super) fn uncertain(&self) -> Option<&Why> {
        self.rest.as_ref().or_else(|| self.perhaps.values().next())
    }

    /// Whether something is surely in it.
    pub(super) fn surely_filled(&self) -> bool {
        self.entries.len() > self.perhaps.len()
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Datum> {
        self.perhaps.remove(key);
        let at = self.index.remove(key)?;
        for other in self.index.values_mut().filter(|other| **other > at) {
            *other -= 1;
        }
        Some(self.entries.remove(at).1)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, (V, Datum)> {
        self.entries.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.index.clear();
        self.perhaps.clear();
        self.rest = None;
    }

    /// Makes everything in it uncertain: something was stored under a key that is not known.
    pub(super) fn blur(&mut self, why: &Why) {
        for (_, datum) in &mut self.entries {
            datum.value = V::Unknown(why.clone());
        }
        self.rest = Some(why.clone());
    }
}
