"""Keeps what uv compiled: run in the build stage, after its packages are installed.

Usage: wheels.py CACHE BEFORE AFTER OUT

BEFORE and AFTER are what `uv pip freeze` said before and after the installation. Copies the
wheels that uv built of what is new from its CACHE to OUT, and writes OUT/requirements.txt, from
which the image installs exactly the same without building anything.

Invariant: the same packages give the same bytes in OUT, whatever else the cache holds.
"""
import hashlib
import os
import re
import shutil
import sys
import zipfile
from urllib.parse import unquote


def normalise(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel_files(path):
    """Returns `(file, hash)` of what a wheel puts where Python looks for modules."""
    with zipfile.ZipFile(path) as wheel:
        records = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD")]
        lines = wheel.read(records[0]).decode("utf-8").splitlines() if records else []
    return {tuple(line.split(",")[:2]) for line in lines if ".data/" not in line}


def installed_files(name, folders):
    """Returns the same of an installed distribution."""
    for folder in folders:
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if entry.endswith(".dist-info") and normalise(entry.split("-")[0]) == name:
                record = os.path.join(folder, entry, "RECORD")
                if os.path.exists(record):
                    return {tuple(line.split(",")[:2]) for line in read_lines(record)}
    return set()


def as_installed(name, paths, folders):
    """Of several builds of one distribution, that which is installed: the cache has older ones."""
    installed = installed_files(name, folders)
    same = [path for path in paths if wheel_files(path) - {("", "")} <= installed]
    return same[-1:] or paths[-1:]


def built_wheels(cache):
    """Yields (name, version, path) of each wheel that uv built itself."""
    for entry in sorted(os.listdir(cache)):
        if not entry.startswith("sdists-"):
            continue
        for folder, _, files in os.walk(os.path.join(cache, entry)):
            for name in sorted(files):
                parts = name.split("-")
                if name.endswith(".whl") and len(parts) >= 5:
                    yield normalise(parts[0]), parts[1], os.path.join(folder, name)


def of_url(wheels, name, folders):
    """Returns the one wheel of a distribution that came from a URL or a folder."""
    mine = sorted((w for w in wheels if w[0] == name), key=lambda w: os.path.getmtime(w[2]))
    paths = as_installed(name, [path for _, _, path in mine], folders)
    return [w for w in mine if w[2] in paths]


def newest(wheels):
    """Of several builds of one file name, the last: an older one is of an earlier build."""
    chosen = {}
    for name, version, path in wheels:
        key = os.path.basename(path)
        if key not in chosen or os.path.getmtime(chosen[key][2]) < os.path.getmtime(path):
            chosen[key] = (name, version, path)
    return [chosen[key] for key in sorted(chosen)]


def given_wheel(line):
    """Returns the wheel that a line of `uv pip freeze` names as a file."""
    path = unquote(line.partition(" @ file://")[2])
    parts = os.path.basename(path).split("-")
    if path.endswith(".whl") and len(parts) >= 5 and os.path.isfile(path):
        return [(normalise(parts[0]), parts[1], path)]
    return []


def read_lines(path):
    with open(path, encoding="utf-8") as source:
        return source.read().splitlines()


def fix_time(path):
    """Gives a file a time of its content: uv takes a wheel of the same path and time for the same."""
    with open(path, "rb") as file:
        digest = int(hashlib.sha256(file.read()).hexdigest()[:15], 16)
    time = digest % (86400 * 10 ** 9)
    os.utime(path, ns=(time, time))


def main(cache, before, after, out):
    built = list(built_wheels(cache))
    wheels = newest(built)
    os.makedirs(out)
    lines = []
    # What the base brought may be in no index.
    known = set(read_lines(before))
    for line in read_lines(after):
        if not line or line in known or line.startswith(("#", "-e")):
            continue
        if " @ " in line:
            name, version = normalise(line.split(" @ ")[0]), None
        else:
            name, _, version = line.partition("==")
            name = normalise(name)
        # PEP 440: a wheel's file name has the version normalised, as has uv's output.
        if version is None:
            local = given_wheel(line) or of_url(built, name, sys.path)
        else:
            local = [w for w in wheels if w[0] == name and version == w[1].replace("_", "+")]
        for _, _, path in local:
            shutil.copyfile(path, os.path.join(out, os.path.basename(path)))
        if version is None and local:
            line = "{}=={}".format(name, local[-1][1].replace("_", "+"))
        lines.append(line)
    with open(os.path.join(out, "requirements.txt"), "w", encoding="utf-8") as target:
        target.write("".join(line + "\n" for line in lines))
    for name in os.listdir(out):
        fix_time(os.path.join(out, name))
    os.utime(out, (0, 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
