#!/usr/bin/env python3
"""Goal: whatever was acknowledged survives kill -9 at any moment (row 9 of the reliability page).

Method: a process is killed after a seeded time, over and over on one directory, and everything it acknowledged is read
back by another process: at its offset, with its value; offsets are dense, no value comes twice, what was not acknowledged
is a whole batch or absent. Once with `millrace produce`, once with four threads of the library that upload and recycle
meanwhile.

usage: kill_loop.py MILLRACE WRITER
"""
import json
import random
import sys

from harness import Millrace, killed, require, run_checks

PRODUCE_CYCLES, WRITER_CYCLES = 60, 60
SEED = 20261


def feed(pipe, cycle):
    """Numbered lines until the reader is gone."""
    try:
        number = 0
        while True:
            chunk = "".join(f"{cycle}:{number + i}:{'x' * ((number + i) % 90)}\n" for i in range(50))
            pipe.write(chunk.encode())
            pipe.flush()
            number += 50
    except (OSError, ValueError):  # killed, or closed behind the kill
        pass


def killed_produce(binary, data_dir, cycle, seconds):
    """Receipts of one `millrace produce` that was killed."""
    command = [binary, "produce", "t", "--data-dir", str(data_dir), "--receipts", "--batch", str(1 + cycle % 40),
               "--acks", ["os", "disk"][cycle % 2]]
    return [json.loads(line) for line in killed(command, seconds, lambda pipe: feed(pipe, cycle))]


class ProduceModel:
    """Which line lies at which offset, as far as receipts say; the rest must continue the lines in order."""

    def __init__(self):
        self.end = 0

    def check(self, cycle, receipts, records):
        expected = self.end
        for record in records:
            require(record["offset"] == expected, f"cycle {cycle}: offset {record['offset']} instead of {expected}")
            number = expected - self.end
            value = f"{cycle}:{number}:{'x' * (number % 90)}"
            require(record["value"] == value, f"cycle {cycle}, offset {expected}: {record['value']!r} instead of {value!r}")
            expected += 1
        at = self.end
        for receipt in receipts:
            require(receipt["base_offset"] == at, f"cycle {cycle}: receipt for {receipt['base_offset']}, expected {at}")
            at = receipt["last_offset"] + 1
        require(at <= expected, f"cycle {cycle}: acknowledged up to {at}, found only up to {expected}")
        self.end = expected


def produce_is_killed(binary, scratch):
    dice = random.Random(SEED)
    log = Millrace(binary, scratch / "data")
    log.ok("topic", "create", "t")
    model, acknowledged = ProduceModel(), 0
    for cycle in range(PRODUCE_CYCLES):
        receipts = killed_produce(binary, log.data_dir, cycle, dice.uniform(0.01, 0.15))
        acknowledged += sum(receipt["last_offset"] - receipt["base_offset"] + 1 for receipt in receipts)
        if cycle % 7 == 3:
            log.ok("segment", "upload")
        if cycle % 7 == 5:
            log.ok("wal", "recycle")
        model.check(cycle, receipts, log.records("t", "--from", model.end))
    everything = log.records("t", "--from", "earliest")
    require([record["offset"] for record in everything] == list(range(model.end)), "the whole log is not dense")
    require(acknowledged >= 5000, f"only {acknowledged} records were acknowledged")
    log.ok("segment", "verify")
    print(f"  {PRODUCE_CYCLES} kills of produce, {acknowledged} records acknowledged, {model.end} there")
    return PRODUCE_CYCLES


def killed_writer(writer, data_dir, cycle, seconds):
    lines = killed([writer, data_dir, "w", 3, cycle], seconds)
    return [tuple(map(int, line.split())) for line in lines]


def writer_is_killed(binary, writer, scratch):
    dice = random.Random(SEED + 1)
    log = Millrace(binary, scratch / "data")
    ends, seen, acknowledged = [0, 0, 0], set(), 0
    for cycle in range(WRITER_CYCLES):
        receipts = killed_writer(writer, log.data_dir, cycle, dice.uniform(0.02, 0.2))
        fresh = [{}, {}, {}]
        if cycle == 0 and not receipts:
            continue
        for partition in range(3):
            expected = ends[partition]
            for record in log.records("w", "-p", partition, "--from", expected):
                require(record["offset"] == expected, f"cycle {cycle}/{partition}: offset {record['offset']}, expected {expected}")
                identity = tuple(map(int, record["value"].split("/")[:3]))
                require(identity not in seen, f"cycle {cycle}/{partition}: {identity} came twice")
                require(identity[0] == cycle, f"cycle {cycle}/{partition}: {identity} appears only now")
                seen.add(identity)
                fresh[partition][expected] = identity
                expected += 1
            ends[partition] = expected
        for partition, base, thread, first, count in receipts:
            for i in range(count):
                found = fresh[partition].get(base + i)
                require(found == (cycle, thread, first + i), f"cycle {cycle}/{partition}: {base + i} holds {found}, acknowledged {(cycle, thread, first + i)}")
            acknowledged += count
    for partition in range(3):
        offsets = [record["offset"] for record in log.records("w", "-p", partition, "--from", "earliest")]
        require(offsets == list(range(ends[partition])), f"partition {partition} is not dense from 0 to {ends[partition]}")
    require(acknowledged >= 5000, f"only {acknowledged} records were acknowledged")
    log.ok("segment", "verify")
    print(f"  {WRITER_CYCLES} kills of the writer, {acknowledged} records acknowledged, {sum(ends)} there")
    return WRITER_CYCLES


def main():
    binary, writer = sys.argv[1:3]

    def kill_produce(scratch):
        return produce_is_killed(binary, scratch)

    def kill_writer(scratch):
        return writer_is_killed(binary, writer, scratch)

    run_checks("9 kill", 100, [kill_produce, kill_writer])


if __name__ == "__main__":
    main()
