#!/usr/bin/env python3
"""Goal: kcat, an unmodified Kafka client, does its work against `millrace serve`: metadata, produce with every codec,
headers and nulls, consume from any place and time, errors by name; the server stops as it says.

Method: the real binary, a fresh directory for each check, the commands a user types.

usage: kcat_scenarios.py MILLRACE
"""
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

from server_process import Scratch, Server, kcat, millrace, require, run_checks

BINARY = sys.argv[1]
EVERYTHING = ("-e", "-q", "-o", "beginning")


def create(log, topic, *flags):
    millrace(BINARY, "topic", "create", topic, "--data-dir", log, *flags)


def metadata_and_unknown_topics():
    with Scratch() as scratch:
        create(scratch / "log", "orders", "-p", 3)
        with Server(BINARY, scratch / "log") as server:
            listed = json.loads(kcat(server, "-L", "-J"))
            require([broker["id"] for broker in listed["brokers"]] == [1], f"brokers: {listed['brokers']}")
            require(listed["controllerid"] == 1, f"controller: {listed}")
            require([(t["topic"], len(t["partitions"])) for t in listed["topics"]] == [("orders", 3)], f"topics: {listed['topics']}")
            require(all(p["leader"] == 1 for p in listed["topics"][0]["partitions"]), f"leaders: {listed}")
            done = subprocess.run(["kcat", "-b", server.address, "-t", "none", "-P", "-X", "topic.metadata.propagation.max.ms=100"], input=b"x\n",
                                  capture_output=True, timeout=60)
            require(done.returncode != 0 and b"nknown topic" in done.stderr, f"{done}")
            require([t["topic"] for t in json.loads(kcat(server, "-L", "-J"))["topics"]] == ["orders"], "a topic was created")


def round_trip_of_every_codec():
    with Scratch() as scratch:
        create(scratch / "log", "t")
        lines = [f"line {i} " + "x" * (i % 300) for i in range(3_000)]
        with Server(BINARY, scratch / "log") as server:
            for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
                kcat(server, "-P", "-t", "t", "-z", codec, stdin="\n".join(lines).encode())
            got = kcat(server, "-C", "-t", "t", *EVERYTHING, "-f", "%o %s\n").decode().splitlines()
            wanted = [f"{i} {line}" for i, line in enumerate(lines * 5)]
            require(got == wanted, f"{len(got)} records came back, {len(wanted)} went; the first that differs: "
                    f"{next((pair for pair in zip(got, wanted) if pair[0] != pair[1]), None)}")


def keys_headers_nulls_and_empty_values():
    with Scratch() as scratch:
        create(scratch / "log", "t")
        with Server(BINARY, scratch / "log") as server:
            kcat(server, "-P", "-t", "t", "-K:", "-Z", "-H", "a=1", "-H", "b=", "-H", "a=2", stdin=b"key:value\n:nokey\nnull:\n")
            got = kcat(server, "-C", "-t", "t", *EVERYTHING, "-J").splitlines()
            records = [json.loads(line) for line in got]
            require([(r["key"], r["payload"]) for r in records] == [("key", "value"), (None, "nokey"), ("null", None)], f"{records}")
            require(all(r["headers"] == ["a", "1", "b", "", "a", "2"] for r in records), f"{records}")
        # The same bytes, read by the library's own verb.
        lines = millrace(BINARY, "consume", "t", "--json", "--data-dir", scratch / "log").splitlines()
        require([json.loads(line)["value"] for line in lines] == ["value", "nokey", None], f"{lines}")


def offsets_by_time():
    with Scratch() as scratch:
        log = scratch / "log"
        create(log, "t")
        records = "\n".join(json.dumps({"timestamp_ms": 1_000 * i, "value": f"v{i}"}) for i in range(1, 101))
        millrace(BINARY, "produce", "t", "--json", "-z", "lz4", "--data-dir", log, stdin=records.encode())
        with Server(BINARY, log) as server:
            for time_ms, offset in ((0, 0), (1_000, 0), (1_001, 1), (50_000, 49), (99_999, 99), (100_000, 99)):
                got = kcat(server, "-Q", "-t", f"t:0:{time_ms}").decode()
                require(got.split()[-1] == str(offset), f"time {time_ms}: {got}")
            require(kcat(server, "-Q", "-t", "t:0:-1").decode().split()[-1] == "100", "latest")
            require(kcat(server, "-Q", "-t", "t:0:-2").decode().split()[-1] == "0", "earliest")
            got = kcat(server, "-C", "-t", "t", "-e", "-q", "-o", "s@42500").decode().splitlines()
            require(got == [f"v{i}" for i in range(43, 101)], f"from a time: {got[:3]}")
            got = kcat(server, "-C", "-t", "t", "-e", "-q", "-o", "37", "-c", "2").decode().splitlines()
            require(got == ["v38", "v39"], f"from the middle of a batch: {got}")


def cold_bytes_are_read_back():
    with Scratch() as scratch:
        log = scratch / "log"
        lines = [f"cold {i}" for i in range(20_000)]
        create(log, "t")
        millrace(BINARY, "produce", "t", "--data-dir", log, stdin="\n".join(lines).encode())
        millrace(BINARY, "segment", "upload", "--data-dir", log)
        millrace(BINARY, "wal", "recycle", "--data-dir", log)
        with Server(BINARY, log) as server:
            kcat(server, "-P", "-t", "t", stdin=b"hot")
            got = kcat(server, "-C", "-t", "t", *EVERYTHING).decode().splitlines()
            require(got == lines + ["hot"], f"{len(got)} records")


def a_tailing_consumer_sees_what_is_appended():
    with Scratch() as scratch:
        create(scratch / "log", "t")
        with Server(BINARY, scratch / "log") as server:
            command = ["kcat", "-b", server.address, "-C", "-t", "t", "-q", "-u", "-o", "beginning", "-c", "50"]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as consumer:
                for i in range(50):
                    kcat(server, "-P", "-t", "t", stdin=f"m{i}".encode())
                out, _ = consumer.communicate(timeout=60)
            require(out.decode().split() == [f"m{i}" for i in range(50)], f"{out}")


def localhost_is_reached_by_both_its_addresses():
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        require(server.address.startswith("localhost:"), server.address)
        reached = []
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as one:
                try:
                    one.connect((host, server.port))
                    reached.append(host)
                except OSError:
                    pass
        v6 = pathlib.Path("/proc/net/if_inet6")
        has_v6 = v6.exists() and "00000000000000000000000000000001" in v6.read_text()
        require(reached == (["127.0.0.1", "::1"] if has_v6 else ["127.0.0.1"]), f"reached {reached}")


def dev_creates_topics_and_leaves_nothing():
    with Scratch() as scratch:
        with Server(BINARY, scratch / "log", verb="dev") as server:
            kcat(server, "-P", "-t", "demo", stdin=b"a\nb\nc\n")
            require(kcat(server, "-C", "-t", "demo", *EVERYTHING) == b"a\nb\nc\n", "demo")
            require(server.stop() == 0, server.say)


def sigterm_answers_what_waits_and_ends_with_zero():
    with Scratch() as scratch:
        create(scratch / "log", "t")
        with Server(BINARY, scratch / "log") as server:
            kcat(server, "-P", "-t", "t", stdin=b"kept")
            command = ["kcat", "-b", server.address, "-C", "-t", "t", "-q", "-o", "end", "-X", "fetch.wait.max.ms=30000",
                       "-X", "socket.timeout.ms=60000"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as consumer:
                time.sleep(2)
                started = time.monotonic()
                require(server.stop() == 0, server.say)
                took = time.monotonic() - started
                consumer.kill()
            require(took < 15, f"a fetch that waits held the server for {took:.1f} s")
        require(millrace(BINARY, "consume", "t", "--data-dir", scratch / "log") == b"kept\n", "kept")


def a_second_signal_ends_it_at_once():
    with Scratch() as scratch:
        create(scratch / "log", "t")
        with Server(BINARY, scratch / "log", "--set", "server.stop_grace=60s") as server:
            kcat(server, "-P", "-t", "t", stdin=b"kept")
            # Half a request: nothing is in flight, so only a signal more can hurry it if it waited.
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGTERM)
            code = server.process.wait(30)
            require(code in (0, -signal.SIGTERM), f"exit {code}")
        require(millrace(BINARY, "consume", "t", "--data-dir", scratch / "log") == b"kept\n", "kept")


def bad_settings_are_refused_by_name():
    with Scratch() as scratch:
        def refused(text, *flags):
            done = subprocess.run([BINARY, "serve", "--data-dir", scratch / "log", "--check", *flags], capture_output=True, timeout=60)
            require(done.returncode == 2 and text.encode() in done.stderr, f"{flags}: {done}")
        refused("plaintext-beyond-loopback", "--listen", "0.0.0.0:9092")
        refused("advertise", "--listen", "localhost:9092", "--advertise", "no-such-name.invalid:9092")
        refused("HOST:PORT", "--listen", "9092")
        refused("server.loops", "--set", "server.loops=0")
        refused("Did you mean server.listen", "--set", "server.lisen=localhost:1")
        millrace(BINARY, "serve", "--data-dir", scratch / "log", "--check", "--listen", "localhost:9092")
        require(not (scratch / "log").exists(), "--check made a log")
        with Server(BINARY, scratch / "log") as server:
            done = subprocess.run([BINARY, "serve", "--data-dir", scratch / "other", "--listen", f"127.0.0.1:{server.port}"],
                                  capture_output=True, timeout=60)
            require(done.returncode == 6 and b"cannot listen on" in done.stderr, f"{done}")


def bad_clients_do_not_disturb_good_ones():
    with Scratch() as scratch:
        create(scratch / "log", "t")
        with Server(BINARY, scratch / "log", "--set", "server.handshake_timeout=2s", "--set", "server.progress_timeout=2s") as server:
            bad = []
            for first in (b"", b"\x00", b"\x7f\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x10\x00\x00\x12", b"\x06\x00\x00\x00" + b"x" * 1000):
                one = socket.create_connection(("127.0.0.1", server.port))
                one.sendall(first)
                bad.append(one)
            kcat(server, "-P", "-t", "t", stdin="\n".join(map(str, range(10_000))).encode())
            require(kcat(server, "-C", "-t", "t", *EVERYTHING).split()[-1] == b"9999", "good clients")
            for one in bad:
                one.settimeout(20)
                try:
                    ended = one.recv(1) == b""
                except ConnectionResetError:
                    ended = True
                require(ended, "a client that sends nothing of use is still connected")


def many_connections_come_and_go():
    with Scratch() as scratch:
        create(scratch / "log", "t")
        with Server(BINARY, scratch / "log", "--set", "server.connections_per_address_max=50") as server:
            held = []
            for _ in range(60):
                one = socket.create_connection(("127.0.0.1", server.port))
                one.settimeout(10)
                held.append(one)
            closed = 0
            for one in held[50:]:
                closed += one.recv(1) == b""
            require(closed == 10, f"{closed} of 10 beyond the limit were turned away")
            for one in held:
                one.close()
            deadline = time.monotonic() + 20
            while True:
                done = subprocess.run(["kcat", "-b", server.address, "-L"], capture_output=True, timeout=60)
                if done.returncode == 0 or time.monotonic() > deadline:
                    break
            require(done.returncode == 0, f"{done}")


if __name__ == "__main__":
    run_checks([metadata_and_unknown_topics, round_trip_of_every_codec, keys_headers_nulls_and_empty_values, offsets_by_time,
                cold_bytes_are_read_back, a_tailing_consumer_sees_what_is_appended, localhost_is_reached_by_both_its_addresses,
                dev_creates_topics_and_leaves_nothing, sigterm_answers_what_waits_and_ends_with_zero,
                a_second_signal_ends_it_at_once, bad_settings_are_refused_by_name, bad_clients_do_not_disturb_good_ones,
                many_connections_come_and_go])
