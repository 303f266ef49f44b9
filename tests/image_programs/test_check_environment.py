"""Tests of `check_environment.py`, on distributions made of a few files in a folder."""

import os
import shutil
import subprocess
import sys
import unittest

from support import DATA, PROGRAMS, ProgramTest

VERSION = "{}.{}.{}".format(*sys.version_info[:3])


class EnvironmentTest(ProgramTest):
    """One folder `site` on PYTHONPATH stands for site-packages."""

    def install(self, name, files, top_level=None, version="1.0", **metadata):
        """Lays out a distribution as an installer does."""
        info = "{}-{}.dist-info".format(name.replace("-", "_"), version)
        for path, text in files.items():
            self.write("site/" + path, text)
        rows = list(files) + [info + "/RECORD", "../../../bin/tool"]
        self.write("site/{}/RECORD".format(info), "".join(p + ",sha256=x,1\n" for p in rows))
        if top_level is not None:
            self.write("site/{}/top_level.txt".format(info), top_level)
        for key, text in metadata.items():
            self.write("site/{}/{}.txt".format(info, key), text)

    def check(self, *names, **spec):
        """Runs the program with a uv that finds nothing wrong, unless the spec has another."""
        spec.setdefault("uv", self.fake_uv("uv-pip-check-clean.txt", 0))
        spec["dependencies"] = [{"name": n, "requirement": n + ">=1"} for n in names]
        path = spec.pop("PYTHONPATH", self.path("site"))
        return self.run_program("check_environment.py", spec, PYTHONPATH=path)

    def fake_uv(self, recording, code):
        """Returns a program that says what uv said when its output was recorded."""
        path = self.path("uv-{}".format(code))
        script = "#!/bin/sh\necho \"$@\" > '{}'\ncat '{}' >&2\nexit {}\n".format(
            self.path("uv-arguments"), os.path.join(DATA, recording), code
        )
        self.write(os.path.basename(path), script)
        os.chmod(path, 0o755)
        return path


class PythonVersion(EnvironmentTest):
    def test_agrees_on_as_many_parts_as_the_spec_names(self):
        for wanted in (None, VERSION, VERSION.rsplit(".", 1)[0]):
            run = self.check(python_version=wanted)
            self.assertEqual((run.code, run.of("error")), (0, []), wanted)

    def test_a_part_is_compared_whole(self):
        for wanted in ("3.1", "2.7", VERSION + "1"):
            run = self.check(python_version=wanted)
            text = "the image has Python {}, the spec says {}".format(VERSION, wanted)
            self.assertEqual(run.of("error", "python-version"), [("python", text)])
            self.assertEqual(run.code, 1)
            self.assertIn("base_image", run.results[0]["remedy"])


class Imports(EnvironmentTest):
    def imported(self, run):
        self.assertEqual(run.of("error"), [])
        return run.of("ok", "import")

    def test_installed_names_are_taken_from_the_installer_not_from_the_distribution(self):
        self.install("PyYAML", {"yaml/__init__.py": "", "_yaml/__init__.py": "boom"}, "_yaml\nyaml\n")
        self.install("python-dateutil", {"dateutil/__init__.py": ""})
        self.install("Six.Like", {"six_like.py": "", "helper/__init__.py": ""})
        run = self.check("pyyaml", "Python_DateUtil", "six-like")
        self.assertEqual(
            self.imported(run),
            [
                ("pyyaml", "imports `yaml`"),
                ("Python_DateUtil", "imports `dateutil`"),
                ("six-like", "imports `helper`, `six_like`"),
            ],
        )

    def test_strays_are_not_imported_beside_a_package(self):
        boom = "raise RuntimeError('boom')"
        files = {"real/__init__.py": "", "tests/__init__.py": boom, "examples/run.py": boom}
        files.update({"setup.py": boom, "_private.py": boom, "x.pth": "", "share/x.py": boom})
        self.install("real", files)
        self.install("listed", {"listed.py": ""}, "listed\ntests\ngone\n")
        self.install("stale", {"_stale.py": ""}, "_stale\ngone\n")
        run = self.check("real", "listed", "stale")
        self.assertEqual(
            self.imported(run),
            [
                ("real", "imports `real`"),
                ("listed", "imports `listed`"),
                ("stale", "imports `_stale`"),
            ],
        )

    def test_a_private_module_is_imported_where_there_is_no_other(self):
        self.install("cffi-like", {"_cffi_like.py": "raise ImportError('no backend')"})
        run = self.check("cffi-like")
        self.assertEqual(
            run.of("error"), [("cffi-like", "importing `_cffi_like` failed: no backend")]
        )

    def test_a_namespace_package_is_entered(self):
        boom = "raise ImportError('inner')"
        self.install("google-cloud-a", {"google/cloud/a/__init__.py": boom}, "google\n")
        self.install("google-cloud-b", {"google/cloud/b/__init__.py": "", "google/cloud/b/x.py": boom})
        self.install(
            "old-style",
            {"old/__init__.py": "", "old/style.py": boom},
            "old\n",
            namespace_packages="old\n",
        )
        run = self.check("google-cloud-a", "google-cloud-b", "old-style")
        self.assertEqual(
            run.of("error"),
            [
                ("google-cloud-a", "importing `google.cloud.a` failed: inner"),
                ("old-style", "importing `old.style` failed: inner"),
            ],
        )
        self.assertEqual(
            run.of("ok", "import"), [("google-cloud-b", "imports `google.cloud.b`")]
        )

    def test_a_distribution_without_modules_passes(self):
        self.install("types-requests", {"requests-stubs/__init__.pyi": ""})
        self.install("just-data", {"data/x.json": "", "bin.sh": ""})
        run = self.check("types-requests", "just-data")
        self.assertEqual([text for _, text in self.imported(run)], ["it has nothing to import"] * 2)

    def test_an_egg_info_lists_its_files_beside_it(self):
        self.write("site/legacy_dist-2.0-py3.6.egg-info/installed-files.txt", "../legacy/__init__.py\n")
        self.write("site/legacy/__init__.py", "raise ImportError('legacy')")
        self.write("site/by_name-1.egg-info/top_level.txt", "by_name_module\n")
        self.write("site/by_name_module.py", "raise ImportError('by name')")
        run = self.check("legacy-dist", "by-name")
        self.assertEqual(
            run.of("error"),
            [
                ("legacy-dist", "importing `legacy` failed: legacy"),
                ("by-name", "importing `by_name_module` failed: by name"),
            ],
        )

    def test_an_extension_module_that_cannot_be_loaded_is_found(self):
        suffix = __import__("importlib.machinery").machinery.EXTENSION_SUFFIXES[0]
        self.install("native", {"native" + suffix: b"not a library"})
        run = self.check("native")
        self.assertEqual([subject for subject, _ in run.of("error")], ["native"])
        self.assertIn("importing `native` failed: ", run.of("error")[0][1])

    def test_a_missing_distribution_is_an_error_and_the_rest_is_still_checked(self):
        self.install("there", {"there.py": ""})
        run = self.check("absent", "there")
        self.assertEqual(run.of("error"), [("absent", "distribution `absent` is not installed")])
        self.assertEqual(run.of("ok", "import"), [("there", "imports `there`")])
        self.assertEqual(run.code, 1)

    def test_an_excluded_distribution_is_not_imported(self):
        self.install("Needs-Gpu", {"needs_gpu.py": "raise SystemExit('gpu')"})
        run = self.check("needs_gpu", exclude=["NEEDS.GPU"])
        self.assertEqual(self.imported(run), [("needs_gpu", "not imported, as the spec asks")])

    def test_a_module_of_that_name_elsewhere_is_no_proof(self):
        self.write("site/pyodbc.py", "")
        run = self.check("pyodbc")
        self.assertEqual(run.of("error"), [("pyodbc", "distribution `pyodbc` is not installed")])


class Causes(EnvironmentTest):
    def cause_of(self, source):
        self.install("victim", {"victim.py": source})
        run = self.check("victim")
        self.assertEqual(run.code, 1)
        failed = [r for r in run.results if r["level"] == "error"]
        self.assertEqual(len(failed), 1)
        lead = "importing `victim` failed: "
        self.assertEqual(failed[0]["message"][: len(lead)], lead)
        return failed[0]["message"][len(lead) :], failed[0]["remedy"], run

    def test_a_missing_shared_library_names_its_package(self):
        text = "libodbc.so.2: cannot open shared object file: No such file or directory"
        cause, remedy, run = self.cause_of("raise ImportError({!r})".format(text))
        self.assertEqual(cause, "libodbc.so.2: cannot open shared object file")
        self.assertEqual(remedy, "find it with: apt-file search libodbc.so.2")
        self.assertIn("raise ImportError", run.output)
        self.assertNotIn("flowstorage_probe", run.output)

    def test_a_missing_shared_library_is_found_under_a_page_of_advice(self):
        source = (
            "try:\n    raise OSError('libblas.so.3: cannot open shared object file')\n"
            "except OSError as error:\n"
            "    raise ImportError('\\n\\nIMPORTANT: PLEASE READ THIS\\n\\n') from error\n"
        )
        cause, remedy, _ = self.cause_of(source)
        self.assertEqual(cause, "libblas.so.3: cannot open shared object file")
        self.assertEqual(remedy, "find it with: apt-file search libblas.so.3")

    def test_the_loader_of_alpine_words_it_otherwise(self):
        text = "Error loading shared library libpq.so.5: No such file or directory (needed by /x.so)"
        _, remedy, _ = self.cause_of("raise ImportError({!r})".format(text))
        self.assertEqual(remedy, "find it with: apt-file search libpq.so.5")

    def test_a_missing_module(self):
        cause, remedy, _ = self.cause_of("import nowhere.inner")
        self.assertEqual(cause, "No module named `nowhere`")
        self.assertIn("python_dependencies", remedy)

    def test_a_page_of_text_becomes_its_first_line(self):
        cause, remedy, _ = self.cause_of("raise ValueError('first\\nsecond')")
        self.assertEqual((cause, remedy), ("ValueError: first", None))

    def test_exits_and_interrupts_are_failures(self):
        self.assertEqual(self.cause_of("import sys; sys.exit(0)")[0], "SystemExit: 0")
        self.assertEqual(self.cause_of("raise KeyboardInterrupt")[0], "KeyboardInterrupt")
        cause, _, _ = self.cause_of("import os; os._exit(0)")
        self.assertEqual(cause, "the process ended itself with status 0")

    def test_a_crash_names_the_signal(self):
        cause, _, _ = self.cause_of("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        self.assertEqual(cause, "the process was killed by SIGSEGV")

    def test_output_without_an_end_of_line_and_odd_names_leave_results_whole(self):
        self.install("chatty", {"chatty.py": "import os; os.write(1, b'no end')"})
        self.install("odd", {"odd.py": "raise RuntimeError('\\udcff \\u00e9')"})
        run = self.check("chatty", "odd")
        self.assertEqual(run.of("ok", "import"), [("chatty", "imports `chatty`")])
        self.assertEqual(
            run.of("error"), [("odd", "importing `odd` failed: RuntimeError: \\xff \u00e9")]
        )
        self.assertIn("no end", run.output.splitlines())


class Modules(EnvironmentTest):
    def test_modules_on_the_path_are_imported_and_the_rest_is_ignored(self):
        boom = "raise ImportError('boom')"
        good = self.write("opt/good.py")
        bad = self.write("opt/bad.py", boom)
        deep = self.write("opt/package/inner.py", boom)
        self.write("opt/package/__init__.py")
        off_path = self.write("elsewhere/off.py", boom)
        table = self.write("opt/table.csv")
        missing = self.path("opt", "missing.py")
        run = self.check(
            modules=[good, bad, deep, self.path("opt", "package"), off_path, table, missing],
            PYTHONPATH=self.path("opt"),
        )
        self.assertEqual(
            run.of("error"),
            [
                (bad, "importing `bad` failed: boom"),
                (deep, "importing `package.inner` failed: boom"),
                (missing, "`{}` is not in the image".format(missing)),
            ],
        )
        self.assertEqual(
            run.of("ok", "module"),
            [(good, "imports `good`"), (self.path("opt", "package"), "imports `package`")],
        )

    def test_a_folder_of_modules_is_imported_whole(self):
        self.write("opt/one.py")
        self.write("opt/two/__init__.py")
        self.write("opt/space/leaf.py")
        run = self.check(modules=[self.path("opt")], PYTHONPATH=self.path("opt"))
        self.assertEqual(
            run.of("ok", "module"), [(self.path("opt"), "imports `one`, `space.leaf`, `two`")]
        )

    def test_our_own_files_hide_no_module_of_the_user(self):
        path = self.write("opt/flows.py", "raise ImportError('mine')")
        run = self.check(modules=[path], PYTHONPATH=self.path("opt"))
        self.assertEqual(run.of("error"), [(path, "importing `flows` failed: mine")])


class Conflicts(EnvironmentTest):
    BROKEN = [
        ("a", "the package `a` requires Python >=3.14, but `3.11.7` is installed"),
        (
            "a",
            "the package `a` is broken or incomplete (unable to read `WHEEL` file). Consider "
            "recreating the virtualenv, or removing the package directory at: "
            "/venv/lib/python3.11/site-packages/a-1.0.dist-info",
        ),
        ("a", "the package `a` requires `urllib3<2`, but `2.8.0` is installed"),
        ("a", "the package `a` requires `notthere>=1`, but it's not installed"),
        (
            "b",
            "the package `b` has multiple installed distributions: "
            "/venv/lib/python3.11/site-packages/b-1.0.dist-info "
            "/venv/lib/python3.11/site-packages/b-2.0.dist-info",
        ),
    ]

    def test_every_conflict_is_an_error_of_its_own(self):
        run = self.check(uv=self.fake_uv("uv-pip-check-broken.txt", 1))
        self.assertEqual(run.of("error"), self.BROKEN)
        self.assertEqual(run.code, 1)
        with open(self.path("uv-arguments")) as file:
            self.assertIn("pip check --python {}".format(sys.executable), file.read())

    def test_what_the_base_had_is_a_warning_even_with_another_version_installed(self):
        base = self.write(
            "base.txt",
            "Found 2 incompatibilities\n"
            "The package `a` requires `urllib3<2`, but `2.1.0` is installed\n"
            "The package `a` requires Python >=3.14, but `3.11.7` is installed\n",
        )
        run = self.check(uv=self.fake_uv("uv-pip-check-broken.txt", 1), base_conflicts=base)
        self.assertEqual(run.of("error"), self.BROKEN[1:2] + self.BROKEN[3:])
        self.assertEqual(
            run.of("warning"),
            [(name, text + " (so it was in the base image)") for name, text in
             (self.BROKEN[0], self.BROKEN[2])],
        )

    def test_no_conflict(self):
        run = self.check(base_conflicts=self.path("no such file"))
        self.assertEqual(run.of("ok", "conflict"), [("python", "all distributions fit")])

    def test_pip_answers_where_there_is_no_uv(self):
        self.install("lonely", {"lonely.py": ""})
        self.write(
            "site/lonely-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: lonely\nVersion: 1.0\nRequires-Dist: nowhere-at-all>=2\n",
        )
        for uv in (None, self.path("no such uv"), self.fake_uv("uv-pip-check-clean.txt", 2)):
            run = self.check(uv=uv)
            self.assertEqual(
                run.of("error", "conflict"),
                [("lonely", "lonely 1.0 requires nowhere-at-all, which is not installed")],
            )

    def test_without_uv_and_pip_it_says_that_it_does_not_know(self):
        self.write("site/pip.py", "raise ImportError('no pip here')")
        run = self.check(uv=None)
        self.assertEqual(
            run.of("warning"),
            [("python", "neither uv nor pip could check the installed distributions")],
        )
        self.assertEqual(run.code, 0)


class Surroundings(EnvironmentTest):
    def test_read_only_programs_in_an_odd_folder_without_the_script_on_the_path(self):
        programs = self.path("read only $x")
        shutil.copytree(PROGRAMS, programs)
        spec = self.write("spec.json", "{}")
        command = [sys.executable, "-I", os.path.join(programs, "check_environment.py"), spec]
        os.chmod(programs, 0o555)
        self.addCleanup(os.chmod, programs, 0o755)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(sorted(os.listdir(programs)), sorted(os.listdir(PROGRAMS)))


if __name__ == "__main__":
    unittest.main()
