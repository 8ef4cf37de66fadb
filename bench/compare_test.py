"""Tests of compare.py with programs that only pretend to measure."""

import contextlib
import io
import json
import os
import pathlib
import stat
import tempfile
import unittest
from unittest import mock

import compare

ABOUT = 'if [ "$1" = about ]; then echo "compiler fake 1"; echo "optimised yes"; exit 0; fi\n'


def script(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_go(path, version, program):
    """A `go` that says `version` and builds `program`, whatever it is asked to build."""
    return script(path, f'if [ "$1" = version ]; then echo "go version {version} x"; exit 0; fi\n'
                        f'shift 2\ncat > "$1" <<"END"\n#!/bin/sh\n{ABOUT}{program}\nEND\n'
                        'chmod +x "$1"\n')


class CompareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        empty = self.build / "empty"
        empty.mkdir()
        self.environment = {"PATH": f"{empty}:/bin:/usr/bin"}

    def runnel(self, body):
        script(self.build / "bench" / "runnel_bench", ABOUT + body)

    def go(self, version, program):
        self.environment["RUNNEL_GO"] = str(fake_go(self.build / "go", version, program))

    def compare(self, *words):
        """Runs the comparison; returns its exit status, what it printed, and its JSON."""
        printed = io.StringIO()
        with mock.patch.dict(os.environ, self.environment, clear=True), \
                contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = compare.main(["--build-dir", str(self.build), "--rows", "yield", *words])
        result = self.build / "bench.json"
        return status, printed.getvalue(), json.loads(result.read_text()) if result.exists() else {}

    def test_ratio_is_go_over_runnel_at_each_worker_count(self):
        self.runnel('echo "yield $RUNNEL_MAXPROCS ns"')
        self.go("go1.27.3", 'echo "yield $((GOMAXPROCS * 10 + 10)) ns"')
        status, printed, result = self.compare("--runs", "1")
        self.assertEqual(status, 0)
        self.assertEqual([entry["ratio"] for entry in result["results"]], [20, 15])
        self.assertNotIn("not judged", printed)

    def test_figure_is_the_median_with_minimum_and_maximum(self):
        self.runnel(f'echo x >> {self.build}/runs\n'
                    f'n=$(wc -l < {self.build}/runs); echo "yield $((n * n)) ns"')
        self.go("go1.27", 'echo "yield 8 ns"')
        _, printed, result = self.compare("--runs", "3", "--workers", "2")
        figure = result["results"][0]["runnel"]
        self.assertEqual((figure["median"], figure["min"], figure["max"]), (4, 1, 9))
        self.assertIn("1.00..9.00", printed)

    def test_older_go_is_shown_but_not_judged(self):
        self.runnel('echo "yield 1 ns"')
        self.go("go1.19.8", 'echo "yield 10 ns"')
        status, printed, result = self.compare("--runs", "1")
        self.assertEqual(status, 0)
        self.assertFalse(result["judged"])
        self.assertIn("10.0 not judged", printed)

    def test_without_go_runnel_is_shown_alone(self):
        self.runnel('echo "yield 1 ns"')
        with mock.patch.object(compare.shutil, "which", return_value=None):
            status, printed, result = self.compare("--runs", "1")
        self.assertEqual(status, 0)
        self.assertIn("No Go found", printed)
        self.assertIsNone(result["results"][0]["go"])

    def test_named_go_that_does_not_exist_is_an_error(self):
        self.runnel('echo "yield 1 ns"')
        self.environment["RUNNEL_GO"] = "/nowhere/go"
        status, printed, _ = self.compare("--runs", "1")
        self.assertEqual(status, 2)
        self.assertIn("/nowhere/go", printed)

    def test_wrong_result_fails_the_row_and_the_run(self):
        self.runnel('echo "yields: got 1, want 2" >&2; exit 1')
        self.go("go1.27", 'echo "yield 10 ns"')
        status, printed, result = self.compare("--runs", "2", "--workers", "1")
        self.assertEqual(status, 1)
        self.assertIn("FAILED yield @1 runnel: exit status 1: yields: got 1, want 2", printed)
        self.assertIsNone(result["results"][0]["ratio"])

    def test_workload_that_hangs_fails(self):
        self.runnel("exec sleep 60")
        self.go("go1.27", 'echo "yield 10 ns"')
        status, printed, _ = self.compare("--runs", "1", "--workers", "1", "--timeout", "0.2")
        self.assertEqual(status, 1)
        self.assertIn("not finished after 0.2 s", printed)

    def test_workload_killed_by_a_signal_fails_with_its_name(self):
        self.runnel("kill -SEGV $$")
        self.go("go1.27", 'echo "yield 10 ns"')
        _, printed, _ = self.compare("--runs", "1", "--workers", "1")
        self.assertIn("killed by SIGSEGV", printed)

    def test_unknown_row_is_an_error_that_lists_the_rows(self):
        self.runnel('echo "yield 1 ns"')
        status, printed, _ = self.compare("--rows", "nope")
        self.assertEqual(status, 2)
        self.assertIn("pingpong", printed)

    def test_both_programs_know_every_row_and_no_other(self):
        rows = list(compare.read_rows(compare.WORKLOADS))
        for source, opening in (("main.cpp", '    {"'), ("go/main.go", '\t{"')):
            lines = (compare.HERE / source).read_text().splitlines()
            known = [line.split('"')[1] for line in lines if line.startswith(opening)]
            self.assertEqual(known, rows, source)


if __name__ == "__main__":
    unittest.main()
