#!/usr/bin/env python3
"""Runs the workloads of workloads.txt in runnel and in Go, interleaved, and compares them.

Every measurement is a process of its own. A run goes once through all rows, worker counts and
sides; a figure is the median of the runs, shown with its minimum and maximum. The last column is
Go / runnel, so higher is better for runnel in every row.

Go is the program that RUNNEL_GO names, else `go` in PATH. Without one, runnel is measured alone.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
WORKLOADS = HERE / "workloads.txt"
JUDGED_FROM = (1, 27)  # the oldest Go that a result is judged against
SETTINGS = ("RUNNEL_", "GOMAXPROCS", "GOGC", "GODEBUG", "GOMEMLIMIT", "GOEXPERIMENT")


class Problem(Exception):
    """Something that stops the whole comparison."""


class Failed(Exception):
    """A workload that crashed, hung or found its own result wrong."""


class Side:
    """One of the programs compared: where it is and how it is told its number of workers."""

    def __init__(self, name, program, variable):
        self.name = name
        self.program = program
        self.variable = variable

    def command_environment(self, workers):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
        kept["RUNNEL_BENCH_WORKLOADS"] = str(WORKLOADS)
        kept[self.variable] = str(workers)
        return kept

    def measure(self, row, count, workers, limit):
        """Runs one workload; returns {metric: (value, unit)} or raises Failed."""
        command = [str(self.program), row, str(count)]
        environment = self.command_environment(workers)
        try:
            done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, timeout=limit,
                                  capture_output=True, text=True, errors="replace", check=False)
        except subprocess.TimeoutExpired:
            raise Failed(f"not finished after {limit} s") from None
        if done.returncode != 0:
            raise Failed(describe_failure(done))
        return parse_figures(row, done.stdout)

    def about(self):
        """What the program says of its own build, {key: text}."""
        done = subprocess.run([str(self.program), "about"], capture_output=True, text=True,
                              check=True)
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def describe_failure(done):
    if done.returncode < 0:
        how = f"killed by {signal.Signals(-done.returncode).name}"
    else:
        how = f"exit status {done.returncode}"
    said = done.stderr.strip().splitlines()
    return f"{how}: {' / '.join(said[:3])}" if said else how


def parse_figures(row, text):
    """Reads lines of `row value unit` or `row.part value unit`."""
    figures = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3 or (words[0] != row and not words[0].startswith(row + ".")):
            raise Failed(f"printed '{line}', not 'name value unit'")
        try:
            figures[words[0]] = (float(words[1]), words[2])
        except ValueError:
            raise Failed(f"printed '{line}', whose value is no number") from None
    if not figures:
        raise Failed("printed no figure")
    return figures


# What to run ---------------------------------------------------------------------------------


def read_rows(path):
    """The rows of workloads.txt, {name: count}."""
    rows = {}
    for line in path.read_text().splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            rows[words[0]] = int(words[1])
    return rows


def choose_rows(all_rows, wanted):
    if not wanted:
        return all_rows
    unknown = [name for name in wanted if name not in all_rows]
    if unknown:
        raise Problem(f"no row {', '.join(unknown)}; there are: {' '.join(all_rows)}")
    return {name: all_rows[name] for name in wanted}


def find_runnel(build_dir):
    for place in (build_dir / "bench" / "runnel_bench", build_dir / "runnel_bench"):
        if place.is_file():
            return Side("runnel", place, "RUNNEL_MAXPROCS")
    raise Problem(f"no runnel_bench under {build_dir}; "
                  f"build it first: cmake --build {build_dir} --target runnel_bench")


def find_go():
    """The path of `go`, or None. A RUNNEL_GO that does not exist is an error, not 'no Go'."""
    named = os.environ.get("RUNNEL_GO")
    if named:
        found = shutil.which(named)
        if not found:
            raise Problem(f"RUNNEL_GO={named} is not a program")
        return found
    return shutil.which("go")


def go_environment():
    """Builds offline, with this very Go, whatever the user's settings are."""
    return {**os.environ, "GO111MODULE": "on", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local",
            "GOPROXY": "off", "GOWORK": "off", "CGO_ENABLED": "0"}


def go_version(go):
    """(1, 27) for 1.27 and its patches; None for a Go that does not say a release."""
    done = subprocess.run([go, "version"], env=go_environment(), capture_output=True, text=True,
                          check=True)
    release = re.search(r"\bgo(\d+)\.(\d+)", done.stdout)
    return (int(release[1]), int(release[2])) if release else None


def build_go(go, version, build_dir):
    """Builds the Go program into the build directory."""
    place = build_dir / "bench_go"
    place.mkdir(parents=True, exist_ok=True)
    program = place / "go_bench"
    command = [go, "build", "-o", str(program)]
    if version and version < JUDGED_FROM:
        # An older Go refuses the go.mod of a newer one; it gets one of its own version.
        older = place / "go.mod"
        older.write_text(f"module runnel_bench\n\ngo {version[0]}.{version[1]}\n")
        command += ["-modfile", str(older)]
    done = subprocess.run(command + ["."], cwd=HERE / "go", env=go_environment(),
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return Side("Go", program, "GOMAXPROCS")


# Running -------------------------------------------------------------------------------------


class Progress:
    """One line on standard error that says how far it is; on a terminal it stays one line."""

    def __init__(self, total):
        self.total = total
        self.done = 0
        self.start = time.monotonic()
        self.on_terminal = sys.stderr.isatty()

    def step(self, run, what):
        if self.on_terminal:
            filled = 30 * self.done // self.total
            bar = "#" * filled + "." * (30 - filled)
            seconds = int(time.monotonic() - self.start)
            print(f"\r[{bar}] {self.done}/{self.total} {seconds} s  {what}\033[K", end="",
                  file=sys.stderr, flush=True)
        elif self.done % max(1, self.total // 10) == 0:
            print(f"{self.done}/{self.total} run {run}: {what}", file=sys.stderr, flush=True)
        self.done += 1

    def end(self):
        if self.on_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Results:
    """The values of every (metric, workers, side), and what failed."""

    def __init__(self):
        self.units = {}  # in the order of the table
        self.values = {}
        self.failures = {}

    def add(self, side, workers, figures):
        for metric, (value, unit) in figures.items():
            if self.units.setdefault(metric, unit) != unit:
                raise Problem(f"{metric}: the sides disagree on its unit")
            self.values.setdefault((metric, workers, side), []).append(value)

    def summary(self, metric, workers, side):
        values = self.values.get((metric, workers, side))
        if not values or (metric.split(".")[0], workers, side) in self.failures:
            return None
        return {"median": statistics.median(values), "min": min(values), "max": max(values),
                "values": values}


def run_all(sides, rows, worker_counts, runs, limit):
    """Interleaves everything, so that all sides see the same machine in the same minutes."""
    results = Results()
    progress = Progress(runs * len(rows) * len(worker_counts) * len(sides))
    for run in range(1, runs + 1):
        order = sides if run % 2 else sides[::-1]
        for row, count in rows.items():
            for workers in worker_counts:
                for side in order:
                    progress.step(run, f"{row} @{workers} {side.name}")
                    if (row, workers, side.name) in results.failures:
                        continue
                    try:
                        figures = side.measure(row, count, workers, limit)
                        results.add(side.name, workers, figures)
                    except Failed as failure:
                        results.failures[row, workers, side.name] = str(failure)
    progress.end()
    return results


# Showing -------------------------------------------------------------------------------------


def ratio_of(ours, theirs):
    """Go / runnel; None if either is missing or zero."""
    if not ours or not theirs or ours["median"] <= 0 or theirs["median"] <= 0:
        return None
    return theirs["median"] / ours["median"]


def tabulate(results, rows, worker_counts):
    """One entry a metric and worker count, rows in the order given; failed rows have one too."""
    entries = []
    for row in rows:
        metrics = [m for m in results.units if m.split(".")[0] == row] or [row]
        for metric in metrics:
            for workers in worker_counts:
                ours = results.summary(metric, workers, "runnel")
                theirs = results.summary(metric, workers, "Go")
                entries.append({"metric": metric, "unit": results.units.get(metric, "?"),
                                "workers": workers, "runnel": ours, "go": theirs,
                                "ratio": ratio_of(ours, theirs)})
    return entries


def number(value):
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.4f}"


def cells_of(summary, failed):
    """Two cells: the median, and the range."""
    if failed:
        return ["FAILED", ""]
    if not summary:
        return ["-", ""]
    return [number(summary["median"]), f"{number(summary['min'])}..{number(summary['max'])}"]


def table_lines(entries, failures, with_go, judged):
    header = ["row", "unit", "workers", "runnel", "min..max"]
    if with_go:
        header += ["Go", "min..max", "Go / runnel"]
    lines = [header]
    for entry in entries:
        key = (entry["metric"].split(".")[0], entry["workers"])
        line = [entry["metric"], entry["unit"], str(entry["workers"])]
        line += cells_of(entry["runnel"], (*key, "runnel") in failures)
        if with_go:
            line += cells_of(entry["go"], (*key, "Go") in failures)
            ratio = number(entry["ratio"]) if entry["ratio"] else "-"
            line.append(ratio if judged else f"{ratio} not judged")
        lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    left = {0, 1}
    return ["  ".join(cell.ljust(width) if column in left else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(line, widths))).rstrip()
            for line in lines]


def machine():
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return {"processor": model, "processors": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "system": release, "architecture": platform.machine()}


def notes(with_go, judged, about):
    """What a reader must know before the table."""
    said = []
    if not with_go:
        said.append("No Go found (RUNNEL_GO, or `go` in PATH): runnel alone, nothing to compare.")
    elif not judged:
        said.append(f"{about['Go']['compiler']} is older than Go {JUDGED_FROM[0]}."
                    f"{JUDGED_FROM[1]}: ratios are shown but not judged.")
    if about["runnel"].get("optimised") != "yes":
        said.append("runnel_bench was built without optimisation: these figures mean nothing.")
    return said


def show(report, failures):
    where = report["machine"]
    print(f"{where['processor']}, {where['processors']} processors, Linux {where['kernel']}, "
          f"{where['system']}")
    built = [f"{side} built by {about['compiler']}" for side, about in report["versions"].items()]
    print("; ".join(built))
    for note in report["notes"]:
        print(note)
    print()
    print("\n".join(table_lines(report["results"], failures, "Go" in report["versions"],
                                report["judged"])))
    print(f"\nmedians of {report['runs']} interleaved runs; workers: RUNNEL_MAXPROCS, GOMAXPROCS")
    for failure in report["failures"]:
        print(f"FAILED {failure['row']} @{failure['workers']} {failure['side']}: "
              f"{failure['reason']}")


def numbers(text):
    counts = [int(word) for word in text.split(",")]
    if not counts or min(counts) < 1:
        raise ValueError
    return counts


def parse_arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build-dir", type=pathlib.Path, required=True, metavar="DIR",
                        help="where runnel_bench was built")
    parser.add_argument("--rows", type=lambda text: text.split(","), metavar="A,B",
                        help="only these rows of workloads.txt")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--workers", type=numbers, default=[1, 2], metavar="1,2",
                        help="default: 1,2")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="default: DIR/bench.json")
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS",
                        help="for one workload; default: 120")
    arguments = parser.parse_args(words)
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    return arguments


def compare(arguments):
    rows = choose_rows(read_rows(WORKLOADS), arguments.rows)
    build_dir = arguments.build_dir.resolve()
    sides = [find_runnel(build_dir)]
    go = find_go()
    judged = False
    if go:
        version = go_version(go)
        judged = version is not None and version >= JUDGED_FROM
        sides.append(build_go(go, version, build_dir))
    about = {side.name: side.about() for side in sides}
    results = run_all(sides, rows, arguments.workers, arguments.runs, arguments.timeout)
    report = {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(), "versions": about, "runs": arguments.runs, "judged": judged,
        "notes": notes(go is not None, judged, about),
        "results": tabulate(results, rows, arguments.workers),
        "failures": [{"row": row, "workers": workers, "side": side, "reason": reason}
                     for (row, workers, side), reason in results.failures.items()],
    }
    show(report, results.failures)
    target = arguments.json or build_dir / "bench.json"
    target.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {target}")
    return 1 if results.failures else 0


def main(words):
    try:
        return compare(parse_arguments(words))
    except Problem as problem:
        print(f"compare.py: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
