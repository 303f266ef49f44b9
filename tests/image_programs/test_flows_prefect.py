"""Tests of `flows.py` for runtime `prefect`, with a real Prefect 3."""

import os
import subprocess
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

from support import ProgramTest, prefect3_python, prefect_python

FLOW = """
from prefect import flow, task

@task
def extract():
    return [1]

@flow(name="my-flow")
def my_flow(x: int = 1):
    return extract()
"""


class PrefectTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.python = prefect3_python()

    def store(self, *flows, **spec):
        """Stores flows given as (name, script, function); scripts are written before."""
        entries = []
        for name, script, function in flows:
            entry = {"name": name, "script": self.path("scripts", script), "function": function}
            entry["location"] = self.location(script)
            entries.append(entry)
        environment = spec.pop("environment", {})
        whole = {"runtime": "prefect", "check": True, "stored_as_script": False, "flows": entries}
        whole["output"] = self.path("out")
        whole.update(spec)
        os.makedirs(self.path("tmp"), exist_ok=True)
        environment.setdefault("TMPDIR", self.path("tmp"))
        run = self.run_program("flows.py", whole, **environment)
        # Scripts stay in the output alone, and nothing else stays at all.
        self.assertFalse(os.path.exists(self.path("opt")))
        self.assertEqual(os.listdir(self.path("tmp")), [])
        self.assertFalse(os.path.exists(self.path("home")))
        return run

    def script(self, text, name="etl.py"):
        self.write("scripts/" + name, text)

    def location(self, script):
        return self.path("opt", "prefect", "etl", script)

    def failure(self, text, function="my_flow", **spec):
        self.script(text)
        run = self.store(("my-flow", "etl.py", function), **spec)
        self.assertEqual(run.code, 1)
        failed = [result for result in run.results if result["level"] == "error"]
        self.assertEqual(len(failed), 1, run.results)
        return failed[0], run

    def loads(self, run, *flows):
        self.assertEqual(run.of("error"), [], run.output)
        self.assertEqual(run.code, 0)
        text = "flow `{}` loads from `{}:{}`"
        self.assertEqual(
            run.of("ok", "flow"),
            [(n, text.format(n, self.location(script), f)) for n, script, f in flows],
        )


class Loading(PrefectTest):
    def test_several_flows_of_a_script_load_from_its_final_path(self):
        flows = [("my-flow", "etl.py", "my_flow"), ("other", "etl.py", "other")]
        flows += [("third", "sub/third.py", "third")]
        source = FLOW + (
            "# caf\u00e9\r\n"
            "import os, sys\n"
            "assert __file__ == {path!r}, __file__\n"
            "assert os.getcwd() in sys.path[:2] and os.getcwd() == {folder!r}, sys.path\n"
            "assert os.environ['PREFECT_API_URL'] == 'http://192.0.2.1:4200/api'\n"
            "@flow\ndef other(): pass\n"
        ).format(path=self.location("etl.py"), folder=self.path("opt", "prefect", "etl"))
        self.script(source)
        # Scripts import each other: from the folder that the process works in, too.
        self.script(
            "import prefect, neighbour, etl\nassert neighbour.X == 1\n"
            "third = prefect.flow(lambda: 1, name='third')\n",
            "sub/third.py",
        )
        self.script("X = 1\nfrom prefect import flow\n@flow\ndef n(): pass\n", "sub/neighbour.py")
        flows += [("n", "sub/neighbour.py", "n")]
        run = self.store(
            *flows,
            workdir=self.path("opt", "prefect", "etl"),
            environment={
                "PREFECT_API_URL": "http://192.0.2.1:4200/api",
                "PYTHONIOENCODING": "utf-8",
            }
        )
        self.loads(run, *flows)
        self.assertEqual(run.of("warning"), [])
        with open(self.path("out") + self.location("etl.py"), "rb") as file:
            self.assertEqual(file.read(), source.encode("utf-8"))

    def test_without_check_it_only_copies(self):
        self.script("raise SystemExit(1)")
        # A Python without Prefect can do that, too.
        self.write("lib/prefect.py", "raise SystemExit('imported')")
        environment = {"PYTHONPATH": self.path("lib")}
        flow = ("my-flow", "etl.py", "my_flow")
        run = self.store(flow, check=False, environment=environment)
        self.assertEqual((run.code, run.results, run.output), (0, [], ""))
        with open(self.path("out") + self.location("etl.py"), "rb") as file:
            self.assertEqual(file.read(), b"raise SystemExit(1)")

    def test_a_flow_that_no_function_is_named_for(self):
        self.script(FLOW)
        self.loads(self.store(("my-flow", "etl.py", None)), ("my-flow", "etl.py", "my_flow"))
        run = self.store(("absent", "etl.py", None))
        self.assertEqual(run.of("error"), [("absent", "flow `absent` is not in `etl.py`")])
        self.assertEqual(run.code, 1)

    def test_what_the_base_has_there_comes_back(self):
        self.script(FLOW)
        with_file = self.write("base/etl.py", "old = 1\n")
        flow = {"name": "my-flow", "function": "my_flow", "location": with_file}
        flow["script"] = self.path("scripts", "etl.py")
        spec = {"runtime": "prefect", "check": True, "stored_as_script": False, "flows": [flow]}
        spec["output"] = self.path("out")
        run = self.run_program("flows.py", spec)
        self.assertEqual((run.code, len(run.of("ok"))), (0, 1))
        with open(with_file) as file:
            self.assertEqual(file.read(), "old = 1\n")


class Harmless(PrefectTest):
    def test_calls_at_the_top_level_are_skipped_and_named(self):
        self.script(
            FLOW
            + (
                "import asyncio\n"
                "from prefect import serve\n"
                "@flow\nasync def later(): open({log!r}, 'w')\n"
                "@flow\ndef now(): open({log!r}, 'w')\n"
                "now()\n"
                "asyncio.run(later())\n"
                "now.serve(name='x')\n"
                "serve(now)\n"
            ).format(log=self.path("log"))
        )
        run = self.store(("my-flow", "etl.py", "my_flow"))
        self.loads(run, ("my-flow", "etl.py", "my_flow"))
        self.assertFalse(os.path.exists(self.path("log")))
        text = "flow `my-flow`: its script {} when it is imported, in line {}"
        first = FLOW.count("\n") + 7
        whats = ["runs a flow", "runs a flow", "calls `serve`", "calls `serve`"]
        self.assertEqual(
            [message for _, message in run.of("warning")],
            [text.format(what, first + at) for at, what in enumerate(whats)],
        )

    def test_neither_a_server_nor_the_network_is_used(self):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(self.path)
                self.send_error(500)

            do_GET = do_POST

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = "http://127.0.0.1:{}/api".format(server.server_port)
        for environment in ({}, {"PREFECT_API_URL": url, "HOME": "/nonexistent"}):
            source = "from prefect.blocks.system import Secret\nx = Secret.load('x')\n" + FLOW
            failed, _ = self.failure(source, environment=environment)
            self.assertEqual(
                failed["message"], "`etl.py` line 2: it asks Prefect's API when it is imported"
            )
            self.assertIn("inside a flow", failed["remedy"])
        self.assertEqual(asked, [])


class Failures(PrefectTest):
    def test_a_script_that_fails(self):
        failed, run = self.failure("import os\nimport nowhere\n" + FLOW)
        self.assertEqual(failed["message"], "`etl.py` line 2: No module named `nowhere`")
        self.assertIn("python_dependencies", failed["remedy"])
        failed, run = self.failure("def f():\n    return 1 / 0\n\nf()\n")
        self.assertEqual(failed["message"], "`etl.py` line 2: ZeroDivisionError: division by zero")
        for ours in ("flowstorage_", "importtools", "frozen"):
            self.assertNotIn(ours, run.output)
        failed, _ = self.failure("x = (\n")
        self.assertEqual(failed["message"].split(": ")[0], "`etl.py` line 1")
        failed, _ = self.failure("import sys\nsys.exit(1)\n")
        self.assertEqual(failed["message"], "`etl.py` line 2: SystemExit: 1")
        failed, _ = self.failure("import os\nos.abort()\n")
        message = "loading flow `my-flow` failed: the process was killed by SIGABRT"
        self.assertEqual(failed["message"], message)

    def test_what_is_no_flow_of_that_name(self):
        failed, _ = self.failure(FLOW, function="your_flow")
        self.assertEqual(failed["message"], "`etl.py` has no `your_flow`")
        failed, _ = self.failure("def my_flow(): pass\n")
        self.assertEqual(failed["message"], "`my_flow` of `etl.py` is no flow")
        self.assertIn("@flow", failed["remedy"])
        source = "from prefect import flow\n@flow\ndef my_flow_(): pass\n"
        failed, _ = self.failure(source, "my_flow_")
        self.assertEqual(
            failed["message"], "`my_flow_` of `etl.py` is flow `my-flow-`, not `my-flow`"
        )
        self.assertEqual(failed["remedy"], "name the flow `my-flow-`")

    def test_every_flow_is_reported(self):
        self.script("import no_a", "a.py")
        self.script(FLOW, "b.py")
        self.script("import no_c", "c.py")
        run = self.store(
            ("a", "a.py", "a"), ("my-flow", "b.py", "my_flow"), ("c", "c.py", "c")
        )
        self.assertEqual([name for name, _ in run.of("error")], ["a", "c"])
        self.assertEqual([name for name, _ in run.of("ok")], ["my-flow"])

    def test_a_location_that_prefect_cannot_load(self):
        self.script(FLOW, "etl")
        run = self.store(("my-flow", "etl", "my_flow"))
        message = "`{}` is no entrypoint: Prefect loads scripts that end in `.py`"
        self.assertEqual(run.of("error"), [("my-flow", message.format(self.location("etl")))])

    def test_a_place_that_cannot_be_written(self):
        self.script(FLOW)
        self.write("opt", "a file")
        spec = {"runtime": "prefect", "check": True, "stored_as_script": False}
        spec["output"] = self.path("out")
        flow = {"name": "my-flow", "function": "my_flow", "location": self.location("etl.py")}
        flow["script"] = self.path("scripts", "etl.py")
        spec["flows"] = [flow]
        run = self.run_program("flows.py", spec)
        self.assertEqual(run.code, 1)
        self.assertIn("putting scripts in their places failed: ", run.of("error")[0][1])

    def test_prefect_that_is_missing_or_of_another_series(self):
        self.python = prefect_python()
        failed, _ = self.failure(FLOW)
        self.assertEqual(
            failed["message"], "runtime `prefect` needs Prefect 2 or 3, the image has 1.4.1"
        )
        self.assertIn("prefect1", failed["remedy"])
        subprocess.run(
            [self.python, "-m", "venv", "--without-pip", self.path("bare")], check=True
        )
        self.python = self.path("bare", "bin", "python")
        failed, _ = self.failure(FLOW)
        self.assertEqual(failed["message"], "importing `prefect` failed: No module named `prefect`")
        self.assertEqual(
            failed["remedy"], "set prefect_version, or add `prefect` to python_dependencies"
        )


if __name__ == "__main__":
    unittest.main()
