#!/usr/bin/env python3
"""Runs clang-tidy over the sources that a build folder compiles.

check_tidy.py BUILD_DIR [FILE...]: all files of the project, or those named.
check_tidy.py BUILD_DIR --no-tests: all but the tests.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import time

import sources


def compiled_files(build_dir):
    """The project's own sources in the build's compile_commands.json."""
    with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    paths = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), sources.ROOT)
             for entry in entries}
    own = set(sources.cxx_files())
    return sorted(path for path in paths if path in own)


def tidy(build_dir, path):
    """Returns (seconds, what clang-tidy found)."""
    begin = time.monotonic()
    result = subprocess.run(
        ["clang-tidy-19", "-p", build_dir, "--quiet", "--warnings-as-errors=*",
         "--extra-arg=-Wno-ignored-gch",  # the tests' precompiled header is g++'s
         path],
        cwd=sources.ROOT, text=True, capture_output=True, check=False)
    found = "" if result.returncode == 0 else f"{path}:\n{result.stdout or result.stderr}"
    return time.monotonic() - begin, found


def main():
    build_dir = sys.argv[1]
    files = sys.argv[2:] or compiled_files(build_dir)
    if files == ["--no-tests"]:
        everything = compiled_files(build_dir)
        files = [path for path in everything if not path.startswith("test/")
                 and not path.endswith("_test.cpp")]
        print(f"tidy: leaves out {len(everything) - len(files)} files of tests")
    if not files:
        print(f"tidy: {build_dir}/compile_commands.json names no file of the project")
        return 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda path: tidy(build_dir, path), files))
    slowest = max(range(len(files)), key=lambda i: results[i][0])
    return sources.report(
        "tidy", [found for _, found in results if found],
        f"{len(files)} files (the slowest: {files[slowest]}, {results[slowest][0]:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
