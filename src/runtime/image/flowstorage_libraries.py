"""Proves that every shared library which the installed distributions need is in the image.

**Invariant**: no file of a distribution is run or imported; a library counts as missing only if
the loader would not find it and no distribution brings it along.
"""

import importlib.machinery
import os
import re

import flowstorage_distributions as distributions
import flowstorage_elf as elf
import flowstorage_imports as imports
import flowstorage_loader as loader
import flowstorage_probe as probe

# Far more than the largest environments have.
_MOST_FILES = 20000
# Optional parts of one distribution may lack dozens of libraries: a few say what is amiss.
_MOST_WARNINGS = 5
_LIBRARY = re.compile(r"\.so(\.\d[^/]*)?$")
_PROGRAM = re.compile(r"(^|/)bin/[^/]+$")
# They come from the host's driver when a container is given a GPU.
_OF_A_HOST = re.compile(r"lib(cuda|cudadebugger|nvcuvid|nvoptix|nvidia-[\w-]+|dxcore)\.so(\.\d+)*$")
_TAGGED = sorted(importlib.machinery.EXTENSION_SUFFIXES, key=len, reverse=True)


class Installed:
    """The installed distributions and the files of theirs that the loader may meet."""

    def __init__(self, paths):
        self.distributions = {}
        self._parts = {}
        self._names = None
        seen = set()
        for name, distribution in sorted(distributions.find_distributions(paths).items()):
            if distribution.metadata not in seen:
                seen.add(distribution.metadata)
                self.distributions[name] = distribution

    def parts(self, name):
        """Returns the files of a distribution that may be ELF files, with their paths."""
        if name not in self._parts:
            distribution = self.distributions[name]
            rows = [
                row
                for row in distribution.files() or []
                if _LIBRARY.search(row) or (_PROGRAM.search(row) and not row.endswith(".py"))
            ]
            places = (os.path.normpath(os.path.join(distribution.folder, row)) for row in rows)
            self._parts[name] = list(zip(rows, places))[:_MOST_FILES]
        return self._parts[name]

    def names(self):
        """Returns the names of the files that distributions bring: packages load them first."""
        if self._names is None:
            rows = (row for each in self.distributions for row, _ in self.parts(each))
            self._names = {os.path.basename(row) for row in rows}
        return self._names

    def brings_named(self, name):
        """Returns whether some distribution has a library of the name that a linker takes."""
        # auditwheel adds a part of a digest, others add the machine.
        pattern = re.compile(r"lib{}(-[0-9a-f]{{8}}|_[^/]*)?\.so(\.|$)".format(re.escape(name)))
        return any(pattern.match(other) for other in self.names())


def check(spec, tables, installed):
    """Yields a finding for each library that a distribution lacks."""
    if not spec.get("libraries"):
        return
    excluded = {distributions.normalised(name) for name in spec.get("exclude") or []}
    search = _Search(loader.Loader(), installed, excluded)
    lacking = False
    for name, needs in sorted(search.needs().items()):
        for result in _findings(name, needs, tables):
            lacking = True
            yield result
    if not lacking:
        message = "the libraries of {} files are there".format(search.files)
        yield probe.report("ok", "library", "python", message)


def _findings(name, needs, tables):
    """Returns the findings on one distribution, errors first."""
    found = []
    for library, level in sorted(needs.missing.items()):
        missing, remedy = tables.library(library)
        message = "`{}`, needed by `{}`, is missing".format(library, name)
        found.append(probe.report(level, "library", name, message, remedy, [missing]))
    for (library, version), level in sorted(needs.newest().items()):
        message = "`{}`, needed by `{}`, is newer than the image's {}".format(
            version, name, _release_of(library, version)
        )
        remedy = "take a base_image with a newer system: this build needs `{}`".format(version)
        found.append(probe.report(level, "library", name, message, remedy))
    found.sort(key=lambda result: result["level"] != "error")
    errors = sum(result["level"] == "error" for result in found)
    return found[:errors] + _shortened(name, found[errors:])


class _Search:
    """Goes from what can be imported through all that it loads."""

    def __init__(self, image, installed, excluded):
        self.loader = image
        self.installed = installed
        self.excluded = excluded
        self.files = 0
        self._needs = {}
        self._owners = {
            path: name for name in installed.distributions for _, path in installed.parts(name)
        }

    def needs(self):
        """Returns what is missing, by the distribution whose file asks for it."""
        for name in sorted(self.installed.distributions):
            if name not in self.excluded:
                self._look_at(name)
        return self._needs

    def _look_at(self, name):
        modules, rest = [], []
        for row, path in self.installed.parts(name):
            # What was built for another machine is no part of this image.
            file = self.loader.elf(path)
            if file is not None and file.kind == self.loader.kind:
                self.files += 1
                module = module_of(row, path)
                (modules if module else rest).append((module, path))
        followed = self._follow(name, modules)
        lacking = {module for module, graph in followed if graph.missing or graph.too_old}
        optional = self._optional(name, lacking, [module for module, _ in modules])
        seen = set()
        for module, graph in followed:
            if module not in optional:
                seen.update(map(os.path.normpath, graph.loaded))
            self._add(name, graph, "warning" if module in optional else "error")
        for _, graph in self._follow(name, [part for part in rest if part[1] not in seen]):
            self._add(name, graph, "warning")

    def _add(self, name, graph, level):
        for missing in graph.missing:
            self._of(missing.by, name).raise_to(level, missing=missing.name)
        for file, library, version in graph.too_old:
            library = library.soname or os.path.basename(library.path)
            self._of(file, name).raise_to(level, old=(library, version))

    def _of(self, file, name):
        """Returns the needs of whose file it is; what the system has counts for who loads it."""
        owner = self._owners.get(os.path.normpath(file.path), name)
        needs = _Needs()
        return needs if owner in self.excluded else self._needs.setdefault(owner, needs)

    def _follow(self, name, parts):
        """Returns pairs of a module and what it loads, bundled libraries included."""
        own = {os.path.basename(row): path for row, path in self.installed.parts(name)}
        pairs = []
        for module, path in parts:
            queue, known = [path], {path}
            for place in queue:
                graph = self.loader.load(place)
                lacking = []
                for missing in graph.missing:
                    bundled = own.get(missing.name)
                    if bundled and bundled not in known:
                        known.add(bundled)
                        queue.append(bundled)
                    is_known = bundled or missing.name in self.installed.names()
                    if not is_known and not _OF_A_HOST.match(missing.name):
                        lacking.append(missing)
                graph.missing = lacking
                pairs.append((module, graph))
        return pairs

    def _optional(self, name, lacking, modules):
        """Returns the modules that the distribution can do without."""
        if not lacking:
            return set()
        distribution = self.installed.distributions[name]
        rows = [row for row in distribution.files() or [] if row.endswith(".py")]
        sources = [os.path.join(distribution.folder, row) for row in rows if not _is_test(row)]
        return imports.optional(sources, lacking) | _alternatives(lacking, modules)


class _Needs:
    """What is missing, at the gravest level that asks for it."""

    def __init__(self):
        self.missing = {}
        self.old = {}

    def raise_to(self, level, missing=None, old=None):
        for levels, key in ((self.missing, missing), (self.old, old)):
            if key is not None and levels.get(key) != "error":
                levels[key] = level

    def newest(self):
        """Returns of each family of versions the newest: who has it has the others."""
        newest = {}
        for (library, version), level in self.old.items():
            family = (library, version.rsplit("_", 1)[0], level)
            if family not in newest or _order(newest[family]) < _order(version):
                newest[family] = version
        errors = {key[:2] for key in newest if key[2] == "error"}
        return {
            (library, version): level
            for (library, family, level), version in newest.items()
            if level == "error" or (library, family) not in errors
        }


def module_of(row, path):
    """Returns the name under which a file can be imported as an extension module, or None."""
    suffix = next((suffix for suffix in _TAGGED if row.endswith(suffix)), None)
    if suffix is None:
        return None
    parts = row[: -len(suffix)].split("/")
    if not all(part.isidentifier() for part in parts):
        return None
    # Without a tag the name tells nothing: the file must have the function of a module.
    if suffix == ".so" and not elf.exports(path, "PyInit_" + parts[-1]):
        return None
    return ".".join(parts)


def _alternatives(lacking, modules):
    """Returns the modules that differ from others only by a number: builds for several releases
    of one library, of which an image has at most one."""
    families = {}
    for module in modules:
        families.setdefault(re.sub(r"\d+", "#", module), []).append(module)
    return {m for m in lacking if len(families[re.sub(r"\d+", "#", m)]) > 1}


def _is_test(row):
    return any(part in ("test", "tests", "testing", "conftest.py") for part in row.split("/"))


def _shortened(name, warnings):
    if len(warnings) <= _MOST_WARNINGS:
        return warnings
    rest = warnings[_MOST_WARNINGS - 1 :]
    missing = [need for result in rest for need in result.get("missing") or []]
    message = "{} more libraries, needed by parts of `{}`, are missing: {}".format(
        len(rest), name, ", ".join("`{}`".format(need["name"]) for need in missing)
    )
    joined = probe.report("warning", "library", name, message, None, missing)
    return warnings[: _MOST_WARNINGS - 1] + [joined]


def _order(version):
    return [int(number) for number in re.findall(r"\d+", version)]


def _release_of(library, version):
    if version.startswith("GLIBC_"):
        try:
            return os.confstr("CS_GNU_LIBC_VERSION") or "glibc"
        except (OSError, ValueError):
            return "glibc"
    return "`{}`".format(library)
