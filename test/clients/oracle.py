#!/usr/bin/env python3
"""Goal: where Kafka has an answer, ours is exactly that one, field by field.

Method: the same requests, encoded by kafka-python, go to Apache Kafka and to `millrace serve`, and the answers are compared. What differs on
purpose stands in DIFFERENCES with its reason, and in docs/serve.md; a difference that is not there any more is a failure too.

usage: oracle.py MILLRACE
"""
import fnmatch
import sys
import time

import install
import wire
from apache_kafka import ApacheKafka
from driver import Scratch, Server, require, run_checks

BINARY = sys.argv[1]
# Of the machine, the moment or the node: no client compares them.
VOLATILE = {"throttle_time_ms", "cluster_id", "topic_id", "node_endpoints", "host", "port", "rack", "error_message", "log_append_time_ms", "session_id"}

# What differs on purpose: of which answers, which fields, why. All of it must be met.
DIFFERENCES = [
    ("out_of_range: fetch*", ("high_watermark", "last_stable_offset", "log_start_offset"), "real bounds: clients without them ask again and again"),
    ("epochs: fetch after epoch 1", ("high_watermark", "last_stable_offset", "log_start_offset"), "the same"),
    ("damaged_batches: *a byte too many", ("error_code", "base_offset"), "Kafka drops what stands behind a batch; bytes of no batch are a fault of their sender"),
    ("damaged_batches: where it ends", ("offset",), "so Kafka has four records more"),
    ("damaged_batches: *codec 7", ("error_code",), "Kafka says -1, an error that clients repeat for ever; 87 tells them that it stays wrong"),
    ("damaged_batches: *", ("log_start_offset",), "of a refused batch Kafka tells it for some faults and not for others; we tell it for none"),
]


def made(server, topic, configs=(), **how):
    connection = wire.Wire(server.address)
    answer = connection.ask(wire.create_topics(5, topic, configs=configs, **how))
    require(answer["topics"][0]["error_code"] == 0, f"{topic}: {answer}")
    deadline = time.monotonic() + 30
    # Kafka answers CreateTopics before the topic has a leader that serves it.
    while connection.ask(wire.fetch(4, topic, 0))["responses"][0]["partitions"][0]["error_code"] != 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    return connection


class Case:
    """What a client asks of one server, and what it is answered."""

    def __init__(self, name, server):
        self.name, self.server, self.answers = name, server, {}

    def ask(self, what, connection, request):
        try:
            self.answers[what] = plain(connection.ask(request))
        except ConnectionError as error:
            self.answers[what] = str(error)

    def topic(self, **how):
        return made(self.server, self.name, **how)


def plain(answer):
    """Without what is volatile; bytes as hex, so that batches are compared byte for byte."""
    if isinstance(answer, dict):
        return {name: plain(value) for name, value in answer.items() if name not in VOLATILE}
    if isinstance(answer, list):
        return [plain(value) for value in answer]
    if isinstance(answer, (bytes, bytearray, memoryview)):
        return bytes(answer).hex()
    return answer


def unknown_topic(case):
    with_log = case.topic()
    for version in (3, 7, 9, 11):
        case.ask(f"produce v{version}", with_log, wire.produce(version, "none", wire.batch([b"v"])))
        case.ask(f"produce v{version} to a partition that is not there", with_log, wire.produce(version, case.name, wire.batch([b"v"]), partition=7))
    for version in (4, 7, 11, 12):
        case.ask(f"fetch v{version}", with_log, wire.fetch(version, "none", 0))
        case.ask(f"fetch v{version} of a partition that is not there", with_log, wire.fetch(version, case.name, 0, partition=7))
    for version in (1, 4, 7, 10):
        case.ask(f"list offsets v{version}", with_log, wire.list_offsets(version, "none", -1))
        case.ask(f"list offsets v{version} of a partition that is not there", with_log, wire.list_offsets(version, case.name, -1, partition=7))
    for version in (2, 4):
        case.ask(f"epoch v{version}", with_log, wire.epoch_end(version, "none", 0))
    for version in (1, 4, 9, 12):
        case.ask(f"metadata v{version}", with_log, wire.metadata(version, ["none"]))
    for version in (1, 4, 6):
        case.ask(f"delete v{version}", with_log, wire.delete_topics(version, "none"))


def empty_log(case):
    with_log = case.topic()
    for version in (4, 11, 12):
        case.ask(f"fetch v{version}", with_log, wire.fetch(version, case.name, 0))
    for version in (1, 4, 7, 10):
        for asked in (-1, -2, 0, 5) + ((-3,) if version >= 7 else ()):
            case.ask(f"list offsets v{version} {asked}", with_log, wire.list_offsets(version, case.name, asked))
    for version in (2, 3, 4):
        case.ask(f"epoch v{version}", with_log, wire.epoch_end(version, case.name, 0))


def filled(case, **how):
    with_log = case.topic(**how)
    for base in (0, 3, 6):
        case.ask(f"produce {base}", with_log, wire.produce(8, case.name, wire.batch([b"a", b"b", b"c"], times=[1_000 + base * 100 + i * 10 for i in range(3)])))
    return with_log


def out_of_range(case):
    with_log = filled(case)
    for version in (4, 11, 12):
        for offset in (-1, 10, 1_000):
            case.ask(f"fetch v{version} from {offset}", with_log, wire.fetch(version, case.name, offset))
        case.ask(f"fetch v{version} from its end", with_log, wire.fetch(version, case.name, 9))


def inside_a_batch(case):
    with_log = filled(case)
    for version in (4, 11, 12):
        for offset in range(9):
            case.ask(f"fetch v{version} from {offset}", with_log, wire.fetch(version, case.name, offset))
    # The first batch comes whole, however little was asked for; the limits of a partition end between batches.
    case.ask("one byte", with_log, wire.fetch(11, case.name, 1, max_bytes=1, partition_max_bytes=1))
    case.ask("a partition of one byte", with_log, wire.fetch(11, case.name, 1, partition_max_bytes=1))


def places_by_time(case):
    with_log = filled(case)
    for version in (1, 2, 4, 6, 7, 8, 10):
        for asked in (0, 1_000, 1_001, 1_010, 1_015, 1_300, 1_620, 1_621, -1, -2) + ((-3,) if version >= 7 else ()):
            case.ask(f"v{version} {asked}", with_log, wire.list_offsets(version, case.name, asked))


def damaged_batches(case):
    with_log = case.topic()
    good = wire.batch([b"v"])
    damaged = {
        "magic 3": wire.batch([b"v"], magic=3),
        "wrong CRC": wire.batch([b"v"], crc_off=1),
        "two batches": good + good,
        "cut short": good[:-1],
        "a byte too many": good + b"\0",
        "nothing": b"",
        "base offset 5": wire.batch([b"v"], base=5),
        "codec 7": wire.batch([b"v"], codec=7),
        "control": wire.batch([b"v"], codec=0x20),
        "transactional": wire.batch([b"v"], codec=0x10),
        "no record": wire.batch([]),
    }
    for version in (3, 7, 9, 11):
        for what, records in damaged.items():
            case.ask(f"v{version}: {what}", with_log, wire.produce(version, case.name, records))
    case.ask("too large", with_log, wire.produce(9, case.name, wire.batch([b"v" * (2 << 20)])))
    case.ask("no acknowledgement of that kind", with_log, wire.produce(9, case.name, good, acks=2))
    case.ask("where it ends", with_log, wire.list_offsets(4, case.name, -1))


def zstd_and_old_versions(case):
    import zstandard
    with_log = case.topic()
    body = zstandard.ZstdCompressor().compress(wire.record(0, b"v"))
    case.ask("produce v3", with_log, wire.produce(3, case.name, wire.batch([b"v"], codec=4, body=body)))
    case.ask("produce v7", with_log, wire.produce(7, case.name, wire.batch([b"v"], codec=4, body=body)))
    for version in (4, 9, 10, 12):
        case.ask(f"fetch v{version}", with_log, wire.fetch(version, case.name, 0))


def epochs(case):
    with_log = filled(case)
    for current in (-1, 0, 1):
        for version in (9, 11, 12):
            case.ask(f"fetch v{version} under epoch {current}", with_log, wire.fetch(version, case.name, 0, epoch=current))
        for version in (4, 7):
            case.ask(f"list offsets v{version} under epoch {current}", with_log, wire.list_offsets(version, case.name, -1, epoch=current))
        for version in (2, 3, 4):
            for asked in (-1, 0, 1, 5):
                case.ask(f"epoch v{version} {asked} under {current}", with_log, wire.epoch_end(version, case.name, asked, current=current))
    for last in (-1, 0, 1):
        case.ask(f"fetch after epoch {last}", with_log, wire.fetch(12, case.name, 9, epoch=0, last_epoch=last))


def topics(case):
    with_log = case.topic()
    for version in (2, 5, 7):
        case.ask(f"twice v{version}", with_log, wire.create_topics(version, case.name))
        for what, name in {"a slash": "a/b", "a dot": ".", "nothing": "", "long": "x" * 250}.items():
            case.ask(f"{what} v{version}", with_log, wire.create_topics(version, name))
        case.ask(f"no partitions v{version}", with_log, wire.create_topics(version, "zero", partitions=0))
        case.ask(f"a setting that is no number v{version}", with_log, wire.create_topics(version, "words", configs=[("retention.ms", "long")]))
        case.ask(f"a setting that is none v{version}", with_log, wire.create_topics(version, "unknown", configs=[("no.such.setting", "1")]))
        case.ask(f"looked at v{version}", with_log, wire.create_topics(version, "looked-at", validate_only=True))
    for version in (1, 4, 6):
        gone = made(case.server, f"gone-{version}")
        case.ask(f"deleted v{version}", gone, wire.delete_topics(version, f"gone-{version}"))
    for version in (1, 5, 9, 12):
        case.ask(f"metadata v{version}", with_log, wire.metadata(version, [case.name]))


def differences(what, theirs, ours, path=()):
    """(which answer, where in it): (theirs, ours)"""
    found = {}
    if path[-1:] == ("configs",) and theirs and ours:
        # A node has settings that the other has not; what both have is alike.
        theirs, ours = ({each["name"]: each for each in configs} for configs in (theirs, ours))
        for name in theirs.keys() & ours.keys():
            found |= differences(what, theirs[name], ours[name], (*path, name))
    elif isinstance(theirs, dict) and isinstance(ours, dict):
        for name in theirs.keys() | ours.keys():
            found |= differences(what, theirs.get(name), ours.get(name), (*path, name))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for i, (one, other) in enumerate(zip(theirs, ours)):
            found |= differences(what, one, other, (*path, i))
    elif theirs != ours:
        found[what, path] = theirs, ours
    return found


def expected(what, path):
    """The entry of DIFFERENCES that says so, if any."""
    return next((i for i, (answers, fields, _) in enumerate(DIFFERENCES) if fnmatch.fnmatchcase(what, answers) and path[-1] in fields), None)


CASES = [unknown_topic, empty_log, out_of_range, inside_a_batch, places_by_time, damaged_batches, zstd_and_old_versions, epochs, topics]


def check_of(ask, kafka, millrace):
    def check():
        answers = []
        for server in (kafka, millrace):
            case = Case(ask.__name__.replace("_", "-"), server)
            ask(case)
            answers.append(case.answers)
        found = {}
        for what in answers[0]:
            found |= differences(f"{ask.__name__}: {what}", answers[0][what], answers[1][what])
        met = {expected(*place) for place in found}
        lines = [f"{what} {path}: Kafka {str(theirs)[:160]}, ours {str(our)[:160]}"
                 for (what, path), (theirs, our) in sorted(found.items(), key=str) if expected(what, path) is None]
        lines += [f"no longer so: {entry}" for i, entry in enumerate(DIFFERENCES) if entry[0].startswith(ask.__name__ + ":") and i not in met]
        require(not lines, f"{len(answers[0])} answers, {len(lines)} surprises\n  " + "\n  ".join(lines))
        print(f"checked={len(answers[0])} answers of {ask.__name__}")
    check.__name__ = ask.__name__
    return check


if __name__ == "__main__":
    try:
        with Scratch() as scratch, ApacheKafka(str(scratch)) as kafka, Server(BINARY, scratch / "log") as millrace:
            run_checks([check_of(ask, kafka, millrace) for ask in CASES])
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
