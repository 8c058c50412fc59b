#!/usr/bin/env python3
"""Goal: what `millrace produce --server` sends is in the log once and in order, whatever becomes of the answers: the connection breaks behind
every few of them, or the server is killed and comes back.

Method: the real binary on both sides; a proxy between them that lets requests through and drops the connection instead of an answer; kill -9
of the server while lines are fed. The log is read in its directory afterwards.

usage: produce_again.py MILLRACE
"""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

from server_process import Scratch, Server, millrace, require, run_checks

BINARY = sys.argv[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
LINES = 20_000


class DroppingProxy:
    """Forwards to `port`; each answer to a produce request, but for the first few, has one chance in EVERY to be lost with its connection."""
    EVERY, PRODUCE = 20, 0

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.to = self.listener.getsockname()[1], None
        self.answers, self.dropped, self.lock = 0, 0, threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            asked = []  # the APIs that were asked, oldest first
            threading.Thread(target=self.requests, args=(client, server, asked), daemon=True).start()
            threading.Thread(target=self.replies, args=(client, server, asked), daemon=True).start()

    @staticmethod
    def frame(stream):
        head = stream.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return None
        body = stream.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
        return head + body

    def requests(self, client, server, asked):
        try:
            while frame := self.frame(client):
                asked.append(int.from_bytes(frame[4:6], "big"))
                server.sendall(frame)
        except OSError:
            pass
        self.end(client, server)

    def replies(self, client, server, asked):
        try:
            while frame := self.frame(server):
                if asked.pop(0) == self.PRODUCE and self.drops():
                    break
                client.sendall(frame)
        except OSError:
            pass
        self.end(client, server)

    def drops(self):
        with self.lock:
            self.answers += 1
            drop = self.answers % self.EVERY == 0
            self.dropped += drop
            return drop

    @staticmethod
    def end(*sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def check_log(log, lines):
    values = [line.split("\t") for line in millrace(BINARY, "consume", "t", "-f", "%p\\t%v\\n", "--data-dir", log).decode().splitlines()]
    require(len(values) == lines, f"{len(values)} records of {lines} lines")
    for partition in {partition for partition, _ in values}:
        numbers = [int(value) for place, value in values if place == partition]
        require(numbers == sorted(set(numbers)), f"partition {partition} has lines twice, or out of order")


def check_receipts(text, lines):
    receipts = [json.loads(line) for line in text.splitlines()]
    require(sum(one["last_offset"] - one["base_offset"] + 1 for one in receipts) == lines, "not each record has its receipt")
    for partition in {one["partition"] for one in receipts}:
        of_it = [one for one in receipts if one["partition"] == partition]
        require(all(b["base_offset"] == a["last_offset"] + 1 for a, b in zip(of_it, of_it[1:])), f"receipts of partition {partition} overlap, or leave holes")


def answers_that_are_lost_make_no_duplicates():
    with Scratch() as scratch, DroppingProxy() as proxy:
        log = scratch / "log"
        with Server(BINARY, log, "--advertise", f"localhost:{proxy.port}") as server:
            found = re.search(r"listening +\S+:(\d+)", server.say)
            require(found, f"where it listens is not in what it said: {server.say}")
            proxy.to = int(found.group(1))
            address = ("--server", f"localhost:{proxy.port}")
            millrace(BINARY, "topic", "create", "t", "-p", 3, *address)
            for acks in ("disk", "os"):
                text = "".join(f"{i}\n" for i in range(LINES)).encode()
                run = subprocess.run([BINARY, "produce", "t", "--receipts", "--batch", "50", "--acks", acks, *address], input=text, capture_output=True,
                                     timeout=240, env=ENVIRONMENT)
                require(run.returncode == 0, f"produce ended with {run.returncode}: {run.stderr.decode()}\n{server.say}")
                check_receipts(run.stdout, LINES)
                check_dropped(proxy)
                if acks == "disk":
                    millrace(BINARY, "topic", "rm", "t", *address)
                    millrace(BINARY, "topic", "create", "t", "-p", 3, *address)
            require(server.stop() == 0, server.say)
        check_log(log, LINES)


def check_dropped(proxy):
    require(proxy.dropped > 5, f"only {proxy.dropped} answers were dropped: the test shows nothing")
    proxy.dropped = 0


def a_server_that_is_killed_and_comes_back_has_each_line_once():
    with Scratch() as scratch:
        log = scratch / "log"
        server = Server(BINARY, log)
        port = server.port
        address = ("--server", server.address)
        again = ("--listen", f"localhost:{port}", "--advertise", f"localhost:{port}")
        millrace(BINARY, "topic", "create", "t", "-p", 3, *address)
        kills, sent = 0, 0
        with subprocess.Popen([BINARY, "produce", "t", "--receipts", "--batch", "50", *address], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=ENVIRONMENT) as producer:
            receipts, said = [], []
            readers = [threading.Thread(target=lambda: receipts.append(producer.stdout.read())), threading.Thread(target=lambda: said.append(producer.stderr.read()))]
            for reader in readers:
                reader.start()
            while kills < 10:
                begun = time.monotonic()
                while time.monotonic() - begun < 0.4:  # lines go on while it is killed
                    producer.stdin.write("".join(f"{i}\n" for i in range(sent, sent + 100)).encode())
                    sent += 100
                    producer.stdin.flush()
                    time.sleep(0.002)
                server.kill()
                server = Server(BINARY, log, *again)
                kills += 1
            producer.stdin.close()
            code = producer.wait(120)
            for reader in readers:
                reader.join()
        require(code == 0, f"produce ended with {code}: {said[0].decode()}\n{server.say}")
        check_receipts(receipts[0], sent)
        require(server.stop() == 0, server.say)
        check_log(log, sent)
        print(f"kills={kills} lines={sent}")


if __name__ == "__main__":
    run_checks([answers_that_are_lost_make_no_duplicates, a_server_that_is_killed_and_comes_back_has_each_line_once])
