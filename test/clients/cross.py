#!/usr/bin/env python3
"""Goal: what any client writes every other reads, byte for byte: keys, values, headers, nulls and times.

Method: one server; each client writes the same records to a topic of its own, in turn with every codec that it has; then each client
that reads without a group reads all topics.

usage: cross.py MILLRACE CLIENT...
"""
import sys

import install
from driver import Scratch, Server, require, run_checks, run_driver
from records import GROUPS_ALONE, canonical, decode_line, encode_line

BINARY, CLIENTS = sys.argv[1], sys.argv[2:]
READERS = [client for client in CLIENTS if client not in GROUPS_ALONE]


def codecs_of(client):
    return ("none", "gzip", "snappy") if client == "kafkajs" else ("none", "gzip", "snappy", "lz4", "zstd")


def each_reads_what_every_other_wrote():
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        for writer in CLIENTS:
            require(run_driver(writer, server, "create", writer, 1) == [], f"{writer} makes its topic")
            for codec in codecs_of(writer):
                answers = run_driver(writer, server, "produce", writer, codec, stdin="".join(map(encode_line, canonical(writer))))
                require(not any(line.startswith("error") for line in answers), f"{writer} writes {codec}: {answers}")
        for reader in READERS:
            for writer in CLIENTS:
                sent = canonical(writer) * len(codecs_of(writer))
                came = [decode_line(line) for line in run_driver(reader, server, "consume", writer)]
                require(len(came) == len(sent), f"{reader} reads {len(came)} of {len(sent)} records of {writer}")
                for record, wanted in zip(came, sent):
                    require(record._replace(offset=-1) == wanted, f"{reader} reads of {writer} at {record.offset}: {str(record)[:300]}, not {str(wanted)[:300]}")


if __name__ == "__main__":
    try:
        for one in CLIENTS:
            install.install(one)
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
    run_checks([each_reads_what_every_other_wrote])
