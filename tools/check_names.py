#!/usr/bin/env python3
"""Checks that no file and no identifier bears a name that says nothing about its job.

usage: check_names.py [TREE]

Words and endings below are banned in the names of files and folders and in the identifiers of our C++ code. Comments,
strings and names of other libraries (std::common_type) are left alone.
"""
import os
import re
import sys

BANNED_WORDS = {"manager", "managers", "util", "utils", "helper", "helpers", "common", "misc"}
BANNED_ENDINGS = ("Data", "Info")
FOLDERS = ("include", "src", "test", "bench", "examples", "tools", "cmake", "docs")
# Matched in this order, so that what stands in a comment or a string is never taken for code.
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'|#\s*include[^\n]*', re.DOTALL)
# A test's name is a sentence.
TEST_NAME = re.compile(r"\b(?:TYPED_)?TEST(?:_[FP])?\s*\([^)]*\)")
# With the namespace in front, if it is one of others.
IDENTIFIER = re.compile(r"(?:\b(?:std|chrono|ranges|testing|benchmark|fmt|nlohmann|CLI|leveldb|rocksdb)::)?\b[A-Za-z_]\w*")


def words_of(name):
    """The words of a CamelCase, snake_case or mixed name, in small letters."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def is_banned(name):
    if BANNED_WORDS & set(words_of(name)):
        return True
    return re.match(r"[A-Z]", name) is not None and name.endswith(BANNED_ENDINGS) and name not in BANNED_ENDINGS


def check_code(path, text):
    code = text
    for skipped in (NOT_CODE, TEST_NAME):
        code = skipped.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), code)
    for number, line in enumerate(code.split("\n"), start=1):
        for name in IDENTIFIER.findall(line):
            if "::" not in name and is_banned(name):
                yield f"{path}:{number}: the name {name} does not say what it is for"


def check_path(path):
    for part in path.split(os.sep):
        if BANNED_WORDS & set(words_of(os.path.splitext(part)[0])):
            yield f"{path}: the name {part} does not say what it is for"


def check_tree(tree):
    problems = []
    for folder in FOLDERS:
        for root, folders, files in os.walk(os.path.join(tree, folder)):
            folders.sort()
            for name in sorted(files):
                path = os.path.relpath(os.path.join(root, name), tree)
                problems.extend(check_path(path))
                if name.endswith((".h", ".cc")):
                    with open(os.path.join(tree, path), encoding="utf-8") as file:
                        problems.extend(check_code(path, file.read()))
    return problems


def main():
    problems = check_tree(sys.argv[1] if len(sys.argv) > 1 else ".")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
