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
    find(&script, &roots(&script, &folder), &folder)
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
fn data_comes_with_the_package_that_opens_it() {
    let modules = finds(
        "etl.py",
        &[
            ("etl.py", "import a, b.reader, c, d"),
            ("a/__init__.py", "from pathlib import Path\nHERE = Path(__file__).parent"),
            ("a/sql/q.sql", "select"),
            ("a/sql/notes.py", ""),
            ("a/py.typed", ""),
            ("a/.hidden", ""),
            ("b/__init__.py", ""),
            ("b/reader.py", "from importlib import resources\nresources.files('b.data')"),
            ("b/data/t.csv", "1"),
            ("b/other.txt", "not asked for"),
            ("c/__init__.py", ""),
            ("c/unread.txt", ""),
            ("d.py", "open(os.path.join(os.path.dirname(__file__), 'conf/d.json'))"),
            ("conf/d.json", "{}"),
            ("conf/e.json", "{}"),
        ],
        &[
            "a/__init__.py",
            "a/sql/q.sql",
            "b/__init__.py",
            "b/data/t.csv",
            "b/reader.py",
            "c/__init__.py",
            "conf/d.json",
            "d.py",
        ],
    );
    let because: Vec<&str> = modules.files.iter().map(|m| m.because.as_str()).collect();
    assert_eq!(because[1], "data of package `a`, which `a/__init__.py:2` opens");
    assert_eq!(because[3], "opened by `b/reader.py:2`");
}

#[test]
fn cycles_links_and_broken_modules_end() {
    let folder = project(&[
        ("etl.py", "import a, bad"),
        ("a/__init__.py", "import a.b\nhere = __file__"),
        ("a/b.py", "import a, etl"),
        ("bad.py", "def f(:\n"),
    ]);
    symlink("..", folder.path().join("a/loop")).expect("a link");
    let modules = found(folder.path(), "etl.py");
    assert_eq!(paths(&modules), ["a/__init__.py", "a/b.py", "bad.py", "etl.py"]);
    let broken: Vec<(bool, usize)> =
        modules.broken.iter().map(|(path, e)| (path.ends_with("bad.py"), e.line)).collect();
    assert_eq!(broken, [(true, 1)]);
}

#[test]
fn virtual_environments_are_no_roots() {
    let folder =
        project(&[("pyvenv.cfg", ""), ("setup.py", ""), ("src/etl.py", "import x"), ("x.py", "")]);
    let path = folder.path().canonicalize().expect("it exists");
    assert_eq!(roots(&path.join("src/etl.py"), &path), [path.join("src")]);
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
