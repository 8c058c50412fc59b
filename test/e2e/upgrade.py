#!/usr/bin/env python3
"""Goal: what earlier releases wrote is opened, goes on, and survives its disk as soon as the store has a snapshot that knows
it; and they refuse what this one wrote, by name, since its numbers are above those that they know.

Method: logs made from golden files (earlier_release.py). With a server of S3 in the environment they lie there, else in a
directory. Proves B85.

usage: upgrade.py MILLRACE WRITER DRIVER CURSORS
"""
import json
import os
import shutil
import struct
import sys

import earlier_release
from followers import read_all, reading
from harness import Millrace, require, run_checks, typed_error
from s3_place import S3Place

VERSION_AT = 60  # of SQLite's header: PRAGMA user_version, big-endian


class Folder:
    """A store in a directory, as S3Place is one in a bucket."""

    def __init__(self, path):
        self.path, self.url = path, f"file://{path}"

    def become(self, content):
        earlier_release.put_in_folder(content, self.path)

    def keys(self):
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file())


def place_at(scratch):
    return S3Place("earlier") if "MILLRACE_S3_ENDPOINT" in os.environ else Folder(scratch / "store")


def by_offset(records):
    return {record["offset"]: record.get("value") for record in records}


def refused(done, code, *told):
    text = done.stderr.decode(errors="replace")
    require(typed_error(done) == code, f"{code} was due: {text}")
    for words in told:
        require(words in text, f"{words!r} is not told: {text}")


def version_of(database):
    return struct.unpack(">I", database.read_bytes()[VERSION_AT:VERSION_AT + 4])[0]


def a_first_log_goes_on(binary, scratch):
    """Objects that tell nothing of themselves, and a store with `identity` in place of `log` and claims."""
    place, log = place_at(scratch), Millrace(binary, scratch / "data")
    place.become(earlier_release.first_log(log.data_dir))
    wanted = {**earlier_release.SEGMENT_VALUES, **earlier_release.BATCH_VALUES}
    database = log.data_dir / "metadata.db"
    require(version_of(database) == earlier_release.METADATA_VERSION, "the golden file is of that release")
    # Nobody has claimed it: there is nothing to restore from, or to follow by.
    refused(Millrace(binary, scratch / "other").run("store", "restore", place.url), "kUnsupported", "an earlier release")
    refused(reading(binary, scratch, place.url, "consume", "orders"), "kUnsupported", "an earlier release")
    # It remembered no home. Once told it does.
    refused(log.run("consume", "orders"), "kInvalidArgument", "--store URL")
    log.ok("topic", "ls", "--store", place.url)
    require(by_offset(log.records("orders", "--from", "earliest")) == wanted, "all that it had is read")
    require(list(by_offset(log.records("orders", "--group", "g"))) == [8, 9, 10, 11], "the group is where it was")
    log.ok("produce", "orders", "--acks", "object", stdin=b"after\n")
    wanted[12] = "after"
    require(by_offset(log.records("orders", "--from", "earliest")) == wanted, "it goes on")
    keys = place.keys()
    require({"log", "identity"} & set(keys) and any("/claim/00000001" in key for key in keys), f"{keys}")
    require(earlier_release.OBJECT_KEY in keys, f"{keys}")
    # Deletions follow a snapshot.
    log.ok("produce", "gone", "--acks", "object", stdin=b"x\n")
    log.ok("topic", "rm", "gone")
    log.ok("store", "gc", "--set", "upload.delete_grace=0ms")
    require(any("/s/" in key for key in place.keys()), f"no snapshot was put: {place.keys()}")
    require(version_of(database) > earlier_release.METADATA_VERSION, "that release would open what it does not understand")
    log.ok("segment", "verify")
    shutil.rmtree(log.data_dir)
    again = Millrace(binary, scratch / "again")
    restored = json.loads(again.ok("store", "restore", place.url, "--json"))
    require(not restored["unusable"] and all(one["reserved"] for one in restored["lost"]), f"{restored}")
    require(by_offset(again.records("orders", "--from", "earliest")) == wanted, "after the loss of its disk")
    require(by_offset(read_all(binary, scratch, place.url, "orders")) == wanted, "a follower")
    require(list(by_offset(again.records("orders", "--group", "g"))) == [12], "the group is where it was")
    return 12 + 5 * len(wanted)


def a_snapshot_of_version_1_is_restored(binary, scratch):
    place, log = place_at(scratch), Millrace(binary, scratch / "data")
    place.become(earlier_release.snapshot_of_version_1())
    wanted = dict(earlier_release.SEGMENT_VALUES)
    require(by_offset(read_all(binary, scratch, place.url, "orders")) == wanted, "a follower")
    restored = json.loads(log.ok("store", "restore", place.url, "--json"))
    require(restored["records"] == len(wanted) and not restored["unusable"], f"{restored}")
    require(by_offset(log.records("orders", "--from", "earliest")) == wanted, "all of it")
    require(list(by_offset(log.records("orders", "--group", "g", "--partition", "1"))) == [9], "the group is where it was")
    log.ok("produce", "orders", "--partition", "1", "--acks", "object", stdin=b"after\n")
    # Its own snapshot has rows of this version: the next loss is as good.
    shutil.rmtree(log.data_dir)
    again = Millrace(binary, scratch / "again")
    again.ok("store", "restore", place.url)
    found = by_offset(again.records("orders", "--from", "earliest", "--partition", "1"))
    require(list(found.values()) == [*wanted.values(), "after"] and list(found)[:3] == list(wanted), f"{found}")
    require(list(found)[3] >= 1 << 32, f"an offset was given twice: {found}")
    return 6 + 4 * len(wanted)


def a_newer_directory_is_refused_by_name(binary, scratch):
    """As the releases before refuse this one's: the check is theirs, unchanged."""
    log = Millrace(binary, scratch / "data")
    log.ok("produce", "t", stdin=b"a\n")
    database = log.data_dir / "metadata.db"
    newer = version_of(database) + 1
    data = bytearray(database.read_bytes())
    data[VERSION_AT:VERSION_AT + 4] = struct.pack(">I", newer)
    database.write_bytes(data)
    earlier_release.seal_pages(database)
    before = database.read_bytes()
    refused(log.run("consume", "t"), "kUnsupported", f"version {newer}")
    require(database.read_bytes() == before, "what was refused was changed")
    return 3


def main():
    binary = sys.argv[1]

    def first(scratch):
        return a_first_log_goes_on(binary, scratch)

    def snapshot(scratch):
        return a_snapshot_of_version_1_is_restored(binary, scratch)

    def newer(scratch):
        return a_newer_directory_is_refused_by_name(binary, scratch)

    run_checks("upgrade", 60, [first, snapshot, newer])


if __name__ == "__main__":
    main()
