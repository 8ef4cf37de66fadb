#!/usr/bin/env python3
"""Checks that every header compiles alone: public ones with both compilers, private with g++."""

import concurrent.futures
import os
import subprocess
import sys

import sources

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Iinclude", "-I.",
         "-x", "c++", "-"]


def compile_alone(job):
    """Returns what the compiler says; nothing when it is content."""
    compiler, header = job
    spelling = header.removeprefix("include/")
    line = f"#include <{spelling}>\n" if spelling != header else f'#include "{header}"\n'
    result = subprocess.run([compiler, *FLAGS], input=line, cwd=sources.ROOT, text=True,
                            capture_output=True, check=False)
    return f"{header} with {compiler}:\n{result.stderr}" if result.returncode != 0 else ""


def main():
    jobs = []
    for path in sources.cxx_files():
        # One instruction set each, meant to be included by switch.hpp alone.
        if not path.endswith(".hpp") or path.startswith("include/runnel/detail/switch_"):
            continue
        if path.startswith("include/"):
            jobs += [("g++", path), ("clang++-19", path)]
        elif path.startswith("src/"):
            jobs.append(("g++", path))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [said for said in pool.map(compile_alone, jobs) if said]
    return sources.report("headers", problems, f"{len(jobs)} compilations")


if __name__ == "__main__":
    sys.exit(main())
