"""Keeps what uv compiled: run in the build stage, after its packages are installed.

Usage: wheels.py CACHE BEFORE AFTER REQUIREMENTS OUT [STATUS]

BEFORE and AFTER are what `uv pip freeze` said before and after the installation. Copies the
wheels that uv built of what is new from its CACHE to OUT, with those that came as files, and
writes OUT/requirements.txt, from which the image installs exactly the same without building
anything. What has hashes in the file REQUIREMENTS has hashes there too: of the file that was built,
or else the same.

With STATUS, dpkg's list of what the image has, OUT/packages.txt names the Debian packages that the
compiled wheels were linked with and that the image lacks; OUT/findings.txt says so, one line each.

Invariant: the same packages give the same bytes in OUT, whatever else the cache holds.
"""
import hashlib
import os
import re
import shutil
import sys
from urllib.parse import unquote, urlsplit

sys.dont_write_bytecode = True

HASHES = re.compile(r"\s--hash[= ](\S+)")


def normalise(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel_name(path):
    """Returns the name and version of a wheel, or None."""
    parts = os.path.basename(path).split("-")
    if path.endswith(".whl") and len(parts) >= 5:
        return normalise(parts[0]), parts[1]
    return None


def built_wheels(cache):
    """Yields (name, version, path) of each wheel that uv built itself."""
    for entry in sorted(os.listdir(cache)):
        if not entry.startswith("sdists-"):
            continue
        for folder, _, files in os.walk(os.path.join(cache, entry)):
            for name in sorted(files):
                if wheel_name(name):
                    yield wheel_name(name) + (os.path.join(folder, name),)


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


def version_key(version):
    """Returns a version as this Python's wheels and requirements agree on it."""
    return version.replace("_", "+").lower()


def known_hashes(requirements):
    """Returns the hashes of each `(name, version)`, or `(name, None)` for what has a URL."""
    known = {}
    for line in read_lines(requirements):
        hashes = HASHES.findall(line)
        if not hashes:
            continue
        requirement = HASHES.sub("", line).split(";")[0].strip()
        if " @ " in requirement:
            key = normalise(requirement.split(" @ ")[0].split("[")[0]), None
        else:
            name, _, version = requirement.partition("==")
            key = normalise(name.split("[")[0].strip()), version_key(version.strip())
        known.setdefault(key, []).extend(hashes)
    return known


def hashed(path):
    with open(path, "rb") as file:
        return "sha256:" + hashlib.sha256(file.read()).hexdigest()


def local_wheel(line):
    """Returns the path of the wheel that a line of `uv pip freeze` names, or None."""
    url = line.partition(" @ ")[2]
    path = unquote(urlsplit(url).path)
    return path if url.startswith("file:") and wheel_name(path) and os.path.isfile(path) else None


def keep(line, wheels, hashes):
    """Returns the line that installs the same in the image, and the paths of wheels for it."""
    given = local_wheel(line)
    if " @ " in line:
        name, version = normalise(line.split(" @ ")[0]), None
    else:
        name, _, version = line.partition("==")
        name = normalise(name)
    if given:
        kept = [(name, wheel_name(given)[1], given)]
    else:
        # PEP 440: a wheel's file name has the version normalised, as has uv's output.
        kept = [w for w in wheels if w[0] == name and version in (None, version_key(w[1]))]
    key = name, version and version_key(version)
    if version is None and kept:
        version = version_key(kept[-1][1])
        line = "{}=={}".format(name, version)
    paths = [path for _, _, path in kept]
    wanted = hashes.get(key) or hashes.get((name, version)) or []
    if wanted and paths:
        wanted = [hashed(path) for path in paths]
    return "".join([line] + [" --hash=" + each for each in wanted]), paths


def main(cache, before, after, requirements, out, status=None):
    wheels = newest(built_wheels(cache))
    hashes = known_hashes(requirements)
    os.makedirs(out)
    lines, compiled = [], []
    # What the base brought may be in no index.
    known = set(read_lines(before))
    for line in read_lines(after):
        if not line or line in known or line.startswith(("#", "-e")):
            continue
        line, paths = keep(line, wheels, hashes)
        lines.append(line)
        for path in paths:
            copy = os.path.join(out, os.path.basename(path))
            shutil.copyfile(path, copy)
            compiled.append(copy)
    write(out, "requirements.txt", lines)
    if status is not None:
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path[:0] = [here, os.path.join(os.path.dirname(here), "programs")]
        import wheel_packages

        packages, findings = wheel_packages.missing(compiled, status)
        write(out, "packages.txt", packages)
        write(out, "findings.txt", findings)
    for name in os.listdir(out):
        os.utime(os.path.join(out, name), (0, 0))
    os.utime(out, (0, 0))


def write(folder, name, lines):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as target:
        target.write("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
