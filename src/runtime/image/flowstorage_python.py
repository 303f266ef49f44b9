"""Flows of runtime `python`: the script is the flow, and it must compile and import.

**Invariant**: the script is executed under its final path but never as `__main__`, so what it
guards by `if __name__ == "__main__"` does not run during a build.
"""

import linecache
import os
import sys
import types

import flowstorage_probe as probe

MODULE_NAME = "__flow__"


class Runtime:
    """Copies scripts, and executes each to check it."""

    def __init__(self, spec, tree):
        self.tree = tree
        self.seconds = spec["seconds"]

    def prepare(self):
        """Needs nothing of the image but Python."""
        return []

    def store(self, script, flows):
        """Copies the script to each location."""
        with open(script, "rb") as file:
            source = file.read()
        for flow in flows:
            self.tree.write(flow["location"], source)
        return [], flows

    def check(self, flow):
        """Runs the stored script once, under its final path."""
        with open(self.tree.place(flow["location"]), "rb") as file:
            source = file.read()
        results, death = probe.in_child(lambda: self._load(flow, source), self.seconds)
        if death is not None:
            name = os.path.basename(flow["location"])
            message = "loading `{}` failed: {}".format(name, death)
            return [probe.report("error", "import", flow["name"], message)]
        return results

    def close(self, failed):
        """Leaves nothing behind."""
        return []

    def _load(self, flow, source):
        path = flow["location"]
        try:
            code = compile(source, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:  # ValueError: a null byte, before Python 3.12.
            return [script_failure("compile", flow["name"], path, error)]
        folder = os.path.dirname(path)
        # As `python script.py` has it. Flows that import each other lie in the output so far.
        sys.path[:0] = [folder, self.tree.place(folder)]
        sys.argv[:] = [path]
        module = types.ModuleType(MODULE_NAME)
        module.__file__ = path
        sys.modules[MODULE_NAME] = module
        # The file is not at its path yet, where a traceback looks for its lines.
        lines = source.decode("utf-8", "replace").splitlines(True)
        linecache.cache[path] = (len(source), None, lines, path)
        try:
            exec(code, module.__dict__)
        except BaseException as error:  # A script that ends the process on import is no flow.
            return [script_failure("import", flow["name"], path, error)]
        message = "`{}` compiles and imports".format(os.path.basename(path))
        return [probe.report("ok", "import", flow["name"], message)]


def script_failure(check, subject, path, error, hidden_roots=(), frames_name=None):
    """Prints the traceback; returns the error that names the script's line and the cause.

    `frames_name` is the file name of the script's frames, where that is not its path.
    """
    probe.show_traceback(error, hidden_roots)
    line = probe.line_in(error, frames_name or path)
    place = "`{}`".format(os.path.basename(path)) + (" line {}".format(line) if line else "")
    why = error.msg if isinstance(error, SyntaxError) and line else probe.cause(error)
    message = "{}: {}".format(place, why)
    return probe.report(
        "error", check, subject, message, probe.remedy(error), probe.missing(error)
    )
