"""Tests of `flows.py` for runtime `prefect1`, with the real Prefect 1.4.1."""

import base64
import json
import os
import subprocess
import unittest

from support import ProgramTest, prefect_python

TASKS = """
import datetime
from prefect import Flow, task
from prefect.storage import Docker

@task
def extract():
    return [1]

@task
def load(rows):
    return len(rows)
"""

# Prints what a later process, such as an agent's, finds in a flow file.
INSPECT = """
import json, sys
from prefect.utilities.storage import flow_from_bytes_pickle
flow = flow_from_bytes_pickle(open(sys.argv[1], "rb").read())
storage = flow.storage
print(json.dumps({
    "name": flow.name,
    "state": flow.run().is_successful() if sys.argv[2] == "run" else None,
    "storage": type(storage).__name__,
    "flows": storage.flows,
    "public": storage.serialize(),
    "env_vars": storage.env_vars,
    "run_config": [type(flow.run_config).__name__, flow.run_config.env,
                   sorted(flow.run_config.labels)],
    "result": type(flow.result).__name__,
    "schedule": type(flow.schedule).__name__,
}))
"""


class Prefect1Test(ProgramTest):
    def setUp(self):
        super().setUp()
        self.python = prefect_python()

    def store(self, source, names=("etl",), script="etl.py", **spec):
        """Stores the named flows of one script."""
        path = self.write("scripts/" + script, source)
        suffix = ".py" if spec.get("stored_as_script") else ".prefect"
        flows = [
            {"name": name, "script": path, "location": self.location(name, suffix)}
            for name in names
        ]
        environment = spec.pop("environment", {})
        whole = {"runtime": "prefect1", "check": True, "stored_as_script": False, "flows": flows}
        whole["output"] = self.path("out")
        whole.update(spec)
        return self.run_program("flows.py", whole, **environment)

    def location(self, name, suffix=".prefect"):
        return self.path("flows", name + suffix)

    def stored(self, name, suffix=".prefect"):
        return self.path("out") + self.location(name, suffix)

    def pickled(self, name):
        """Returns the envelope of a flow file and the pickle in it."""
        with open(self.stored(name), encoding="utf-8") as file:
            envelope = json.load(file)
        return envelope, base64.b64decode(envelope["flow"])

    def inspect(self, name, run="run"):
        done = subprocess.run(
            [self.python, "-B", "-c", INSPECT, self.stored(name), run],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": self.path("home")},
            timeout=120,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.decode("utf-8").splitlines()[-1])

    def loads(self, run, *names):
        self.assertEqual(run.of("error"), [])
        self.assertEqual(run.code, 0)
        self.assertEqual(
            run.of("ok", "flow"),
            [(n, "flow `{}` loads from `{}`".format(n, self.location(n))) for n in names],
        )


class Serialisation(Prefect1Test):
    def test_a_flow_is_written_in_prefects_format_and_runs_elsewhere(self):
        run = self.store(TASKS + "with Flow('etl') as flow:\n    load(extract())\n")
        self.loads(run, "etl")
        envelope, _ = self.pickled("etl")
        self.assertEqual(sorted(envelope), ["flow", "versions"])
        self.assertEqual(envelope["versions"]["prefect"], "1.4.1")
        seen = self.inspect("etl")
        self.assertEqual((seen["name"], seen["state"]), ("etl", True))
        self.assertEqual(seen["storage"], "Docker")
        self.assertEqual(seen["flows"], {"etl": self.location("etl")})
        self.assertEqual(seen["run_config"], ["UniversalRun", None, []])

    def test_flows_are_found_wherever_a_script_puts_them_and_it_runs_once(self):
        source = TASKS + (
            "open({log!r}, 'a').write('ran ')\n"
            "def make(name):\n"
            "    with Flow(name) as flow:\n"
            "        load(extract())\n"
            "    return flow\n"
            "plain = make('plain')\n"
            "listed = [make('listed'), 1]\n"
            "mapped = {{'x': make('mapped')}}\n"
            "paired = (make('paired'),)\n"
            "store = Docker()\n"
            "store.add_flow(make('stored only'))\n"
            "make('plain').name\n"
        ).format(log=self.path("log"))
        names = ("plain", "listed", "mapped", "paired", "stored only")
        self.loads(self.store(source, names), *names)
        with open(self.path("log")) as file:
            self.assertEqual(file.read(), "ran ")

    def test_a_global_wins_over_a_flow_of_the_same_name(self):
        source = TASKS + (
            "with Flow('etl') as flow:\n    extract()\n"
            "def other():\n    Flow('etl').set_dependencies(task(lambda: 1, name='wrong'))\n"
            "other()\n"
        )
        self.loads(self.store(source), "etl")
        self.assertNotIn(b"wrong", self.pickled("etl")[1])

    def test_top_level_calls_do_nothing(self):
        source = TASKS + (
            "from prefect.agent.local import LocalAgent\n"
            "from prefect.storage import S3\n"
            "storage = Docker(registry_url='registry.example.org')\n"
            "@task\n"
            "def trace():\n    open({log!r}, 'a').write('ran ')\n"
            "with Flow('etl', storage=storage) as flow:\n    rows = trace()\n"
            "state = flow.run(parameters={{}})\n"
            "assert state.is_successful() and not state.is_failed()\n"
            "assert state.result[rows].result is None\n"
            "flow.register(project_name='p')\n"
            "storage.add_flow(flow)\n"
            "print(storage.build(push=True).name)\n"
            "S3(bucket='b').build()\n"
            "flow.visualize()\n"
            "flow.serialize(build=True)\n"
            "flow.run_agent()\n"
            "LocalAgent().start()\n"
            "flow.save()\n"
        ).format(log=self.path("log"))
        run = self.store(source)
        self.loads(run, "etl")
        self.assertFalse(os.path.exists(self.path("log")))
        self.assertEqual(run.output, "registry.example.org/image:latest")
        self.assertNotIn("unexpected results", run.stderr)
        self.assertFalse(os.path.exists(self.path("home")))

    def test_the_same_script_gives_the_same_bytes(self):
        source = TASKS + (
            "from prefect.run_configs import DockerRun\n"
            "steps = [task(lambda x=None: x, name='t%d' % n, tags=['a%d' % n, 'b', 'c'])\n"
            "         for n in range(30)]\n"
            "with Flow('etl', run_config=DockerRun(labels=['x', 'y', 'z'])) as flow:\n"
            "    for up, down in zip(steps, steps[1:]):\n        down(x=up)\n"
            "flow.sorted_tasks()\n"
            "flow.set_reference_tasks(sorted(flow.tasks, key=flow.slugs.get)[-3:])\n"
        )
        seen = set()
        for seed in ("0", "1", "random", "random"):
            self.loads(self.store(source, environment={"PYTHONHASHSEED": seed}), "etl")
            seen.add(self.pickled("etl")[1])
        self.assertEqual(len(seen), 1)
        self.assertTrue(self.inspect("etl")["state"])

    def test_it_sees_itself_as_prefect_register_has_it(self):
        source = TASKS + (
            "import prefect, sys, os\n"
            "assert __name__ == '<flow>', __name__\n"
            "assert prefect.context.loading_flow is True\n"
            "assert prefect.context.local_script_path == __file__ == sys.argv[0]\n"
            "assert sys.path[0] == os.path.dirname(__file__)\n"
            "flow = Flow('etl', tasks=[extract])\n"
            "if __name__ == '__main__':\n    raise SystemExit('main')\n"
        )
        self.loads(self.store(source), "etl")


class Secrets(Prefect1Test):
    def test_what_only_the_build_needs_is_in_no_file(self):
        source = TASKS + (
            "from prefect.engine.results import LocalResult\n"
            "from prefect.run_configs import DockerRun\n"
            "from prefect.schedules import CronSchedule\n"
            "class Mine(Docker):\n    pass\n"
            "STORE = Mine(registry_url='registry.example.org/team', image_name='etl',\n"
            "    env_vars={'K': 'HIDDEN-1'}, build_kwargs={'buildargs': {'A': 'HIDDEN-2'}},\n"
            "    extra_dockerfile_commands=['RUN HIDDEN-3'], files={'/HIDDEN-4': '/x'},\n"
            "    python_dependencies=['x @ https://HIDDEN-5@example.org/x.whl'],\n"
            "    dockerfile='HIDDEN-6', base_url='tcp://HIDDEN-7', dockerignore='HIDDEN-8',\n"
            "    secrets=['NAMED'], labels=['from-storage'], result=LocalResult())\n"
            "def handler(flow, old, new):\n"
            "    STORE.name\n    return new\n"
            "with Flow('etl', storage=STORE, state_handlers=[handler],\n"
            "          schedule=CronSchedule('0 0 * * *'),\n"
            "          run_config=DockerRun(env={'KEPT': 'yes'}, labels=['own'])) as flow:\n"
            "    load(extract())\n"
            "STORE.add_flow(flow)\n"
        )
        run = self.store(source, environment={"DOCKER_HOST": "tcp://HIDDEN-9"})
        self.loads(run, "etl")
        self.assertNotIn(b"HIDDEN", self.pickled("etl")[1])
        seen = self.inspect("etl", run="no")
        self.assertEqual(seen["storage"], "Docker")
        self.assertEqual(
            seen["env_vars"], {"PREFECT__USER_CONFIG_PATH": "/opt/prefect/config.toml"}
        )
        public = seen["public"]
        self.assertEqual(
            (public["registry_url"], public["image_name"], public["secrets"], public["flows"]),
            ("registry.example.org/team", "etl", ["NAMED"], {"etl": self.location("etl")}),
        )
        self.assertEqual(
            seen["run_config"], ["DockerRun", {"KEPT": "yes"}, ["from-storage", "own"]]
        )
        self.assertEqual((seen["result"], seen["schedule"]), ("LocalResult", "Schedule"))

    def test_a_flow_that_would_carry_a_credential_is_not_stored(self):
        secret = {"name": "TOKEN", "file": self.write("token", "HIDDEN-value")}
        read = "import os\nTOKEN = os.environ['TOKEN']\n"
        uses = "@task\ndef show():\n    return len(TOKEN)\nflow = Flow('etl', tasks=[show])\n"
        run = self.store(TASKS + read + uses, secret_environment=[secret])
        (failed,) = [result for result in run.results if result["level"] == "error"]
        self.assertEqual(failed["check"], "secret")
        self.assertEqual(failed["message"], "flow `etl` would hold the value of `TOKEN`")
        self.assertEqual(run.code, 1)
        self.assertFalse(os.path.exists(self.stored("etl")))
        self.assertNotIn("HIDDEN", run.output + run.stderr + str(run.results))
        # What the script itself needs, and no task refers to, stays behind.
        spent = "LENGTH = len(TOKEN)\n" + uses.replace("len(TOKEN)", "LENGTH")
        self.loads(self.store(TASKS + read + spent, secret_environment=[secret]), "etl")

    def test_another_kind_of_storage_does_not_stay(self):
        source = TASKS + (
            "from prefect.storage import Webhook\n"
            "S = Webhook(build_request_kwargs={'url': 'https://HIDDEN@example.org'},\n"
            "    build_request_http_method='POST', get_flow_request_kwargs={'url': 'x'},\n"
            "    get_flow_request_http_method='GET')\n"
            "flow = Flow('etl', storage=S, tasks=[extract])\n"
        )
        self.loads(self.store(source), "etl")
        self.assertNotIn(b"HIDDEN", self.pickled("etl")[1])
        self.assertEqual(self.inspect("etl")["storage"], "Docker")


class Failures(Prefect1Test):
    def failure(self, source, **spec):
        run = self.store(source, **spec)
        self.assertEqual(run.code, 1)
        failed = [r for r in run.results if r["level"] == "error"]
        self.assertEqual(len(failed), 1)
        self.assertEqual(failed[0]["check"], "flow")
        return failed[0], run

    def test_a_name_that_the_script_lacks(self):
        source = TASKS + "flows = [Flow(n, tasks=[extract]) for n in ('b', 'a')]\n"
        failed, run = self.failure(source, names=("etl", "a"))
        self.assertEqual(failed["message"], "flow `etl` is not in `etl.py`; it has `a`, `b`")
        self.assertEqual([name for name, _ in run.of("ok")], ["a"])
        failed, _ = self.failure("if __name__ == '__main__':\n    pass\n")
        self.assertEqual(failed["message"], "flow `etl` is not in `etl.py`; it has no flow")
        self.assertIn("__main__", failed["remedy"])

    def test_a_script_that_fails(self):
        failed, run = self.failure("import prefect\n\ndef f():\n    return 1 / 0\n\nf()\n")
        self.assertEqual(failed["message"], "`etl.py` line 4: ZeroDivisionError: division by zero")
        self.assertEqual(failed["subject"], "etl.py")
        for ours in ("flowstorage_", "runpy", "frozen"):
            self.assertNotIn(ours, run.output)
        failed, _ = self.failure("import prefect\nimport nowhere\n")
        self.assertEqual(failed["message"], "`etl.py` line 2: No module named `nowhere`")
        self.assertEqual(
            failed["remedy"],
            "add the distribution to python_dependencies, or a local module to modules",
        )
        failed, _ = self.failure("x = (\n")
        self.assertEqual(failed["message"].split(": ")[0], "`etl.py` line 1")
        failed, _ = self.failure("import sys\nsys.exit(1)\n")
        self.assertEqual(failed["message"], "`etl.py` line 2: SystemExit: 1")

    def test_a_crash(self):
        failed, _ = self.failure("import os\nos.abort()\n")
        message = "running `etl.py` failed: the process was killed by SIGABRT"
        self.assertEqual(failed["message"], message)

    def test_a_flow_that_cannot_be_pickled(self):
        source = TASKS + (
            "import threading\nLOCK = threading.Lock()\n"
            "@task\ndef locked():\n    LOCK.acquire()\n"
            "flow = Flow('etl', tasks=[locked])\n"
        )
        failed, _ = self.failure(source)
        self.assertIn("flow `etl` cannot be serialised: TypeError: ", failed["message"])
        self.assertIn("lock", failed["message"])

    def test_a_module_that_only_the_folder_of_the_script_has(self):
        self.write("scripts/helper.py", "def work():\n    return 1\n")
        source = TASKS + "import helper\nflow = Flow('etl', tasks=[task(helper.work)])\n"
        failed, run = self.failure(source)
        self.assertEqual(failed["message"], "flow `etl` does not load: No module named `helper`")
        self.assertEqual(
            failed["remedy"],
            "add the distribution to python_dependencies, or a local module to modules",
        )
        self.loads(self.store(source, environment={"PYTHONPATH": self.path("scripts")}), "etl")
        self.assertEqual(self.store(source, check=False).results, [])

    def test_a_folder_that_cannot_be_written(self):
        self.write("out", "a file")
        spec = {"runtime": "prefect1", "check": True, "stored_as_script": False, "flows": []}
        spec["output"] = self.path("out")
        self.assertNotEqual(self.run_program("flows.py", spec).code, 0)

    def test_prefect_that_is_missing_or_of_another_series(self):
        self.write("lib/prefect/__init__.py", "__version__ = '3.8.8'\n")
        self.write("lib/prefect/utilities/__init__.py")
        self.write("lib/prefect/utilities/storage.py")
        run = self.store("", environment={"PYTHONPATH": self.path("lib")})
        self.assertEqual(
            run.of("error"),
            [("prefect", "runtime `prefect1` needs Prefect 1, the image has 3.8.8")],
        )
        self.write("lib/prefect/__init__.py", "import nowhere\n")
        run = self.store("", environment={"PYTHONPATH": self.path("lib")})
        self.assertEqual(
            run.of("error"), [("prefect", "importing `prefect` failed: No module named `nowhere`")]
        )
        self.assertEqual(run.code, 1)


class ResultWarnings(Prefect1Test):
    def test_prefects_own_findings_are_warnings(self):
        source = TASKS + (
            "hour = datetime.timedelta(hours=1)\n"
            "@task(max_retries=1, retry_delay=hour)\ndef again(x): pass\n"
            "@task(cache_for=hour)\ndef cached(x): pass\n"
            "with Flow('etl') as flow:\n    again(extract()); cached(extract())\n"
        )
        run = self.store(source)
        self.loads(run, "etl")
        self.assertEqual(
            run.of("warning", "result"),
            [
                ("etl", "Task <Task: again> has retry settings but some upstream dependencies "
                 "do not have result types."),
                ("etl", "Task <Task: cached> has cache settings but does not have a result type."),
                ("etl", "Task <Task: cached> has cache settings but some upstream dependencies "
                 "do not have result types."),
            ],
        )
        run = self.store(source.replace("Flow('etl')", "Flow('etl', storage=Docker(result=R()))")
                         .replace("hour =", "from prefect.engine.results import LocalResult as R\nhour ="))
        self.loads(run, "etl")
        self.assertEqual(run.of("warning"), [])


class StoredAsScript(Prefect1Test):
    def store(self, source, *args, **spec):
        return super().store(source, *args, stored_as_script=True, **spec)

    def test_the_script_is_the_flow_file(self):
        source = TASKS + (
            "# caf\u00e9\r\n"
            "assert __file__ == {path!r}, __file__\n"
            "assert __name__ != '__main__'\n"
            "flow = Flow('etl', tasks=[extract])\n"
            "flow.register('p')\n"
        ).format(path=self.location("etl", ".py"))
        run = self.store(source)
        self.assertEqual((run.of("error"), run.code), ([], 0))
        with open(self.stored("etl", ".py"), "rb") as file:
            self.assertEqual(file.read(), source.encode("utf-8"))
        self.assertEqual([name for name, _ in run.of("ok", "flow")], ["etl"])

    def test_failures_name_script_and_line(self):
        for source, message in (
            ("x = Flow('a')\n", "flow `etl` is not in `etl.py`; it has `a`"),
            ("def f():\n    return Flow('etl')\nf()\n", "flow `etl` is not in `etl.py`; it has no flow"),
            ("import nowhere\n", "`etl.py` line {}: No module named `nowhere`"),
            ("1 / 0\n", "`etl.py` line {}: ZeroDivisionError: division by zero"),
            ("def f(:\n", "`etl.py` line {}: invalid syntax"),
        ):
            run = self.store(TASKS + source)
            self.assertEqual(run.code, 1, source)
            line = TASKS.count("\n") + 1
            self.assertEqual(run.of("error"), [("etl", message.format(line))])

    def test_without_check_nothing_runs(self):
        run = self.store("raise SystemExit(1)", check=False)
        self.assertEqual((run.code, run.results), (0, []))
        self.assertTrue(os.path.exists(self.stored("etl", ".py")))


if __name__ == "__main__":
    unittest.main()
