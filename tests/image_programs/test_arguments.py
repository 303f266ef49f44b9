"""Scripts whose storage cannot be made in the image run all the same, and nothing else is hidden.

**Invariant**: needs no Prefect: a module of that name stands in for the class alone.
"""

import os
import sys
import textwrap
import unittest

from support import PROGRAMS, ProgramTest

sys.path.insert(0, PROGRAMS)
import flowstorage_arguments as arguments  # noqa: E402  (the path comes first)

sys.path.remove(PROGRAMS)

STAND_IN = """
class Docker:
    def __init__(self, *args, **kwargs):
        if kwargs.get("files") == {None: None}:
            raise TypeError("not a path")
        self.args, self.kwargs = args, kwargs
"""


class ArgumentsTest(ProgramTest):
    def run_script(self, source):
        """Runs a script beside a stand-in for Prefect; returns its globals."""
        self.write("prefect/__init__.py")
        self.write("prefect/storage.py", STAND_IN)
        path = self.write("flow.py", textwrap.dedent(source))
        sys.path.insert(0, self.folder)
        self.addCleanup(sys.path.remove, self.folder)
        self.addCleanup(self.forget)
        before = sys.dont_write_bytecode
        sys.dont_write_bytecode = True
        try:
            return arguments.run(path, "<flow>")
        finally:
            sys.dont_write_bytecode = before

    def forget(self):
        for name in [name for name in sys.modules if name.split(".")[0] == "prefect"]:
            del sys.modules[name]

    def test_what_serves_only_the_storage_may_fail(self):
        found = self.run_script(
            """
            import os, subprocess
            import no_such_client
            from prefect.storage import Docker

            TAG = subprocess.check_output(["no-such-program"]).decode().strip()
            with open("no-such-file") as file:
                REQUIREMENTS = file.read().splitlines()
            PREFIX = os.environ["NO_SUCH_VARIABLE"]
            NAME = PREFIX + "/etl"

            def storage():
                client = no_such_client.Client()
                secret = client.get("x")
                return Docker(
                    secret,
                    *client.more(),
                    image_tag=TAG,
                    image_name=NAME,
                    python_dependencies=REQUIREMENTS,
                    registry_url=os.environ["NO_SUCH_VARIABLE"],
                    prefect_directory="/kept",
                    **client.rest()
                )

            made = storage()
            """
        )
        self.assertEqual(found["made"].args, (None,))
        self.assertEqual(
            found["made"].kwargs,
            {
                "image_tag": None,
                "image_name": None,
                "python_dependencies": None,
                "registry_url": None,
                "prefect_directory": "/kept",
            },
        )
        self.assertNotIn(arguments.TRY, found)

    def test_a_storage_that_refuses_its_arguments_is_bare(self):
        found = self.run_script(
            """
            import prefect.storage
            PATH = None
            made = prefect.storage.Docker(files={PATH: PATH})
            """
        )
        self.assertEqual(found["made"].kwargs, {})

    def test_what_anything_else_reads_still_fails(self):
        for source in (
            'import os\nTABLE = os.environ["NO_SUCH_VARIABLE"]\nprint(TABLE)\nDocker(image_tag=TABLE)',
            'import os\nTABLE = os.environ["NO_SUCH_VARIABLE"]\ndef task():\n    return TABLE\n'
            "Docker(image_tag=TABLE)",
            "import no_such_module\nno_such_module.run()\nDocker(image_tag=no_such_module.x)",
            'unused = open("no-such-file")\nDocker()',
        ):
            with self.subTest(source):
                with self.assertRaises((KeyError, ImportError, OSError)):
                    self.run_script("from prefect.storage import Docker\n" + source)
                self.forget()

    def test_lines_keep_their_numbers(self):
        try:
            self.run_script(
                """
                from prefect.storage import Docker
                TAG = open("no-such-file").read()
                made = Docker(image_tag=TAG)
                raise ValueError("here")
                """
            )
        except ValueError as error:
            trace = error.__traceback__
            while trace.tb_next:
                trace = trace.tb_next
            self.assertEqual(trace.tb_lineno, 5)
            self.assertEqual(os.path.basename(trace.tb_frame.f_code.co_filename), "flow.py")
        else:
            self.fail("the error was hidden")

    def test_a_script_without_a_storage_is_left_as_it_is(self):
        found = self.run_script("x = 1\ny = x + 1\n")
        self.assertEqual((found["x"], found["y"], found["__name__"]), (1, 2, "<flow>"))
        with self.assertRaises(OSError):
            self.run_script('x = open("no-such-file")\n')


if __name__ == "__main__":
    unittest.main()
