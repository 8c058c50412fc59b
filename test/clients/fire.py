"""A server that is killed again and again behind a dropping proxy, a producer that numbers its records, and what the log holds in the end."""
import json
import socket
import time

from driver import Running, Server, millrace, require
from dropping_proxy import DroppingProxy

WITHIN_S = 90  # of one round: the server is back and the producer goes on
RECORD_BYTES = 100


class Producer(Running):
    """Sends record 0, 1, … until it is ended; each is acknowledged once, or `errors` has it."""

    def __init__(self, client, address, topic):
        self.acked, self.sent, self.errors = 0, None, []
        super().__init__(client, "idempotent", address, topic, RECORD_BYTES)

    def hear(self, word, rest):
        if word == "acked":
            self.acked = int(rest[0])
        elif word == "sent":
            self.sent = int(rest[0])
        else:
            self.errors.append((word, *rest))


class Fire:
    """The server of one log, on one port over all its lives, and the proxy that clients know alone."""

    def __init__(self, binary, log, every, apis=None, flags=()):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.binary, self.log, self.kills, self.server = binary, log, 0, None
        self.every, self.proxy = every, DroppingProxy(port, 0, apis)
        self.flags = ("--listen", f"127.0.0.1:{port}", *flags)

    def __enter__(self):
        self.proxy.__enter__()
        self.start()
        return self

    def __exit__(self, *_):
        self.server.__exit__()
        self.proxy.__exit__()

    def start(self):
        self.server = Server(self.binary, self.log, *self.flags, "--advertise", self.proxy.address)

    @property
    def address(self):
        return self.proxy.address

    @property
    def say(self):
        return self.server.say

    def begin_dropping(self):
        self.proxy.every = self.every

    def end_dropping(self):
        self.proxy.every = 0

    def kill_and_start(self):
        self.server.kill()
        self.kills += 1
        self.start()

    def await_progress(self, producer, records, drops):
        """Since now `records` more were acknowledged and `drops` more replies dropped."""
        acked, dropped, deadline = producer.acked + records, self.proxy.dropped + drops, time.monotonic() + WITHIN_S
        while producer.acked < acked or self.proxy.dropped < dropped:
            require(producer.process.poll() is None, f"{producer.client} is gone: {producer.errors} {producer.complaints}")
            require(not producer.errors, f"{producer.client}: {producer.errors[:5]}")
            require(time.monotonic() < deadline, f"within {WITHIN_S} s after kill {self.kills} {producer.client} came from {acked - records} to {producer.acked} records, "
                    f"and {self.proxy.dropped - dropped + drops} replies were dropped: {producer.complaints}\n{self.server.say}")
            time.sleep(0.02)

    def stop(self):
        require(self.server.stop() == 0, self.server.say)


def numbers_in(binary, log, topic):
    """By partition, the numbers of the records in the order of their offsets, which begin at 0 and have no hole."""
    found = {}
    for line in millrace(binary, "consume", topic, "--json", "--data-dir", log).splitlines():
        record = json.loads(line)
        numbers = found.setdefault(record["partition"], [])
        require(record["offset"] == len(numbers), f"offset {record['offset']} of partition {record['partition']} where {len(numbers)} is next")
        require(record["value"] == f"{record['key']} ".ljust(RECORD_BYTES, "v"), f"the record of key {record['key']} is another one")
        numbers.append(int(record["key"]))
    return found


def check_once_in_order(found, sent):
    """Each number below `sent` is there once, and those of a partition ascend."""
    for partition, numbers in found.items():
        for before, after in zip(numbers, numbers[1:]):
            require(before != after, f"record {after} is twice in partition {partition}")
            require(before < after, f"record {after} comes behind {before} in partition {partition}")
    everything = sorted(number for numbers in found.values() for number in numbers)
    require(len(set(everything)) == len(everything), f"{len(everything) - len(set(everything))} records are there twice")
    require(everything == list(range(sent)), f"{len(everything)} records are there, {sent} were acknowledged")
