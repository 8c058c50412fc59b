"""Makes logs as earlier releases left them, from the golden files of their formats: a directory and a store from before
objects told what is in them, and a store whose newest snapshot has rows of version 1.

usage: earlier_release.py directory DATA_DIR STORE_DIR | store STORE_DIR
"""
import pathlib
import shutil
import sqlite3
import struct
import sys

TREE = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = TREE / "test" / "golden"
METADATA = TREE / "src" / "meta" / "golden" / "metadata-v4.db"
METADATA_VERSION = 4  # of the release that first_log is of; it refuses any higher one by name
PAGE, RESERVED = 4096, 8
BLOCK = 4096  # of the write-ahead log
MS = 1_700_000_000_000  # as in the golden files
IDENTITY = "0123456789abcdef0123456789abcdef"
OBJECT_ID = bytes(range(1, 17))
OBJECT_KEY = f"{OBJECT_ID.hex()[:2]}/{OBJECT_ID.hex()}-3.obj"

SNAPSHOT_IDENTITY = "00112233445566778899aabbccddeeff"
SNAPSHOT_GENERATION, SNAPSHOT_NONCE = 7, 0xFEEDBEEF

# What the golden segment holds at offsets 7 to 9, and the golden batch once more.
SEGMENT_VALUES = {7: "hello", 8: "", 9: None}
BATCH_VALUES = {10: "hello", 11: ""}


def crc_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


CRC_TABLE = list(crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def row_crc(table, columns):
    """docs/format/metadata.md: a null column that a row of an older version did not have is left out by the caller."""
    data = bytes([table])
    for column in columns:
        if column is None:
            data += b"\x00"
        elif isinstance(column, int):
            data += b"\x01" + struct.pack("<q", column)
        else:
            data += b"\x02" + struct.pack("<I", len(column)) + column
    return crc32c(data)


def seal_pages(path):
    data = bytearray(path.read_bytes())
    for at in range(0, len(data), PAGE):
        number, end = at // PAGE + 1, at + PAGE - RESERVED
        data[end:end + RESERVED] = struct.pack("<II", crc32c(struct.pack("<Q", number) + data[at:end]), 0)
    path.write_bytes(data)


def make_metadata(path):
    """The tables of the golden file, with rows of one topic: [7, 10) in an object, which has no directory."""
    shutil.copyfile(METADATA, path)
    segment = (GOLDEN / "segment-v1.bin").read_bytes()
    database = sqlite3.connect(path)
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        database.execute(f"DELETE FROM {table}")

    def insert(table, *columns):
        database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", columns)

    for row in ((b"identity", 0, IDENTITY.encode()), (b"next_topic", 1, b"")):
        insert("store", *row, row_crc(1, row))
    topic = (1, b"ffeeddccbbaa99887766554433221100", b"orders", 1, None, None, 1, 0, MS)
    insert("topics", *topic, row_crc(2, topic))
    partition = (1, 0, 3, 7, 10, 1, len(segment))
    insert("partitions", *partition, row_crc(3, partition))
    stored = (OBJECT_ID, OBJECT_KEY.encode(), len(segment), 1, MS + 20)
    insert("objects", *stored, row_crc(4, (*stored, 1)), 1)
    covered = (1, 0, 7, 10, OBJECT_ID, 0, len(segment), 3, MS - 5, MS + 10, MS + 20)
    insert("segments", *covered, row_crc(5, covered))
    position = (b"g", 1, 0, 8)
    insert("positions", *position, row_crc(6, position))
    database.commit()
    database.close()
    seal_pages(path)


def make_wal(folder):
    """One file with one frame, as a process leaves it that is killed: the golden batch at offset 10."""
    folder.mkdir()
    batch = struct.pack(">q", 10) + (GOLDEN / "record-batch-v2.bin").read_bytes()[8:]
    capacity = 1 << 20
    header = struct.pack("<IQqQQqq", 2, 1, 0, capacity, 0, 0, -1)
    copy = b"MRWALv01" + struct.pack("<I", crc32c(header)) + header
    copy += bytes(BLOCK // 2 - len(copy))
    frame = struct.pack("<IIBB2sQqqqQ", crc32c(batch), len(batch), 1, 1, b"MF", 1, 0, -1, 0, 1 << 32)
    frame = struct.pack("<I", crc32c(frame)) + frame + batch
    (folder / "00000000.wal").write_bytes(copy + copy + frame + bytes(capacity - len(frame)))


def first_log(data_dir):
    """The objects of the log, by key; it lies in `data_dir` as a killed process of that release left it."""
    data_dir.mkdir(parents=True)
    make_metadata(data_dir / "metadata.db")
    make_wal(data_dir / "wal")
    marker = f"millrace 1\nidentity {IDENTITY}\n".encode()
    (data_dir / "engine").write_bytes(marker + b"crc %08x\n" % crc32c(marker))
    identity = f"millrace identity {IDENTITY}\ncrc {crc32c(IDENTITY.encode()):08x}\n"
    return {"identity": identity.encode(), OBJECT_KEY: (GOLDEN / "segment-v1.bin").read_bytes()}


def with_crc(text):
    return text.encode() + b"crc %08x\n" % crc32c(text.encode())


def snapshot_of_version_1():
    """Golden files alone, by key: claim 7, its snapshot, and the object that it names; topic 3, partition 1."""
    segment = bytearray((GOLDEN / "segment-v1.bin").read_bytes())
    footer = len(segment) - 80
    segment[footer:footer + 12] = struct.pack("<qi", 3, 1)
    segment[footer + 72:footer + 76] = struct.pack("<I", crc32c(segment[footer:footer + 72]))
    claim = (f"millrace claim 1\nidentity {SNAPSHOT_IDENTITY}\ngeneration {SNAPSHOT_GENERATION} nonce {SNAPSHOT_NONCE:08x}\n"
             f"continues 00000001\nhost golden\nat 2023-11-14T22:13:20Z\n")
    log = f"millrace log 1\nidentity {SNAPSHOT_IDENTITY}\nmade 2023-11-14T22:13:20Z by golden\n"
    below = SNAPSHOT_IDENTITY
    return {
        "log": with_crc(log),
        f"{below}/claim/{SNAPSHOT_GENERATION:08x}": with_crc(claim),
        f"{below}/s/{SNAPSHOT_GENERATION:08x}-{SNAPSHOT_NONCE:08x}-00000000": (GOLDEN / "snapshot-v1.bin").read_bytes(),
        "o/k": bytes(segment) + (GOLDEN / "object-directory-v1.bin").read_bytes(),
    }


def put_in_folder(objects, folder):
    for key, body in objects.items():
        path = pathlib.Path(folder) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "directory":
        put_in_folder(first_log(pathlib.Path(sys.argv[2])), sys.argv[3])
    elif len(sys.argv) == 3 and sys.argv[1] == "store":
        put_in_folder(snapshot_of_version_1(), sys.argv[2])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
