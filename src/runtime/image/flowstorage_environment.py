"""Sets what flow scripts read of the environment of whoever builds, while they are loaded.

**Invariant**: nothing of it outlives the process, and no value is printed.
"""

import os

# Shorter values are found anywhere by chance.
SHORTEST_SECRET = 6
_secrets = {}


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
        if len(value) >= SHORTEST_SECRET:
            _secrets[secret["name"]] = value


def secrets_in(data):
    """Returns the names of the secret variables whose values are in some bytes."""
    return sorted(name for name, value in _secrets.items() if value in data)
