//! What is no Python 3, and what is.
//!
//! **Invariant:** an error is one line and names the line where it stands.

use super::{script, summary, try_script};

#[test]
fn python_2_is_told() {
    for (source, line, says) in [
        ("x = 1\nprint 'hello'\n", 2, "`print`"),
        ("print x\n", 1, "`print`"),
        ("if x: print \"%s\" % x\n", 1, "`print`"),
        ("try:\n    pass\nexcept X, e:\n    pass\n", 3, "`except X, e`"),
        ("try:\n    pass\nexcept socket.error, e:\n    print e\n", 4, "`print`"),
        ("try:\n    pass\nexcept (A, B), e:\n    pass\n", 3, "`except X, e`"),
        ("exec 'x = 1'\n", 1, "`exec`"),
        ("x = `y`\n", 1, "backticks"),
        ("if a <> b: pass\n", 1, "`<>`"),
        ("x = ur'a'\n", 1, "`ur''`"),
        ("os.chmod('a', 0755)\n", 1, "octal"),
        ("x = 10L\n", 1, "`L`"),
        ("raise ValueError, 'x'\n", 1, "`raise E"),
    ] {
        let error = try_script(source, &[]).expect_err(source);
        assert_eq!(error.line, line, "{source}{error:?}");
        assert!(error.message.starts_with("this is Python 2: "), "{source}{error:?}");
        assert!(error.message.contains(says), "{source}{error:?}");
    }
}

#[test]
fn syntax_errors_are_one_line() {
    for (source, line) in [
        ("x = (1,\n", 1),
        ("def f(:\n    pass\n", 1),
        ("x = 1\n  y = 2\n", 2),
        ("\u{feff}# -*- coding: utf-8 -*-\r\nx = 1\r\n\x0cx = = 2\r\n", 3),
        ("<<<<<<< HEAD\nx = 1\n", 1),
        ("printer x\n", 1),
        ("raise_ a, b c\n", 1),
    ] {
        let error = try_script(source, &[]).expect_err(source);
        assert!(error.line >= line, "{source}{error:?}");
        assert!(!error.message.contains('\n'), "{source}{error:?}");
        assert!(!error.message.contains("Python 2"), "{source}{error:?}");
    }
    let deep = format!("x = 1\ny = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000));
    let error = try_script(&deep, &[]).expect_err("nested");
    assert_eq!((error.line, &*error.message), (2, "the code is nested too deeply to be read"));
}

#[test]
fn syntax_of_all_versions_is_read() {
    let source = "
import typing
from prefect import Flow
from prefect.storage import Docker
type Pair[T] = tuple[T, T]
def first[T](pair: Pair[T]) -> T: return pair[0]
class Box[T: (int, str)]:
    value: T | None = None
try:
    n = first(('a', 'b'))
except* ValueError as group:
    n = 'never'
try:
    pass
except A, B:
    n = 'never'
match n:
    case 'a' | 'b' if (m := n): n = m + '!'
t = t'{n}'
async def go():
    async with thing() as x, other(): pass
    async for y in x: yield y
    return
def only(a, /, b, *, c): return f'{a}{b!r:>{c}}'
print(f'{n!r} {f\"{n}\"} {'nested'}', file=None)
@(lambda f: f)
def decorated(): ...
flow = Flow(only(n, 1, c=3), storage=Docker(image_name=n))
del t
assert n, 'x'
";
    assert_eq!(summary(&script(source, &[])), "Docker(image_name=\"a!\"); \"a!  1\": 0");
}

#[test]
fn places_are_counted_right() {
    let source = "\u{feff}# x\r\n\x0c\r\nfrom prefect.storage import Docker\r\ns = '''a\r\nb'''\r\n\
                  d = Docker(\r\n    image_name=s,\r\n    image_tag=x(),\r\n)\r\n";
    let script = script(source, &[]);
    let storage = &script.storages[0];
    assert_eq!(storage.at.line, 6);
    assert_eq!(storage.variable.as_deref(), Some("d"));
    let lines: Vec<usize> = storage.arguments.iter().map(|argument| argument.at.line).collect();
    assert_eq!(lines, [7, 8]);
    assert_eq!(summary(&script), "Docker(image_name=\"a\\nb\", image_tag=<x()>)");
}

#[test]
fn expressions_are_shown_on_one_line_and_cut() {
    let source = format!(
        "from prefect.storage import Docker\nDocker(image_tag=f(\n    1,\n    '{}',\n))\n",
        "é".repeat(100)
    );
    let shown = summary(&script(&source, &[]));
    assert_eq!(shown, format!("Docker(image_tag=<f( 1, '{}…>)", "é".repeat(73)));
}
