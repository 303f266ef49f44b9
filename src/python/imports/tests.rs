use super::*;

fn read(source: &str) -> Reads {
    imports(source).expect("valid Python")
}

#[test]
fn imports_are_found_at_every_depth() {
    let reads = read(
        "import a.b as c, d\nfrom e import f, g\ndef h():\n    from . import i\n    \
         from ..j import *\ntry:\n    import m\nexcept ImportError:\n    import n\n\
         match x:\n    case 1:\n        import o\nwith y: import p\nclass Q:\n    import q\n",
    );
    let found: Vec<_> = reads
        .imports
        .iter()
        .map(|i| (i.level, i.module.as_str(), i.names.join(","), i.line))
        .collect();
    let import = |level, module, names: &str, line| (level, module, names.to_owned(), line);
    assert_eq!(
        found,
        [
            import(0, "a.b", "", 1),
            import(0, "d", "", 1),
            import(0, "e", "f,g", 2),
            import(1, "", "i", 4),
            import(2, "j", "*", 5),
            import(0, "m", "", 7),
            import(0, "n", "", 9),
            import(0, "o", "", 12),
            import(0, "p", "", 13),
            import(0, "q", "", 15),
        ]
    );
}

#[test]
fn imports_for_type_checkers_are_left_out() {
    for (source, modules) in [
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", "b"),
        ("if typing.TYPE_CHECKING:\n    import a\nelif x:\n    import b", "b"),
        ("import typing as t\nif t.TYPE_CHECKING and x:\n    import a", "typing"),
        ("from typing import TYPE_CHECKING as T\nif T:\n    import a", "typing"),
        ("if not TYPE_CHECKING:\n    import a\nelse:\n    import b", "a"),
        ("if x:\n    import a\nelif TYPE_CHECKING:\n    import b\nelse:\n    import c", "a c"),
        ("if TYPE_CHECKING or x:\n    import a", "a"),
        ("if MY_TYPE_CHECKING:\n    import a", "a"),
    ] {
        let reads = read(source);
        let found: Vec<&str> = reads.imports.iter().map(|i| i.module.as_str()).collect();
        assert_eq!(found.join(" "), modules, "{source}");
    }
}

#[test]
fn imports_by_name_are_told_apart() {
    let by_name = |source: &str| {
        let reads = read(source);
        let own = ["importlib", "pkgutil", "runpy", "builtins"];
        let imports = reads.imports.iter().filter(|import| !own.contains(&&*import.module));
        let modules: Vec<String> = imports
            .map(|i| {
                let anchor = if i.anchor == Anchor::Module { "self" } else { "" };
                let dots = ".".repeat(i.level as usize);
                format!("{anchor}{dots}{} {}", i.module, i.names.join(",")).trim().to_owned()
            })
            .collect();
        (modules.join("; "), reads.imports_by_name)
    };
    for (source, modules, line) in [
        ("import importlib\nimportlib.import_module('a.b')", "a.b", None),
        ("import importlib as il\nil.import_module(name='a')", "a", None),
        ("import importlib.util\nimportlib.import_module('a')", "importlib.util; a", None),
        ("from importlib import import_module as im\nim('.x', package=__package__)", ".x", None),
        ("from importlib import import_module as im\nim('.x', __name__)", "self.x", None),
        ("from importlib import import_module as im\nim('..x', 'a.b')", "a.x", None),
        ("from importlib import import_module as im\nim('....x', 'a.b')", "", None),
        ("from importlib import import_module as im\nim('.x', where)", "", Some(2)),
        ("from importlib import import_module as im\nim('.x')", "", None),
        ("def f():\n    im('a')\nfrom importlib import import_module as im", "a", None),
        ("__import__('a')", "a", None),
        ("__import__('a.b', globals(), locals(), ['c', 'd'])", "a.b c,d", None),
        ("__import__(name)", "", Some(1)),
        ("import runpy\nrunpy.run_module('a')", "a __main__", None),
        ("import runpy\nrunpy.run_module(a)", "", None),
        ("import importlib\nimportlib.import_module(f'plugins.{x}')", "", Some(2)),
        ("import pkgutil\nfor m in pkgutil.iter_modules(p): pass", "", Some(2)),
        ("from pkgutil import walk_packages\nwalk_packages(p)", "", Some(2)),
        ("import_module('a')", "", None),
        ("# importlib.import_module(x)\n'__import__(x)'", "", None),
    ] {
        assert_eq!(by_name(source), (modules.to_owned(), line), "{source}");
    }
}

fn data(source: &str) -> Vec<String> {
    let of = |data: Data| match data.package {
        Some(package) => format!("{package}:{}", data.path),
        None => data.path,
    };
    read(source).data.into_iter().map(of).collect()
}

#[test]
fn files_beside_the_source_are_found() {
    for (source, paths) in [
        ("Path(__file__).parent / 'sql' / 'a.sql'", &["sql/a.sql"][..]),
        ("Path(__file__).resolve().parent.joinpath('a', 'b').read_text()", &["a/b"]),
        ("open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'x.json'))", &["x.json"]),
        ("open(os.path.join(os.path.dirname(__file__), 'sql', name))", &["sql"]),
        ("open(os.path.dirname(__file__) + '/x.json')", &["x.json"]),
        ("open(f'{Path(__file__).parent}/x.json')", &["x.json"]),
        ("Path(__file__).parent / f'sql/{name}.sql'", &["sql"]),
        ("Path(__file__).with_name('x.csv')", &["x.csv"]),
        ("Path(__file__).parents[1] / 'c'", &["../c"]),
        ("os.path.join(os.path.split(__file__)[0], 'x')", &["x"]),
        ("HERE = Path(__file__).parent\nSQL = HERE / 'sql'\nopen(SQL / 'x')", &["sql", "sql/x"]),
        ("def f(): return HERE / NAME\nHERE = Path(__file__).parent\nNAME = 'x'", &["x"]),
        ("HERE = Path(__file__).parent\nHERE = y\nHERE / 'x'", &[]),
        ("HERE = Path(__file__).parent\nHERE /= 'a'\nHERE / 'x'", &[]),
        ("HERE = HERE / 'x'", &[]),
        ("Path(__file__).parent.parent", &[".."]),
        ("Path(__file__).parent / '../up'", &["../up"]),
        ("Path(__file__).parent / name", &[]),
        ("os.path.join(os.path.dirname(__file__), '/etc/x')", &[]),
        ("os.path.join('a', 'b')", &[]),
        ("from pathlib import Path\nPath('a') / 'b'", &[]),
    ] {
        // Without a mark the second walk would not be made.
        assert_eq!(data(&format!("{source}\n'__file__'")), paths, "{source}");
    }
}

#[test]
fn what_decorated_functions_open_is_told_apart() {
    let reads = read(
        "HERE = Path(__file__).parent\nSQL = HERE / 'x.sql'\nREQUIREMENTS = HERE / 'r.txt'\n\
         @task\ndef load():\n    def inner(): open(HERE / 'y.sql')\n    return SQL.read_text()\n\
         def build(): open(HERE / 'z.txt')",
    );
    let found: Vec<_> =
        reads.data.iter().map(|data| (data.path.as_str(), data.is_in_decorated)).collect();
    assert_eq!(found, [("x.sql", true), ("r.txt", false), ("y.sql", true), ("z.txt", false)]);
}

#[test]
fn files_of_packages_are_found() {
    for (source, paths) in [
        ("from importlib import resources\nresources.files('pkg.data') / 'x'", &["pkg.data:"][..]),
        ("import importlib.resources\nimportlib.resources.read_text('p', 'x')", &["p:x"]),
        ("from importlib_resources import files as f\nimport p.q\nf(p.q)", &["p.q:"]),
        (
            "import importlib.resources as r\nfrom . import data\nr.open_text(data, 'x')",
            &[".data:x"],
        ),
        ("import pkgutil\npkgutil.get_data('pkg', 'y.csv')", &["pkg:y.csv"]),
        ("from pkg_resources import resource_string\nresource_string('pkg', 'y')", &["pkg:y"]),
        ("zip.read_text('pkg', 'x')", &[]),
    ] {
        assert_eq!(data(source), paths, "{source}");
    }
}

#[test]
fn a_source_that_asks_for_its_own_place_opens_what_is_beside_it() {
    for (source, line) in [
        ("x = 1\nHERE = __file__", Some(2)),
        ("x = '__file__'", None),
        ("from importlib.resources import files\n\nfiles(__package__)", Some(3)),
        ("from importlib import resources\nresources.files(__name__ + '.data')", Some(2)),
        ("import pkgutil\npkgutil.get_data(__name__, 'x')", Some(2)),
        ("import pkg_resources\npkg_resources.resource_filename(__name__, 'x')", Some(2)),
        ("from importlib import resources", None),
        ("import sys, os\nsys.path.insert(0, os.path.dirname(__file__))", None),
    ] {
        assert_eq!(read(source).opens_beside, line, "{source}");
    }
}

#[test]
fn folders_that_are_added_to_the_path_are_found() {
    for (source, folders) in [
        ("import sys\nsys.path.insert(0, str(Path(__file__).parent / 'lib'))", &["lib"][..]),
        ("import sys\nsys.path.append(os.path.join(os.path.dirname(__file__), '..'))", &[".."]),
        ("import sys\nsys.path += [os.path.dirname(__file__)]", &[""]),
        ("import sys\nsys.path.append('/srv/lib')", &[]),
        ("import sys\nsys.path.append(os.path.join(os.path.dirname(__file__), name))", &[]),
    ] {
        let reads = read(source);
        assert_eq!(reads.search, folders, "{source}");
        assert_eq!(reads.data, [], "{source}");
    }
}

#[test]
fn the_literal_part_of_all_is_read() {
    for (source, names) in [
        ("__all__ = ['a', 'b']", &["a", "b"][..]),
        ("__all__: list = ('a',)", &["a"]),
        (
            "__all__ = ['a'] + other.__all__\n__all__ += ['b']\n__all__.extend(['c'])",
            &["a", "b", "c"],
        ),
        ("__all__.append('d')", &["d"]),
        ("all = ['a']", &[]),
    ] {
        assert_eq!(read(source).all, names, "{source}");
    }
}

#[test]
fn nesting_and_long_chains_are_read_or_refused() {
    let is_read = |expression: String| {
        let reading = std::thread::Builder::new().stack_size(64 << 20);
        let read = reading.spawn(move || imports(&format!("x = {expression}\n__file__")).is_ok());
        read.expect("a thread").join().expect("no overflow")
    };
    for (before, after) in
        [("(", ")"), ("f(", ")"), ("-", ""), ("a + ", ""), ("lambda: ", ""), ("", ".a"), ("", "()")]
    {
        let deep = |count| format!("{}a{}", before.repeat(count), after.repeat(count));
        assert!(is_read(deep(1000)), "{before}{after}");
        assert!(!is_read(deep(100_000)), "{before}{after}");
    }
}
