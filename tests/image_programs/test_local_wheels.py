"""Tests of `wheels.py`: which build of a local package is kept, of several in the cache."""

import os
import shutil
import subprocess
import sys
import unittest
import zipfile

from support import PROGRAMS, ProgramTest

PROGRAM = os.path.join(PROGRAMS, "wheels.py")


class LocalWheels(ProgramTest):
    def wheel(self, path, digest, version="0.1", seconds=0):
        """Writes a wheel of `my-lib` with one module."""
        target = self.path(path, "my_lib-{}-py3-none-any.whl".format(version))
        os.makedirs(os.path.dirname(target))
        with zipfile.ZipFile(target, "w") as wheel:
            record = "my_lib.py,sha256={},4\nmy_lib-{}.dist-info/RECORD,,\n".format(digest, version)
            # Of no time, so that equal wheels are equal bytes.
            about = zipfile.ZipInfo("my_lib-{}.dist-info/RECORD".format(version))
            wheel.writestr(about, record)
        os.utime(target, (seconds, seconds))
        return target

    def keep(self, line):
        """Runs the program on what `uv pip freeze` said; returns what it kept."""
        before, after = self.write("before.txt"), self.write("after.txt", line + "\n")
        os.makedirs(self.path("cache"), exist_ok=True)
        command = [sys.executable, "-B", PROGRAM, self.path("cache")]
        subprocess.run(
            command + [before, after, self.write("requirements.txt"), self.path("out")],
            check=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": self.path("site")},
        )
        with open(self.path("out/requirements.txt")) as file:
            lines = file.read().splitlines()
        folders = [name for name in os.listdir(self.path("out")) if "." not in name]
        self.assertEqual(len(folders), 1)
        self.links = folders[0]
        kept = os.listdir(self.path("out", self.links))
        with open(self.path("out", self.links, kept[0]), "rb") as file:
            content = file.read()
        return lines, kept, content

    def test_the_build_that_is_installed_is_kept_although_it_is_older(self):
        mine = self.wheel("cache/sdists-v1/path/a/b", "one", seconds=1)
        self.wheel("cache/sdists-v1/path/c/d", "two", seconds=2)
        self.wheel("cache/sdists-v1/path/e/f", "one", version="0.9", seconds=3)
        record = "x,,\nmy_lib.py,sha256=one,4\nmy_lib-0.1.dist-info/RECORD,,\n"
        self.write("site/my_lib-0.1.dist-info/RECORD", record)
        lines, kept, content = self.keep("my-lib @ file:///mnt/flowstorage/python/local/a/mylib")
        self.assertEqual(lines, ["my-lib==0.1"])
        self.assertEqual(kept, [os.path.basename(mine)])
        with open(mine, "rb") as file:
            self.assertEqual(content, file.read())

    def test_the_folder_of_wheels_is_named_by_what_they_hold(self):
        links = []
        for at, digest in enumerate(["one", "one", "two"]):
            given = self.wheel("given {}".format(at), digest, seconds=at)
            self.keep("my-lib @ file://" + given.replace(" ", "%20").replace("é", "%C3%A9"))
            shutil.rmtree(self.path("out"))
            links.append(self.links)
        self.assertEqual(links[0], links[1])
        self.assertNotEqual(links[0], links[2])

    def test_a_wheel_that_was_given_is_kept(self):
        given = self.wheel("given é", "three")
        url = given.replace("%", "%25").replace(" ", "%20").replace("é", "%C3%A9")
        lines, kept, content = self.keep("my-lib @ file://" + url)
        self.assertEqual((lines, kept), (["my-lib==0.1"], [os.path.basename(given)]))
        with open(given, "rb") as file:
            self.assertEqual(content, file.read())


if __name__ == "__main__":
    unittest.main()
