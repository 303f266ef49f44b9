"""Checks, inside the image, what no flow has a part in: Python, distributions, libraries, modules.

Usage: `python check_environment.py SPEC.json`. Prints one result line per finding, everything
that went wrong and not only the first, and exits 1 if anything did.

**Invariant**: depends on nothing that changes with a flow, so that its layer stays cached.
"""

import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import flowstorage_distributions as distributions  # noqa: E402  (the path comes first)
import flowstorage_libraries as libraries  # noqa: E402
import flowstorage_needs as needs  # noqa: E402
import flowstorage_odbc as odbc  # noqa: E402
import flowstorage_probe as probe  # noqa: E402
import flowstorage_tables as tables_of  # noqa: E402

IMPORT_SECONDS = 60
CONFLICT_SECONDS = 120


def check_python_version(spec):
    """Compares the interpreter with the version that the spec names."""
    wanted = spec.get("python_version")
    if not wanted:
        return []
    found = "{}.{}.{}".format(*sys.version_info[:3])
    if (found + ".").startswith(wanted + "."):
        return [probe.report("ok", "python-version", "python", "Python {}".format(found))]
    return [
        probe.report(
            "error",
            "python-version",
            "python",
            "the image has Python {}, the spec says {}".format(found, wanted),
            "take a base_image with Python {}, or set python_version to `{}.{}`".format(
                wanted, *sys.version_info[:2]
            ),
        )
    ]


def check_dependencies(spec, tables):
    """Imports every declared dependency by the names that its installer recorded."""
    installed = distributions.find_distributions(sys.path)
    excluded = {distributions.normalised(name) for name in spec.get("exclude") or []}
    for dependency in spec.get("dependencies") or []:
        name = dependency["name"]
        distribution = installed.get(distributions.normalised(name))
        if distribution is None and dependency.get("optional"):
            yield probe.report("ok", "import", name, "not installed, as its marker says")
        elif distribution is None:
            yield probe.report(
                "error",
                "import",
                name,
                "distribution `{}` is not installed".format(name),
                "see why the step that installs Python packages left out `{}`".format(
                    dependency.get("requirement") or name
                ),
            )
        elif distributions.normalised(name) in excluded:
            yield probe.report("ok", "import", name, "not imported, as the spec asks")
        else:
            for result in _import_all("import", name, distribution.import_names(), tables):
                yield result


def check_modules(spec, tables):
    """Imports the local modules that lie where this Python looks for modules."""
    for path in spec["modules"]:
        if not os.path.exists(path):
            yield probe.report("error", "module", path, "`{}` is not in the image".format(path))
            continue
        names = distributions.module_names(path, sys.path)
        if names:
            for result in _import_all("module", path, names, tables):
                yield result


def check_conflicts(spec):
    """Asks uv, or else pip, whether the installed distributions fit each other."""
    if not spec.get("conflicts", True):
        return []  # Nothing was installed: what is there is the base's own affair.
    commands = []
    if spec.get("uv"):
        options = "--no-config --no-cache --offline --no-progress --color never".split()
        commands.append([spec["uv"], "pip", "check", "--python", sys.executable] + options)
    commands.append([sys.executable, "-m", "pip", "--disable-pip-version-check", "check"])
    for command in commands:
        known, conflicts = _run_conflict_check(command)
        if known:
            break
    else:
        return [
            probe.report(
                "warning",
                "conflict",
                "python",
                "neither uv nor pip could check the installed distributions",
            )
        ]
    before = {_conflict_key(line) for line in _base_conflicts(spec)}
    results = []
    for conflict in conflicts:
        old = _conflict_key(conflict) in before
        results.append(
            probe.report(
                "warning" if old else "error",
                "conflict",
                _conflict_subject(conflict),
                _lower_first(conflict) + (" (so it was in the base image)" if old else ""),
                None if old else "change python_dependencies so that both requirements are met",
            )
        )
    return results or [probe.report("ok", "conflict", "python", "all distributions fit")]


def _import_all(check, subject, names, tables):
    if not names:
        return [probe.report("ok", check, subject, "it has nothing to import")]
    failures = []
    for name in names:
        failure, death = probe.in_child(lambda: _import(name, tables), IMPORT_SECONDS)
        if death is not None:
            failure = {"cause": death, "remedy": None, "library": None}
        if failure:
            message = "importing `{}` failed: {}".format(name, failure["cause"])
            remedy, missing = failure["remedy"], None
            if failure["library"]:
                need, remedy = tables.library(failure["library"])
                missing = [need]
            failures.append(probe.report("error", check, subject, message, remedy, missing))
    imported = ", ".join("`{}`".format(name) for name in names)
    return failures or [probe.report("ok", check, subject, "imports {}".format(imported))]


def _import(name, tables):
    try:
        # The builtin, unlike importlib's function, leaves the import system out of tracebacks.
        __import__(name)
    except BaseException as error:  # A module that exits on import is as broken as any other.
        probe.show_traceback(error)
        library = probe.missing_library(error) or tables.named_in(str(error))
        return {"cause": probe.cause(error), "remedy": probe.remedy(error), "library": library}
    return None


def _run_conflict_check(command):
    """Returns whether the tool gave an answer, and the conflicts that it named."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=CONFLICT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        probe.say("{}: {}\n".format(command[0], probe.cause(error)))
        return False, []
    output = done.stdout.decode("utf-8", "replace")
    conflicts = _conflicts_in(output)
    # A tool that fails for a reason of its own (no cache folder, no pip) exits in other ways.
    answered = done.returncode == 0 or (done.returncode == 1 and bool(conflicts))
    if not answered:
        probe.say(output)
    return answered, conflicts if done.returncode else []


def _conflicts_in(output):
    """Returns the conflicts in the output of `uv pip check` or `pip check`, one line each."""
    conflicts = []
    for line in output.splitlines():
        if line.startswith("  - ") and conflicts:
            # uv lists the folders of a distribution that is installed twice below its line.
            conflicts[-1] = "{} {}".format(conflicts[-1].rstrip(), line.strip("- "))
        elif line.startswith("The package `") or _is_pip_conflict(line):
            conflicts.append(line.strip())
    return conflicts


def _is_pip_conflict(line):
    return ", which is not installed." in line or ", but you have " in line


def _base_conflicts(spec):
    path = spec.get("base_conflicts")
    if not path or not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as file:
        return _conflicts_in(file.read())


def _conflict_key(conflict):
    """Returns what is required, without what is installed.

    A requirement that the base image did not meet is no news when the unfit version changes.
    """
    for mark in (", but ", ", which is not installed"):
        conflict = conflict.split(mark)[0]
    return conflict


def _conflict_subject(conflict):
    from_uv = conflict.startswith("The package `")
    return conflict.split("`")[1] if from_uv else conflict.split(" ")[0]


def _lower_first(conflict):
    text = conflict.rstrip(".")
    return "the" + text[3:] if text.startswith("The ") else text


class Told:
    """Keeps a library that is missing from being told twice.

    That a distribution lacks it says more than that an import failed for it; that an import fails
    for it says more than that some part of a distribution wants it.
    """

    def __init__(self):
        self._errors = []
        self._warnings = []

    def now(self, result):
        """Returns the results to show now that there is this one."""
        subject = distributions.normalised(result["subject"])
        names = [need["name"] for need in result.get("missing") or []]
        if result["check"] in ("import", "module") and result["level"] == "error":
            if any(name in names for _, name in self._errors):
                return []
            if any(_names(result, name) for other, name in self._errors if other == subject):
                return []
        if result["check"] == "library" and result["level"] == "warning":
            self._warnings.append((subject, names, result))
            return []
        if result["level"] == "error":
            self._errors.extend((subject, name) for name in names)
        return [result]

    def last(self):
        """Returns the results that were kept until all others were known."""
        return [
            result
            for subject, names, result in self._warnings
            if not names or any((subject, name) not in self._errors for name in names)
        ]


def _names(result, library):
    """Returns whether a result's message names a library, with or without its version."""
    stem = re.escape(library.split(".so")[0])
    return re.search(r"(?<!\w){}(?![\w+-])".format(stem), result["message"]) is not None


def main(arguments):
    """Runs every check; returns the exit code."""
    probe.prepare_process()
    spec = probe.read_spec(arguments[0])
    tables = tables_of.Tables(spec)
    installed = libraries.Installed(sys.path)
    checks = (
        (check_python_version, spec),
        (check_conflicts, spec),
        (libraries.check, spec, tables, installed),
        (needs.check_loads, spec, tables, installed),
        (needs.check_calls, spec, tables, installed),
        (needs.check_commands, spec, tables),
        (odbc.check, spec, tables),
        (check_dependencies, spec, tables),
        (check_modules, spec, tables),
    )
    told = Told()
    failed = False
    for check, *what in checks:
        for result in check(*what):
            failed = probe.emit(told.now(result)) or failed
    probe.emit(told.last())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
