//! The standard library, as far as flow scripts compute values with it.
//!
//! **Invariant:** whatever depends on the moment, the machine or the network is unknown.

use ruff_python_ast::name::Name;

use super::data::DEEPEST;
use super::interpreter::{Interpreter, Res};
use super::object::{Args, Instance, Names, Obj, Partial};
use super::ops::unknown;
use super::pathlib::path_text;
use super::paths;
use super::prefect;
use super::strings;
use super::value::{Datum, Dict, Key, Span, V, Why};

impl Interpreter<'_> {
    /// An attribute of something that is not the user's.
    pub(super) fn external_attribute(&self, path: &str, name: &str, span: Span) -> V {
        let full = match path {
            "posixpath" => format!("os.path.{name}"),
            _ => format!("{path}.{name}"),
        };
        match full.as_str() {
            "os.environ" => V::Ref(self.environment),
            "os.sep" | "os.path.sep" => V::text("/"),
            "os.pardir" | "os.path.pardir" => V::text(".."),
            "os.curdir" | "os.path.curdir" | "os.extsep" => V::text("."),
            "os.pathsep" => V::text(":"),
            "os.linesep" => V::text("\n"),
            "os.name" => V::text("posix"),
            "sys.platform" => V::text(if cfg!(target_os = "macos") { "darwin" } else { "linux" }),
            "sys.version_info.major" => V::Int(3),
            "sys.maxsize" => V::Int(i64::MAX),
            "string.ascii_lowercase" => V::text("abcdefghijklmnopqrstuvwxyz"),
            "string.ascii_uppercase" => V::text("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            "string.digits" => V::text("0123456789"),
            "typing.TYPE_CHECKING" => V::Bool(false),
            _ => V::External(full.into(), Why::at(span)),
        }
    }

    /// A call of something that is not the user's.
    pub(super) fn external_call(&mut self, path: &str, args: Args, span: Span) -> Res<V> {
        if let Some(name) = path.strip_prefix("builtins.") {
            return match name.strip_prefix("str.").or(name.strip_prefix("dict.")) {
                Some(method) => self.unbound(method, args, span),
                None => self.builtin(name, &args, span),
            };
        }
        if let Some(name) = path.strip_prefix("os.path.") {
            return Ok(self.os_path(name, &args, span));
        }
        if path.starts_with("prefect.") {
            return Ok(self.prefect_call(path, args, span));
        }
        Ok(match path {
            "os.getenv" => self.get(self.environment, &args, span),
            "os.getcwd" => self.absolute(".").map_or_else(V::Unknown, V::text),
            "os.chdir" => self.change_folder(&args, span),
            "sys.path.insert" | "sys.path.append" => {
                self.add_root(&args, path == "sys.path.insert");
                V::None
            }
            "os.fspath" => match args.at(0).and_then(path_text) {
                Some(text) => V::text(text),
                None => unknown(&args.at(0).into_iter().collect::<Vec<_>>(), span),
            },
            "sys.exit" | "os._exit" => return self.exit(&args, span),
            "platform.system" => {
                V::text(if cfg!(target_os = "macos") { "Darwin" } else { "Linux" })
            }
            "pathlib.Path" | "pathlib.PurePath" | "pathlib.PosixPath" | "pathlib.PurePosixPath" => {
                Self::new_path(&args, span)
            }
            "pathlib.Path.cwd" | "pathlib.PosixPath.cwd" => {
                self.absolute(".").map_or_else(V::Unknown, |cwd| V::Path(cwd.into()))
            }
            "pathlib.Path.home" | "pathlib.PosixPath.home" => match self.home() {
                Some(home) => V::Path(paths::pure(&home).into()),
                None => unknown(&[], span),
            },
            "copy.copy" | "copy.deepcopy" => match args.at(0) {
                Some(value) => {
                    let value = value.clone();
                    self.copied(&value, if path == "copy.copy" { DEEPEST } else { 0 }, span)
                }
                None => unknown(&[], span),
            },
            "json.loads" | "json.load" | "tomllib.loads" | "tomllib.load" | "tomli.loads"
            | "tomli.load" | "toml.loads" | "toml.load" => {
                return self.parse_text(path, &args, span);
            }
            "json.dumps" => self.json_dumps(&args, span),
            "textwrap.dedent" | "inspect.cleandoc" => match args.at(0) {
                Some(V::Str(text)) if path == "textwrap.dedent" => V::text(strings::dedent(text)),
                other => unknown(&other.into_iter().collect::<Vec<_>>(), span),
            },
            "typing.cast" => args.at(1).cloned().unwrap_or_else(|| unknown(&[], span)),
            "contextlib.suppress" => V::External("contextlib.suppress.made".into(), Why::at(span)),
            "importlib.import_module" => match args.at(0) {
                Some(name) if args.positional.len() == 1 => {
                    let name = name.clone();
                    self.import_by_name(&name, span)
                }
                _ => unknown(&[], span),
            },
            "random.shuffle" | "heapq.heapify" | "heapq.heappush" | "bisect.insort" => {
                let why = Why::at(span);
                if let Some(V::Ref(id)) = args.at(0) {
                    self.heap.lose(*id, why.clone());
                }
                V::Unknown(why)
            }
            "asyncio.run" => args.at(0).cloned().unwrap_or_else(|| unknown(&[], span)),
            "dotenv.load_dotenv" | "dotenv.main.load_dotenv" => {
                // A file may set what is not set yet.
                if let Obj::Dict(environment) = self.heap.change(self.environment) {
                    environment.rest = Some(Why::at(span));
                }
                unknown(&[], span)
            }
            _ => return self.making_call(path, args, span),
        })
    }

    /// Calls that make functions, mappings and other objects.
    fn making_call(&mut self, path: &str, mut args: Args, span: Span) -> Res<V> {
        Ok(match path {
            "string.Template" => match args.at(0) {
                Some(template @ V::Str(_)) => {
                    let mut attributes = Names::new();
                    attributes.insert("template".into(), template.clone());
                    let substitute = |name: &str| {
                        let path = format!("string.Template.{name}");
                        let function = V::External(path.into(), Why::at(span));
                        let partial = Partial { function, args: args.clone() };
                        (Name::new(name), partial)
                    };
                    for (name, partial) in ["substitute", "safe_substitute"].map(substitute) {
                        let partial = V::Ref(self.heap.add(Obj::Partial(partial)));
                        attributes.insert(name, partial);
                    }
                    V::Ref(self.heap.add(Obj::Instance(Instance { class: None, attributes })))
                }
                other => unknown(&other.into_iter().collect::<Vec<_>>(), span),
            },
            "string.Template.substitute" | "string.Template.safe_substitute" => {
                self.substitute(path.ends_with("safe_substitute"), &args, span)
            }
            "functools.partial" => match args.at(0) {
                Some(function) => {
                    let function = function.clone();
                    args.positional.remove(0);
                    V::Ref(self.heap.add(Obj::Partial(Partial { function, args })))
                }
                None => unknown(&[], span),
            },
            "collections.OrderedDict" => self.new_dict(&args, span),
            "collections.defaultdict" => {
                let factory =
                    if args.positional.is_empty() { None } else { Some(args.positional.remove(0)) };
                let dict = self.new_dict(&args, span);
                if let V::Ref(id) = dict
                    && let Obj::Dict(dict) = self.heap.change(id)
                {
                    dict.factory = factory.map(|datum| datum.value).filter(|f| !f.is_none());
                }
                dict
            }
            "types.SimpleNamespace" | "argparse.Namespace" => {
                let attributes = args.keywords.iter();
                let attributes =
                    attributes.map(|(name, datum)| (name.clone(), datum.value.clone())).collect();
                if let Some(why) = args.uncertain() {
                    return Ok(V::Unknown(why.clone()));
                }
                V::Ref(self.heap.add(Obj::Instance(Instance { class: None, attributes })))
            }
            "itertools.chain" => {
                let mut items = Vec::new();
                for datum in &args.positional {
                    match self.iterate(&datum.value, span) {
                        Ok(more) => items.extend(more),
                        Err(why) => return Ok(V::Unknown(why)),
                    }
                }
                V::Ref(self.heap.add(Obj::Iter(items)))
            }
            "functools.wraps" if args.positional.len() == 1 => {
                let function = V::External("functools.update_wrapper".into(), Why::at(span));
                // The arguments come in the other order.
                V::Ref(self.heap.add(Obj::Partial(Partial { function, args })))
            }
            "functools.update_wrapper" => self.wrapped_function(&args, span),
            "dataclasses.dataclass"
            | "functools.lru_cache"
            | "functools.cache"
            | "functools.total_ordering" => match args.at(0) {
                Some(V::Ref(id)) => V::Ref(*id),
                _ => V::External(path.into(), Why::at(span)),
            },
            "dataclasses.field" => match args.keyword("default_factory") {
                Some(factory) => {
                    let partial = Partial { function: factory.clone(), args: Args::default() };
                    V::Ref(self.heap.add(Obj::Partial(partial)))
                }
                None => args.keyword("default").cloned().unwrap_or_else(|| unknown(&[], span)),
            },
            _ => outside(path, span),
        })
    }

    /// `str.upper(text)`, `dict.get(mapping, key)`.
    fn unbound(&mut self, method: &str, mut args: Args, span: Span) -> Res<V> {
        if args.positional.is_empty() {
            return Ok(unknown(&[], span));
        }
        let object = args.positional.remove(0).value;
        if method == "fromkeys" {
            let value = args.at(0).cloned().unwrap_or(V::None);
            return Ok(match self.iterate(&object, span) {
                Ok(keys) => {
                    let mut dict = Dict::default();
                    for key in keys {
                        dict.insert(key.value, Datum::new(value.clone(), key.at));
                    }
                    V::Ref(self.heap.add(Obj::Dict(dict)))
                }
                Err(why) => V::Unknown(why),
            });
        }
        let method = self.attribute(&object, method, span)?;
        self.call(&method, args, span)
    }

    fn new_path(args: &Args, span: Span) -> V {
        if let Some(why) = args.unknown() {
            return V::Unknown(why.clone());
        }
        let mut path = String::new();
        for datum in &args.positional {
            let Some(part) = path_text(&datum.value) else {
                return unknown(&[&datum.value], span);
            };
            path = paths::join(&path, part);
        }
        V::Path(paths::pure(&path).into())
    }

    /// `functools.wraps(function)(wrapper)`: the wrapper gets the function's name.
    fn wrapped_function(&mut self, args: &Args, span: Span) -> V {
        let (Some(V::Ref(of)), Some(V::Ref(wrapper))) = (args.at(0), args.at(1)) else {
            return args.at(1).cloned().unwrap_or_else(|| unknown(&[], span));
        };
        if let Obj::Function(function) = self.heap.get(*of) {
            let name = function.name.clone();
            if let Obj::Function(function) = self.heap.change(*wrapper) {
                function.name = name;
            }
        }
        V::Ref(*wrapper)
    }

    fn substitute(&mut self, safe: bool, args: &Args, span: Span) -> V {
        let Some(V::Str(template)) = args.at(0) else { return unknown(&[], span) };
        if let Some(why) = args.uncertain() {
            return V::Unknown(why.clone());
        }
        let mapping = match args.at(1) {
            Some(V::Ref(id)) => match self.heap.get(*id) {
                Obj::Dict(dict) => Some(dict),
                _ => return unknown(&[], span),
            },
            Some(other) => return unknown(&[other], span),
            None => None,
        };
        let get = |name: &str| {
            let given = args.keyword(name);
            let found = mapping.and_then(|m| m.get(&Key::Text(name.into())).map(|d| &d.value));
            match given.or(found) {
                Some(value) => Some(self.str_of(value, span)),
                None => mapping.and_then(|mapping| mapping.rest.clone()).map(Err),
            }
        };
        match strings::substitute(template, safe, get) {
            Some(Ok(text)) => self.string(text, span),
            Some(Err(why)) => V::Unknown(why),
            None => unknown(&[], span),
        }
    }

    /// Names that `from module import *` brings of a module that is not the user's.
    pub(super) fn star(&mut self, module: &str, span: Span) {
        for name in prefect::exports(module) {
            let value = self.external_attribute(module, name, span);
            self.bind(name, value);
        }
    }
}

/// The result of a call of something outside: it is as much outside as what is called.
fn outside(path: &str, span: Span) -> V {
    V::External(format!("{path}()").into(), Why::at(span))
}
