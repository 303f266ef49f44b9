//! Calls.
//!
//! **Invariant:** a function of the user's is executed with the arguments it is given; everything
//! else that is not understood gives an unknown value.

use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_python_ast::{Parameter, Parameters};
use ruff_text_size::Ranged;

use super::interpreter::{Control, Frame, Interpreter, Res};
use super::object::{Args, Code, Function, Later, Names, Obj};
use super::strings;
use super::value::{Datum, Dict, Id, Key, Span, V, Why};

/// Calls and imports within each other.
const DEEPEST: usize = 24;

impl<'a> Interpreter<'a> {
    pub(super) fn call(&mut self, function: &V, args: Args, span: Span) -> Res<V> {
        let result = self.deeper(|this| this.call_now(function, args, span));
        result.unwrap_or_else(|| Ok(V::Unknown(Why::at(span))))
    }

    fn call_now(&mut self, function: &V, mut args: Args, span: Span) -> Res<V> {
        match function {
            V::External(path, _) => self.external_call(&Rc::clone(path), args, span),
            V::Bound(bound) => {
                args.positional.insert(0, Datum::new(bound.0.clone(), span));
                self.call_function(bound.1, args, span)
            }
            V::Method(method) => self.method(&method.0, &method.1, args, span),
            V::Ref(id) => match self.heap.get(*id) {
                Obj::Function(function) if function.cached && self.ways == 0 => {
                    let at = function.at;
                    let positional = args.positional.iter().map(|datum| Key::of(&datum.value));
                    let key: Option<Vec<Key>> = positional.collect();
                    let Some(key) = key.filter(|_| args.keywords.is_empty()) else {
                        return self.call_function(*id, args, span);
                    };
                    if let Some(value) = self.kept.get(&(at, key.clone())) {
                        return Ok(value.clone());
                    }
                    let value = self.call_function(*id, args, span)?;
                    self.kept.insert((at, key), value.clone());
                    Ok(value)
                }
                Obj::Function(_) => self.call_function(*id, args, span),
                Obj::Class(_) => self.instantiate(*id, args, span),
                Obj::Partial(partial) => {
                    let function = partial.function.clone();
                    let mut all = partial.args.clone();
                    all.positional.append(&mut args.positional);
                    for (name, datum) in args.keywords {
                        match all.keywords.iter_mut().find(|(known, _)| *known == name) {
                            Some((_, known)) => *known = datum,
                            None => all.keywords.push((name, datum)),
                        }
                    }
                    all.more = all.more.or(args.more);
                    all.rest = all.rest.or(args.rest);
                    self.call(&function, all, span)
                }
                Obj::FlowMaker(given) => {
                    let given = given.clone();
                    Ok(self.flow_of(args.at(0), &given, span))
                }
                Obj::Instance(_) => {
                    let call = self.attribute(function, "__call__", span)?;
                    match call {
                        V::Bound(_) => self.call(&call, args, span),
                        _ => Ok(V::Unknown(Why::at(span))),
                    }
                }
                Obj::Choice(one, other, why) => {
                    let (one, other, why) = (one.clone(), other.clone(), why.clone());
                    let given = args.clone();
                    let one = self.way(|this| this.call(&one, given, span).map(Control::Return));
                    let other = self.way(|this| this.call(&other, args, span).map(Control::Return));
                    match self.join(one, other, &why)? {
                        Control::Return(value) => Ok(value),
                        _ => Ok(V::Unknown(why)),
                    }
                }
                Obj::Lost(why) => Ok(V::Unknown(why.clone())),
                _ => Ok(V::Unknown(Why::at(span))),
            },
            V::Unknown(why) | V::Unset(why) => Ok(V::Unknown(why.clone())),
            _ => Ok(V::Unknown(Why::at(span))),
        }
    }

    /// A method of a value that is no object of a class of the script.
    fn method(&mut self, object: &V, name: &Name, args: Args, span: Span) -> Res<V> {
        Ok(match object {
            V::Str(text) => self.str_method(text, name, &args, span),
            V::Path(path) => self.path_method(path, name, &args, span)?,
            V::Tuple(items) => self.tuple_method(items, name, &args, span),
            V::Bytes(bytes) if name == "decode" => {
                let utf8 = match args.get(0, "encoding") {
                    None => true,
                    Some(V::Str(encoding)) => strings::is_utf8(encoding),
                    Some(_) => false,
                };
                match std::str::from_utf8(bytes) {
                    Ok(text) if utf8 => self.string(text, span),
                    _ => V::Unknown(Why::at(span)),
                }
            }
            V::Ref(id) => match self.heap.get(*id) {
                Obj::List(_) => self.list_method(*id, name, &args, span)?,
                Obj::Bag(_) => self.bag_method(*id, name, &args, span)?,
                Obj::Dict(_) => self.dict_method(*id, name, &args, span)?,
                Obj::Set(_) => self.set_method(*id, name, &args, span),
                Obj::File(_) => self.file_method(*id, name, &args, span),
                Obj::Flow(_) => self.flow_method(*id, name, &args, span),
                Obj::Storage(_) => self.storage_method(*id, name, args, span),
                Obj::Lost(why) => V::Unknown(why.clone()),
                _ => V::Unknown(Why::at(span)),
            },
            _ => V::Unknown(Why::at(span)),
        })
    }

    pub(super) fn call_function(&mut self, id: Id, args: Args, span: Span) -> Res<V> {
        let Obj::Function(function) = self.heap.get(id) else {
            return Ok(V::Unknown(Why::at(span)));
        };
        let function = function.clone();
        self.called.insert(function.at);
        if let Code::Def { yields: true, .. } = function.code {
            return Ok(V::Ref(self.heap.add(Obj::Later(Later::Call(id, args, span)))));
        }
        self.run_function(id, args, span)
    }

    /// Executes a function; of a generator function, all of it.
    pub(super) fn run_function(&mut self, id: Id, args: Args, span: Span) -> Res<V> {
        let Obj::Function(function) = self.heap.get(id) else {
            return Ok(V::Unknown(Why::at(span)));
        };
        let function = function.clone();
        if self.frames.len() > DEEPEST {
            return Ok(V::Unknown(Why::at(span)));
        }
        if !accepts(&function.code, &args) {
            return self.raise("TypeError", Why::at(span));
        }
        let receiver = args.at(0).cloned();
        let yields = matches!(function.code, Code::Def { yields: true, .. });
        let names = self.parameters(&function, args);
        let locals = self.heap.add(Obj::Scope(names));
        let level = self.heap.level();
        self.frames.push(Frame {
            enclosing: Rc::clone(&function.enclosing),
            class: function.class,
            receiver,
            yielded: yields.then(|| self.heap.add(Obj::List(Vec::new()))),
            ..Frame::new(function.source, function.globals, locals)
        });
        let outcome = match function.code {
            Code::Def { body, .. } => self.block(body),
            Code::Lambda { body, .. } => self.eval(body).map(Control::Return),
        };
        let (value, stop) = match outcome {
            Ok(Control::Return(value)) => (Some(value), None),
            Ok(_) => (Some(V::None), None),
            Err(stop) => (None, Some(stop)),
        };
        let value = self.settle(value);
        self.heap.return_to(level);
        let Some(frame) = self.frames.pop() else { return Ok(V::Unknown(Why::at(span))) };
        let value = match (value, stop) {
            (Some(value), _) => value,
            (None, Some(stop)) => return Err(stop),
            (None, None) => V::Unknown(Why::at(span)),
        };
        if let Some(id) = frame.yielded {
            return Ok(match self.heap.get(id) {
                Obj::List(items) => {
                    let items = Obj::Iter(items.clone());
                    V::Ref(self.heap.add(items))
                }
                Obj::Lost(why) => V::Unknown(why.clone()),
                _ => V::Unknown(Why::at(span)),
            });
        }
        // Past an exception that nothing handles, only what is missing is of interest.
        Ok(match frame.raised {
            Some(why) if !matches!(value, V::Unknown(_) | V::Unset(_)) => V::Unknown(why),
            _ => value,
        })
    }

    /// What the parameters of a function are bound to.
    fn parameters(&mut self, function: &Function<'a>, args: Args) -> Names {
        let parameters: Option<&'a Parameters> = match function.code {
            Code::Def { parameters, .. } => Some(parameters),
            Code::Lambda { parameters, .. } => parameters,
        };
        let Some(parameters) = parameters else { return Names::new() };
        let uncertain = args.uncertain().cloned();
        let mut names = Names::new();
        let mut positional = args.positional.into_iter();
        for parameter in parameters.posonlyargs.iter().chain(&parameters.args) {
            if let Some(datum) = positional.next() {
                names.insert(parameter.name().id.clone(), datum.value);
            }
        }
        if let Some(parameter) = &parameters.vararg {
            let value = match &args.more {
                Some(why) => V::Unknown(why.clone()),
                None => V::Tuple(positional.collect()),
            };
            names.insert(parameter.name.id.clone(), value);
        }
        let by_name = || parameters.args.iter().chain(&parameters.kwonlyargs);
        let mut others = Dict::default();
        others.rest = args.rest;
        for (name, datum) in args.keywords {
            if by_name().any(|parameter| parameter.name().id == name) {
                names.insert(name, datum.value);
            } else {
                others.insert(V::text(name.as_str()), datum);
            }
        }
        if let Some(parameter) = &parameters.kwarg {
            let others = V::Ref(self.heap.add(Obj::Dict(others)));
            names.insert(parameter.name.id.clone(), others);
        }
        for parameter in parameters.iter_non_variadic_params() {
            let name = parameter.name();
            if names.contains_key(&name.id) {
                continue;
            }
            let default = function.defaults.get(&name.id).filter(|_| !function.wrapped);
            let value = match (&uncertain, default) {
                (Some(why), _) => V::Unknown(why.clone()),
                (None, Some(default)) => default.clone(),
                (None, None) => {
                    V::Unknown(Why::at(Self::parameter_span(function, &parameter.parameter)))
                }
            };
            names.insert(name.id.clone(), value);
        }
        names
    }

    fn parameter_span(function: &Function<'a>, parameter: &Parameter) -> Span {
        Span { source: function.source, range: parameter.name.range() }
    }

    /// The defaults of parameters, evaluated where the function is defined.
    pub(super) fn defaults(&mut self, parameters: Option<&'a Parameters>) -> Res<Rc<Names>> {
        let mut defaults = Names::new();
        for parameter in parameters.into_iter().flat_map(Parameters::iter_non_variadic_params) {
            if let Some(default) = &parameter.default {
                let value = self.eval(default)?;
                defaults.insert(parameter.name().id.clone(), value);
            }
        }
        Ok(Rc::new(defaults))
    }
}

/// Whether a function takes the arguments that it is given.
fn accepts(code: &Code<'_>, args: &Args) -> bool {
    let parameters = match code {
        Code::Def { parameters, .. } => Some(*parameters),
        Code::Lambda { parameters, .. } => *parameters,
    };
    let Some(parameters) = parameters else {
        return args.positional.is_empty() && args.keywords.is_empty();
    };
    let places = parameters.posonlyargs.len() + parameters.args.len();
    let named = parameters.args.iter().chain(&parameters.kwonlyargs);
    let known = |name: &Name| named.clone().any(|parameter| parameter.name().id == *name);
    (parameters.vararg.is_some() || args.positional.len() <= places)
        && (parameters.kwarg.is_some() || args.keywords.iter().all(|(name, _)| known(name)))
}
