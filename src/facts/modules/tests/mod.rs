mod data;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// Writes files, each as `path` and text; the script is `flows/etl.py` or `etl.py`.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn found(folder: &Path, script: &str) -> Modules {
    let folder = folder.canonicalize().expect("it exists");
    let script = folder.join(script);
    find(&script, &roots(&script, &folder, None), &folder)
}

fn paths(modules: &Modules) -> Vec<&str> {
    modules.files.iter().map(|module| module.path.as_str()).collect()
}

#[track_caller]
fn finds(script: &str, files: &[(&str, &str)], wanted: &[&str]) -> Modules {
    let folder = project(files);
    let modules = found(folder.path(), script);
    assert_eq!(paths(&modules), wanted);
    assert_eq!(modules.broken, []);
    modules
}

#[test]
fn a_module_beside_the_script_travels_and_others_do_not() {
    let modules = finds(
        "etl.py",
        &[
            ("etl.py", "import os\nimport helpers, pandas\nimport sys"),
            ("helpers.py", "from more import x"),
            ("more.py", "x = 1"),
            ("other.py", ""),
            ("sys.py", "no file takes the place of this one"),
        ],
        &["helpers.py", "more.py"],
    );
    let because: Vec<&str> = modules.files.iter().map(|m| m.because.as_str()).collect();
    assert_eq!(because, ["imported by `etl.py:2`", "imported by `helpers.py:1`"]);
    assert!(modules.files.iter().all(|module| module.file.size > 0));
}

#[test]
fn packages_bring_what_is_on_the_way() {
    let modules = finds(
        "etl.py",
        &[
            ("etl.py", "def run():\n    from pkg.sub.deep import thing, attribute"),
            ("pkg/__init__.py", ""),
            ("pkg/unused.py", ""),
            ("pkg/sub/__init__.py", "from .. import sibling"),
            ("pkg/sub/deep/__init__.py", "from ..near import x"),
            ("pkg/sub/deep/thing.py", "from . import other"),
            ("pkg/sub/deep/other.py", ""),
            ("pkg/sub/near.py", ""),
            ("pkg/sibling.py", ""),
        ],
        &[
            "pkg/__init__.py",
            "pkg/sibling.py",
            "pkg/sub/__init__.py",
            "pkg/sub/deep/__init__.py",
            "pkg/sub/deep/other.py",
            "pkg/sub/deep/thing.py",
            "pkg/sub/near.py",
        ],
    );
    assert_eq!(modules.files[0].because, "package of `pkg/sub/deep/__init__.py`");
}

#[test]
fn roots_are_searched_in_order() {
    // Beside the script first, then the project, then its src, and what the back end is told.
    finds(
        "flows/etl.py",
        &[
            ("pyproject.toml", "[tool.setuptools.packages.find]\nwhere = ['lib']"),
            ("flows/etl.py", "import near, top, inner, declared, both"),
            ("flows/near.py", ""),
            ("top.py", ""),
            ("src/inner/__init__.py", ""),
            ("lib/declared.py", ""),
            ("flows/both.py", "import of_flows"),
            ("flows/of_flows.py", ""),
            ("both.py", "import of_top"),
            ("of_top.py", ""),
        ],
        &["both.py", "declared.py", "inner/__init__.py", "near.py", "of_flows.py", "top.py"],
    );
}

#[test]
fn namespace_packages_count_where_a_module_is_in_them() {
    finds(
        "etl.py",
        &[
            ("etl.py", "import space.one, requests, data"),
            ("space/one.py", ""),
            // Folders named as distributions or as nothing that is imported.
            ("requests/readme.txt", ""),
            ("data/x.csv", ""),
        ],
        &["space/one.py"],
    );
    // A regular package of a later root wins over a folder of an earlier one.
    finds(
        "flows/etl.py",
        &[
            ("setup.py", ""),
            ("flows/etl.py", "import pkg.mod"),
            ("flows/pkg/mod.py", ""),
            ("pkg/__init__.py", ""),
            ("pkg/mod.py", ""),
        ],
        &["pkg/__init__.py", "pkg/mod.py"],
    );
}

#[test]
fn a_script_in_a_package_imports_relatively() {
    finds(
        "flows/etl.py",
        &[
            ("flows/__init__.py", ""),
            ("flows/etl.py", "from . import shared\nfrom .more import x\nfrom ..above import y"),
            ("flows/shared.py", "import flows.etl"),
            ("flows/more.py", ""),
            ("above.py", ""),
        ],
        &["flows/__init__.py", "flows/etl.py", "flows/more.py", "flows/shared.py"],
    );
    finds("etl.py", &[("etl.py", "from . import x"), ("x.py", "")], &[]);
    // What it imports by a plain name is in no package, whatever lies beside it.
    finds(
        "flows/etl.py",
        &[
            ("flows/__init__.py", ""),
            ("flows/etl.py", "import shared"),
            ("flows/shared.py", "HERE = os.path.dirname(__file__)"),
            ("flows/unasked.csv", ""),
        ],
        &["shared.py"],
    );
}

#[test]
fn imports_by_literal_name_and_stars_are_followed() {
    finds(
        "etl.py",
        &[
            (
                "etl.py",
                "import importlib\nimportlib.import_module('plug.a')\n__import__('b')\n\
                 from stars import *\nif TYPE_CHECKING:\n    import never",
            ),
            ("plug/__init__.py", ""),
            ("plug/a.py", "from importlib import import_module\nimport_module('.c', __package__)"),
            ("plug/c.py", ""),
            ("b.py", ""),
            ("stars/__init__.py", "__all__ = ['one', 'f']\ndef f(): pass"),
            ("stars/one.py", ""),
            ("stars/two.py", ""),
            ("never.py", ""),
        ],
        &[
            "b.py",
            "plug/__init__.py",
            "plug/a.py",
            "plug/c.py",
            "stars/__init__.py",
            "stars/one.py",
        ],
    );
}

#[test]
fn what_is_imported_by_a_computed_name_comes_whole_or_is_said() {
    let modules = finds(
        "etl.py",
        &[
            ("etl.py", "import plugins, importlib\nimportlib.import_module(name)"),
            (
                "plugins/__init__.py",
                "import importlib\ndef load(n): return importlib.import_module('plugins.' + n)",
            ),
            ("plugins/a.py", ""),
            ("plugins/deep/b.py", ""),
            ("plugins/__pycache__/a.py", ""),
        ],
        &["plugins/__init__.py", "plugins/a.py", "plugins/deep/b.py"],
    );
    assert_eq!(modules.notes, ["`etl.py:2` imports a module by a name that only a run could tell"]);
    assert_eq!(modules.files[1].because, "`plugins/__init__.py:2` imports by name");
}

#[test]
fn cycles_links_and_broken_modules_end() {
    let folder = project(&[
        ("etl.py", "import a, bad"),
        ("a/__init__.py", "import a.b\nhere = __file__"),
        ("a/b.py", "import a, etl"),
        ("a/x.csv", ""),
        ("bad.py", "def f(:\n"),
    ]);
    symlink("..", folder.path().join("a/loop")).expect("a link");
    let modules = found(folder.path(), "etl.py");
    assert_eq!(paths(&modules), ["a/__init__.py", "a/b.py", "a/x.csv", "bad.py", "etl.py"]);
    let broken: Vec<(bool, usize)> =
        modules.broken.iter().map(|(path, e)| (path.ends_with("bad.py"), e.line)).collect();
    assert_eq!(broken, [(true, 1)]);
}

#[test]
fn an_encoding_of_single_bytes_may_be_declared() {
    let folder = project(&[("etl.py", "import old, bad"), ("more.py", "")]);
    let latin = b"# -*- coding: latin-1 -*-\nimport more\nNAME = '\xe9'\n";
    fs::write(folder.path().join("old.py"), latin).expect("a file");
    fs::write(folder.path().join("bad.py"), b"NAME = '\xe9'\n").expect("a file");
    let modules = found(folder.path(), "etl.py");
    assert_eq!(paths(&modules), ["bad.py", "more.py", "old.py"]);
    let broken: Vec<&str> = modules.broken.iter().map(|(_, e)| e.message.as_str()).collect();
    assert_eq!(broken, ["it is not UTF-8"]);
}

#[test]
fn virtual_environments_are_no_roots() {
    let folder =
        project(&[("pyvenv.cfg", ""), ("setup.py", ""), ("src/etl.py", "import x"), ("x.py", "")]);
    let path = folder.path().canonicalize().expect("it exists");
    assert_eq!(roots(&path.join("src/etl.py"), &path, None), [path.join("src")]);
}

#[test]
fn what_the_spec_names_goes_in_whole() {
    let folder = project(&[
        ("src/pkg/__init__.py", ""),
        ("src/pkg/data/x.sql", ""),
        ("src/pkg/__pycache__/x.pyc", ""),
        ("src/pkg/.git/config", ""),
        ("helpers.py", ""),
    ]);
    let whole = given("src/pkg", &folder.path().join("src/pkg"));
    assert_eq!(paths(&whole), ["pkg/__init__.py", "pkg/data/x.sql"]);
    assert_eq!(whole.files[0].because, "`modules` names `src/pkg`");
    assert_eq!(paths(&given("helpers.py", &folder.path().join("helpers.py"))), ["helpers.py"]);
}

#[track_caller]
fn because<'a>(modules: &'a Modules, path: &str) -> &'a str {
    &modules.files.iter().find(|module| module.path == path).expect("it is found").because
}

#[test]
fn the_standard_library_is_shadowed_only_beside_the_script() {
    finds(
        "flows/etl.py",
        &[
            ("setup.py", ""),
            ("flows/etl.py", "import queue, types, logging.handlers, os, itertools, tomllib"),
            // Beside the script: Python takes it.
            ("flows/queue.py", ""),
            // Above it: Python takes its own.
            ("types.py", ""),
            ("logging/__init__.py", ""),
            ("logging/handlers.py", ""),
            // Imported before the script's folder is known, and part of the interpreter.
            ("flows/os.py", ""),
            ("flows/itertools.py", ""),
            // Not there in every Python.
            ("tomllib.py", ""),
        ],
        &["queue.py", "tomllib.py"],
    );
    // A folder without `__init__.py` never wins, even beside the script.
    finds("etl.py", &[("etl.py", "import email.utils"), ("email/utils.py", "")], &[]);
}

#[test]
fn stars_take_what_all_names_and_only_then() {
    let files = [
        ("a/__init__.py", "__all__ = ['x']\n__all__ += ['y']"),
        ("a/x.py", ""),
        ("a/y.py", ""),
        ("a/z.py", ""),
    ];
    let with = |script| [&[("etl.py", script)][..], &files].concat();
    finds("etl.py", &with("import a"), &["a/__init__.py"]);
    let modules =
        finds("etl.py", &with("import a\nfrom a import *"), &["a/__init__.py", "a/x.py", "a/y.py"]);
    assert_eq!(because(&modules, "a/y.py"), "imported by `etl.py:2`");
    // The star is seen after the package was read.
    let files = [&with("import a, b")[..], &[("b.py", "import c"), ("c.py", "from a import *")]];
    let found = ["a/__init__.py", "a/x.py", "a/y.py", "b.py", "c.py"];
    finds("etl.py", &files.concat(), &found);
}

#[test]
fn roots_are_those_of_the_script_the_project_and_the_spec() {
    let folder = project(&[
        (".git/HEAD", ""),
        ("team/pyproject.toml", "[tool.poetry]\npackages = [{include = 'x', from = 'code'}]"),
        ("team/flows/etl.py", ""),
        ("team/flows/src/a.py", ""),
        ("team/src/b.py", ""),
        ("team/code/c.py", ""),
        ("spec/src/__init__.py", ""),
    ]);
    let at = |path: &str| folder.path().join(path);
    let script = at("team/flows/etl.py");
    assert_eq!(
        roots(&script, &at("spec"), None),
        ["team/flows", "team/flows/src", "team", "team/src", "team/code", "spec"].map(at)
    );
    let outside = at("other/etl.py");
    fs::create_dir_all(at("other")).expect("a folder");
    // A home under version control is no project, unless the script lies in it.
    assert_eq!(roots(&outside, &at("spec"), None), [at("other"), at(""), at("spec")]);
    let home = Some(folder.path());
    assert_eq!(roots(&outside, &at("spec"), home), ["other", "spec"].map(at));
    assert_eq!(roots(&at("etl.py"), &at("spec"), home), [at(""), at("spec")]);
}

#[test]
fn back_ends_say_where_packages_are() {
    for declared in [
        "[tool.setuptools.packages.find]\nwhere = ['lib']",
        "[tool.setuptools]\npackage-dir = {'' = 'lib'}",
        "[tool.poetry]\npackages = [{include = 'x', from = 'lib'}]",
        "[tool.hatch.build.targets.wheel]\npackages = ['lib/x']",
        "[tool.hatch.build.targets.wheel]\nsources = ['lib']",
        "[tool.hatch.build]\nsources = {'lib' = ''}",
        "[tool.pytest.ini_options]\npythonpath = ['lib']",
        "[tool.pytest.ini_options]\npythonpath = 'tests lib'",
    ] {
        let files =
            [("etl.py", "import x"), ("lib/x/__init__.py", ""), ("pyproject.toml", declared)];
        let modules = finds("etl.py", &files, &["x/__init__.py"]);
        assert_eq!(because(&modules, "x/__init__.py"), "imported by `etl.py:1`", "{declared}");
    }
    let installed = "[tool.setuptools.packages.find]\nwhere = ['v/lib/site-packages']";
    let files =
        [("etl.py", "import x"), ("v/lib/site-packages/x.py", ""), ("pyproject.toml", installed)];
    finds("etl.py", &files, &[]);
}

#[test]
fn folders_that_the_script_adds_to_the_path_are_searched() {
    finds(
        "flows/etl.py",
        &[
            (
                "flows/etl.py",
                "import sys\nfrom pathlib import Path\n\
                 sys.path.insert(0, str(Path(__file__).parent.parent / 'lib'))\n\
                 import first",
            ),
            ("lib/first.py", "import second"),
            ("lib/second.py", ""),
            ("lib/unused.txt", ""),
        ],
        &["first.py", "second.py"],
    );
    // Also by a module that is imported for that, after which others are found.
    let modules = finds(
        "flows/etl.py",
        &[
            ("flows/etl.py", "import paths\nfrom late import thing"),
            (
                "flows/paths.py",
                "import os, sys\nLIB = os.path.join(os.path.dirname(__file__), '../lib')\n\
                 sys.path.append(LIB)",
            ),
            ("lib/late/__init__.py", ""),
            ("lib/late/thing.py", ""),
        ],
        &["late/__init__.py", "late/thing.py", "paths.py"],
    );
    assert_eq!(because(&modules, "late/thing.py"), "imported by `flows/etl.py:2`");
}

#[test]
fn relative_names_begin_where_they_are_said_to() {
    let script = |text| [("etl.py", text), ("p/x.py", ""), ("p/m/x.py", ""), ("p/__init__.py", "")];
    let module = |text| {
        let files = [&script("import p.m.n")[..], &[("p/m/__init__.py", ""), ("p/m/n.py", text)]];
        files.concat()
    };
    for (text, wanted) in [
        ("import importlib\nimportlib.import_module('.x', __package__)", "p/m/x.py"),
        ("import importlib\nimportlib.import_module('..x', __name__)", "p/m/x.py"),
        ("import importlib\nimportlib.import_module('.x', 'p')", "p/x.py"),
        ("from .. import x", "p/x.py"),
        ("from ..x import y", "p/x.py"),
        ("from ... import x", ""),
    ] {
        let always = ["p/__init__.py", "p/m/__init__.py", "p/m/n.py"];
        let mut all: Vec<&str> = always.into_iter().chain(Some(wanted)).collect();
        all.retain(|path| !path.is_empty());
        all.sort_unstable();
        finds("etl.py", &module(text), &all);
    }
}

#[test]
fn compiled_modules_come_for_every_python() {
    let modules = finds(
        "etl.py",
        &[
            ("etl.py", "import fast, both"),
            ("fast.c", ""),
            ("fast.cpython-311-x86_64-linux-gnu.so", "\u{7f}ELF"),
            ("fast.cpython-312-x86_64-linux-gnu.so", "\u{7f}ELF"),
            ("both.py", ""),
            ("both.cpython-311-x86_64-linux-gnu.so", ""),
        ],
        &[
            "both.py",
            "fast.cpython-311-x86_64-linux-gnu.so",
            "fast.cpython-312-x86_64-linux-gnu.so",
        ],
    );
    assert_eq!(modules.notes.len(), 2);
    assert!(modules.files.iter().all(|module| module.because == "imported by `etl.py:1`"));
}

#[test]
fn broken_modules_are_told_with_their_line() {
    let folder = project(&[
        ("etl.py", "import bad, two, latin, binary, plugins"),
        ("bad.py", "x = 1\ndef f(:\n"),
        ("two.py", "print 'x'\n"),
        ("plugins/__init__.py", "import importlib\nimportlib.import_module(x)"),
        ("plugins/template.py", "{{ name }} = {% x %}"),
    ]);
    let latin = b"# -*- coding: latin-1 -*-\nimport bad\nx = '\xe9'\n";
    fs::write(folder.path().join("latin.py"), latin).expect("a file");
    fs::write(folder.path().join("binary.py"), b"x = '\xe9'\n").expect("a file");
    let modules = found(folder.path(), "etl.py");
    let broken: Vec<_> = modules
        .broken
        .iter()
        .map(|(path, error)| (path.file_name().and_then(|name| name.to_str()), error.line))
        .collect();
    assert_eq!(broken, [(Some("bad.py"), 2), (Some("two.py"), 1), (Some("binary.py"), 1)]);
    // Nobody may ever import it.
    assert_eq!(modules.notes.len(), 1);
    assert!(modules.notes[0].starts_with("`plugins/template.py` is not valid Python 3: "));
}

#[cfg(target_os = "linux")]
#[test]
fn modules_that_cannot_be_read_are_told() {
    let folder = project(&[("etl.py", "import locked")]);
    // A file that exists and that nobody can read, root neither.
    symlink("/proc/self/mem", folder.path().join("locked.py")).expect("a link");
    let modules = found(folder.path(), "etl.py");
    assert_eq!(paths(&modules), [""; 0]);
    assert!(modules.broken[0].1.message.starts_with("it cannot be read: "), "{modules:?}");
}

#[test]
fn one_file_may_be_two_modules() {
    finds(
        "flows/etl.py",
        &[
            ("setup.py", ""),
            ("flows/etl.py", "import helpers\nimport flows.helpers"),
            ("flows/helpers.py", "open(os.path.join(os.path.dirname(__file__), 'x.sql'))"),
            ("flows/x.sql", ""),
        ],
        &["flows/helpers.py", "flows/x.sql", "helpers.py", "x.sql"],
    );
}
