#!/usr/bin/env python3
"""Goal: over servers of S3 that others made, a log outlives its machine, leaves by its owner's will, and is refused by name
wherever it does not belong; no record that was acknowledged as `object` is ever missing, and nothing foreign is touched.

Method: the scenarios of lost_disk.py and followers.py, shorter, over the server in the environment (tools/s3_servers.py run
NAME -- …); moves that are killed while they copy; a bucket that is emptied, set back to an older copy, or another log's,
behind the program's back, with all its keys compared; a directory that is copied. Every record is compared each time. Proves B80, B81, B82, B91-B93.

usage: buckets.py MILLRACE WRITER DRIVER CURSORS
"""
import json
import os
import shutil
import subprocess
import sys
import time

from followers import beside_an_owner_that_holds_the_lock, follow_an_owner, read_all, reading
from harness import Millrace, require, run_checks, typed_error
from lost_disk import disk_is_lost, home_is_remembered, planned_moves
from s3_place import S3Place
from upgrade import a_first_log_goes_on, a_snapshot_of_version_1_is_restored

OBJECTS = 48
LOST_CYCLES, FOLLOWED_CYCLES = 2, 3


def values(records):
    return [record["value"] for record in records]


def refused(done, code, *told):
    """The run ended with this code, and its text has all of this."""
    text = done.stderr.decode(errors="replace")
    require(typed_error(done) == code, f"{code} was due: {text}")
    for words in told:
        require(words in text, f"{words!r} is not told: {text}")


def append_one_by_one(binary, log, lines):
    """Each is acknowledged as `object` before the next, so each is an object of its own."""
    command = [binary, "produce", "t", "--data-dir", str(log.data_dir), "--receipts", "--acks", "object"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for line in lines:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            receipt = process.stdout.readline()
            require(receipt and json.loads(receipt)["durability"] == "object", f"{line}: {receipt!r}")
        process.stdin.close()
        require(process.wait(timeout=60) == 0, process.stderr.read().decode())


def killed_while_it_copies(binary, log, place):
    """Whether objects were there at its death, and not all of them."""
    command = [binary, "store", "move", "--to", place.url, "--data-dir", str(log.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None and len(place.objects()) < 3:
            time.sleep(0.001)
        early = process.poll()
        process.kill()
        complaint = process.stderr.read().decode(errors="replace")
    require(early in (None, 0), f"the move ended with {early}: {complaint}")
    return early is None and 3 <= len(place.objects()) < OBJECTS


def moves_that_are_killed(binary, scratch):
    """From the directory to a bucket, and on to another prefix; each move dies while it copies, and is made again."""
    log = Millrace(binary, scratch / "data")
    wanted = [f"line {number}" for number in range(OBJECTS)]
    log.ok("topic", "create", "t")
    append_one_by_one(binary, log, wanted)
    checked, before = 0, None
    for name in ("first", "second"):
        place = S3Place(name)
        require(killed_while_it_copies(binary, log, place), "no kill came while objects were copied: the test shows nothing")
        early = [key for key in place.keys() if "/claim/" in key or "/s/" in key]
        require(not early, f"the new place says that the log is there, before all of it is: {early}")
        refused(Millrace(binary, scratch / "other").run("store", "restore", place.url), "kUnsupported", "nobody has claimed")
        log.ok("produce", "t", stdin=f"between {name}\n".encode())
        wanted.append(f"between {name}")
        require(values(log.records("t", "--from", "earliest")) == wanted, f"after the kill on the way to {place.told}")
        moved = json.loads(log.ok("store", "move", "--to", place.url, "--json"))
        require(0 < moved["copied"] < moved["objects"], f"nothing was left of the killed move: {moved}")
        require(not moved["missing"] and not moved["damaged"], f"{moved}")
        log.ok("segment", "upload")
        log.ok("wal", "recycle")
        require(values(log.records("t", "--from", "earliest")) == wanted, f"at {place.told}")
        require(values(read_all(binary, scratch, place.url, "t")) == wanted, f"a follower at {place.told}")
        audit = json.loads(log.ok("store", "audit", "--json"))
        require(audit["findings"] == [], f"{audit}")
        checked += 3 * len(wanted)
        if before:
            told = f"has moved from {before.told} to {place.told}"
            refused(reading(binary, scratch, before.url, "consume", "t"), "kFenced", told)
            refused(Millrace(binary, scratch / "other").run("store", "restore", before.url), "kFenced", told)
        before = place
    shutil.rmtree(log.data_dir)
    other = Millrace(binary, scratch / "other")
    other.ok("store", "restore", before.url)
    require(values(other.records("t", "--from", "earliest")) == wanted, "restored from where it moved to")
    return checked + len(wanted)


def places_that_are_not_the_logs(binary, scratch):
    """Each is refused by name, and not a byte of it changes; the place that is the log's is found again afterwards."""
    place, other = S3Place("store"), S3Place("other")
    log, stranger = Millrace(binary, scratch / "data"), Millrace(binary, scratch / "stranger")
    log.ok("produce", "t", "--store", place.url, "--acks", "object", stdin=b"a\nb\n")
    early = place.content()
    log.ok("produce", "t", "--acks", "object", stdin=b"c\n")
    stranger.ok("produce", "t", "--store", other.url, "--acks", "object", stdin=b"x\n")
    now, theirs = place.content(), other.content()
    require(len(now) > len(early), f"{sorted(now)}")

    def is_refused(content, *told):
        place.become(content)
        refused(log.run("produce", "t", "--acks", "object", stdin=b"refused\n"), "kInvalidArgument", place.told, *told)
        require(place.content() == content, "the wrong place was written to")
        local = [value for value in values(log.records("t", "--from", "earliest")) if value != "refused"]
        require(local == ["a", "b", "c"], f"what is local is readable: {local}")

    is_refused(early, "is an older copy")
    is_refused({}, "has lost its data")
    is_refused(theirs, "says that it holds the log")
    place.become(now)
    # By its URL: another log's place, and an older copy at a place of its own.
    older = S3Place("older")
    older.become(early)
    for elsewhere in (other, older):
        content = elsewhere.content()
        for words in (["consume", "t", "--group", "g", "--store", elsewhere.url], ["store", "adopt", elsewhere.url]):
            refused(log.run(*words), "kInvalidArgument", place.url, elsewhere.url)
        require(elsewhere.content() == content, "another place was written to")
    require(values(log.records("t", "--group", "g"))[:3] == ["a", "b", "c"], "the group had lost its place")
    # What refused places kept from being uploaded goes to the right one.
    log.ok("produce", "t", "--acks", "object", stdin=b"d\n")
    found = [value for value in values(read_all(binary, scratch, place.url, "t")) if value != "refused"]
    require(found == ["a", "b", "c", "d"], f"{found}")
    # The same place under another address.
    moved = place.url.replace("127.0.0.1", "localhost")
    log.ok("store", "adopt", moved)
    log.ok("produce", "t", "--acks", "object", stdin=b"e\n")
    require(json.loads(log.ok("status", "--json"))["object_store"] == moved, "the new address is not remembered")
    found = [value for value in values(log.records("t", "--from", "earliest")) if value != "refused"]
    require(found == ["a", "b", "c", "d", "e"], f"{found}")
    require(other.content() == theirs, "the other log's place was written to")
    return 24


def a_copy_beside_its_original(binary, scratch):
    place = S3Place("store")
    log, copy = Millrace(binary, scratch / "data"), Millrace(binary, scratch / "copy")
    log.ok("produce", "t", "--store", place.url, "--acks", "object", stdin=b"a\nb\n")
    shutil.copytree(log.data_dir, copy.data_dir)
    before = place.content()
    refused(copy.run("produce", "t", "--acks", "object", stdin=b"x\n"), "kFenced", "is a copy", "store takeover")
    require(values(copy.records("t", "--from", "earliest")) == ["a", "b"], "a copy reads")
    require(place.content() == before, "a copy wrote")
    log.ok("produce", "t", "--acks", "object", stdin=b"c\n")
    # The log has gone on: whatever the copy is called, it does not.
    before = place.content()
    refused(copy.run("store", "adopt", "--this-is-the-original"), "kFenced")
    copy.ok("store", "takeover")
    refused(copy.run("produce", "t", "--acks", "object", stdin=b"y\n"), "kFenced", "store restore")
    require(place.content() == before, "a directory that was left behind wrote")
    require(values(log.records("t", "--from", "earliest")) == ["a", "b", "c"], "the original goes on undisturbed")
    # The original is gone, and a fresh copy takes over.
    shutil.rmtree(copy.data_dir)
    shutil.copytree(log.data_dir, copy.data_dir)
    shutil.move(log.data_dir, scratch / "late")
    copy.ok("store", "takeover")
    copy.ok("produce", "t", "--acks", "object", stdin=b"d\n")
    late = Millrace(binary, scratch / "late")
    refused(late.run("produce", "t", "--acks", "object", stdin=b"z\n"), "kFenced")
    require([value for value in values(late.records("t", "--from", "earliest")) if value != "z"] == ["a", "b", "c"], "it reads on")
    # Put back file by file, the directory looks like a copy and is none.
    back = Millrace(binary, scratch / "back")
    shutil.copytree(copy.data_dir, back.data_dir)
    shutil.rmtree(copy.data_dir)
    refused(back.run("produce", "t", "--acks", "object", stdin=b"e\n"), "kFenced", "is a copy")
    back.ok("store", "adopt", "--this-is-the-original")
    back.ok("produce", "t", "--acks", "object", stdin=b"e\n")
    require(values(back.records("t", "--from", "earliest")) == ["a", "b", "c", "d", "e"], "what was put back goes on")
    require(values(read_all(binary, scratch, place.url, "t")) == ["a", "b", "c", "d", "e"], "the bucket has all of it")
    return 20


def main():
    binary = sys.argv[1]
    require("MILLRACE_S3_ENDPOINT" in os.environ, "run it by tools/s3_servers.py, which starts a server")

    def named(name, check, *more):
        def run(scratch):
            return check(binary, scratch, *more)

        run.__name__ = name
        return run

    run_checks("buckets", 500, [
        named("lost_disks", disk_is_lost, LOST_CYCLES), named("home_is_remembered", home_is_remembered),
        named("planned_moves", planned_moves), named("a_follower", follow_an_owner, FOLLOWED_CYCLES),
        named("beside_the_owner", beside_an_owner_that_holds_the_lock), named("moves_that_are_killed", moves_that_are_killed),
        named("places_that_are_not_the_logs", places_that_are_not_the_logs),
        named("a_copy_beside_its_original", a_copy_beside_its_original),
        named("a_first_log_goes_on", a_first_log_goes_on),
        named("a_snapshot_of_version_1_is_restored", a_snapshot_of_version_1_is_restored)])


if __name__ == "__main__":
    main()
