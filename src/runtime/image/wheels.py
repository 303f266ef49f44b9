"""Keeps what uv compiled: run in the build stage, after its packages are installed.

Usage: wheels.py CACHE BEFORE AFTER OUT

BEFORE and AFTER are what `uv pip freeze` said before and after the installation. Copies the
wheels that uv built of what is new from its CACHE to OUT, and writes OUT/requirements.txt, from
which the image installs exactly the same without building anything.

Invariant: the same packages give the same bytes in OUT, whatever else the cache holds.
"""
import os
import re
import shutil
import sys


def normalise(name):
    return re.sub(r"[-_.]+", "-", name).lower()


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


def newest(wheels):
    """Of several builds of one file name, the last: an older one is of an earlier build."""
    chosen = {}
    for name, version, path in wheels:
        key = os.path.basename(path)
        if key not in chosen or os.path.getmtime(chosen[key][2]) < os.path.getmtime(path):
            chosen[key] = (name, version, path)
    return [chosen[key] for key in sorted(chosen)]


def read_lines(path):
    with open(path, encoding="utf-8") as source:
        return source.read().splitlines()


def main(cache, before, after, out):
    wheels = newest(built_wheels(cache))
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
        local = [w for w in wheels if w[0] == name and version in (None, w[1].replace("_", "+"))]
        for _, _, path in local:
            shutil.copyfile(path, os.path.join(out, os.path.basename(path)))
        if version is None and local:
            line = "{}=={}".format(name, local[-1][1].replace("_", "+"))
        lines.append(line)
    with open(os.path.join(out, "requirements.txt"), "w", encoding="utf-8") as target:
        target.write("".join(line + "\n" for line in lines))
    for name in os.listdir(out):
        os.utime(os.path.join(out, name), (0, 0))
    os.utime(out, (0, 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
