#!/usr/bin/env python3
"""Goal: what a newcomer types in the first five minutes works as it is typed: a server, three records, kcat, then the
same over S3, and where the bytes came from. No configuration file.

Method: the real binary, kcat, a real S3 server (tools/s3_servers.py); only the ports differ from what is typed. Each
step is timed, and the sum printed.

usage: s3_servers.py run seaweedfs -- first_five_minutes.py MILLRACE
"""
import json
import os
import subprocess
import sys
import time

from server_process import Scratch, Server, kcat, require, run_checks

BINARY = sys.argv[1]
LINES = b"a\nb\nc\n"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
STEPS = []


class Step:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.begin = time.monotonic()

    def __exit__(self, *_):
        STEPS.append((self.name, time.monotonic() - self.begin))
        print(f"        {STEPS[-1][1]:6.3f} s  {self.name}", flush=True)


def millrace(*words, stdin=b"", **variables):
    done = subprocess.run([BINARY, *words], input=stdin, capture_output=True, timeout=120, env=dict(ENVIRONMENT, **variables), check=False)
    require(done.returncode == 0, f"{words} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done


def values(lines):
    return [(record["offset"], record["value"]) for record in map(json.loads, lines.splitlines())]


def a_server_and_three_records():
    with Scratch() as scratch:
        with Step("millrace dev"):
            server = Server(BINARY, scratch / "log", verb="dev")
        with server:
            at = {"MILLRACE_SERVER": server.address}
            with Step("printf … | millrace produce demo"):
                millrace("produce", "demo", stdin=LINES, **at)
            with Step("millrace consume demo --json -n 3"):
                got = values(millrace("consume", "demo", "--json", "-n", "3", **at).stdout)
            require(got == [(0, "a"), (1, "b"), (2, "c")], f"consume: {got}")
            with Step("kcat -t demo -C -e"):
                lines = kcat(server, "-t", "demo", "-C", "-e", "-q")
            require(lines == LINES, f"kcat: {lines}")
            require(server.stop() == 0, server.say)


def the_same_over_s3():
    store = f"s3://{os.environ['MILLRACE_S3_BUCKET']}/minutes?endpoint={os.environ['MILLRACE_S3_ENDPOINT']}"
    with Scratch() as scratch:
        log = str(scratch / "log")
        with Step("millrace serve --store s3://…"):
            server = Server(BINARY, log, "--store", store)
        with server:
            at = {"MILLRACE_SERVER": server.address}
            with Step("millrace topic create demo -c millrace.durability=object"):
                millrace("topic", "create", "demo", "-c", "millrace.durability=object", **at)
            with Step("millrace produce demo --acks object"):
                millrace("produce", "demo", "--acks", "object", stdin=LINES, **at)
            require(server.stop() == 0, server.say)
        place = ("--data-dir", log, "--store", store)
        with Step("millrace consume demo --explain"):
            done = millrace("consume", "demo", "--explain", *place)
        require(done.stdout == LINES and '"tail"' in done.stderr.decode(), f"{done}")
        millrace("wal", "recycle", *place)
        with Step("the same when the WAL is recycled"):
            done = millrace("consume", "demo", "--explain", *place)
        require(done.stdout == LINES, f"{done}")
        told = json.loads(next(line for line in done.stderr.decode().splitlines() if "explain" in line))["explain"]["bytes"]
        others = {source: count for source, count in told.items() if count and source != "object_store"}
        require(told["object_store"] > 0 and not others, f"the bytes came from {told}")


def the_sum_is_told():
    print(f"        {sum(seconds for _, seconds in STEPS):6.3f} s  in {len(STEPS)} steps", flush=True)
    require(len(STEPS) == 9, f"steps: {STEPS}")


run_checks([a_server_and_three_records, the_same_over_s3, the_sum_is_told])
