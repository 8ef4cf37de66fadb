#!/usr/bin/env python3
"""Checks the rules of form that no compiler and no formatter checks."""

import os
import re
import subprocess
import sys

import sources

MAX_LINES = 600
MAX_COLUMNS = 100
MAX_SUBJECT = 72
TEXT = (".hpp", ".cpp", ".py", ".sh", ".cmake", ".pml", ".go", "CMakeLists.txt", "dev", ".ci/run")

# Where a thing may stand that may stand nowhere else in include/ and src/.
THREAD_LOCAL_FILES = ("src/sched/current.cpp",)
ASSEMBLY = ("src/fiber/", "src/os/pause.hpp", "include/runnel/detail/switch_")
PLATFORM = ("src/os/", "src/fiber/", "include/runnel/detail/switch")

# Each rule: (what it says, pattern in code without comments and strings, paths it leaves out).
LIBRARY_RULES = [
    ("thread_local only in " + ", ".join(THREAD_LOCAL_FILES),
     r"\bthread_local\b|\b__thread\b", THREAD_LOCAL_FILES),
    # An empty template is a barrier for the compiler, the same on every processor.
    ("inline assembly only in " + ", ".join(ASSEMBLY),
     r"\b(?:asm|__asm|__asm__)\b(?![^(\n]*\([ \t]*\"\"[ \t]*:)", ASSEMBLY),
    ("#if on the platform only in " + ", ".join(PLATFORM),
     r"^[ \t]*#[ \t]*(?:el)?if[^\n]*\b(?:__x86_64__|__i386__|__aarch64__|__arm__|__riscv|__amd64__"
     r"|__linux__|__unix__|__APPLE__|__FreeBSD__|_WIN32|__GLIBC__|__ANDROID__)", PLATFORM),
]
WEAK_ORDER = re.compile(r"\bmemory_order(?:_|::)(?:relaxed|consume|acquire|release|acq_rel)\b"
                        r"|\b__ATOMIC_(?:RELAXED|CONSUME|ACQUIRE|RELEASE|ACQ_REL)\b")
ORDER_TAG = re.compile(r"\[[A-Z]+-\d+\]")
PROJECT_INCLUDE = re.compile(r'^#include (?:<(runnel/[^>]*)>|"([^"]*)")', re.MULTILINE)
LOWER_CASE_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+[a-z]\w*", re.MULTILINE)
OWN_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+RUNNEL_\w+", re.MULTILINE)

# Ways to make a checker look elsewhere. Put together here so that this file passes itself.
SUPPRESSION = re.compile("|".join([
    "NO" + "LINT", r"#[ \t]*pragma (?:GCC|clang) diag" + "nostic", "clang-format " + "off",
    "no_sani" + "tize", "__lsan_ignore_" + "object", "default_suppre" + "ssions",
    "# no" + "qa", "type: ig" + "nore", "shellcheck dis" + "able"]))
DISABLED_TEST = re.compile(r"\bDISABLED_|\bGTEST_SKIP\(\);")


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_text(path, text, problems):
    """What holds for every file that people read as source."""
    lines = text.split("\n")
    if len(lines) > MAX_LINES + 1:
        problems.append(f"{path}: {len(lines) - 1} lines, at most {MAX_LINES}")
    if text and not text.endswith("\n"):
        problems.append(f"{path}: no newline at its end")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS:
            problems.append(f"{path}:{number}: {len(line)} columns, at most {MAX_COLUMNS}")
        if "\t" in line and not path.endswith(".go"):
            problems.append(f"{path}:{number}: a tab")
        if line != line.rstrip():
            problems.append(f"{path}:{number}: white space at the end of the line")
    for match in SUPPRESSION.finditer(text):
        problems.append(f"{path}:{line_of(text, match.start())}: suppression: {match.group(0)}")


def project_headers(path, text):
    """The file's own header and those of ours that it includes."""
    named = [os.path.splitext(path)[0] + ".hpp"]
    for angled, quoted in PROJECT_INCLUDE.findall(text):
        named.append(quoted or "include/" + angled)
    return [header for header in named if os.path.isfile(os.path.join(sources.ROOT, header))]


def argued_tags(path):
    """The tags in the sections 'Memory order' of the file and of all headers it sees.

    Such a section is the part of the comment at a file's head from these words on.
    """
    tags = set()
    seen = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            text = sources.read(file)
            section = sources.head_comment(text).partition("Memory order")[2]
            tags.update(ORDER_TAG.findall(section))
            waiting += project_headers(file, text)
    return tags


def check_orders(path, text, code, problems):
    """Every order weaker than seq_cst names, on its line or the one above, what argues for it."""
    uses = {line_of(code, match.start()) for match in WEAK_ORDER.finditer(code)}
    if not uses:
        return
    argued = argued_tags(path)
    lines = ["", *text.split("\n")]
    for number in sorted(uses):
        tags = ORDER_TAG.findall(lines[number - 1] + lines[number])
        if not tags:
            problems.append(f"{path}:{number}: an order weaker than seq_cst without a tag [X-1]")
        elif not argued.intersection(tags):
            problems.append(f"{path}:{number}: no section 'Memory order' at the head of this file "
                            f"or of a header it includes argues {tags[-1]}")


def check_cxx(path, text, problems):
    """What holds for C++ everywhere."""
    code = sources.code_only(text)
    if path.endswith(".hpp") and not re.search(r"^#pragma once$", code, re.MULTILINE):
        problems.append(f"{path}: no #pragma once")
    for match in LOWER_CASE_MACRO.finditer(code):
        problems.append(f"{path}:{line_of(code, match.start())}: a lower-case macro")
    for match in DISABLED_TEST.finditer(code):
        problems.append(f"{path}:{line_of(code, match.start())}: a test left out without a reason")
    check_orders(path, text, code, problems)


def check_library(path, text, problems):
    """What holds for the library itself."""
    code = sources.code_only(text)
    for says, pattern, left_out in LIBRARY_RULES:
        if path.startswith(left_out):
            continue
        for match in re.finditer(pattern, code, re.MULTILINE):
            problems.append(f"{path}:{line_of(code, match.start())}: {says}")


def check_macro_homes(library, problems):
    homes = [path for path, text in library if OWN_MACRO.search(sources.code_only(text))]
    if len(homes) > 1:
        problems.append("RUNNEL_ macros belong in one file, found in " + ", ".join(homes))


def git(*arguments):
    # The folder may belong to another user than the one who runs the checks.
    command = ["git", "-c", "safe.directory=*", "-C", sources.ROOT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_subjects(problems):
    """Every commit's subject; returns how many there were."""
    if not os.path.exists(os.path.join(sources.ROOT, ".git")):
        return "no git history here"
    if git("rev-parse", "--quiet", "--verify", "HEAD").returncode != 0:
        return "no commits yet"
    log = git("log", "--no-merges", "--format=%h %s")
    if log.returncode != 0:
        problems.append("git log: " + log.stderr.strip())
    subjects = log.stdout.splitlines()
    for line in subjects:
        commit, _, subject = line.partition(" ")
        if len(subject) > MAX_SUBJECT:
            problems.append(f"commit {commit}: subject of {len(subject)} characters, "
                            f"at most {MAX_SUBJECT}")
    return f"{len(subjects)} commits"


def main():
    problems = []
    library = []
    files = [path for path in sources.all_files() if path.endswith(TEXT)]
    for path in files:
        text = sources.read(path)
        check_text(path, text, problems)
        if path.endswith(sources.CXX):
            check_cxx(path, text, problems)
            if not sources.is_test(path):
                check_library(path, text, problems)
                library.append((path, text))
    check_macro_homes(library, problems)
    commits = check_subjects(problems)
    return sources.report("style", problems, f"{len(files)} files, {commits}")


if __name__ == "__main__":
    sys.exit(main())
