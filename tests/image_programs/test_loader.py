"""Tests of `flowstorage_loader.py`: libraries are found where a loader finds them, nowhere else."""

import os
import sys

from elf_files import AARCH64, I386, X86_64, cache, make
from support import PROGRAMS, ProgramTest

sys.dont_write_bytecode = True
sys.path.insert(0, PROGRAMS)

import flowstorage_loader as loader  # noqa: E402

KIND = (2, 1, X86_64)
GLIBC = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"


class LoaderTest(ProgramTest):
    """The test's folder stands for the root of an image."""

    def library(self, name, kind=KIND, **parts):
        return self.write(name, make(kind=kind, **parts))

    def loader(self, library_path=None, interpreter=GLIBC, **parts):
        program = self.library("usr/bin/python", interpreter=interpreter, **parts)
        environment = {"LD_LIBRARY_PATH": library_path} if library_path is not None else {}
        return loader.Loader(program, self.folder, environment)

    def found(self, image, name, *chain):
        """Returns where a library is found, below the test's folder."""
        path = image.find(name, [image.elf(each) for each in chain])
        return path and os.path.relpath(path, self.folder)

    def missing(self, image, path):
        return [(each.name, os.path.basename(each.by.path)) for each in image.load(path).missing]


class Order(LoaderTest):
    def test_the_places_are_asked_in_the_order_of_glibc(self):
        places = ["of file", "of loading file", "of program", "variable", "in cache", "usr/lib"]
        for place in places:
            self.library(place + "/libx.so")
        cached = cache([("libx.so", "/in cache/libx.so")])
        self.write("etc/ld.so.cache", cached)
        image = self.loader(self.path("variable"), rpath=self.path("of program"))
        first = self.library("first.so", rpath=self.path("of file"))
        second = self.library("second.so", rpath=self.path("of loading file"))
        chain = (first, second, image.program.path)
        for place in places:
            fresh = loader.Loader(
                image.program.path, self.folder, {"LD_LIBRARY_PATH": self.path("variable")}
            )
            self.assertEqual(self.found(fresh, "libx.so", *chain), place + "/libx.so")
            os.remove(self.path(place, "libx.so"))
        fresh = loader.Loader(image.program.path, self.folder, {})
        self.assertIsNone(self.found(fresh, "libx.so", *chain))

    def test_a_runpath_comes_after_the_variable_and_silences_all_rpaths(self):
        for place in ("variable", "of file", "of program"):
            self.library(place + "/libx.so")
        image = self.loader(self.path("variable"), rpath=self.path("of program"))
        file = self.library("first.so", runpath=self.path("of file"))
        chain = (file, image.program.path)
        self.assertEqual(self.found(image, "libx.so", *chain), "variable/libx.so")
        image = self.loader("", rpath=self.path("of program"))
        self.assertEqual(self.found(image, "libx.so", *chain), "of file/libx.so")
        os.remove(self.path("of file", "libx.so"))
        image = self.loader("", rpath=self.path("of program"))
        self.assertIsNone(self.found(image, "libx.so", *chain))

    def test_a_runpath_is_not_inherited_and_an_rpath_is(self):
        self.library("deep/liba.so", needed=["libb.so"])
        self.library("deep/libb.so")
        by_rpath = self.library("one.so", needed=["liba.so"], rpath="$ORIGIN/deep")
        by_runpath = self.library("two.so", needed=["liba.so"], runpath="$ORIGIN/deep")
        image = self.loader()
        self.assertEqual(self.missing(image, by_rpath), [])
        self.assertEqual(self.missing(image, by_runpath), [("libb.so", "liba.so")])

    def test_what_is_loaded_already_answers_by_its_soname(self):
        self.library("deep/libb.so.1.2", soname="libb.so.1")
        self.library("deep/liba.so", needed=["libb.so.1"])
        runpath = {"runpath": "$ORIGIN/deep"}
        good = self.library("good.so", needed=["libb.so.1.2", "liba.so"], **runpath)
        bad = self.library("bad.so", needed=["liba.so"], **runpath)
        image = self.loader()
        self.assertEqual(self.missing(image, good), [])
        self.assertEqual(self.missing(image, bad), [("libb.so.1", "liba.so")])

    def test_what_the_program_loads_is_there_for_every_module(self):
        self.library("opt/python/lib/libpython3.so.1.0", soname="libpython3.so.1.0")
        module = self.library("module.so", needed=["libpython3.so.1.0"])
        program = {"needed": ["libpython3.so.1.0"], "runpath": "$ORIGIN/../../opt/python/lib"}
        self.assertEqual(self.missing(self.loader(**program), module), [])
        self.assertEqual(
            self.missing(self.loader(), module), [("libpython3.so.1.0", "module.so")]
        )


class Places(LoaderTest):
    def test_the_loaders_variables(self):
        self.library("a/lib/x86_64-linux-gnu/libx.so")
        for text in ("$ORIGIN/$LIB", "${ORIGIN}/${LIB}", self.path("a") + "/$LIB"):
            file = self.library("a/first.so", needed=["libx.so"], rpath=text)
            self.assertEqual(self.missing(self.loader(), file), [], text)
        self.library("a/{}/liby.so".format(os.uname().machine))
        file = self.library("a/first.so", needed=["liby.so"], runpath="$ORIGIN/$PLATFORM")
        self.assertEqual(self.missing(self.loader(), file), [])

    def test_origin_is_the_folder_under_which_the_file_was_found(self):
        self.library("real/first.so", needed=["libx.so"], runpath="$ORIGIN")
        self.library("linked/libx.so")
        os.symlink(self.path("real", "first.so"), self.path("linked", "first.so"))
        image = self.loader()
        self.assertEqual(self.missing(image, self.path("linked", "first.so")), [])
        self.assertEqual(
            self.missing(image, self.path("real", "first.so")), [("libx.so", "first.so")]
        )

    def test_the_folders_of_the_system(self):
        for number, folder in enumerate(
            ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64", "lib"]
        ):
            self.library("{}/lib{}.so".format(folder, number))
        self.library("usr/local/lib/liblocal.so")
        self.library("usr/lib/aarch64-linux-gnu/libother.so")
        file = self.library(
            "x.so", needed=["lib{}.so".format(n) for n in range(5)] + ["liblocal.so", "libother.so"]
        )
        lacking = [("liblocal.so", "x.so"), ("libother.so", "x.so")]
        self.assertEqual(self.missing(self.loader(), file), lacking)

    def test_several_entries_of_the_variable(self):
        self.library("b/libx.so")
        file = self.library("x.so", needed=["libx.so"])
        for text in ("{}:{}", "{};{}"):
            image = self.loader(text.format(self.path("a"), self.path("b")))
            self.assertEqual(self.missing(image, file), [], text)

    def test_a_name_with_a_slash_is_a_path(self):
        self.library("a/libx.so")
        there = self.library("y.so", needed=[self.path("a", "libx.so"), "$ORIGIN/a/libx.so"])
        absent = self.path("b", "libx.so")
        gone = self.library("z.so", needed=[absent])
        image = self.loader()
        self.assertEqual(self.missing(image, there), [])
        self.assertEqual(self.missing(image, gone), [(absent, "z.so")])


class Cache(LoaderTest):
    def cached(self, data):
        self.library("opt/libx.so.1")
        self.write("etc/ld.so.cache", data)
        return self.found(self.loader(), "libx.so.1")

    def test_both_byte_orders_and_an_older_format_before_it(self):
        entries = [("liby.so", "/nowhere"), ("libx.so.1", "/opt/libx.so.1")]
        old = b"ld.so-1.7.0\0" + b"\0" * 20
        for data in (cache(entries), cache(entries, ">"), cache(entries, before=old)):
            self.assertEqual(self.cached(data), "opt/libx.so.1")

    def test_of_several_entries_the_first_that_fits_is_taken(self):
        self.library("opt32/libx.so.1", kind=(1, 1, I386))
        entries = [
            ("libx.so.1", "/gone/libx.so.1"),
            ("libx.so.1", "/opt32/libx.so.1"),
            ("libx.so.1", "/opt/libx.so.1"),
        ]
        self.assertEqual(self.cached(cache(entries)), "opt/libx.so.1")

    def test_a_broken_cache_is_none(self):
        whole = cache([("libx.so.1", "/opt/libx.so.1")])
        lying = whole[:20] + b"\xff\xff\xff\xff" + whole[24:]
        for data in (b"", whole[:40], whole[:60], b"x" * 100, whole.replace(b"1.1", b"9.9", 1)):
            self.assertIsNone(self.cached(data))
        self.assertEqual(self.cached(lying), "opt/libx.so.1")


class Kinds(LoaderTest):
    def test_a_file_of_another_kind_is_passed_by(self):
        for folder, kind in (("a", (1, 1, I386)), ("b", (2, 1, AARCH64)), ("c", (2, 2, X86_64))):
            self.library(folder + "/libx.so", kind=kind)
        self.write("d/libx.so", "GROUP ( -lx )\n")
        folders = [self.path(folder) for folder in "abcd"]
        file = self.library("x.so", needed=["libx.so"], rpath=":".join(folders))
        self.assertEqual(self.missing(self.loader(), file), [("libx.so", "x.so")])
        self.library("e/libx.so")
        file = self.library("y.so", needed=["libx.so"], rpath=":".join(folders + [self.path("e")]))
        self.assertEqual(self.missing(self.loader(), file), [])


class Graphs(LoaderTest):
    def test_circles_end_and_each_lack_is_named_once(self):
        self.library("a/liba.so", needed=["libb.so", "libgone.so"])
        self.library("a/libb.so", needed=["liba.so", "libgone.so"])
        file = self.library("a/x.so", needed=["liba.so"], rpath="$ORIGIN")
        image = self.loader()
        self.assertEqual(self.missing(image, file), [("libgone.so", "liba.so")])
        loaded = [os.path.basename(path) for path in image.load(file).loaded]
        self.assertEqual(loaded, ["x.so", "liba.so", "libb.so"])

    def test_a_file_that_is_none_brings_nothing(self):
        graph = self.loader().load(self.write("x.so", "text"))
        self.assertEqual((graph.loaded, graph.missing, graph.too_old), ({}, [], []))


class Versions(LoaderTest):
    def too_old(self, image, path):
        return [
            (os.path.basename(file.path), os.path.basename(library.path), version)
            for file, library, version in image.load(path).too_old
        ]

    def test_a_version_that_the_library_lacks(self):
        self.library("usr/lib/libc.so.6", defined=["GLIBC_2.2.5", "GLIBC_2.36"])
        self.library("usr/lib/libplain.so")
        versions = [("libc.so.6", "GLIBC_2.2.5"), ("libc.so.6", "GLIBC_2.38")]
        versions += [("libplain.so", "P_1"), ("libgone.so", "G_1")]
        needed = ["libc.so.6", "libplain.so", "libgone.so"]
        file = self.library("x.so", needed=needed, versions=versions)
        self.assertEqual(self.too_old(self.loader(), file), [("x.so", "libc.so.6", "GLIBC_2.38")])

    def test_a_weak_version_may_lack(self):
        self.library("usr/lib/libc.so.6", defined=["GLIBC_2.36"])
        file = self.library("x.so", needed=["libc.so.6"], weak=[("libc.so.6", "GLIBC_2.38")])
        self.assertEqual(self.too_old(self.loader(), file), [])

    def test_what_the_program_has_loaded_is_compared_too(self):
        self.library("usr/lib/libc.so.6", defined=["GLIBC_2.36"])
        file = self.library("x.so", needed=["libc.so.6"], versions=[("libc.so.6", "GLIBC_2.38")])
        image = self.loader(needed=["libc.so.6"])
        self.assertEqual(self.too_old(image, file), [("x.so", "libc.so.6", "GLIBC_2.38")])


class Musl(LoaderTest):
    def musl(self, library_path=None, **parts):
        return self.loader(library_path, MUSL, **parts)

    def test_its_own_folders_and_no_cache(self):
        self.library("opt/libcached.so")
        self.write("etc/ld.so.cache", cache([("libcached.so", "/opt/libcached.so")]))
        for folder in ("lib", "usr/local/lib", "usr/lib"):
            self.library("{}/lib{}.so".format(folder, folder.count("/")))
        file = self.library("x.so", needed=["lib0.so", "lib1.so", "lib2.so", "libcached.so"])
        self.assertEqual(self.missing(self.musl(), file), [("libcached.so", "x.so")])

    def test_a_file_says_the_folders(self):
        for text in ("/opt/a\n/opt/b\n", "/opt/a:/opt/b"):
            self.write("etc/ld-musl-x86_64.path", text)
            self.library("opt/b/libx.so")
            self.library("lib/libgone.so")
            file = self.library("x.so", needed=["libx.so", "libgone.so"])
            self.assertEqual(self.missing(self.musl(), file), [("libgone.so", "x.so")])

    def test_both_kinds_of_paths_are_inherited_and_come_after_the_variable(self):
        self.library("deep/liba.so", needed=["libb.so"])
        self.library("deep/libb.so")
        self.library("variable/liba.so")
        file = self.library("x.so", needed=["liba.so"], runpath="$ORIGIN/deep")
        self.assertEqual(self.missing(self.musl(), file), [])
        chain = (file, self.musl().program.path)
        image = self.musl(self.path("variable"))
        self.assertEqual(self.found(image, "liba.so", *chain), "variable/liba.so")

    def test_the_loader_is_its_own_c_library(self):
        needed = ["libc.so", "libpthread.so.0", "libm.so.6", "libcrypt.so.1"]
        file = self.library("x.so", needed=needed, versions=[("libc.so", "GLIBC_2.38")])
        self.assertEqual(self.missing(self.musl(), file), [("libcrypt.so.1", "x.so")])
        self.assertEqual(self.musl().load(file).too_old, [])


class ThisMachine(LoaderTest):
    def test_everything_that_this_python_has_loaded_is_found(self):
        image = loader.Loader()
        self.assertEqual([each.name for each in image.load(image.program.path).missing], [])
        import _ctypes

        graph = image.load(_ctypes.__file__)
        self.assertEqual([each.name for each in graph.missing], [])
        with open("/proc/self/maps") as file:
            mapped = {os.path.realpath(line.split()[-1]) for line in file if "/" in line}
        found = {os.path.realpath(path) for path in graph.loaded}
        self.assertTrue(found <= mapped, found - mapped)


if __name__ == "__main__":
    import unittest

    unittest.main()
