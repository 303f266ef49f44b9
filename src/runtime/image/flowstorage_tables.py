"""Says which Debian package has a library or a program, and words what to do about a missing one.

**Invariant**: knows only what the tables of the build context and `/etc/os-release` say; where
they say nothing, no package is named.
"""

import re

_RELEASE = "/etc/os-release"
# What packages say instead of a file name when they find no library.
_NAMED_LOOSELY = re.compile(
    r"cannot load library ['\"](?P<a>[^'\"]+)['\"]"
    r"|library called ['\"](?P<b>[^'\"]+)['\"]"
    r"|find (?P<c>lib[\w.+-]+?)(?:[.\s]|$)"
    r"|find (?:the )?(?P<d>[\w.+-]+) shared library"
    r"|(?P<e>[\w.+-]+) library (?:was )?not found",
    re.IGNORECASE,
)


class Tables:
    """The packages of libraries by soname and of programs by name."""

    def __init__(self, spec, release=_RELEASE):
        fields = dict(_assignments(release))
        family = " ".join((fields.get("ID", "debian"), fields.get("ID_LIKE", "")))
        self.is_debian = "debian" in family or "ubuntu" in family
        column = fields.get("VERSION_CODENAME")
        self._libraries = _read(spec.get("sonames"), "soname", column)
        self._programs = _read(spec.get("programs"), "program", column)

    def packages_of_library(self, soname):
        """Returns the packages that have a library; none where it is not known."""
        return self._libraries.get(soname, []) if self.is_debian else []

    def packages_of_program(self, name):
        """Returns the packages that have a program; none where it is not known."""
        return self._programs.get(name, []) if self.is_debian else []

    def sonames_of(self, name):
        """Returns the known sonames of what `ctypes.util.find_library` would be asked for."""
        wanted = "lib{}.so".format(name).lower()
        return [s for s in sorted(self._libraries) if (s.lower() + ".").startswith(wanted + ".")]

    def named_in(self, text):
        """Returns the soname of the library that a text says is not found, where it is known."""
        for found in _NAMED_LOOSELY.finditer(text):
            name = next(part for part in found.groups() if part)
            name = re.sub(r"^lib|\.so[\d.]*$", "", name.rstrip("."), flags=re.IGNORECASE)
            # On Windows, libgobject-2.0.so.0 is libgobject-2.0-0.
            for candidate in (name, re.sub(r"-\d+$", "", name)):
                sonames = self.sonames_of(candidate)
                if sonames:
                    return sonames[0]
        return None

    def library(self, soname):
        """Returns what is missing and the remedy, for a library."""
        packages = self.packages_of_library(soname)
        if packages:
            return need("library", soname, packages), add(packages)
        if self.is_debian:
            return need("library", soname, []), "find it with: apt-file search {}".format(soname)
        known = self._libraries.get(soname)
        return need("library", soname, []), _install(soname, known)

    def program(self, name):
        """Returns what is missing and the remedy, for a program."""
        packages = self.packages_of_program(name)
        if packages:
            return need("program", name, packages), add(packages)
        if self.is_debian:
            remedy = "add the Debian package that has `{}` to `system_packages`".format(name)
            return need("program", name, []), remedy
        return need("program", name, []), _install(name, self._programs.get(name))


def need(kind, name, packages):
    """Returns one entry of a finding's `missing`."""
    return {"kind": kind, "name": name, "packages": list(packages), "phase": "run"}


def add(packages):
    """Returns the remedy that adds packages."""
    quoted = ["`{}`".format(package) for package in packages]
    names = " and ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)
    return "add {} to `system_packages`".format(names)


def _install(name, known):
    debian = " (`{}` on Debian)".format("`, `".join(known)) if known else ""
    return "install what has `{}`{} in the base image".format(name, debian)


def _assignments(path):
    for line in _lines(path):
        key, mark, value = line.strip().partition("=")
        if mark:
            yield key, value.strip("\"'").lower()


def _read(path, key, column):
    """Reads a table: by its first column, the packages of the column of this release.

    A table without columns of releases has one for all; else the oldest stands for others.
    """
    rows = [line.split("\t") for line in _lines(path) if line.strip()]
    if not rows or rows[0][0] != key:
        return {}
    at = rows[0].index(column) if column in rows[0][1:] else 1
    table = {}
    for row in rows[1:]:
        if len(row) > at:
            # `=` repeats the first release's names.
            names = row[1] if row[at] == "=" else row[at]
            table[row[0]] = [n for n in names.split(",") if n and n != "-"]
    return table


def _lines(path):
    if not path:
        return []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
