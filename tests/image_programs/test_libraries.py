"""Tests of the check of shared libraries, on distributions whose ELF files are made byte by byte."""

import importlib.machinery
import os
import unittest

from elf_files import AARCH64, S390, make, own_kind
from test_check_environment import EnvironmentTest

TAGGED = importlib.machinery.EXTENSION_SUFFIXES[0]
ABI3 = ".abi3.so"
SONAMES = "soname\tbookworm\ttrixie\nlibgone.so.1\tgone-libs,gone-more\t-\nlibmagic.so.1\tlibmagic1\t=\n"
GONE = "add `gone-libs` and `gone-more` to `system_packages`"


def module(*needed, **parts):
    """Returns an extension module; its function is named `x` unless `name` says otherwise."""
    name = parts.pop("name", "x")
    return make(needed=needed, exports=["PyInit_" + name], **parts)


class LibraryTest(EnvironmentTest):
    def libraries(self, **spec):
        """Runs the check of libraries alone; returns its run."""
        spec.setdefault("sonames", self.write("sonames.tsv", SONAMES))
        return self.check(libraries=True, conflicts=False, **spec)

    def of(self, run, level):
        """Returns subject, message and remedy of the results on libraries."""
        return [
            (r["subject"], r["message"], r["remedy"])
            for r in run.results
            if (r["level"], r["check"]) == (level, "library")
        ]

    def told(self, run):
        """Returns level, library and distribution of all that is missing."""
        return [
            (r["level"], need["name"], r["subject"])
            for r in run.results
            for need in r.get("missing", [])
        ]


class Levels(LibraryTest):
    def test_what_a_module_needs_is_an_error_with_its_packages(self):
        self.install("py-gone", {"gone" + TAGGED: module("libgone.so.1")})
        run = self.libraries()
        self.assertEqual(run.code, 1)
        self.assertEqual(
            [r for r in run.results if r["check"] == "library"],
            [
                {
                    "level": "error",
                    "check": "library",
                    "subject": "py-gone",
                    "message": "`libgone.so.1`, needed by `py-gone`, is missing",
                    "remedy": GONE,
                    "missing": [
                        {
                            "kind": "library",
                            "name": "libgone.so.1",
                            "packages": ["gone-libs", "gone-more"],
                            "phase": "run",
                        }
                    ],
                }
            ],
        )

    def test_a_library_that_no_table_knows(self):
        self.install("odd", {"odd" + TAGGED: module("libodd.so.7")})
        run = self.libraries()
        self.assertEqual(
            self.of(run, "error"),
            [
                (
                    "odd",
                    "`libodd.so.7`, needed by `odd`, is missing",
                    "find it with: apt-file search libodd.so.7",
                )
            ],
        )
        self.assertEqual(run.results[-1]["missing"][0]["packages"], [])

    def test_all_names_of_modules_count_and_strays_do_not(self):
        names = ["a" + TAGGED, "b" + ABI3, "pkg/sub/x.so", "pkg/deep" + TAGGED]
        strays = [
            "pkg/libx.so",
            "pkg/not-a-name" + TAGGED,
            "pkg/y.cpython-27-i386-linux-gnu.so",
            "pkg.data/plugin" + TAGGED,
            "libs/x.so.1.2",
        ]
        files = {}
        for number, name in enumerate(names + strays):
            files[name] = module("liblost{}.so".format(number))
        self.install("many", files)
        told = self.told(self.libraries())
        errors = ["liblost{}.so".format(number) for number in range(len(names))]
        self.assertEqual([name for level, name, _ in told if level == "error"], errors)
        self.assertEqual(len([1 for level, _, _ in told if level == "warning"]), len(strays))

    def test_a_plain_so_is_a_module_only_with_the_function_of_one(self):
        files = {"real.so": module("liba.so", name="real"), "other.so": module("libb.so", name="no")}
        self.install("plain", files)
        told = [("error", "liba.so", "plain"), ("warning", "libb.so", "plain")]
        self.assertEqual(self.told(self.libraries()), told)

    def test_programs_are_warned_of_and_scripts_are_none(self):
        self.install("tool", {"tool.py": "", "pkg/bin/run": make(needed=["libgone.so.1"])})
        run = self.libraries()
        self.assertEqual(self.told(run), [("warning", "libgone.so.1", "tool")])
        self.assertEqual(run.code, 0)

    def test_warnings_come_last_and_many_of_them_are_one(self):
        names = ["liblost{:02}.so".format(number) for number in range(9)]
        self.install("plugins", {"plugins.py": "", "plugins/libp.so": make(needed=names)})
        run = self.libraries()
        wanted = [
            ("plugins", "`{}`, needed by `plugins`, is missing".format(name)) for name in names[:4]
        ]
        rest = ", ".join("`{}`".format(name) for name in names[4:])
        text = "5 more libraries, needed by parts of `plugins`, are missing: " + rest
        self.assertEqual(run.of("warning"), wanted + [("plugins", text)])
        self.assertEqual([name for _, name, _ in self.told(run)], names)

    def test_many_warnings_hide_no_error_that_comes_after_them(self):
        names = ["liblost{}.so".format(number) for number in range(7)]
        files = {"x" + TAGGED: module("libzlast.so"), "p/libp.so": make(needed=names)}
        self.install("plugins", files)
        run = self.libraries()
        self.assertEqual(
            run.of("error"), [("plugins", "`libzlast.so`, needed by `plugins`, is missing")]
        )
        self.assertEqual(len(run.of("warning")), 5)

    def test_five_warnings_are_five(self):
        names = ["liblost{}.so".format(number) for number in range(5)]
        self.install("plugins", {"plugins.py": "", "plugins/libp.so": make(needed=names)})
        wanted = ["`{}`, needed by `plugins`, is missing".format(name) for name in names]
        self.assertEqual([text for _, text in self.libraries().of("warning")], wanted)

    def test_each_library_is_told_once_for_each_distribution_at_its_gravest(self):
        two = {"a" + TAGGED: module("libgone.so.1"), "b" + TAGGED: module("libgone.so.1")}
        self.install("one", dict(two, **{"one/libplugin.so": make(needed=["libgone.so.1"])}))
        self.install("two", {"c" + TAGGED: module("libgone.so.1")})
        told = [("error", "libgone.so.1", "one"), ("error", "libgone.so.1", "two")]
        self.assertEqual(self.told(self.libraries()), told)

    def test_nothing_is_told_where_nothing_is_missing(self):
        self.install("fine", {"fine" + TAGGED: module("libc.so.6"), "fine/libx.so": make()})
        # What stands beside it in the interpreter's own folders is not this test's affair.
        run = self.libraries()
        self.assertEqual(run.code, 0)
        self.assertEqual(self.told(run), [])
        message = [text for subject, text in run.of("ok", "library") if subject == "python"][0]
        self.assertRegex(message, r"^the libraries of \d+ files are there$")

    def test_the_check_can_be_off_and_leave_distributions_out(self):
        self.install("Py_Gone", {"gone" + TAGGED: module("libgone.so.1")})
        self.assertEqual(self.told(self.check(libraries=False)), [])
        self.assertEqual(self.told(self.libraries(exclude=["py.gone"])), [])


class Bundled(LibraryTest):
    def test_bundled_libraries_are_followed_to_what_they_lack(self):
        files = {
            "pkg/x" + TAGGED: module("libown-0a1b2c3d.so.1", rpath="$ORIGIN/../pkg.libs"),
            "pkg.libs/libown-0a1b2c3d.so.1": make(needed=["libgone.so.1"]),
        }
        self.install("pkg", files)
        self.assertEqual(self.told(self.libraries()), [("error", "libgone.so.1", "pkg")])

    def test_a_bundled_library_that_the_loader_does_not_find_is_loaded_first_by_the_package(self):
        files = {
            "pkg/x" + TAGGED: module("libown.so.1"),
            "pkg/lib/libown.so.1": make(needed=["libgone.so.1"]),
        }
        self.install("pkg", files)
        self.assertEqual(self.told(self.libraries()), [("error", "libgone.so.1", "pkg")])

    def test_a_bundled_library_that_a_module_loads_is_not_loaded_alone(self):
        # Alone, it lacks the module's path.
        self.write("opt/libfar.so", make())
        rpath = "$ORIGIN/../pkg.libs:" + self.path("opt")
        files = {
            "pkg/x" + TAGGED: module("libown.so.1", rpath=rpath),
            "pkg.libs/libown.so.1": make(needed=["libfar.so"]),
        }
        self.install("pkg", files)
        self.assertEqual(self.told(self.libraries()), [])

    def test_a_library_of_another_distribution_is_there(self):
        self.install("torch-like", {"torch/_C" + TAGGED: module("libcudart.so.12")})
        self.install("nvidia-cuda", {"nvidia/cuda/lib/libcudart.so.12": make()})
        self.assertEqual(self.told(self.libraries()), [])

    def test_what_another_distributions_library_lacks_is_told_of_that_one(self):
        rpath = "$ORIGIN/../qt/lib"
        self.install("addons", {"addons/x" + TAGGED: module("libqt.so.6", rpath=rpath)})
        self.install("qt", {"qt/lib/libqt.so.6": make(needed=["libgone.so.1"])})
        self.assertEqual(self.told(self.libraries()), [("error", "libgone.so.1", "qt")])
        self.assertEqual(self.told(self.libraries(exclude=["qt"])), [])
        # Of itself it is a library like others that nothing imports.
        told = [("warning", "libgone.so.1", "qt")]
        self.assertEqual(self.told(self.libraries(exclude=["addons"])), told)

    def test_libraries_of_the_host_of_a_gpu_are_never_missing(self):
        drivers = ["libcuda.so.1", "libcuda.so", "libnvidia-ml.so.1", "libnvcuvid.so.1"]
        drivers += ["libnvidia-encode.so.1", "libnvoptix.so.1"]
        others = ["libcudart.so.12", "libnvidia.so.1"]
        self.install("gpu", {"gpu" + TAGGED: module(*(drivers + others))})
        told = [("error", name, "gpu") for name in others]
        self.assertEqual(self.told(self.libraries()), told)

    def test_files_for_other_machines_are_no_part_of_the_image(self):
        machine = AARCH64 if own_kind()[2] != AARCH64 else S390
        kind = own_kind()[:2] + (machine,)
        self.install("cross", {"cross" + TAGGED: module("libgone.so.1", kind=kind)})
        self.install("text", {"text" + TAGGED: "not a library", "folder/x.so.1/y": ""})
        self.assertEqual(self.told(self.libraries()), [])

    def test_a_library_folder_in_the_environment_counts(self):
        self.write("opt/libgone.so.1", make())
        self.install("py-gone", {"gone" + TAGGED: module("libgone.so.1")})
        spec = {"libraries": True, "conflicts": False}
        paths = {"PYTHONPATH": self.path("site"), "LD_LIBRARY_PATH": self.path("opt")}
        run = self.run_program("check_environment.py", spec, **paths)
        self.assertEqual(self.told(run), [])


class Optional(LibraryTest):
    def levels(self, source, **files):
        """Installs a distribution whose module `_fast` lacks a library; returns the levels told."""
        layout = {"pkg/_fast" + TAGGED: module("libgone.so.1"), "pkg/__init__.py": source}
        layout.update({name.replace("__", "/") + ".py": text for name, text in files.items()})
        self.install("pkg", layout)
        return [level for level, _, _ in self.told(self.libraries())]

    def test_a_module_is_optional_where_its_failure_is_caught(self):
        for handler in ("ImportError", "(ValueError, OSError)", "Exception", ""):
            source = "try:\n    from . import _fast\nexcept {}:\n    _fast = None\n".format(handler)
            self.assertEqual(self.levels(source), ["warning"], handler)
        source = (
            "def best():\n    if True:\n        try:\n            import pkg._fast as f\n"
            "        except ImportError:\n            return None\n"
        )
        self.assertEqual(self.levels(source), ["warning"])

    def test_it_is_needed_where_the_failure_goes_on(self):
        caught = "try:\n    from . import _fast\nexcept ImportError:\n    pass\n"
        for source in (
            "",
            "import other\n",
            "from . import _fast\n",
            "from pkg._fast import go\n",
            "from . import (\n    a,\n    _fast,\n)\n",
            "def later():\n    import pkg._fast\n",
            caught + "from . import _fast\n",
            "try:\n    from . import _fast\nexcept ImportError as e:\n    raise RuntimeError from e\n",
            "try:\n    from . import _fast\nexcept KeyError:\n    pass\n",
            caught + "try:\n    pass\nexcept ImportError:\n    from . import _fast\n",
            "try:\n    pass\nexcept ImportError:\n    pass\nelse:\n    from . import _fast\n",
            "try:\n    from . import _fast\nfinally:\n    pass\n",
            "from . import _fast\nthis is no Python\n",
        ):
            self.assertEqual(self.levels(source), ["error"], source)

    def test_another_file_decides_too_but_tests_do_not(self):
        caught = "try:\n    from . import _fast\nexcept ImportError:\n    pass\n"
        needs = "from . import _fast\n"
        self.assertEqual(self.levels(caught, pkg__later=needs), ["error"])
        several = "from . import (\n    a,\n    _fast,\n)\n"
        self.assertEqual(self.levels(caught, pkg__later=several), ["error"])
        self.assertEqual(self.levels(caught, pkg__tests__test_it=needs), ["warning"])
        self.assertEqual(self.levels(needs, pkg__earlier=caught), ["error"])

    def test_a_name_in_a_string_is_loaded_if_it_is_wanted(self):
        self.assertEqual(self.levels("load('pkg._fast')\n"), ["warning"])
        self.assertEqual(self.levels('NAMES = ["_fast"]\n'), ["warning"])
        self.assertEqual(self.levels("load('pkg._fast')\nfrom . import _fast\n"), ["error"])
        self.assertEqual(self.levels("load('pkg._faster')\n"), ["error"])

    def test_of_builds_for_several_releases_an_image_has_one(self):
        files = {
            "pkg/_ffmpeg{}{}".format(n, TAGGED): module("libav.so.{}".format(n)) for n in (4, 5)
        }
        files["pkg/_other4" + TAGGED] = module("libother.so")
        self.install("pkg", files)
        told = [("error", "libother.so", "pkg")]
        told += [("warning", "libav.so.{}".format(n), "pkg") for n in (4, 5)]
        self.assertEqual(self.told(self.libraries()), told)


class TooOld(LibraryTest):
    def glibc(self):
        return os.confstr("CS_GNU_LIBC_VERSION")

    def test_the_newest_version_of_a_family_is_told(self):
        versions = [("libc.so.6", "GLIBC_2.{}".format(n)) for n in (900, 1001, 999)]
        self.install("new", {"new" + TAGGED: module("libc.so.6", versions=versions)})
        run = self.libraries()
        message = "`GLIBC_2.1001`, needed by `new`, is newer than the image's " + self.glibc()
        remedy = "take a base_image with a newer system: this build needs `GLIBC_2.1001`"
        self.assertEqual(self.of(run, "error"), [("new", message, remedy)])
        self.assertEqual(run.code, 1)

    def test_another_library_is_named(self):
        files = {
            "pkg/x" + TAGGED: module("libcxx.so", versions=[("libcxx.so", "CXX_9")], rpath="$ORIGIN"),
            "pkg/libcxx.so": make(soname="libcxx.so", defined=["CXX_1"]),
        }
        self.install("pkg", files)
        message = "`CXX_9`, needed by `pkg`, is newer than the image's `libcxx.so`"
        self.assertEqual([text for _, text, _ in self.of(self.libraries(), "error")], [message])

    def test_a_stray_file_is_a_warning_unless_a_module_wants_the_same(self):
        stray = make(needed=["libc.so.6"], versions=[("libc.so.6", "GLIBC_2.1001")])
        self.install("new", {"new.py": "", "new/libplugin.so": stray})
        run = self.libraries()
        self.assertEqual((len(run.of("warning", "library")), run.code), (1, 0))
        wanted = module("libc.so.6", versions=[("libc.so.6", "GLIBC_2.999")])
        self.install("new", {"x" + TAGGED: wanted, "new/libplugin.so": stray})
        run = self.libraries()
        texts = [text.split(",")[0] for _, text in run.of("error", "library")]
        self.assertEqual((texts, run.of("warning", "library")), (["`GLIBC_2.999`"], []))


class Once(LibraryTest):
    """A module's real import fails too: the file is not one that the real loader takes."""

    def test_an_import_that_fails_for_a_library_already_told_is_not(self):
        text = "libgone.so.1: cannot open shared object file: No such file or directory"
        source = "raise ImportError({!r})".format(text)
        self.install("py-gone", {"gone.py": source, "_gone" + TAGGED: module("libgone.so.1")})
        self.install("wrapper", {"wrapper.py": source})
        run = self.run_on("py-gone", "wrapper")
        self.assertEqual(self.told(run), [("error", "libgone.so.1", "py-gone")])
        self.assertEqual(run.code, 1)

    def run_on(self, *names):
        sonames = self.write("sonames.tsv", SONAMES)
        return self.check(*names, libraries=True, conflicts=False, sonames=sonames)

    def test_an_import_that_fails_for_another_reason_is_told(self):
        files = {"gone.py": "raise ImportError('other')", "_gone" + TAGGED: module("libgone.so.1")}
        self.install("py-gone", files)
        run = self.run_on("py-gone")
        self.assertEqual([r["check"] for r in run.results if r["level"] == "error"], ["library", "import"])

    def test_an_import_says_more_than_a_warning(self):
        text = "libgone.so.1: cannot open shared object file: No such file or directory"
        source = "raise OSError({!r})".format(text)
        self.install("boost", {"boost.py": source, "boost/libboost.so": make(needed=["libgone.so.1"])})
        run = self.run_on("boost")
        wanted = [
            {
                "level": "error",
                "check": "import",
                "subject": "boost",
                "message": "importing `boost` failed: libgone.so.1: cannot open shared object file",
                "remedy": GONE,
                "missing": [
                    {
                        "kind": "library",
                        "name": "libgone.so.1",
                        "packages": ["gone-libs", "gone-more"],
                        "phase": "run",
                    }
                ],
            }
        ]
        self.assertEqual([r for r in run.results if r["level"] != "ok"], wanted)

    def test_a_library_that_is_named_without_its_file_name(self):
        for text in (
            "failed to find libmagic.  Check your installation",
            "Unable to find magic shared library",
            "cannot load library 'libmagic-1': and so on",
            'no library called "magic" was found',
            "Magic library not found",
        ):
            self.install("seer", {"seer.py": "raise ImportError({!r})".format(text)})
            run = self.run_on("seer")
            self.assertEqual(self.told(run), [("error", "libmagic.so.1", "seer")], text)
            remedies = [r["remedy"] for r in run.results if r["level"] == "error"]
            self.assertEqual(remedies, ["add `libmagic1` to `system_packages`"], text)
        for text in ("failed to find libother", "the pandas library not found", "find magic"):
            self.install("seer", {"seer.py": "raise ImportError({!r})".format(text)})
            self.assertEqual(self.told(self.run_on("seer")), [], text)


class Speed(LibraryTest):
    def test_a_thousand_modules_take_little_time(self):
        needed = ["libc.so.6", "libm.so.6", "libown.so.1"]
        files = {
            "big/m{}/x{}".format(n, TAGGED): module(*needed, rpath="$ORIGIN/../../big.libs")
            for n in range(1000)
        }
        files["big.libs/libown.so.1"] = make(needed=["libz.so.1"])
        self.install("big", files)
        before = os.times()
        self.assertEqual(self.libraries().of("error", "library"), [])
        after = os.times()
        # Processor time, as others may use the machine; a real environment has half as many.
        self.assertLess(after.children_user - before.children_user, 3)


if __name__ == "__main__":
    unittest.main()
