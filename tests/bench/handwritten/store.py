"""Serialises the flows of a script as Prefect's own storage does, and loads them back.

**Invariant**: a flow that does not load fails the build.
"""

import os
import sys

from prefect.storage import Docker
from prefect.utilities.storage import extract_flow_from_file, flow_to_bytes_pickle


def main(script):
    """Writes the flow's file and loads it as an agent does."""
    flow = extract_flow_from_file(script)
    storage = Docker()
    location = storage.add_flow(flow)
    flow.storage = storage
    os.makedirs(os.path.dirname(location), exist_ok=True)
    with open(location, "wb") as file:
        file.write(flow_to_bytes_pickle(flow))
    storage.get_flow(flow.name)


if __name__ == "__main__":
    main(sys.argv[1])
