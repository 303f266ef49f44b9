//! `pathlib`, `os.path` and reading files.
//!
//! **Invariant:** a file is what `Sources` says; one that is not there is asked for.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::containers::rest_of;
use super::interpreter::{Interpreter, Res};
use super::object::{Args, Obj, OpenFile};
use super::ops::unknown;
use super::paths;
use super::script::Because;
use super::strings;
use super::value::{Datum, Id, Span, V, Why};

/// A file that the script looks at.
pub(super) enum Found {
    Text(Rc<str>),
    /// It does not exist, or is not UTF-8.
    Missing(PathBuf),
    /// Not known yet.
    Wanted(PathBuf),
    /// Which file that is is not known.
    Unknown(Why),
}

/// Properties of a path.
pub(super) fn property(path: &str, name: &str, span: Span) -> Option<V> {
    let part = |text: &str| Datum::new(V::text(text), span);
    Some(match name {
        "parent" => V::Path(paths::parent(path).into()),
        "name" => V::text(paths::name(path)),
        "stem" => V::text(paths::stem_and_suffix(path).0),
        "suffix" => V::text(paths::stem_and_suffix(path).1),
        "suffixes" => {
            let suffixes = paths::name(path).trim_start_matches('.').split('.').skip(1);
            V::Tuple(suffixes.map(|suffix| part(&format!(".{suffix}"))).collect())
        }
        "parents" => {
            let mut parents = Vec::new();
            let mut last = path;
            while paths::parent(last) != last {
                last = paths::parent(last);
                parents.push(Datum::new(V::Path(last.into()), span));
            }
            V::Tuple(parents.into())
        }
        "parts" => {
            let root = path.starts_with('/').then(|| part("/"));
            let names = path.split('/').filter(|name| !name.is_empty() && *name != ".");
            V::Tuple(root.into_iter().chain(names.map(part)).collect())
        }
        "anchor" | "root" => V::text(if path.starts_with('/') { "/" } else { "" }),
        "drive" => V::text(""),
        _ => return None,
    })
}

/// The text of a path or string.
pub(super) fn path_text(value: &V) -> Option<&str> {
    match value {
        V::Str(text) | V::Path(text) => Some(text),
        _ => None,
    }
}

impl<'a> Interpreter<'a> {
    pub(super) fn absolute(&self, path: &str) -> Result<String, Why> {
        if path.starts_with('/') {
            return Ok(paths::normal(path));
        }
        let cwd = self.cwd.as_deref().map_err(Clone::clone)?;
        Ok(paths::normal(&paths::join(cwd, path)))
    }

    /// `os.chdir`. Of two ways that may be taken, only one may have come here.
    pub(super) fn change_folder(&mut self, args: &Args, span: Span) -> V {
        self.cwd = match (args.get(0, "path"), args.uncertain()) {
            (Some(V::Str(path) | V::Path(path)), None) if self.ways == 0 => {
                self.absolute(path).map(Into::into)
            }
            (Some(value), _) => Err(value.why().cloned().unwrap_or_else(|| Why::at(span))),
            (None, _) => Err(Why::at(span)),
        };
        V::None
    }

    pub(super) fn home(&self) -> Option<String> {
        self.sources.home.as_ref().map(|home| home.to_string_lossy().into_owned())
    }

    /// `os.path.expanduser`; none for the home of someone else.
    pub(super) fn expand_user(&self, path: &str) -> Option<String> {
        match path.strip_prefix('~') {
            None => Some(path.to_owned()),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                let home = self.home()?;
                Some(format!("{}{rest}", home.trim_end_matches('/')))
            }
            Some(_) => None,
        }
    }

    /// Looks a file up. Paths are relative to the current folder, as for Python.
    pub(super) fn find_file(&mut self, path: &str) -> Found {
        let path = match self.absolute(path) {
            Ok(path) => PathBuf::from(path),
            Err(why) => return Found::Unknown(why),
        };
        match self.sources.files.get(&path) {
            Some(Some(text)) => Found::Text(text.as_str().into()),
            Some(None) => Found::Missing(path),
            None => {
                self.wanted.insert(path.clone());
                Found::Wanted(path)
            }
        }
    }

    /// The text of a file as reading it in text mode gives it.
    pub(super) fn read_file(&mut self, path: &V, span: Span) -> Res<Result<Rc<str>, V>> {
        let Some(path) = path_text(path) else { return Ok(Err(unknown(&[path], span))) };
        let (path, exists) = match self.find_file(path) {
            Found::Text(text) if text.contains('\r') => {
                return Ok(Ok(text.replace("\r\n", "\n").replace('\r', "\n").into()));
            }
            Found::Text(text) => return Ok(Ok(text)),
            Found::Missing(path) => (path, false),
            Found::Wanted(path) => (path, true),
            Found::Unknown(why) => return Ok(Err(V::Unknown(why))),
        };
        let why = Why::because(span, Because::File(path));
        if exists {
            return Ok(Err(V::Unknown(why)));
        }
        self.raise("FileNotFoundError", why).map(Err)
    }

    /// `open(…)`, `path.open(…)`.
    pub(super) fn open(&mut self, path: &V, mode: Option<&V>, span: Span) -> Res<V> {
        let binary = match mode {
            None => false,
            Some(V::Str(mode)) if mode.contains(['w', 'a', 'x', '+']) => {
                return Ok(unknown(&[], span));
            }
            Some(V::Str(mode)) => mode.contains('b'),
            Some(mode) => return Ok(unknown(&[mode], span)),
        };
        Ok(match self.read_file(path, span)? {
            Ok(text) => {
                self.spend(text.len() / 64);
                V::Ref(self.heap.add(Obj::File(OpenFile { text, position: 0, binary })))
            }
            Err(value) => value,
        })
    }

    pub(super) fn file_method(&mut self, id: Id, name: &str, args: &Args, span: Span) -> V {
        if name == "readlines" && args.positional.is_empty() {
            return match self.iterate(&V::Ref(id), span) {
                Ok(lines) => V::Ref(self.heap.add(Obj::List(lines))),
                Err(why) => V::Unknown(why),
            };
        }
        let Obj::File(file) = self.heap.change(id) else { return unknown(&[], span) };
        match name {
            "read" if args.positional.is_empty() => {
                let text = rest_of(file);
                if file.binary { V::Bytes(text.as_bytes().into()) } else { self.string(text, span) }
            }
            "readline" if args.positional.is_empty() && !file.binary => {
                let rest = file.text.get(file.position..).unwrap_or_default();
                let line = strings::lines_with_ends(rest).next().unwrap_or_default().to_owned();
                file.position += line.len();
                V::text(line)
            }
            "close" | "flush" => V::None,
            _ => unknown(&[], span),
        }
    }

    pub(super) fn path_method(
        &mut self,
        path: &str,
        name: &str,
        args: &Args,
        span: Span,
    ) -> Res<V> {
        if let Some(why) = args.unknown() {
            return Ok(V::Unknown(why.clone()));
        }
        let texts: Option<Vec<&str>> =
            args.positional.iter().map(|datum| path_text(&datum.value)).collect();
        let texts = texts.unwrap_or_default();
        let made = |text: String| V::Path(paths::pure(&text).into());
        Ok(match (name, texts.as_slice()) {
            ("joinpath", texts) if texts.len() == args.positional.len() => {
                made(texts.iter().fold(path.to_owned(), |path, part| paths::join(&path, part)))
            }
            ("resolve", _) => self.absolute(path).map_or_else(V::Unknown, made),
            // Unlike `resolve`, it keeps `..`.
            ("absolute", []) => match self.absolute(".") {
                Ok(cwd) => made(paths::join(&cwd, path)),
                Err(why) => V::Unknown(why),
            },
            ("expanduser", []) => self.expand_user(path).map_or_else(|| unknown(&[], span), made),
            ("as_posix" | "__str__" | "__fspath__", []) => V::text(path),
            ("as_uri", [])
                if path.starts_with('/') && path.is_ascii() && !path.contains(['%', ' ']) =>
            {
                V::text(format!("file://{path}"))
            }
            ("is_absolute", []) => V::Bool(path.starts_with('/')),
            ("with_name", [name]) if !paths::name(path).is_empty() => {
                made(paths::join(paths::parent(path), name))
            }
            ("with_suffix" | "with_stem", [new]) => {
                let (stem, suffix) = paths::stem_and_suffix(path);
                let name = match name {
                    "with_suffix" => format!("{stem}{new}"),
                    _ => format!("{new}{suffix}"),
                };
                made(paths::join(paths::parent(path), &name))
            }
            ("relative_to", [base]) => {
                let base = paths::pure(base);
                if base == "." && !path.starts_with('/') {
                    return Ok(V::Path(path.into()));
                }
                match path.strip_prefix(&base) {
                    Some("") => made(".".to_owned()),
                    Some(rest) if base == "/" => made(rest.to_owned()),
                    Some(rest) if rest.starts_with('/') => made(rest[1..].to_owned()),
                    _ => return self.raise("ValueError", Why::at(span)),
                }
            }
            ("exists" | "is_file", []) => self.exists(path, span),
            ("read_text", [] | [_]) => match self.read_file(&V::text(path), span)? {
                Ok(text) => self.string(text, span),
                Err(value) => value,
            },
            ("open", _) => return self.open(&V::text(path), args.get(0, "mode"), span),
            _ => unknown(&[], span),
        })
    }

    /// Whether there is a file. What is not text is not known here, and may well be there.
    fn exists(&mut self, path: &str, span: Span) -> V {
        match self.find_file(path) {
            Found::Text(_) => V::Bool(true),
            Found::Missing(path) | Found::Wanted(path) => {
                V::Unknown(Why::because(span, Because::File(path)))
            }
            Found::Unknown(why) => V::Unknown(why),
        }
    }

    /// Functions of `os.path`.
    pub(super) fn os_path(&mut self, name: &str, args: &Args, span: Span) -> V {
        if let Some(why) = args.unknown() {
            return V::Unknown(why.clone());
        }
        let texts: Option<Vec<&str>> =
            args.positional.iter().map(|datum| path_text(&datum.value)).collect();
        let texts = texts.unwrap_or_default();
        let text = |text: &str| Datum::new(V::text(text), span);
        match (name, texts.as_slice()) {
            ("join", [first, rest @ ..]) => V::text(
                rest.iter().fold((*first).to_owned(), |path, part| paths::join(&path, part)),
            ),
            ("dirname", [path]) => V::text(paths::split(path).0),
            ("basename", [path]) => V::text(paths::split(path).1),
            ("split", [path]) => {
                let (head, tail) = paths::split(path);
                V::Tuple([text(head), text(tail)].into())
            }
            ("splitext", [path]) => {
                let (bare, extension) = paths::split_extension(path);
                V::Tuple([text(bare), text(extension)].into())
            }
            ("abspath" | "realpath", [path]) => {
                self.absolute(path).map_or_else(V::Unknown, V::text)
            }
            ("normpath", [path]) => V::text(paths::normal(path)),
            ("normcase", [path]) => V::text(*path),
            ("isabs", [path]) => V::Bool(path.starts_with('/')),
            ("expanduser", [path]) => {
                self.expand_user(path).map_or_else(|| unknown(&[], span), V::text)
            }
            ("expandvars", [path]) => self.expand_variables(path, span),
            ("exists" | "isfile" | "lexists", [path]) => self.exists(path, span),
            ("relpath", [path, start @ ..]) => {
                let start = self.absolute(start.first().unwrap_or(&"."));
                match (self.absolute(path), start) {
                    (Ok(path), Ok(start)) => V::text(paths::relative(&path, &start)),
                    (Err(why), _) | (_, Err(why)) => V::Unknown(why),
                }
            }
            _ => unknown(&[], span),
        }
    }

    /// `os.path.expandvars`: a variable that is not set stays as it is written, which nobody means.
    fn expand_variables(&self, path: &str, span: Span) -> V {
        let Obj::Dict(environment) = self.heap.get(self.environment) else {
            return unknown(&[], span);
        };
        let get = |name: &str| {
            self.asks(environment, &V::text(name));
            Some(match environment.get(&strings::key(name)).map(|datum| &datum.value) {
                Some(V::Str(value)) => Ok(value.as_ref().to_owned()),
                Some(other) => Err(other.why().cloned().unwrap_or_else(|| Why::at(span))),
                None => Err(Why::because(span, Because::Variable(name.to_owned()))),
            })
        };
        match strings::substitute(path, false, get) {
            Some(Ok(text)) if !path.contains("$$") => V::text(text),
            Some(Err(why)) => V::Unknown(why),
            _ => unknown(&[], span),
        }
    }

    /// The folder of the script, for `sys.path[0]`.
    pub(super) fn folder(&self, source: usize) -> Option<&'a Path> {
        self.library.get(source).and_then(|source| source.path.parent())
    }
}
