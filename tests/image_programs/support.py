"""Runs the programs as an image build does: a fresh Python, a spec file, result lines.

**Invariant**: a test sees only what a program printed, wrote and exited with.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = os.path.normpath(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/runtime/image")
)
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
PREFIX = "flowstorage-check: "


class Run:
    """What one run of a program left behind."""

    def __init__(self, done):
        self.code = done.returncode
        self.stderr = done.stderr.decode("utf-8", "replace")
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        self.results = [json.loads(x[len(PREFIX) :]) for x in lines if x.startswith(PREFIX)]
        self.output = "\n".join(line for line in lines if not line.startswith(PREFIX))

    def of(self, level, check=None):
        """Returns `(subject, message)` of the results of that level."""
        return [
            (r["subject"], r["message"])
            for r in self.results
            if r["level"] == level and check in (None, r["check"])
        ]


class ProgramTest(unittest.TestCase):
    """Gives each test a folder, and fails it if a program leaves bytecode anywhere in it."""

    maxDiff = None
    python = sys.executable

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="flowstorage test é "))
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *parts):
        """Returns a path in the test's folder."""
        return os.path.join(self.folder, *parts)

    def write(self, name, text=""):
        """Writes a file in the test's folder; returns its path."""
        path = self.path(*name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    def run_program(self, program, spec, **environment):
        """Runs a program on a spec, with variables added to a bare environment."""
        spec_path = self.write("spec.json", json.dumps(spec))
        variables = {"PATH": os.environ["PATH"], "HOME": self.path("home"), "LC_ALL": "C"}
        variables.update(environment)
        done = subprocess.run(
            [self.python, os.path.join(PROGRAMS, program), spec_path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=variables,
            cwd="/",
            timeout=120,
        )
        for root in (self.folder, PROGRAMS):
            for folder, _, _ in os.walk(root):
                self.assertNotIn("__pycache__", folder)
        return Run(done)


def prefect_python():
    """Returns the Python that has Prefect 1.4.1; says how to get one where there is none."""
    return named_python("FLOWSTORAGE_TEST_PREFECT_PYTHON", "prefect==1.4.1", "prefect1")


def prefect3_python():
    """Returns the Python that has Prefect 3; says how to get one where there is none."""
    return named_python("FLOWSTORAGE_TEST_PREFECT3_PYTHON", "'prefect>=3,<4'", "prefect3")


def marshmallow4():
    """Returns the folder that has marshmallow 4 alone; says how to get one where there is none."""
    folder = os.environ.get("FLOWSTORAGE_TEST_MARSHMALLOW4")
    if not folder:
        raise AssertionError(
            "FLOWSTORAGE_TEST_MARSHMALLOW4 must name a folder with marshmallow 4; run "
            "tests/image_programs/run, which makes one, or make it yourself: python3 -m pip "
            "install --no-deps --target FOLDER 'marshmallow>=4,<5'"
        )
    return folder


def named_python(variable, requirement, constraints):
    """Returns the Python that a variable names."""
    python = os.environ.get(variable)
    if not python:
        raise AssertionError(
            "{} must name a Python with {}; run tests/image_programs/run, which makes one, or make "
            "it yourself: python3 -m venv V && V/bin/pip install {} -c "
            "tests/image_programs/data/{}-constraints.txt".format(
                variable, requirement, requirement, constraints
            )
        )
    return python
