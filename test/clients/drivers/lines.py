"""The text that drivers written in Python read and print: ../README.md."""
import base64
import sys
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


def bulk_records(count, size):
    for i in range(count):
        yield str(i).encode(), f"{i} ".encode().ljust(size, b"v")


def run(**verbs):
    verbs[sys.argv[1]](*sys.argv[3:])
