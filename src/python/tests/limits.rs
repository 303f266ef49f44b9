//! Sources that would take forever, or too much, to execute.

use proptest::prelude::*;

use super::{script, summary, try_script};

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().concat()
}

#[test]
fn everything_ends() {
    let nested = "for a in range(1000):\n ".to_owned() + "for b in range(1000):\n  x = a * b\n";
    for source in [
        "while True:\n    pass\n".to_owned(),
        "def f(): return f()\nf()\n".to_owned(),
        "def f(n): return f(n - 1) + f(n - 2)\nf(50)\n".to_owned(),
        nested,
        "x = 'a'\nwhile True:\n    x = x * 2\n".to_owned(),
        "x = [1]\nwhile True:\n    x = x + x\n".to_owned(),
        "x = []\nx.append(x)\nfrom prefect.storage import Docker\nDocker(x)\nstr(x)\nx == [x]\n".to_owned(),
        "x = [1]\nfor i in range(60):\n    x = [x, x]\nfrom prefect.storage import Docker\nDocker(x)\nstr(x)\nimport copy\ncopy.deepcopy(x)\n".to_owned(),
        "class A(A): pass\nA().x\n".to_owned(),
        "f'{1:>99999999}'\n'%99999999d' % 1\n'a'.ljust(10 ** 12)\n2 ** 100000\n'a' * 10 ** 12\n".to_owned(),
        "list(range(10 ** 12))\n[0] * 10 ** 12\n".to_owned(),
        "import flow\n".to_owned(),
        format!("x = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000)),
        format!("x = {}1{}\n", "[".repeat(2_000), "]".repeat(2_000)),
        format!("x = {}1\n", "-".repeat(100_000)),
        format!("x = {}1\n", "not ".repeat(100_000)),
        format!("x = {}\n", vec!["'a'"; 2_500].join(" + ")),
        format!("x = a{}\n", ".b".repeat(100_000)),
        format!("x = a{}\n", "()".repeat(100_000)),
        format!("x = {}1\n", "lambda: ".repeat(50_000)),
        format!("x = {}3\n", "1 if 2 else ".repeat(50_000)),
        lines(2_000, |depth| format!("{}if x:\n", " ".repeat(depth)))
            + &" ".repeat(2_000) + "pass\n",
        "import sys\n".to_owned() + &"if sys.argv:\n    x = 1\nelif sys.argv:\n    x = 2\n".repeat(500),
        "import sys\n".to_owned() + &lines(40, |d| format!("{}if sys.argv[{d}]:\n", " ".repeat(d)))
            + &" ".repeat(40) + "x = 1\n",
        "import sys\ndef f(x):\n".to_owned() + &lines(300, |n| format!("    if x == {n}: return {n}\n")) + "f(sys.argv)\n",
    ] {
        _ = try_script(&source, &[]);
    }
}

#[test]
fn a_long_concatenation_is_read() {
    let source =
        format!("from prefect.storage import Docker\nDocker({})\n", vec!["'a'"; 900].join(" + "));
    let expected = format!("Docker(registry_url=\"{}\")", "a".repeat(900));
    assert_eq!(summary(&script(&source, &[])), expected);
}

#[test]
fn after_the_budget_nothing_is_known() {
    let docker = "from prefect.storage import Docker\n";
    let long = format!("{docker}x = 0\nwhile x < 100000:\n    x += 1\nDocker(x, image_name='n')\n");
    let unknown = "Docker(registry_url=<x < 100000>, image_name=\"n\")";
    assert_eq!(summary(&script(&long, &[])), unknown);
    let many = format!("{docker}{}Docker('r')\n", "for x in range(9999):\n    y = x\n".repeat(20));
    assert_eq!(summary(&script(&many, &[])), "");
}

#[test]
fn a_loop_that_something_unknown_ends_does_not_take_the_budget() {
    let source = "from prefect.storage import Docker\nn = 0\ndef wait():\n    global n\n    while True:\n        \
                  n += 1\n        if ready(): break\nwait()\nDocker('r', image_name=n)\n";
    let expected = "Docker(registry_url=\"r\", image_name=<ready()>)";
    assert_eq!(summary(&script(source, &[])), expected);
}

proptest! {
    #[test]
    fn any_tokens_are_read_without_a_panic(tokens in prop::collection::vec(token(), 0..60)) {
        let source = format!(
            "import os, sys\nfrom prefect import Flow, flow\nfrom prefect.storage import Docker\n{}",
            tokens.concat()
        );
        _ = try_script(&source, &[]);
    }

    #[test]
    fn any_statements_are_executed_without_a_panic(lines in prop::collection::vec(line(), 0..25)) {
        let source = format!(
            "import os, sys, json, copy\nfrom pathlib import Path\nfrom prefect import Flow, flow\n\
             from prefect.storage import Docker\na = [1, 'x']\nb = {{'k': a}}\nc = 'text'\n{}",
            lines.concat()
        );
        try_script(&source, &[]).map_err(|e| TestCaseError::fail(format!("{e:?}\n{source}")))?;
    }
}

fn token() -> impl Strategy<Value = String> {
    let tokens = [
        "a", "b", "Docker", "Flow", "os", "sys", "if ", "else ", "for ", "in ", "while ", "def ",
        "class ", "return ", "with ", "as ", "try:", "except ", "lambda ", ":", "\n", "\n ",
        "\n  ", "(", ")", "[", "]", "{", "}", ",", ".", "=", "==", "+", "*", "**", "%", "@", "'x'",
        "f'{a}'", "\"", "'", "1", "0.5", "None", "not ", "and ", "é", "\\", "\t", "\r", "\u{c}",
        "\u{feff}", "#", "del ", "global ", "match ", "case ", "_", "await ", "yield ", ":=", "->",
        "...",
    ];
    prop::sample::select(tokens.to_vec()).prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> + Clone {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "x",
        "1",
        "-2",
        "0.5",
        "'s'",
        "''",
        "None",
        "True",
        "sys.argv",
        "os.environ",
        "os.getenv('X')",
        "Path('p')",
        "[]",
        "{}",
        "()",
        "Docker()",
        "Flow('f')",
        "f",
        "range(3)",
        "{1, 2}",
        "b'y'",
        "print",
        "str",
        "...",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        let operators = prop::sample::select(vec![
            "+", "-", "*", "/", "//", "%", "**", "|", "&", "<<", "==", "<", "in", "is", "and", "or",
        ]);
        let names = prop::sample::select(vec![
            "append", "get", "items", "split", "format", "join", "storage", "parent", "name",
            "pop", "update", "sort", "replace", "copy", "add_flow", "env_vars", "strip",
            "__init__", "index", "center", "encode", "keys", "insert", "read", "resolve", "extend",
            "remove",
        ]);
        let functions = prop::sample::select(vec![
            "str",
            "len",
            "sorted",
            "list",
            "dict",
            "set",
            "int",
            "max",
            "sum",
            "repr",
            "zip",
            "open",
            "iter",
            "next",
            "json.dumps",
            "json.loads",
            "copy.deepcopy",
            "os.path.join",
            "f",
            "enumerate",
            "isinstance",
            "getattr",
            "round",
            "tuple",
            "reversed",
            "any",
            "format",
        ]);
        prop_oneof![
            (pair.clone(), operators).prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            (inner.clone(), names, prop::collection::vec(inner.clone(), 0..3))
                .prop_map(|(a, name, args)| format!("({a}).{name}({})", args.join(", "))),
            (functions, prop::collection::vec(inner.clone(), 0..3))
                .prop_map(|(f, args)| format!("{f}({})", args.join(", "))),
            pair.clone().prop_map(|(a, b)| format!("({a})[{b}]")),
            (inner.clone(), pair.clone()).prop_map(|(a, (b, c))| format!("({a})[{b}:{c}:-1]")),
            pair.clone().prop_map(|(a, b)| format!("({a} if {b} else {a})")),
            pair.clone().prop_map(|(a, b)| format!("[{a} for x in {b}]")),
            pair.clone().prop_map(|(a, b)| format!("{{{a}: {b}, **{b}}}")),
            inner.clone().prop_map(|a| format!("[*{a}, {a}]")),
            inner.clone().prop_map(|a| format!("f\"{{({a})!r:>4}}\"")),
            inner.prop_map(|a| format!("Docker(*{a}, **{a})")),
        ]
    })
}

fn line() -> impl Strategy<Value = String> {
    let target = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "x",
        "a[0]",
        "b['k']",
        "(a, b)",
        "[a, *b]",
        "x.y",
        "os.environ['Z']",
    ]);
    let pair = (target, expression());
    prop_oneof![
        pair.clone().prop_map(|(t, e)| format!("{t} = {e}\n")),
        (prop::sample::select(vec!["a", "b", "c", "x"]), expression())
            .prop_map(|(t, e)| format!("{t} += {e}\n")),
        expression().prop_map(|e| format!("{e}\n")),
        pair.clone().prop_map(|(t, e)| format!("if {e}:\n    {t} = {e}\nelse:\n    c = {e}\n")),
        pair.clone().prop_map(|(t, e)| format!("for {t} in {e}:\n    a = {e}\n    if {e}: break\n")),
        pair.clone().prop_map(|(t, e)| format!("while {e}:\n    {t} = {e}\n")),
        pair.clone().prop_map(|(t, e)| format!("try:\n    {t} = {e}\nexcept Exception as e:\n    c = {e}\nfinally:\n    x = {e}\n")),
        (pair.clone(), expression()).prop_map(|((t, e), g)| {
            format!("def f(x, a={e}, *b, **c):\n    if {g}: return {e}\n    for y in {g}:\n        if {e}: return {g}\n    x = {e}\n    return {t}\n")
                .replace("return (a, b)", "return a").replace("return [a, *b]", "return b")
        }),
        pair.clone().prop_map(|(_, e)| format!("class x(Docker):\n    a = {e}\n    def __init__(self, b):\n        super().__init__({e})\n")),
        pair.prop_map(|(_, e)| format!("match {e}:\n    case [x, *c]:\n        a = x\n    case {{'k': b}} if {e}:\n        pass\n    case _:\n        c = 1\n")),
        expression().prop_map(|e| format!("with {e} as x:\n    a = x\n")),
        prop::sample::select(vec!["a", "b[0]", "c", "b['k']"]).prop_map(|t| format!("del {t}\n")),
    ]
}
