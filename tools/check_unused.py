#!/usr/bin/env python3
"""Names calls that headers of src/ declare and that nothing but tests makes.

usage: check_unused.py [TREE]

A call is used if its name stands anywhere in src/, include/, test/sim's and bench's programs or examples/ besides its own
declarations and definitions, or in a generator of C++. Names are compared as words, so a call is missed if another of the same name is used; what is
named here is surely used by tests alone, or not at all. KEPT says which of these stay, and for what.
"""
import os
import re
import sys

TEST = re.compile(r"_(?:test|bench|fixture|testing|scenario|vectors)\.(?:h|cc)$|^(?:fake|faulty|sim|watched)_|allocation_meter")
# A declaration or definition: a type before the name, or Class::Name. Not a call, for a call has no type before it.
DECLARED = re.compile(r"^(?:  )*(?:\[\[nodiscard\]\] )?(?:(?:static|virtual|constexpr|inline|explicit|friend) )*"
                      r"(?!return\b|else\b|throw\b|delete\b|new\b|using\b|typedef\b|case\b|MR_)[A-Za-z_][\w:<>,&*\s\[\]]*?[\s&*>]((?:\w+::)*)([A-Za-z_]\w*)\(")
WORD = re.compile(r"[A-Za-z_]\w*")
COMMENT = re.compile(r"//.*|\"(?:[^\"\\]|\\.)*\"")

KEPT = {
    "BatchFaultName": "a door for the server (docs/doors.md)",
    "StampLogAppendTime": "a door for the server (docs/doors.md)",
    "last_staged": "a door for the server (docs/doors.md)",
    "sync_estimate": "a door for the server (docs/doors.md)",
    "AwaitVisible": "tests wait by it where callers have AddWaiter",
    "Crc32cJoinedPortable": "the way of other processors, which a test holds beside this one's",
    "CollectOnce": "tests take all steps of a collection in one",
    "SqliteMigrations": "tests begin at each version",
    "bytes_peak": "tests measure what was held at most",
    "spare": "tests count the blocks that are kept",
    "kept_bytes": "tests measure what the pool of frames holds",
    "unknown_tags": "of Kafka's wire; its fuzz target looks at it",
}
GENERATOR = "src/kafka/generate/generate.py"  # the C++ it writes calls what it names


def files_of(tree, folders):
    for folder in folders:
        for root, _, names in os.walk(os.path.join(tree, folder)):
            for name in sorted(names):
                if name.endswith((".h", ".cc")):
                    yield os.path.join(root, name), name


def declared_in(line):
    """The name that a line of C++ declares or defines, or None."""
    match = DECLARED.match(line)
    return match[2] if match and match[2] != "operator" else None


def find_unused(tree):
    declared, used = {}, set()
    if os.path.exists(os.path.join(tree, GENERATOR)):
        with open(os.path.join(tree, GENERATOR), encoding="utf-8") as file:
            used.update(WORD.findall(file.read()))
    for path, name in files_of(tree, ("src", "include", "examples", "bench", "test/sim")):
        of_tests = bool(TEST.search(name))
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                code = COMMENT.sub("", line.rstrip("\n"))
                own = declared_in(code)
                if own and name.endswith(".h") and not of_tests and os.path.relpath(path, tree).startswith("src"):
                    declared.setdefault(own, f"{os.path.relpath(path, tree)}:{number}")
                if not of_tests:
                    words = WORD.findall(code)
                    if own in words:
                        words.remove(own)
                    used.update(words)
    return {name: where for name, where in declared.items() if name not in used}


def main():
    unused = find_unused(sys.argv[1] if len(sys.argv) > 1 else ".")
    problems = [f"{where}: {name} is called by tests alone, or not at all" for name, where in sorted(unused.items()) if name not in KEPT]
    problems += [f"tools/check_unused.py: {name} is used, or gone; take it out of KEPT" for name in sorted(KEPT) if name not in unused]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
