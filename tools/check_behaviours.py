#!/usr/bin/env python3
"""Checks that every behaviour in docs/behaviours.md is cited by a test, and that tests cite no other.

usage: check_behaviours.py [--list] [TREE]

A test cites a number in a comment or a docstring: `B12`, or `B34-B41` for all between. Numbers below the heading `Later` of the page
may be without a test. --list prints each number with the files that cite it.
"""
import argparse
import os
import re
import sys

PAGE = os.path.join("docs", "behaviours.md")
CITED = re.compile(r"(?<![\w/.])([RWSB])(\d{1,2})(?:\s?(?:-|–|to)\s?\1?(\d{1,2}))?(?!\w|\.\w)")
COMMENT = re.compile(r'//[^\n]*|"""(?:.|\n)*?"""|^\s*#[^\n]*', re.MULTILINE)


# Also the name of a service, which tests name often: a citation only in a sentence that says what a test proves.
SERVICE, PROVES = "S3", re.compile(r"\bProves\b[^.;]*")


def numbers_cited(comment):
    """Every number that the comment of a test cites."""
    found = numbers_in(comment)
    if SERVICE in found and SERVICE not in numbers_in(" ".join(PROVES.findall(comment))):
        found.remove(SERVICE)
    return found


def numbers_in(text):
    """Every number in `text`, ranges written out."""
    found = set()
    for kind, first, last in CITED.findall(text):
        found.update(f"{kind}{number}" for number in range(int(first), int(last or first) + 1))
    return found


def read_page(text):
    """(numbers that need a test, numbers that may wait for one), from the first cells of the page's tables."""
    promised, _, later = text.partition("\n## Later")

    def cells(part):
        rows = (line.split("|")[1] for line in part.split("\n") if line.startswith("|"))
        return set().union(*(numbers_in(cell) for cell in rows), set())
    return cells(promised), cells(later)


def is_test(path):
    name = os.path.basename(path)
    return "_test." in name or path.startswith("test" + os.sep) or name.endswith(("_testing.h", "_scenario.h", "_fixture.h"))


def citations(tree):
    """Number -> the test files that cite it."""
    cited = {}
    for folder in ("src", "test", "tools"):
        for root, folders, files in os.walk(os.path.join(tree, folder)):
            folders.sort()
            for name in sorted(files):
                path = os.path.relpath(os.path.join(root, name), tree)
                if not is_test(path) or not name.endswith((".cc", ".h", ".py")) or name.startswith("check_"):
                    continue
                with open(os.path.join(tree, path), encoding="utf-8") as file:
                    comments = "\n".join(COMMENT.findall(file.read()))
                for number in numbers_cited(comments):
                    cited.setdefault(number, []).append(path)
    return cited


def in_order(numbers):
    return sorted(numbers, key=lambda number: ("RWSB".index(number[0]), int(number[1:])))


def check(page, cited):
    promised, later = read_page(page)
    for number in in_order(promised - later - set(cited)):
        yield f"{PAGE}: no test cites {number}"
    for number in in_order(set(cited) - promised - later):
        yield f"{cited[number][0]}: cites {number}, which {PAGE} does not have"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("tree", nargs="?", default=".")
    options = parser.parse_args()
    with open(os.path.join(options.tree, PAGE), encoding="utf-8") as file:
        page = file.read()
    cited = citations(options.tree)
    if options.list:
        for number in in_order(set().union(*read_page(page))):
            print(f"{number:4} {' '.join(cited.get(number, ['-']))}")
        return 0
    problems = list(check(page, cited))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
