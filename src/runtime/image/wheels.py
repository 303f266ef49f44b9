"""Keeps what uv compiled: run in the build stage, after its packages are installed.

Usage: wheels.py CACHE BEFORE AFTER REQUIREMENTS OUT [STATUS [EXCLUDED...]]

BEFORE and AFTER are what `uv pip freeze` said before and after the installation. Copies the
wheels that uv built of what is new from its CACHE to a folder in OUT, with those that came as
files, and writes OUT/requirements.txt, from which the image installs exactly the same without
building anything. What has hashes in the file REQUIREMENTS has hashes there too: of the file that was built,
or else the same.

With STATUS, dpkg's list of what the image has, OUT/packages.txt names the Debian packages that the
compiled wheels were linked with and that the image lacks, without those that are EXCLUDED;
OUT/findings.txt says so, one line each.

Invariant: the same packages give the same bytes in OUT, whatever else the cache holds; other bytes
of the same version are in a folder of another name.
"""
import hashlib
import os
import re
import shutil
import sys
import zipfile
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
    if len(paths) < 2:
        return paths
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
                if wheel_name(name):
                    yield wheel_name(name) + (os.path.join(folder, name),)


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


def keep(line, wheels, built, hashes):
    """Returns the line that installs the same in the image, and the paths of wheels for it."""
    given = local_wheel(line)
    if " @ " in line:
        name, version = normalise(line.split(" @ ")[0]), None
    else:
        name, _, version = line.partition("==")
        name = normalise(name)
    if given:
        kept = [(name, wheel_name(given)[1], given)]
    elif version is None:
        kept = of_url(built, name, sys.path)
    else:
        # PEP 440: a wheel's file name has the version normalised, as has uv's output.
        kept = [w for w in wheels if w[0] == name and version == version_key(w[1])]
    key = name, version and version_key(version)
    if version is None and kept:
        version = version_key(kept[-1][1])
        line = "{}=={}".format(name, version)
    paths = [path for _, _, path in kept]
    wanted = hashes.get(key) or hashes.get((name, version)) or []
    if wanted and paths:
        wanted = [hashed(path) for path in paths]
    return "".join([line] + [" --hash=" + each for each in wanted]), paths


def main(cache, before, after, requirements, out, status=None, *excluded):
    built = list(built_wheels(cache))
    wheels = newest(built)
    hashes = known_hashes(requirements)
    os.makedirs(out)
    lines, compiled = [], []
    # What the base brought may be in no index.
    known = set(read_lines(before))
    for line in read_lines(after):
        if not line or line in known or line.startswith(("#", "-e")):
            continue
        line, paths = keep(line, wheels, built, hashes)
        lines.append(line)
        compiled.extend(paths)
    # From one folder uv installs a version that it knows again, whatever the file holds by now.
    digest = hashlib.sha256("".join(sorted(hashed(path) for path in compiled)).encode("ascii"))
    folder = os.path.join(out, digest.hexdigest()[:12])
    os.mkdir(folder)
    compiled = [copied(path, folder) for path in compiled]
    write(out, "requirements.txt", lines)
    if status is not None:
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path[:0] = [here, os.path.join(os.path.dirname(here), "programs")]
        import wheel_packages

        packages, findings = wheel_packages.missing(compiled, status, excluded)
        write(out, "packages.txt", packages)
        write(out, "findings.txt", findings)
    for top, _, names in os.walk(out, topdown=False):
        for name in names:
            os.utime(os.path.join(top, name), (0, 0))
        os.utime(top, (0, 0))


def copied(path, folder):
    copy = os.path.join(folder, os.path.basename(path))
    shutil.copyfile(path, copy)
    return copy


def write(folder, name, lines):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as target:
        target.write("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
