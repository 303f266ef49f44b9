//! Methods of mappings, those of the environment included.
//!
//! **Invariant:** a missing key of the environment is a variable that is not set, with its name.

use super::interpreter::{Interpreter, Res};
use super::object::{Args, Obj, View};
use super::ops::unknown;
use super::script::Because;
use super::value::{Datum, Dict, Id, Key, Span, V, Why};

impl Interpreter<'_> {
    /// A mapping that can be read and changed; none if it is not one any more.
    fn dict_at(&mut self, id: Id) -> Option<&mut Dict> {
        match self.heap.change(id) {
            Obj::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// `mapping.get(key, default)`, and `os.getenv`.
    pub(super) fn get(&self, id: Id, args: &Args, span: Span) -> V {
        let Obj::Dict(dict) = self.heap.get(id) else { return unknown(&[], span) };
        if let Some(why) = args.uncertain() {
            return V::Unknown(why.clone());
        }
        let Some(key) = args.get(0, "key") else { return unknown(&[], span) };
        let Some(index) = Key::of(key) else { return unknown(&[key], span) };
        self.asks(dict, key);
        if let Some(found) = dict.get(&index) {
            return found.value.clone();
        }
        let variable = match key {
            V::Str(name) if dict.environment => {
                Some(Why::because(span, Because::Variable(name.as_ref().to_owned())))
            }
            _ => None,
        };
        if let Some(why) = &dict.rest {
            return V::Unknown(variable.unwrap_or_else(|| why.clone()));
        }
        match (args.get(1, "default"), variable) {
            (None | Some(V::None), Some(why)) => V::Unset(why),
            (None, None) => V::None,
            (Some(default), _) => default.clone(),
        }
    }

    pub(super) fn dict_method(&mut self, id: Id, name: &str, args: &Args, span: Span) -> Res<V> {
        let Obj::Dict(dict) = self.heap.get(id) else { return Ok(unknown(&[], span)) };
        let rest = dict.uncertain().cloned();
        Ok(match name {
            "get" => self.get(id, args, span),
            "keys" => V::Ref(self.heap.add(Obj::View(id, View::Keys))),
            "values" => V::Ref(self.heap.add(Obj::View(id, View::Values))),
            "items" => V::Ref(self.heap.add(Obj::View(id, View::Items))),
            "copy" => {
                let copy = Obj::Dict(dict.clone());
                V::Ref(self.heap.add(copy))
            }
            "setdefault" => {
                let (Some(key), default) = (args.at(0), args.at(1)) else {
                    return Ok(unknown(&[], span));
                };
                let missing = Key::of(key).is_none_or(|key| dict.get(&key).is_none());
                let doubted = Key::of(key).filter(|key| dict.doubts(key).is_some());
                if let Some(index) = doubted
                    && let Some(found) = dict.get(&index).cloned()
                {
                    let (key, value) = (key.clone(), found.value.clone());
                    self.set_item(&V::Ref(id), key, found);
                    return Ok(value);
                }
                if missing {
                    let value = match &rest {
                        Some(why) => V::Unknown(why.clone()),
                        None => default.cloned().unwrap_or(V::None),
                    };
                    let key = key.clone();
                    self.set_item(&V::Ref(id), key, Datum::new(value, span));
                }
                self.get(id, args, span)
            }
            "update" => {
                self.update_method(id, args, span);
                V::None
            }
            "pop" => return self.pop(id, args, span),
            "popitem" => {
                let last = dict.iter().next_back().map(|(key, datum)| (key.clone(), datum.clone()));
                let (Some((key, datum)), None) = (last, rest) else {
                    return Ok(unknown(&[], span));
                };
                if let (Some(index), Some(dict)) = (Key::of(&key), self.dict_at(id)) {
                    dict.remove(&index);
                }
                V::Tuple([Datum::new(key, datum.at), datum].into())
            }
            "clear" => {
                if let Some(dict) = self.dict_at(id) {
                    dict.clear();
                }
                V::None
            }
            "move_to_end" | "__setitem__" | "__delitem__" => {
                self.heap.lose(id, Why::at(span));
                unknown(&[], span)
            }
            "__getitem__" => match args.at(0) {
                Some(key) => {
                    let key = key.clone();
                    return self.item(&V::Ref(id), &key, span);
                }
                None => unknown(&[], span),
            },
            _ => unknown(&[], span),
        })
    }

    fn update_method(&mut self, id: Id, args: &Args, span: Span) {
        let Obj::Dict(dict) = self.heap.get(id) else { return };
        let mut dict = dict.clone();
        if let Some(other) = args.at(0) {
            match other {
                V::Ref(id) if matches!(self.heap.get(*id), Obj::Dict(_) | Obj::Lost(_)) => {
                    self.update(&mut dict, other, span);
                }
                other => match self.iterate(other, span) {
                    Ok(items) => self.pairs(&items, &mut dict, span),
                    Err(why) => dict.blur(&why),
                },
            }
        }
        for (key, datum) in &args.keywords {
            dict.insert(V::text(key.as_str()), datum.clone());
        }
        if let Some(why) = args.uncertain() {
            dict.blur(why);
        }
        *self.heap.change(id) = Obj::Dict(dict);
    }

    fn pop(&mut self, id: Id, args: &Args, span: Span) -> Res<V> {
        let Some(key) = args.at(0).cloned() else { return Ok(unknown(&[], span)) };
        let Some(index) = Key::of(&key) else {
            let why = key.why().cloned().unwrap_or_else(|| Why::at(span));
            if let Some(dict) = self.dict_at(id) {
                dict.blur(&why);
            }
            return Ok(V::Unknown(why));
        };
        let Obj::Dict(dict) = self.heap.get(id) else { return Ok(unknown(&[], span)) };
        if dict.get(&index).is_none() {
            return match args.at(1) {
                Some(_) => Ok(self.get(id, args, span)),
                None => self.item(&V::Ref(id), &key, span),
            };
        }
        let popped = self.dict_at(id).and_then(|dict| dict.remove(&index));
        Ok(popped.map_or_else(|| unknown(&[], span), |datum| datum.value))
    }

    /// `dict(…)`, `OrderedDict(…)`.
    pub(super) fn new_dict(&mut self, args: &Args, span: Span) -> V {
        let id = self.heap.add(Obj::Dict(Dict::default()));
        self.update_method(id, args, span);
        V::Ref(id)
    }
}
