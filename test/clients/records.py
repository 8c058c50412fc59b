"""Records as drivers are told and tell them (README.md), and those that every client writes."""
import base64

from drivers.lines import Record, decode, encode

NO_NULL_HEADERS = ("kafkajs", "kafka_python", "kafka_python_2", "node_rdkafka")
TEXT_HEADERS = ("node_rdkafka",)  # without a zero, too
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def encode_line(record):
    partition = "-" if record.partition is None else record.partition
    pairs = ";".join(f"{encode(name.encode())}:{encode(content)}" for name, content in record.headers)
    return f"{partition}\t{record.timestamp}\t{encode(record.key)}\t{encode(record.value)}\t{pairs}\n"


def decode_line(line):
    partition, offset, timestamp, key, value, headers = line.rstrip("\n").split("\t")
    pairs = [pair.split(":") for pair in headers.split(";") if pair]
    return Record(int(partition), int(timestamp), decode(key), decode(value), [(decode(name).decode(), decode(content)) for name, content in pairs],
                  int(offset))


def of_library(line):
    """A record as `millrace consume --json` prints it: base64 if any of it is no text, header names apart."""
    def content(value):
        return value if value is None else base64.b64decode(value) if line.get("encoding") == "base64" else value.encode()
    headers = [(header["key"], content(header["value"])) for header in line["headers"]]
    return Record(line["partition"], line["timestamp_ms"], content(line["key"]), content(line["value"]), headers, line["offset"])


def canonical(client, partition=0):
    """Nulls, nothing, much, many, of one partition. Some clients cannot say null in a header, one cannot say no name, and one texts alone."""
    null = b"" if client in NO_NULL_HEADERS else None
    no_text, zero = ("\u00ff\u00fe".encode(), b"\x01") if client in TEXT_HEADERS else (b"\xff\xfe", b"\x00")
    return [
        Record(partition, 1, b"key", b"value", []),
        Record(partition, 2, None, b"no key", []),
        Record(partition, 3, b"no value", None, []),
        Record(partition, 4, b"", b"", [("", b"")] if client != "kafkajs" else []),
        Record(partition, 5, b"headers", b"v", [(f"name {i}", bytes([i]) * i) for i in range(100)]),
        Record(partition, 6, b"headers", b"v", [("same", b"1"), ("same", null), ("other", no_text)]),
        Record(partition, 7, bytes(range(256)), bytes(range(255, -1, -1)), [("\u00e4\u20ac", zero)]),
        Record(partition, 1_700_000_000_000, b"large", bytes(i * 7919 % 251 for i in range(900 << 10)), []),
    ]
