"""Tests of `flowstorage_probe.py`: a child that hangs, leaves processes behind, or is large."""

import os
import subprocess
import sys
import time
import unittest

from support import PROGRAMS

SCRIPT = """
import os, subprocess, sys, time
sys.path.insert(0, {programs!r})
import flowstorage_probe as probe

def work():
    {work}

probe.say("before")
value, death = probe.in_child(work, {seconds})
probe.emit([probe.report("ok", "flow", str(value)[:20], str(death))])
probe.say("length %d\\n" % len(str(value)))
"""


class InChild(unittest.TestCase):
    def run_work(self, work, seconds=30):
        script = SCRIPT.format(programs=PROGRAMS, work=work, seconds=seconds)
        started = time.time()
        done = subprocess.run(
            [sys.executable, "-B", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.seconds = time.time() - started
        return done.stdout.decode("utf-8").splitlines()

    def result(self, subject, message):
        line = 'flowstorage-check: {{"level": "ok", "check": "flow", "subject": "{}", "message": "{}", "remedy": null}}'
        return line.format(subject, message)

    def test_a_value_larger_than_a_pipe_arrives_whole(self):
        lines = self.run_work("return 'x' * 1000000")
        self.assertEqual(lines[1:], [self.result("x" * 20, "None"), "length 1000000"])

    def test_output_larger_than_a_pipe_arrives_whole_and_in_order(self):
        lines = self.run_work("print('y' * 1000000); print('end'); return 1")
        self.assertEqual(lines[0], "before" + "y" * 1000000)
        self.assertEqual(lines[1:3], ["end", self.result("1", "None")])

    def test_a_hanging_child_is_killed_in_time(self):
        for work in ("time.sleep(60)", "os.closerange(1, 64); time.sleep(60)"):
            lines = self.run_work(work, seconds=0.5)
            self.assertIn(self.result("None", "it took longer than 0.5 s"), lines)
            self.assertLess(self.seconds, 10)

    def test_processes_left_behind_are_ended(self):
        work = "print('pid', subprocess.Popen(['sleep', '60']).pid); return 1"
        lines = self.run_work(work)
        self.assertLess(self.seconds, 10)
        pid = int(lines[0].split()[-1])
        deadline = time.time() + 5
        while time.time() < deadline and is_running(pid):
            time.sleep(0.05)
        self.assertFalse(is_running(pid))

    def test_threads_and_exit_handlers_do_not_hold_a_child(self):
        work = (
            "import atexit, threading; atexit.register(time.sleep, 60); "
            "threading.Thread(target=time.sleep, args=(60,)).start(); return 1"
        )
        self.assertIn(self.result("1", "None"), self.run_work(work))
        self.assertLess(self.seconds, 10)

    def test_streams_that_the_work_closed_or_replaced_lose_nothing_of_ours(self):
        work = "sys.stdout.close(); sys.stderr = None; probe.say('said \\u00e9\\n'); return 1"
        lines = self.run_work(work)
        self.assertEqual(lines[:2], ["beforesaid \u00e9", self.result("1", "None")])

    def test_a_fault_of_the_work_itself_is_a_death(self):
        lines = self.run_work("raise LookupError('gone')")
        message = "LookupError: gone"
        self.assertIn(self.result("None", message), lines)


def is_running(pid):
    """Says whether the process lives; one that only waits to be reaped does not."""
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Syntax(unittest.TestCase):
    def test_every_program_is_python_3_6(self):
        import ast

        for name in sorted(os.listdir(PROGRAMS)):
            if name.endswith(".sh"):
                subprocess.run(["sh", "-n", os.path.join(PROGRAMS, name)], check=True)
                continue
            with open(os.path.join(PROGRAMS, name), encoding="utf-8") as file:
                source = file.read()
            options = {"feature_version": (3, 6)} if sys.version_info >= (3, 8) else {}
            self.assertTrue(ast.parse(source, name, **options).body, name)
            self.assertNotIn(":=", source)


if __name__ == "__main__":
    unittest.main()
