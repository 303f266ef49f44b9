"""Runs a Prefect 1 command against a GraphQL endpoint of its own, and prints what it was asked.

Usage: `python graphql.py JSON`, where the JSON has

- `command`: the program and its arguments,
- `files`: texts by path, written first,
- `flow`: what `prefect register` sent before, for a run of that flow; or null,
- `secrets`: values by name.

Prints one JSON object: `code` and `output` of the command, `flows` that it registered, `run` and
`tasks` with the states that it reported, `logs`, and `unknown`, the requests without an answer.

**Invariant**: listens on loopback only; the command gets what a Docker agent gives its containers.
"""

import base64
import gzip
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

PROJECT = "example"
# Any identifier of the right form.
RUN = "00000000-0000-0000-0000-00000000000a"
SECONDS = 120


class Backend:
    """What Prefect's server would know."""

    def __init__(self, flow, secrets):
        self.flow = flow
        self.secrets = secrets
        self.flows, self.logs, self.unknown = [], [], []
        self.run = []
        self.tasks = {task["slug"]: [] for task in (flow or {}).get("tasks", [])}

    def answer(self, query, variables):
        """Returns the data for a request, by the first field that it asks for."""
        found = re.match(r"\s*(?:query|mutation)?\s*(?:\([^)]*\)\s*)?\{\s*(\w+)", query)
        field = found.group(1) if found else ""
        try:
            return {field: getattr(self, "on_" + field)(query, variables)}
        except Exception as error:  # Without an answer Prefect would ask again and again.
            self.unknown.append("{}: {!r}".format(query.strip(), error))
            return None

    def on_project(self, query, _):
        return [{"id": "project"}] if '"{}"'.format(PROJECT) in query else []

    def on_flow(self, query, _):
        """The versions of a flow: none before this command."""
        return []

    def on_create_flow_from_compressed_string(self, _, variables):
        text = variables["input"]["serialized_flow"]
        self.flows.append(json.loads(gzip.decompress(base64.b64decode(text))))
        return {"id": "flow-{}".format(len(self.flows))}

    def on_flow_run(self, *_):
        parts = ("name", "storage", "run_config")
        return [{"version": 1, "flow": {part: self.flow[part] for part in parts}}]

    def on_flow_run_by_pk(self, *_):
        """The run and its tasks, which a runner must find again in the flow that it loads."""
        return {
            "id": RUN,
            "name": "run",
            "flow_id": "flow",
            "parameters": {},
            "context": {},
            "version": len(self.run),
            "scheduled_start_time": "2020-01-01T00:00:00+00:00",
            "serialized_state": (self.run or [None])[-1],
            "task_runs": [
                {
                    "id": slug,
                    "version": len(states),
                    "serialized_state": (states or [None])[-1],
                    "task": {"id": slug, "slug": slug},
                }
                for slug, states in self.tasks.items()
            ],
            "flow": {
                "project": {"id": "project", "name": PROJECT},
                # A heartbeat is one more process, and takes as long to start as the flow.
                "settings": {"heartbeat_enabled": False},
            },
        }

    def on_get_or_create_task_run_info(self, query, _):
        slug = re.search(r'task_id: "([^"]*)"', query).group(1)
        states = self.tasks[slug]
        return {"id": slug, "version": len(states), "serialized_state": (states or [None])[-1]}

    def on_update_flow_run_heartbeat(self, *_):
        return {"success": True}

    def on_secret_value(self, _, variables):
        return self.secrets[variables["name"]]

    def on_set_flow_run_states(self, _, variables):
        entries = variables["input"]["states"]
        return self._set([(self.run, each["state"]) for each in entries])

    def on_set_task_run_states(self, _, variables):
        entries = variables["input"]["states"]
        return self._set([(self.tasks[each["task_run_id"]], each["state"]) for each in entries])

    def _set(self, entries):
        for states, state in entries:
            states.append(state)
        return {"states": [{"id": "state", "status": "SUCCESS", "message": None} for _ in entries]}

    def on_write_run_logs(self, _, variables):
        logs = variables["input"]["logs"]
        # A run that cannot be loaded sends its one entry without a list.
        self.logs += [entry["message"] for entry in ([logs] if isinstance(logs, dict) else logs)]
        return {"success": True}


class Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True


def serve(backend):
    """Starts the endpoint; returns its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            variables = json.loads(request.get("variables") or "{}") or {}
            data = backend.answer(request["query"], variables)
            errors = [{"message": "no such field"}]
            body = json.dumps({"errors": errors} if data is None else {"data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "http://127.0.0.1:{}".format(server.server_port)


def main(given):
    for path, text in given["files"].items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    backend = Backend(given["flow"], given["secrets"])
    address = serve(backend)
    variables = {
        "PREFECT__BACKEND": "cloud",
        "PREFECT__CLOUD__API": address,
        "PREFECT__CLOUD__API_KEY": "key",
        "PREFECT__CLOUD__TENANT_ID": RUN,
        "PREFECT__CLOUD__SEND_FLOW_RUN_LOGS": "true",
        "PREFECT__CLOUD__USE_LOCAL_SECRETS": "false",
    }
    if given["flow"]:
        variables.update(
            {
                "PREFECT__CONTEXT__FLOW_RUN_ID": RUN,
                "PREFECT__CONTEXT__FLOW_ID": "flow",
                "PREFECT__ENGINE__FLOW_RUNNER__DEFAULT_CLASS": "prefect.engine.cloud.CloudFlowRunner",
            }
        )
    done = subprocess.run(
        given["command"],
        env=dict(os.environ, **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
    )
    print(
        json.dumps(
            {
                "code": done.returncode,
                "output": done.stdout.decode("utf-8", "replace"),
                "flows": backend.flows,
                "run": [state["type"] for state in backend.run],
                "tasks": {slug: states[-1]["type"] for slug, states in backend.tasks.items() if states},
                "logs": backend.logs,
                "unknown": backend.unknown,
            }
        )
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
