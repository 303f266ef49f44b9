"""The programs that decide which packages a step of apt installs."""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import unittest

from support import PROGRAMS

FAKE_APT_CACHE = "#!/bin/sh\n[ \"$*\" = pkgnames ] && printf '%s\\n' {}\n"


class Available(unittest.TestCase):
    def run_it(self, known, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            fake = os.path.join(folder, "apt-cache")
            with open(fake, "w") as file:
                file.write(FAKE_APT_CACHE.format(" ".join(known)))
            os.chmod(fake, 0o755)
            done = subprocess.run(
                ["sh", os.path.join(PROGRAMS, "available.sh"), *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PATH": folder + os.pathsep + os.environ["PATH"]},
                timeout=30,
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        findings = [
            json.loads(line.split("flowstorage-check: ", 1)[1])
            for line in done.stderr.decode().splitlines()
        ]
        return done.stdout.decode().split(), [finding["subject"] for finding in findings]

    def test_the_first_name_that_the_release_has_is_taken(self):
        known = ["libldap2", "libpq5", "libpq5-dbg", "xlibaio1"]
        self.assertEqual(
            self.run_it(known, "libldap-2.5-0|libldap2", "libpq5", "a|libldap2|libpq5"),
            (["libldap2", "libpq5", "libldap2"], []),
        )

    def test_what_no_release_knows_is_left_out_and_said(self):
        self.assertEqual(
            self.run_it(["libpq5"], "libaio1|libaio1t64", "libpq5", "libicu72"),
            (["libpq5"], ["libaio1", "libicu72"]),
        )
        self.assertEqual(self.run_it(["other"], "g++"), ([], ["g++"]))

    def test_names_are_no_patterns(self):
        self.assertEqual(self.run_it(["libstdcxx", "g"], "libstdc..|g++"), ([], ["libstdc.."]))


class Headers(unittest.TestCase):
    def test_headers_are_asked_for_where_they_are_missing(self):
        program = os.path.join(PROGRAMS, "headers.py")
        done = subprocess.run([sys.executable, program], stdout=subprocess.PIPE, timeout=30)
        has = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
        self.assertEqual(done.stdout.decode(), "" if has else "python3-dev\n")
        with tempfile.TemporaryDirectory() as folder:
            # A Python whose headers are elsewhere.
            code = "import sysconfig, runpy; sysconfig.get_path = lambda _: {!r}; runpy.run_path({!r})"
            done = subprocess.run(
                [sys.executable, "-c", code.format(folder, program)],
                stdout=subprocess.PIPE,
                timeout=30,
            )
        self.assertEqual(done.stdout, b"python3-dev\n")


if __name__ == "__main__":
    unittest.main()
