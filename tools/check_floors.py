#!/usr/bin/env python3
"""Checks that #include lines only point down: see tools/floors.txt for the floors and the rule."""

import os
import re
import sys

import sources

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]*)>|"([^"\n]*)")', re.MULTILINE)
UMBRELLA = "(umbrella)"


class Floors:
    """The contents of floors.txt."""

    def __init__(self, text):
        self.height = {}     # room -> number of its floor
        self.together = {}   # room -> the rooms beside it that it may include
        self.of_header = {}  # path below include/runnel/ -> room or UMBRELLA
        self.problems = []
        for number, line in enumerate(text.split("\n"), 1):
            words = line.split("#")[0].replace(",", " , ").split()
            if words:
                self._take(f"tools/floors.txt:{number}", words[0], words[1:])

    def _take(self, where, key, words):
        if key == "floor":
            rooms = [word for word in words if word != ","]
            floor = len(set(self.height.values()))
            for room in rooms:
                self.height[room] = floor
                self.together[room] = set(rooms) if "," in words else {room}
        elif key == "umbrella":
            self._assign(where, UMBRELLA, words)
        elif key == "room" and words and words[0] in self.height:
            self._assign(where, words[0], words[1:])
        else:
            self.problems.append(f"{where}: not understood: {key} {' '.join(words)}")

    def _assign(self, where, room, headers):
        for header in headers:
            if header in self.of_header:
                self.problems.append(f"{where}: {header} has two rooms")
            self.of_header[header] = room

    def room_of(self, path):
        """The room of a file of ours, UMBRELLA, or None where it has none."""
        parts = path.split("/")
        if parts[0] == "src" and len(parts) > 2:
            return parts[1] if parts[1] in self.height else None
        if path.startswith("include/runnel/"):
            below = "/".join(parts[2:])
            if below in self.of_header:
                return self.of_header[below]
            return parts[2] if len(parts) > 3 and parts[2] in self.height else None
        return None

    def allows(self, room, target):
        if room == UMBRELLA:
            return True
        if target == UMBRELLA:
            return False
        return target in self.together[room] or self.height[target] < self.height[room]


def includes(text):
    """Yields (line, spelling, path in the repository or None for a header of the system)."""
    for match in INCLUDE.finditer(sources.code_only(text)):
        line = text.count("\n", 0, match.start()) + 1
        angled, quoted = match.groups()
        if quoted is not None:
            yield line, f'"{quoted}"', quoted
        elif angled.startswith("runnel/"):
            yield line, f"<{angled}>", "include/" + angled
        else:
            yield line, f"<{angled}>", None


def check_file(floors, path, problems):
    room = floors.room_of(path)
    if room is None:
        problems.append(f"{path}:1: belongs to no room: name it in tools/floors.txt")
        return
    for line, spelling, target in includes(sources.read(path)):
        where = f"{path}:{line}"
        if target is None:
            continue
        if not os.path.isfile(os.path.join(sources.ROOT, target)):
            problems.append(f"{where}: {spelling} names no file (paths start at the root)")
        elif path.startswith("include/") and not target.startswith("include/"):
            problems.append(f"{where}: a public header includes {spelling}")
        else:
            target_room = floors.room_of(target)
            if target_room is None:
                problems.append(f"{where}: {spelling} belongs to no room")
            elif not floors.allows(room, target_room):
                problems.append(f"{where}: {room} may not include {spelling} ({target_room})")


def main():
    floors = Floors(sources.read("tools/floors.txt"))
    problems = floors.problems
    files = [path for path in sources.cxx_files()
             if path.startswith(("include/", "src/")) and not sources.is_test(path)]
    for header in floors.of_header:
        if f"include/runnel/{header}" not in files:
            problems.append(f"tools/floors.txt: include/runnel/{header} does not exist")
    for path in files:
        check_file(floors, path, problems)
    return sources.report("floors", problems, f"{len(files)} files")


if __name__ == "__main__":
    sys.exit(main())
