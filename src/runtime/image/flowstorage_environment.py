"""Sets what flow scripts read of the environment of whoever builds, while they are loaded.

**Invariant**: nothing of it outlives the process, and no value is printed.
"""

import os


def apply(spec):
    """Sets the variables of a spec; a secret whose file was not given stays unset."""
    for name, value in (spec.get("environment") or {}).items():
        os.environ[name] = value
    for secret in spec.get("secret_environment") or []:
        try:
            with open(secret["file"], "rb") as file:
                value = file.read()
        except FileNotFoundError:
            continue
        # As Python itself reads variables that are not UTF-8.
        os.environ[secret["name"]] = os.fsdecode(value)
