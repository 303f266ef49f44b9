"""Finds what an installed distribution lets you import, from the files that its installer wrote.

**Invariant**: reads file names and metadata only; imports nothing and never guesses a module's
name from the distribution's.
"""

import importlib.machinery
import os
import re

# Folders that some distributions put beside their package by mistake, and whose import would
# run somebody's example script.
_BESIDE_THE_POINT = frozenset(
    "benchmark benchmarks bin conftest data doc docs etc example examples sample samples "
    "scripts setup share test tests".split()
)
# Longest first: `x.cpython-311-x86_64-linux-gnu.so` ends with `.so` too.
_SUFFIXES = sorted(importlib.machinery.all_suffixes(), key=len, reverse=True)


def normalised(name):
    """Returns the name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Distribution:
    """One installed distribution: its metadata entry, which lies in `folder`."""

    def __init__(self, folder, entry):
        self.folder = folder
        self.metadata = os.path.join(folder, entry)

    def import_names(self):
        """Returns the module names whose import proves that the distribution works."""
        files = self.files()
        tree = _Tree(files) if files is not None else _Tree.of_folder(self.folder)
        # What shares such a folder with other distributions proves nothing by its import.
        tree.packages.difference_update(self._lines("namespace_packages.txt"))
        declared = [name.replace("/", ".") for name in self._lines("top_level.txt")]
        if declared:
            # Metadata of old releases sometimes names modules that the wheel lacks.
            names = [name for name in declared if tree.has(name)]
            public = _public(names)
            return sorted(part for name in public for part in tree.modules_of(name))
        return tree.top_modules() if files is not None else []

    def _lines(self, name):
        lines = (_read(os.path.join(self.metadata, name)) or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def files(self):
        """Returns the paths of its files below `folder`, or None where nobody wrote them down."""
        record = _read(os.path.join(self.metadata, "RECORD"))
        if record is not None:
            # The path is the first field of a CSV row; it is quoted if it holds a comma.
            rows = (line.strip() for line in record.splitlines())
            return [row[1:].split('"')[0] if row[:1] == '"' else row.split(",")[0] for row in rows]
        installed = _read(os.path.join(self.metadata, "installed-files.txt"))
        if installed is not None:
            base = os.path.basename(self.metadata)
            return [os.path.normpath(os.path.join(base, line)) for line in installed.splitlines()]
        return None


def find_distributions(paths):
    """Returns the installed distributions by normalised name; the first on the path wins."""
    found = {}
    for path in paths:
        folder = path or os.curdir
        try:
            entries = sorted(os.listdir(folder))
        except OSError:
            # An archive, or an entry of PYTHONPATH that does not exist.
            continue
        for entry in entries:
            stem, suffix = os.path.splitext(entry)
            if suffix not in (".dist-info", ".egg-info"):
                continue
            distribution = Distribution(folder, entry)
            found.setdefault(normalised(stem.split("-")[0]), distribution)
            # Old tools wrote `my-name-1.0.dist-info`, where the name's end is anyone's guess.
            if stem.count("-") > 1:
                found.setdefault(normalised(_metadata_name(distribution) or stem), distribution)
    return found


def module_names(path, search_path):
    """Returns the import names of a file or folder that lies under an entry of `search_path`.

    The list is empty for what cannot be imported from where it lies: it is no module then.
    """
    roots = {_real(entry or os.curdir) for entry in search_path}
    real = _real(path)
    if os.path.isdir(real) and real in roots:
        return _Tree.of_folder(real).all_modules()
    folder, name = os.path.split(real)
    parts = [_module_stem(name) if os.path.isfile(real) else name]
    while folder not in roots:
        parent, name = os.path.split(folder)
        if parent == folder:
            return []
        parts.insert(0, name)
        folder = parent
    if parts[-1] == "__init__":
        parts.pop()
    if not parts or not all(part and part.isidentifier() for part in parts):
        return []
    if parts[-1] == "__main__":
        return []
    if os.path.isdir(real):
        return _Tree.of_folder(real, parts).modules_of(".".join(parts))
    return [".".join(parts)]


class _Tree:
    """Modules by dotted name, with the folders that are regular packages told apart."""

    def __init__(self, files):
        self.modules = set()
        self.packages = set()
        for path in files:
            parts = path.split("/")
            stem = _module_stem(parts.pop())
            if stem is None or not all(part.isidentifier() for part in parts + [stem]):
                continue
            if stem == "__init__":
                self.packages.add(".".join(parts))
            elif stem != "__main__":
                self.modules.add(".".join(parts + [stem]))

    @classmethod
    def of_folder(cls, folder, prefix=()):
        """Reads the folder itself, two levels deep: enough for a namespace and its packages."""
        files = []
        for here, folders, names in os.walk(folder):
            inside = os.path.relpath(here, folder)
            parts = [] if inside == os.curdir else inside.split(os.sep)
            folders[:] = sorted(n for n in folders if n.isidentifier() and n != "__pycache__")
            if len(parts) >= 2:
                del folders[:]
            files.extend("/".join(list(prefix) + parts + [name]) for name in names)
        return cls(files)

    def has(self, name):
        inside = name + "."
        everything = self.modules | self.packages
        return name in everything or any(other.startswith(inside) for other in everything)

    def modules_of(self, name):
        """Returns the name itself, or for a namespace package the first real modules in it."""
        if name in self.modules or name in self.packages:
            return [name]
        depth = name.count(".") + 1
        inside = {
            ".".join(other.split(".")[: depth + 1])
            for other in self.modules | self.packages
            if other.startswith(name + ".")
        }
        return sorted(part for child in _public(sorted(inside)) for part in self.modules_of(child))

    def top_modules(self):
        """Returns regular packages and modules of the top level, or what its namespaces hold."""
        regular = [name for name in self.modules | self.packages if "." not in name]
        if regular:
            return _public(sorted(regular))
        return self.all_modules()

    def all_modules(self):
        tops = {name.split(".")[0] for name in self.modules | self.packages}
        return sorted(part for top in _public(sorted(tops)) for part in self.modules_of(top))


def _public(names):
    """Drops private names and strays, unless there is nothing else."""
    wanted = [
        name
        for name in names
        if not name.split(".")[-1].startswith("_")
        and not name.endswith("__mypyc")
        and name.split(".")[-1] not in _BESIDE_THE_POINT
    ]
    private = [n for n in names if n.split(".")[-1] not in _BESIDE_THE_POINT]
    editable = [n for n in private or names if not n.startswith("__editable__")]
    return wanted or editable


def _real(path):
    # Python 3.7 may read PYTHONPATH in another encoding than it gives file names.
    return os.fsdecode(os.fsencode(os.path.realpath(path)))


def _module_stem(name):
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return None


def _metadata_name(distribution):
    for name in ("METADATA", "PKG-INFO", ""):
        for line in (_read(os.path.join(distribution.metadata, name)) or "").splitlines():
            if line.startswith("Name:"):
                return line[len("Name:") :].strip()
            if not line:
                break
    return None


def _read(path):
    try:
        with open(path.rstrip("/"), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None
