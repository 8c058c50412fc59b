#!/usr/bin/env python3
"""Edits a copy of the tree, one line at a time, and tells which edits the tests of a room do not notice.

usage: mutants.py [--count N] [--seed S] [--jobs J] [--list] ROOM

Each edit is of one of these kinds; which are made, and in which order, follows from the seed and the sources alone:
  condition   an if, while or for whose condition is negated
  call        a statement that is a call and nothing else, dropped
  lock        a MutexLock, dropped
  wake        a NotifyOne or NotifyAll, dropped
  border      < for <=, > for >=, and the other way round
  one         + 1 or - 1, dropped
Edits that do not compile count for nothing, and the next one takes their place.
"""
import argparse
import difflib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

# Tests, and doubles that only tests meet.
NOT_TESTED = re.compile(r"^(?:faulty|fake)_|_(?:test|bench|fixture|testing|scenario|vectors)\.(?:cc|h)$")
# Says nothing about what the code does: checks of our own mistakes, and bugs planted on purpose.
SPARED = re.compile(r"MR_D?CHECK|CheckNoMutexHeld|static_assert|Planted\(|^\s*#|^\s*//|\[\[nodiscard\]\]|^\s*(?:template|using)\b")
CALL = re.compile(r"^(\s*)(?!return\b|co_|delete\b|throw\b|case\b|else\b|using\b|MR_|MutexLock\b)"
                  r"((?:\(void\))?[A-Za-z_][\w:]*(?:(?:\.|->|\[[^\]]*\])\w*)*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\);)\s*$")
DECLARATION = re.compile(r"^\s*(?:const|static|auto|constexpr|explicit|virtual|inline|std::\w+(?:<.*>)?\s+\w+\()")
LOCK = re.compile(r"^(\s*)(?:const )?MutexLock \w+\([^;]*\);")
WAKE = re.compile(r"\b[\w.>-]+Notify(?:One|All)\(\);")
BRANCH = re.compile(r"^(\s*(?:\} else )?(?:if|while) )\(")
BORDER = re.compile(r"(?<=[\w)\]] )(<=|>=|<|>)(?= [\w(*&!-])")
ONE = re.compile(r"(?<=[\w)\]]) [+-] 1(?![\w.'])")


def blank(line):
    """`line` with the insides of strings, and a comment at its end, made of spaces, so that columns stay."""
    line = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)+\'', lambda m: m[0][0] + " " * (len(m[0]) - 2) + m[0][-1], line)
    comment = line.find("//")
    return line if comment < 0 else line[:comment] + " " * (len(line) - comment)


def closing(text, opening):
    """Where the parenthesis that opens at `opening` closes; -1: not in this line."""
    depth = 0
    for at in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return -1


def edits_of_line(line):
    """[(kind, edited line)] of one line of C++."""
    code = blank(line)
    if SPARED.search(code) or not code.strip():
        return []
    edits = []
    branch = BRANCH.match(code)
    if branch:
        begin = branch.end() - 1
        end = closing(code, begin)
        condition = line[begin + 1:end]
        if end > 0 and ";" not in blank(condition) and not re.match(r"(?:const |auto )", condition):
            edits.append(("condition", line[:begin] + "(!(" + condition + "))" + line[end + 1:]))
    lock = LOCK.match(code)
    if lock:
        edits.append(("lock", lock[1] + ";" + line[lock.end():]))
    wake = WAKE.search(code)
    if wake:
        edits.append(("wake", line[:wake.start()] + ";" + line[wake.end():]))
    call = CALL.match(code)
    if call and not wake and not DECLARATION.match(code):
        edits.append(("call", call[1] + ";"))
    if "template" not in code and "<<" not in code:
        for border in BORDER.finditer(code):
            other = border[1][:-1] if border[1].endswith("=") else border[1] + "="
            edits.append(("border", line[:border.start()] + other + line[border.end():]))
    for one in ONE.finditer(code):
        edits.append(("one", line[:one.start()] + line[one.end():]))
    return edits


def edits_of_file(path, text):
    """[(path, number of the line from 0, kind, edited line)]. Lines of classes, outside of functions, declare: no calls."""
    edits = []
    for number, line in enumerate(text.split("\n")):
        for kind, edited in edits_of_line(line):
            if edited != line and not (kind == "call" and not line.startswith("  ")):
                edits.append((path, number, kind, edited))
    return edits


def edits_of_room(tree, room, seed):
    """All edits of the room, in the order in which they are tried."""
    edits = []
    for folder, folders, names in os.walk(os.path.join(tree, "src", room)):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".cc", ".h")) and not NOT_TESTED.search(name):
                path = os.path.relpath(os.path.join(folder, name), tree)
                with open(os.path.join(tree, path), encoding="utf-8") as file:
                    edits += edits_of_file(path, file.read())
    random.Random(f"{seed} {room}").shuffle(edits)
    return edits


def copy_tree(source, target):
    """What git knows or would add, where it differs; what is no longer there goes."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=source, check=True, capture_output=True)
    wanted = {name for name in listed.stdout.decode().split("\0") if name and os.path.isfile(os.path.join(source, name))}
    for folder, _, names in os.walk(target):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.relpath(path, target) not in wanted:
                os.remove(path)
    for name in wanted:
        to = os.path.join(target, name)
        with open(os.path.join(source, name), "rb") as file:
            content = file.read()
        if os.path.isfile(to):
            with open(to, "rb") as file:
                if file.read() == content:
                    continue
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(os.path.join(source, name), to)


# Rooms whose units are met by reading a whole partition: by the tests of the room that does.
ALSO_TESTED_BY = {"fetch": ["read"], "prefetch": ["read"]}


def program_of(room):
    return "cli_commands_test" if room == "cli" else f"{room}_test"


def rooms_that_test(room):
    return [room, *ALSO_TESTED_BY.get(room, [])]


class Copy:
    """The copy of the tree and its build: without sanitizers and warnings, which only tell of what tests should. A lock
    that guards what is annotated cannot be dropped in any build of ours: such an edit does not compile here either."""

    def __init__(self, source, jobs):
        self.tree = os.path.join(source, "build/mutants/tree")
        self.build_folder = os.path.join(source, "build/mutants/build")
        self.jobs = jobs
        copy_tree(source, self.tree)
        subprocess.run(["cmake", "-S", self.tree, "-B", self.build_folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                        "-DCMAKE_CXX_COMPILER=clang++-19", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_FLAGS=-O1 -Wno-everything -Werror=thread-safety", "-DCMAKE_CXX_FLAGS_DEBUG=",
                        "-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold"], check=True, stdout=subprocess.DEVNULL)

    def build(self, room):
        return subprocess.run(["ninja", "-C", self.build_folder, *self.jobs, *map(program_of, rooms_that_test(room))],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).returncode == 0

    def run(self, room, seconds):
        """True: the tests passed. A test that hangs or dies has noticed as well."""
        return all(self.run_program(one, seconds) for one in rooms_that_test(room))

    def run_program(self, room, seconds):
        test = os.path.join(self.build_folder, "src", room, program_of(room))
        process = subprocess.Popen([test, "--gtest_fail_fast", "--gtest_brief=1"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            return process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False

    def path(self, path):
        return os.path.join(self.tree, path)


def describe(path, number, kind, before, after):
    lines = [line for line in difflib.ndiff([before.strip()], [after.strip()]) if line[0] in "+-"]
    return f"{path}:{number + 1} ({kind})\n    " + "\n    ".join(lines)


def try_edit(copy, room, edit, seconds):
    """'caught', 'survived', or 'no' if it does not compile."""
    path, number, _, edited = edit
    with open(copy.path(path), encoding="utf-8") as file:
        whole = file.read()
    lines = whole.split("\n")
    lines[number] = edited
    try:
        with open(copy.path(path), "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        if not copy.build(room):
            return "no"
        return "survived" if copy.run(room, seconds) else "caught"
    finally:
        with open(copy.path(path), "w", encoding="utf-8") as file:
            file.write(whole)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("room")
    parser.add_argument("--count", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=lambda jobs: ["-j", jobs], default=[])
    parser.add_argument("--list", action="store_true", help="say which edits would be tried, and make none")
    arguments = parser.parse_args()
    source, room = os.getcwd(), arguments.room
    if not os.path.isdir(f"src/{room}"):
        sys.exit(f"there is no room {room} under src/")
    edits = edits_of_room(source, room, arguments.seed)
    if arguments.list:
        for path, number, kind, edited in edits[:arguments.count]:
            with open(path, encoding="utf-8") as file:
                print(describe(path, number, kind, file.read().split("\n")[number], edited))
        return 0
    copy = Copy(source, arguments.jobs)
    if not copy.build(room):
        sys.exit(f"{program_of(room)} does not build as it is")
    begun = time.monotonic()
    if not copy.run(room, 3600):
        sys.exit(f"{program_of(room)} does not pass as it is")
    seconds = max(30.0, 4 * (time.monotonic() - begun))
    tried, caught, survivors = 0, 0, []
    for edit in edits:
        if tried == arguments.count:
            break
        outcome = try_edit(copy, room, edit, seconds)
        if outcome == "no":
            continue
        tried += 1
        caught += outcome == "caught"
        with open(edit[0], encoding="utf-8") as file:
            line = describe(edit[0], edit[1], edit[2], file.read().split("\n")[edit[1]], edit[3])
        print(f"{tried:3} {outcome:8} {line}", flush=True)
        if outcome == "survived":
            survivors.append(line)
    print(f"\n{room}, seed {arguments.seed}: {caught} of {tried} caught, {100 * caught // max(tried, 1)} %")
    for line in survivors:
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
