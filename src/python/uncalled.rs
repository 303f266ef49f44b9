//! Functions that the script defines and does not call: a command line calls them.
//!
//! **Invariant:** nothing is executed here if the script itself leaves a flow with its storage.

use std::collections::BTreeSet;

use super::interpreter::{Frame, Interpreter};
use super::object::{Args, ClassKind, Code, Obj};
use super::scan;
use super::script::FlowKind;
use super::value::{Id, Span, V};

impl Interpreter<'_> {
    /// Executes functions that make flows or storages, if something is missing without them.
    pub(super) fn run_uncalled(&mut self, scope: Id) {
        if !self.lacks_something() {
            return;
        }
        self.frames.push(Frame::new(0, scope, scope));
        for id in self.entry_points() {
            let Obj::Function(function) = self.heap.get(id) else { continue };
            let at = function.at;
            if !self.called.contains(&at) && self.lacks_something() {
                _ = self.call_function(id, Args::default(), at);
            }
        }
        if self.lacks_something() {
            self.run_methods(scope);
        }
        self.frames.pop();
    }

    fn lacks_something(&self) -> bool {
        let mut flows = self.flows.iter().filter_map(|id| match self.heap.get(*id) {
            Obj::Flow(flow) => Some(flow),
            _ => None,
        });
        let lacks_storage = |flow: &super::object::FlowObj| {
            flow.kind == FlowKind::Prefect1 && flow.storage.is_none()
        };
        self.flows.is_empty() || flows.any(lacks_storage)
    }

    /// Functions that were not called and, by themselves or by what they call, make a flow or
    /// storage; those first that no other of them calls.
    fn entry_points(&self) -> Vec<Id> {
        let mut bodies = Vec::new();
        for id in &self.functions {
            if let Obj::Function(function) = self.heap.get(*id)
                && let Code::Def { body, .. } = function.code
                && !self.called.contains(&function.at)
            {
                bodies.push((*id, function.name.as_str(), scan::mentions(body)));
            }
        }
        let makes = |name: &&str| {
            matches!(*name, "Docker" | "Flow" | "add_flow")
                || self.bound(name).is_some_and(|value| self.makes(&value))
                || self.called_maker(name)
        };
        let mut chosen: BTreeSet<&str> = BTreeSet::new();
        loop {
            let before = chosen.len();
            for (_, name, mentions) in &bodies {
                let reaches = mentions.calls.iter().any(|called| chosen.contains(called));
                if mentions.sets_storage || reaches || mentions.calls.iter().any(makes) {
                    chosen.insert(name);
                }
            }
            if chosen.len() == before {
                break;
            }
        }
        let chosen: Vec<_> = bodies.iter().filter(|(_, name, _)| chosen.contains(name)).collect();
        let called: BTreeSet<&str> = chosen
            .iter()
            .flat_map(|(_, name, mentions)| {
                mentions.calls.iter().filter(move |called| *called != name).copied()
            })
            .collect();
        let (first, last): (Vec<_>, Vec<_>) =
            chosen.into_iter().partition(|(_, name, _)| !called.contains(name));
        first.into_iter().chain(last).map(|(id, ..)| *id).collect()
    }

    /// Whether a name is a function that makes a flow or storage, and was called already.
    fn called_maker(&self, name: &str) -> bool {
        let Some(V::Ref(id)) = self.bound(name) else { return false };
        let Obj::Function(function) = self.heap.get(id) else { return false };
        match function.code {
            Code::Def { body, .. } => {
                scan::mentions(body).calls.iter().any(|name| matches!(*name, "Docker" | "Flow"))
            }
            Code::Lambda { .. } => false,
        }
    }

    fn run_methods(&mut self, scope: Id) {
        let values: Vec<V> =
            self.names(scope).into_iter().flat_map(|n| n.values().cloned()).collect();
        for value in values {
            let V::Ref(class) = value else { continue };
            let Obj::Class(object) = self.heap.get(class) else { continue };
            if !matches!(object.kind, ClassKind::Plain | ClassKind::Record | ClassKind::Foreign) {
                continue;
            }
            let methods: Vec<(Id, Span)> = self
                .names(object.scope)
                .into_iter()
                .flat_map(|names| names.values())
                .filter_map(|value| match value {
                    V::Ref(id) => match self.heap.get(*id) {
                        Obj::Function(function) => match function.code {
                            Code::Def { body, .. } if self.mentions_maker(body) => {
                                Some((*id, function.at))
                            }
                            _ => None,
                        },
                        _ => None,
                    },
                    _ => None,
                })
                .collect();
            for (method, at) in methods {
                if self.called.contains(&at) || !self.lacks_something() {
                    continue;
                }
                let Ok(instance) = self.instantiate(class, Args::default(), at) else { continue };
                if let V::Ref(id) = instance
                    && !self.called.contains(&at)
                {
                    _ = self.initialise(&V::Ref(method), id, Args::default(), at);
                }
            }
        }
    }

    fn mentions_maker(&self, body: &[ruff_python_ast::Stmt]) -> bool {
        let mentions = scan::mentions(body);
        mentions.sets_storage
            || mentions.calls.iter().any(|name| {
                matches!(*name, "Docker" | "Flow" | "add_flow")
                    || self.bound(name).is_some_and(|value| self.makes(&value))
            })
    }
}
