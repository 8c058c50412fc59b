#!/usr/bin/env python3
"""Runs the suites that others wrote, and our scenarios for each foreign client, against this tree's server, and writes what came of them.

usage: compatibility.py MILLRACE PAGE COMMIT   (PAGE is written: docs/compatibility.md)
"""
import concurrent.futures
import os
import re
import subprocess
import sys

import install
import librdkafka_suite
import node_rdkafka_suite

HERE = os.path.dirname(os.path.abspath(__file__))
VERSIONS = {
    "librdkafka": "librdkafka of the system (2.0.2 on Debian 12)", "confluent_kafka": "confluent-kafka 2.16.1 (librdkafka 2.16.0)",
    "kafka_python": "kafka-python 3.0.12", "kafka_python_2": "kafka-python 2.0.2", "aiokafka": "aiokafka 0.14.0", "kafkajs": "kafkajs 2.2.4",
    "platformatic": "@platformatic/kafka 1.35.0", "node_rdkafka": "node-rdkafka 3.6.1 (librdkafka 2.12.0)",
    "kafka_clients": "Java kafka-clients 4.3.1", "franz_go": "franz-go 1.22.2", "sarama": "sarama 1.61.1",
}
IN_GROUPS = [client for client in VERSIONS if client != "librdkafka"]
MIXED = [["confluent_kafka", "kafka_clients", "kafka_python"], ["aiokafka", "sarama", "franz_go"], ["platformatic", "kafkajs", "kafka_python_2"]]
SCRIPTS = [("Each client", "scenarios.py", [[client] for client in VERSIONS]),
           ("Groups of one client", "group_scenarios.py", [[client] for client in IN_GROUPS]),
           ("A group of several clients", "group_scenarios.py", MIXED),
           ("Idempotent producers, replies dropped and the server killed", "idempotent_scenarios.py",
            [[client] for client in IN_GROUPS if client != "kafka_python_2"]),
           ("An idempotent producer and a group over 60 kills of the server", "under_fire.py", [["60", "kafka_clients", "confluent_kafka", "kafka_clients", "franz_go"]]),
           ("Each reads what every other wrote", "cross.py", [list(VERSIONS)]),
           ("The same requests to Apache Kafka", "oracle.py", [[]])]
LIMIT_S, BESIDE = 900, 3


def run_script(binary, script, arguments):
    """NAME, OUTCOME, CAUSE of each check."""
    try:
        done = subprocess.run([sys.executable, os.path.join(HERE, script), binary, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return [("the script", f"no end within {LIMIT_S} s", "")]
    rows = []
    for line in done.stdout.splitlines():
        if found := re.match(r"ok +(\S+)", line):
            rows.append((found.group(1), "passed", ""))
        elif found := re.match(r"FAILED +(\w+): (.*)", line):
            rows.append((found.group(1), "failed", found.group(2)))
        elif line.startswith("FAILED"):
            rows.append(("the script", "not run", line.split(None, 1)[1]))
    return rows or [("the script", "failed", (done.stdout + done.stderr)[-300:])]


def cell(text):
    return re.sub(r"\s+", " ", text).replace("|", "\\|")[:300]


def table(titles, rows):
    return ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles), *("| " + " | ".join(map(cell, row)) + " |" for row in rows), ""]


def of_librdkafka(binary):
    lines = []
    for stage, numbers in librdkafka_suite.STAGES.items():
        outcomes = librdkafka_suite.run_all(binary, numbers)
        passed = sum(outcome.state == "passed" for outcome in outcomes)
        skipped = sum(outcome.state == "skipped itself" for outcome in outcomes)
        lines += [f"## {librdkafka_suite.VERSION}, tests of its {stage}", "",
                  f"{passed} of {len(outcomes)} pass, {skipped} skip themselves. Each ran in a process of its own (`-Q -p1`), against a `millrace dev` of its own with",
                  "four partitions a topic.", ""]
        lines += table(["test", "outcome", "seconds", "cause"], [(o.name, o.state, f"{o.seconds:.0f}", librdkafka_suite.KNOWN.get(o.test, o.why)) for o in outcomes])
    lines += ["Not run:", ""]
    return lines + table(["tests", "they are of"], librdkafka_suite.NOT_RUN.items())


def of_node_rdkafka(binary):
    outcomes = node_rdkafka_suite.run_all(binary)
    lines = [f"## {node_rdkafka_suite.VERSION}, its own tests against a broker", "",
             f"{sum(map(node_rdkafka_suite.good, outcomes))} of {len(outcomes)} pass. Each ran in a process of its own, against `millrace dev`.", ""]
    lines += table(["file", "test", "outcome", "cause"], [(o.file, o.test, o.state, node_rdkafka_suite.KNOWN.get(o.test, o.why)) for o in outcomes])
    lines += ["Not run:", ""]
    return lines + table(["file", "why"], node_rdkafka_suite.NOT_RUN.items())


def of_clients(binary):
    lines = []
    with concurrent.futures.ThreadPoolExecutor(BESIDE) as pool:
        running = [(title, script, [(arguments, pool.submit(run_script, binary, script, arguments)) for arguments in runs]) for title, script, runs in SCRIPTS]
        for title, script, runs in running:
            lines += [f"## {title} (`test/clients/{script}`)", ""]
            rows = []
            for arguments, outcome in runs:
                who = ", ".join(VERSIONS[client] for client in arguments) if len(arguments) < 4 else "all of them"
                rows += [(who or "requests by hand", name.replace("_", " "), state, cause) for name, state, cause in outcome.result()]
            lines += table(["clients", "check", "outcome", "cause"], rows)
    return lines


def main():
    binary, page, commit = sys.argv[1:4]
    lines = ["# Suites that others wrote, and clients that others wrote", "",
             f"Written by `./dev suites` on commit {commit}. What is not listed was not run.", ""]
    lines += of_librdkafka(binary) + of_node_rdkafka(binary) + of_clients(binary)
    with open(page, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).rstrip() + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    try:
        main()
    except install.Missing as missing:
        sys.exit(f"compatibility.py: {missing}")
