//! What comes along without being Python.

use super::*;

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
fn what_a_module_opens_above_its_package_comes_along() {
    let modules = finds(
        "flows/etl.py",
        &[
            ("flows/etl.py", "import p.sub.reader, top, outside"),
            ("flows/p/__init__.py", ""),
            ("flows/p/data/x.csv", ""),
            ("flows/p/sub/__init__.py", ""),
            ("flows/p/sub/reader.py", "ROOT = Path(__file__).parents[1]\n(ROOT / 'data/x.csv')"),
            ("flows/top.py", "HERE = os.path.dirname(__file__)\nopen(HERE + '/conf/a.yml')"),
            ("flows/conf/a.yml", ""),
            ("flows/conf/b.yml", ""),
            ("flows/outside.py", "Path(__file__).parent.parent / 'shared.yml'"),
            ("shared.yml", ""),
        ],
        &[
            "conf/a.yml",
            "outside.py",
            "p/__init__.py",
            "p/data/x.csv",
            "p/sub/__init__.py",
            "p/sub/reader.py",
            "top.py",
        ],
    );
    assert_eq!(because(&modules, "p/data/x.csv"), "opened by `flows/p/sub/reader.py:1`");
    assert_eq!(
        modules.notes,
        ["`flows/outside.py:1` opens `shared.yml`, which is above the folder that its modules \
             are imported from: name it in `files`"]
    );
}

#[test]
fn keys_and_links_out_of_the_project_stay_at_home() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("shadow"), "hidden").expect("a file");
    let folder = project(&[
        ("etl.py", "import p"),
        ("p/__init__.py", "HERE = __file__"),
        ("p/id_rsa", "hidden"),
        ("p/server.key", "hidden"),
        ("p/q.sql", ""),
    ]);
    symlink(outside.path().join("shadow"), folder.path().join("p/shadow")).expect("a link");
    symlink("q.sql", folder.path().join("p/same.sql")).expect("a link");
    let modules = found(folder.path(), "etl.py");
    assert_eq!(paths(&modules), ["p/__init__.py", "p/q.sql", "p/same.sql"]);
    let left = |name: &str, why: &str| {
        format!("`p/{name}` {why}, and is left out: name it in `files` if it is needed")
    };
    let key = "looks like a private key";
    let mut notes = modules.notes;
    notes.sort();
    assert_eq!(
        notes,
        [
            left("id_rsa", key),
            left("server.key", key),
            left("shadow", "is a link out of the project")
        ]
    );
}

#[test]
fn a_script_brings_what_it_opens() {
    let script = "HERE = Path(__file__).parent\nSQL = (HERE / 'sql/x.sql').read_text()\n\
                  def helper(): return open(HERE / 'rules.json').read()\n";
    let files = [("etl.py", script), ("sql/x.sql", ""), ("rules.json", ""), ("unread.json", "")];
    finds("etl.py", &files, &["rules.json", "sql/x.sql"]);
}

#[test]
fn packages_that_are_opened_by_name_come_with_their_code() {
    finds(
        "etl.py",
        &[
            ("etl.py", "from importlib import resources\nfrom p import r\nresources.files(r)"),
            ("p/__init__.py", ""),
            ("p/r/__init__.py", "from importlib.resources import files\nfrom . import deep"),
            ("p/r/x.sql", ""),
            ("p/r/deep/__init__.py", ""),
            ("p/y.sql", ""),
        ],
        &["p/__init__.py", "p/r/__init__.py", "p/r/deep/__init__.py", "p/r/x.sql"],
    );
}

#[test]
fn data_is_bounded_and_what_is_left_out_is_said() {
    let folder = project(&[
        ("etl.py", "import many, large"),
        ("many/__init__.py", "HERE = __file__"),
        ("large/__init__.py", "HERE = __file__"),
        ("large/small.csv", ""),
        ("large/lib/python3/site-packages/x.txt", ""),
        ("large/env/pyvenv.cfg", ""),
    ]);
    for number in 0..2001 {
        fs::write(folder.path().join(format!("many/{number}.csv")), "").expect("a file");
    }
    let model = fs::File::create(folder.path().join("large/model.bin")).expect("a file");
    model.set_len((100 << 20) + 1).expect("a sparse file");
    let modules = found(folder.path(), "etl.py");
    assert_eq!(paths(&modules), ["large/__init__.py", "large/small.csv", "many/__init__.py"]);
    assert_eq!(
        modules.notes,
        [
            "`many` holds too much data to be taken along unasked: name what is needed in `files`",
            "`large/model.bin` is too large to be taken along unasked: name it in `files`",
        ]
    );
}
