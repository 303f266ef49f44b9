"""Looks at the ODBC drivers: those that are registered can be loaded, those that flows name are
registered.

**Invariant**: reads files, and runs nothing but `odbcinst -j`.
"""

import os
import re
import shutil
import subprocess

import flowstorage_loader as loader
import flowstorage_probe as probe
import flowstorage_tables as tables_of

_SECONDS = 20
_NO_DRIVERS = ("odbc", "odbc drivers")


def check(spec, tables):
    """Yields a finding for each driver that cannot be loaded or is not registered."""
    drivers_of_flows = spec.get("odbc_drivers") or []
    named = [driver["name"] for driver in drivers_of_flows]
    path = _registry()
    drivers = _drivers(path)
    if drivers and spec.get("libraries"):
        image = loader.Loader()
        for name, library in sorted(drivers.items()):
            # Debian's own packages register drivers that they do not bring.
            is_named = name.lower() in [given.lower() for given in named]
            level = "error" if is_named else "warning"
            for result in _check_driver(level, name, library, path, image, tables):
                yield result
    registered = {name.lower() for name in drivers}
    # Who names several drivers takes the one that is there.
    is_there = any(name.lower() in registered for name in named)
    level = "warning" if is_there else "error"
    for driver in drivers_of_flows:
        name = driver["name"]
        if name.lower() in registered:
            yield probe.report("ok", "odbc", name, "the ODBC driver `{}` is registered".format(name))
        elif not (name.startswith("/") and os.path.exists(name)):
            yield _unregistered(level, driver, tables)


def _check_driver(level, name, library, registry, image, tables):
    if "/" in library:
        found = library
    else:
        # Debian's folder of drivers is not among the loader's.
        found = image.find(library) or image.find_in_system(os.path.join("odbc", library))
    if image.elf(found or library) is None:
        message = "the ODBC driver `{}` needs `{}`, which is missing".format(name, library)
        remedy = "install the driver, or correct `{}`".format(registry)
        missing = tables_of.need("library", library, [])
        yield probe.report(level, "odbc", name, message, remedy, [missing])
        return
    lacking = image.load(found).missing
    for need in lacking:
        missing, remedy = tables.library(need.name)
        message = "the ODBC driver `{}` needs `{}`, which is missing".format(name, need.name)
        yield probe.report("error", "odbc", name, message, remedy, [missing])
    if not lacking:
        yield probe.report("ok", "odbc", name, "the ODBC driver `{}` can be loaded".format(name))


def _unregistered(level, driver, tables):
    name, package, recipe = driver["name"], driver["package"], driver["recipe"]
    message = "the ODBC driver `{}`, which a flow names, is not registered".format(name)
    packages = [package] if package and tables.is_debian else []
    if recipe:
        remedy = "add to the spec: {}".format(recipe)
    elif packages:
        remedy = tables_of.add(packages)
    else:
        remedy = "install it and register it in `{}`".format(_registry())
    missing = tables_of.need("odbc-driver", name, packages)
    return probe.report(level, "odbc", name, message, remedy, [missing])


def _registry():
    """Returns the file that registers drivers, whether it is there or not."""
    file = os.environ.get("ODBCINSTINI") or "odbcinst.ini"
    folder = os.environ.get("ODBCSYSINI")
    if folder or os.path.isabs(file):
        return os.path.join(folder or "/", file)
    program = shutil.which("odbcinst")
    if program:
        try:
            done = subprocess.run(
                [program, "-j"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            done = None
        said = done.stdout if done else b""
        found = re.search(rb"^DRIVERS\.*:\s*(\S.*?)\s*$", said, re.MULTILINE)
        if found:
            return os.fsdecode(found.group(1))
    return "/etc/odbcinst.ini"


def _drivers(path):
    """Returns the libraries of the registered drivers by name, as unixODBC reads the file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read(1 << 20).splitlines()
    except OSError:
        return {}
    drivers = {}
    section = None
    for line in lines:
        line = line.strip()
        if line.startswith("[") and "]" in line:
            section = line[1 : line.index("]")].strip()
            continue
        key, mark, value = line.partition("=")
        if section is None or section.lower() in _NO_DRIVERS or not mark:
            continue
        key = key.strip().lower()
        if value.strip() and key in ("driver", "driver64"):
            # A process of 64 bits prefers the second.
            if key == "driver64" or section not in drivers:
                drivers[section] = value.strip()
    return drivers
