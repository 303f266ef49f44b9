"""Tests of the check of ODBC drivers: what is registered works, what flows name is registered."""

import os
import unittest

from elf_files import make
from test_check_environment import EnvironmentTest

SONAMES = "soname\tbookworm\ttrixie\nlibtds-part.so.1\ttds-part\t=\n"


def named(name, package=None, recipe=None):
    """Returns what the plan says of a driver that a flow names."""
    return {"name": name, "package": package, "recipe": recipe}


class OdbcTest(EnvironmentTest):
    def odbc(self, ini=None, drivers=(), libraries=True, **environment):
        """Runs the check; `ini` becomes the registry in the folder of ODBCSYSINI."""
        os.makedirs(self.path("etc"), exist_ok=True)
        if ini is not None:
            self.write("etc/odbcinst.ini", ini)
        environment.setdefault("ODBCSYSINI", self.path("etc"))
        environment["PYTHONPATH"] = self.path("site")
        spec = {"conflicts": False, "libraries": libraries, "odbc_drivers": list(drivers)}
        spec["sonames"] = self.write("sonames.tsv", SONAMES)
        return self.run_program("check_environment.py", spec, **environment)

    def told(self, run, *levels):
        keys = ("level", "subject", "message", "remedy", "missing")
        return [
            tuple(r.get(k) for k in keys)
            for r in run.results
            if r["check"] == "odbc" and r["level"] in levels
        ]

    def messages(self, run, level="error"):
        return [message for _, _, message, _, _ in self.told(run, level)]

    def driver(self, name, *needed):
        return self.write("opt/" + name, make(needed=needed))


class Registered(OdbcTest):
    def test_a_driver_whose_file_is_gone(self):
        ini = "[Gone]\nDescription = x\nDriver = /opt/gone/libgone.so\n"
        message = "the ODBC driver `Gone` needs `/opt/gone/libgone.so`, which is missing"
        missing = [
            {"kind": "library", "name": "/opt/gone/libgone.so", "packages": [], "phase": "run"}
        ]
        remedy = "install the driver, or correct `{}`".format(self.path("etc", "odbcinst.ini"))
        # Only what a flow names must be there.
        for drivers, level, code in [([], "warning", 0), ([named("gone")], "error", 1)]:
            run = self.odbc(ini, drivers=drivers)
            self.assertEqual(
                self.told(run, "error", "warning"), [(level, "Gone", message, remedy, missing)]
            )
            self.assertEqual(run.code, code)

    def test_a_driver_that_lacks_a_library(self):
        path = self.driver("libtds.so", "libtds-part.so.1", "libc.so.6")
        run = self.odbc("[FreeTDS]\nDriver={}\n".format(path))
        message = "the ODBC driver `FreeTDS` needs `libtds-part.so.1`, which is missing"
        missing = [
            {"kind": "library", "name": "libtds-part.so.1", "packages": ["tds-part"], "phase": "run"}
        ]
        remedy = "add `tds-part` to `system_packages`"
        wanted = [("error", "FreeTDS", message, remedy, missing)]
        self.assertEqual(self.told(run, "error", "warning", "ok"), wanted)

    def test_a_driver_that_can_be_loaded(self):
        path = self.driver("libtds.so", "libc.so.6")
        run = self.odbc("# all\n[ODBC]\nTrace=No\n[Good One]\n driver = {}\n".format(path))
        wanted = [("ok", "Good One", "the ODBC driver `Good One` can be loaded", None, None)]
        self.assertEqual(self.told(run, "error", "warning", "ok"), wanted)
        self.assertEqual(run.code, 0)

    def test_sections_and_lines_that_are_no_drivers(self):
        ini = (
            "Driver = /gone/0\n[ODBC]\nDriver = /gone/1\n[ODBC Drivers]\nX = Installed\n"
            "Driver = /gone/2\n[Commented]\n;Driver = /gone/3\n#Driver=/gone/4\nSetup=/gone/5\n"
            "[Empty]\nDriver =\n[broken\nDriver=\n"
        )
        self.assertEqual(self.told(self.odbc(ini), "error", "warning", "ok"), [])

    def test_the_entry_for_64_bits_wins(self):
        good = self.driver("libtds.so", "libc.so.6")
        for ini in ("Driver=/gone\nDriver64={}\n", "Driver64={}\nDriver=/gone\n"):
            run = self.odbc("[A]\n" + ini.format(good))
            self.assertEqual(self.messages(run), [], ini)

    def test_a_driver_without_a_folder_is_searched_as_libraries_are(self):
        self.driver("libtds.so", "libc.so.6")
        ini = "[A]\nDriver=libtds.so\n[B]\nDriver=libno-such-driver.so\n"
        run = self.odbc(ini, LD_LIBRARY_PATH=self.path("opt"))
        text = "the ODBC driver `B` needs `libno-such-driver.so`, which is missing"
        self.assertEqual(self.messages(run, "warning"), [text])

    def test_where_the_registry_is(self):
        self.write("other/drivers.ini", "[Gone]\nDriver=/gone\n")
        self.write("bin/odbcinst", "#!/bin/sh\necho 'unixODBC 2.3.11'\n"
                   "echo 'DRIVERS............: {}'\n".format(self.path("other", "drivers.ini")))
        os.chmod(self.path("bin", "odbcinst"), 0o755)
        for environment in (
            {"ODBCSYSINI": self.path("other"), "ODBCINSTINI": "drivers.ini"},
            {"ODBCSYSINI": "", "ODBCINSTINI": self.path("other", "drivers.ini")},
            {"ODBCSYSINI": "", "PATH": self.path("bin") + ":" + os.environ["PATH"]},
        ):
            run = self.odbc(**environment)
            self.assertEqual(len(self.messages(run, "warning")), 1, environment)

    def test_without_the_check_of_libraries_files_are_not_looked_at(self):
        run = self.odbc("[Gone]\nDriver=/gone\n", libraries=False)
        self.assertEqual(self.told(run, "error", "warning"), [])


class Named(OdbcTest):
    def test_a_name_that_is_registered_in_whatever_case(self):
        path = self.driver("libtds.so", "libc.so.6")
        run = self.odbc("[FreeTDS]\nDriver={}\n".format(path), drivers=[named("freetds", "tdsodbc")])
        self.assertEqual(self.messages(run), [])
        self.assertIn("the ODBC driver `freetds` is registered", self.messages(run, "ok"))

    def test_names_that_are_not_registered_and_what_brings_them(self):
        recipe = "recipes = { mssql-odbc = { version = 18, accept_eula = true } }"
        generic = "install it and register it in `{}`".format(self.path("etc", "odbcinst.ini"))
        table = [
            (named("FreeTDS", "tdsodbc"), "add `tdsodbc` to `system_packages`", ["tdsodbc"]),
            (named("Any", "odbc-any"), "add `odbc-any` to `system_packages`", ["odbc-any"]),
            (named("ODBC Driver 18", recipe=recipe), "add to the spec: " + recipe, []),
            (named("Amazon Redshift"), generic, []),
            (named(self.path("opt", "absent.so")), generic, []),
        ]
        run = self.odbc("[Else]\n", drivers=[driver for driver, _, _ in table])
        wanted = []
        for driver, remedy, packages in table:
            name = driver["name"]
            message = "the ODBC driver `{}`, which a flow names, is not registered".format(name)
            missing = {"kind": "odbc-driver", "name": name, "packages": packages, "phase": "run"}
            wanted.append(("error", name, message, remedy, [missing]))
        self.assertEqual(self.told(run, "error", "warning", "ok"), wanted)
        self.assertEqual(run.code, 1)

    def test_of_several_names_one_is_enough(self):
        path = self.driver("libtds.so", "libc.so.6")
        names = ["ODBC Driver 18 for SQL Server", "FreeTDS"]
        drivers = [named(name) for name in names]
        run = self.odbc("[FreeTDS]\nDriver={}\n".format(path), drivers=drivers)
        self.assertEqual(self.messages(run), [])
        self.assertEqual([told[1] for told in self.told(run, "warning")], names[:1])
        self.assertEqual(run.code, 0)

    def test_a_driver_named_by_its_file_needs_no_name(self):
        path = self.driver("libtds.so", "libc.so.6")
        self.assertEqual(self.told(self.odbc(drivers=[named(path)]), "error"), [])


if __name__ == "__main__":
    unittest.main()
