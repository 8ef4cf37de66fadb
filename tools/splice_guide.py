#!/usr/bin/env python3
"""Keeps docs/guide/patterns true: code comes from the tour's sources, output from running it.

usage: tools/splice_guide.py [--check] TOUR

TOUR is the built program. In the pages, what stands between these lines is replaced:

    <!-- code: tour/p04_join_one.cpp join -->   the lines between // [join] and // [/join]
    <!-- /code -->
    <!-- output: P4 -->                         what `TOUR P4` prints
    <!-- /output -->

With --check nothing is written; it fails, and says where, if a page would change, if a pattern of
the tour has no page, or if the index does not name a page.
"""

import difflib
import os
import re
import subprocess
import sys
import textwrap

import sources

PAGES = "docs/guide/patterns"
BLOCK = re.compile(r"^<!-- (code|output): ([^>]*?) -->\n.*?^<!-- /\1 -->$",
                   re.DOTALL | re.MULTILINE)


class Drift(Exception):
    """What is wrong with a page, its source or the tour."""


def snippet(path, name):
    """The lines between // [name] and // [/name], without their common indentation."""
    try:
        text = sources.read(path)
    except FileNotFoundError as error:
        raise Drift(f"{path}: there is no such file") from error
    found = re.findall(rf"^[ \t]*// \[{re.escape(name)}\]\n(.*?)^[ \t]*// \[/{re.escape(name)}\]$",
                       text, re.DOTALL | re.MULTILINE)
    if len(found) != 1:
        raise Drift(f"{path}: the snippet [{name}] is there {len(found)} times")
    return textwrap.dedent(found[0]).strip("\n")


def output_of(tour, pattern):
    """What the tour prints for a pattern, without the lines between patterns."""
    ran = subprocess.run([tour, pattern], capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode != 0:
        raise Drift(f"{tour} {pattern}: ended with {ran.returncode}: {ran.stderr.strip()}")
    lines = [line for line in ran.stdout.splitlines() if not line.startswith("== ")]
    return "\n".join(lines)


def spliced(text, tour):
    """The page as it should be."""

    def replace(match):
        kind, what = match.groups()
        if kind == "code":
            path, _, name = what.partition(" ")
            body = f"```cpp\n{snippet(path, name)}\n```"
        else:
            body = f"```text\n{output_of(tour, what)}\n```"
        return f"<!-- {kind}: {what} -->\n{body}\n<!-- /{kind} -->"

    return BLOCK.sub(replace, text)


def check_index(tour, pages, problems):
    """Every pattern has a page with its output, every page stands in the index."""
    listed = subprocess.run([tour, "list"], capture_output=True, text=True, check=True).stdout
    shown = {name for text in pages.values()
             for name in re.findall(r"^<!-- output: (\w+) -->$", text, re.MULTILINE)}
    for line in listed.splitlines():
        pattern = line.split()[0]
        if pattern not in shown:
            problems.append(f"{PAGES}: no page shows the output of {pattern}")
    index = pages.get("README.md", "")
    for name in pages:
        if name != "README.md" and f"({name})" not in index:
            problems.append(f"{PAGES}/README.md: does not name {name}")


def main(arguments):
    check = arguments[:1] == ["--check"]
    if len(arguments) != 1 + check:
        sys.exit(__doc__)
    tour = os.path.abspath(arguments[-1])
    folder = os.path.join(sources.ROOT, PAGES)
    pages = {name: sources.read(os.path.join(PAGES, name))
             for name in sorted(os.listdir(folder)) if name.endswith(".md")}
    problems = []
    for name, text in pages.items():
        try:
            new = spliced(text, tour)
        except Drift as drift:
            problems.append(f"{PAGES}/{name}: {drift}")
            continue
        if new == text:
            continue
        if check:
            diff = difflib.unified_diff(text.splitlines(), new.splitlines(), "page", "tour",
                                        lineterm="", n=1)
            problems.append("\n".join([f"{PAGES}/{name}: has drifted; `./dev guide` rewrites it",
                                       *diff]))
        else:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(new)
            print(f"{PAGES}/{name}: rewritten")
    check_index(tour, pages, problems)
    return sources.report("guide", problems, f"{len(pages)} pages")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
