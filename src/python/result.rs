//! What is left when a script has been executed, as plain data.
//!
//! **Invariant:** flows and storages of other modules are in it only if the script uses them.

use std::collections::BTreeSet;

use super::interpreter::Interpreter;
use super::object::{FlowObj, Obj};
use super::script::{
    Argument, Because, FlowFound, FlowKind, Item, Script, Spot, StorageFound, Unknown, Value,
};
use super::value::{Datum, Id, Span, V, Why};

/// How deep, and how many, values are written out.
const DEEPEST: usize = 40;
const MOST_VALUES: usize = 200_000;

impl Interpreter<'_> {
    pub(super) fn result(&self, scope: Id, imports: Vec<String>) -> Script {
        let reachable = self.reachable(scope);
        let flows = self.listed_flows(&reachable);
        let (flows, again) = self.each_once(flows);
        let used: BTreeSet<Id> =
            flows.iter().filter_map(|flow| self.storage_of(&flow.storage)).collect();
        let listed = |id: &Id| {
            let Obj::Storage(storage) = self.heap.get(*id) else { return false };
            let own = storage.at.source == 0 || reachable.contains(id);
            used.contains(id) || (own && !again.contains(id) && !self.merged_away.contains(id))
        };
        let storages: Vec<Id> = self.storages.iter().copied().filter(listed).collect();
        let flows = flows.iter().map(|flow| FlowFound {
            name: self.flow_name(flow),
            kind: flow.kind,
            function: flow.function.clone(),
            at: self.spot(flow.at),
            storage: self
                .storage_of(&flow.storage)
                .and_then(|id| storages.iter().position(|other| *other == id)),
        });
        let found = storages.iter().filter_map(|id| self.storage_found(*id));
        Script {
            imports,
            flows: flows.collect(),
            storages: found.collect(),
            variables: self.variables.borrow().clone(),
            wanted: self.wanted.clone(),
        }
    }

    /// The flows without those that are the same as an earlier one, made by the same code once more;
    /// and the storages of the latter.
    fn each_once<'f>(&self, flows: Vec<&'f FlowObj>) -> (Vec<&'f FlowObj>, BTreeSet<Id>) {
        let mut once: Vec<(&FlowObj, Value, Option<StorageFound>)> = Vec::new();
        let mut again = BTreeSet::new();
        for flow in flows {
            let storage = self.storage_of(&flow.storage);
            let name = self.flow_name(flow);
            let found = storage.and_then(|id| self.storage_found(id));
            let known = once.iter().any(|(other, same_name, same_storage)| {
                let same = other.at == flow.at && other.function == flow.function;
                same && *same_name == name && *same_storage == found
            });
            if known {
                again.extend(storage);
            } else {
                once.push((flow, name, found));
            }
        }
        (once.into_iter().map(|(flow, ..)| flow).collect(), again)
    }

    fn flow_name(&self, flow: &FlowObj) -> Value {
        match self.value(&flow.name, flow.at) {
            name @ (Value::Text(_) | Value::Unknown(_)) => name,
            _ => Value::Unknown(self.reason(&Why::at(flow.at))),
        }
    }

    fn storage_of(&self, value: &V) -> Option<Id> {
        match value {
            V::Ref(id) if matches!(self.heap.get(*id), Obj::Storage(_)) => Some(*id),
            _ => None,
        }
    }

    /// Flows and storages that the script has in its names, or in containers bound to them.
    fn reachable(&self, scope: Id) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut left: Vec<Id> = Vec::new();
        let add = |value: &V, left: &mut Vec<Id>| {
            if let V::Ref(id) = value {
                left.push(*id);
            }
        };
        for value in self.names(scope).into_iter().flat_map(|names| names.values()) {
            add(value, &mut left);
        }
        while let Some(id) = left.pop() {
            match self.heap.get(id) {
                Obj::Flow(_) | Obj::Storage(_) => _ = found.insert(id),
                Obj::List(items) | Obj::Bag(items) if found.insert(id) => {
                    for item in items {
                        add(&item.value, &mut left);
                    }
                }
                Obj::Dict(dict) | Obj::Set(dict) if found.insert(id) => {
                    for (_, item) in dict.iter() {
                        add(&item.value, &mut left);
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn listed_flows(&self, reachable: &BTreeSet<Id>) -> Vec<&FlowObj> {
        let flows = self.flows.iter().filter(|id| !self.merged_away.contains(id));
        let flows = flows.filter_map(|id| match self.heap.get(*id) {
            Obj::Flow(flow) => Some((*id, flow)),
            _ => None,
        });
        let flows: Vec<(Id, &FlowObj)> = flows.collect();
        let own = flows.iter().any(|(_, flow)| !flow.imported);
        let listed = flows.into_iter().filter(|(id, flow)| {
            !flow.imported
                || flow.used
                || (reachable.contains(id) && (flow.kind == FlowKind::Prefect1 || !own))
        });
        listed.map(|(_, flow)| flow).collect()
    }

    fn storage_found(&self, id: Id) -> Option<StorageFound> {
        let Obj::Storage(storage) = self.heap.get(id) else { return None };
        let arguments = storage.arguments.iter().map(|(key, datum)| Argument {
            key: key.to_string(),
            value: self.value(&datum.value, datum.at),
            at: self.spot(datum.at),
        });
        Some(StorageFound {
            at: self.spot(storage.at),
            variable: storage.variable.as_ref().map(ToString::to_string),
            arguments: arguments.collect(),
            rest: storage.rest.as_ref().map(|why| self.reason(why)),
        })
    }

    fn value(&self, value: &V, at: Span) -> Value {
        self.value_below(value, at, 0, &mut 0)
    }

    fn value_below(&self, value: &V, at: Span, depth: usize, count: &mut usize) -> Value {
        *count += 1;
        if depth > DEEPEST || *count > MOST_VALUES {
            return Value::Unknown(self.reason(&Why::at(at)));
        }
        let mut list = |items: &mut dyn Iterator<Item = &Datum>| {
            let items = items.map(|item| Item {
                value: self.value_below(&item.value, item.at, depth + 1, count),
                at: self.spot(item.at),
            });
            Value::List(items.collect())
        };
        match value {
            V::None => Value::None,
            V::Bool(value) => Value::Boolean(*value),
            V::Int(value) => Value::Integer(*value),
            V::Float(value) => Value::Float(super::repr::float(*value)),
            V::Str(text) | V::Path(text) => Value::Text(text.as_ref().to_owned()),
            V::Tuple(items) => list(&mut items.iter()),
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(items) | Obj::Bag(items) => list(&mut items.iter()),
                Obj::View(dict, view) => match self.view(*dict, *view) {
                    Ok(items) => list(&mut items.iter()),
                    Err(why) => Value::Unknown(self.reason(&why)),
                },
                Obj::Set(set) if set.rest.is_none() => list(&mut set.iter().map(|(_, item)| item)),
                Obj::Dict(dict) if dict.rest.is_none() => {
                    let entries = dict.iter().map(|(key, item)| {
                        let key = self.str_of(key, item.at).map_err(|why| self.reason(&why))?;
                        let value = self.value_below(&item.value, item.at, depth + 1, count);
                        Ok((key, Item { value, at: self.spot(item.at) }))
                    });
                    match entries.collect::<Result<_, _>>() {
                        Ok(entries) => Value::Table(entries),
                        Err(why) => Value::Unknown(why),
                    }
                }
                Obj::Dict(dict) | Obj::Set(dict) => {
                    let why = dict.rest.clone().unwrap_or_else(|| Why::at(at));
                    Value::Unknown(self.reason(&why))
                }
                Obj::Lost(why) => Value::Unknown(self.reason(why)),
                _ => Value::Unknown(self.reason(&Why::at(at))),
            },
            other => {
                let why = other.why().cloned().unwrap_or_else(|| Why::at(at));
                Value::Unknown(self.reason(&why))
            }
        }
    }

    fn spot(&self, span: Span) -> Spot {
        match self.library.get(span.source) {
            Some(source) => Spot { file: source.path.clone(), line: source.line(span.range) },
            None => Spot::default(),
        }
    }

    fn reason(&self, why: &Why) -> Unknown {
        let source = self.library.get(why.span.source);
        Unknown {
            expression: source.map(|source| source.piece(why.span.range)).unwrap_or_default(),
            at: self.spot(why.span),
            because: why.because.as_deref().cloned().unwrap_or(Because::RunTime),
        }
    }
}
