#!/usr/bin/env python3
"""Runs librdkafka's own tests of its core against `millrace dev`, each in a process of its own, and writes what came of them.

usage: librdkafka_suite.py MILLRACE PAGE COMMIT   (PAGE is written: docs/compatibility.md)

A test fails as soon as it asks for what is not served yet; of one that failed the page says what its source asks for.
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

BINARY, PAGE, COMMIT = sys.argv[1:4]
VERSION = "librdkafka 2.15.1"
LIMIT_S = 90
CORE = ("0001 0002 0003 0005 0007 0008 0012 0013 0014 0015 0016 0017 0020 0021 0022 0026 0029 0031 0034 0035 0036 0038 0039 0040 0041 0042 0048 "
        "0053 0054 0055 0057 0059 0060 0061 0063 0064 0065 0067 0070 0073 0082 0083 0085 0086 0092 0110 0112 0114 0123 0125 0127 0137").split()
# What the tests that use a consumer group, or an idempotent producer, have in their sources.
NEEDS = {"a consumer group": r"test_create_consumer|test_consume_msgs_easy|rd_kafka_subscribe|KafkaConsumer::create|group\.id", "an idempotent producer": r"enable\.idempotence"}

Outcome = collections.namedtuple("Outcome", "test name state seconds why")


def source_of(tests, number):
    """The file of a test, and what it needs."""
    (name,) = [file for file in os.listdir(tests) if file.startswith(number) and re.search(r"\.(c|cpp)$", file)][:1]
    with open(os.path.join(tests, name), errors="replace") as file:
        text = file.read()
    return name.rsplit(".", 1)[0], [need for need, pattern in NEEDS.items() if re.search(pattern, text)]


def run(tests, number, address):
    name, needs = source_of(tests, number)
    with Scratch() as scratch:
        settings = scratch / "test.conf"
        settings.write_text(f"bootstrap.servers={address}\n")
        report = scratch / "report.json"
        environment = dict(os.environ, RDKAFKA_TEST_CONF=str(settings), TESTS=number, TEST_KAFKA_VERSION="4.0.0", TEST_REPORT=str(report),
                           LD_LIBRARY_PATH=f"{tests}/../src:{tests}/../src-cpp")
        began = time.monotonic()
        process = subprocess.Popen(["./test-runner", "-Q", "-p1"], cwd=tests, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
        ran = {test["state"] for test in tests_of(report) if test["name"].startswith(number)} if code == 0 else set()
        skipped = code == 0 and "PASSED" not in ran
    state = "skipped itself" if skipped else "passed" if code == 0 else "failed" if code is not None else f"no end within {LIMIT_S} s"
    return Outcome(number, name, state, time.monotonic() - began, "" if code == 0 else "its source asks for " + " and ".join(needs) if needs else "not looked into")


def tests_of(report):
    with open(report) as file:
        return json.load(file)["tests"].values()


def page_of(outcomes):
    passed = sum(outcome.state == "passed" for outcome in outcomes)
    lines = ["# Suites that others wrote", "",
             f"Written by `./dev suites` on commit {COMMIT}. What is not listed was not run.", "",
             f"## {VERSION}, tests of its core", "",
             f"{passed} of {len(outcomes)} pass. Each ran in a process of its own (`-Q -p1`), against one `millrace dev` with four partitions a topic.", "",
             "| test | outcome | seconds | remark |", "|---|---|---|---|"]
    lines += [f"| {outcome.name} | {outcome.state} | {outcome.seconds:.0f} | {outcome.why} |" for outcome in outcomes]
    return "\n".join(lines) + "\n"


def main():
    tests = install.install_librdkafka_suite()
    with Scratch() as scratch, Server(BINARY, scratch / "log", "--set", "topic_defaults.partitions=4", verb="dev") as server:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda number: run(tests, number, server.address), CORE))
        if server.process.poll() is not None:
            sys.exit(f"the server ended: {server.say}")
    with open(PAGE, "w") as page:
        page.write(page_of(outcomes))
    for outcome in outcomes:
        print(f"{outcome.state:18} {outcome.name} ({outcome.seconds:.0f} s)")
    print(f"{sum(o.state == 'passed' for o in outcomes)} of {len(outcomes)} pass; {PAGE} has them")


if __name__ == "__main__":
    try:
        main()
    except install.Missing as missing:
        sys.exit(f"librdkafka_suite.py: {missing}")
