//! Iterators: executed when something is taken of them, as Python does.
//!
//! **Invariant:** the names that a generator uses have the values of when it is used up.

use super::display::firsts;
use super::interpreter::{Frame, Interpreter, Res};
use super::object::{Args, Later, Names, Obj, View};
use super::value::{Datum, Dict, Id, Span, V, Why};

impl<'a> Interpreter<'a> {
    /// Executes an iterator of which something is taken.
    pub(super) fn force(&mut self, id: Id, span: Span) {
        let Obj::Later(later) = self.heap.get(id) else { return };
        let later = later.clone();
        // Taking of it within itself is an error.
        *self.heap.change(id) = Obj::Lost(Why::at(span));
        let object = match self.deeper(|this| this.forced(later, span)) {
            Some(Ok(Ok((items, true)))) => Obj::Bag(items),
            Some(Ok(Ok((items, false)))) => Obj::Iter(items),
            Some(Ok(Err(why))) => Obj::Lost(why),
            Some(Err(_)) | None => Obj::Lost(Why::at(span)),
        };
        *self.heap.change(id) = object;
    }

    fn forced(&mut self, later: Later<'a>, span: Span) -> Res<Result<(Vec<Datum>, bool), Why>> {
        match later {
            Later::Generator { generator, first, source, globals, enclosing } => {
                let locals = self.heap.add(Obj::Scope(Names::new()));
                self.frames.push(Frame { enclosing, ..Frame::new(source, globals, locals) });
                let mut rows = Vec::new();
                let exprs = [&*generator.elt];
                let result = self.generate(&generator.generators, &exprs, first, &mut rows);
                self.frames.pop();
                Ok(result?.map(|unordered| (firsts(rows), unordered)))
            }
            Later::Call(function, args, at) => match self.run_function(function, args, at)? {
                V::Ref(id) => Ok(self.iterate_any(&V::Ref(id), span)),
                other => Ok(Err(other.why().cloned().unwrap_or_else(|| Why::at(span)))),
            },
            Later::Map { filters, function, items: (items, unordered) } => {
                let mut results = Vec::new();
                for item in items {
                    let value = if function.is_none() {
                        item.value.clone()
                    } else {
                        let args = Args { positional: vec![item.clone()], ..Args::default() };
                        self.call(&function, args, span)?
                    };
                    if !filters {
                        results.push(Datum::new(value, item.at));
                        continue;
                    }
                    match self.truth(&value, span) {
                        Ok(true) => results.push(item),
                        Ok(false) => {}
                        Err(why) => return Ok(Err(why)),
                    }
                }
                Ok(Ok((results, unordered)))
            }
        }
    }

    /// What a view of a mapping has now.
    pub(super) fn view(&self, dict: Id, view: View) -> Result<Vec<Datum>, Why> {
        let dict: &Dict = match self.heap.get(dict) {
            Obj::Dict(dict) => dict,
            Obj::Lost(why) => return Err(why.clone()),
            _ => return Ok(Vec::new()),
        };
        if let Some(why) = dict.uncertain() {
            return Err(why.clone());
        }
        let key = |key: &V, datum: &Datum| Datum::new(key.clone(), datum.at);
        let part = |(name, datum): &(V, Datum)| match view {
            View::Keys => key(name, datum),
            View::Values => datum.clone(),
            View::Items => Datum::new(V::Tuple([key(name, datum), datum.clone()].into()), datum.at),
        };
        Ok(dict.iter().map(part).collect())
    }
}
