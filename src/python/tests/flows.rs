//! Flows and storages.

use super::{script, summary};

#[track_caller]
fn check(source: &str, expected: &str) {
    check_with(source, &[], expected);
}

#[track_caller]
fn check_with(source: &str, files: &[(&str, &str)], expected: &str) {
    let prefix = "from prefect import Flow, task\nfrom prefect.storage import Docker\n";
    let source = format!("{prefix}{source}");
    assert_eq!(summary(&script(&source, files)), expected, "{source}");
}

#[test]
fn storages_wherever_they_are_bound() {
    let bound = "Docker(registry_url=\"r\"); \"a\": 0";
    for source in [
        "s = Docker('r')\nwith Flow('a', storage=s) as flow: pass",
        "with Flow('a') as flow: pass\nflow.storage = Docker('r')",
        "flow = Flow('a')\ns = Docker('r')\ns.add_flow(flow)",
        "flow = Flow(name='a', storage=Docker(registry_url='r'))",
        "def st(): return Docker('r')\nflow = Flow('a', storage=st())",
        "def make():\n    with Flow('a') as f: pass\n    f.storage = Docker('r')\n    return f\nflow = make()",
        "import prefect\nflow = prefect.Flow('a', storage=prefect.storage.Docker('r'))",
        "from prefect import storage\nflow = Flow('a', storage=storage.Docker('r'))",
        "from prefect.environments.storage import Docker as D\nflow = Flow('a', storage=D('r'))",
        "import prefect.environments.storage.docker as d\nflow = Flow('a', storage=d.Docker('r'))",
        "from functools import partial\nD = partial(Docker, registry_url='r')\nflow = Flow('a', storage=D())",
        "kw = dict(registry_url='r')\nflow = Flow('a', storage=Docker(**kw))",
        "class D(Docker):\n    def __init__(self, **kw):\n        super().__init__(registry_url='r', **kw)\nflow = Flow('a', storage=D())",
        "flow = Flow('a')\nfor f in [flow]:\n    f.storage = Docker('r')",
        "import click\n@click.command()\ndef main():\n    flow = Flow('a')\n    flow.storage = Docker('r')\nif __name__ == '__main__':\n    main()",
        "def main(argv):\n    flow = Flow('a')\n    flow.storage = Docker('r')",
        "def st(): return Docker('r')\ndef main(argv):\n    flow = Flow('a')\n    flow.storage = st()",
        "class B:\n    def build(self):\n        flow = Flow('a')\n        flow.storage = Docker('r')",
        "flow = Flow('a')\nsetattr(flow, 'storage', Docker('r'))",
        "flow = Flow('a')\nif __name__ == '__main__':\n    flow.storage = Docker('r')\n    flow.register('p')",
        "import sys\nflow = Flow('a')\nif sys.argv[1] == 'go':\n    flow.storage = Docker('r')",
    ] {
        check(source, bound);
    }
}

#[test]
fn changes_after_construction_are_seen() {
    check(
        "s = Docker(env_vars={'A': '1'})\ns.env_vars['B'] = '2'\ns.files['/a'] = '/b'\n\
         s.python_dependencies.append('x')\ns.image_name = 'n'\n\
         with Flow('a', storage=s): pass",
        "Docker(env_vars={A: \"1\", B: \"2\"}, files={/a: \"/b\"}, python_dependencies=[\"x\"], \
         image_name=\"n\"); \"a\": 0",
    );
}

#[test]
fn several_flows_and_storages() {
    check(
        "s = Docker('r')\nfor n in ['a', 'b']:\n    f = Flow(n, storage=s)\nFlow('c', storage=Docker('q'))",
        "Docker(registry_url=\"r\"); Docker(registry_url=\"q\"); \"a\": 0; \"b\": 0; \"c\": 1",
    );
}

#[test]
fn a_flow_that_is_made_again_is_one() {
    let make =
        "def make(n):\n    with Flow(n, storage=Docker(image_name=n)) as f: pass\n    return f\n";
    let docker = "Docker(image_name=\"a\"); \"a\": 0";
    check(&format!("{make}make('a').run()\nflow = make('a')"), docker);
    let both = "Docker(image_name=\"a\"); Docker(image_name=\"b\"); \"a\": 0; \"b\": 1";
    check(&format!("{make}make('a')\nmake('b')"), both);
    let classes = "class F(Flow):\n    def __init__(self, name):\n        super().__init__(name=name)\n        \
                   self.storage = Docker(image_name=self.name)\nflow = F('a')";
    check(classes, docker);
}

#[test]
fn unknown_conditions_merge() {
    check(
        "import sys\nif sys.argv[1]:\n    s = Docker(registry_url='a', image_name='n')\nelse:\n    \
         s = Docker(registry_url='b', image_name='n', image_tag='t')\nflow = Flow('f', storage=s)",
        "Docker(registry_url=<sys.argv[1]>, image_name=\"n\", image_tag=<sys.argv[1]>); \"f\": 0",
    );
    check(
        "s = Docker(image_name='a')\nfor x in items():\n    s = Docker(image_name='b')\nFlow('f', storage=s)",
        "Docker(image_name=<items()>); \"f\": 0",
    );
    check(
        "import os\nif os.getenv('STAGE') == 'dev':\n    s = Docker('dev')\nelse:\n    s = Docker('live')\n\
         flow = Flow('f', storage=s)",
        "Docker(registry_url=\"live\"); \"f\": 0",
    );
}

#[test]
fn what_is_no_storage_or_flow() {
    check("import docker\nclient = docker.Docker('x')\nflow = Flow('a')", "\"a\": -");
    check("class Docker:\n    pass\nflow = Flow('a', storage=Docker())", "\"a\": -");
    check(
        "# Docker('x')\nx = \"Docker('y')\"\nif False:\n    Docker('z')\nflow = Flow('a')",
        "\"a\": -",
    );
    check("from prefect.storage import S3\nflow = Flow('a', storage=S3('x'))", "\"a\": -");
    check("@task\ndef t(): return Docker('x')\nwith Flow('a') as f: t()", "\"a\": -");
}

#[test]
fn unknown_values() {
    check(
        "import subprocess\nfrom prefect.client import Secret\nsha = subprocess.check_output(['git', 'log']).decode()\n\
         s = Docker(registry_url=Secret('r').get(), image_tag=sha, env_vars={'A': 'x', 'B': sha}, **kw)",
        "Docker(registry_url=<Secret('r').get()>, image_tag=<subprocess.check_output(['git', 'log']).decode()>, \
         env_vars={A: \"x\", B: <subprocess.check_output(['git', 'log']).decode()>}, **<kw>)",
    );
}

#[test]
fn local_modules() {
    let files = [
        ("settings.py", "import os\nREG = 'r' + os.sep\nTAG = os.environ['SET']\n_X = 1\n"),
        ("pkg/__init__.py", "from .base import NAME\n"),
        ("pkg/base.py", "from . import other\nNAME = 'n' + other.S\n"),
        ("pkg/other.py", "S = '!'\n"),
        (
            "flows.py",
            "from prefect import Flow\nwith Flow('imported') as flow: pass\nother = Flow('other')\n",
        ),
    ];
    let with = |source: &str, expected: &str| check_with(source, &files, expected);
    with(
        "from settings import *\nimport pkg, pkg.other as o\nDocker(REG, image_name=pkg.NAME + o.S, image_tag=TAG)",
        "Docker(registry_url=\"r/\", image_name=\"n!!\", image_tag=\"of the machine\")",
    );
    with(
        "from flows import flow\nflow.storage = Docker('r')\nflow.register()",
        "Docker(registry_url=\"r\"); \"imported\": 0",
    );
    with(
        "import sys, os\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'pkg'))\nimport other\nDocker(other.S)",
        "Docker(registry_url=\"!\")",
    );
    with("import flows\nflows.flow.storage = Docker()", "Docker(); \"imported\": 0");
    with(
        "from pkg import nope\nimport gone\nDocker(nope, image_tag=gone.x)",
        "Docker(registry_url=<nope>, image_tag=<gone.x>)",
    );
}

#[test]
fn flows_of_prefect_2_and_3() {
    let find = |source: &str| {
        let flows =
            script(source, &[("lib.py", "from prefect import flow\n@flow\ndef sub(): pass\n")]);
        summary(&flows)
    };
    for (source, expected) in [
        ("from prefect import flow\n@flow\ndef my_flow(): pass", "\"my-flow\" my_flow(): -"),
        ("from prefect import flow as f\n@f(name='x', retries=2)\ndef g(): pass", "\"x\" g(): -"),
        ("import prefect\n@prefect.flow(name=f'a-{1}')\nasync def g(): pass", "\"a-1\" g(): -"),
        ("from prefect import flow\ndef g(): pass\nh = flow(g, name='y')", "\"y\" h(): -"),
        ("from prefect import flow\ndef g(): pass\nh = flow(name='y')(g)", "\"y\" h(): -"),
        (
            "from prefect.flows import flow\nclass A:\n    @flow\n    def m(self): pass",
            "\"m\" A.m(): -",
        ),
        ("from lib import sub\nsub.serve()", "\"sub\" sub(): -"),
        (
            "from lib import sub\nfrom prefect import flow\n@flow\ndef own(): sub()",
            "\"own\" own(): -",
        ),
        ("from lib import sub", "\"sub\" sub(): -"),
    ] {
        assert_eq!(find(source), expected, "{source}");
    }
}
