"""Tests of `flows.py` for runtime `python`, and of what it writes for any runtime."""

import os
import stat
import unittest

from support import ProgramTest


class PythonFlows(ProgramTest):
    def store(self, sources, check=True, locations=None, more=(), **environment):
        """Stores one flow per script; its name is the script's stem."""
        flows = []
        for number, (name, source) in enumerate(sorted(sources.items())):
            script = self.write("scripts/{}/{}".format(number, name), source)
            location = (locations or {}).get(name) or self.path("app", name)
            flows.append({"name": name[:-3], "script": script, "location": location})
        spec = {"runtime": "python", "check": check, "stored_as_script": True, "flows": flows}
        spec["output"] = self.path("out")
        spec.update(more)
        return self.run_program("flows.py", spec, **environment)

    def stored(self, location):
        """Reads a stored file."""
        with open(self.path("out") + location, "rb") as file:
            return file.read()

    def failure(self, source, name="job.py"):
        run = self.store({name: source})
        self.assertEqual(run.code, 1)
        failed = [r for r in run.results if r["level"] == "error"]
        self.assertEqual(len(failed), 1)
        return failed[0], run

    def test_a_script_is_copied_byte_for_byte_and_imports_without_running_its_main(self):
        source = "# caf\u00e9\r\nif __name__ == '__main__':\n    raise SystemExit('ran')\n"
        run = self.store({"job.py": source, "weird name \u00e9$.py": b"\xef\xbb\xbfx = 1\n"})
        self.assertEqual((run.code, run.of("error")), (0, []))
        self.assertEqual(self.stored(self.path("app", "job.py")), source.encode("utf-8"))
        self.assertEqual(
            run.of("ok", "import"),
            [
                ("job", "`job.py` compiles and imports"),
                ("weird name \u00e9$", "`weird name \u00e9$.py` compiles and imports"),
            ],
        )

    def test_it_sees_the_surroundings_of_its_final_place(self):
        self.write("app/helper.py", "VALUE = 7\n")
        source = (
            "import os, sys, dataclass_like, helper, other\n"
            "import __flow__\n"
            "assert __flow__.__file__ == __file__ == sys.argv[0], sys.argv\n"
            # As bytes: without a UTF-8 locale, Python 3.6 has other text for such a name.
            "assert os.fsencode(__file__) == {path!r}, __file__\n"
            "assert os.fsencode(sys.path[0]) == {folder!r}, sys.path\n"
            "assert helper.VALUE == 7 and other.X == 1\n"
        ).format(path=os.fsencode(self.path("app", "job.py")), folder=os.fsencode(self.path("app")))
        self.write("lib/dataclass_like.py")
        scripts = {"job.py": source, "other.py": "X = 1\n"}
        # `job` is checked first: what it imports of its own image must be stored by then.
        run = self.store(scripts, PYTHONPATH=self.path("lib"))
        self.assertEqual((run.code, run.of("error")), (0, []))

    def test_variables_of_the_spec_are_set_and_a_secret_that_was_not_given_is_not(self):
        secret = {"name": "TOKEN", "file": self.write("token", b"x y\xff\n")}
        absent = {"name": "ABSENT", "file": self.path("absent")}
        source = (
            "import os\n"
            "assert os.environ['PLAIN'] == 'a b'\n"
            "assert os.environb[b'TOKEN'] == b'x y\\xff\\n'\n"
            "assert 'ABSENT' not in os.environ\n"
        )
        more = {"environment": {"PLAIN": "a b"}, "secret_environment": [secret, absent]}
        run = self.store({"job.py": source}, more=more)
        self.assertEqual((run.code, run.of("error")), (0, []))

    def test_a_syntax_error_has_script_and_line(self):
        failed, run = self.failure("x = 1\nif x\n    pass\n")
        self.assertEqual((failed["check"], failed["subject"]), ("compile", "job"))
        self.assertRegex(failed["message"], r"\A`job\.py` line 2: (invalid syntax|expected ':')\Z")
        self.assertNotIn("flowstorage_python", run.output)

    def test_a_file_that_is_no_python_at_all(self):
        failed, _ = self.failure(b"x = '\x00'\n")
        self.assertEqual(failed["check"], "compile")
        self.assertIn("null bytes", failed["message"])
        failed, _ = self.failure(b"x = '\xff'\n")
        self.assertEqual(failed["check"], "compile")

    def test_a_failure_has_the_line_of_the_script_and_only_its_frames(self):
        failed, run = self.failure("def load():\n    return {}['key']\n\nload()\n")
        self.assertEqual(failed["message"], "`job.py` line 2: KeyError: 'key'")
        self.assertEqual(failed["check"], "import")
        self.assertIn("    return {}['key']", run.output)
        self.assertNotIn("flowstorage_", run.output)
        self.assertNotIn("frozen", run.output)

    def test_a_missing_module_has_a_remedy(self):
        failed, _ = self.failure("import os\nimport nowhere\n")
        self.assertEqual(failed["message"], "`job.py` line 2: No module named `nowhere`")
        self.assertEqual(
            failed["remedy"],
            "add the distribution to python_dependencies, or a local module to modules",
        )

    def test_a_missing_program_is_told_from_a_missing_file(self):
        source = "import subprocess\nsubprocess.run(['absent-program', 'x'])\n"
        result, _ = self.failure(source)
        self.assertEqual(
            (result["remedy"], result["missing"]),
            (
                "add the Debian package that has the program `absent-program` to system_packages",
                [{"kind": "program", "name": "absent-program", "packages": [], "phase": "run"}],
            ),
        )
        # Packages that run a program say it in other words.
        wrapped = "try:\n    {}except OSError:\n    raise RuntimeError('no such tool')\n"
        result, _ = self.failure("import subprocess\n" + wrapped.format(source.split("\n", 1)[1]))
        self.assertEqual(result["missing"][0]["name"], "absent-program")
        result, _ = self.failure("open('absent-file')\n")
        self.assertEqual((result["remedy"], result.get("missing")), (None, None))

    def test_a_relative_import_has_a_remedy(self):
        failed, _ = self.failure("import os\nfrom .common import x\n")
        self.assertEqual(
            failed["remedy"],
            "import by the package's whole name: a script that is run is in no package",
        )

    def test_a_variable_that_is_not_set_has_a_remedy(self):
        failed, _ = self.failure("import os\nos.environ['NO_SUCH_VARIABLE']\n")
        self.assertEqual(
            failed["remedy"],
            "set `NO_SUCH_VARIABLE` where you build, or in env_vars if it is no credential",
        )
        failed, _ = self.failure("{}['NO_SUCH_VARIABLE']\n")
        self.assertIsNone(failed.get("remedy"))

    def test_an_exit_is_a_failure(self):
        failed, _ = self.failure("import sys\nsys.exit(3)\n")
        self.assertEqual(failed["message"], "`job.py` line 2: SystemExit: 3")
        failed, _ = self.failure("import os\nos._exit(0)\n")
        message = "loading `job.py` failed: the process ended itself with status 0"
        self.assertEqual(failed["message"], message)

    def test_every_script_is_reported(self):
        run = self.store({"a.py": "import no_a", "b.py": "x = 1", "c.py": "import no_c"})
        self.assertEqual([s for s, _ in run.of("error")], ["a", "c"])
        self.assertEqual([s for s, _ in run.of("ok")], ["b"])

    def test_without_check_it_only_copies(self):
        run = self.store({"job.py": "raise SystemExit(1)"}, check=False)
        self.assertEqual((run.code, run.results, run.output), (0, [], ""))
        self.assertEqual(self.stored(self.path("app", "job.py")), b"raise SystemExit(1)")

    def test_a_script_that_is_not_there_is_named(self):
        spec = {"runtime": "python", "check": True, "stored_as_script": True}
        spec["output"] = self.path("out")
        gone = self.path("gone.py")
        spec["flows"] = [{"name": "gone", "script": gone, "location": "/app/gone.py"}]
        run = self.run_program("flows.py", spec)
        self.assertEqual(run.code, 1)
        self.assertEqual([subject for subject, _ in run.of("error", "flow")], ["gone"])
        self.assertIn("storing `gone.py` failed: ", run.of("error")[0][1])


class OutputTree(ProgramTest):
    def store(self, flows, **environment):
        spec = {"runtime": "python", "check": False, "stored_as_script": True}
        spec.update(flows=flows, output=self.path("out", "tree"))
        return self.run_program("flows.py", spec, **environment)

    def test_modes_and_times_are_fixed(self):
        script = self.write("a.py", "x = 1\n")
        os.chmod(script, 0o600)
        flows = [{"name": "a", "script": script, "location": "/opt/x/../flows/a.py"}]
        for epoch, seconds in (("", 0), ("1700000000", 1700000000), ("no number", 0)):
            old = os.umask(0o077)
            try:
                self.assertEqual(self.store(flows, SOURCE_DATE_EPOCH=epoch).code, 0)
            finally:
                os.umask(old)
            found = {}
            for folder, _, names in os.walk(self.path("out", "tree")):
                for path in [folder] + [os.path.join(folder, name) for name in names]:
                    about = os.stat(path)
                    found[os.path.relpath(path, self.path("out", "tree"))] = (
                        stat.S_IMODE(about.st_mode),
                        about.st_mtime,
                    )
            self.assertEqual(
                found,
                {
                    ".": (0o755, seconds),
                    "opt": (0o755, seconds),
                    "opt/flows": (0o755, seconds),
                    "opt/flows/a.py": (0o644, seconds),
                },
            )

    def test_the_output_is_there_without_flows(self):
        self.assertEqual(self.store([]).code, 0)
        self.assertEqual(os.listdir(self.path("out", "tree")), [])

    def test_a_location_stays_inside(self):
        script = self.write("a.py", "x = 1\n")
        flows = [{"name": "a", "script": script, "location": "../../../escaped.py"}]
        self.assertEqual(self.store(flows).code, 0)
        self.assertEqual(os.listdir(self.path("out", "tree")), ["escaped.py"])


if __name__ == "__main__":
    unittest.main()
