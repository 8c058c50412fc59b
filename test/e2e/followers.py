#!/usr/bin/env python3
"""Goal: a log is read on any machine from its object store alone, while its owner writes: all that was acknowledged as
`object`, in order, and nothing is written there.

Method: `millrace produce --acks object` writes without pause, other processes follow it by `--read-only --store`, with a
disk of their own each; what they print is compared with the receipts. The owner is killed and goes on; then its disk is
lost, and the log goes on elsewhere, before the eyes of one follower that stays.

With a server of S3 in the environment (tools/s3_servers.py run NAME -- …) it goes over it, else over a directory.

usage: followers.py MILLRACE WRITER DRIVER CURSORS
"""
import json
import random
import shutil
import subprocess
import sys
import threading
import time

from harness import Millrace, parse_records, require, run_checks, typed_error
from lost_disk import feed, receipts_of_a_kill, store_at

SEED = 20263
CYCLES = 6
DEADLINE_S = 90


def reading(binary, scratch, store, *words):
    return subprocess.run([binary, *words, "--read-only", "--store", store], input=b"x\n", capture_output=True, timeout=120,
                          cwd=scratch)


def read_all(binary, scratch, store, topic, *words):
    done = reading(binary, scratch, store, "consume", topic, "--from", "earliest", "--json", *words)
    require(done.returncode == 0, done.stderr.decode(errors="replace"))
    return parse_records(done.stdout)


class Follower:
    """A process that follows a topic, and what it has printed."""

    def __init__(self, binary, scratch, store, topic):
        self.records = {}
        self.process = subprocess.Popen([binary, "consume", topic, "--from", "earliest", "--follow", "--json", "--read-only",
                                         "--store", store], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=scratch)
        self.order = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            record = json.loads(line)
            self.records[record["offset"]] = record["value"]
            self.order.append(record["offset"])

    def await_all(self, wanted):
        end = time.monotonic() + DEADLINE_S
        while not wanted.items() <= self.records.items():
            require(self.process.poll() is None, "the follower ended")
            missing = [offset for offset in wanted if offset not in self.records]
            require(time.monotonic() < end, f"{len(missing)} records were not seen, the first {missing[:1]}")
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.reader.join()
        errors = self.process.stderr.read().decode(errors="replace")
        self.process.stdout.close()
        self.process.stderr.close()
        return errors


def values_of(receipts, cycle):
    values, number = {}, 0
    for receipt in receipts:
        require(receipt["durability"] == "object", f"{receipt}")
        for offset in range(receipt["base_offset"], receipt["last_offset"] + 1):
            values[offset] = f"{cycle}:{number}:{'x' * (number % 90)}"
            number += 1
    return values


def follow_an_owner(binary, scratch, cycles=CYCLES):
    dice = random.Random(SEED)
    store = store_at(scratch, "store")
    log = Millrace(binary, scratch / "data-0")
    log.ok("topic", "create", "t", "--store", store)
    nothing = reading(binary, scratch, store, "topic", "ls")
    require(nothing.returncode == 3, f"nothing was put there yet: {nothing.returncode} {nothing.stderr.decode()}")
    log.ok("produce", "t", "--acks", "object", stdin=b"first\n")
    follower = Follower(binary, scratch, store, "t")
    acknowledged = {0: "first"}
    checked = 0
    try:
        for cycle in range(cycles):
            values = values_of(receipts_of_a_kill(binary, log.data_dir, cycle, dice.uniform(0.3, 0.8)), cycle)
            require(not values.keys() & acknowledged.keys(), "an offset was given twice")
            acknowledged.update(values)
            found = {record["offset"]: record["value"] for record in read_all(binary, scratch, store, "t")}
            require(acknowledged.items() <= found.items(), f"cycle {cycle}: not all that was acknowledged is read")
            checked += len(found)
            if cycle == cycles // 2:  # the disk is lost
                shutil.rmtree(log.data_dir)
                log = Millrace(binary, scratch / "data-1")
                log.ok("store", "restore", store)
                log.ok("produce", "t", "--acks", "object", stdin=b"restored\n")
                restored = next(record["offset"] for record in log.records("t", "--from", "earliest") if record["value"] == "restored")
                acknowledged[restored] = "restored"
        follower.await_all(acknowledged)
    finally:
        errors = follower.stop()
    require(follower.order == sorted(set(follower.order)), "an offset came twice, or out of order")
    # What was not acknowledged may be shown, too: it is in the log.
    final = {record["offset"]: record["value"] for record in log.records("t", "--from", "earliest")}
    require(follower.records.items() <= final.items(), "the follower showed what the log does not have")
    require("offsets" in errors, f"the lost range was not told: {errors}")
    require(len(acknowledged) >= 50 * cycles, f"only {len(acknowledged)} records were acknowledged")
    print(f"  {len(acknowledged)} records acknowledged as object, followed through {cycles} kills and a lost disk")
    return checked + len(follower.records)


def beside_an_owner_that_holds_the_lock(binary, scratch):
    store = store_at(scratch, "store")
    log = Millrace(binary, scratch / "data")
    log.ok("produce", "t", "--store", store, "--acks", "object", stdin=b"a\nb\n")
    command = [binary, "produce", "t", "--data-dir", str(log.data_dir), "--receipts", "--acks", "object"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as owner:
        owner.stdin.write(b"c\n")
        owner.stdin.flush()
        owner.stdout.readline()
        held = log.run("consume", "t")
        require(typed_error(held) == "kUnavailable", held.stderr.decode())
        hint = held.stderr.decode()
        require("--read-only" in hint and store in hint, f"what can be read is not said: {hint}")
        require([record["value"] for record in read_all(binary, scratch, store, "t")] == ["a", "b", "c"], "beside the owner")
        tail = reading(binary, scratch, store, "tail", "t", "-n", "1", "--no-follow")
        require(tail.stdout == b"c\n", f"{tail.stdout} {tail.stderr}")
        topics = reading(binary, scratch, store, "topic", "ls", "--json")
        require(json.loads(topics.stdout)["topics"][0]["name"] == "t", topics.stdout.decode())
        for words in (["topic", "describe", "t"], ["group", "ls"], ["segment", "ls", "t"], ["segment", "verify"], ["status"]):
            done = reading(binary, scratch, store, *words)
            require(done.returncode == 0, f"{words}: {done.stderr.decode()}")
        for words in (["topic", "rm", "t"], ["produce", "t"], ["consume", "t", "--group", "g"], ["maintain"]):
            done = reading(binary, scratch, store, *words)
            require(typed_error(done) == "kPermissionDenied", f"{words}: {done.stderr.decode()}")
        owner.stdin.close()
        require(owner.wait(timeout=60) == 0, owner.stderr.read().decode())
    return 14


def main():
    binary = sys.argv[1]

    def owner(scratch):
        return follow_an_owner(binary, scratch)

    def held(scratch):
        return beside_an_owner_that_holds_the_lock(binary, scratch)

    run_checks("followers", 300, [owner, held])


if __name__ == "__main__":
    main()
