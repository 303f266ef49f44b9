"""Makes ELF files byte by byte, so that tests need no compiler and can have any machine.

**Invariant**: addresses differ from places in the file, as a reader that mixes them up must fail.
"""

import os
import struct
import sys

BASE = 0x10000
X86_64, AARCH64, I386, PPC, S390 = 62, 183, 3, 20, 22


def own_kind():
    """Returns the class, the byte order and the machine of the Python that runs the tests."""
    with open(os.path.realpath(sys.executable), "rb") as file:
        head = file.read(20)
    order = "<" if head[5] == 1 else ">"
    return (head[4], head[5], struct.unpack_from(order + "H", head, 18)[0])


def make(
    needed=(),
    soname=None,
    rpath=None,
    runpath=None,
    versions=(),
    defined=(),
    interpreter=None,
    exports=(),
    kind=None,
    weak=(),
    file_type=3,
):
    """Returns the bytes of an ELF file.

    `versions` are pairs of a library and a version that it must define; those of `weak` may lack.
    """
    wide, order = _shape(kind or own_kind())
    machine = (kind or own_kind())[2]
    texts = _Texts()
    entries = [(1, texts.at(name)) for name in needed]
    for tag, text in ((14, soname), (15, rpath), (29, runpath)):
        if text is not None:
            entries.append((tag, texts.at(text)))
    for name in exports:
        texts.at(name)
    needs = _version_needs(order, texts, versions, weak)
    defs = _version_definitions(order, texts, defined)
    strings = texts.data
    head = 64 if wide else 52
    segment = 56 if wide else 32
    count = 3 if interpreter else 2
    place = head + segment * count
    pieces = []

    def put(data):
        nonlocal place
        pieces.append(data + b"\0" * (-len(data) % 8))
        at, place = place, place + len(pieces[-1])
        return at

    strings_at = put(strings)
    entries += [(5, BASE + strings_at), (10, len(strings))]
    if versions or weak:
        entries += [(0x6FFFFFFE, BASE + put(needs)), (0x6FFFFFFF, _groups(versions, weak))]
    if defined:
        entries += [(0x6FFFFFFC, BASE + put(defs)), (0x6FFFFFFD, len(defined) + 1)]
    entries.append((0, 0))
    shape = order + ("qQ" if wide else "iI")
    dynamic = b"".join(struct.pack(shape, *entry) for entry in entries)
    dynamic_at = put(dynamic)
    segments = [(2, dynamic_at, len(dynamic))]
    if interpreter:
        text = interpreter.encode() + b"\0"
        segments.append((3, put(text), len(text)))
    segments.insert(0, (1, 0, place))
    table = b"".join(_segment(order, wide, *each) for each in segments)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + b"\0" * 9
    numbers = order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH")
    rest = struct.pack(
        numbers, file_type, machine, 1, 0, head, 0, 0, head, segment, len(segments), 0, 0, 0
    )
    return ident + rest + table + b"".join(pieces)


def cache(entries, order="<", before=b""):
    """Returns a cache of the loader that leads names to paths."""
    texts = b""
    rows = b""
    place = 48 + 24 * len(entries)
    for name, path in entries:
        name, path = name.encode() + b"\0", path.encode() + b"\0"
        rows += struct.pack(order + "iIIIQ", 0x303, place, place + len(name), 0, 0)
        texts += name + path
        place += len(name) + len(path)
    head = b"glibc-ld.so.cache1.1" + struct.pack(order + "II", len(entries), len(texts))
    head += bytes([2 if order == "<" else 3]) + b"\0" * 19
    return before + head + rows + texts


class _Texts:
    def __init__(self):
        self.data = b"\0"

    def at(self, text):
        place = len(self.data)
        self.data += text.encode() + b"\0"
        return place


def _shape(kind):
    return kind[0] == 2, "<" if kind[1] == 1 else ">"


def _segment(order, wide, what, start, length):
    if wide:
        values = (what, 4, start, BASE + start, BASE + start, length, length, 8)
        return struct.pack(order + "IIQQQQQQ", *values)
    values = (what, start, BASE + start, BASE + start, length, length, 4, 8)
    return struct.pack(order + "IIIIIIII", *values)


def _groups(versions, weak):
    return len(dict.fromkeys(library for library, _ in list(versions) + list(weak)))


def _version_needs(order, texts, versions, weak):
    groups = {}
    for library, version in versions:
        groups.setdefault(library, []).append((version, 0))
    for library, version in weak:
        groups.setdefault(library, []).append((version, 2))
    data = b""
    for at, (library, names) in enumerate(groups.items()):
        following = 16 + 16 * len(names) if at + 1 < len(groups) else 0
        data += struct.pack(order + "HHIII", 1, len(names), texts.at(library), 16, following)
        for number, (name, flags) in enumerate(names):
            step = 16 if number + 1 < len(names) else 0
            data += struct.pack(order + "IHHII", 0, flags, 2, texts.at(name), step)
    return data


def _version_definitions(order, texts, defined):
    data = b""
    names = ["the file itself"] + list(defined)
    for number, name in enumerate(names):
        following = 28 if number + 1 < len(names) else 0
        flags = 1 if number == 0 else 0
        data += struct.pack(order + "HHHHIII", 1, flags, number + 1, 1, 0, 20, following)
        data += struct.pack(order + "II", texts.at(name), 0)
    return data
