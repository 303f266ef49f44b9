"""Deploys and runs flows of Prefect 3 with a server of its own.

Usage: `python prefect3.py JSON`, in the folder that a project would be deployed from. The JSON has
`prefect_yaml`, the text of that file, and `program`, Python that runs a flow and prints its result
as the last line, in JSON.

Prints one JSON object: `code` and `output` of `prefect deploy`, `deployments` as the server has
them, `result` of the program, and the `states` of the flow runs that the server was told of.

**Invariant**: the server listens on loopback only and ends with this program.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request

API = "http://127.0.0.1:4200/api"
SECONDS = 90
VARIABLES = {
    "PREFECT_API_URL": API,
    # `--pool` is for one deployment; several take theirs from here.
    "PREFECT_DEFAULT_WORK_POOL_NAME": "pool",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "NO_COLOR": "1",
}


def ask(path, body=None):
    """Returns what the server answers; a body makes it a POST."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(API + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


def wait_for(server):
    """Waits until the server answers."""
    until = time.monotonic() + SECONDS
    while server.poll() is None and time.monotonic() < until:
        try:
            return ask("/health")
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not start")


def run(command, folder=None):
    """Runs a program that knows the server; returns its exit code and what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(os.environ, **VARIABLES),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def main(given):
    with open("/tmp/prefect.yaml", "w", encoding="utf-8") as file:
        file.write(given["prefect_yaml"])
    server = subprocess.Popen(
        ["prefect", "server", "start", "--host", "127.0.0.1", "--no-services"],
        env=dict(os.environ, **VARIABLES),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(server)
        run(["prefect", "work-pool", "create", "--type", "docker", "pool"])
        deploy = "prefect --no-prompt deploy --prefect-file /tmp/prefect.yaml --all"
        code, output = run(deploy.split())
        deployments = ask("/deployments/filter", {})
        # Elsewhere than in the folder of the flow.
        ended, printed = run([sys.executable, "-c", given["program"]], folder="/")
        lines = printed.splitlines()
        result = json.loads(lines[-1]) if ended == 0 and lines else printed
        states = [found["state_type"] for found in ask("/flow_runs/filter", {})]
    finally:
        server.kill()
        server.wait()
    print(
        json.dumps(
            {
                "code": code,
                "output": output,
                "deployments": deployments,
                "result": result,
                "states": states,
            }
        )
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
