#!/usr/bin/env python3
"""Goal: the first five minutes hold: three lines in, three JSON lines out; a group goes on where it stopped; a damaged
object is named and never served.

Method: the commands a user types, on a fresh directory; then one byte of the object's file flipped.

usage: first_records.py MILLRACE WRITER
"""
import json
import pathlib
import sys

from harness import Millrace, require, run_checks, typed_error


def object_files(data_dir):
    return sorted(path for path in (data_dir / "objects").rglob("*.obj"))


def flip(path, position, bit=0):
    raw = bytearray(path.read_bytes())
    raw[position] ^= 1 << bit
    path.write_bytes(raw)


def three_records(binary, scratch):
    log = Millrace(binary, scratch / "D")
    made = log.run("produce", "t", stdin=b"a\nb\nc\n")
    require(made.returncode == 0, f"produce: {made.stderr.decode()}")
    require(b"t" in made.stderr, "produce does not say that it created the topic")
    records = log.records("t", "--from", "earliest", "-n", 3)
    require([(r["offset"], r["value"], r["key"]) for r in records] == [(0, "a", None), (1, "b", None), (2, "c", None)], f"{records}")
    require(all(r["topic"] == "t" and r["partition"] == 0 and r["headers"] == [] for r in records), f"{records}")
    first = log.records("t", "--group", "g", "-n", 2)
    second = log.records("t", "--group", "g")
    require([r["value"] for r in first] == ["a", "b"], f"first sitting: {first}")
    require([r["value"] for r in second] == ["c"], f"second sitting: {second}")
    require(log.records("t", "--group", "g") == [], "a third sitting finds more")
    return 8


def damaged_object(binary, scratch):
    log = Millrace(binary, scratch / "D")
    log.ok("produce", "t", stdin=b"a\nb\nc\n")
    log.ok("segment", "upload")
    log.ok("wal", "recycle")
    explained = log.run("consume", "t", "--from", "earliest", "--explain")
    require(explained.stdout == b"a\nb\nc\n", f"{explained.stdout!r}")
    sources = json.loads(explained.stderr.splitlines()[-1])["explain"]["bytes"]
    require(sources["object_store"] > 0 and sources["wal"] == 0 and sources["tail"] == 0, f"bytes came from {sources}")
    files = object_files(log.data_dir)
    require(len(files) == 1, f"objects: {files}")
    # What the object says of itself, at its end, is for those who have lost the rest: no read looks at it.
    whole = files[0].read_bytes()
    require(whole.endswith(b"MRO2"), "the object does not end with its directory")
    size, checked = len(whole) - int.from_bytes(whole[-8:-4], "little"), 0
    for position in range(size):
        flip(files[0], position, position % 8)
        done = log.run("consume", "t", "--from", "earliest")
        if done.returncode == 0:
            require(done.stdout == b"a\nb\nc\n", f"byte {position}: served {done.stdout!r}")
        else:
            text = done.stderr.decode()
            require(done.returncode == 9, f"byte {position}: exit {done.returncode}: {text}")
            require(typed_error(done) == "kCorruption", text)
            require(files[0].name in text and "[" in text, f"byte {position}: names neither object nor range: {text}")
            require(b"a\nb\nc\n".startswith(done.stdout), f"byte {position}: served {done.stdout!r}")
        checked += done.returncode == 9
        flip(files[0], position, position % 8)
    require(checked >= size * 3 // 4, f"only {checked} of {size} flips were noticed")
    require(log.ok("consume", "t", "--from", "earliest") == b"a\nb\nc\n", "healed, and still not right")
    return checked


def reading_creates_nothing(binary, scratch):
    log = Millrace(binary, scratch / "absent")
    for arguments in (["consume", "t"], ["tail", "t"], ["topic", "ls"], ["group", "ls"], ["segment", "ls", "t"], ["status"]):
        done = log.run(*arguments)
        require(done.returncode == 3, f"{arguments}: exit {done.returncode}: {done.stderr.decode()}")
        require(not pathlib.Path(log.data_dir).exists(), f"{arguments} made the directory")
    log.ok("topic", "create", "t")
    done = log.run("consume", "other")
    require(done.returncode == 3, f"unknown topic: exit {done.returncode}")
    return 7


def main():
    binary = sys.argv[1]

    def session(scratch):
        return three_records(binary, scratch)

    def damage(scratch):
        return damaged_object(binary, scratch)

    def absence(scratch):
        return reading_creates_nothing(binary, scratch)

    run_checks("first-records", 100, [session, damage, absence])


if __name__ == "__main__":
    main()
