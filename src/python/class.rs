//! Functions and classes of the user's: definitions, decorators, instances.
//!
//! **Invariant:** an instance has only what its class and its own code give it; the rest is unknown.

use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::interpreter::{Frame, Interpreter, Res};
use super::object::{
    Args, Binding, Class, ClassKind, Code, Function, Instance, Names, Obj, StorageObj,
};
use super::scan;
use super::value::{Datum, Id, Span, V, Why};

/// Last names of decorators that pass arguments of their own to the function.
const WRAPPERS: [&str; 9] = [
    "command",
    "group",
    "callback",
    "option",
    "argument",
    "pass_context",
    "pass_obj",
    "main",
    "script",
];
/// Base classes that do not matter.
const NEUTRAL_BASES: [&str; 8] = [
    "builtins.object",
    "abc.ABC",
    "typing.Generic",
    "typing.Protocol",
    "builtins.Exception",
    "builtins.ValueError",
    "builtins.str",
    "builtins.int",
];
/// Classes above each other.
const DEEPEST: usize = 20;

impl<'a> Interpreter<'a> {
    pub(super) fn define_function(&mut self, def: &'a StmtFunctionDef) -> Res<()> {
        let decorators = def.decorator_list.iter();
        let decorators: Vec<(V, &Expr)> = decorators
            .map(|decorator| Ok((self.eval(&decorator.expression)?, &decorator.expression)))
            .collect::<Res<_>>()?;
        let defaults = self.defaults(Some(&def.parameters))?;
        let yields = scan::yields(&def.body);
        let function = Function {
            name: def.name.id.clone(),
            code: Code::Def { parameters: &def.parameters, body: &def.body, yields },
            source: self.frame().source,
            globals: self.frame().globals,
            enclosing: self.closure(),
            defaults,
            class: None,
            binding: Binding::Method,
            at: self.span(def.name.range()),
            setter: None,
            cached: false,
            wrapped: false,
        };
        let id = self.heap.add(Obj::Function(function));
        if self.importing == 0 && self.frames.len() == 1 {
            self.functions.push(id);
        }
        let mut value = V::Ref(id);
        for (decorator, expr) in decorators.into_iter().rev() {
            value = self.decorate(value, id, &decorator, expr)?;
        }
        self.bind(&def.name.id, value);
        Ok(())
    }

    fn decorate(&mut self, value: V, id: Id, decorator: &V, expr: &Expr) -> Res<V> {
        let span = self.span(expr.range());
        let path = match decorator {
            V::External(path, _) => path.as_ref(),
            _ => "",
        };
        let binding = match path {
            "builtins.property" | "functools.cached_property" => Some(Binding::Property),
            "builtins.staticmethod" => Some(Binding::Static),
            "builtins.classmethod" => Some(Binding::Class),
            _ => None,
        };
        if let (Some(binding), Obj::Function(function)) = (binding, self.heap.change(id)) {
            function.binding = binding;
            function.cached = path == "functools.cached_property";
            return Ok(value);
        }
        if let V::Method(method) = decorator
            && let (V::Ref(property), "setter") = (&method.0, method.1.as_str())
            && let Obj::Function(function) = self.heap.change(*property)
        {
            function.setter = Some(id);
            return Ok(V::Ref(*property));
        }
        if matches!(path, "functools.lru_cache" | "functools.cache")
            && let Obj::Function(function) = self.heap.change(id)
        {
            function.cached = true;
            return Ok(value);
        }
        if path.starts_with("prefect.") {
            // It runs as a task or flow, not when the script is.
            self.functions.retain(|function| *function != id);
            let mut args = Args::default();
            args.positional.push(Datum::new(value, span));
            return self.call(decorator, args, span);
        }
        if let V::Ref(by) = decorator
            && matches!(
                self.heap.get(*by),
                Obj::Function(_)
                    | Obj::FlowMaker(_)
                    | Obj::Partial(_)
                    | Obj::Class(_)
                    | Obj::Instance(_)
                    | Obj::Choice(..)
            )
        {
            let mut args = Args::default();
            args.positional.push(Datum::new(value.clone(), span));
            let decorated = self.call(decorator, args, span)?;
            return Ok(match decorated {
                V::Ref(_) | V::External(..) => decorated,
                _ => value,
            });
        }
        if WRAPPERS.contains(&last_name(expr))
            && let Obj::Function(function) = self.heap.change(id)
        {
            function.wrapped = true;
        }
        Ok(value)
    }

    pub(super) fn define_class(&mut self, def: &'a StmtClassDef) -> Res<()> {
        let mut decorated = Vec::new();
        for decorator in &def.decorator_list {
            decorated.push(self.eval(&decorator.expression)?);
        }
        let mut bases = Vec::new();
        if let Some(arguments) = &def.arguments {
            for base in &arguments.args {
                bases.push(self.eval(base)?);
            }
        }
        // As Python has it; it tells the scope of a class from others.
        let qualified = ("__qualname__".into(), V::text(def.name.as_str()));
        let scope = self.heap.add(Obj::Scope(Names::from([qualified])));
        let enclosing = self.closure();
        let (source, globals) = (self.frame().source, self.frame().globals);
        self.frames.push(Frame {
            enclosing: Rc::clone(&enclosing),
            is_class: true,
            ..Frame::new(source, globals, scope)
        });
        let result = self.block(&def.body);
        self.frames.pop();
        result?;
        let kind = self.class_kind(&bases, &decorated);
        let class = Class {
            name: def.name.id.clone(),
            bases,
            scope,
            kind,
            fields: fields(&def.body, kind),
        };
        let id = self.heap.add(Obj::Class(class));
        self.adopt(id, scope, &enclosing, self.span(def.range()));
        if kind == ClassKind::Enum {
            self.make_members(id, scope);
        }
        let mut value = V::Ref(id);
        for decorator in decorated.iter().rev() {
            if let V::Ref(_) = decorator {
                let args = Args {
                    positional: vec![Datum::new(value, self.span(def.name.range()))],
                    ..Args::default()
                };
                value = self.call(decorator, args, self.span(def.name.range()))?;
            }
        }
        self.bind(&def.name.id, value);
        Ok(())
    }

    /// Makes functions methods: they know their class, and do not see its names.
    fn adopt(&mut self, class: Id, scope: Id, enclosing: &Rc<[Id]>, body: Span) {
        let values = self.names(scope).into_iter().flat_map(Names::values);
        let ids: Vec<Id> = values
            .filter_map(|value| match value {
                V::Ref(id) if matches!(self.heap.get(*id), Obj::Function(_) | Obj::Flow(_)) => {
                    Some(*id)
                }
                _ => None,
            })
            .collect();
        let Obj::Class(Class { name, .. }) = self.heap.get(class) else { return };
        let name = name.clone();
        let inside = |at: Span| at.source == body.source && body.range.contains_range(at.range);
        for id in ids {
            match self.heap.change(id) {
                Obj::Function(function) if function.class.is_none() => {
                    function.class = Some(class);
                    function.enclosing = Rc::clone(enclosing);
                }
                Obj::Flow(flow) if inside(flow.at) => {
                    if let Some(function) = &mut flow.function {
                        function.insert_str(0, &format!("{name}."));
                    }
                }
                _ => {}
            }
        }
    }

    fn class_kind(&self, bases: &[V], decorators: &[V]) -> ClassKind {
        for decorator in decorators {
            match decorator {
                V::External(path, _) if path.starts_with("dataclasses.dataclass") => {
                    return ClassKind::Record;
                }
                V::External(path, _) if path.starts_with("functools.") => {}
                V::Ref(_) => {}
                _ => return ClassKind::Foreign,
            }
        }
        let mut kind = ClassKind::Plain;
        for base in bases {
            let of_base = match base {
                V::External(path, _) if super::prefect::is_storage(path) => ClassKind::Storage,
                V::External(path, _) if super::prefect::is_flow(path) => ClassKind::Flow,
                V::External(path, _) => match &**path {
                    "enum.Enum" | "enum.StrEnum" | "enum.IntEnum" => ClassKind::Enum,
                    "typing.NamedTuple" => ClassKind::Record,
                    path if NEUTRAL_BASES.contains(&path)
                        || path.starts_with("builtins.") && path.ends_with("Error") =>
                    {
                        continue;
                    }
                    _ => ClassKind::Foreign,
                },
                V::Ref(id) => match self.heap.get(*id) {
                    Obj::Class(class) => class.kind,
                    _ => ClassKind::Foreign,
                },
                _ => ClassKind::Foreign,
            };
            if kind == ClassKind::Plain {
                kind = of_base;
            }
        }
        kind
    }

    pub(super) fn is_kind(&self, class: Id, kind: ClassKind) -> bool {
        matches!(self.heap.get(class), Obj::Class(class) if class.kind == kind)
    }

    /// A class and those above it, in the order in which names are looked up.
    pub(super) fn lineage(&self, class: Id) -> Vec<Id> {
        self.linear(class, 0).unwrap_or_else(|| vec![class])
    }

    /// As Python merges the orders of the bases; none if they contradict each other.
    fn linear(&self, class: Id, depth: usize) -> Option<Vec<Id>> {
        let Obj::Class(object) = self.heap.get(class) else { return Some(Vec::new()) };
        if depth > DEEPEST {
            return None;
        }
        let bases = object.bases.iter().filter_map(|base| match base {
            V::Ref(id) => Some(*id),
            _ => None,
        });
        let bases: Vec<Id> = bases.collect();
        let orders: Option<Vec<Vec<Id>>> =
            bases.iter().map(|base| self.linear(*base, depth + 1)).collect();
        let mut orders = orders?;
        orders.push(bases);
        let mut order = vec![class];
        loop {
            orders.retain(|order| !order.is_empty());
            if orders.is_empty() {
                return Some(order);
            }
            let free = |id: &Id| orders.iter().all(|order| !order[1..].contains(id));
            let next = orders.iter().map(|order| order[0]).find(free)?;
            order.push(next);
            for order in &mut orders {
                order.retain(|id| *id != next);
            }
        }
    }

    /// A value of a class or of one above it.
    pub(super) fn class_value(&self, class: Id, name: &str) -> Option<V> {
        self.value_in(&self.lineage(class), name)
    }

    fn value_in(&self, classes: &[Id], name: &str) -> Option<V> {
        classes.iter().find_map(|class| match self.heap.get(*class) {
            Obj::Class(class) => self.names(class.scope)?.get(name).cloned(),
            _ => None,
        })
    }

    /// `super().name`.
    pub(super) fn above(&mut self, class: Id, receiver: &V, name: &str, span: Span) -> Res<V> {
        let of_receiver = match receiver {
            V::Ref(id) => match self.heap.get(*id) {
                Obj::Instance(instance) => instance.class,
                Obj::Storage(storage) => storage.class,
                Obj::Flow(flow) => flow.class,
                Obj::Class(_) => Some(*id),
                _ => None,
            },
            _ => None,
        };
        let lineage = self.lineage(of_receiver.unwrap_or(class));
        let after = lineage.iter().position(|id| *id == class).map_or(0, |at| at + 1);
        match self.value_in(&lineage[after..], name) {
            Some(value) => self.of_class(value, class, Some(receiver.clone()), span),
            None => Ok(V::Method(Rc::new((receiver.clone(), Name::new(name))))),
        }
    }

    pub(super) fn instantiate(&mut self, class: Id, args: Args, span: Span) -> Res<V> {
        let Obj::Class(object) = self.heap.get(class) else {
            return Ok(V::Unknown(Why::at(span)));
        };
        match object.kind {
            ClassKind::Enum => return Ok(self.member_of(class, args.at(0), span)),
            ClassKind::Storage => return self.storage_of_class(class, args, span),
            ClassKind::Flow => return self.flow_of_class(class, args, span),
            ClassKind::Record | ClassKind::Plain | ClassKind::Foreign => {}
        }
        let kind = object.kind;
        let instance = Instance { class: Some(class), attributes: Names::new() };
        let id = self.heap.add(Obj::Instance(instance));
        let init = self.class_value(class, "__init__");
        match (init, kind) {
            (Some(init), _) => self.initialise(&init, id, args, span)?,
            (None, ClassKind::Record) => {
                self.fill(class, id, &args, span)?;
                if let Some(after) = self.class_value(class, "__post_init__") {
                    self.initialise(&after, id, Args::default(), span)?;
                }
            }
            (None, _) => {}
        }
        Ok(V::Ref(id))
    }

    pub(super) fn initialise(&mut self, init: &V, id: Id, mut args: Args, span: Span) -> Res<()> {
        args.positional.insert(0, Datum::new(V::Ref(id), span));
        self.call(init, args, span).map(|_| ())
    }

    /// What the `__init__` of a dataclass or named tuple does.
    fn fill(&mut self, class: Id, id: Id, args: &Args, span: Span) -> Res<()> {
        let mut fields: Vec<Name> = Vec::new();
        for class in self.lineage(class).into_iter().rev() {
            if let Obj::Class(class) = self.heap.get(class) {
                let new = class.fields.iter().filter(|field| !fields.contains(field));
                fields.extend(new.cloned().collect::<Vec<_>>());
            }
        }
        for (at, field) in fields.iter().enumerate() {
            let value = match (args.get(at, field), args.uncertain()) {
                (Some(value), _) => value.clone(),
                (None, Some(why)) => V::Unknown(why.clone()),
                (None, None) => match self.class_value(class, field) {
                    Some(V::Ref(partial)) => match self.heap.get(partial) {
                        // `field(default_factory=…)` is kept as a call to be made.
                        Obj::Partial(partial) => {
                            let factory = partial.function.clone();
                            self.call(&factory, Args::default(), span)?
                        }
                        _ => V::Ref(partial),
                    },
                    Some(value) => value,
                    None => V::Unknown(Why::at(span)),
                },
            };
            self.set_attribute(&V::Ref(id), field, Datum::new(value, span));
        }
        Ok(())
    }

    fn storage_of_class(&mut self, class: Id, args: Args, span: Span) -> Res<V> {
        let id = self.add_storage(StorageObj {
            at: span,
            variable: None,
            arguments: Vec::new(),
            rest: Some(Why::at(span)),
            class: Some(class),
            attributes: Names::new(),
        });
        match self.class_value(class, "__init__") {
            Some(init) => self.initialise(&init, id, args, span)?,
            None => self.fill_storage(id, args),
        }
        Ok(V::Ref(id))
    }

    fn flow_of_class(&mut self, class: Id, args: Args, span: Span) -> Res<V> {
        let flow = self.make_flow(&Args::default(), span);
        if let V::Ref(id) = &flow {
            if let Obj::Flow(flow) = self.heap.change(*id) {
                flow.class = Some(class);
            }
            match self.class_value(class, "__init__") {
                Some(init) => self.initialise(&init, *id, args, span)?,
                None => self.fill_flow(*id, &args, span),
            }
        }
        Ok(flow)
    }
}

/// The fields of a record, or the members of an enumeration.
fn fields(body: &[Stmt], kind: ClassKind) -> Rc<[Name]> {
    let name = |target: &Expr| match target {
        Expr::Name(name) if kind != ClassKind::Enum || !name.id.starts_with('_') => {
            Some(name.id.clone())
        }
        _ => None,
    };
    let field = |statement: &Stmt| match (statement, kind) {
        (Stmt::AnnAssign(assign), ClassKind::Record) => name(&assign.target),
        (Stmt::Assign(assign), ClassKind::Enum) => assign.targets.first().and_then(name),
        _ => None,
    };
    body.iter().filter_map(field).collect()
}

fn last_name(expr: &Expr) -> &str {
    match expr {
        Expr::Name(name) => &name.id,
        Expr::Attribute(attribute) => &attribute.attr,
        Expr::Call(call) => last_name(&call.func),
        _ => "",
    }
}
