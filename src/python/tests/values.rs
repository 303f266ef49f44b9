//! Expressions and the values that they have.

use super::{script, shown};

/// The value of the last argument of the only storage.
#[track_caller]
fn value(before: &str, expression: &str) -> String {
    let source = format!(
        "import os, json, copy, textwrap, functools, string, sys, datetime\n\
         from pathlib import Path\nfrom prefect.storage import Docker\n{before}\n\
         s = Docker(image_name={expression})\n"
    );
    let script = script(
        &source,
        &[
            ("reqs.txt", "a==1\n# no\n\nb\r\n"),
            ("c.json", "{\"a\": [1, 2.5, null]}"),
            ("no.txt", "-"),
        ],
    );
    assert_eq!(script.storages.len(), 1, "{source}");
    shown(&script.storages[0].arguments[0].value)
}

#[track_caller]
fn table(rows: &[(&str, &str)]) {
    let failed: Vec<String> = rows
        .iter()
        .filter_map(|(expression, expected)| {
            let (before, expression) = expression.rsplit_once('\n').unwrap_or(("", expression));
            let got = value(before, expression);
            (got != *expected)
                .then(|| format!("{before}\n{expression}\n  is {expected}\n not {got}"))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn literals_and_operators() {
    table(&[
        ("None", "None"),
        ("'a' 'b'", "\"ab\""),
        ("'a' + \"b\" * 2", "\"abb\""),
        ("1 + 2 * 3 ** 2 - 7 // -2", "23"),
        ("7 % -3", "-2"),
        ("1 / 4", "0.25"),
        ("1e20", "1e+20"),
        ("0x10 | 1", "17"),
        ("9223372036854775807 + 1", "<9223372036854775807 + 1>"),
        ("-3", "-3"),
        ("not []", "true"),
        ("1 < 2 < 3", "true"),
        ("'a' in 'cat' and 'x' not in ['a']", "true"),
        ("'' or None or 'x'", "\"x\""),
        ("'a' if 1 == 1.0 else 'b'", "\"a\""),
        ("('a', 1)", "[\"a\", 1]"),
        ("[*range(3), *[9]]", "[0, 1, 2, 9]"),
        ("{'a': 1, **{'b': 2, 'a': 3}}", "{a: 3, b: 2}"),
        ("{'a': 1} | {'b': 2}", "{a: 1, b: 2}"),
        ("[1] + [2] * 2", "[1, 2, 2]"),
        ("'abcdef'[1:-1:2]", "\"bd\""),
        ("'abc'[::-1] + 'abc'[-1]", "\"cbac\""),
        ("{'a': {'b': ['x', 'y']}}['a']['b'][-1]", "\"y\""),
        ("(x := 'a') + x", "\"aa\""),
        ("[x for x in range(5) if x % 2]", "[1, 3]"),
        ("{k: v for k, v in zip('ab', [1, 2])}", "{a: 1, b: 2}"),
        ("[(a, b) for a in 'xy' for b in range(2) if a == 'x']", "[[\"x\", 0], [\"x\", 1]]"),
        ("(lambda a, b=2: a + b)(1)", "3"),
    ]);
}

#[test]
fn strings() {
    table(&[
        ("n = 3\nf'a{n}b{n:02d}c{n!r}{{}}'", "\"a3b03c3{}\""),
        ("n = 'x'\nf'{n!r:>5}|{n=}|{n:^3}'", "\"  'x'|n='x'| x \""),
        (
            "w = 6\nf'{3.14159:{w}.2f}|{1234567:,}|{0.5:.0%}|{255:#x}|{1e10:g}'",
            "\"  3.14|1,234,567|50%|0xff|1e+10\"",
        ),
        ("'%s-%d-%05.1f-%%' % ('a', 3, 2.25)", "\"a-3-002.2-%\""),
        ("'%(a)s:%(b)s' % {'a': 1, 'b': 'x'}", "\"1:x\""),
        ("'%s' % 'x' + '%r' % 'y'", "\"x'y'\""),
        ("'{}/{name}:{0}{1[k]}'.format('a', {'k': 'v'}, name='n')", "\"a/n:av\""),
        ("'{:>4}|{:<{w}}|'.format('a', 'b', w=3)", "\"   a|b  |\""),
        ("' A b '.strip().lower().replace(' ', '-').title()", "\"A-B\""),
        (
            "'a,b,,c'.split(',') + 'x y  z'.split() + 'a.b.c'.rsplit('.', 1)",
            "[\"a\", \"b\", \"\", \"c\", \"x\", \"y\", \"z\", \"a.b\", \"c\"]",
        ),
        ("'-'.join(['a', 'b'])", "\"a-b\""),
        ("'v1.2'.removeprefix('v').partition('.')", "[\"1\", \".\", \"2\"]"),
        ("'7'.zfill(3) + 'a'.center(4, '*') + str('abc'.find('c'))", "\"007*a**2\""),
        ("'ä'.encode('utf-8').decode()", "\"ä\""),
        (
            "str([1, 'a', None, 2.0, (1,), {'k': True}])",
            "\"[1, 'a', None, 2.0, (1,), {'k': True}]\"",
        ),
        ("repr(\"it's\")", "\"\\\"it's\\\"\""),
        ("t = '''\\\n    a\n      b\n    '''\ntextwrap.dedent(t)", "\"a\\n  b\\n\""),
        ("string.Template('$a-${b}$$').substitute(a=1, b='x')", "\"1-x$\""),
        ("str(1e16) + str(1e-5) + str(100.0) + str(0.1)", "\"1e+161e-05100.00.1\""),
        ("json.dumps({'a': [1, 'x']})", "\"{\\\"a\\\": [1, \\\"x\\\"]}\""),
        ("json.loads('{\"a\": null}')", "{a: None}"),
        ("'{}'.format(os.getenv('NOPE'))", "<os.getenv('NOPE') $NOPE>"),
        ("f'{datetime.datetime.now():%Y}-x'", "<datetime.datetime.now()>"),
        ("'%s' % sys.argv[1]", "<sys.argv[1]>"),
        ("f\"{'a' if True else 'b'}{f'{1}'}\"", "\"a1\""),
    ]);
}

#[test]
fn the_environment() {
    table(&[
        ("os.environ['SET']", "\"of the machine\""),
        ("os.getenv('SET', 'x')", "\"of the machine\""),
        ("os.getenv('NOPE', 'x')", "\"x\""),
        ("os.environ.get('NOPE') or 'x'", "\"x\""),
        ("os.environ.get('NOPE')", "<os.environ.get('NOPE') $NOPE>"),
        ("os.environ['NOPE']", "<os.environ['NOPE'] $NOPE>"),
        ("os.environ['NOPE'].lower()", "<os.environ['NOPE'] $NOPE>"),
        ("'a' if os.getenv('NOPE') is None else 'b'", "\"a\""),
        ("'a' if os.getenv('NOPE') else 'b'", "\"b\""),
        ("'a' if not os.getenv('EMPTY') else 'b'", "\"a\""),
        ("'SET' in os.environ", "true"),
        ("'NOPE' in os.environ", "false"),
        ("os.environ['NOPE'] = 'y'\nos.environ['NOPE'] + os.getenv('NOPE')", "\"yy\""),
        ("os.environ.setdefault('NOPE', 'z')\nos.getenv('NOPE')", "\"z\""),
        ("from os import environ as e, getenv\ne['STAGE'] + getenv('STAGE')", "\"prodprod\""),
        ("import os as o\no.environ.get('STAGE')", "\"prod\""),
        ("try:\n    x = os.environ['NOPE']\nexcept KeyError:\n    x = 'd'\nx", "\"d\""),
        (
            "try:\n    x = os.environ['NOPE']\nexcept KeyError:\n    sys.exit('set it')\nx",
            "<os.environ['NOPE'] $NOPE>",
        ),
        (
            "x = os.getenv('NOPE')\nif not x:\n    raise ValueError('NOPE')\nx",
            "<os.getenv('NOPE') $NOPE>",
        ),
        (
            "from dotenv import load_dotenv\nload_dotenv()\nos.getenv('NOPE', 'x')",
            "<os.getenv('NOPE', 'x') $NOPE>",
        ),
        (
            "def need(n):\n    v = os.environ.get(n)\n    if v is None:\n        raise RuntimeError(n)\n    return v\nneed('NOPE')",
            "<os.environ.get(n) $NOPE>",
        ),
    ]);
}

#[test]
fn paths_and_files() {
    table(&[
        ("Path('a') / 'b' / '../c'", "\"a/b/../c\""),
        ("str(Path(__file__).parent / 'x.txt')", "\"/project/x.txt\""),
        ("Path(__file__).resolve().parents[1] / 'x'", "\"/x\""),
        ("{str(Path(__file__).parent.joinpath('a', 'b')): '/b'}", "{/project/a/b: \"/b\"}"),
        ("{Path.home() / 'c': '/c'}", "{/home/user/c: \"/c\"}"),
        ("Path('~/x').expanduser().as_posix()", "\"/home/user/x\""),
        ("Path('a/../b').resolve()", "\"/project/b\""),
        ("Path.cwd() / Path('x.tar.gz').stem", "\"/project/x.tar\""),
        ("Path('a/x.py').with_suffix('.txt').name", "\"x.txt\""),
        ("os.path.join(os.path.dirname(os.path.abspath(__file__)), 'x', 'y')", "\"/project/x/y\""),
        ("os.path.join('a', '/b')", "\"/b\""),
        ("os.path.abspath('../x')", "\"/x\""),
        ("os.path.splitext(os.path.basename('/a/b.c.d'))", "[\"b.c\", \".d\"]"),
        (
            "os.path.expanduser('~/.ssh') + os.sep + os.path.expandvars('$STAGE')",
            "\"/home/user/.ssh/prod\"",
        ),
        ("os.getcwd() + f'/{Path(\"a\")}'", "\"/project/a\""),
        ("open('reqs.txt').read().splitlines()", "[\"a==1\", \"# no\", \"\", \"b\"]"),
        (
            "[l.strip() for l in open('reqs.txt') if l.strip() and not l.startswith('#')]",
            "[\"a==1\", \"b\"]",
        ),
        (
            "with open('reqs.txt') as f:\n    r = f.readlines()\nr",
            "[\"a==1\\n\", \"# no\\n\", \"\\n\", \"b\\n\"]",
        ),
        ("(Path(__file__).parent / 'reqs.txt').read_text().split()[0]", "\"a==1\""),
        ("json.load(open('c.json'))['a']", "[1, 2.5, None]"),
        ("open('no.txt').read()", "<open('no.txt') @/project/no.txt>"),
        (
            "Path('no.txt').read_text().splitlines()",
            "<Path('no.txt').read_text() @/project/no.txt>",
        ),
        ("try:\n    r = open('no.txt').read()\nexcept FileNotFoundError:\n    r = 'x'\nr", "\"x\""),
        ("'y' if Path('reqs.txt').exists() else 'n'", "\"y\""),
        ("'y' if os.path.exists('no.txt') else 'n'", "<os.path.exists('no.txt') @/project/no.txt>"),
    ]);
}

#[test]
fn statements() {
    table(&[
        (
            "class A(Exception): pass\nclass B(A): pass\ntry:\n    raise B('x')\nexcept A:\n    x = 'caught'\nx",
            "\"caught\"",
        ),
        (
            "try:\n    try:\n        {}['k']\n    except KeyError:\n        raise\nexcept LookupError:\n    x = 'outer'\nx",
            "\"outer\"",
        ),
        ("def deco(c):\n    c.v = 2\n    return c\n@deco\nclass C: v = 1\nC.v", "2"),
        (
            "class D:\n    def __init__(self, f): self.f = f\n    def __call__(self): return self.f() * 2\n@D\ndef f(): return 'x'\nf()",
            "\"xx\"",
        ),
        (
            "class C:\n    @property\n    def x(self): return self.y\n    @x.setter\n    def x(self, v): self.y = v + 1\nc = C()\nc.x = 1\nc.x",
            "2",
        ),
        (
            "class A:\n    v = 'a'\nclass B(A): pass\nclass C(A):\n    v = 'c'\nclass D(B, C): pass\nD.v",
            "\"c\"",
        ),
        ("z = 1\ng = (z + k for k in [1])\nz = 10\nlist(g)", "[11]"),
        ("i = iter('abcd')\nlist(zip(i, i))", "[[\"a\", \"b\"], [\"c\", \"d\"]]"),
        (
            "d = {'a': 1}\nk = d.keys()\nd['b'] = 2\n[list(k), len(k), 'b' in k]",
            "[[\"a\", \"b\"], 2, true]",
        ),
        ("l = [1, 2]\nfor x in l:\n    if len(l) < 4: l.append(x)\nl", "[1, 2, 1, 2]"),
        ("class K:\n    z = 2\n    y = [z for _ in range(1)]\nz = 1\nK.y", "[<z>]"),
        ("def f(x): return x\nf(1, 2)", "<f(1, 2)>"),
        ("[1 // 0.1, -7.5 % 2, format(5, '<03')]", "[9.0, 0.5, \"500\"]"),
        ("A = 'a'\nB = A\nA = 'c'\nA + B", "\"ca\""),
        ("a, (b, *c) = 1, (2, 3, 4)\n[a, b, c]", "[1, 2, [3, 4]]"),
        ("a = b = 'x'\na += 'y'\na + b", "\"xyx\""),
        ("d = {}\nd['k'] = 1\nd.update(j=2)\nd", "{k: 1, j: 2}"),
        ("l = []\nfor i in range(3):\n    if i == 1: continue\n    l.append(i)\nl", "[0, 2]"),
        ("n = 0\nwhile n < 5:\n    n += 2\nn", "6"),
        (
            "def f(a, *b, c=3, **d):\n    return [a, b, c, d]\nf(1, 2, c=4, e=5)",
            "[1, [2], 4, {e: 5}]",
        ),
        ("g = 1\ndef f():\n    global g\n    g = 2\nf()\ng", "2"),
        ("def f(x):\n    if x == 'a':\n        return 1\n    return 2\n[f('a'), f('b')]", "[1, 2]"),
        ("def f(x):\n    if x:\n        return 1\n    return 2\nf(sys.argv)", "<sys.argv>"),
        ("def f(n):\n    return 1 if n == 0 else n * f(n - 1)\nf(5)", "120"),
        ("class C:\n    R = 'x'\n    class D:\n        S = 'y'\nC.R + C.D.S", "\"xy\""),
        (
            "class C:\n    def __init__(self, a):\n        self.a = a\n    @property\n    def b(self):\n        return self.a + 'b'\n    @staticmethod\n    def s():\n        return 's'\nC('a').b + C.s()",
            "\"abs\"",
        ),
        (
            "import enum\nclass E(enum.Enum):\n    A = 'x'\nE.A.value + E('x').name + E['A'].value",
            "\"xAx\"",
        ),
        (
            "from dataclasses import dataclass, field\n@dataclass\nclass C:\n    a: str\n    b: list = field(default_factory=list)\nc = C('x')\n[c.a, c.b]",
            "[\"x\", []]",
        ),
        ("import types\nn = types.SimpleNamespace(a='x')\nn.a", "\"x\""),
        (
            "if sys.argv:\n    x = 'a'\n    y = 'c'\nelse:\n    x = 'b'\n    y = 'c'\n[x, y]",
            "[<sys.argv>, \"c\"]",
        ),
        ("x = {'a': 1, 'b': 2}\nif sys.argv:\n    x['a'] = 3\nx", "{a: <sys.argv>, b: 2}"),
        ("l = ['a']\nfor x in sys.argv:\n    l.append(x)\nl", "<sys.argv>"),
        ("for r in ['a', 'b']:\n    if sys.argv[r]:\n        break\nr", "<sys.argv[r]>"),
        ("match 'b':\n    case 'a':\n        x = 1\n    case 'b' | 'c':\n        x = 2\nx", "2"),
        ("match {'k': [1, 2]}:\n    case {'k': [a, *b]}:\n        x = [a, b]\nx", "[1, [2]]"),
        ("if sys.version_info >= (3, 6):\n    x = 1\nelse:\n    x = 2\nx", "1"),
        ("try:\n    import nope\nexcept ImportError:\n    nope = None\nnope.x", "<nope.x>"),
        (
            "def dec(f):\n    def w(*a):\n        return f(*a) + '!'\n    return w\n@dec\ndef f(a):\n    return a\nf('x')",
            "\"x!\"",
        ),
        ("def gen():\n    yield 1\n    yield 2\nlist(gen())", "[1, 2]"),
        ("x = 'a'\ndel x\nx", "<x>"),
        ("p = functools.partial(str.replace, 'abc')\np('a', 'x')", "\"xbc\""),
        (
            "sorted({'b': 1, 'a': 2}.items(), key=lambda kv: kv[1], reverse=True)",
            "[[\"a\", 2], [\"b\", 1]]",
        ),
        ("max(1, 3, 2) + sum([1, 2]) + len('abc')", "9"),
        ("list(map(str, [1, 2])) + list(filter(None, ['', 'x']))", "[\"1\", \"2\", \"x\"]"),
        ("next(x for x in [1, 2, 3] if x > 1)", "2"),
        ("copy.deepcopy({'a': [1]})", "{a: [1]}"),
        (
            "def f():\n    raise KeyError('x')\ntry:\n    y = f()\nexcept LookupError as e:\n    y = 'caught'\ny",
            "\"caught\"",
        ),
        ("async def f():\n    return 'x'\nimport asyncio\nasyncio.run(f())", "\"x\""),
        ("x = 1\nif sys.argv:\n    raise SystemExit\nx", "1"),
        ("isinstance('a', str) and not isinstance(1, (str, list))", "true"),
        ("getattr(os, 'sep') + getattr(object(), 'x', 'd')", "<object()>"),
    ]);
}

#[test]
fn what_may_have_changed_is_unknown() {
    table(&[
        // One of two names for the same mapping gets a copy, perhaps.
        ("d = {'p': 1}\ne = d\nif u(): d = dict(d)\nd['q'] = 2\ne", "<u()>"),
        ("d = {'p': 1}\ne = d\nif u(): d = dict(d)\nd['q'] = 2\nd", "{p: 1, q: 2}"),
        ("d = {'p': 1}\ne = d\nif u(): d = dict(d)\ne['q'] = 2\nd", "<u()>"),
        ("d = {'p': 1}\nif u():\n    d = dict(d)\n    if u(): d['p'] = 3\nd", "{p: <u()>}"),
        ("if u():\n    x = []\n    if u(): x.append(1)\n    else: x.append(1)\nx", "[1]"),
        (
            "d = {'p': 1}\nif u():\n    d['p'] = 3\n    e = d\nelse:\n    e = {'p': 1}\ne",
            "{p: <u()>}",
        ),
        ("d = {'p': 1}\ne = d\nfor x in 'ab':\n    if u(): d = dict(d)\nd.pop('p')\ne", "<u()>"),
        ("l = ['a']\nm = l\nwhile u(): l = list(l)\nl.append('b')\nm", "<u()>"),
        ("l = ['a']\nm = l\nif u(): l = 'none'\nl += ['b']\nm", "<u()>"),
        ("l = [{'k': 1}]\nk = l[0]\nl.append(*u())\nl[0]['k'] = 2\nk", "<u()>"),
        ("class C:\n    a = 1\no = C()\nif u(): o.a = 2\no.a", "<u()>"),
        ("class B:\n    a = 1\nclass C(B): pass\nif u(): C.a = 2\nC.a", "<u()>"),
        ("if u(): len = str\nlen('a')", "<u()>"),
        ("for x in u():\n    y = 1\n    break\nelse:\n    y = 2\ny", "<u()>"),
        ("for x in u(): pass\nelse:\n    y = 2\ny", "2"),
        ("def f():\n    x = []\n    if u(): return x\n    x.append(1)\n    return x\nf()", "<u()>"),
        ("def f():\n    for x in 'ab':\n        if u(): return x\n    return 'c'\nf()", "<u()>"),
        (
            "g = 1\ndef f():\n    global g\n    if u():\n        g = 2\n        return\n    g = 3\nf()\ng",
            "<u()>",
        ),
        ("d = {'a': 1}\nd[u()] = 2\nd['a']", "<u()>"),
        ("d = {'a': 1}\nd.update(u())\nd['b'] = 3\nd['b']", "3"),
        ("x = 1\nif u(): raise KeyError\nelse: x = 2\nx", "2"),
        ("x = 1\ntry:\n    x = 2\n    {}['k']\n    x = 3\nexcept KeyError:\n    pass\nx", "2"),
        (
            "s = {'a', 'b'}\n[list(s), len(s), sorted(s), 'a' in s]",
            "[[\"a\", \"b\"], 2, [\"a\", \"b\"], true]",
        ),
        ("s = {'a', 'b'}\n''.join(s)", "<''.join(s)>"),
        ("s = list({'a', 'b'})\ns[0]", "<s[0]>"),
        ("import random\nl = [1, 2]\nrandom.shuffle(l)\nl", "<random.shuffle(l)>"),
        (
            "d = {}\nif u(): d['k'] = 1\n[len(d), 'k' in d, list(d), bool(d)]",
            "[<u()>, <u()>, <u()>, <u()>]",
        ),
        ("d = {'a': 1}\nif u(): d['k'] = 1\n[bool(d), 'a' in d, d['a']]", "[true, true, 1]"),
        ("d = {'a': 1}\nif u(): del d['a']\nd['a'] = 2\nlen(d)", "1"),
        (
            "x = 1\ntry:\n    if u(): raise ValueError\n    x = 2\nexcept ValueError:\n    pass\nx",
            "<u()>",
        ),
        ("x = 1\ntry:\n    assert u()\nexcept AssertionError:\n    x = 2\nx", "<u()>"),
        (
            "from contextlib import suppress\nx = 1\nwith suppress(KeyError):\n    {}[u()]\n    x = 2\nx",
            "<u()>",
        ),
        ("e = 1\nfor e in range(2):\n    if u(): break\ne", "<u()>"),
        (
            "x = 1\ntry:\n    x = 2\n    assert u()\n    x = 1\nexcept AssertionError: pass\nx",
            "<u()>",
        ),
        (
            "x = 1\nd = {'a': 1}\nif u(): d = 3\ntry:\n    d['b']\nexcept KeyError:\n    x = 2\nx",
            "<u()>",
        ),
        ("c = [1]\ne = []\nif u():\n    c = list(c)\n    e = c\ne += [2]\nc", "<u()>"),
        ("for a in [1, 2]:\n    for b in 'xy': pass\n    else:\n        if u(): break\na", "<u()>"),
        ("l = []\nu() and l.append(1)\nl", "<u()>"),
        ("l = []\ndef f(): l.append(1)\ndef g(): l.append(2)\n(f if u() else g)()\nl", "[<u()>]"),
        ("def g():\n    yield 1\n    if u(): yield 2\nlist(g())", "<u()>"),
    ]);
}
