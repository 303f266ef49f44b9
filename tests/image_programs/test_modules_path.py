"""Tests of `modules_path.py`, in a venv as an image's Python may be one."""

import json
import os
import stat
import subprocess
import sys
import unittest

from support import PREFIX, PROGRAMS, ProgramTest

PROGRAM = os.path.join(PROGRAMS, "modules_path.py")


class ModulesPath(ProgramTest):
    def setUp(self):
        super().setUp()
        self.python = self.venv()
        self.site = self.say("import sysconfig; print(sysconfig.get_paths()['purelib'])").strip()

    def venv(self, *options):
        """Makes a venv without pip, which takes a moment only; returns its Python."""
        folder = self.path("venv" + "".join(options))
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip"] + list(options) + [folder], check=True
        )
        return os.path.join(folder, "bin", "python")

    def execute(self, *arguments, **environment):
        variables = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        variables.update(environment)
        return subprocess.run(
            [self.python, "-B"] + list(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd="/",
            timeout=60,
        )

    def say(self, code, *options, **environment):
        done = self.execute(*(options + ("-c", code)), **environment)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout.decode("utf-8", "surrogateescape")

    def make_importable(self, folder, **environment):
        done = self.execute(PROGRAM, folder, **environment)
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_modules_are_found_from_anywhere_before_distributions(self):
        self.write("modules/helpers.py", "WHOSE = 'local'\n")
        with open(os.path.join(self.site, "helpers.py"), "w") as file:
            file.write("WHOSE = 'installed'\n")
        show = "import helpers; print(helpers.WHOSE)"
        # The folder's name is not ASCII: what is written must be read alike in any locale.
        self.make_importable(self.path("modules") + "/")
        self.assertEqual(len(os.listdir(self.site)), 2)
        script = self.write("elsewhere/script.py", show)
        for options in ([], ["-I"], ["-E"]):
            for locale in ("C", "C.UTF-8"):
                shown = self.say(show, *options, LC_ALL=locale)
                self.assertEqual(shown, "local\n", (options, locale))
        self.assertEqual(self.execute(script).stdout, b"local\n")

    def test_the_folder_is_on_the_path_once(self):
        self.write("modules/helpers.py")
        count = "import sys; print(sys.path.count({!r}))".format(self.path("modules"))
        self.make_importable(self.path("modules"))
        self.make_importable(self.path("modules"))
        self.assertEqual(self.say(count, LC_ALL="C.UTF-8"), "1\n")
        path = self.path("modules")
        self.assertEqual(self.say(count, PYTHONPATH=path, LC_ALL="C.UTF-8"), "1\n")

    def test_a_quote_in_a_name_is_only_a_quote(self):
        self.write("it's \"x\"; y/helpers.py")
        self.make_importable(self.path("it's \"x\"; y"))
        self.say("import helpers")

    def test_the_file_is_always_the_same(self):
        seen = set()
        for epoch, seconds in (("", 0), ("1700000000", 1700000000), ("no number", 0)):
            old = os.umask(0o077)
            try:
                self.make_importable("/opt/prefect/modules", SOURCE_DATE_EPOCH=epoch)
            finally:
                os.umask(old)
            path = os.path.join(self.site, "flowstorage.pth")
            about = os.stat(path)
            self.assertEqual((stat.S_IMODE(about.st_mode), about.st_mtime), (0o644, seconds))
            with open(path, "rb") as file:
                seen.add(file.read())
        self.assertEqual(
            seen,
            {
                b"import sys; p = '/opt/prefect/modules'; "
                b"p in sys.path or sys.path.insert(0, p)\n"
            },
        )

    def failure(self, done):
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.decode("utf-8").splitlines()
        self.assertEqual(len(lines), 1)
        return json.loads(lines[0][len(PREFIX) :])

    def test_a_python_that_reads_no_pth_files(self):
        failed = self.failure(self.execute("-S", PROGRAM, "/opt/modules"))
        self.assertEqual((failed["level"], failed["check"]), ("error", "modules"))
        self.assertIn("reads `.pth` files from no folder", failed["message"])
        self.assertIn("PYTHONPATH", failed["remedy"])
        self.assertEqual(os.listdir(self.site), [])

    def test_a_file_that_cannot_be_written(self):
        os.mkdir(os.path.join(self.site, "flowstorage.pth"))
        failed = self.failure(self.execute(PROGRAM, "/opt/modules"))
        self.assertIn("making `/opt/modules` importable failed: ", failed["message"])
        self.assertIn("make `{}` writable".format(self.site), failed["remedy"])


if __name__ == "__main__":
    unittest.main()
