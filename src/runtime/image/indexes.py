"""Runs a command that fetches Python packages, with what it may fetch with in its environment.

Usage: `python indexes.py SPEC.json -- COMMAND ARGUMENT…`. Reads the secrets of the build from
`/run/secrets`, sets the variables of uv, pip, git and TLS, and becomes COMMAND.

**Invariant**: writes no file and prints no value; what it sets lives as long as COMMAND.
"""

import json
import os
import re
import sys
from urllib.parse import quote, unquote, urlsplit

SECRETS = "/run/secrets"
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# A URL's scheme, user and password, and the rest.
PARTS = re.compile(r"^([a-z]+://)(?:([^/?#]*)@)?(.*)$")
# Each program has a variable of its own for the file of certificates.
TRUST = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
)


class Wrong(Exception):
    """A secret that was not given to the build, or that is not what it should be."""


class Secrets:
    """Reads secrets of the build."""

    def __init__(self, folder=SECRETS):
        self.folder = folder

    def path(self, name):
        """Returns the file of a secret."""
        return os.path.join(self.folder, name)

    def read(self, name):
        """Returns the value of a secret; editors end a file with a line break."""
        try:
            with open(self.path(name), "rb") as file:
                value = file.read()
        except OSError:
            raise Wrong("the build was not given the secret `{}`".format(name))
        for end in (b"\n", b"\r"):
            if value.endswith(end):
                value = value[:-1]
        return os.fsdecode(value)

    def variable(self, name):
        """Returns the value of a variable of whoever builds."""
        return self.read("flowstorage-" + name)


class Index:
    """The URL of an index, and who asks."""

    def __init__(self, template, variable):
        whole = VARIABLE.match(template)
        if whole and whole.end() == len(template):
            # A value is no template: what looks like a variable in it is none.
            parts = PARTS.match(variable(whole.group(1)))
            if not parts:
                raise Wrong("`{}` is not the URL of an index".format(whole.group(1)))
            scheme, who, rest = parts.groups()
            variable = "${{{}}}".format
        else:
            scheme, who, rest = PARTS.match(template).groups()
            rest = VARIABLE.sub(lambda match: quote(variable(match.group(1)), ":/"), rest)
        self.url = scheme + rest
        self.user = self.password = None
        if who:
            user, colon, password = who.partition(":")
            self.user = _filled(user, variable)
            self.password = _filled(password, variable) if colon else None

    def with_credentials(self):
        """Returns the URL as pip takes it, with everything escaped."""
        if self.user is None:
            return self.url
        who = quote(self.user, "")
        if self.password is not None:
            who += ":" + quote(self.password, "")
        scheme, _, rest = PARTS.match(self.url).groups()
        return "{}{}@{}".format(scheme, who, rest)


def _filled(template, variable):
    """Returns a part of a URL, unescaped, with the values of its variables as they are."""
    filled, start = "", 0
    for match in VARIABLE.finditer(template):
        filled += unquote(template[start : match.start()]) + variable(match.group(1))
        start = match.end()
    return filled + unquote(template[start:])


def index_variables(spec, secrets):
    """Returns the variables that name the indexes for uv and pip."""
    default = [Index(url, secrets.variable) for url in [spec.get("default")] if url]
    extra = [Index(url, secrets.variable) for url in spec.get("extra") or []]
    variables = {}
    for key, name, indexes in (
        ("UV_DEFAULT_INDEX", "FLOWSTORAGE_DEFAULT", default),
        ("UV_INDEX", "FLOWSTORAGE_EXTRA_{}", extra),
    ):
        named = []
        for at, index in enumerate(indexes, 1):
            own = name.format(at)
            named.append("{}={}".format(own.lower().replace("_", "-"), index.url))
            if index.user is not None:
                variables["UV_INDEX_{}_USERNAME".format(own)] = index.user
                # A token alone stands where the user does.
                variables["UV_INDEX_{}_PASSWORD".format(own)] = index.password or ""
        if named:
            variables[key] = " ".join(named)
    if default:
        variables["PIP_INDEX_URL"] = default[0].with_credentials()
    if extra:
        variables["PIP_EXTRA_INDEX_URL"] = " ".join(index.with_credentials() for index in extra)
    plain = [urlsplit(i.url).netloc for i in default + extra if i.url.startswith("http:")]
    if plain:
        # Whoever writes `http` means it.
        variables["PIP_TRUSTED_HOST"] = " ".join(plain)
    return variables


def variables_of(spec, secrets):
    """Returns every variable that the command gets."""
    variables = {}
    for name in spec.get("in_requirements") or []:
        # uv puts the value into a URL as it is.
        variables[name] = quote(secrets.variable(name), "")
    for name in spec.get("environment") or []:
        variables[name] = secrets.read(name)
    variables.update(index_variables(spec, secrets))
    if spec.get("netrc"):
        variables["NETRC"] = secrets.path("netrc")
    if spec.get("certificates"):
        variables.update((name, spec["certificates"]) for name in TRUST)
    if spec.get("ssh"):
        # ssh writes what it learns to the first file, and reads both.
        variables["GIT_SSH_COMMAND"] = (
            "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new "
            "-o 'UserKnownHostsFile=/dev/null {}'"
        ).format(secrets.path("flowstorage-known-hosts"))
    # Nobody is there to answer.
    variables["GIT_TERMINAL_PROMPT"] = "0"
    return variables


def main(arguments):
    """Sets the variables and becomes the command."""
    path, _, command = arguments[0], arguments[1], arguments[2:]
    with open(path, "rb") as file:
        spec = json.loads(file.read().decode("utf-8"))
    try:
        os.environ.update(variables_of(spec, Secrets()))
    except Wrong as wrong:
        sys.stderr.write("error: {}\n".format(wrong))
        return 1
    try:
        os.execvp(command[0], command)
    except OSError:
        sys.stderr.write("error: there is no program `{}`\n".format(command[0]))
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
