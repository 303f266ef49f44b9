"""Makes a folder of modules importable in the whole image: by any user, from any folder.

Usage: `python modules_path.py FOLDER`. Writes one `.pth` file beside the installed distributions
of the Python that runs it. Prints nothing, or one result line if that cannot be done.

**Invariant**: the file depends on FOLDER alone (fixed mode and time), and it puts the folder on
`sys.path` once, before standard library and distributions, as the script's own folder comes.
"""

import json
import os
import site
import sys
import sysconfig

NAME = "flowstorage.pth"
# The program stands alone: its layer must not change with the other programs.
PREFIX = "flowstorage-check: "


def site_folders():
    """Yields the folders of this Python whose `.pth` files it reads."""
    candidates = [sysconfig.get_paths()["purelib"]]
    # Old virtualenvs have a `site` of their own without the function.
    candidates.extend(getattr(site, "getsitepackages", list)())
    on_path = {os.path.realpath(entry) for entry in sys.path}
    for folder in candidates:
        # Debian's Python looks only in `dist-packages`, whatever sysconfig says.
        if os.path.realpath(folder) in on_path and os.path.isdir(folder):
            yield folder


def line_for(folder):
    """Returns the line that `site` executes; ASCII, because the locale decides how it is read."""
    try:
        folder.encode("ascii")
        text = repr(folder)
    except UnicodeEncodeError:
        text = "__import__('os').fsdecode({!r})".format(os.fsencode(folder))
    return "import sys; p = {}; p in sys.path or sys.path.insert(0, p)\n".format(text)


def write(path, text):
    """Writes the file with its final mode and time, whatever umask and clock say."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    try:
        seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    except ValueError:
        seconds = 0
    os.chmod(path, 0o644)
    os.utime(path, (seconds, seconds))


def failure(folder, message, remedy):
    """Returns the result line of an error."""
    texts = {"subject": folder, "message": message, "remedy": remedy}
    result = {"level": "error", "check": "modules"}
    for key, text in texts.items():
        # No strict JSON reader accepts the surrogates that stand for the bytes of odd file names.
        result[key] = os.fsencode(text).decode("utf-8", "backslashreplace")
    return PREFIX + json.dumps(result)


def main(folder):
    """Tries each folder of distributions; returns the exit code."""
    folder = os.path.normpath(folder)
    remedy = (
        "set modules to [], copy the modules by files, "
        "and name their folder as PYTHONPATH in env_vars"
    )
    message = "Python {} reads `.pth` files from no folder".format(sys.executable)
    for candidate in site_folders():
        try:
            write(os.path.join(candidate, NAME), line_for(folder))
        except OSError as error:
            message = "making `{}` importable failed: {}".format(folder, error)
            remedy = "make `{}` writable for root".format(candidate)
            continue
        return 0
    print(failure(folder, message, remedy))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
