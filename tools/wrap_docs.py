#!/usr/bin/env python3
"""Keeps the lines of documentation within 120 columns.

usage: wrap_docs.py [--write] [TREE]

Looks at every *.md that git knows. A paragraph or an item of a list with a longer line is wrapped anew, as a whole; code,
tables and headings stay as they are, and so does docs/benchmarks.md, which `./dev bench --publish` writes. Without --write
it names the lines, and fails if there are any.
"""
import os
import re
import subprocess
import sys
import textwrap

COLUMNS = 120
WRITTEN_BY_TOOLS = {"docs/benchmarks.md"}
FENCE = re.compile(r"^\s*(```|~~~)")
ITEM = re.compile(r"^(\s*)([-*+]|\d+[.)])(\s+)")
WHOLE = re.compile(r"^\s*(\||#|>|<|\[[^\]]+\]:)")  # tables, headings, quotes, HTML, link targets


def blocks_of(lines):
    """[(is prose, lines)]: a block of prose is one paragraph or one item of a list."""
    blocks, in_code = [], False
    for line in lines:
        fence = bool(FENCE.match(line))
        whole = in_code or fence or not line.strip() or bool(WHOLE.match(line))
        in_code ^= fence
        goes_on = not whole and blocks and blocks[-1][0] and not ITEM.match(line)
        if goes_on:
            blocks[-1][1].append(line)
        else:
            blocks.append((not whole, [line]))
    return blocks


def wrapped(lines):
    """The block with no line longer than it has to be. Lines that end in two spaces are breaks on purpose."""
    if all(len(line) <= COLUMNS for line in lines) or any(line.endswith("  ") for line in lines):
        return lines
    item = ITEM.match(lines[0])
    first = item[0] if item else re.match(r"\s*", lines[0])[0]
    text = " ".join(line.strip() for line in [lines[0][len(first):], *lines[1:]])
    # What must not be torn, or begin a line and be read as an item or a heading there.
    spaces = lambda m: m[0].replace(" ", "\0")
    text = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", spaces, text)
    text = re.sub(r" (?=(?:[-+*#>]|\d+[.)])(?: |$))", "\0", text)
    out = textwrap.wrap(text, COLUMNS, initial_indent=first, subsequent_indent=" " * len(first), break_long_words=False,
                        break_on_hyphens=False)
    return [line.replace("\0", " ") for line in out]


def wrap_text(text):
    lines = []
    for prose, block in blocks_of(text.split("\n")):
        lines.extend(wrapped(block) if prose else block)
    return "\n".join(lines)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    tree, write = arguments[0] if arguments else ".", "--write" in sys.argv[1:]
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=tree, check=True, capture_output=True, text=True)
    bad = False
    for name in listed.stdout.split("\0"):
        if not name or name in WRITTEN_BY_TOOLS:
            continue
        path = os.path.join(tree, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        better = wrap_text(text)
        if better == text:
            continue
        bad = True
        if write:
            with open(path, "w", encoding="utf-8") as file:
                file.write(better)
        else:
            print(f"{name}: lines over {COLUMNS} columns; ./dev fmt wraps them")
    return 1 if bad and not write else 0


if __name__ == "__main__":
    sys.exit(main())
