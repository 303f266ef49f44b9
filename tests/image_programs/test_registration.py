"""Tests of what `flows.py` writes for `prefect register`, read by the real Prefect 1.4.1."""

import base64
import gzip
import json
import os
import shutil
import stat
import subprocess
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

from support import PROGRAMS, marshmallow4
from test_flows_prefect1 import TASKS, Prefect1Test

DIRECTORY = "/opt/flows here"
# Everything that Prefect's JSON of a flow can have, in orders that sets would shuffle.
SCRIPT = TASKS + """
import datetime
from prefect import Parameter, case
from prefect.run_configs import KubernetesRun
from prefect.schedules import IntervalSchedule

hour = datetime.timedelta(hours=1)
@task(max_retries=2, retry_delay=hour, tags=['z', 'a', 'm'])
def clean(row: int, limit: "int" = 3) -> dict:
    return {}

def odd(upstream_states):
    return True

steps = [task(lambda x=None: x, name='t%d' % n, tags=['b%d' % n, 'a'], trigger=odd)
         for n in range(20)]
storage = Docker(registry_url='registry.example.org/team', image_name='etl', image_tag='v1',
    prefect_directory='/opt/flows here', secrets=['B', 'A'], labels=['from-storage', 'zz'],
    env_vars={'K': 'HIDDEN-1'}, build_kwargs={'buildargs': {'A': 'HIDDEN-2'}},
    python_dependencies=['HIDDEN-3'])
with Flow('second', storage=storage) as two:
    limit = Parameter('limit', default=[1, {'x': None}])
    other = Parameter('day', required=False)
    rows = clean.map(extract(), limit=limit)
    with case(limit, 1):
        load(rows)
    for up, down in zip(steps, steps[1:]):
        down(x=up)
    two.set_reference_tasks(steps[:5])
with Flow('first', storage=storage, run_config=KubernetesRun(labels=['own', 'b'], env={'E': '1'}),
          schedule=IntervalSchedule(interval=hour)) as one:
    load(extract())
"""
# Runs `prefect build` itself, but for Docker.
BUILD = """
import sys
import prefect
prefect.storage.Docker.build = lambda self: self
from prefect.cli.build_register import build
build(['-p', sys.argv[1], '-o', sys.argv[2]])
"""
LOAD = """
import json, sys
from prefect.serialization.flow import FlowSchema
from prefect.serialization.storage import StorageSchema
value = json.load(open(sys.argv[1]))
for description in [value["storage"]] + [flow["storage"] for flow in value["flows"]]:
    storage = StorageSchema().load(description)
    for name in storage.flows:
        assert storage.get_flow(name).run(run_on_schedule=False).is_successful(), name
flows = [FlowSchema().load(flow) for flow in value["flows"]]
print(json.dumps([storage.name, storage.secrets, [flow.name for flow in flows],
                  [len(flow.tasks) for flow in flows]]))
"""


class Registration(Prefect1Test):
    FIELDS = {
        "registry_url": "registry.example.org/team",
        "image_name": "etl",
        "image_tag": "v1",
        "prefect_directory": DIRECTORY,
        "path": None,
        "stored_as_script": False,
        "secrets": ["B", "A"],
        "prefect_version": None,
    }

    def store(self, *args, **spec):
        spec.setdefault("registration", self.path("registration"))
        spec.setdefault("storage", self.FIELDS)
        return super().store(*args, **spec)

    def written(self):
        with open(self.path("registration", "registration.json"), encoding="ascii") as file:
            return json.load(file)

    def prefect(self, *arguments, **environment):
        environment.update(PATH=os.environ["PATH"], HOME=self.path("home"))
        done = subprocess.run(
            [self.python, "-B"] + list(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=self.folder,
            timeout=120,
        )
        output = done.stdout.decode("utf-8")
        self.assertEqual(done.returncode, 0, output)
        return output


class AsPrefectDoes(Registration):
    def location(self, name, suffix=".prefect"):
        # Where Prefect has it: the golden truth is Prefect's own output.
        return "{}/flows/{}{}".format(DIRECTORY, name, suffix)

    def test_it_is_what_prefect_build_writes(self):
        run = self.store(SCRIPT, ("second", "first"))
        self.loads(run, "second", "first")
        self.assertEqual(
            run.of("ok", "registration"),
            [("prefect", "`prefect register` can read `first`, `second`")],
        )
        theirs = self.path("theirs.json")
        self.prefect("-c", BUILD, self.path("scripts", "etl.py"), theirs)
        with open(theirs) as file:
            wanted = json.load(file)
        # What Prefect took from the clock, because the script left it open.
        found = self.written()
        for value in (wanted, found):
            for flow in value["flows"]:
                for clock in (flow["schedule"] or {"clocks": []})["clocks"]:
                    del clock["start_date"]
        self.assertEqual(found.pop("storage"), wanted["flows"][0]["storage"])
        self.assertEqual(found, wanted)
        run_config = found["flows"][0]["run_config"]
        self.assertEqual(run_config["labels"], ["b", "from-storage", "own", "zz"])

    def test_build_secrets_are_not_in_it(self):
        self.loads(self.store(SCRIPT, ("first",)), "first")
        self.assertNotIn("HIDDEN", json.dumps(self.written()))
        self.assertNotIn(b"HIDDEN", self.pickled("first")[1])


class Bytes(Registration):
    SOURCE = SCRIPT.replace(
        "interval=hour", "interval=hour, start_date=datetime.datetime(2020, 1, 1)"
    )

    def test_the_same_script_gives_the_same_bytes(self):
        source = self.SOURCE.replace("row: int", "row: hour.__reduce__")
        seen = set()
        for seed in ("0", "1", "random"):
            environment = {"PYTHONHASHSEED": seed}
            run = self.store(source, ("second", "first"), environment=environment)
            self.loads(run, "second", "first")
            with open(self.path("registration", "registration.json"), "rb") as file:
                seen.add(file.read())
        self.assertEqual(len(seen), 1)
        about = os.stat(self.path("registration", "registration.json"))
        self.assertEqual((stat.S_IMODE(about.st_mode), about.st_mtime), (0o644, 0))

    def test_a_flow_file_does_not_depend_on_tag_or_registration(self):
        # Shared by two flows, a task bears the marks of the first that is described.
        source = self.SOURCE.replace("storage=storage", "storage=None")
        source += "one.add_edge(extract, steps[0])\none.add_edge(steps[0], steps[1])\n"
        seen = set()
        for tag, folder in (("v1", None), ("v2", None), (None, self.path("registration"))):
            fields = dict(self.FIELDS, image_tag=tag)
            run = self.store(source, ("second", "first"), storage=fields, registration=folder)
            self.loads(run, "second", "first")
            self.assertEqual(os.path.exists(self.path("registration")), folder is not None)
            seen.add((self.pickled("second")[1], self.pickled("first")[1]))
        self.assertEqual(len(seen), 1)
        self.assertEqual(self.written()["storage"]["image_tag"], None)

    def test_a_flow_without_docker_storage_has_that_of_the_spec(self):
        for storage in ("None", "__import__('prefect').storage.Local()"):
            source = SCRIPT.replace("storage=storage", "storage=" + storage)
            self.loads(self.store(source, ("first",)), "first")
            public = self.inspect("first", run="no")["public"]
            self.assertEqual(public.pop("__version__"), "1.4.1")
            wanted = dict(self.FIELDS, type="Docker", image_tag=None, prefect_version="1.4.1")
            wanted["flows"] = {"first": self.location("first")}
            del wanted["prefect_directory"]
            self.assertEqual(public, wanted)


class Server(BaseHTTPRequestHandler):
    """Answers what `prefect register` asks, and keeps the flows that it sends."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "create_flow_from_compressed_string" in asked["query"]:
            sent = json.loads(asked["variables"])["input"]["serialized_flow"]
            self.server.flows.append(json.loads(gzip.decompress(base64.b64decode(sent))))
            data = {"create_flow_from_compressed_string": {"id": "flow-id"}}
        elif "flow(" in asked["query"]:
            data = {"flow": []}  # None was registered before.
        else:
            data = {"project": [{"id": "project-id"}]}
        body = json.dumps({"data": data}).encode("ascii")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Is silent."""


class RealPrefect(Registration):
    def flows_json(self):
        """Writes what `prefect register --json` takes: it refuses the storage beside the flows."""
        found = self.written()
        del found["storage"]
        return self.write("flows.json", json.dumps(found))

    def put_in_place(self):
        """Moves flow files to their final paths, as the image has them."""
        shutil.copytree(self.path("out") + self.path("flows"), self.path("flows"))

    def test_prefect_loads_the_storage_its_flows_and_their_descriptions(self):
        self.loads(self.store(SCRIPT, ("second", "first")), "second", "first")
        self.put_in_place()
        said = self.prefect("-c", LOAD, self.path("registration", "registration.json"))
        name, secrets, flows, tasks = json.loads(said.splitlines()[-1])
        self.assertEqual(name, "registry.example.org/team/etl:v1")
        self.assertEqual((secrets, flows), (["B", "A"], ["first", "second"]))
        self.assertEqual(tasks[0], 2)

    def test_prefect_register_sends_it(self):
        self.loads(self.store(SCRIPT, ("second", "first")), "second", "first")
        server = HTTPServer(("127.0.0.1", 0), Server)
        server.flows = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        said = self.prefect(
            "-m",
            "prefect",
            "register",
            "--project=p",
            "--json",
            self.flows_json(),
            PREFECT__BACKEND="server",
            PREFECT__CLOUD__API="http://127.0.0.1:{}".format(server.server_port),
        )
        self.assertIn("2 registered", said)
        self.assertEqual(server.flows, self.written()["flows"])


class StoredAsScript(Registration):
    def store(self, *args, **spec):
        fields = dict(self.FIELDS, stored_as_script=True, path="/app/etl.py")
        return super().store(*args, stored_as_script=True, storage=fields, **spec)

    def test_flows_are_described_and_the_script_is_as_it_was(self):
        # The log shows that the script runs once here, under its final path.
        source = SCRIPT + "open({!r}, 'a').write(__file__ + ' ')\n".format(self.path("log"))
        run = self.store(source, ("second", "first"), check=False)
        self.assertEqual((run.code, run.of("error"), run.of("warning")), (0, [], []))
        with open(self.path("log")) as file:
            self.assertEqual(file.read(), self.location("second", ".py") + " ")
        with open(self.stored("second", ".py"), encoding="utf-8") as file:
            self.assertEqual(file.read(), source)
        found = self.written()
        self.assertEqual([flow["name"] for flow in found["flows"]], ["first", "second"])
        for storage in [found["storage"]] + [flow["storage"] for flow in found["flows"]]:
            self.assertEqual((storage["stored_as_script"], storage["path"]), (True, "/app/etl.py"))

    def test_what_cannot_be_described_is_a_warning(self):
        for source, error in (
            ("1 / 0\n", "`etl.py` line 1: ZeroDivisionError: division by zero"),
            (
                "import os\nos.abort()\n",
                "running `etl.py` failed: the process was killed by SIGABRT",
            ),
            ("from prefect import Flow\nFlow('x')\n", "flow `etl` is not in `etl.py`; it has `x`"),
        ):
            run = self.store(source, check=False)
            self.assertEqual(run.code, 0)
            self.assertEqual(
                run.of("warning", "registration"),
                [("prefect", "no flow can be registered: " + error)],
            )
            self.assertEqual(self.written()["error"], error)


class Failures(Registration):
    def test_json_that_no_reader_takes(self):
        source = TASKS + (
            "from prefect import Parameter\n"
            "flow = Flow('etl', tasks=[Parameter('x', default=float('nan'))])\n"
        )
        run = self.store(source)
        self.assertEqual((run.code, len(run.of("warning", "registration"))), (0, 1))
        self.assertEqual(sorted(self.written()), ["error", "remedy"])
        self.assertIn("flow `etl` does not pass Prefect's schema: ", self.written()["error"])

    def test_a_marshmallow_that_prefect_1_cannot_use(self):
        run = self.store(
            TASKS + "flow = Flow('etl', tasks=[extract])\n",
            environment={"PYTHONPATH": marshmallow4()},
        )
        self.loads(run, "etl")
        found = self.written()
        self.assertIn("'DockerSchema' object has no attribute 'context'", found["error"])
        self.assertEqual(found["remedy"], "add `marshmallow<4` to python_dependencies")
        message = "no flow can be registered: " + found["error"]
        self.assertEqual(run.of("warning", "registration"), [("prefect", message)])

    def test_a_failed_build_writes_none(self):
        run = self.store("1 / 0\n")
        self.assertEqual(run.code, 1)
        self.assertFalse(os.path.exists(self.path("registration")))


class LocalModules(Registration):
    def test_tasks_of_a_module_on_the_path_are_pickled_by_reference(self):
        site = self.venv_with_prefect()
        self.write("modules/helpers/__init__.py", "from .work import double\n")
        self.write(
            "modules/helpers/work.py",
            "from prefect import task\n@task\ndef double(x):\n    return 2 * x + 4711\n",
        )
        source = TASKS + (
            "from helpers import double\n"
            "with Flow('etl') as flow:\n    assert double(1) is not None\n"
        )
        failed = self.store(source)
        self.assertIn("No module named `helpers`", failed.of("error")[0][1])
        self.prefect(os.path.join(PROGRAMS, "modules_path.py"), self.path("modules"))
        self.assertIn("flowstorage.pth", os.listdir(site))
        self.loads(self.store(source), "etl")
        pickled = self.pickled("etl")[1]
        self.assertIn(b"helpers.work", pickled)
        self.assertEqual(self.inspect("etl")["state"], True)
        described = self.written()["flows"][0]["tasks"]
        self.assertEqual([task["name"] for task in described], ["double"])

    def venv_with_prefect(self):
        """Makes a Python of its own, with the distributions of the other; returns its folder."""
        show = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        theirs = self.prefect("-c", show).strip()
        subprocess.run([self.python, "-m", "venv", "--without-pip", self.path("venv")], check=True)
        self.python = self.path("venv", "bin", "python")
        ours = self.prefect("-c", show).strip()
        with open(os.path.join(ours, "prefect.pth"), "w") as file:
            file.write(theirs + "\n")
        return ours


if __name__ == "__main__":
    unittest.main()
