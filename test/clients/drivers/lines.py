"""The text that drivers written in Python read and print: ../README.md."""
import base64
import sys
import threading
import typing


class Record(typing.NamedTuple):
    partition: int | None
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list
    offset: int = -1


def decode(text):
    return None if text == "~" else base64.b64decode(text)


def encode(content):
    return "~" if content is None else base64.b64encode(content).decode()


def read_records():
    for line in sys.stdin:
        partition, timestamp, key, value, headers = line.rstrip("\n").split("\t")
        pairs = [pair.split(":") for pair in headers.split(";") if pair]
        yield Record(None if partition == "-" else int(partition), int(timestamp), decode(key), decode(value),
                     [(decode(name).decode(), decode(content)) for name, content in pairs])


def say_record(partition, offset, timestamp, key, value, headers):
    pairs = ";".join(f"{encode(name.encode())}:{encode(content)}" for name, content in headers)
    sys.stdout.write(f"{partition}\t{offset}\t{timestamp}\t{encode(key)}\t{encode(value)}\t{pairs}\n")


def say_receipt(partition, offset):
    print(f"{partition}\t{offset}")


def say_error(code):
    print(f"error\t{code}")


def say_topic(partitions, configs):
    print(partitions)
    for name, value in sorted(configs.items()):
        print(f"{name}={value}")


def say_offset(offset, timestamp):
    print(f"{offset}\t{timestamp}")


def say_now(*words):
    print(*words, sep="\t", flush=True)


def say_assigned(partitions):
    say_now("assigned", ",".join(map(str, sorted(partitions))))


def input_ended():
    """A call that says whether standard input has ended."""
    ended = threading.Event()

    def read():
        sys.stdin.read()
        ended.set()
    threading.Thread(target=read, daemon=True).start()
    return ended.is_set


def bulk_records(count, size):
    for i in range(count):
        yield str(i).encode(), f"{i} ".encode().ljust(size, b"v")


IN_FLIGHT = 1_000  # records of an idempotent producer without an answer


def endless_records(size):
    """Until standard input ends."""
    ended, i = input_ended(), 0
    while not ended():
        yield str(i).encode(), f"{i} ".encode().ljust(size, b"v")
        i += 1


class Progress:
    """What an idempotent producer tells: how many were acknowledged, now and then; in the end, how many were sent."""

    def __init__(self):
        self.sent = self.acked = 0

    def acknowledged(self):
        self.acked += 1
        if self.acked % 100 == 0:
            say_now("acked", self.acked)

    def failed(self, code):
        say_now("error", code)

    def say_end(self):
        say_now("acked", self.acked)
        say_now("sent", self.sent)


def run(**verbs):
    verbs[sys.argv[1]](*sys.argv[3:])
