"""Flows of runtime `prefect1`: pickled by the Prefect of the image, or kept as scripts.

**Invariant**: no flow file carries what only the build needed to know (the environment
variables, build arguments and paths of a `Docker(...)` storage), and loading a script neither
runs, registers nor builds anything.
"""

import ast
import base64
import copyreg
import json
import os
import re
import sys
import warnings

import flowstorage_arguments
import flowstorage_environment as environment
import flowstorage_probe as probe
from flowstorage_python import script_failure

# The name under which `prefect register` runs a script: not `__main__`, and not importable, so
# that what the script defines is pickled by value.
RUN_NAME = "<flow>"
# What `prefect register --json` reads goes here, below the folder that the spec names.
REGISTRATION_FILE = "/registration.json"
# What the spec says of the storage, by the names of `Docker(...)`. The tag is in no flow file: it
# may be a digest of what goes into the image.
STORAGE_FIELDS = (
    "registry_url",
    "image_name",
    "prefect_directory",
    "path",
    "stored_as_script",
    "secrets",
    "prefect_version",
)
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


class Runtime:
    """Turns scripts into Prefect's flow files. Prefect is imported once; children are forks."""

    def __init__(self, spec, tree):
        self.as_script = spec["stored_as_script"]
        self.tree = tree
        self.seconds = spec["seconds"]
        self.locations = {flow["name"]: flow["location"] for flow in spec["flows"]}
        self.fields = spec.get("storage") or {}
        self.registration = spec.get("registration")
        self.described = {}

    def prepare(self):
        """Imports Prefect, which must be of the series 1."""
        remedy = "set prefect_version, or add `prefect<2` to python_dependencies"
        try:
            import prefect
            import prefect.utilities.storage
        except Exception as error:
            probe.show_traceback(error)
            message = "importing `prefect` failed: {}".format(probe.cause(error))
            remedy = probe.remedy(error) or remedy
            return [probe.report("error", "import", "prefect", message, remedy)]
        if not hasattr(prefect.utilities.storage, "flow_to_bytes_pickle"):
            message = "runtime `prefect1` needs Prefect 1, the image has {}".format(
                prefect.__version__
            )
            return [probe.report("error", "import", "prefect", message, remedy)]
        self.hidden_roots = (os.path.dirname(prefect.__file__),)
        return []

    def store(self, script, flows):
        """Writes the file of each flow of one script, which runs once for all of them."""
        if self.as_script:
            with open(script, "rb") as file:
                source = file.read()
            for flow in flows:
                self.tree.write(flow["location"], source)
            if self.registration:
                self._describe_script(source, flows)
            return [], flows
        value, death = probe.in_child(lambda: self._serialise(script, flows), self.seconds)
        if death is not None:
            name = os.path.basename(script)
            message = "running `{}` failed: {}".format(name, death)
            return [probe.report("error", "flow", name, message)], []
        results, described = value
        self.described.update(described)
        return results, [flow for flow in flows if flow["name"] in described]

    def _serialise(self, script, flows):
        """Runs the script once; returns results and, by name, what was written."""
        import prefect
        from prefect.utilities.storage import flow_to_bytes_pickle

        constructed = disarm(prefect)
        sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
        sys.argv[:] = [script]
        try:
            with prefect.context(loading_flow=True, local_script_path=script):
                namespace = flowstorage_arguments.run(script, RUN_NAME, flows[0].get("file"))
        except BaseException as error:  # `sys.exit()` at the end of a script ends the load too.
            subject = os.path.basename(script)
            return [script_failure("flow", subject, script, error, self.hidden_roots)], {}
        found = find_flows(namespace, constructed, prefect.Flow)
        results, written = [], []
        strip_build_arguments(prefect)
        for entry in flows:
            flow = found.get(entry["name"])
            if flow is None:
                results.append(absent(entry["name"], script, found))
                continue
            finish(flow, docker_storage(self.fields, self.locations, prefect), prefect)
            try:
                data = flow_to_bytes_pickle(flow)
            except Exception as error:
                probe.show_traceback(error, self.hidden_roots)
                message = "flow `{}` cannot be serialised: {}".format(flow.name, probe.cause(error))
                results.append(
                    probe.report(
                        "error",
                        "flow",
                        flow.name,
                        message,
                        "create connections, locks and open files inside a task, "
                        "or set stored_as_script",
                    )
                )
                continue
            names = environment.secrets_in(pickle_in(data))
            if names:
                results.append(carries(flow.name, names))
                continue
            self.tree.write(entry["location"], data)
            written.append(flow)
        # All are pickled by now: describing a flow leaves marks on tasks that flows may share.
        return results, {flow.name: self._describe(flow, prefect) for flow in written}

    def _describe_script(self, source, flows):
        """Runs a script that is stored as it is, once, for what registering its flows takes."""
        location = flows[0]["location"]
        value, death = probe.in_child(lambda: self._describe_all(source, flows), self.seconds)
        if death is not None:
            message = "running `{}` failed: {}".format(os.path.basename(location), death)
            value = {flow["name"]: reason(message, None) for flow in flows}
        self.described.update(value)

    def _describe_all(self, source, flows):
        import prefect

        location = flows[0]["location"]
        constructed = disarm(prefect)
        # Prefect's loader gives no name, without which Prefect's schema fails on functions.
        namespace = {"__file__": location, "__name__": RUN_NAME}
        try:
            with prefect.context(loading_flow=True):
                exec(compile(source, location, "exec", dont_inherit=True), namespace)
        except BaseException as error:
            failed = script_failure("flow", location, location, error, self.hidden_roots)
            return {flow["name"]: reason(**failed) for flow in flows}
        found = find_flows(namespace, constructed, prefect.Flow)
        described = {}
        for entry in flows:
            flow = found.get(entry["name"])
            if flow is None:
                described[entry["name"]] = reason(**absent(entry["name"], location, found))
                continue
            finish(flow, docker_storage(self.fields, self.locations, prefect), prefect)
            described[entry["name"]] = self._describe(flow, prefect)
        return described

    def _describe(self, flow, prefect):
        """Returns what `prefect register` sends of a flow, or why that cannot be said."""
        if not self.registration:
            return None
        tag = self.fields.get("image_tag")
        flow.storage = docker_storage(self.fields, self.locations, prefect, image_tag=tag)
        try:
            described = plain_json(flow.serialize(build=False))
            for task in described["tasks"] + described["parameters"]:
                # Types of some annotations tell where in memory they were.
                task["outputs"] = _ADDRESS.sub("", task["outputs"])
                for entry in (task.get("inputs") or {}).values():
                    entry["type"] = _ADDRESS.sub("", entry["type"])
        except Exception as error:
            return unregistrable("flow `{}`".format(flow.name), error)
        return {"flow": described}

    def _describe_storage(self):
        """Returns what a server is told of the storage, if Prefect can read it again."""
        try:
            import prefect
            from prefect.serialization.storage import StorageSchema

            tag = self.fields.get("image_tag")
            storage = docker_storage(self.fields, self.locations, prefect, image_tag=tag)
            described = plain_json(StorageSchema().dump(storage))
            # As an agent and a flow run do before anything else.
            StorageSchema().load(described)
        except Exception as error:
            return unregistrable("the storage", error)
        return {"storage": described}

    def close(self, failed):
        """Writes what `prefect register --json` reads, with the storage beside the flows.

        An image is as good without it, so that a flow that cannot be told of fails no build.
        """
        if failed or not self.registration:
            return []
        storage, death = probe.in_child(self._describe_storage, self.seconds)
        if death is not None:
            message = "describing the storage failed: {}".format(death)
            storage = reason(message, None)
        described = [storage] + [self.described[name] for name in sorted(self.described)]
        why_not = next((entry for entry in described if "error" in entry), None)
        if why_not is None:
            flows = [entry["flow"] for entry in described[1:]]
            value = {"version": 1, "flows": flows, "storage": storage["storage"]}
            names = ", ".join("`{}`".format(flow["name"]) for flow in flows)
            message = "`prefect register` can read {}".format(names)
            results = [probe.report("ok", "registration", "prefect", message)]
        else:
            value = why_not
            message = "no flow can be registered: {}".format(value["error"])
            remedy = value["remedy"]
            results = [probe.report("warning", "registration", "prefect", message, remedy)]
        folder = type(self.tree)(self.registration)
        folder.write(REGISTRATION_FILE, json.dumps(value, sort_keys=True).encode("ascii"))
        folder.seal()
        return results

    def check(self, flow):
        """Loads the stored flow in a process that has not run its script."""
        results, death = probe.in_child(lambda: self._load(flow), self.seconds)
        if death is not None:
            message = "loading flow `{}` failed: {}".format(flow["name"], death)
            return [probe.report("error", "flow", flow["name"], message)]
        return results

    def _load(self, flow):
        """Loads the stored file as an agent does: by name, with Prefect's own loader."""
        import prefect
        from prefect.storage import Docker

        name, location = flow["name"], flow["location"]
        read_from(self.tree, prefect)
        storage = Docker(stored_as_script=self.as_script)
        storage.flows = {name: location}
        try:
            with prefect.context(loading_flow=True):
                loaded = storage.get_flow(name)
        except BaseException as error:
            return [self._load_failure(flow, error)]
        if loaded.name != name:
            message = "`{}` holds flow `{}`, not `{}`".format(location, loaded.name, name)
            return [probe.report("error", "flow", name, message)]
        results = [
            probe.report("warning", "result", name, text) for text in result_warnings(loaded)
        ]
        message = "flow `{}` loads from `{}`".format(name, location)
        return results + [probe.report("ok", "flow", name, message)]

    def _load_failure(self, flow, error):
        import prefect.exceptions

        name, location = flow["name"], flow["location"]
        if self.as_script:
            if isinstance(error, ValueError) and probe.line_in(error, "<string>") is None:
                names = names_in(str(error))
                if names is not None:
                    return absent(name, location, names, "bind it to a variable of the module")
            # Prefect executes the text of a script, so its frames know no file name.
            return script_failure(
                "flow", name, location, error, self.hidden_roots, frames_name="<string>"
            )
        probe.show_traceback(error, self.hidden_roots)
        if isinstance(error, prefect.exceptions.FlowStorageError) and error.__cause__:
            # Prefect's text lists versions, which are equal here; its cause is the cause.
            error = error.__cause__
        message = "flow `{}` does not load: {}".format(name, probe.cause(error))
        return probe.report(
            "error", "flow", name, message, probe.remedy(error), probe.missing(error)
        )


def disarm(prefect):
    """Makes top-level calls of a script harmless; returns the list that collects its flows.

    Prefect guards `run` and `register` itself, but returns None from `run`, which a script that
    looks at the state trips over; storages, agents and drawings it does not guard at all.
    """
    flow_class = prefect.Flow
    constructed = []
    construct = flow_class.__init__

    def __init__(self, *args, **kwargs):
        construct(self, *args, **kwargs)
        constructed.append(self)

    def run(self, *args, **kwargs):
        success = prefect.engine.state.Success
        message = "Flows do not run while they are stored."
        return success(message=message, result={task: success(message) for task in self.tasks})

    def build_docker(self, *args, **kwargs):
        self.image_name = self.image_name or "image"
        self.image_tag = self.image_tag or "latest"
        return self

    flow_class.__init__ = __init__
    flow_class.run = run
    for name in ("register", "run_agent", "visualize", "save"):
        setattr(flow_class, name, lambda self, *args, **kwargs: None)
    for storage in subclasses(prefect.storage.Storage):
        if "build" in vars(storage):
            storage.build = lambda self, *args, **kwargs: self
    prefect.storage.Docker.build = build_docker
    for agent in subclasses(prefect.agent.agent.Agent):
        agent.start = lambda self, *args, **kwargs: None
    return constructed


def subclasses(base):
    """Returns the class and everything derived from it so far."""
    return [base] + [found for child in base.__subclasses__() for found in subclasses(child)]


def find_flows(namespace, constructed, flow_class):
    """Returns flows by name: those in the script's globals, in their collections, or anywhere.

    A global wins over a flow of the same name that was only constructed on the way.
    """
    found = {flow.name: flow for flow in constructed}
    values = list(namespace.values())
    for value in values:
        if isinstance(value, dict):
            inside = list(value.values())
        elif isinstance(value, (list, tuple, set, frozenset)):
            inside = list(value)
        else:
            continue
        found.update((item.name, item) for item in inside if isinstance(item, flow_class))
    found.update((value.name, value) for value in values if isinstance(value, flow_class))
    return found


def docker_storage(fields, locations, prefect, **more):
    """Returns the storage that the spec describes, for all flows of the image."""
    known = {name: fields.get(name) for name in STORAGE_FIELDS}
    known.update(more)
    arguments = {name: value for name, value in known.items() if value is not None}
    storage = prefect.storage.Docker(**arguments)
    storage.flows = dict(locations)
    return storage


def finish(flow, described, prefect):
    """Does to a flow what `prefect register` does before it pickles one.

    A running flow never looks at its own storage, but its tasks and handlers may: it keeps one
    that says where the flows are. Any other kind of storage would be untrue in an image, and
    gives way to the one that the spec describes.
    """
    storage = flow.storage
    if not flow.result and storage is not None:
        flow.result = storage.result
    if flow.run_config is None:
        flow.run_config = prefect.run_configs.UniversalRun()
    if storage is not None:
        flow.run_config.labels.update(storage.labels)
    if not isinstance(storage, prefect.storage.Docker):
        flow.storage = described
    flow.storage.flows = dict(described.flows)
    settle_order(flow)


class InOrder(set):
    """A set that is pickled as a plain one, filled in a fixed order."""

    def __init__(self, items, key):
        super().__init__(items)
        self.in_order = sorted(self, key=key)

    def __reduce_ex__(self, protocol):
        return set, (self.in_order,)


def settle_order(flow):
    """Makes the pickle of a flow depend on the flow alone, not on addresses and hash seeds."""
    slugs = flow.slugs

    def slug(task):
        return slugs.get(task, task.name)

    def ends(edge):
        flags = (str(edge.key), edge.mapped, edge.flattened)
        return (slug(edge.upstream_task), slug(edge.downstream_task)) + flags

    for task in flow.tasks:
        task.tags = InOrder(task.tags, key=str)
    flow.tasks = InOrder(flow.tasks, key=slug)
    flow.edges = InOrder(flow.edges, key=ends)
    if flow._reference_tasks:
        flow._reference_tasks = InOrder(flow._reference_tasks, key=slug)
    flow.run_config.labels = InOrder(flow.run_config.labels, key=str)
    # What was looked up while the script ran; Prefect looks it up again.
    flow._cache.clear()


def strip_build_arguments(prefect):
    """Makes every Docker storage, wherever a flow refers to one, pickle as what Prefect's own
    schema tells a server about it: no environment, build arguments, commands or paths.
    """
    docker = prefect.storage.Docker

    def __reduce_ex__(self, protocol):
        public = docker(
            registry_url=self.registry_url,
            image_name=self.image_name,
            image_tag=self.image_tag,
            prefect_version=self.prefect_version,
            prefect_directory=self.prefect_directory,
            path=self.path,
            stored_as_script=self.stored_as_script,
            secrets=self.secrets,
            result=self.result,
            labels=self._labels,
            add_default_labels=self.add_default_labels,
            # Named, because the default is the DOCKER_HOST of the build.
            base_url="unix://var/run/docker.sock",
        )
        public.flows = dict(self.flows)
        # A subclass, which the script may define, becomes a plain one.
        return copyreg._reconstructor, (docker, object, None), dict(vars(public))

    for storage in subclasses(docker):
        storage.__reduce_ex__ = __reduce_ex__


def read_from(tree, prefect):
    """Lets Prefect's loader find files by their final paths, which scripts see as `__file__`."""

    def open_in_tree(path, *args, **kwargs):
        return open(tree.place(path), *args, **kwargs)

    sys.modules[prefect.storage.Docker.__module__].open = open_in_tree
    prefect.utilities.storage.open = open_in_tree


def result_warnings(flow):
    """Returns what Prefect's own check says about results, retries and caches."""
    from prefect.storage._healthcheck import result_check

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result_check([flow], quiet=True)
    # The link is noise on a line of its own; a flow's tasks come in no order.
    return sorted({str(warning.message).split(" See http")[0] for warning in caught})


def plain_json(value):
    """Returns what a strict reader of the value's JSON gets."""
    return json.loads(json.dumps(value, sort_keys=True, allow_nan=False))


def unregistrable(what, error):
    """Says why registering is impossible, and prints the traceback."""
    probe.show_traceback(error)
    remedy = probe.remedy(error)
    # These series removed what Prefect 1 calls.
    if "object has no attribute 'context'" in str(error):
        remedy = "add `marshmallow<4` to python_dependencies"
    elif "pendulum" in str(error):
        remedy = "add `pendulum<3` to python_dependencies"
    message = "{} does not pass Prefect's schema: {}".format(what, probe.cause(error))
    return reason(message, remedy)


def reason(message, remedy, **_):
    """Returns why nothing can be registered; takes a result, too."""
    return {"error": message, "remedy": remedy}


def names_in(text):
    """Returns the flow names in Prefect's complaint that one is not in a file, or None."""
    if text.startswith("No flows found"):
        return []
    if not (text.startswith("Flow ") and "not found in file" in text):
        return None
    return [ast.literal_eval(line[2:]) for line in text.splitlines() if line.startswith("- ")]


def pickle_in(data):
    """Returns the pickle of a flow file, which has been in an envelope since Prefect 0.14.3."""
    try:
        return base64.b64decode(json.loads(data.decode("utf-8"))["flow"])
    except (ValueError, KeyError):
        return data


def carries(name, variables):
    """Returns the error for a flow that would carry credentials into the image."""
    shown = ", ".join("`{}`".format(variable) for variable in variables)
    message = "flow `{}` would hold the value of {}".format(name, shown)
    remedy = "read {} inside the task, and give it to the container that runs the flow".format(shown)
    return probe.report("error", "secret", name, message, remedy)


def absent(name, script, names, remedy=None):
    """Returns the error for a flow that a script does not have."""
    having = ", ".join("`{}`".format(other) for other in sorted(names)) or "no flow"
    message = "flow `{}` is not in `{}`; it has {}".format(name, os.path.basename(script), having)
    return probe.report(
        "error",
        "flow",
        name,
        message,
        remedy
        or 'name one of its flows, or create the flow outside of `if __name__ == "__main__"`',
    )
