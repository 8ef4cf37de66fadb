#!/usr/bin/env python3
"""Counts what single operations cost, and compares with what they have cost before.

costs.py BUILD_DIR            compares with costs.txt; the exit status is 1 if a cost has changed
costs.py BUILD_DIR --record   writes costs.txt anew

A workload of runnel_bench runs under callgrind with one worker, twice, with a different number of
operations: the difference is what the operations themselves have cost. Nothing is timed, so a noisy
machine does not disturb it. Counted are, for each operation, instructions and locked instructions,
and system calls that wake, sleep or order threads, for 1,000 operations.

The counts belong to a compiler and to a processor: with another one there is nothing to compare
with, and the program says so.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE / "costs.txt"
ROWS = ("yield", "pingpong", "chan_unbuf", "chan_buf128", "spawn_join", "select2_buf16", "mutex",
        "after_stop")
FEW, MANY = 20_000, 120_000
SYSTEM_CALLS = ("sys_futex", "sys_membarrier", "sys_epoll_wait", "sys_epoll_pwait",
                "sys_epoll_pwait2", "sys_epoll_ctl", "sys_madvise")
TOLERANCE = 0.05         # of the instructions
LOCKED_TOLERANCE = 0.15  # locked instructions an operation
CALL_TOLERANCE = 2.0     # system calls for 1,000 operations

# x86-64: an exchange with memory locks without saying so.
LOCKED = re.compile(r"^\s+([0-9a-f]+):\s+(?:lock\b|xchg\s+%\w+,[^%]*\()")

# A line of a callgrind profile: address, source line, cost; the first two may be relative.
COSTS = re.compile(r"(0x[0-9a-f]+|[+-]\d+|\*) (?:[+-]?\d+|\*) (\d+)$")


class Problem(Exception):
    """Something that leaves nothing to compare."""


def locked_addresses(program):
    """The addresses of the program's locked instructions."""
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program], text=True,
                             capture_output=True, check=True).stdout
    found = {int(match.group(1), 16) for line in listing.splitlines()
             if (match := LOCKED.match(line))}
    if not found:
        raise Problem(f"{program}: no locked instruction found; is this x86-64?")
    return found


class Names:
    """callgrind writes a name once, with a number, and then the number alone."""

    def __init__(self):
        self.known = {}

    def resolve(self, text):
        """The name that `(7) name` or `(7)` stands for."""
        number, _, name = text.partition(" ")
        return self.known.setdefault(number, name)


def executed(profile, program, addresses):
    """(instructions, how many of them at `addresses` of `program`) from a callgrind profile.

    Without those of look_around(): how often the scheduler looks at its clock depends on how fast
    the machine is.
    """
    total = locked = address = 0
    objects, functions = Names(), Names()
    inside = inclusive = outside = False
    name = os.path.realpath(program)
    for line in profile.splitlines():
        if line.startswith("ob="):
            inside = os.path.realpath(objects.resolve(line[3:])) == name
        elif line.startswith("cob="):
            objects.resolve(line[4:])
        elif line.startswith("fn="):
            functions.resolve(line[3:])
        elif line.startswith("cfn="):
            outside = "scheduler::look_around(" in functions.resolve(line[4:])
        elif line.startswith("calls="):
            inclusive = True  # the next line is what the callee has cost, counted elsewhere
        elif match := COSTS.match(line):
            place, count = match.group(1), int(match.group(2))
            if place.startswith("0x"):
                address = int(place, 16)
            elif place != "*":
                address += int(place)
            if not inclusive:
                total += count
                locked += count if inside and address in addresses else 0
            elif outside:
                total -= count
            inclusive = False
    return total, locked


def run(program, row, operations, addresses):
    """(instructions, locked instructions, system calls) of one run."""
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder, "profile")
        result = subprocess.run(
            ["valgrind", "--tool=callgrind", "--dump-instr=yes", "--trace-syscalls=yes",
             f"--callgrind-out-file={profile}", program, row, str(operations)],
            env=os.environ | {"RUNNEL_MAXPROCS": "1",
                              "RUNNEL_BENCH_WORKLOADS": str(HERE / "workloads.txt")},
            text=True, capture_output=True, check=False)
        if result.returncode != 0:
            raise Problem(f"{row}: {result.stderr[-2000:]}")
        calls = sum(result.stderr.count(f"{call} ") for call in SYSTEM_CALLS)
        return (*executed(profile.read_text(), program, addresses), calls)


def cost_of(program, row, addresses):
    """What one operation costs: (instructions, locked, system calls for 1,000)."""
    few, many = (run(program, row, n, addresses) for n in (FEW, MANY))
    instructions, locked, calls = ((b - a) / (MANY - FEW) for a, b in zip(few, many))
    return instructions, max(0.0, locked), max(0.0, 1000 * calls)


def machine(program):
    """What the counts belong to."""
    about = dict(line.split(" ", 1) for line in subprocess.run(
        [program, "about"], text=True, capture_output=True, check=True).stdout.splitlines())
    return f"{os.uname().machine}, {about.get('compiler', 'unknown compiler')}"


def measure(program):
    """{row: cost} of all rows."""
    addresses = locked_addresses(program)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = pool.map(lambda row: cost_of(program, row, addresses), ROWS)
        return dict(zip(ROWS, costs))


def write(path, about, costs):
    """Records the costs."""
    lines = ["# Costs of single operations; costs.py writes and reads this file.",
             f"machine: {about}",
             f"# {'row':14} {'instructions':>12} {'locked':>8} {'system calls for 1,000':>23}"]
    lines += [f"{row:16} {c[0]:12.1f} {c[1]:8.2f} {c[2]:23.2f}" for row, c in costs.items()]
    path.write_text("\n".join(lines) + "\n")


def read(path):
    """(machine, {row: cost}) as recorded."""
    about, costs = "", {}
    for line in path.read_text().splitlines():
        if line.startswith("machine: "):
            about = line.removeprefix("machine: ")
        elif line and not line.startswith("#"):
            row, *numbers = line.split()
            costs[row] = tuple(float(number) for number in numbers)
    return about, costs


def changes(recorded, costs):
    """A line for each cost that is not what it was; what has become cheaper must be recorded too,
    else the next slowdown hides behind it."""
    found = []
    for row, now in costs.items():
        if row not in recorded:
            found.append(f"{row}: not recorded")
            continue
        before = recorded[row]
        limits = (TOLERANCE * before[0], LOCKED_TOLERANCE, CALL_TOLERANCE)
        units = ("instructions", "locked instructions", "system calls for 1,000 operations")
        found += [f"{row}: {b:.2f} -> {a:.2f} {unit}"
                  for b, a, limit, unit in zip(before, now, limits, units) if abs(a - b) > limit]
    return found


def main(arguments):
    """The program; returns its exit status."""
    program = os.path.join(arguments[0], "bench", "runnel_bench")
    about = machine(program)
    recorded_about, recorded = read(RECORD) if RECORD.exists() else ("", {})
    if "--record" in arguments:
        write(RECORD, about, measure(program))
        print(f"costs: recorded for {about}")
        return 0
    if about != recorded_about:
        print(f"costs: not judged: recorded for {recorded_about}, this is {about}")
        return 0
    costs = measure(program)
    for row, cost in costs.items():
        print(f"costs: {row:16} {cost[0]:8.1f} instructions, {cost[1]:5.2f} locked, "
              f"{cost[2]:6.2f} system calls for 1,000")
    found = changes(recorded, costs)
    for change in found:
        print(f"costs: changed: {change}")
    if found:
        print("costs: if that is meant, `./dev costs --record` writes it down")
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print(f"costs: {problem}", file=sys.stderr)
        sys.exit(2)
