"""Reads what an ELF file says to the loader: which libraries and versions it needs, and from where.

**Invariant**: nothing that a file holds can run, raise, or take more than a bounded time and space;
what is no sound ELF file reads as None.
"""

import os
import stat
import struct

# Bounds far above what real files have: the largest libraries of deep learning need dozens.
_MOST_SEGMENTS = 256
_MOST_ENTRIES = 4096
_MOST_VERSIONS = 4096
_LONGEST_TEXT = 4096
_STRINGS_READ_WHOLE = 1 << 16
_STRINGS_SEARCHED = 1 << 26

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ = 0, 1, 5, 10
_DT_SONAME, _DT_RPATH, _DT_RUNPATH = 14, 15, 29
_DT_VERDEF, _DT_VERDEFNUM, _DT_VERNEED, _DT_VERNEEDNUM = (
    0x6FFFFFFC,
    0x6FFFFFFD,
    0x6FFFFFFE,
    0x6FFFFFFF,
)
_SHARED_OR_EXECUTABLE = (2, 3)
_VERSION_IS_THE_FILE_ITSELF = 1
_VERSION_IS_WEAK = 2


class Elf:
    """One program or shared library."""

    def __init__(self, path, kind):
        self.path = path
        # Class, byte order and machine: a process loads only files that agree in all of them.
        self.kind = kind
        self.interpreter = None
        self.needed = []
        self.soname = None
        self.rpath = []
        self.runpath = []
        # Pairs of a library and a version that it must define.
        self.versions = []
        self.defined = frozenset()


def read(path):
    """Returns the ELF file at `path`, or None."""
    file = _File.opened(path)
    if file is None:
        return None
    try:
        return _read(path, file)
    except (OSError, struct.error, _Unsound):
        return None
    finally:
        file.close()


def exports(path, symbol):
    """Returns whether the file has a dynamic symbol of that name, defined or not."""
    file = _File.opened(path)
    if file is None:
        return False
    try:
        layout = _Layout(file)
        wanted = b"\0" + symbol.encode("utf-8", "surrogateescape") + b"\0"
        return file.has(wanted, layout.strings, min(layout.strings_size, _STRINGS_SEARCHED))
    except (OSError, struct.error, _Unsound):
        return False
    finally:
        file.close()


class _Unsound(Exception):
    """The file contradicts itself."""


class _File:
    """A regular file that is read piece by piece: a library may have gigabytes."""

    def __init__(self, descriptor, size):
        self.descriptor = descriptor
        self.size = size

    @classmethod
    def opened(cls, path):
        try:
            # Opening a pipe would wait for whoever writes to it.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):
            return None
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return cls(descriptor, status.st_size)
        os.close(descriptor)
        return None

    def close(self):
        os.close(self.descriptor)

    def piece(self, offset, length):
        """Returns up to `length` bytes; fewer at the end of the file."""
        if not 0 <= offset < self.size or length <= 0:
            return b""
        return os.pread(self.descriptor, min(length, self.size - offset), offset)

    def has(self, wanted, offset, length):
        end = min(offset + length, self.size)
        step = 1 << 20
        while offset < end:
            if wanted in self.piece(offset, min(step + len(wanted), end - offset)):
                return True
            offset += step
        return False


class _Layout:
    """Where the parts of the file lie that the loader reads."""

    def __init__(self, file):
        self.file = file
        head = file.piece(0, 64)
        if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
            raise _Unsound
        self.wide = head[4] == 2
        self.order = "<" if head[5] == 1 else ">"
        kind, machine = struct.unpack_from(self.order + "HH", head, 16)
        if kind not in _SHARED_OR_EXECUTABLE:
            raise _Unsound
        self.kind = (head[4], head[5], machine)
        offset = self._number(head, 32 if self.wide else 28)
        size, count = struct.unpack_from(self.order + "HH", head, 54 if self.wide else 42)
        if size != (56 if self.wide else 32):
            raise _Unsound
        self.loaded = []
        self.interpreter = None
        self.dynamic = {}
        self.needed = []
        dynamic = None
        table = file.piece(offset, size * min(count, _MOST_SEGMENTS))
        for at in range(0, len(table) - size + 1, size):
            what, start, address, length = self._segment(table, at)
            if what == _PT_LOAD:
                self.loaded.append((address, length, start))
            elif what == _PT_DYNAMIC:
                dynamic = (start, length)
            elif what == _PT_INTERP:
                self.interpreter = file.piece(start, min(length, _LONGEST_TEXT))
        if dynamic is not None:
            self._read_dynamic(*dynamic)
        self.strings_size = self.dynamic.get(_DT_STRSZ, 0)
        self.strings = self.offset(self.dynamic[_DT_STRTAB]) if _DT_STRTAB in self.dynamic else None
        if self.strings is None:
            self.strings = self.strings_size = 0
        # Most files have few names, which one read fetches at once.
        whole = self.strings_size <= _STRINGS_READ_WHOLE
        self._kept = file.piece(self.strings, self.strings_size) if whole else b""

    def offset(self, address):
        """Returns where in the file the loaded address lies, or None."""
        for start, length, offset in self.loaded:
            if start <= address < start + length:
                return offset + address - start
        return None

    def text(self, at):
        """Returns a text of the string table."""
        if not 0 <= at < self.strings_size:
            raise _Unsound
        if self._kept:
            data = self._kept[at : at + _LONGEST_TEXT]
        else:
            data = self.file.piece(self.strings + at, 256)
            if b"\0" not in data:
                data = self.file.piece(self.strings + at, _LONGEST_TEXT)
        return os.fsdecode(data.split(b"\0")[0])

    def _segment(self, table, at):
        if self.wide:
            what, _, start, address, _, length = struct.unpack_from(self.order + "IIQQQQ", table, at)
        else:
            what, start, address, _, length = struct.unpack_from(self.order + "IIIII", table, at)
        return what, start, address, length

    def _read_dynamic(self, start, length):
        size = 16 if self.wide else 8
        table = self.file.piece(start, min(length, size * _MOST_ENTRIES))
        entry = struct.Struct(self.order + ("qQ" if self.wide else "iI"))
        for at in range(0, len(table) - size + 1, size):
            tag, value = entry.unpack_from(table, at)
            if tag == _DT_NULL:
                break
            if tag == _DT_NEEDED:
                self.needed.append(value)
            else:
                self.dynamic[tag] = value

    def _number(self, data, at):
        return struct.unpack_from(self.order + ("Q" if self.wide else "I"), data, at)[0]


def _read(path, file):
    layout = _Layout(file)
    elf = Elf(path, layout.kind)
    if layout.interpreter is not None:
        elf.interpreter = os.fsdecode(layout.interpreter.split(b"\0")[0])
    dynamic = layout.dynamic
    elf.needed = list(dict.fromkeys(layout.text(at) for at in layout.needed))
    if _DT_SONAME in dynamic:
        elf.soname = layout.text(dynamic[_DT_SONAME])
    if _DT_RUNPATH in dynamic:
        # The loader looks at one of the two.
        elf.runpath = layout.text(dynamic[_DT_RUNPATH]).split(":")
    elif _DT_RPATH in dynamic:
        elf.rpath = layout.text(dynamic[_DT_RPATH]).split(":")
    elf.versions = list(_needed_versions(layout))
    elf.defined = frozenset(_defined_versions(layout))
    return elf


def _needed_versions(layout):
    """Yields pairs of a library and a version of it; those that may be missing are left out."""
    left = _MOST_VERSIONS
    for at, record in _records(layout, _DT_VERNEED, _DT_VERNEEDNUM, "HHIII", 12):
        _, count, file, first, _ = record
        library = layout.text(file)
        at += first
        for _ in range(count):
            left -= 1
            data = layout.file.piece(at, 16)
            if left < 0 or len(data) < 16:
                return
            _, flags, _, name, following = struct.unpack(layout.order + "IHHII", data)
            if not flags & _VERSION_IS_WEAK:
                yield library, layout.text(name)
            if following == 0:
                break
            at += following


def _defined_versions(layout):
    for at, record in _records(layout, _DT_VERDEF, _DT_VERDEFNUM, "HHHHIII", 16):
        _, flags, _, _, _, first, _ = record
        data = layout.file.piece(at + first, 8)
        if len(data) == 8 and not flags & _VERSION_IS_THE_FILE_ITSELF:
            yield layout.text(struct.unpack(layout.order + "II", data)[0])


def _records(layout, table, number, shape, last):
    """Yields the records of a chain with their places; `last` is where each names the next."""
    if table not in layout.dynamic:
        return
    at = layout.offset(layout.dynamic[table])
    record = struct.Struct(layout.order + shape)
    for _ in range(min(layout.dynamic.get(number, 0), _MOST_VERSIONS)):
        data = layout.file.piece(at, record.size) if at is not None else b""
        if len(data) < record.size:
            return
        yield at, record.unpack(data)
        following = struct.unpack_from(layout.order + "I", data, last)[0]
        if following == 0:
            return
        at += following
