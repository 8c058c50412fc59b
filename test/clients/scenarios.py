#!/usr/bin/env python3
"""Goal: a foreign client does its work against `millrace serve`: topics, every codec, places by time, records of every shape, errors by code.

Method: the real binary, a fresh log, the client's driver (README.md); what it wrote is read back by `millrace consume`, which shares no
code with it.

usage: scenarios.py MILLRACE CLIENT
"""
import json
import sys

import install
from driver import Scratch, Server, millrace, require, run_checks, run_driver
from records import CODECS, Record, canonical, decode_line, encode_line, of_library

BINARY, CLIENT = sys.argv[1:3]
# The pure Python and JavaScript ones take a tenth of the records in the same time.
BULK = {"kafka_python": 10_000, "kafka_python_2": 10_000, "aiokafka": 20_000, "kafkajs": 20_000, "platformatic": 20_000, "node_rdkafka": 20_000}.get(CLIENT, 100_000)
TELLS_TIMES = CLIENT not in ("kafkajs", "librdkafka", "node_rdkafka", "sarama")
KNOWS_GREATEST = CLIENT not in ("aiokafka", "kafka_python", "kafka_python_2", "kafkajs", "librdkafka", "node_rdkafka", "sarama")
TELLS_SETTINGS = CLIENT != "node_rdkafka"
UNKNOWN_TOPIC, TOPIC_EXISTS, INVALID_TOPIC, TOO_LARGE = 3, 36, 17, 10


def driver(server, verb, *arguments, stdin=""):
    return run_driver(CLIENT, server, verb, *arguments, stdin=stdin)


def refused(lines, code):
    return lines[:1] == [f"error\t{code}"]


def library_reads(log, topic):
    return [of_library(json.loads(line)) for line in millrace(BINARY, "consume", topic, "--json", "--data-dir", log).splitlines()]


def topics():
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        require(driver(server, "create", "orders", 6, "retention.ms=86400000", "cleanup.policy=delete") == [], "create")
        count, *configs = driver(server, "describe", "orders")
        require(count == "6", f"{count} partitions")
        if not TELLS_SETTINGS:
            require(configs == [], f"{CLIENT} tells settings after all: TELLS_SETTINGS is out of date")
            _, *configs = run_driver("librdkafka", server, "describe", "orders")
        require("retention.ms=86400000" in configs and "cleanup.policy=delete" in configs, f"settings: {configs}")
        require(refused(driver(server, "create", "orders", 1), TOPIC_EXISTS), "a topic was made twice")
        require(refused(driver(server, "create", "no/topic", 1), INVALID_TOPIC), "a name with a slash")
        require(driver(server, "list") == ["orders"], "list")
        answers = driver(server, "produce", "none", "none", stdin=encode_line(Record(0, 1, b"k", b"v", [])))
        require(len(answers) == 1 and answers[0].startswith("error\t"), f"a topic that is not there: {answers}")
        require(driver(server, "list") == ["orders"], "a topic was created by a client that asked for it")


def every_codec_in_bulk():
    with Scratch() as scratch:
        log = scratch / "log"
        with Server(BINARY, log) as server:
            require(driver(server, "create", "t", 6) == [], "create")
            for codec in CODECS:
                require(driver(server, "bulk", "t", codec, BULK, 200) == [str(BULK)], f"not every record of {codec} was acknowledged")
            check_bulk([decode_line(line) for line in driver(server, "consume", "t")])
        check_bulk(library_reads(log, "t"))


def check_bulk(came):
    require(len(came) == BULK * len(CODECS), f"{len(came)} records came, {BULK * len(CODECS)} went")
    next_offset, where = {}, {}
    for record in came:
        expected = next_offset.get(record.partition, 0)
        require(record.offset == expected, f"offset {record.offset} of partition {record.partition} where {expected} is next")
        next_offset[record.partition] = expected + 1
        require(record.value == f"{record.key.decode()} ".encode().ljust(200, b"v"), f"key {record.key} has {record.value[:20]}")
        require(where.setdefault(record.key, record.partition) == record.partition, f"key {record.key} in two partitions")
    require(len(where) == BULK and len(next_offset) == 6, f"{len(where)} keys in {len(next_offset)} partitions")


def places_by_time():
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        require(driver(server, "create", "t", 1) == [], "create")
        # In batches, and the greatest time is not the last one.
        times = [1_000 * i for i in range(1, 101)] + [50]
        answers = driver(server, "produce", "t", "gzip", stdin="".join(encode_line(Record(0, t, None, b"v", [])) for t in times))
        require(answers == [f"0\t{i}" for i in range(101)], f"receipts: {answers[:3]}")
        asked = [0, 1_000, 1_001, 50_000, 99_999, 100_000, -1, -2]
        expected = [0, 0, 1, 49, 99, 99, 101, 0]
        found = [line.split("\t") for line in driver(server, "offsets", "t", 0, *asked)]
        require([int(offset) for offset, _ in found] == expected, f"offsets {found} of times {asked}")
        if TELLS_TIMES:
            stamps = [int(stamp) for _, stamp in found[:6]]
            require(stamps == [1_000, 1_000, 2_000, 50_000, 100_000, 100_000], f"times of what was found: {stamps}")
            require(driver(server, "offsets", "t", 0, 100_001)[0].split("\t")[0] in ("-1", "101"), "behind all times")
        if KNOWS_GREATEST:
            require(driver(server, "offsets", "t", 0, -3) == ["99\t100000"], "the greatest time")


def records_of_every_shape():
    with Scratch() as scratch:
        log = scratch / "log"
        with Server(BINARY, log) as server:
            require(driver(server, "create", "t", 1) == [], "create")
            sent = canonical(CLIENT)
            for codec in CODECS:
                answers = driver(server, "produce", "t", codec, stdin="".join(map(encode_line, sent)))
                require(all(not line.startswith("error") for line in answers) and len(answers) == len(sent), f"{codec}: {answers}")
            check_shapes([decode_line(line) for line in driver(server, "consume", "t")], sent)
        check_shapes(library_reads(log, "t"), sent)


def check_shapes(came, sent):
    require(len(came) == len(sent) * len(CODECS), f"{len(came)} records came")
    for record, wanted in zip(came, sent * len(CODECS)):
        require((record.timestamp, record.key, record.value, record.headers) == (wanted.timestamp, wanted.key, wanted.value, wanted.headers),
                f"offset {record.offset} differs: {str(record)[:200]} and not {str(wanted)[:200]}")


def too_large_is_refused_until_it_is_allowed():
    # Random letters, so that no codec makes them small.
    large = encode_line(Record(0, 1, None, bytes(i * 7919 % 251 for i in range(5 << 20)), []))
    with Scratch() as scratch:
        with Server(BINARY, scratch / "log") as server:
            require(driver(server, "create", "t", 1) == [], "create")
            answers = driver(server, "produce", "t", "none", stdin=large)
            require(refused(answers, TOO_LARGE), f"5 MiB: {answers}")
        with Server(BINARY, scratch / "log", "--set", "server.batch_bytes_max=6MiB") as server:
            require(driver(server, "produce", "t", "none", stdin=large) == ["0\t0"], "5 MiB where 6 are allowed")
            (came,) = driver(server, "consume", "t")
            require(decode_line(came).value == decode_line("0\t0\t" + large.split("\t", 1)[1]).value, "5 MiB came back as something else")


if __name__ == "__main__":
    try:
        install.install(CLIENT)
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
    run_checks([topics, every_codec_in_bulk, places_by_time, records_of_every_shape, too_large_is_refused_until_it_is_allowed])
