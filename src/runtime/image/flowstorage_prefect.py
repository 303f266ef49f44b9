"""Flows of runtime `prefect` (Prefect 2 and 3): scripts, whose entrypoints must load.

**Invariant**: Prefect's own loader sees each script at its final path, and neither starts a
server, reaches one, nor leaves a file behind; a flow that the script calls does not run.
"""

import asyncio
import inspect
import os
import shutil
import sys
import tempfile

import flowstorage_probe as probe
from flowstorage_python import script_failure

# Nothing listens there: whoever asks for the API meets a refusal at once, and no server starts.
NO_API = "http://127.0.0.1:1/api"
SETTINGS = {
    "PREFECT_API_URL": NO_API,
    "PREFECT_CLIENT_MAX_RETRIES": "0",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


class Runtime:
    """Copies scripts, and loads each entrypoint to check it. Children are forks."""

    def __init__(self, spec, tree):
        self.tree = tree
        self.seconds = spec["seconds"]
        self.checks = spec["check"]
        self.workdir = spec.get("workdir")
        self.stored = []
        self.layout = None
        self.home = None

    def prepare(self):
        """Imports Prefect, which must be of the series 2 or 3; copying alone needs none."""
        if not self.checks:
            return []
        remedy = "set prefect_version, or add `prefect` to python_dependencies"
        self.home = tempfile.mkdtemp(prefix="flowstorage-prefect-")
        api_of_image = os.environ.get("PREFECT_API_URL")
        os.environ.update(SETTINGS, PREFECT_HOME=self.home)
        try:
            import prefect

            if prefect.__version__.split(".")[0] in ("0", "1"):
                message = "runtime `prefect` needs Prefect 2 or 3, the image has {}"
                message = message.format(prefect.__version__)
                remedy = "set runtime to `prefect1`, or set prefect_version"
                return [probe.report("error", "import", "prefect", message, remedy)]
            import prefect.flows  # noqa: F811 (once, for all children)
        except Exception as error:
            probe.show_traceback(error)
            message = "importing `prefect` failed: {}".format(probe.cause(error))
            if getattr(error, "name", None) != "prefect":
                remedy = probe.remedy(error) or remedy
            return [probe.report("error", "import", "prefect", message, remedy)]
        # Prefect has read its settings by now; a script may look at the variable itself.
        del os.environ["PREFECT_API_URL"]
        if api_of_image is not None:
            os.environ["PREFECT_API_URL"] = api_of_image
        self.hidden_roots = (os.path.dirname(prefect.__file__),)
        return []

    def store(self, script, flows):
        """Copies the script to each location; several flows may share one."""
        with open(script, "rb") as file:
            source = file.read()
        for flow in flows:
            self.tree.write(flow["location"], source)
        self.stored.extend(flows)
        return [], flows

    def check(self, flow):
        """Loads the entrypoint as a flow run does."""
        name, location = flow["name"], flow["location"]
        if not location.endswith(".py"):
            message = "`{}` is no entrypoint: Prefect loads scripts that end in `.py`"
            remedy = "rename the script, or end path in `.py`"
            return [probe.report("error", "flow", name, message.format(location), remedy)]
        try:
            self._lay_out()
        except OSError as error:
            message = "putting scripts in their places failed: {}".format(error)
            return [probe.report("error", "flow", name, message)]
        results, death = probe.in_child(lambda: self._load(flow), self.seconds)
        if death is not None:
            message = "loading flow `{}` failed: {}".format(name, death)
            return [probe.report("error", "flow", name, message)]
        return results

    def close(self, failed):
        """Removes what the check needed."""
        if self.layout:
            self.layout.remove()
        if self.home:
            shutil.rmtree(self.home, ignore_errors=True)
        return []

    def _lay_out(self):
        """Puts all scripts where they will be, once: they may import each other."""
        if self.layout:
            return
        self.layout = Layout()
        for location in sorted({flow["location"] for flow in self.stored}):
            with open(self.tree.place(location), "rb") as file:
                self.layout.write(location, file.read())

    def _load(self, flow):
        name, location, function = flow["name"], flow["location"], flow.get("function")
        script = os.path.basename(location)
        # Prefect adds the folders of the script and of the process to `sys.path`.
        os.chdir(self._working_folder(location))
        calls = disarm(location)
        try:
            if function:
                loaded = load_entrypoint(location, function)
            else:
                loaded, function = find_flow(location, name)
        except BaseException as error:  # A script that ends the process on import is no flow.
            return called(name, calls) + [self._load_failure(flow, error)]
        if loaded is None:
            message = "flow `{}` is not in `{}`".format(name, script)
            remedy = "name a flow that is a variable of the script"
            return called(name, calls) + [probe.report("error", "flow", name, message, remedy)]
        if loaded.name != name:
            message = "`{}` of `{}` is flow `{}`, not `{}`"
            message = message.format(function, script, loaded.name, name)
            remedy = "name the flow `{}`".format(loaded.name)
            return called(name, calls) + [probe.report("error", "flow", name, message, remedy)]
        message = "flow `{}` loads from `{}:{}`".format(name, location, function)
        return called(name, calls) + [probe.report("ok", "flow", name, message)]

    def _working_folder(self, location):
        if self.workdir and os.path.isdir(self.workdir):
            return self.workdir
        return os.path.dirname(location)

    def _load_failure(self, flow, error):
        from prefect.exceptions import MissingFlowError

        name, location = flow["name"], flow["location"]
        script = os.path.basename(location)
        if isinstance(error, MissingFlowError):
            if isinstance(error.__cause__, AttributeError):
                message = "`{}` has no `{}`".format(script, flow["function"])
                remedy = "define the flow outside of functions and conditions"
            else:
                message = "`{}` of `{}` is no flow".format(flow["function"], script)
                remedy = "decorate it with `@flow`, which must be its outermost decorator"
            return probe.report("error", "flow", name, message, remedy)
        error = getattr(error, "user_exc", None) or error
        result = script_failure("flow", name, location, error, self.hidden_roots)
        if asks_api(error):
            line = probe.line_in(error, location)
            place = "`{}`".format(script) + (" line {}".format(line) if line else "")
            message = "{}: it asks Prefect's API when it is imported".format(place)
            remedy = "load blocks and variables inside a flow or task, or set ignore_healthchecks"
            return probe.report("error", "flow", name, message, remedy)
        return result


class Layout:
    """Files that are written for a while."""

    def __init__(self):
        self.folders = []
        self.files = []

    def write(self, path, data):
        """Writes a file, with the folders above it; keeps what it replaces."""
        self._make_folder(os.path.dirname(path))
        before = None
        if os.path.exists(path):
            with open(path, "rb") as file:
                before = file.read()
        self.files.append((path, before))
        with open(path, "wb") as file:
            file.write(data)

    def _make_folder(self, path):
        if not os.path.isdir(path):
            self._make_folder(os.path.dirname(path))
            os.mkdir(path)
            self.folders.append(path)

    def remove(self):
        """Undoes what can be undone: a script may have left files in a folder."""
        for path, before in reversed(self.files):
            try:
                if before is None:
                    os.remove(path)
                else:
                    with open(path, "wb") as file:
                        file.write(before)
            except OSError:
                continue
        for path in reversed(self.folders):
            try:
                os.rmdir(path)
            except OSError:
                continue


def load_entrypoint(location, function):
    """Loads a flow with Prefect's loader, which must not make up a flow where that fails."""
    from prefect.flows import load_flow_from_entrypoint

    options = {}
    if "use_placeholder_flow" in inspect.signature(load_flow_from_entrypoint).parameters:
        options["use_placeholder_flow"] = False
    return load_flow_from_entrypoint("{}:{}".format(location, function), **options)


def find_flow(location, name):
    """Loads a script; returns its flow of that name and the variable that holds it."""
    import prefect
    from prefect.utilities.importtools import load_script_as_module

    module = load_script_as_module(location)
    for variable, value in vars(module).items():
        if isinstance(value, prefect.Flow) and value.name == name:
            return value, variable
    return None, None


def disarm(location):
    """Makes flows that a script calls or serves do nothing; returns the list of those calls."""
    import prefect
    import prefect.flows

    calls = []

    def skip(what):
        def skipped(*args, **kwargs):
            calls.append((what, line_of_caller(location)))
            is_async = args and getattr(args[0], "isasync", False)
            if is_async or asyncio._get_running_loop() is not None:
                return nothing()

        return skipped

    flow_class = prefect.flows.Flow
    flow_class.__call__ = skip("runs a flow")
    for method in ("serve", "deploy"):
        setattr(flow_class, method, skip("calls `{}`".format(method)))
        setattr(prefect, method, getattr(flow_class, method))
    prefect.flows.serve = flow_class.serve
    return calls


async def nothing():
    """Is what an asynchronous flow does instead of running."""


def line_of_caller(location):
    """Returns the line of the script that is being executed, or None."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == location:
            return frame.f_lineno
        frame = frame.f_back
    return None


def called(name, calls):
    """Returns a warning for each call that was skipped: every flow run would repeat it."""
    results = []
    for what, line in calls:
        message = "flow `{}`: its script {} when it is imported{}".format(
            name, what, ", in line {}".format(line) if line else ""
        )
        remedy = 'move it below `if __name__ == "__main__":`'
        results.append(probe.report("warning", "flow", name, message, remedy))
    return results


def asks_api(error):
    """Says whether a connection to the API was the cause."""
    seen = []
    while error is not None and not any(error is link for link in seen):
        seen.append(error)
        # httpx refuses to name the request of an error that it raised without one.
        request = vars(error).get("_request")
        if request is not None and str(request.url).startswith(NO_API):
            return True
        error = error.__cause__ or error.__context__
    return False
