"""Tests of `flowstorage_elf.py`, on files made byte by byte and on what hostile hands make of them."""

import os
import random
import struct
import sys
import time
import unittest

from elf_files import AARCH64, I386, PPC, S390, X86_64, make
from support import PROGRAMS, ProgramTest

sys.dont_write_bytecode = True
sys.path.insert(0, PROGRAMS)

import flowstorage_elf as elf  # noqa: E402

KINDS = [(2, 1, X86_64), (2, 1, AARCH64), (1, 1, I386), (1, 2, PPC), (2, 2, S390)]


class ElfTest(ProgramTest):
    def read(self, data, name="lib.so"):
        return elf.read(self.write(name, data))

    def seen(self, found):
        """Returns all that was read, as one value."""
        return (
            found.kind,
            found.interpreter,
            found.needed,
            found.soname,
            found.rpath,
            found.runpath,
            found.versions,
            sorted(found.defined),
        )


class Reading(ElfTest):
    def test_everything_is_read_in_both_classes_and_both_byte_orders(self):
        for kind in KINDS:
            data = make(
                needed=["libb.so.2", "liba.so.1", "libb.so.2"],
                soname="libself.so.3",
                runpath="$ORIGIN/x:/y",
                versions=[("liba.so.1", "A_1"), ("liba.so.1", "A_2"), ("libb.so.2", "B_1")],
                defined=["SELF_1", "SELF_2"],
                interpreter="/lib64/ld.so",
                kind=kind,
            )
            versions = [("liba.so.1", "A_1"), ("liba.so.1", "A_2"), ("libb.so.2", "B_1")]
            self.assertEqual(
                self.seen(self.read(data)),
                (
                    kind,
                    "/lib64/ld.so",
                    ["libb.so.2", "liba.so.1"],
                    "libself.so.3",
                    [],
                    ["$ORIGIN/x", "/y"],
                    versions,
                    ["SELF_1", "SELF_2"],
                ),
            )

    def test_a_file_that_needs_nothing(self):
        kind = KINDS[0]
        expected = (kind, None, [], None, [], [], [], [])
        self.assertEqual(self.seen(self.read(make(kind=kind))), expected)

    def test_beside_a_runpath_the_rpath_does_not_count(self):
        found = self.read(make(rpath="/old", runpath="/new"))
        self.assertEqual((found.rpath, found.runpath), ([], ["/new"]))
        found = self.read(make(rpath="/old:"))
        self.assertEqual((found.rpath, found.runpath), (["/old", ""], []))

    def test_a_version_that_may_lack_is_not_needed(self):
        found = self.read(make(versions=[("liba.so", "A_1")], weak=[("liba.so", "A_9")]))
        self.assertEqual(found.versions, [("liba.so", "A_1")])

    def test_names_are_bytes_of_any_kind(self):
        data = make(needed=["libX.so"]).replace(b"libX.so", b"lib\xff.so")
        self.assertEqual(self.read(data).needed, [os.fsdecode(b"lib\xff.so")])

    def test_a_long_table_of_names_is_read_where_names_are_needed(self):
        exports = ["symbol_{}".format(number) for number in range(9000)]
        long = "lib{}.so".format("x" * 600)
        path = self.write("lib.so", make(needed=["first.so", long], soname="s", exports=exports))
        self.assertGreater(os.path.getsize(path), 1 << 16)
        found = elf.read(path)
        self.assertEqual((found.needed, found.soname), (["first.so", long], "s"))
        self.assertTrue(elf.exports(path, "symbol_8999"))
        self.assertFalse(elf.exports(path, "symbol_9000"))

    def test_exports_are_whole_names(self):
        path = self.write("lib.so", make(exports=["PyInit_spam_and_eggs", "xPyInit_ham"]))
        asked = ["PyInit_spam_and_eggs", "PyInit_spam", "PyInit_ham", "and_eggs"]
        self.assertEqual([elf.exports(path, name) for name in asked], [True, False, False, False])


class NoElf(ElfTest):
    def test_other_files_are_none(self):
        good = make()
        for data in (
            b"",
            b"\x7fELF",
            b"#!/bin/sh\n",
            b"INPUT(-lm)\n" * 50,
            good[:51],
            b"\x7fELG" + good[4:],
            good[:4] + b"\x03" + good[5:],
            good[:5] + b"\x00" + good[6:],
            make(file_type=1),
            make(file_type=4),
        ):
            self.assertIsNone(self.read(data), data[:20])

    def test_folders_pipes_and_nothing_are_none_at_once(self):
        pipe = self.path("pipe.so")
        os.mkfifo(pipe)
        started = time.time()
        for path in (pipe, self.folder, self.path("absent.so"), "/dev/zero", "nul\0.so"):
            self.assertIsNone(elf.read(path))
            self.assertFalse(elf.exports(path, "x"))
        self.assertLess(time.time() - started, 5)

    def test_counts_that_lie_are_bounded(self):
        wide = [(2, 1, X86_64)] * 2
        data = bytearray(make(kind=wide[0], versions=[("liba.so", "A_1")], defined=["S_1"]))
        # The chain of versions leads back to itself for as often as the count allows.
        for tag, at, value in ((0x6FFFFFFE, 12, 0), (0x6FFFFFFC, 16, 0)):
            spot = data.find(struct.pack("<q", tag))
            address = struct.unpack_from("<Q", data, spot + 8)[0] - 0x10000
            struct.pack_into("<I", data, address + at, value or 0)
        for tag in (0x6FFFFFFF, 0x6FFFFFFD, 10):
            spot = data.find(struct.pack("<q", tag))
            struct.pack_into("<Q", data, spot + 8, 2**64 - 1)
        struct.pack_into("<H", data, 56, 0xFFFF)
        started = time.time()
        self.read(bytes(data))
        self.assertLess(time.time() - started, 5)

    def test_chains_that_never_end_are_followed_for_a_while(self):
        data = bytearray(make(kind=(2, 1, X86_64), versions=[("liba.so", "A_1")], defined=["S_1"]))
        for tag, count_tag, following in ((0x6FFFFFFE, 0x6FFFFFFF, 12), (0x6FFFFFFC, 0x6FFFFFFD, 16)):
            spot = data.find(struct.pack("<q", tag))
            address = struct.unpack_from("<Q", data, spot + 8)[0] - 0x10000
            # 2**32 is no step; the smallest one walks through the file a byte at a time.
            struct.pack_into("<I", data, address + following, 1)
            spot = data.find(struct.pack("<q", count_tag))
            struct.pack_into("<Q", data, spot + 8, 2**63)
        started = time.time()
        self.read(bytes(data))
        self.assertLess(time.time() - started, 5)

    def test_two_thousand_broken_files_neither_raise_nor_hang(self):
        chance = random.Random(4)
        whole = [
            make(
                needed=["libb.so.2", "liba.so.1"],
                soname="libself.so.3",
                rpath="$ORIGIN",
                versions=[("liba.so.1", "A_1"), ("libb.so.2", "B_1")],
                defined=["SELF_1"],
                interpreter="/lib/ld.so",
                exports=["PyInit_x"],
                kind=kind,
            )
            for kind in KINDS
        ]
        sound = 0
        started = time.time()
        for number in range(2000):
            data = bytearray(chance.choice(whole))
            if number % 4 == 0:
                del data[chance.randrange(len(data)) :]
            for _ in range(chance.randrange(0 if number % 4 == 0 else 1, 9)):
                if data:
                    # The first half kilobyte holds the headers and all that leads further.
                    at = chance.randrange(min(len(data), chance.choice((64, 512, len(data)))))
                    data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            path = self.write("broken.so", bytes(data))
            found = elf.read(path)
            elf.exports(path, "PyInit_x")
            sound += found is not None
        self.assertLess(time.time() - started, 60)
        # The loop would prove nothing if every file failed at its first byte.
        self.assertGreater(sound, 200)
        self.assertLess(sound, 1990)


class RealFiles(ElfTest):
    def test_the_python_of_this_machine_is_read(self):
        found = elf.read(os.path.realpath(sys.executable))
        self.assertIn(found.kind[0], (1, 2))
        self.assertTrue(os.path.exists(found.interpreter), found.interpreter)
        libc = [name for name in found.needed if name.startswith(("libc.", "libpython"))]
        self.assertTrue(libc, found.needed)


if __name__ == "__main__":
    unittest.main()
