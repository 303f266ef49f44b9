//! Prefect: storages and flows, under all names that they have had.
//!
//! **Invariant:** a storage holds the arguments as the script gave and changed them.

use ruff_python_ast::name::Name;

use super::interpreter::Interpreter;
use super::object::{Args, ClassKind, FlowObj, Names, Obj, StorageObj};
use super::ops::unknown;
use super::script::FlowKind;
use super::value::{Datum, Id, Span, V, Why};

/// Parameters of `Docker`, in order of position.
const PARAMETERS: [&str; 19] = [
    "registry_url",
    "base_image",
    "dockerfile",
    "dockerignore",
    "python_dependencies",
    "image_name",
    "image_tag",
    "env_vars",
    "files",
    "prefect_version",
    "local_image",
    "ignore_healthchecks",
    "base_url",
    "tls_config",
    "build_kwargs",
    "prefect_directory",
    "path",
    "stored_as_script",
    "extra_dockerfile_commands",
];
/// Parameters that it hands on.
const OF_STORAGE: [&str; 4] = ["result", "secrets", "labels", "add_default_labels"];

/// Whether a dotted path is the class `Docker`, in any release of Prefect that has one.
pub(super) fn is_storage(path: &str) -> bool {
    matches!(
        path,
        "prefect.storage.Docker"
            | "prefect.storage.docker.Docker"
            | "prefect.environments.storage.Docker"
            | "prefect.environments.storage.docker.Docker"
    )
}

/// Whether a dotted path is the class `Flow` of Prefect 1.
pub(super) fn is_flow(path: &str) -> bool {
    matches!(path, "prefect.Flow" | "prefect.core.Flow" | "prefect.core.flow.Flow")
}

fn is_flow_decorator(path: &str) -> bool {
    matches!(path, "prefect.flow" | "prefect.flows.flow")
}

fn is_task(path: &str) -> bool {
    matches!(
        path,
        "prefect.task"
            | "prefect.tasks.task"
            | "prefect.utilities.tasks.task"
            | "prefect.core.task"
    )
}

/// Names that matter of what a module of Prefect exports.
pub(super) fn exports(module: &str) -> &'static [&'static str] {
    match module {
        "prefect" => &["Flow", "flow", "task", "Task", "Parameter", "storage"],
        "prefect.core" | "prefect.core.flow" => &["Flow"],
        "prefect.flows" => &["flow"],
        "prefect.storage"
        | "prefect.environments.storage"
        | "prefect.storage.docker"
        | "prefect.environments.storage.docker" => &["Docker"],
        "os" => &["environ", "getenv", "path", "getcwd"],
        "os.path" => &["join", "dirname", "basename", "abspath", "exists", "expanduser"],
        "pathlib" => &["Path"],
        _ => &[],
    }
}

/// Whether a name is a keyword of `Docker`.
pub(super) fn is_keyword(name: &str) -> bool {
    PARAMETERS.contains(&name) || OF_STORAGE.contains(&name)
}

/// The value of a keyword that is not given; none for other names.
pub(super) fn default_of(name: &str) -> Option<V> {
    match name {
        "prefect_directory" => Some(V::text("/opt/prefect")),
        "local_image" | "ignore_healthchecks" | "tls_config" | "stored_as_script" => {
            Some(V::Bool(false))
        }
        // Prefect makes these up.
        "base_image" | "prefect_version" | "base_url" | "add_default_labels" => None,
        name => is_keyword(name).then_some(V::None),
    }
}

impl Interpreter<'_> {
    pub(super) fn prefect_call(&mut self, path: &str, args: Args, span: Span) -> V {
        if is_storage(path) {
            let id = self.add_storage(StorageObj {
                at: span,
                variable: None,
                arguments: Vec::new(),
                rest: None,
                class: None,
                attributes: Names::new(),
            });
            self.fill_storage(id, args);
            return V::Ref(id);
        }
        if is_flow(path) {
            return self.make_flow(&args, span);
        }
        if is_flow_decorator(path) {
            return match args.at(0) {
                Some(V::Ref(id)) if self.is_function(*id) => self.flow_of(args.at(0), &args, span),
                Some(_) => V::Unknown(Why::at(span)),
                None => V::Ref(self.heap.add(Obj::FlowMaker(args))),
            };
        }
        if is_task(path) {
            let made =
                if args.positional.is_empty() { "prefect.task" } else { "prefect.task.made" };
            return V::External(made.into(), Why::at(span));
        }
        if let Some(class) = path.strip_suffix(".__init__")
            && is_storage(class)
            && let Some(V::Ref(id)) = args.at(0)
            && matches!(self.heap.get(*id), Obj::Storage(_))
        {
            let (id, mut args) = (*id, args.clone());
            args.positional.remove(0);
            self.fill_storage(id, args);
            return V::None;
        }
        if matches!(path, "prefect.serve" | "prefect.deploy" | "prefect.flows.serve") {
            for datum in &args.positional {
                if let V::Ref(id) = &datum.value {
                    self.use_flow(*id);
                }
            }
        }
        V::Unknown(Why::at(span))
    }

    pub(super) fn add_storage(&mut self, storage: StorageObj) -> Id {
        let id = self.heap.add(Obj::Storage(storage));
        self.storages.push(id);
        id
    }

    /// What `Docker.__init__` does.
    pub(super) fn fill_storage(&mut self, id: Id, args: Args) {
        let mut arguments: Vec<(Name, Datum)> = Vec::new();
        let mut rest = args.rest;
        if let Some(why) = args.more {
            rest.get_or_insert(why);
        }
        for (name, datum) in PARAMETERS.iter().zip(args.positional) {
            arguments.push((Name::new(*name), datum));
        }
        for (name, datum) in args.keywords {
            arguments.retain(|(known, _)| *known != name);
            arguments.push((name, datum));
        }
        for (name, datum) in &mut arguments {
            // The mapping is copied, unlike the others.
            if name == "build_kwargs"
                && let V::Ref(dict) = &datum.value
                && let Obj::Dict(dict) = self.heap.get(*dict)
            {
                let copy = Obj::Dict(dict.clone());
                datum.value = V::Ref(self.heap.add(copy));
            }
        }
        if let Obj::Storage(storage) = self.heap.change(id) {
            storage.arguments = arguments;
            storage.rest = rest;
        }
    }

    pub(super) fn add_flow(&mut self, flow: FlowObj) -> Id {
        let id = self.heap.add(Obj::Flow(flow));
        self.flows.push(id);
        id
    }

    /// `Flow(…)` of Prefect 1.
    pub(super) fn make_flow(&mut self, args: &Args, span: Span) -> V {
        let id = self.add_flow(FlowObj {
            name: V::Unknown(Why::at(span)),
            kind: FlowKind::Prefect1,
            function: None,
            bound: false,
            at: span,
            storage: V::None,
            imported: self.importing > 0,
            used: false,
            class: None,
            attributes: Names::new(),
        });
        self.fill_flow(id, args, span);
        V::Ref(id)
    }

    /// What `Flow.__init__` does.
    pub(super) fn fill_flow(&mut self, id: Id, args: &Args, span: Span) {
        let name = match args.get(0, "name") {
            Some(name) => name.clone(),
            None => V::Unknown(args.uncertain().cloned().unwrap_or_else(|| Why::at(span))),
        };
        let storage = match (args.get(4, "storage"), &args.rest) {
            (Some(storage), _) => storage.clone(),
            (None, Some(why)) => V::Unknown(why.clone()),
            (None, None) => V::None,
        };
        if let Obj::Flow(flow) = self.heap.change(id) {
            flow.name = name;
            flow.storage = storage;
        }
    }

    /// `@flow` of Prefect 2 and 3.
    pub(super) fn flow_of(&mut self, function: Option<&V>, args: &Args, span: Span) -> V {
        let Some(V::Ref(id)) = function else { return unknown(&[], span) };
        let Obj::Function(function) = self.heap.get(*id) else { return unknown(&[], span) };
        let name = match (args.keyword("name"), args.uncertain()) {
            (Some(name), _) if !name.is_none() => name.clone(),
            (_, Some(why)) => V::Unknown(why.clone()),
            _ => V::text(function.name.replace('_', "-")),
        };
        let flow = FlowObj {
            name,
            kind: FlowKind::Prefect,
            function: Some(function.name.to_string()),
            bound: false,
            at: function.at,
            storage: V::None,
            imported: self.importing > 0,
            used: false,
            class: None,
            attributes: Names::new(),
        };
        V::Ref(self.add_flow(flow))
    }

    /// The script itself does something with a flow.
    pub(super) fn use_flow(&mut self, id: Id) {
        if self.importing == 0
            && let Obj::Flow(flow) = self.heap.change(id)
        {
            flow.used = true;
        }
    }

    pub(super) fn flow_method(&mut self, id: Id, name: &str, args: &Args, span: Span) -> V {
        match name {
            "__init__" => {
                self.fill_flow(id, args, span);
                V::None
            }
            "copy" | "with_options" => {
                let Obj::Flow(flow) = self.heap.get(id) else { return unknown(&[], span) };
                let mut flow = flow.clone();
                flow.at = span;
                flow.imported = self.importing > 0;
                flow.used = false;
                flow.bound = false;
                if let Some(name) = args.keyword("name") {
                    flow.name = name.clone();
                }
                V::Ref(self.add_flow(flow))
            }
            _ => {
                self.use_flow(id);
                V::Unknown(Why::at(span))
            }
        }
    }

    pub(super) fn storage_method(&mut self, id: Id, name: &str, args: Args, span: Span) -> V {
        match name {
            "__init__" => {
                self.fill_storage(id, args);
                V::None
            }
            "add_flow" => {
                if let Some(V::Ref(flow)) = args.get(0, "flow") {
                    let flow = *flow;
                    self.use_flow(flow);
                    if let Obj::Flow(flow) = self.heap.change(flow) {
                        flow.storage = V::Ref(id);
                    }
                }
                V::Unknown(Why::at(span))
            }
            // It gives the storage itself.
            "build" => V::Ref(id),
            _ => V::Unknown(Why::at(span)),
        }
    }

    /// Whether calling a value makes a storage or a flow.
    pub(super) fn makes(&self, value: &V) -> bool {
        match value {
            V::External(path, _) => is_storage(path) || is_flow(path) || is_flow_decorator(path),
            V::Ref(id) => match self.heap.get(*id) {
                Obj::Class(class) => matches!(class.kind, ClassKind::Storage | ClassKind::Flow),
                Obj::Partial(partial) => match &partial.function {
                    V::External(path, _) => is_storage(path) || is_flow(path),
                    V::Ref(id) => self.is_kind(*id, ClassKind::Storage),
                    _ => false,
                },
                _ => false,
            },
            V::Method(method) => matches!(&method.0, V::Ref(id) if self.is_a_storage(*id)),
            V::Bound(bound) => matches!(&bound.0, V::Ref(id) if self.is_a_storage(*id)),
            _ => false,
        }
    }

    fn is_a_storage(&self, id: Id) -> bool {
        matches!(self.heap.get(id), Obj::Storage(_))
    }
}
