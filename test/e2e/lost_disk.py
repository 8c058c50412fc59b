#!/usr/bin/env python3
"""Goal: what was acknowledged as `object` survives the machine: the data directory is gone, the object store gives the log
back, every record at its offset, and no offset is given twice.

Method: `millrace produce --acks object` is killed after a seeded time, its directory is removed, the log is restored
elsewhere from the store alone; what receipts named is compared, and so on with the restored one, over and over on one
store. Also: a copied directory, a store of another log, a store that was emptied; moves and a release that were planned.

With a server of S3 in the environment (tools/s3_servers.py run NAME -- …) all but those of directories go over it.

usage: lost_disk.py MILLRACE WRITER DRIVER CURSORS
"""
import json
import os
import random
import shutil
import subprocess
import sys
import time
import uuid

from harness import Failure, Millrace, killed, require, run_checks, typed_error

CYCLES = 20
SEED = 20262
AHEAD = 1 << 32


def store_at(scratch, name):
    """A place of its own, as a URL."""
    endpoint = os.environ.get("MILLRACE_S3_ENDPOINT")
    if endpoint:
        return f"s3://{os.environ['MILLRACE_S3_BUCKET']}/{uuid.uuid4().hex}/{name}?endpoint={endpoint}"
    return f"file://{scratch / name}"


def feed(pipe, cycle):
    try:
        number = 0
        while True:
            chunk = "".join(f"{cycle}:{number + i}:{'x' * ((number + i) % 90)}\n" for i in range(20))
            pipe.write(chunk.encode())
            pipe.flush()
            number += 20
            time.sleep(0.002)  # every record is compared after every cycle
    except (OSError, ValueError):
        pass


def receipts_of_a_kill(binary, data_dir, cycle, seconds):
    command = [binary, "produce", "t", "--data-dir", str(data_dir), "--receipts", "--batch", str(1 + cycle % 7), "--acks", "object"]
    # Before the first receipt there may be no log in the store yet.
    return [json.loads(line) for line in killed(command, seconds, lambda pipe: feed(pipe, cycle), from_first_line=True)]


def disk_is_lost(binary, scratch, cycles=CYCLES):
    dice = random.Random(SEED)
    store = store_at(scratch, "store")
    log = Millrace(binary, scratch / "data-0")
    log.ok("topic", "create", "t", "--store", store)
    acknowledged, checked, restored = {}, 0, None
    for cycle in range(cycles):
        receipts = receipts_of_a_kill(binary, log.data_dir, cycle, dice.uniform(0.2, 0.6))
        number = 0
        for receipt in receipts:
            require(receipt["durability"] == "object", f"cycle {cycle}: {receipt}")
            for offset in range(receipt["base_offset"], receipt["last_offset"] + 1):
                require(offset not in acknowledged, f"cycle {cycle}: offset {offset} was given twice")
                acknowledged[offset] = f"{cycle}:{number}:{'x' * (number % 90)}"
                number += 1
        if cycle % 5 == 3:
            log.ok("maintain")
        shutil.rmtree(log.data_dir)
        log = Millrace(binary, scratch / f"data-{cycle + 1}")
        dry = json.loads(log.ok("store", "restore", store, "--dry-run", "--json"))
        restored = json.loads(log.ok("store", "restore", store, "--json"))
        require(dry["records"] == restored["records"], f"{dry} {restored}")
        require(not restored["unusable"], f"cycle {cycle}: {restored['unusable']}")
        # Of two objects under way at the kill the later may have arrived alone: then what is between is told, and no
        # receipt named either.
        for hole in (one for one in restored["lost"] if not one["reserved"]):
            named = [offset for offset in range(hole["begin"], hole["end"]) if offset in acknowledged]
            require(not named, f"cycle {cycle}: {hole} had {named}")
        found = {record["offset"]: record["value"] for record in log.records("t", "--from", "earliest")}
        for offset, value in acknowledged.items():
            require(found.get(offset) == value, f"cycle {cycle}, offset {offset}: {found.get(offset)!r} instead of {value!r}")
        require(all(offset % AHEAD < AHEAD // 2 for offset in found), "an offset that nobody gave")
        checked += len(acknowledged)
    require(len(acknowledged) >= 50 * cycles, f"only {len(acknowledged)} records were acknowledged")
    log.ok("segment", "verify")
    print(f"  {cycles} disks lost, {len(acknowledged)} records acknowledged as object, all there")
    return checked


def home_is_remembered(binary, scratch):
    store, elsewhere = store_at(scratch, "store"), store_at(scratch, "elsewhere")
    log = Millrace(binary, scratch / "data")
    log.ok("produce", "t", "--store", store, "--acks", "object", stdin=b"a\nb\n")
    log.ok("produce", "t", "--acks", "object", stdin=b"c\n")
    require(not (scratch / "data" / "objects").exists(), "a place inside the directory was written to")
    status = json.loads(log.ok("status", "--json"))
    require(status["object_store"] == store, f"{status['object_store']}")
    wrong = log.run("consume", "t", "--store", elsewhere)
    require(typed_error(wrong) == "kInvalidArgument", wrong.stderr.decode())
    require(store in wrong.stderr.decode() and "elsewhere" in wrong.stderr.decode(), wrong.stderr.decode())
    group = log.records("t", "--group", "g")
    require([record["value"] for record in group] == ["a", "b", "c"], f"{group}")
    another = Millrace(binary, scratch / "another")
    taken = another.run("produce", "t", "--store", store, stdin=b"x\n")
    require(typed_error(taken) == "kAlreadyExists", taken.stderr.decode())
    require("store restore" in taken.stderr.decode(), taken.stderr.decode())
    if store.startswith("s3:"):
        return 7
    # The same place under a new address.
    shutil.move(scratch / "store", scratch / "moved")
    log.ok("produce", "t", "--store", f"file://{scratch / 'moved'}", "--acks", "object", stdin=b"d\n")
    require(log.ok("consume", "t", "--from", "earliest") == b"a\nb\nc\nd\n", "after the move")
    return 8


def copies_and_emptied_stores(binary, scratch):
    store = f"file://{scratch / 'store'}"
    log = Millrace(binary, scratch / "data")
    log.ok("produce", "t", "--store", store, "--acks", "object", stdin=b"a\nb\n")
    shutil.copytree(log.data_dir, scratch / "copy")
    copy = Millrace(binary, scratch / "copy")
    refused = copy.run("produce", "t", stdin=b"x\n")
    require(typed_error(refused) == "kFenced", refused.stderr.decode())
    require(copy.ok("consume", "t", "--from", "earliest") == b"a\nb\n", "a copy reads")
    log.ok("produce", "t", "--acks", "object", stdin=b"c\n")
    # The original is gone: the copy goes on, unless the log went on without it.
    copy.ok("store", "takeover")
    behind = copy.run("produce", "t", "--acks", "object", stdin=b"y\n")
    require(typed_error(behind) == "kFenced", behind.stderr.decode())
    require(log.ok("consume", "t", "--from", "earliest") == b"a\nb\nc\n", "the original")
    info = json.loads(log_info(binary, store))
    require(info["generation"] >= 2 and info["identity"], f"{info}")
    shutil.rmtree(scratch / "store")
    emptied = log.run("produce", "t", "--acks", "object", stdin=b"z\n")
    require(typed_error(emptied) == "kInvalidArgument", emptied.stderr.decode())
    require(not list((scratch / "store").rglob("log")), "a new log was made over what was lost")
    return 7


def planned_moves(binary, scratch):
    """Out of the directory to a store, on to another prefix, and from there to another directory, without a gap."""
    log = Millrace(binary, scratch / "data")
    wanted = []

    def more(count):
        lines = [f"{len(wanted) + i}" for i in range(count)]
        log.ok("produce", "t", stdin="".join(line + "\n" for line in lines).encode())
        wanted.extend(lines)

    more(500)
    log.ok("segment", "upload")
    stores = [store_at(scratch, name) for name in ("first", "second")]
    for store in stores:
        more(20)  # the last ones are in the write-ahead log alone
        moved = json.loads(log.ok("store", "move", "--to", store, "--json"))
        require(moved["copied"] == moved["objects"] and not moved["missing"] and not moved["damaged"], f"{moved}")
        log.ok("segment", "upload")
        log.ok("wal", "recycle")
        found = [record["value"] for record in log.records("t", "--from", "earliest")]
        require(found == wanted, f"after the move to {store}: {len(found)} of {len(wanted)}")
        audit = json.loads(log.ok("store", "audit", "--json"))
        require(audit["findings"] == [], f"{audit}")
    other = Millrace(binary, scratch / "other")
    gone = other.run("store", "restore", stores[0])
    require(typed_error(gone) == "kFenced", gone.stderr.decode())
    more(20)
    log.ok("store", "release")
    late = log.run("produce", "t", stdin=b"x\n")
    require(typed_error(late) == "kFenced", late.stderr.decode())
    restored = json.loads(other.ok("store", "restore", stores[1], "--json"))
    require(restored["lost"] == [], f"{restored['lost']}")
    log = other
    more(20)
    found = {record["offset"]: record["value"] for record in log.records("t", "--from", "earliest")}
    require(found == dict(enumerate(wanted)), "after the release")
    usage = json.loads(log.ok("store", "usage", stores[1], "--json"))
    require(usage["topics"][0]["records"] == 560, f"{usage['topics']}")
    return len(wanted)


def log_info(binary, store):
    done = subprocess.run([binary, "store", "info", store, "--json"], capture_output=True, timeout=60)
    require(done.returncode == 0, done.stderr.decode())
    return done.stdout


def main():
    binary = sys.argv[1]

    def lost(scratch):
        return disk_is_lost(binary, scratch)

    def home(scratch):
        return home_is_remembered(binary, scratch)

    def copies(scratch):
        return copies_and_emptied_stores(binary, scratch)

    def moves(scratch):
        return planned_moves(binary, scratch)

    run_checks("24 disk lost", 1000, [lost, home, copies, moves])


if __name__ == "__main__":
    main()
