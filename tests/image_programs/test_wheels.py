"""What of a build stage is kept: wheels, the lines that install them, the packages they need."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

from elf_files import make
from support import PREFIX, PROGRAMS, ProgramTest

SUMS = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("built", "given")}


def wheel(files):
    """Returns the bytes of a wheel."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


class WheelsTest(ProgramTest):
    def keep(self, before, after, requirements="", status=None, excluded=()):
        """Runs the program; returns the lines of each file of text that it wrote, by name."""
        for name, lines in (("before", before), ("after", after)):
            self.write(name, "".join(line + "\n" for line in lines))
        self.write("python/requirements.txt", requirements)
        os.makedirs(self.path("cache"), exist_ok=True)
        out = self.path("wheels")
        command = [sys.executable, os.path.join(PROGRAMS, "wheels.py")]
        command += [self.path(name) for name in ("cache", "before", "after")]
        command += [self.path("python", "requirements.txt"), out]
        if status is not None:
            command += [self.write("status", status)] + list(excluded)
        environment = {"PATH": self.path("bin") + ":/usr/bin:/bin"}
        subprocess.run(command, check=True, env=environment, timeout=60)
        folders = [name for name in os.listdir(out) if not name.endswith(".txt")]
        self.assertEqual(len(folders), 1)
        self.wheels = sorted(os.listdir(os.path.join(out, folders[0])))
        lines = {}
        for name in os.listdir(out):
            self.assertEqual(os.stat(os.path.join(out, name)).st_mtime, 0)
            if name.endswith(".txt"):
                with open(os.path.join(out, name), encoding="utf-8") as file:
                    lines[name] = file.read().splitlines()
        return lines

    def built(self, name, content="built"):
        return self.write("cache/sdists-v9/pypi/x/" + name, content)

    def program(self, name, text):
        path = self.write("bin/" + name, "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)

    def test_what_is_new_is_kept_and_what_was_built_is_copied(self):
        self.built("Foo_Bar-1.0+x.1-cp311-cp311-linux_x86_64.whl")
        self.built("other-1.0-py3-none-any.whl")
        self.built("gitted-2.0-py3-none-any.whl")
        lines = self.keep(
            ["base==1"],
            ["base==1", "foo-bar==1.0+x.1", "-e /x", "pure==3", "gitted @ git+https://h/g@0a"],
        )
        self.assertEqual(
            lines, {"requirements.txt": ["foo-bar==1.0+x.1", "pure==3", "gitted==2.0"]}
        )
        self.assertEqual(
            self.wheels,
            ["Foo_Bar-1.0+x.1-cp311-cp311-linux_x86_64.whl", "gitted-2.0-py3-none-any.whl"],
        )

    def test_hashes_stay_and_are_those_of_what_was_built(self):
        self.built("foo_bar-1.0-cp311-cp311-linux_x86_64.whl")
        self.built("plain-1.0-py3-none-any.whl")
        requirements = (
            "Foo.Bar==1.0 ; python_version > '3' --hash=sha256:01 --hash=sha256:02\n"
            "pure[x]==3   --hash=sha256:03   --hash sha256:04\n"
            "pure==2 ; python_version < '3' --hash=sha256:05\n"
            "url @ https://h/url-1-py3-none-any.whl --hash=sha256:06\n"
            "plain==1.0\n"
        )
        lines = self.keep(
            [],
            [
                "foo-bar==1.0",
                "pure==3",
                "url @ https://h/url-1-py3-none-any.whl",
                "plain==1.0",
            ],
            requirements,
        )
        self.assertEqual(
            lines["requirements.txt"],
            [
                "foo-bar==1.0 --hash=sha256:" + SUMS["built"],
                "pure==3 --hash=sha256:03 --hash=sha256:04",
                "url @ https://h/url-1-py3-none-any.whl --hash=sha256:06",
                "plain==1.0",
            ],
        )

    def test_a_wheel_that_came_as_a_file_goes_along(self):
        path = self.write("in dir/own-1.0-py3-none-any.whl", "given")
        url = "file://" + path.replace(" ", "%20").replace("é", "%C3%A9")
        line = "own @ ./own-1.0-py3-none-any.whl --hash=sha256:" + SUMS["given"]
        for requirements, wanted in (
            ("", "own==1.0"),
            (line, "own==1.0 --hash=sha256:" + SUMS["given"]),
        ):
            lines = self.keep([], ["own @ " + url], requirements)
            self.assertEqual(lines["requirements.txt"], [wanted])
            self.assertEqual(self.wheels, ["own-1.0-py3-none-any.whl"])
            subprocess.run(["rm", "-r", self.path("wheels")], check=True)

    def test_packages_of_linked_libraries_are_named_unless_the_image_has_them(self):
        libraries = ["libpq.so.5", "libz.so.1", "libown-1.so", "libnone.so.1", "libc.so.6"]
        self.built(
            "psycopg2-1.0-cp311-cp311-linux_x86_64.whl",
            wheel({"p/_x.cpython-311.so": make(libraries), "p.libs/libown-1.so": make()}),
        )
        self.built(
            "second-1.0-cp311-cp311-linux_x86_64.whl",
            wheel({"s/_s.so": make(["libpq.so.5"]), "s/broken.so": b"\x7fELF\x02\x01"}),
        )
        self.program(
            "ldconfig",
            "test \"$1\" = -p && printf '3 libs found\\n%s' '"
            "\tlibpq.so.5 (libc6,x86-64) => /lib/x/libpq.so.5\n"
            "\tlibown-1.so (libc6,x86-64) => /lib/x/libown-1.so\n"
            "\tlibz.so.1 (libc6,x86-64) => /lib/x/libz.so.1\n"
            "\tlibc.so.6 (libc6,x86-64) => /lib/x/libc.so.6\n'",
        )
        self.program(
            "dpkg",
            "for path; do case $path in\n"
            "/usr/lib/x/libpq.so.5) echo \"libpq5:amd64: $path\";;\n"
            "/lib/x/libz.so.1) echo \"zlib1g:amd64: $path\";;\n"
            "/lib/x/libc.so.6) echo \"libc6:amd64: $path\";;\n"
            "/lib/x/libown-1.so) echo \"wrong: $path\";;\n"
            "esac; done; exit 1",
        )
        status = (
            "Package: libc6\nStatus: install ok installed\nVersion: 2\n\n"
            "Package: libpq5\nStatus: deinstall ok config-files\n\n"
            "Package: zlib1g\nStatus: install ok installed\n"
        )
        after = ["psycopg2==1.0", "second==1.0"]
        lines = self.keep([], after, status=status)
        self.assertEqual(lines["packages.txt"], ["libpq5"])
        [finding] = lines["findings.txt"]
        self.assertEqual(
            json.loads(finding[len(PREFIX) :]),
            {
                "level": "warning",
                "check": "packages",
                "subject": "psycopg2",
                "message": "`libpq5` was added: `psycopg2` and `second` were compiled against its "
                "libpq.so.5",
                "remedy": "add `libpq5` to system_packages, so that it is in the plan",
            },
        )

        subprocess.run(["rm", "-r", self.path("wheels")], check=True)
        lines = self.keep([], after, status=status, excluded=["libpq5"])
        self.assertEqual((lines["packages.txt"], lines["findings.txt"]), ([], []))

    def test_where_there_is_no_dpkg_nothing_is_added(self):
        self.built("x-1.0-cp311-cp311-linux_x86_64.whl", wheel({"x.so": make(["libpq.so.5"])}))
        self.program("ldconfig", "printf '\\tlibpq.so.5 (libc6) => /lib/libpq.so.5\\n'")
        self.program("dpkg", "exit 127")
        lines = self.keep([], ["x==1.0"], status="")
        self.assertEqual((lines["packages.txt"], lines["findings.txt"]), ([], []))
