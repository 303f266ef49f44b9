//! Built-in functions over items: `list`, `sorted`, `zip`, `map`, `max` and their likes.
//!
//! **Invariant:** nothing is made of an order that is by chance.

use super::interpreter::{Interpreter, Res};
use super::object::{Args, Later, Obj};
use super::ops::unknown;
use super::value::{Datum, Span, V};

impl Interpreter<'_> {
    pub(super) fn of_items(&mut self, name: &str, value: &V, args: &Args, span: Span) -> Res<V> {
        let (mut items, unordered) = match self.iterate_any(value, span) {
            Ok(found) => found,
            Err(why) => return Ok(V::Unknown(why)),
        };
        if unordered && matches!(name, "reversed" | "iter" | "enumerate") {
            return Ok(unknown(&[], span));
        }
        Ok(match name {
            "list" => self.new_list(items, unordered),
            "tuple" if unordered => self.new_list(items, true),
            "tuple" => V::Tuple(items.into()),
            "set" | "frozenset" => self.set_from(items),
            "sorted" => match self.sorted(items, unordered, args, span)? {
                Ok(items) => V::Ref(self.heap.add(Obj::List(items))),
                Err(why) => V::Unknown(why),
            },
            "reversed" => {
                items.reverse();
                V::Ref(self.heap.add(Obj::Iter(items)))
            }
            "iter" => V::Ref(self.heap.add(Obj::Iter(items))),
            "enumerate" => {
                let start = match args.get(1, "start") {
                    None => 0,
                    Some(V::Int(start)) => *start,
                    Some(other) => return Ok(unknown(&[other], span)),
                };
                let pairs = items.into_iter().zip(start..).map(|(item, at)| {
                    let at = Datum::new(V::Int(at), item.at);
                    let span = item.at;
                    Datum::new(V::Tuple([at, item].into()), span)
                });
                let pairs = Obj::Iter(pairs.collect());
                V::Ref(self.heap.add(pairs))
            }
            "sum" => {
                let mut sum = args.get(1, "start").cloned().unwrap_or(V::Int(0));
                for item in items {
                    sum = self.binary(&sum, ruff_python_ast::Operator::Add, &item.value, span)?;
                }
                sum
            }
            _ => {
                let wanted = name == "any";
                let mut reason = None;
                for item in &items {
                    match self.truth(&item.value, span) {
                        Ok(truth) if truth == wanted => return Ok(V::Bool(wanted)),
                        Ok(_) => {}
                        Err(why) => reason = reason.or(Some(why)),
                    }
                }
                reason.map_or(V::Bool(!wanted), V::Unknown)
            }
        })
    }

    pub(super) fn extreme(&mut self, name: &str, args: &Args, span: Span) -> Res<V> {
        let (items, unordered) = match args.positional.as_slice() {
            [one] => match self.iterate_any(&one.value, span) {
                Ok(found) => found,
                Err(why) => return Ok(V::Unknown(why)),
            },
            several => (several.to_vec(), false),
        };
        if items.is_empty() {
            return Ok(args.keyword("default").cloned().unwrap_or_else(|| unknown(&[], span)));
        }
        // Of several that are equal it is the first: so the largest comes first, too.
        let mut how = Args { keywords: args.keywords.clone(), ..Args::default() };
        how.keywords.push(("reverse".into(), Datum::new(V::Bool(name == "max"), span)));
        let sorted = match self.sorted(items, unordered, &how, span)? {
            Ok(sorted) => sorted,
            Err(why) => return Ok(V::Unknown(why)),
        };
        let found = sorted.first();
        Ok(found.map_or_else(|| unknown(&[], span), |datum| datum.value.clone()))
    }

    pub(super) fn zip(&mut self, args: &Args, span: Span) -> V {
        let same =
            |a: &Datum, b: &Datum| matches!((&a.value, &b.value), (V::Ref(a), V::Ref(b)) if a == b);
        if let [first, rest @ ..] = args.positional.as_slice()
            && rest.iter().any(|other| same(first, other))
            && let V::Ref(id) = &first.value
            && matches!(self.heap.get(*id), Obj::Iter(_))
        {
            // One iterator gives its items in turns.
            return match self.iterate(&first.value, span) {
                Ok(items) if rest.iter().all(|other| same(first, other)) => {
                    let rows = items.chunks_exact(args.positional.len());
                    let rows = rows.map(|row| Datum::new(V::Tuple(row.into()), span));
                    let rows = Obj::Iter(rows.collect());
                    V::Ref(self.heap.add(rows))
                }
                Ok(_) => unknown(&[], span),
                Err(why) => V::Unknown(why),
            };
        }
        let mut columns = Vec::new();
        for datum in &args.positional {
            match self.iterate(&datum.value, span) {
                Ok(items) => columns.push(items),
                Err(why) => return V::Unknown(why),
            }
        }
        let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
        let row = |at: usize| {
            let row: Vec<Datum> = columns.iter().map(|column| column[at].clone()).collect();
            Datum::new(V::Tuple(row.into()), span)
        };
        let rows = Obj::Iter((0..rows).map(row).collect());
        V::Ref(self.heap.add(rows))
    }

    pub(super) fn mapped(&mut self, name: &str, args: &Args, span: Span) -> V {
        let [function, items] = args.positional.as_slice() else { return unknown(&[], span) };
        match self.iterate_any(&items.value, span) {
            Ok(items) => {
                let function = function.value.clone();
                let later = Obj::Later(Later::Map { filters: name == "filter", function, items });
                V::Ref(self.heap.add(later))
            }
            Err(why) => V::Unknown(why),
        }
    }

    pub(super) fn next(&mut self, iterator: &V, default: Option<&V>, span: Span) -> V {
        if let V::Ref(id) = iterator {
            self.force(*id, span);
        }
        if let V::Ref(id) = iterator
            && let Obj::Iter(items) = self.heap.change(*id)
        {
            if !items.is_empty() {
                return items.remove(0).value;
            }
            return default.cloned().unwrap_or_else(|| unknown(&[], span));
        }
        unknown(&[iterator], span)
    }
}
