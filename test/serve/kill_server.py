#!/usr/bin/env python3
"""Goal: what the server acknowledged is there after kill -9, once, and in order per connection.

Method: clients of three lines of Python send one record a request, several in flight, and note what was acknowledged;
the server is killed in the middle and started again on the same directory; kcat reads everything back.

usage: kill_server.py MILLRACE [CYCLES]
"""
import pathlib
import socket
import struct
import sys
import tempfile
import threading
import time

from server_process import Server, kcat, millrace, require, run_checks

BINARY = sys.argv[1]
CYCLES = int(sys.argv[2]) if len(sys.argv) > 2 else 5
CONNECTIONS, IN_FLIGHT, SECONDS = 4, 5, 0.7


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def batch(value):
    record = b"\x00" + varint(0) + varint(0) + varint(-1) + varint(len(value)) + value + varint(0)
    record = varint(len(record)) + record
    tail = struct.pack(">hiqqqhii", 0, 0, 1_000, 1_000, -1, -1, -1, 1) + record
    return struct.pack(">qiibI", 0, len(tail) + 9, 0, 2, crc32c(tail)) + tail


def produce(correlation, topic, value):
    records = batch(value)
    body = struct.pack(">hhih", 0, 3, correlation, -1)  # Produce v3, no client id
    body += struct.pack(">hhi", -1, -1, 30_000)         # no transaction, acks = all
    body += struct.pack(">ih", 1, len(topic)) + topic + struct.pack(">iii", 1, 0, len(records)) + records
    return struct.pack(">i", len(body)) + body


def read_exactly(stream, size):
    out = b""
    while len(out) < size:
        piece = stream.recv(size - len(out))
        if not piece:
            raise ConnectionError("the end")
        out += piece
    return out


def code_of(reply, correlation, topic):
    require(struct.unpack_from(">i", reply)[0] == correlation, "replies came out of order")
    return struct.unpack_from(">h", reply, 4 + 4 + 2 + len(topic) + 4 + 4)[0]


def client(port, name, acknowledged):
    """Sends name-0, name-1, … until the server is gone; appends each number that was acknowledged."""
    sent = 0
    try:
        with socket.create_connection(("127.0.0.1", port)) as stream:
            while True:
                while sent - len(acknowledged) < IN_FLIGHT:
                    stream.sendall(produce(sent, b"t", f"{name}-{sent}".encode()))
                    sent += 1
                reply = read_exactly(stream, struct.unpack(">i", read_exactly(stream, 4))[0])
                require(code_of(reply, len(acknowledged), b"t") == 0, f"refused: {reply}")
                acknowledged.append(len(acknowledged))
    except OSError:
        return


def acknowledged_records_survive_kills():
    with tempfile.TemporaryDirectory() as scratch:
        log = pathlib.Path(scratch) / "log"
        millrace(BINARY, "topic", "create", "t", "--data-dir", log)
        acknowledged = {}
        for cycle in range(CYCLES):
            with Server(BINARY, log) as server:
                threads = []
                for number in range(CONNECTIONS):
                    name = f"c{cycle}.{number}"
                    acknowledged[name] = []
                    threads.append(threading.Thread(target=client, args=(server.port, name, acknowledged[name])))
                for thread in threads:
                    thread.start()
                time.sleep(SECONDS + 0.1 * cycle)
                server.kill()
                for thread in threads:
                    thread.join()
        with Server(BINARY, log) as server:
            values = kcat(server, "-C", "-t", "t", "-e", "-q", "-o", "beginning").decode().split()
        found = {}
        for value in values:
            name, number = value.rsplit("-", 1)
            found.setdefault(name, []).append(int(number))
        total = sum(map(len, acknowledged.values()))
        require(total > 20 * CYCLES, f"only {total} records were acknowledged: the test shows nothing")
        for name, numbers in acknowledged.items():
            # What was in flight at the kill may be there too; nothing twice, nothing out of order, nothing missing before it.
            there = found.get(name, [])
            require(there == list(range(len(there))), f"{name}: not once in order: {there[:20]}…")
            require(len(there) >= len(numbers), f"{name}: {len(numbers)} acknowledged, {len(there)} found")
        print(f"checked={total}")


if __name__ == "__main__":
    run_checks([acknowledged_records_survive_kills])
