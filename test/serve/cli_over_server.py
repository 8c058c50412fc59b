#!/usr/bin/env python3
"""Goal: the verbs of the command line do the same over a server as in a directory, with the same output; what was
receipted is there after the server was killed; what only files can answer is refused by name.

Method: the real binary. Reading is compared between a server and a copy of its log that it was given; writing between a
server and a fresh directory that gets the same input.

usage: cli_over_server.py MILLRACE
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from server_process import Scratch, Server, require, run_checks

BINARY = sys.argv[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def run(*words, stdin=b"", environment=None, timeout=120):
    done = subprocess.run([BINARY, *map(str, words)], input=stdin, capture_output=True, timeout=timeout,
                          env=dict(ENVIRONMENT, **(environment or {})), check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def run_ok(*words, **options):
    code, out, err = run(*words, **options)
    require(code == 0, f"{words} ended with {code}: {err}")
    return out


def over(server):
    return ("--server", server.address)


def inside(log):
    return ("--data-dir", log)


def records(count, begin=0, time_ms=1_700_000_000_000):
    """Lines of JSON with keys, headers, nulls, empty values and bytes that are no text, each with its time."""
    lines = []
    for i in range(begin, begin + count):
        record = {"timestamp_ms": time_ms + i, "key": None if i % 7 == 0 else f"k{i % 13}",
                  "value": None if i % 11 == 0 else "" if i % 5 == 0 else f"value {i} é",
                  "headers": [{"key": "h", "value": str(i)}, {"key": "n", "value": None}] if i % 3 == 0 else []}
        if i % 17 == 0:
            record.update(key="a2V5", value="//79", headers=[], encoding="base64")
        lines.append(json.dumps(record))
    return ("\n".join(lines) + "\n").encode()


def fill(log):
    run_ok("topic", "create", "orders", "-p", 3, "-c", "retention.ms=-1", *inside(log))
    run_ok("topic", "create", "one", "-c", "millrace.durability=object", *inside(log))
    for i, codec in enumerate(CODECS):
        run_ok("produce", "orders", "--json", "-z", codec, *inside(log), stdin=records(400, 400 * i))
        run_ok("produce", "one", "--json", "-z", codec, "--acks", "os", *inside(log), stdin=records(100, 100 * i))


def reading_is_the_same():
    with Scratch() as scratch:
        log, copy = scratch / "log", scratch / "copy"
        fill(log)
        run_ok("segment", "upload", *inside(log))
        run_ok("wal", "recycle", *inside(log))  # a part is read back from objects
        run_ok("produce", "one", "--json", "--acks", "os", *inside(log), stdin=records(50, 500))
        shutil.copytree(log, copy)
        commands = [
            ["consume", "one"], ["consume", "one", "--json"], ["consume", "orders", "one", "--json"],
            ["consume", "one", "-f", "%t %p %o %T %Z %k %v %h %K %V\\n"], ["consume", "orders", "-p", "1", "--json"],
            ["consume", "one", "-n", "7"], ["consume", "one", "-n", "0"], ["consume", "one", "--from", "123", "--until", "321", "--json"],
            ["consume", "one", "--from", "@1700000000250", "-f", "%o\\n"], ["consume", "one", "--from", "@1700000000010", "--until", "@1700000000020", "-f", "%o\\n"],
            ["consume", "one", "--from", "latest"], ["consume", "one", "--from", "@now"], ["consume", "orders", "-p", "2", "--from", "550"],
            ["consume", "one", "--from", "550"], ["consume", "one", "--from", "551"], ["consume", "one", "--from", "100000"],
            ["consume", "none"], ["consume", "ones"], ["consume", "one", "-p", "5"], ["tail", "none"],
            ["tail", "one", "--no-follow"], ["tail", "one", "--no-follow", "-n", "300", "--json"], ["tail", "orders", "--no-follow", "-n", "5", "-f", "%p %o\\n"],
            ["topic", "describe", "none"], ["topic", "add-partitions", "none", "-n", "1"], ["topic", "rm", "none"],
        ]
        with Server(BINARY, log) as server:
            for command in commands:
                here, there = run(*command, *inside(copy)), run(*command, *over(server))
                require(here[:2] == there[:2], f"{command}: exit {here[0]} and {there[0]}, {len(here[1])} and {len(there[1])} bytes\n"
                        f"{here[1][:300]}\n{there[1][:300]}\n{here[2]}\n{there[2]}")
                require(here[0] != 0 or here[2] == there[2], f"{command}: {here[2]} and {there[2]}")


def describing_is_the_same_as_far_as_a_server_tells():
    with Scratch() as scratch:
        log, copy = scratch / "log", scratch / "copy"
        fill(log)
        shutil.copytree(log, copy)
        with Server(BINARY, log) as server:
            here = json.loads(run_ok("topic", "ls", "--json", *inside(copy)))
            there = json.loads(run_ok("topic", "ls", "--json", *over(server)))
            for topic in here["topics"]:
                topic["partitions"] = [{name: one[name] for name in ("partition", "log_start", "log_end")} for one in topic["partitions"]]
            require(here == there, f"{here}\n{there}")
            for topic in ("orders", "one"):
                told = json.loads(run_ok("topic", "describe", topic, "--json", *over(server)))
                require(told == dict(next(t for t in here["topics"] if t["name"] == topic), schema="millrace.topic.v1"), f"{told}")
                here_text = [line.split("\t") for line in run_ok("topic", "describe", topic, *inside(copy)).decode().splitlines()]
                text = [line.split("\t") for line in run_ok("topic", "describe", topic, *over(server)).decode().splitlines()]
                unknown = ("bytes_local", "bytes_object", "segments")
                require(text == [[name, "-" if name in unknown else value] for name, value in here_text], f"{text}")
            rows = [line.split("\t") for line in run_ok("topic", "describe", "orders", "--partitions", *over(server)).decode().splitlines()]
            ends = [one["log_end"] for one in next(t for t in here["topics"] if t["name"] == "orders")["partitions"]]
            require(rows == [[str(i), "0", "-", "-", "-", str(end)] for i, end in enumerate(ends)], f"{rows}")
            require(all(row[3:] == ["-", "-"] for row in (line.split("\t") for line in run_ok("topic", "ls", *over(server)).decode().splitlines())), "topic ls")


def writing_is_the_same():
    with Scratch() as scratch:
        log, other = scratch / "log", scratch / "other"
        now = int(time.time() * 1000)  # a server keeps what is a week old at most, unless it is told otherwise
        with Server(BINARY, log) as server:
            commands = [
                (["topic", "create", "orders", "-p", "4", "-c", "retention.ms=7d"], b""), (["topic", "create", "orders"], b""),
                (["topic", "create", "no/name"], b""), (["topic", "create", "x", "-c", "retention.ms=soon"], b""),
                (["topic", "create", "x", "-c", "millrace.cleanup=consumed", "-c", "retention.bytes=1GiB", "-c", "retention.ms=-1"], b""),
                (["produce", "made", "--receipts", "--json"], records(20, 0, now)),
                *[(["produce", "made", "--receipts", "--json", "-z", codec, "--batch", "33"], records(100, 100 * i, now)) for i, codec in enumerate(CODECS)],
                (["produce", "orders", "--receipts", "-f", "%T %k %v"], "".join(f"{now + i} k{i % 9} v{i}\n" for i in range(300)).encode()),
                (["produce", "orders", "-p", "3", "--json", "--receipts", "--acks", "os"], records(10, 0, now)),
                (["produce", "orders", "-p", "9"], b"x\n"), (["produce", "orders", "--json"], b"no json\n"),
                (["produce", "made", "--json", "--receipts"], b""),
                (["topic", "add-partitions", "orders", "-n", "2"], b""), (["topic", "rm", "x", "none"], b""), (["topic", "rm", "x"], b""),
            ]
            for command, stdin in commands:
                here, there = run(*command, *inside(other), stdin=stdin), run(*command, *over(server), stdin=stdin)
                require(here[:2] == there[:2], f"{command}: exit {here[0]} and {there[0]}\n{here[1]}\n{there[1]}\n{here[2]}\n{there[2]}")
                require(here[0] != 0 or here[2] == there[2], f"{command}: {here[2]} and {there[2]}")
            require(server.stop() == 0, server.say)
        for topic in ("orders", "made"):
            for partition in ("0", "1", "2", "3", "4", "5"):
                words = ["consume", topic, "-p", partition, "--json"]
                require(run(*words, *inside(other))[:2] == run(*words, *inside(log))[:2], f"{words}")
        settings = [json.loads(run_ok("topic", "describe", "orders", "--json", *inside(where)))["config"] for where in (other, log)]
        require(settings[0] == settings[1], f"{settings}")


def many_lines_come_back():
    with Scratch() as scratch:
        lines = [f"line {i} " + "x" * (i % 100) for i in range(100_000)]
        text = ("\n".join(lines) + "\n").encode()
        with Server(BINARY, scratch / "log") as server:
            run_ok("topic", "create", "t", *over(server))
            receipts = [json.loads(line) for line in run_ok("produce", "t", "--receipts", "-z", "lz4", *over(server), stdin=text).splitlines()]
            require(receipts[0]["base_offset"] == 0 and receipts[-1]["last_offset"] == 99_999, f"{receipts[0]} {receipts[-1]}")
            require(all(a["last_offset"] + 1 == b["base_offset"] for a, b in zip(receipts, receipts[1:])), "offsets are not in the order of the lines")
            require(run_ok("consume", "t", *over(server)) == text, "what came back differs")


def a_tail_follows():
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        run_ok("topic", "create", "t", "-p", 2, *over(server))
        run_ok("produce", "t", "-p", 0, *over(server), stdin=b"before\n")
        with subprocess.Popen([BINARY, "tail", "t", *over(server)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as tail:
            watchdog = threading.Timer(60, tail.kill)
            watchdog.start()
            require(tail.stdout.readline() == b"before\n", "what was there")
            for i in range(10):
                run_ok("produce", "t", "-p", i % 2, *over(server), stdin=f"m{i}\n".encode())
                require(tail.stdout.readline() == f"m{i}\n".encode(), f"m{i}")
            tail.send_signal(signal.SIGINT)
            started = time.monotonic()
            require(tail.wait(30) == 130, f"exit {tail.returncode}: {tail.stderr.read()}")
            require(time.monotonic() - started < 5, "SIGINT did not end the wait")
            watchdog.cancel()


def a_tail_goes_on_when_the_server_comes_back():
    with Scratch() as scratch:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        command = [BINARY, "serve", "--data-dir", str(scratch / "log"), "--listen", f"127.0.0.1:{port}"]

        def serve():
            process = subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT)
            for line in process.stderr:
                if line == b"ready\n":
                    return process
            raise AssertionError("the server is not ready")

        address = ("--server", f"127.0.0.1:{port}")
        first = serve()
        run_ok("produce", "t", *address, stdin=b"before\n")
        with subprocess.Popen([BINARY, "tail", "t", *address], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as tail:
            watchdog = threading.Timer(60, tail.kill)
            watchdog.start()
            require(tail.stdout.readline() == b"before\n", "what was there")
            first.kill()
            first.wait()
            second = serve()
            run_ok("produce", "t", *address, stdin=b"after\n")
            require(tail.stdout.readline() == b"after\n", "what came after")
            tail.kill()
            watchdog.cancel()
        second.kill()
        second.wait()
        for process in (first, second):
            process.stderr.close()


def receipts_hold_when_the_server_is_killed():
    with Scratch() as scratch:
        log, receipts = scratch / "log", []
        with Server(BINARY, log) as server:
            run_ok("topic", "create", "t", *over(server))
            with subprocess.Popen([BINARY, "produce", "t", "--receipts", "--acks", "os", "--batch", "20", *over(server)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as producer:
                def feed():
                    try:
                        for i in range(10_000_000):
                            producer.stdin.write(f"v{i}\n".encode())
                    except OSError:
                        pass
                    try:
                        producer.stdin.close()
                    except OSError:
                        pass

                feeder = threading.Thread(target=feed)
                feeder.start()
                for line in producer.stdout:
                    receipts.append(json.loads(line))
                    if len(receipts) == 300:
                        server.kill()
                said = producer.stderr.read().decode()
                require(producer.wait(60) == 6, f"exit {producer.returncode}: {said}")
                feeder.join()
        require("may be stored" in said or "not sent" in said or "cannot connect" in said, said)
        require(len(receipts) >= 300, f"{len(receipts)} receipts: the test shows nothing")
        values = run_ok("consume", "t", *inside(log)).decode().split()
        # What was in flight may be there too; nothing twice, nothing out of order, nothing missing before a receipt.
        require(values == [f"v{i}" for i in range(len(values))], "not each line once, in order")
        require(receipts[-1]["last_offset"] < len(values), f"{receipts[-1]} and {len(values)} records")
        require([r["base_offset"] for r in receipts[1:]] == [r["last_offset"] + 1 for r in receipts[:-1]], "receipts out of order")


def where_no_server_is_it_is_said():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        for words in (["topic", "ls"], ["consume", "t"], ["produce", "t"], ["tail", "t"]):
            code, out, err = run(*words, "--server", f"127.0.0.1:{port}", stdin=b"x\n")
            require(code == 6 and out == b"", f"{words}: {code} {err}")
            require(f"cannot connect to 127.0.0.1:{port}: Connection refused. Is `millrace serve` running?" in err, err)
    code, _, err = run("topic", "ls", "--server", "no-such-name.invalid:1")
    require(code == 6 and "no-such-name.invalid" in err, err)
    code, _, err = run("topic", "ls", "--server", "host:no")
    require(code == 2 and "HOST:PORT" in err, err)


def what_needs_files_is_refused_by_name():
    place = ("--server", "localhost:1")
    verbs = {
        "cursor read": ["t", "c"], "cursor ls": ["t"], "cursor peek": ["t", "c"], "cursor seek": ["t", "c", "0"], "cursor rm": ["t", "c"],
        "segment ls": ["t"], "segment upload": [], "segment verify": [], "segment cat": ["t"], "wal ls": [], "wal verify": [], "wal recycle": [],
        "topic alter": ["t", "-p", "2"], "topic trim": ["t", "--before", "1"], "status": [], "maintain": [],
    }
    for verb, words in verbs.items():
        code, _, err = run(*verb.split(), *words, *place)
        require(code == 2 and f"{verb} works on the files of a log: use --data-dir" in err, f"{verb}: {code} {err}")
    for flags in (["--explain"], ["--isolation", "read_committed"]):
        code, _, err = run("consume", "t", *flags, *place)
        require(code == 2 and "works on the files of a log: use --data-dir" in err, f"{flags}: {code} {err}")
    for flags in (["--data-dir", "d"], ["--store", "memory:"], ["--wait", "1s"]):
        code, _, err = run("topic", "ls", *flags, *place)
        require(code == 2, f"{flags}: {code} {err}")


def groups_are_the_same():
    with Scratch() as scratch, Server(BINARY, scratch / "log", "--set", "server.group_initial_delay=0ms") as server:
        run_ok("topic", "create", "t", "-p", 2, *over(server))
        run_ok("produce", "t", "-p", 0, *over(server), stdin=b"".join(b"v%d\n" % i for i in range(5)))
        require(run_ok("group", "ls", *over(server)) == b"", "a group from nowhere")
        code, _, err = run("group", "describe", "g", *over(server))
        require(code == 3 and "there is no group g" in err, err)
        run_ok("group", "seek", "g", "t", "--to", "2", "-p", 0, *over(server))
        require(run("group", "seek", "g", "t", "--to", "6", "-p", 0, *over(server))[0] == 1, "past the end")
        require(run_ok("group", "ls", *over(server)).split() == [b"g"], "ls")
        lag = json.loads(run_ok("group", "lag", "--json", *over(server)))
        require(lag["groups"] == [{"group": "g", "lag": 3, "positions": [{"topic": "t", "partition": 0, "position": 2, "lag": 3}]}], f"{lag}")
        # A member goes on from there, and while it is there nobody moves or removes its group.
        member = subprocess.Popen(["kcat", "-b", server.address, "-X", "broker.address.ttl=100", "-X", "session.timeout.ms=6000", "-u", "-G", "g", "t"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        require([member.stdout.readline() for _ in range(3)] == [b"v2\n", b"v3\n", b"v4\n"], "where it began")
        for words in (["seek", "g", "t", "--to", "0"], ["rm", "g"]):
            code, _, err = run("group", *words, *over(server))
            require(code == 6 and "has members" in err, f"{words}: {code} {err}")
        member.send_signal(signal.SIGINT)
        member.wait(30)
        described = json.loads(run_ok("group", "describe", "g", "--json", *over(server)))
        require(described["positions"] == [{"topic": "t", "partition": 0, "position": 5, "lag": 0}], f"{described}")
        run_ok("group", "seek", "g", "t", "--to", "earliest", "-p", 0, *over(server))
        there = run_ok("group", "describe", "g", *over(server))
        server.stop()
        require(run_ok("group", "describe", "g", *inside(scratch / "log")) == there, "in its directory")
        require(run_ok("consume", "t", "-g", "g", *inside(scratch / "log")).split()[0] == b"v0", "a consumer of the library goes on")
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        run_ok("topic", "create", "t", *over(server))
        run_ok("group", "seek", "g", "t", "--to", "0", *over(server))
        run_ok("group", "rm", "g", *over(server))
        require(run_ok("group", "ls", *over(server)) == b"", "it is removed")
        require(run("group", "rm", "g", *over(server))[0] == 3, "removed twice")


def the_environment_names_a_server():
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        environment = {"MILLRACE_SERVER": server.address}
        run_ok("produce", "t", environment=environment, stdin=b"a\n")
        require(run_ok("consume", "t", environment=environment) == b"a\n", "consume")
        code, _, err = run("topic", "ls", environment=dict(environment, MILLRACE_DATA_DIR="d"))
        require(code == 2 and "both given" in err, err)


def durability_is_never_less_than_asked():
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        for name in ("disk", "object", "os"):
            run_ok("topic", "create", name, "-c", f"millrace.durability={name}", *over(server))
        for topic, acks, reached in (("disk", "os", "os"), ("disk", "disk", "disk"), ("disk", "object", None), ("os", "disk", None), ("os", "os", "os"),
                                     ("object", "disk", "object"), ("object", "object", "object"), ("object", "os", "os")):
            code, out, err = run("produce", topic, "--acks", acks, "--receipts", *over(server), stdin=b"a\n")
            if reached is None:
                require(code == 2 and "millrace.durability" in err, f"{topic} {acks}: {code} {err}")
            else:
                require(code == 0 and json.loads(out)["durability"] == reached, f"{topic} {acks}: {code} {out} {err}")


def lines_that_are_too_long_are_told():
    with Scratch() as scratch, Server(BINARY, scratch / "log") as server:
        long = b"x" * (2 << 20) + b"\n"
        code, _, err = run("produce", "t", *over(server), stdin=b"a\n" + long)
        require(code == 2 and "max.message.bytes" in err, err)
        run_ok("produce", "t", "--on-long-line", "truncate", *over(server), stdin=b"b\n" + long + b"c\n")
        lines = run_ok("consume", "t", *over(server)).split(b"\n")
        require(lines[:2] == [b"a", b"b"] and 1_000_000 < len(lines[2]) < 1 << 20 and lines[3:] == [b"c", b""], f"{[len(line) for line in lines]}")


def what_is_no_server_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                one.recv(1000)
                one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                one.close()

        threading.Thread(target=answer, daemon=True).start()
        code, _, err = run("topic", "ls", "--server", f"127.0.0.1:{listener.getsockname()[1]}")
        require(code == 9 and "Kafka's protocol" in err, f"{code} {err}")


if __name__ == "__main__":
    run_checks([reading_is_the_same, describing_is_the_same_as_far_as_a_server_tells, writing_is_the_same, many_lines_come_back, a_tail_follows,
                a_tail_goes_on_when_the_server_comes_back, receipts_hold_when_the_server_is_killed, where_no_server_is_it_is_said,
                what_needs_files_is_refused_by_name, groups_are_the_same, the_environment_names_a_server, durability_is_never_less_than_asked,
                lines_that_are_too_long_are_told, what_is_no_server_is_told])
