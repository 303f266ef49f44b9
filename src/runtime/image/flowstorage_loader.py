"""Finds shared libraries as the image's own loader does: glibc's, or musl's on Alpine.

**Invariant**: reads files and names of folders only; a library that it finds is one that the
loader would take for a file of the process's own class, byte order and machine.
"""

import copy
import os
import struct
import sys

import flowstorage_elf as elf

# By machine: what Debian's folders of libraries are called.
_TRIPLETS = {
    3: ("i386-linux-gnu",),
    20: ("powerpc-linux-gnu",),
    21: ("powerpc64le-linux-gnu", "powerpc64-linux-gnu"),
    22: ("s390x-linux-gnu",),
    40: ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    62: ("x86_64-linux-gnu",),
    183: ("aarch64-linux-gnu",),
    243: ("riscv64-linux-gnu",),
    258: ("loongarch64-linux-gnu",),
}
_CACHE_MARK = b"glibc-ld.so.cache1.1"
_CACHE_HEAD = 48
_CACHE_ENTRY = 24
_MUSL_FOLDERS = "/lib:/usr/local/lib:/usr/lib"
# What musl's loader answers with itself.
_PARTS_OF_MUSL = tuple("lib{}.".format(n) for n in "c pthread rt m dl util xnet".split())
# Far more than any real program loads.
_MOST_LOADED = 4096


class Missing:
    """A library that was not found: its name and the file that needs it."""

    def __init__(self, name, by):
        self.name = name
        self.by = by


class Graph:
    """All that the loader brings in for one file."""

    def __init__(self):
        # ELF files, by the path at which they were found.
        self.loaded = {}
        self.missing = []
        # Triples of a file, a library and the version that this library lacks.
        self.too_old = []


class Loader:
    """The loader of one program, by default of this Python.

    `root` stands before the folders of the system, for tests.
    """

    def __init__(self, program=None, root="", environment=None):
        environment = os.environ if environment is None else environment
        self.root = root
        self._elves = {}
        self._files = {}
        self._listings = {}
        self._found = {}
        path = os.path.realpath(program or sys.executable)
        program = elf.read(path)
        self.kind = program.kind if program else None
        self._triplets = _TRIPLETS.get(self.kind[2], ()) if self.kind else ()
        self.program = self.elf(path)
        interpreter = (program.interpreter if program else None) or ""
        self.is_musl = os.path.basename(interpreter).startswith("ld-musl")
        entries = environment.get("LD_LIBRARY_PATH", "").replace(";", ":")
        self._library_path = tuple(e or os.curdir for e in entries.split(":")) if entries else ()
        self._system = self._musl_folders() if self.is_musl else self._default_folders()
        self._cache = {} if self.is_musl else self._read_cache()
        # What the program itself has loaded answers by its name in every later load.
        self._resident = {}
        if self.program:
            self._resident = self._names(self.load(path).loaded.values())

    def elf(self, path):
        """Returns the ELF file at a path, or None; reads each file once, whatever its paths."""
        if path not in self._elves:
            try:
                status = os.stat(path)
                identity = (status.st_dev, status.st_ino)
            except (OSError, ValueError):
                identity = None
            if identity not in self._files:
                self._files[identity] = elf.read(path) if identity else None
            # What the path is called decides about what the file means by `$ORIGIN`.
            found = copy.copy(self._files[identity])
            if found is not None:
                found.path = path
                found.rpath = self._paths(found, found.rpath)
                found.runpath = self._paths(found, found.runpath)
            self._elves[path] = found
        return self._elves[path]

    def load(self, path):
        """Returns what loading the file at `path` brings in, in the loader's order."""
        graph = Graph()
        first = self.elf(path)
        if first is None:
            return graph
        graph.loaded[path] = first
        names = dict(self._resident)
        names.update(self._names([first]))
        # Each with the files that led to it, the nearest first, down to the program.
        programs = [self.program] if self.program and first is not self.program else []
        queue = [(first, [first] + programs)]
        reported = set()
        for file, chain in queue:
            for name in file.needed:
                if name in names:
                    continue
                found = self.find(name, chain)
                if found is None:
                    if name not in reported and not self._is_loader(name):
                        reported.add(name)
                        graph.missing.append(Missing(name, file))
                    continue
                names[name] = found
                if found not in graph.loaded and len(queue) < _MOST_LOADED:
                    library = self.elf(found)
                    graph.loaded[found] = library
                    names.update(self._names([library]))
                    queue.append((library, [library] + chain))
        if not self.is_musl:
            graph.too_old = list(self._too_old(graph, names))
        return graph

    def find(self, name, chain=()):
        """Returns the path of a library that the files of `chain` need, the nearest first."""
        if "/" in name:
            place = self._expanded(name, chain[0] if chain else self.program)[0]
            return place if self._fits(place) else None
        for folders in self._folders(chain):
            found = self._in_folders(folders, name)
            if found:
                return found
        cached = self._cache.get(name, ())
        for path in cached:
            if self._fits(path):
                return path
        return self._in_folders(self._system, name)

    def find_in_system(self, path):
        """Returns where a path of several parts lies below the system's folders of libraries."""
        places = (os.path.join(folder, path) for folder in self._system)
        return next((place for place in places if self._fits(place)), None)

    def _folders(self, chain):
        if self.is_musl:
            yield self._library_path
            for file in chain:
                yield file.runpath or file.rpath
            return
        nearest = chain[0] if chain else None
        if nearest is not None and not nearest.runpath:
            for file in chain:
                yield file.rpath
        yield self._library_path
        if nearest is not None:
            yield nearest.runpath

    def _paths(self, file, entries):
        return tuple(path for entry in entries for path in self._expanded(entry, file))

    def _expanded(self, entry, file):
        """Returns what the loader's own variables make of a path; `$LIB` has several values."""
        if "$" not in entry:
            return [entry or os.curdir]
        origin = os.path.dirname(os.path.abspath(file.path)) if file else os.curdir
        for name in ("$ORIGIN", "${ORIGIN}"):
            entry = entry.replace(name, origin)
        for name in ("$PLATFORM", "${PLATFORM}"):
            entry = entry.replace(name, os.uname().machine)
        if "$LIB" not in entry and "${LIB}" not in entry:
            return [entry]
        places = ["lib/" + triplet for triplet in self._triplets] + ["lib64", "lib"]
        return [entry.replace("${LIB}", place).replace("$LIB", place) for place in places]

    def _in_folders(self, folders, name):
        key = (folders, name)
        if key not in self._found:
            paths = (os.path.join(f, name) for f in folders if name in self._listing(f))
            self._found[key] = next((path for path in paths if self._fits(path)), None)
        return self._found[key]

    def _listing(self, folder):
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(folder))
            except (OSError, ValueError):
                self._listings[folder] = frozenset()
        return self._listings[folder]

    def _fits(self, path):
        found = self.elf(path)
        return found is not None and found.kind == self.kind

    def _is_loader(self, name):
        return self.is_musl and name.startswith(_PARTS_OF_MUSL)

    def _too_old(self, graph, names):
        for file in graph.loaded.values():
            for library, version in file.versions:
                found = self._elves.get(names.get(library))
                # A library without any versions takes the place of every one.
                if found is not None and found.defined and version not in found.defined:
                    yield file, found, version

    def _names(self, files):
        names = {}
        for file in files:
            names[os.path.basename(file.path)] = file.path
            if file.soname:
                names[file.soname] = file.path
        return names

    def _default_folders(self):
        folders = [top + t for t in self._triplets for top in ("/lib/", "/usr/lib/")]
        folders += ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        return tuple(self.root + folder for folder in folders)

    def _musl_folders(self):
        try:
            names = sorted(os.listdir(self.root + "/etc"))
        except OSError:
            names = []
        text = _MUSL_FOLDERS
        for name in names:
            if name.startswith("ld-musl-") and name.endswith(".path"):
                with open(os.path.join(self.root + "/etc", name), "rb") as file:
                    text = os.fsdecode(file.read(1 << 16))
        return tuple(self.root + f.strip() for f in text.replace("\n", ":").split(":") if f.strip())

    def _read_cache(self):
        """Returns the paths that `/etc/ld.so.cache` has for each name, the preferred first."""
        try:
            with open(self.root + "/etc/ld.so.cache", "rb") as file:
                data = file.read(1 << 26)
        except OSError:
            return {}
        # A cache of an older format may stand before it.
        start = data.find(_CACHE_MARK)
        data = data[start:] if start >= 0 else b""
        if len(data) < _CACHE_HEAD:
            return {}
        order = {2: "<", 3: ">"}.get(data[28] & 3, "<" if sys.byteorder == "little" else ">")
        count = struct.unpack_from(order + "I", data, 20)[0]
        cache = {}
        for at in range(min(count, (len(data) - _CACHE_HEAD) // _CACHE_ENTRY)):
            place = _CACHE_HEAD + at * _CACHE_ENTRY
            key, value = struct.unpack_from(order + "II", data, place + 4)
            texts = [data[text : text + 4096].split(b"\0")[0] for text in (key, value)]
            name, path = (os.fsdecode(text) for text in texts)
            cache.setdefault(name, []).append(self.root + path)
        return cache
