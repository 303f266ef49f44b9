"""Tests of what the check opens, runs and looks for by name: libraries, programs, commands."""

import glob
import os
import sys
import unittest

from elf_files import make
from support import PROGRAMS, ProgramTest
from test_check_environment import EnvironmentTest

sys.dont_write_bytecode = True
sys.path.insert(0, PROGRAMS)

import flowstorage_tables as tables_of  # noqa: E402

SONAMES = (
    "soname\tbookworm\ttrixie\n"
    "libNoSuch.so.3\tno-such\tno-such-t64\n"
    "libnosuchthing.so.1\tother\tother\n"
    "libtwo-1.0.so.0\ttwo,more\t=\n"
    "libold.so.1\told\t-\n"
)
PROGRAM_TABLE = "program\tpackage\nno-such-program\tno-such-tools\n"


def need(kind, name, *packages):
    return {"kind": kind, "name": name, "packages": list(packages), "phase": "run"}


class NeedsTest(EnvironmentTest):
    def needs(self, **spec):
        spec["sonames"] = self.write("sonames.tsv", SONAMES)
        spec["programs"] = self.write("programs.tsv", PROGRAM_TABLE)
        return self.check(conflicts=False, **spec)

    def told(self, run, *levels):
        keys = ("level", "check", "subject", "message", "remedy", "missing")
        return [tuple(r.get(k) for k in keys) for r in run.results if r["level"] in levels]


class Loads(NeedsTest):
    def test_a_library_that_no_package_has_and_one_that_a_table_knows(self):
        self.install("opener", {"opener.py": ""})
        run = self.needs(loads={"Opener": ["noSuch", "absent"], "not-installed": ["x"]})
        wanted = [
            (
                "error",
                "library",
                "Opener",
                "`libnoSuch`, which `Opener` opens, cannot be loaded: libNoSuch.so.3: cannot open "
                "shared object file",
                "add `no-such` to `system_packages`",
                [need("library", "libNoSuch.so.3", "no-such")],
            ),
            (
                "error",
                "library",
                "Opener",
                "`libabsent`, which `Opener` opens, cannot be loaded: libabsent.so: cannot open "
                "shared object file",
                "find it with: apt-file search libabsent.so",
                [need("library", "libabsent.so")],
            ),
        ]
        self.assertEqual(self.told(run, "error", "warning"), wanted)
        self.assertEqual(run.code, 1)

    def test_a_library_that_is_there_is_opened(self):
        self.install("opener", {"opener.py": ""})
        run = self.needs(loads={"opener": ["c", "m"]})
        wanted = [("ok", "library", "opener", "it can open `libc`, `libm`", None, None)]
        self.assertEqual(self.told(run, "ok", "error")[-1:], wanted)

    def test_a_library_that_a_distribution_brings_is_not_opened(self):
        names = ["libNoSuch-0a1b2c3d.so.3", "libNoSuch.so", "libNoSuch_x86_64.so"]
        for name in names:
            self.install("bundle", {"bundle.libs/" + name: make()})
            self.install("opener", {"opener.py": ""})
            run = self.needs(loads={"opener": ["NoSuch"]})
            self.assertEqual(self.told(run, "error"), [], name)
        for name in ("libNoSuch-extra.so.3", "libNoSuch2.so", "libNoSuch.txt"):
            self.install("bundle", {"bundle.libs/" + name: make()})
            run = self.needs(loads={"opener": ["NoSuch"]})
            self.assertEqual(len(self.told(run, "error")), 1, name)

    def test_a_library_whose_own_library_lacks_names_that_one(self):
        broken = self.write("lib/libNoSuch.so.3", make(needed=["libnosuchthing.so.1"]))
        self.install("opener", {"opener.py": ""})
        spec = {"conflicts": False, "loads": {"opener": ["NoSuch"]}}
        spec["sonames"] = self.write("sonames.tsv", SONAMES)
        paths = {"PYTHONPATH": self.path("site"), "LD_LIBRARY_PATH": os.path.dirname(broken)}
        run = self.run_program("check_environment.py", spec, **paths)
        message = (
            "`libNoSuch`, which `opener` opens, cannot be loaded: "
            "libnosuchthing.so.1: cannot open shared object file"
        )
        remedy = "add `other` to `system_packages`"
        missing = [need("library", "libnosuchthing.so.1", "other")]
        wanted = [("error", "library", "opener", message, remedy, missing)]
        self.assertEqual(self.told(run, "error"), wanted)

    def test_a_library_that_is_no_library_is_not_said_to_be_missing(self):
        self.write("lib/libNoSuch.so.3", "text")
        self.install("opener", {"opener.py": ""})
        spec = {"conflicts": False, "loads": {"opener": ["NoSuch"]}}
        spec["sonames"] = self.write("sonames.tsv", SONAMES)
        paths = {"PYTHONPATH": self.path("site"), "LD_LIBRARY_PATH": self.path("lib")}
        run = self.run_program("check_environment.py", spec, **paths)
        [(_, _, _, message, remedy, missing)] = self.told(run, "error")
        self.assertRegex(message, "cannot be loaded: .*libNoSuch.so.3: ")
        self.assertEqual((remedy, missing), (None, None))

    def test_the_import_that_fails_for_it_is_not_told_again(self):
        self.install("opener", {"opener.py": "raise ImportError('failed to find libNoSuch')"})
        run = self.check(
            "opener",
            conflicts=False,
            loads={"opener": ["NoSuch"]},
            sonames=self.write("sonames.tsv", SONAMES),
        )
        self.assertEqual([r["check"] for r in run.results if r["level"] == "error"], ["library"])

    def test_a_library_that_no_table_knows_is_told_once_for_each_distribution(self):
        failing = "raise ImportError('failed to find libabsent, sorry')"
        self.install("opener", {"opener.py": failing})
        self.install("other", {"other.py": failing})
        self.install("longer", {"longer.py": "raise ImportError('failed to find libabsent2')"})
        sonames = self.write("sonames.tsv", SONAMES)
        loads = {"opener": ["absent"], "longer": ["absent"]}
        names = ("opener", "other", "longer")
        run = self.check(*names, conflicts=False, loads=loads, sonames=sonames)
        told = [(r["check"], r["subject"]) for r in run.results if r["level"] == "error"]
        wanted = [("library", "longer"), ("library", "opener")]
        self.assertEqual(told, wanted + [("import", "other"), ("import", "longer")])

    def test_an_excluded_distribution_opens_nothing(self):
        self.install("opener", {"opener.py": ""})
        run = self.needs(loads={"opener": ["NoSuch"]}, exclude=["Opener"])
        self.assertEqual(self.told(run, "error"), [])


class Commands(NeedsTest):
    def test_a_program_of_a_distribution_is_warned_of(self):
        self.install("runner", {"runner.py": ""})
        run = self.needs(calls={"runner": ["sh", "no-such-program"], "not-installed": ["nothing"]})
        message = "`no-such-program`, which `runner` runs, is not on PATH"
        remedy = "add `no-such-tools` to `system_packages`"
        missing = [need("program", "no-such-program", "no-such-tools")]
        wanted = [("warning", "command", "runner", message, remedy, missing)]
        self.assertEqual((self.told(run, "warning", "error"), run.code), (wanted, 0))

    def test_required_commands(self):
        tool = self.write("bin/my-tool", "#!/bin/sh\n")
        plain = self.write("bin/plain", "#!/bin/sh\n")
        os.chmod(tool, 0o755)
        commands = ["sh", tool, "no-such-program", "absent", plain]
        run = self.needs(required_commands=commands)
        advice = "add the Debian package that has `{}` to `system_packages`"
        wanted = [
            (
                "error",
                "command",
                "no-such-program",
                "the command `no-such-program` is not on PATH",
                "add `no-such-tools` to `system_packages`",
                [need("program", "no-such-program", "no-such-tools")],
            ),
            (
                "error",
                "command",
                "absent",
                "the command `absent` is not on PATH",
                advice.format("absent"),
                [need("program", "absent")],
            ),
            (
                "error",
                "command",
                plain,
                "the command `{}` is not in the image".format(plain),
                advice.format(plain),
                [need("program", plain)],
            ),
        ]
        self.assertEqual((self.told(run, "error", "warning"), run.code), (wanted, 1))
        found = [(r["subject"], r["message"]) for r in run.results if r["level"] == "ok"][-2:]
        there = [("sh", "`sh` is there"), (tool, "`{}` is there".format(tool))]
        self.assertEqual([each for each in found], there)


class Tables(ProgramTest):
    def tables(self, release):
        spec = {"sonames": self.write("s.tsv", SONAMES), "programs": self.write("p.tsv", PROGRAM_TABLE)}
        return tables_of.Tables(spec, self.write("os-release", release))

    def test_the_column_of_the_release(self):
        names = ["libNoSuch.so.3", "libtwo-1.0.so.0", "libold.so.1", "libunknown.so"]
        bookworm = [["no-such"], ["two", "more"], ["old"], []]
        for release, wanted in (
            ("ID=debian\nVERSION_CODENAME=bookworm\n", bookworm),
            ("ID=debian\nVERSION_CODENAME=trixie\n", [["no-such-t64"], ["two", "more"], [], []]),
            ('ID="ubuntu"\nID_LIKE=debian\nVERSION_CODENAME="noble"\n', bookworm),
            ("ID=ubuntu\n", bookworm),
            ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", bookworm),
            ("", bookworm),
            ("ID=alpine\n", [[], [], [], []]),
            ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', [[], [], [], []]),
        ):
            tables = self.tables(release)
            self.assertEqual([tables.packages_of_library(name) for name in names], wanted, release)
        self.assertEqual(self.tables("").packages_of_program("no-such-program"), ["no-such-tools"])

    def test_elsewhere_no_package_is_named_as_if_it_were_there(self):
        tables = self.tables("ID=alpine\n")
        self.assertEqual(
            tables.library("libtwo-1.0.so.0"),
            (
                need("library", "libtwo-1.0.so.0"),
                "install what has `libtwo-1.0.so.0` (`two`, `more` on Debian) in the base image",
            ),
        )
        self.assertEqual(
            tables.program("absent"),
            (need("program", "absent"), "install what has `absent` in the base image"),
        )

    def test_names_lead_to_sonames(self):
        tables = self.tables("")
        asked = ["nosuch", "NoSuch", "two-1.0", "two", "nosuchthing", "so"]
        found = [["libNoSuch.so.3"], ["libNoSuch.so.3"], ["libtwo-1.0.so.0"], []]
        found += [["libnosuchthing.so.1"], []]
        self.assertEqual([tables.sonames_of(name) for name in asked], found)

    def test_without_tables_nothing_is_known(self):
        for spec in ({}, {"sonames": self.path("absent"), "programs": self.path("absent")}):
            tables = tables_of.Tables(spec, self.path("absent"))
            self.assertEqual(tables.packages_of_library("libNoSuch.so.3"), [])
            self.assertIsNone(tables.named_in("failed to find libNoSuch"))

    def test_the_tables_of_the_project_are_read(self):
        data = os.path.normpath(os.path.join(PROGRAMS, "../../packages/data"))
        self.assertEqual(len(glob.glob(os.path.join(data, "*.tsv"))) > 3, True)
        spec = {name: os.path.join(data, name + ".tsv") for name in ("sonames", "programs")}
        tables = tables_of.Tables(spec, self.path("absent"))
        self.assertEqual(tables.packages_of_library("libGL.so.1"), ["libgl1"])
        self.assertEqual(tables.packages_of_library("libmagic.so.1"), ["libmagic1"])
        self.assertEqual(tables.packages_of_program("ffprobe"), ["ffmpeg"])


if __name__ == "__main__":
    unittest.main()
