#!/usr/bin/env python3
"""Goal: node-rdkafka's own tests against a broker, its folder e2e, pass against `millrace dev`, but for those that KNOWN names with their cause.

Method: the tests as their makers wrote them, by mocha, each in a process of its own; in a few lanes, each with a server of its own and the topics that
they name. One that fails runs once more. A test that KNOWN names and that passes fails the suite: its row is out of date.

A consumer of this client that reads in a loop must not be sent anything while it leaves: it waits for ever for that to be let go, or reads what it has
freed, against Apache Kafka as well. A test that has passed and whose consumer does not leave, or whose process was ended by a signal, runs again, up to
LEAVES_AT_TRY times.

usage: node_rdkafka_suite.py MILLRACE [FILE...]
"""
import collections
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time

import install
from driver import Scratch, Server, require, run_driver

VERSION = "node-rdkafka 3.6.1 (librdkafka 2.12.0)"
FILES = ("both", "consumer", "admin", "producer")
NOT_RUN = {"producer-transaction": "transactions, which are not served yet",
           "groups": "a consumer that leaves while records come, at which the client ends by a signal, against Apache Kafka as well"}
# Tests that do not pass, and why.
KNOWN = {"Admin createTopic should raise an error when replication_factor is larger than number of brokers":
         "any replication factor is taken, and 9,999 partitions as well"}
TOPICS = ("test", "test2")
LANES, LEAVES_AT_TRY = 6, 10
MOCHA_LIMIT_MS, LIMIT_S = 20_000, 120  # of one test or hook, of a process

Outcome = collections.namedtuple("Outcome", "file test state seconds why")


def mocha(report, *arguments):
    package = install.install_node_rdkafka_package()
    node, _ = install.install_node()
    return [node, os.path.join(package, "..", "mocha", "bin", "mocha.js"), "--exit", "--timeout", str(MOCHA_LIMIT_MS), "--reporter", "json",
            "--reporter-option", f"output={report}", *arguments]


def titles_of(file):
    with Scratch() as scratch:
        report = scratch / "report.json"
        command = mocha(report, "--dry-run", f"e2e/{file}.spec.js")
        install.run_or_miss(f"the tests of node-rdkafka's {file}", command, cwd=install.install_node_rdkafka_package())
        return [test["fullTitle"] for test in json.loads(report.read_text(encoding="utf-8"))["tests"]]


def report_of(server, file, title):
    """What mocha tells of one test. A process whose consumer does not leave does not end by itself, so the report is what is waited for."""
    with Scratch() as scratch:
        report = scratch / "report.json"
        command = mocha(report, "--grep", f"^{re.escape(title)}$", f"e2e/{file}.spec.js")
        with open(scratch / "out.txt", "w+", encoding="utf-8") as out:
            process = subprocess.Popen(command, cwd=install.install_node_rdkafka_package(), env=dict(os.environ, KAFKA_HOST=server.address),
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
            deadline, told = time.monotonic() + LIMIT_S, None
            while told is None and time.monotonic() < deadline:
                ended = process.poll() is not None
                told = read_whole(report)
                if ended:
                    break
                time.sleep(0.1)
            code = process.poll()
            if code is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            how = f"no end within {LIMIT_S} s" if code is None else f"ended with {code} and no report"
            out.seek(0)
            # A code below zero is the signal that ended it.
            crashed = code is not None and code < 0
            return told or {"passes": [], "failures": [{"err": {"message": f"{how}: {out.read()[-300:]}"}}], "crashed": crashed}


def read_whole(report):
    try:
        return json.loads(report.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def run_once(server, file, title):
    why = ""
    for tries in range(1, LEAVES_AT_TRY + 1):
        told = report_of(server, file, title)
        why = "; ".join(failure["err"].get("message", "") for failure in told["failures"])
        passed = [test for test in told["passes"] if test["fullTitle"] == title]
        if server.process.poll() is not None:
            return Outcome(file, title, "failed", 0, f"the server ended: {server.say[-300:]}")
        if not passed and not told.get("crashed"):
            return Outcome(file, title, "failed", 0, why or "it was not run")
        if not told["failures"]:
            return Outcome(file, title, "passed", passed[0].get("duration", 0) / 1000, "" if tries == 1 else f"left at try {tries}")
    return Outcome(file, title, "failed", 0, f"in {LEAVES_AT_TRY} tries it did not leave: {why}")


def run_lane(binary, tests):
    outcomes = []
    with Scratch() as scratch, Server(binary, scratch / "log", verb="dev") as server:
        for topic in TOPICS:
            require(run_driver("node_rdkafka", server, "create", topic, 1) == [], f"{topic} is not made")
        for file, title in tests:
            outcome = run_once(server, file, title)
            outcomes.append(outcome if good(outcome) or title in KNOWN else run_once(server, file, title))
    return outcomes


def good(outcome):
    return outcome.state == "passed"


def run_all(binary, files=FILES):
    tests = [(file, title) for file in files for title in titles_of(file)]
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        lanes = list(pool.map(lambda lane: run_lane(binary, tests[lane::LANES]), range(LANES)))
    return [lanes[at % LANES][at // LANES] for at in range(len(tests))]


def main():
    binary, *wanted = sys.argv[1:]
    outcomes = run_all(binary, wanted or FILES)
    wrong = 0
    for outcome in outcomes:
        wrong += good(outcome) == (outcome.test in KNOWN)
        why = KNOWN.get(outcome.test) or outcome.why
        print(f"{outcome.state:7} {outcome.file}: {outcome.test} ({outcome.seconds:.1f} s)" + (f": {why}" if why else ""))
    print(f"{len(outcomes) - wrong} passed, {wrong} failed")
    sys.exit(1 if wrong or not outcomes else 0)


if __name__ == "__main__":
    try:
        main()
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
