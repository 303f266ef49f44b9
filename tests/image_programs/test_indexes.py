"""Tests of `indexes.py`: what a command that fetches packages finds in its environment."""

import json
import os
import subprocess
import sys
import unittest

from support import PROGRAMS, ProgramTest

PROGRAM = os.path.join(PROGRAMS, "indexes.py")
WORD = "a/b+c@d:e%é"
ESCAPED = "a%2Fb%2Bc%40d%3Ae%25%C3%A9"
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
# The command sees its own standard output and error alone.
RUN = """
import runpy, sys
program, folder = sys.argv[1:3]
sys.argv = [program] + sys.argv[3:]
scope = runpy.run_path(program)
scope["Secrets"].__init__.__defaults__ = (folder,)
sys.exit(scope["main"](sys.argv[1:]))
"""


class Indexes(ProgramTest):
    def secret(self, name, value):
        self.write("secrets/" + name, value)

    def execute(self, spec):
        os.makedirs(self.path("secrets"), exist_ok=True)
        path = self.write("indexes.json", json.dumps(spec))
        command = [sys.executable, "-B", "-c", RUN, PROGRAM, self.path("secrets"), path, "--"]
        return subprocess.run(
            command + [sys.executable, "-c", SHOW],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "KEPT": "1", "LC_ALL": "C.UTF-8"},
            timeout=60,
        )

    def variables(self, spec):
        """Returns what the command has beside what there was."""
        done = self.execute(spec)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        found = json.loads(done.stdout.decode("utf-8"))
        self.assertEqual(found.pop("KEPT"), "1")
        self.assertEqual(found.pop("GIT_TERMINAL_PROMPT"), "0")
        for name in ("PATH", "LC_ALL", "LC_CTYPE"):
            found.pop(name, None)
        return found

    def test_nothing_is_set_for_nothing(self):
        self.assertEqual(self.variables({}), {})

    def test_user_and_password_reach_uv_as_they_are_and_pip_escaped(self):
        self.secret("flowstorage-USER", "me@corp\n")
        self.secret("flowstorage-TOKEN", WORD)
        url = "https://${USER}:${TOKEN}@h.example.org/simple"
        self.assertEqual(
            self.variables({"default": url}),
            {
                "UV_DEFAULT_INDEX": "flowstorage-default=https://h.example.org/simple",
                "UV_INDEX_FLOWSTORAGE_DEFAULT_USERNAME": "me@corp",
                "UV_INDEX_FLOWSTORAGE_DEFAULT_PASSWORD": WORD,
                "PIP_INDEX_URL": "https://me%40corp:" + ESCAPED + "@h.example.org/simple",
            },
        )

    def test_several_indexes_keep_their_order(self):
        self.secret("flowstorage-TOKEN", WORD)
        extra = [
            "https://a%40b:${TOKEN}@one.example.org/simple",
            "http://two.example.org:8080/${TOKEN}/simple",
            "https://${TOKEN}@three.example.org/",
            "file:///srv/index",
        ]
        self.assertEqual(
            self.variables({"extra": extra}),
            {
                "UV_INDEX": "flowstorage-extra-1=https://one.example.org/simple "
                "flowstorage-extra-2=http://two.example.org:8080/a/b%2Bc%40d:e%25%C3%A9/simple "
                "flowstorage-extra-3=https://three.example.org/ "
                "flowstorage-extra-4=file:///srv/index",
                "UV_INDEX_FLOWSTORAGE_EXTRA_1_USERNAME": "a@b",
                "UV_INDEX_FLOWSTORAGE_EXTRA_1_PASSWORD": WORD,
                "UV_INDEX_FLOWSTORAGE_EXTRA_3_USERNAME": WORD,
                "UV_INDEX_FLOWSTORAGE_EXTRA_3_PASSWORD": "",
                "PIP_EXTRA_INDEX_URL": "https://a%40b:" + ESCAPED + "@one.example.org/simple "
                "http://two.example.org:8080/a/b%2Bc%40d:e%25%C3%A9/simple "
                "https://" + ESCAPED + "@three.example.org/ "
                "file:///srv/index",
                "PIP_TRUSTED_HOST": "two.example.org:8080",
            },
        )

    def test_a_whole_url_may_be_the_secret(self):
        self.secret("flowstorage-INDEX", "https://me:" + ESCAPED + "@h.example.org/${X}\r\n")
        self.assertEqual(
            self.variables({"default": "${INDEX}"}),
            {
                "UV_DEFAULT_INDEX": "flowstorage-default=https://h.example.org/${X}",
                "UV_INDEX_FLOWSTORAGE_DEFAULT_USERNAME": "me",
                "UV_INDEX_FLOWSTORAGE_DEFAULT_PASSWORD": WORD,
                "PIP_INDEX_URL": "https://me:" + ESCAPED + "@h.example.org/${X}",
            },
        )

    def test_secrets_become_variables_files_and_settings_of_git(self):
        self.secret("flowstorage-GIT_TOKEN", WORD)
        self.secret("PIP_TOKEN", WORD + "\n")
        found = self.variables(
            {
                "in_requirements": ["GIT_TOKEN"],
                "environment": ["PIP_TOKEN"],
                "netrc": True,
                "ssh": True,
                "certificates": "/trust/bundle.pem",
            }
        )
        trust = [name for name, value in found.items() if value == "/trust/bundle.pem"]
        self.assertEqual(
            sorted(trust),
            [
                "CARGO_HTTP_CAINFO",
                "CURL_CA_BUNDLE",
                "GIT_SSL_CAINFO",
                "PIP_CERT",
                "REQUESTS_CA_BUNDLE",
                "SSL_CERT_FILE",
            ],
        )
        self.assertEqual(
            {name: value for name, value in found.items() if name not in trust},
            {
                "GIT_TOKEN": ESCAPED,
                "PIP_TOKEN": WORD,
                "NETRC": self.path("secrets/netrc"),
                "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new "
                "-o 'UserKnownHostsFile=/dev/null {}'".format(
                    self.path("secrets/flowstorage-known-hosts")
                ),
            },
        )

    def test_a_secret_that_was_not_given_is_named(self):
        done = self.execute({"default": "https://${TOKEN}@h.example.org/"})
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr),
            (1, b"", b"error: the build was not given the secret `flowstorage-TOKEN`\n"),
        )

    def test_a_secret_that_is_no_url_is_named_and_not_shown(self):
        self.secret("flowstorage-INDEX", WORD)
        done = self.execute({"default": "${INDEX}"})
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr),
            (1, b"", b"error: `INDEX` is not the URL of an index\n"),
        )

    def test_a_command_that_is_not_there_ends_the_program(self):
        path = self.write("indexes.json", "{}")
        done = subprocess.run(
            [sys.executable, PROGRAM, path, "--", "no-such-program"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stdout), (127, b""))
        self.assertEqual(done.stderr, b"error: there is no program `no-such-program`\n")


if __name__ == "__main__":
    unittest.main()
