//! Displays of lists, sets and mappings, and comprehensions.
//!
//! **Invariant:** items spread from something unknown make the whole unknown; of a mapping, only
//! what they may replace.

use ruff_python_ast::{Comprehension, Expr, ExprDict};
use ruff_text_size::Ranged;

use super::expr::MOST_ITEMS;
use super::interpreter::{Interpreter, Res};
use super::object::{Later, Names, Obj};
use super::value::{Datum, Dict, Key, Span, V, Why};

/// Rows of a comprehension, and whether their order is by chance.
type Rows = (Vec<Vec<Datum>>, bool);

impl<'a> Interpreter<'a> {
    /// A list, tuple, set, mapping or generator as it is written; none for other expressions.
    pub(super) fn display(&mut self, expr: &'a Expr) -> Res<Option<V>> {
        let value = match expr {
            Expr::List(list) => {
                self.items(&list.elts)?.map(|(items, by_chance)| self.new_list(items, by_chance))
            }
            Expr::Tuple(tuple) => self.items(&tuple.elts)?.map(|(items, by_chance)| {
                if by_chance { self.new_list(items, true) } else { V::Tuple(items.into()) }
            }),
            Expr::Set(set) => self.items(&set.elts)?.map(|(items, _)| self.set_from(items)),
            Expr::Dict(dict) => Ok(self.dict(dict)?),
            Expr::ListComp(comp) => {
                let rows = self.comprehend(&comp.generators, &[&comp.elt])?;
                rows.map(|(rows, by_chance)| self.new_list(firsts(rows), by_chance))
            }
            Expr::SetComp(comp) => {
                let rows = self.comprehend(&comp.generators, &[&comp.elt])?;
                rows.map(|(rows, _)| self.set_from(firsts(rows)))
            }
            Expr::Generator(generator) => {
                let Some(first) = generator.generators.first() else { return Ok(None) };
                self.items_of(&first.iter)?.map(|first| {
                    let later = Later::Generator {
                        generator,
                        first,
                        source: self.frame().source,
                        globals: self.frame().globals,
                        enclosing: self.closure(),
                    };
                    V::Ref(self.heap.add(Obj::Later(later)))
                })
            }
            Expr::DictComp(comp) => {
                let Some(key) = comp.key.as_deref() else { return Ok(None) };
                let rows = self.comprehend(&comp.generators, &[key, &comp.value])?;
                rows.map(|(rows, _)| {
                    let mut dict = Dict::default();
                    for row in rows {
                        if let [key, value] = row.as_slice() {
                            dict.insert(key.value.clone(), value.clone());
                        }
                    }
                    V::Ref(self.heap.add(Obj::Dict(dict)))
                })
            }
            _ => return Ok(None),
        };
        Ok(Some(value.unwrap_or_else(V::Unknown)))
    }

    /// The items of a display, with `*others` spread.
    pub(super) fn items(&mut self, exprs: &'a [Expr]) -> Res<Result<(Vec<Datum>, bool), Why>> {
        let mut items = Vec::with_capacity(exprs.len());
        let mut unordered = false;
        let mut unknown = None;
        for expr in exprs {
            if let Expr::Starred(starred) = expr {
                match self.items_of(&starred.value)? {
                    Ok((more, by_chance)) => {
                        items.extend(more);
                        unordered |= by_chance;
                    }
                    Err(why) => unknown = unknown.or(Some(why)),
                }
            } else {
                let value = self.eval(expr)?;
                items.push(Datum::new(value, self.span(expr.range())));
            }
        }
        Ok(match unknown {
            Some(why) => Err(why),
            None if items.len() > MOST_ITEMS || !self.spend(items.len() / 4) => {
                Err(Why::at(exprs.first().map_or_else(Default::default, |e| self.span(e.range()))))
            }
            None => Ok((items, unordered)),
        })
    }

    pub(super) fn dict(&mut self, display: &'a ExprDict) -> Res<V> {
        let mut dict = Dict::default();
        for item in &display.items {
            let Some(key) = &item.key else {
                let value = self.eval(&item.value)?;
                self.update(&mut dict, &value, self.span(item.value.range()));
                continue;
            };
            let at = self.span(key.range());
            let key = self.eval(key)?;
            let value = self.eval(&item.value)?;
            dict.insert(key, Datum::new(value, at));
        }
        self.spend(dict.len() / 4);
        Ok(V::Ref(self.heap.add(Obj::Dict(dict))))
    }

    /// `**mapping` in a display, and `dict.update`.
    pub(super) fn update(&self, dict: &mut Dict, mapping: &V, span: Span) {
        let why = match mapping {
            V::Ref(id) => match self.heap.get(*id) {
                Obj::Dict(other) => {
                    if let Some(why) = &other.rest {
                        dict.blur(why);
                    }
                    for (key, datum) in other.iter() {
                        let index = Key::of(key);
                        let doubt = index.as_ref().and_then(|index| other.doubts(index));
                        let surely = index.as_ref().is_some_and(|index| {
                            dict.get(index).is_some() && dict.doubts(index).is_none()
                        });
                        dict.insert(key.clone(), datum.clone());
                        if let (Some(why), false) = (doubt, surely) {
                            dict.doubt(key, why);
                        }
                    }
                    return;
                }
                Obj::Lost(why) => why.clone(),
                _ => Why::at(span),
            },
            other => other.why().cloned().unwrap_or_else(|| Why::at(span)),
        };
        dict.blur(&why);
    }

    /// The rows that a comprehension gives, its expressions for each round; and whether their order
    /// is by chance.
    fn comprehend(
        &mut self,
        generators: &'a [Comprehension],
        exprs: &[&'a Expr],
    ) -> Res<Result<Rows, Why>> {
        let Some(first) = generators.first() else { return Ok(Ok((Vec::new(), false))) };
        let first = match self.items_of(&first.iter)? {
            Ok(first) => first,
            Err(why) => return Ok(Err(why)),
        };
        let scope = self.heap.add(Obj::Scope(Names::new()));
        let enclosing = self.closure();
        let frame = self.frame_mut();
        let enclosing = std::mem::replace(&mut frame.enclosing, enclosing);
        let locals = std::mem::replace(&mut frame.locals, scope);
        let is_class = std::mem::replace(&mut frame.is_class, false);
        let mut rows = Vec::new();
        let result = self.generate(generators, exprs, first, &mut rows);
        let frame = self.frame_mut();
        frame.enclosing = enclosing;
        frame.locals = locals;
        frame.is_class = is_class;
        Ok(result?.map(|unordered| (rows, unordered)))
    }

    /// Executes loops of a comprehension, of which the first goes over given items.
    pub(super) fn generate(
        &mut self,
        generators: &'a [Comprehension],
        exprs: &[&'a Expr],
        (items, mut unordered): (Vec<Datum>, bool),
        rows: &mut Vec<Vec<Datum>>,
    ) -> Res<Result<bool, Why>> {
        let Some((first, rest)) = generators.split_first() else { return Ok(Ok(false)) };
        for item in items {
            if rows.len() >= MOST_ITEMS || !self.spend(1) {
                return Ok(Err(Why::at(self.span(first.iter.range()))));
            }
            self.assign(&first.target, item.value)?;
            let mut holds = true;
            for test in &first.ifs {
                match self.condition(test)? {
                    Ok(true) => {}
                    Ok(false) => holds = false,
                    Err(why) => return Ok(Err(why)),
                }
                if !holds {
                    break;
                }
            }
            if !holds {
                continue;
            }
            let Some(next) = rest.first() else {
                let mut row = Vec::with_capacity(exprs.len());
                for expr in exprs {
                    let value = self.eval(expr)?;
                    row.push(Datum::new(value, self.span(expr.range())));
                }
                rows.push(row);
                continue;
            };
            let inner = match self.items_of(&next.iter)? {
                Ok(items) => self.generate(rest, exprs, items, rows)?,
                Err(why) => Err(why),
            };
            match inner {
                Ok(by_chance) => unordered |= by_chance,
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(unordered))
    }
}

pub(super) fn set_of(items: Vec<Datum>) -> Dict {
    let mut set = Dict::default();
    for item in items {
        set.insert(item.value.clone(), item);
    }
    set
}

pub(super) fn firsts(rows: Vec<Vec<Datum>>) -> Vec<Datum> {
    rows.into_iter().filter_map(|row| row.into_iter().next()).collect()
}
