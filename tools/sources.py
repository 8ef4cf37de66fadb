"""Which files are ours, and how to look at C++ without its comments and strings."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDERS = ["include", "src", "test", "tour", "bench", "examples", "tools", "cmake", ".ci"]
CXX = (".hpp", ".cpp")


def all_files():
    """Every file of the project as a path from its root; build outputs stand elsewhere."""
    found = [name for name in os.listdir(ROOT) if os.path.isfile(os.path.join(ROOT, name))]
    for folder in FOLDERS:
        for path, folders, names in os.walk(os.path.join(ROOT, folder)):
            folders[:] = [each for each in folders if each != "__pycache__"]
            found += [os.path.relpath(os.path.join(path, name), ROOT) for name in names]
    return sorted(found)


def cxx_files():
    return [path for path in all_files() if path.endswith(CXX)]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def is_test(path):
    """Tests and benchmarks, also those beside the sources they are about."""
    return not path.startswith(("include/", "src/")) or path.endswith(
        ("_test.cpp", "_test.hpp", "_bench.cpp"))


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'                            # comments
    r'|R"(?P<mark>[^()\\ ]{0,16})\(.*?\)(?P=mark)"'  # raw strings
    r'|"(?:\\.|[^"\\\n])*"'                          # strings
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'",         # characters, but not digit separators
    re.DOTALL)


def code_only(text):
    """`text` with comments and the insides of literals blanked; everything keeps its place.

    The quotes of strings stay, and so does what an #include names.
    """

    def blank(match):
        token = match.group(0)
        line_start = text.rfind("\n", 0, match.start()) + 1
        if token[0] == '"' and text[line_start:match.start()].strip() == "#include":
            return token
        blanked = re.sub(r"[^\n]", " ", token)
        return f'"{blanked[1:-1]}"' if token[-1] == '"' else blanked

    return _TOKEN.sub(blank, text)


def head_comment(text):
    """The block of // lines that opens a file."""
    lines = []
    for line in text.split("\n"):
        if not line.startswith("//"):
            break
        lines.append(line)
    return "\n".join(lines)


def report(name, problems, looked_at):
    """Prints the problems and returns the exit status."""
    for problem in problems:
        print(problem)
    print(f"{name}: {looked_at}, {len(problems)} problem(s)")
    return 1 if problems else 0
