#!/usr/bin/env python3
"""Goal: librdkafka's own tests of its core and of groups pass against `millrace dev`, but for those that KNOWN names with their cause.

Method: the tests as their makers wrote them, each in a process of its own (`-Q -p1`), a few beside each other. One that fails runs once more, alone.
A test that KNOWN names and that passes fails the suite: its row is out of date.

usage: librdkafka_suite.py MILLRACE [TEST...]
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
from driver import Scratch, Server

VERSION = "librdkafka 2.15.1"
LIMIT_S, BESIDE = 120, 6  # most of the time of a test is waiting
STAGES = {
    "core": ("0001 0002 0003 0005 0007 0008 0012 0013 0014 0015 0016 0017 0020 0021 0022 0026 0029 0031 0034 0035 0036 0038 0039 0040 0041 0042 0048 0053 "
             "0054 0055 0057 0059 0060 0061 0063 0064 0065 0067 0070 0073 0082 0083 0085 0086 0092 0110 0112 0114 0123 0125 0127 0137").split(),
    "groups": "0018 0019 0030 0033 0044 0045 0050 0051 0056 0069 0084 0089 0091 0093 0099 0102 0113 0118 0122 0130 0132 0140".split(),
}
SLOW = "0091 0033 0113 0093 0114 0034 0123 0084 0051 0015 0125".split()  # they begin first, so that none of them is waited for alone in the end
# Tests that do not pass, and why.
KNOWN = {}
NOT_QUICK = ("0082",)  # which do nothing in quick mode
NOT_RUN = {
    "0011 0077 0081 0090 0098 0103 0107 0111 0129": "administration, compaction and transactions, which are not served yet",
    "0049 0068 0075 0076 0088 0094": "faults of the network, made by a library that stands before the system's sockets",
    "0097 0115 0119 0126 0135 0142": "encryption, authentication and access control, which are not there yet",
    "0101": "racks", "0109": "scripts of Kafka's own", "0052 0139 0150": "brokers that the test itself plays",
    "0028 0047": "fail against Apache Kafka as well", "0170 to 0185": "share groups",
}

Outcome = collections.namedtuple("Outcome", "test name state seconds why")


def name_of(tests, number):
    (name,) = [file for file in os.listdir(tests) if file.startswith(number) and re.search(r"\.(c|cpp)$", file)][:1]
    return name.rsplit(".", 1)[0]


def states_of(report, number):
    with open(report, encoding="utf-8") as file:
        return {test["state"] for test in json.load(file)["tests"].values() if test["name"].startswith(number)}


def last_words(log):
    """The line by which a test says why it failed, or left itself out."""
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in log.read_text(errors="replace").splitlines()]
    left_out = [line.rsplit("|", 1)[1].strip() for line in lines if re.search(r"\| +SKIPPED \|", line)]
    # Behind the line that names the place stands what was wrong.
    failed = [f"{line} {after}" for line, after in zip(lines, lines[1:]) if line.startswith("### Test")]
    return (left_out or failed or lines[-1:] or [""])[0][:300]


def run(binary, tests, number):
    with Scratch() as scratch, Server(binary, scratch / "log", "--set", "topic_defaults.partitions=4", verb="dev") as server:
        settings, report, log = scratch / "test.conf", scratch / "report.json", scratch / "log.txt"
        settings.write_text(f"bootstrap.servers={server.address}\n")
        environment = dict(os.environ, RDKAFKA_TEST_CONF=str(settings), TESTS=number, TEST_KAFKA_VERSION="4.0.0", TEST_REPORT=str(report),
                           LD_LIBRARY_PATH=f"{tests}/../src:{tests}/../src-cpp")
        began = time.monotonic()
        with open(log, "w", encoding="utf-8") as out:
            quick = [] if number in NOT_QUICK else ["-Q"]
            process = subprocess.Popen(["./test-runner", *quick, "-p1"], cwd=tests, env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                code = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                code = None
        seconds = time.monotonic() - began
        ended = server.process.poll() is not None
        skipped = code == 0 and "PASSED" not in states_of(report, number)
        why = f"the server ended: {server.say[-300:]}" if ended else last_words(log) if skipped or code != 0 else ""
    state = "failed" if ended else "skipped itself" if skipped else "passed" if code == 0 else "failed" if code is not None else f"no end within {LIMIT_S} s"
    return Outcome(number, name_of(tests, number), state, seconds, why)


def run_all(binary, numbers):
    tests = install.install_librdkafka_suite()
    with concurrent.futures.ThreadPoolExecutor(BESIDE) as pool:
        first = sorted(numbers, key=lambda number: SLOW.index(number) if number in SLOW else len(SLOW))
        running = {number: pool.submit(run, binary, tests, number) for number in first}
        outcomes = [running[number].result() for number in numbers]
    return [outcome if good(outcome) or outcome.test in KNOWN else run(binary, tests, outcome.test) for outcome in outcomes]


def good(outcome):
    return outcome.state in ("passed", "skipped itself")


def main():
    binary, *wanted = sys.argv[1:]
    outcomes = run_all(binary, wanted or sum(STAGES.values(), []))
    wrong = 0
    for outcome in outcomes:
        expected = outcome.test not in KNOWN
        wrong += good(outcome) != expected
        why = KNOWN.get(outcome.test) or outcome.why
        note = f": {why}" if why else ""
        print(f"{outcome.state:18} {outcome.name} ({outcome.seconds:.0f} s){note}")
    print(f"{len(outcomes) - wrong} passed, {wrong} failed")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    try:
        main()
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
