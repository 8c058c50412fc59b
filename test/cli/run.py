#!/usr/bin/env python3
"""Runs the scenarios of this folder against a millrace binary.

usage: run.py BINARY [--update] [PATTERN...]

PATTERN: only scenarios whose name contains it. --update writes the golden help texts anew. Ends with one line
`N passed, N failed`.
"""
import os
import sys
import unittest

import scenario


def selected(suite, patterns):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from selected(test, patterns)
        elif not patterns or any(pattern in test.id() for pattern in patterns):
            yield test


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    scenario.BINARY = os.path.abspath(sys.argv[1])
    scenario.UPDATE = "--update" in sys.argv
    patterns = [word for word in sys.argv[2:] if not word.startswith("-")]
    found = unittest.defaultTestLoader.discover(os.path.dirname(os.path.abspath(__file__)), pattern="*_scenarios.py")
    suite = unittest.TestSuite(selected(found, patterns))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
