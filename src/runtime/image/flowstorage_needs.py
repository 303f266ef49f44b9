"""Tries what distributions open or run by name, and looks for the commands that the spec asks for.

**Invariant**: libraries are opened in children only: one that crashes ends no check.
"""

import shutil

import flowstorage_distributions as distributions
import flowstorage_probe as probe

OPEN_SECONDS = 60


def check_loads(spec, tables, installed):
    """Opens the libraries that installed distributions open when they run."""
    excluded = {distributions.normalised(name) for name in spec.get("exclude") or []}
    for distribution, names in sorted((spec.get("loads") or {}).items()):
        key = distributions.normalised(distribution)
        if key not in installed.distributions or key in excluded:
            continue
        wanted = [name for name in names if not installed.brings_named(name)]
        guesses = [(name, tables.sonames_of(name)) for name in wanted]
        opened, death = probe.in_child(lambda: [_open(*guess) for guess in guesses], OPEN_SECONDS)
        if death is not None:
            opened = [{"cause": death, "library": None}] * len(wanted)
        failed = False
        for (name, sonames), failure in zip(guesses, opened):
            if failure is None:
                continue
            failed = True
            library = failure["library"] or (sonames or ["lib{}.so".format(name)])[0]
            missing, remedy = tables.library(library)
            message = "`lib{}`, which `{}` opens, cannot be loaded: {}".format(
                name, distribution, failure["cause"]
            )
            # One that is there but breaks is no package that is missing.
            is_missing = failure["library"] is not None
            yield probe.report(
                "error",
                "library",
                distribution,
                message,
                remedy if is_missing else None,
                [missing] if is_missing else None,
            )
        if not failed:
            opens = ", ".join("`lib{}`".format(name) for name in names)
            yield probe.report("ok", "library", distribution, "it can open {}".format(opens))


def check_calls(spec, tables, installed):
    """Looks for the programs that installed distributions run."""
    for distribution, names in sorted((spec.get("calls") or {}).items()):
        if distributions.normalised(distribution) not in installed.distributions:
            continue
        for name in names:
            if shutil.which(name) is None:
                missing, remedy = tables.program(name)
                message = "`{}`, which `{}` runs, is not on PATH".format(name, distribution)
                yield probe.report("warning", "command", distribution, message, remedy, [missing])


def check_commands(spec, tables):
    """Looks for the commands that the spec asks for."""
    for name in spec.get("required_commands") or []:
        if shutil.which(name) is not None:
            yield probe.report("ok", "command", name, "`{}` is there".format(name))
            continue
        missing, remedy = tables.program(name)
        message = "the command `{}` is not on PATH".format(name)
        if "/" in name:
            message = "the command `{}` is not in the image".format(name)
        yield probe.report("error", "command", name, message, remedy, [missing])


def _open(name, sonames):
    """Opens a library as Python packages do; returns None, or why it failed."""
    try:
        import ctypes
        import ctypes.util

        try:
            found = ctypes.util.find_library(name)
        except Exception:  # It runs whatever compilers and linkers the image has.
            found = None
    except ImportError as error:
        return {"cause": probe.cause(error), "library": None}
    first = None
    for attempt in ([found] if found else []) + sonames + ["lib{}.so".format(name)]:
        try:
            ctypes.CDLL(attempt)
            return None
        except OSError as error:
            first = first or error
    return {"cause": probe.cause(first), "library": probe.missing_library(first)}
