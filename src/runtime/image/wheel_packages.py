"""Finds the Debian packages whose libraries compiled wheels were linked with.

Beside wheels.py, in the build stage: there the libraries are, and in the image they are not.

Invariant: what is no ELF file, no library of this system or no file of a package is passed over.
"""
import json
import os
import shutil
import subprocess
import tempfile
import zipfile

import flowstorage_elf

PREFIX = "flowstorage-check: "


def missing(wheels, status, excluded=()):
    """Returns the packages that the image lacks, and a line of the check for each."""
    libraries = loadable_libraries()
    wanted = {}
    for wheel in sorted(wheels):
        name = os.path.basename(wheel).split("-")[0].lower().replace("_", "-")
        for soname in needed_by(wheel):
            if soname in libraries:
                wanted.setdefault(soname, []).append(name)
    owners = owners_of([libraries[soname] for soname in wanted])
    present = installed(status).union(excluded)
    found = {}
    for soname in sorted(wanted):
        package = owners.get(libraries[soname])
        if package and package not in present:
            found.setdefault(package, []).append(soname)
    findings = [finding(package, found[package], wanted) for package in sorted(found)]
    return sorted(found), findings


def finding(package, sonames, wanted):
    """Returns the line that tells the user of a package."""
    names = sorted({name for soname in sonames for name in wanted[soname]})
    return PREFIX + json.dumps(
        {
            "level": "warning",
            "check": "packages",
            "subject": names[0],
            "message": "`{}` was added: {} {} compiled against its {}".format(
                package,
                " and ".join("`{}`".format(name) for name in names),
                "was" if len(names) == 1 else "were",
                ", ".join(sonames),
            ),
            "remedy": "add `{}` to system_packages, so that it is in the plan".format(package),
        }
    )


def needed_by(wheel):
    """Returns the libraries that files of a wheel need and that it does not bring itself."""
    needed, own = set(), set()
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "file")
        for name in archive.namelist():
            base = os.path.basename(name)
            own.add(base)
            if ".so" in base or "/scripts/" in name or "/bin/" in name:
                with archive.open(name) as source, open(copy, "wb") as target:
                    shutil.copyfileobj(source, target)
                file = flowstorage_elf.read(copy)
                needed.update(file.needed if file else [])
    return sorted(needed - own)


def loadable_libraries():
    """Returns the path of each library that the loader knows, by its name."""
    libraries = {}
    environment = dict(os.environ, LC_ALL="C")
    environment["PATH"] = environment.get("PATH", "") + ":/usr/sbin:/sbin"
    for line in output(["ldconfig", "-p"], environment).splitlines():
        name, arrow, path = line.strip().partition(" => ")
        if arrow:
            # Of several for one name, the loader takes the first.
            libraries.setdefault(name.split(" ")[0], path)
    return libraries


def owners_of(paths):
    """Returns the package of each path that has one."""
    # A folder that was merged into /usr has packages that still list its old name.
    spellings = {}
    for path in paths:
        real = os.path.realpath(path)
        for each in (path, real):
            for spelling in (each, "/usr" + each, each[4:] if each.startswith("/usr/") else each):
                spellings.setdefault(spelling, path)
    if not spellings:
        return {}
    owners = {}
    for line in output(["dpkg", "-S"] + sorted(spellings), dict(os.environ, LC_ALL="C")).splitlines():
        packages, colon, path = line.partition(": ")
        if colon and path in spellings and not packages.startswith("diversion by"):
            owners.setdefault(spellings[path], packages.split(",")[0].split(":")[0])
    return owners


def output(command, environment):
    """Returns what a program printed, nothing where it is not there."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=120,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def installed(status):
    """Returns the packages that dpkg's list says are installed."""
    try:
        with open(status, encoding="utf-8", errors="replace") as file:
            stanzas = file.read().split("\n\n")
    except OSError:
        return set()
    packages = set()
    for stanza in stanzas:
        lines = stanza.strip().splitlines()
        names = [line[len("Package: ") :] for line in lines if line.startswith("Package: ")]
        if names and "Status: install ok installed" in lines:
            packages.update(names)
    return packages
