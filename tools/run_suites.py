#!/usr/bin/env python3
"""Runs the CTest suites of one or more build folders and counts every check in them.

usage: run_suites.py [--only REGEX] [--jobs N] [--list] BUILD_DIR...

A GoogleTest program counts each of its cases (read from its JSON report). Any other program counts what its last line
`N passed, N failed` says, or as one check if it has no such line. A suite that ends badly without naming a failed case,
runs too long, or ran no case at all counts as one failure. The last line is the sum over everything; the exit code is 0
only if nothing failed and something ran.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

import thread_stacks

CLOSING_LINE = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
# Lines with which suites say how much they checked; they are shown in the run's output.
REPORT_LINE = re.compile(r"^(?:row|score|checked|seeds|states|sim|bugs|done \d+ runs)\b.*$", re.MULTILINE | re.IGNORECASE)
DEFAULT_TIMEOUT_S = 900
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Suite:
    def __init__(self, build, entry):
        properties = {p["name"]: p["value"] for p in entry.get("properties", [])}
        self.preset = os.path.basename(os.path.normpath(build))
        self.name = entry["name"]
        self.command = entry.get("command")
        self.folder = properties.get("WORKING_DIRECTORY", build)
        self.timeout_s = float(properties.get("TIMEOUT", DEFAULT_TIMEOUT_S))
        self.cost = float(properties.get("COST", 0))
        self.alone = bool(properties.get("RUN_SERIAL", False))
        self.environment = dict(v.split("=", 1) for v in properties.get("ENVIRONMENT", []))
        self.logs = os.path.abspath(os.path.join(build, "suites"))


class Outcome:
    def __init__(self, passed, failed, complaints=(), reports=()):
        self.passed, self.failed = passed, failed
        self.complaints, self.reports = list(complaints), list(reports)
        self.seconds, self.log = 0.0, ""


def load_suites(build):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True, capture_output=True)
    return [Suite(build, entry) for entry in json.loads(listing.stdout)["tests"]]


def count_gtest(report):
    """(passed, failed, names of the failed) of a GoogleTest JSON report; a case that was not run is not counted."""
    passed, failed = 0, []
    for group in report.get("testsuites", []):
        for case in group.get("testsuite", []):
            if case.get("status") != "RUN":
                continue
            if case.get("failures") or case.get("result") == "SKIPPED":
                failed.append(f"{group['name']}.{case['name']}")
            else:
                passed += 1
    return passed, len(failed), failed


def judge(exit_code, output, report):
    """What a suite's run counts for. exit_code None: it ran too long. report None: no GoogleTest report was written."""
    reports = REPORT_LINE.findall(output)
    if exit_code is None:
        return Outcome(0, 1, ["ran too long"], reports)
    if report is not None:
        passed, failed, names = count_gtest(report)
    else:
        said = CLOSING_LINE.findall(output)
        passed, failed = (int(said[-1][0]), int(said[-1][1])) if said else (int(exit_code == 0), 0)
        names = []
    if exit_code != 0 and failed == 0:
        return Outcome(passed, 1, [f"ended with exit code {exit_code}"], reports)
    if passed + failed == 0:
        return Outcome(0, 1, ["ran no test"], reports)
    return Outcome(passed, failed, names, reports)


def run_suite(suite):
    os.makedirs(suite.logs, exist_ok=True)
    base = os.path.join(suite.logs, re.sub(r"[^\w.-]", "_", suite.name))
    report_path, log_path = base + ".json", base + ".log"
    if os.path.exists(report_path):
        os.remove(report_path)
    if not suite.command or not os.path.exists(suite.command[0]):
        return Outcome(0, 1, ["its program was not built"])
    environment = dict(os.environ, GTEST_OUTPUT=f"json:{report_path}", GTEST_COLOR="no", **suite.environment)
    started = time.monotonic()
    stacks = []
    with open(log_path, "wb") as log:
        process = subprocess.Popen(suite.command, cwd=suite.folder, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            exit_code = process.wait(timeout=suite.timeout_s)
        except subprocess.TimeoutExpired:
            stacks = thread_stacks.of_process(process.pid, ROOT)
            os.killpg(process.pid, 9)
            process.wait()
            exit_code = None
    with open(log_path, "rb") as log:
        output = log.read().decode(errors="replace")
    report = None
    if os.path.exists(report_path):
        try:
            with open(report_path) as file:
                report = json.load(file)
        except ValueError:
            report = {}
    outcome = judge(exit_code, output, report)
    outcome.complaints += stacks
    outcome.seconds, outcome.log = time.monotonic() - started, log_path
    return outcome


def show(suite, outcome):
    word = "ok    " if outcome.failed == 0 else "FAILED"
    print(f"{word} {suite.preset:8} {suite.name:28} {outcome.passed:6} passed {outcome.failed:4} failed "
          f"{outcome.seconds:7.1f} s", flush=True)
    for line in outcome.reports:
        print(f"         {line}", flush=True)
    if outcome.failed == 0:
        return
    for complaint in outcome.complaints[:20]:
        print(f"         {complaint}", flush=True)
    if outcome.log:
        with open(outcome.log, errors="replace") as log:
            for line in log.read().splitlines()[-40:]:
                print(f"         | {line}", flush=True)


def run_all(suites, jobs):
    """Long suites first, those that want the machine to themselves last."""
    together = sorted((s for s in suites if not s.alone), key=lambda s: -s.cost)
    alone = [s for s in suites if s.alone]
    done_with = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(run_suite, suite): suite for suite in together}
        for done in concurrent.futures.as_completed(running):
            done_with.append((running[done], done.result()))
            show(*done_with[-1])
    for suite in alone:
        done_with.append((suite, run_suite(suite)))
        show(*done_with[-1])
    return done_with


def summary(done_with):
    """The last lines of the run: what failed, by name, since a reader of a long log sees its end first, and the sum."""
    lines = [f"failed: {suite.preset} {suite.name}: {', '.join(outcome.complaints[:20]) or f'{outcome.failed} checks'}"
             for suite, outcome in done_with if outcome.failed]
    passed = sum(outcome.passed for _, outcome in done_with)
    failed = sum(outcome.failed for _, outcome in done_with)
    if passed + failed == 0:
        lines, failed = ["no suite was run"], 1
    return lines + [f"{passed} passed, {failed} failed"], failed == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="run the suites whose name matches this regular expression")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true", help="print the names of these suites, built or not, and run none")
    parser.add_argument("builds", nargs="+", metavar="BUILD_DIR")
    options = parser.parse_args()
    suites = [s for build in options.builds for s in load_suites(build) if re.search(options.only, s.name)]
    if options.list:
        for suite in suites:
            print(suite.name)
        return 0
    lines, passed = summary(run_all(suites, options.jobs))
    print("\n".join(lines))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
