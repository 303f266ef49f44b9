"""Writes the flow files of an image, inside it, and checks that they load.

Usage: `python flows.py SPEC.json`. Each file lands in the spec's `output` folder under its path
in the image. Prints one result line per finding and exits 1 if one is an error.

**Invariant**: what is written depends on the flows alone: fixed modes, and fixed times for files
and folders, so that an unchanged flow is an unchanged layer.
"""

import importlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import flowstorage_environment as environment  # noqa: E402  (the path comes first)
import flowstorage_probe as probe  # noqa: E402

FLOW_SECONDS = 600
# One module per runtime, the place to add another. Its class `Runtime` has `prepare()`, which
# returns results; `store(script, flows)`, which returns results and the flows that were stored;
# `check(flow)`, which returns results; and `close(failed)`, which comes last, whatever happened,
# and returns results.
RUNTIMES = {
    "prefect": "flowstorage_prefect",
    "prefect1": "flowstorage_prefect1",
    "python": "flowstorage_python",
}


class OutputTree:
    """The files of the image that this program makes, under a folder that stands for `/`."""

    def __init__(self, root):
        self.root = root
        os.makedirs(root, exist_ok=True)

    def place(self, location):
        """Returns where a path of the image lies now."""
        inside = os.path.normpath("/" + location).lstrip("/")
        return os.path.join(self.root, inside) if inside else self.root

    def write(self, location, data):
        """Writes one file, with the folders above it."""
        path = self.place(location)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def seal(self):
        """Gives every file and folder its final mode and time, whatever umask and clock say."""
        try:
            seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
        except ValueError:
            seconds = 0
        for folder, _, names in os.walk(self.root, topdown=False):
            for name in names:
                path = os.path.join(folder, name)
                os.chmod(path, 0o644)
                os.utime(path, (seconds, seconds))
            os.chmod(folder, 0o755)
            os.utime(folder, (seconds, seconds))


def scripts_of(flows):
    """Groups flows by script, in the order of the spec: a script with several runs once."""
    groups = {}
    order = []
    for flow in flows:
        if flow["script"] not in groups:
            groups[flow["script"]] = []
            order.append(flow["script"])
        groups[flow["script"]].append(flow)
    return [(script, groups[script]) for script in order]


def process(spec, runtime):
    """Stores the flows and checks them; returns whether anything failed."""
    failed = probe.emit(runtime.prepare()) if spec["flows"] else False
    stored = []
    # All are stored before one is checked: scripts of an image may import each other.
    for script, flows in [] if failed else scripts_of(spec["flows"]):
        try:
            results, done = runtime.store(script, flows)
        except OSError as error:
            message = "storing `{}` failed: {}".format(os.path.basename(script), error)
            results = [probe.report("error", "flow", flow["name"], message) for flow in flows]
            done = []
        failed = probe.emit(results) or failed
        stored.extend(done)
    for flow in stored if spec["check"] else []:
        failed = probe.emit(runtime.check(flow)) or failed
    return failed


def main(arguments):
    """Processes every script; returns the exit code."""
    spec = probe.read_spec(arguments[0])
    spec.setdefault("seconds", FLOW_SECONDS)
    environment.apply(spec)
    # Ours is imported before our folder leaves the path.
    module = importlib.import_module(RUNTIMES[spec["runtime"]])
    probe.prepare_process()
    tree = OutputTree(spec["output"])
    runtime = module.Runtime(spec, tree)
    failed = True
    try:
        failed = process(spec, runtime)
    finally:
        failed = probe.emit(runtime.close(failed)) or failed
    tree.seal()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
