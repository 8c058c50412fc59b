#!/usr/bin/env python3
"""Goal: what any client writes every other reads, byte for byte: keys, values, headers, nulls and times.

Method: one server, one topic and another for snappy, a partition for each client, which writes the same records there with every codec in turn; then each
client reads both topics whole.

usage: cross.py MILLRACE CLIENT...
"""
import sys

import install
from driver import Scratch, Server, require, run_checks, run_driver
from records import CODECS, canonical, decode_line, encode_line

BINARY, CLIENTS = sys.argv[1], sys.argv[2:]
NO_DELAY = ("--set", "server.group_initial_delay=0ms")  # of readers that read in a group alone


# Clients that cannot read snappy in the frames of Java's library, in which most clients write it.
NO_SNAPPY_FRAMES = ("platformatic",)
# Clients that read a header without a value as one of nothing.
NO_NULL_READ = ("node_rdkafka",)
TOPICS = {"t": [codec for codec in CODECS if codec != "snappy"], "snappy": ["snappy"]}


def each_reads_what_every_other_wrote():
    with Scratch() as scratch, Server(BINARY, scratch / "log", *NO_DELAY) as server:
        for topic, codecs in TOPICS.items():
            require(run_driver(CLIENTS[0], server, "create", topic, len(CLIENTS)) == [], f"{CLIENTS[0]} makes {topic}")
            for partition, writer in enumerate(CLIENTS):
                records = "".join(map(encode_line, canonical(writer, partition)))
                for codec in codecs:
                    answers = run_driver(writer, server, "produce", topic, codec, stdin=records)
                    require(not any(line.startswith("error") for line in answers), f"{writer} writes {codec}: {answers}")
        for reader in CLIENTS:
            for topic, codecs in TOPICS.items():
                lines = run_driver(reader, server, "consume", topic)
                if topic == "snappy" and reader in NO_SNAPPY_FRAMES:
                    require(lines[-1].startswith("error"), f"{reader} can read snappy in frames after all: NO_SNAPPY_FRAMES is out of date")
                    continue
                check_topic(reader, [decode_line(line) for line in lines], len(codecs))
        print(f"checked={len(CLIENTS) ** 2} pairs of a reader and a writer, {len(CODECS)} codecs")


def check_topic(reader, came, codecs):
    by_partition = {}
    for record in came:
        by_partition.setdefault(record.partition, []).append(record)
    for partition, writer in enumerate(CLIENTS):
        check_same(reader, writer, by_partition.get(partition, []), canonical(writer, partition) * codecs)


def check_same(reader, writer, came, sent):
    require(len(came) == len(sent), f"{reader} reads {len(came)} of {len(sent)} records of {writer}")
    if reader in NO_NULL_READ:
        sent = [record._replace(headers=[(name, content or b"") for name, content in record.headers]) for record in sent]
    for offset, (record, wanted) in enumerate(zip(came, sent)):
        require(record == wanted._replace(offset=offset), f"{reader} reads of {writer} at {record.offset}: {str(record)[:300]}, not {str(wanted)[:300]}")


if __name__ == "__main__":
    try:
        for one in CLIENTS:
            install.install(one)
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
    run_checks([each_reads_what_every_other_wrote])
