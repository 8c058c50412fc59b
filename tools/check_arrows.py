#!/usr/bin/env python3
"""Checks that includes point only down the floors of docs/architecture.md.

usage: check_arrows.py [TREE]

The table there names each room, its floor, the rooms it may include besides `include` and `base`, and those that only its
tests, doubles and benchmarks may. This checks that
- the table and the folders under src/ agree, no row points up or sideways, and each arrow drawn is made by a file;
- a file of a room, its subfolders included, includes only its own room, `millrace/...`, `base/...` and the rooms of its row,
  by full path;
- inside a room the includes of its units form no circle: foo.h and foo.cc are one unit, tests and benchmarks none;
- no room below `engine` includes the front door (`millrace/engine.h`, or `millrace/millrace.h` which brings it);
- public headers include only public headers and the standard library;
- headers of src/ include no third-party header: those stand in .cc files. Only headers for tests (*_fixture.h, *_testing.h)
  may include GoogleTest, and only tests include these;
- nothing under src/ or include/ includes test/, bench/ or examples/, which the first two rules already forbid.
"""
import os
import re
import sys
import typing

ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*([a-z]+)\s*\|[^|]*\|([^|]*)\|([^|]*)\|\s*$", re.MULTILINE)
OF_TESTS = re.compile(r"(?:^|/)(?:fake|faulty)_[^/]*$|_(?:test|bench|fixture|testing|scenario)\.(?:h|cc)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
# Headers of the C library and the kernel that headers of ours may include; C++ ones have no dot.
SYSTEM_HEADER = re.compile(r"^(?:(?:sys|linux)/[a-z_]+\.h|(?:fcntl|unistd|errno|time|pthread|sched|poll|signal|dirent)\.h)$")
FRONT_DOOR = {"millrace/engine.h", "millrace/millrace.h"}
TEST_HEADER = re.compile(r"_(?:fixture|testing)\.h$")
NO_UNIT = re.compile(r"_(?:test|bench|fixture|testing)\.(?:h|cc)$")
TEST_LIBRARY = re.compile(r"^(?:gtest|gmock|rapidcheck)[/.]")


class Row(typing.NamedTuple):
    floor: int
    may: set  # rooms that its files may include
    tests: set  # and those that only its tests, doubles and benchmarks may


def read_floors(text):
    """{room: Row} from the table of the architecture page."""
    rooms = lambda cell: set(re.findall(r"[a-z]+", cell))
    return {room: Row(int(floor), rooms(may), rooms(tests)) for floor, room, may, tests in ROW.findall(text)}


def check_table(floors, folders):
    problems = []
    if not floors:
        return ["docs/architecture.md: no table of floors found"]
    for folder in sorted(folders - set(floors)):
        problems.append(f"src/{folder}: not in the table of docs/architecture.md")
    for room in sorted(set(floors) - folders - {"include"}):
        problems.append(f"docs/architecture.md: room {room} has no folder under src/")
    for room, row in floors.items():
        for other in sorted(row.may | row.tests):
            if other not in floors:
                problems.append(f"docs/architecture.md: {room} may include {other}, which is no room")
            elif floors[other].floor >= row.floor:
                problems.append(f"docs/architecture.md: {room} (floor {row.floor}) points at {other} (floor {floors[other].floor})")
    return problems


def is_standard(header):
    return "." not in header and "/" not in header or bool(SYSTEM_HEADER.match(header))


def check_public_header(path, includes):
    for bracket, header in includes:
        if header.startswith("millrace/"):
            continue
        if bracket == '"' or "." in header or "/" in header:
            yield f"{path}: a public header includes {header}"


def check_room_file(path, room, includes, floors):
    of_tests = bool(OF_TESTS.search(path))
    may = floors[room].may | {room, "base"} | (floors[room].tests if of_tests else set())
    for_tests = path.endswith("_test.cc") or bool(TEST_HEADER.search(path))
    below_engine = "engine" in floors and floors[room].floor < floors["engine"].floor
    for bracket, header in includes:
        if header.startswith("millrace/"):
            if header in FRONT_DOOR and below_engine:
                yield f"{path}: {room} lies below the engine and may not include {header}"
            continue
        if bracket == '"':
            target = header.split("/")[0] if "/" in header else None
            if target not in floors or target == "include":
                yield f'{path}: "{header}" is not the full path of a header of a room'
            elif target not in may:
                yield f"{path}: {room} may not include {header}"
            elif TEST_HEADER.search(header) and not for_tests:
                yield f"{path}: only tests include {header}"
        elif path.endswith(".h") and not is_standard(header) and not (for_tests and TEST_LIBRARY.match(header)):
            yield f"{path}: third-party header <{header}> in a header"


def check_arrows_used(room, row, files):
    """An arrow of the table that no file makes, or that tests alone make, is not as it is drawn."""
    made = {True: set(), False: set()}
    for path, includes in files:
        made[bool(OF_TESTS.search(path))].update(header.split("/")[0] for bracket, header in includes if bracket == '"')
    for other in sorted(row.may - made[False]):
        by = "by its tests alone: it belongs into the last column" if other in made[True] else "by no file"
        yield f"docs/architecture.md: {room} may include {other}, which is done {by}"
    for other in sorted(row.tests - made[True]):
        yield f"docs/architecture.md: tests of {room} may include {other}, and none does"


def units_of(files):
    """{unit: the units it includes}, of the files [(path below src/, includes)] of one room."""
    units = {}
    for path, includes in files:
        if not NO_UNIT.search(path):
            unit = os.path.splitext(path)[0]
            included = {os.path.splitext(header)[0] for bracket, header in includes if bracket == '"'}
            units.setdefault(unit, set()).update(included - {unit})
    return {unit: sorted(included & units.keys()) for unit, included in units.items()}


def reached_from(unit, units):
    reached, waiting = set(), list(units[unit])
    while waiting:
        other = waiting.pop()
        if other not in reached:
            reached.add(other)
            waiting.extend(units[other])
    return reached


def find_circles(units):
    """Lists of units of which each reaches every other."""
    reached = {unit: reached_from(unit, units) for unit in units}
    circles = {tuple(sorted(other for other in reached[unit] if unit in reached[other])) for unit in units if unit in reached[unit]}
    return [list(circle) for circle in sorted(circles)]


def check_circles(room, files):
    return [f"src/{room}: a circle of includes: {', '.join(circle)}" for circle in find_circles(units_of(files))]


def source_files(tree, folder):
    for root, folders, files in os.walk(os.path.join(tree, folder)):
        folders.sort()
        for name in sorted(files):
            if name.endswith((".h", ".cc")):
                full = os.path.join(root, name)
                with open(full, encoding="utf-8") as file:
                    yield os.path.relpath(full, tree), INCLUDE.findall(file.read())


def check_tree(tree):
    with open(os.path.join(tree, "docs/architecture.md"), encoding="utf-8") as file:
        floors = read_floors(file.read())
    source = os.path.join(tree, "src")
    folders = {name for name in os.listdir(source) if os.path.isdir(os.path.join(source, name))}
    problems = check_table(floors, folders)
    for path, includes in source_files(tree, "include"):
        problems.extend(check_public_header(path, includes))
    files_of = {}
    for path, includes in source_files(tree, "src"):
        room = path.split(os.sep)[1]
        if room in floors:
            problems.extend(check_room_file(path, room, includes, floors))
            files_of.setdefault(room, []).append((os.path.relpath(path, "src"), includes))
    for room, files in files_of.items():
        problems.extend(check_circles(room, files))
        problems.extend(check_arrows_used(room, floors[room], files))
    return problems


def main():
    problems = check_tree(sys.argv[1] if len(sys.argv) > 1 else ".")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
