#!/usr/bin/env python3
"""Goal: `millrace consume -g` over a server is a member of its group as any Kafka client is: partitions are shared out, whoever comes, goes or
dies; nothing is lost, what was committed does not come again, and nothing is committed that was not printed. Positions are those of the library
and of kcat.

Method: the real binary, several at once, kcat beside it, kill -9 of members and of the server. What all of them printed is put together.

usage: consume_in_group.py MILLRACE
"""
import json
import os
import signal
import subprocess
import sys
import threading
import time

from server_process import Scratch, Server, kcat, millrace, require, run_checks

BINARY = sys.argv[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
NO_DELAY = ("--set", "server.group_initial_delay=0ms")
PARTITIONS, EACH, WITHIN_S = 4, 2_000, 60


class Consumer:
    def __init__(self, server, *flags, group="g"):
        self.process = subprocess.Popen([BINARY, "consume", "t", "-g", group, "--follow", "-f", "%p\\t%o\\t%v\\n", "--server", server.address, *flags],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.came, self.said = [], ""
        self.threads = [threading.Thread(target=self.read, daemon=True), threading.Thread(target=self.listen, daemon=True)]
        for thread in self.threads:
            thread.start()

    def read(self):
        for line in self.process.stdout:
            partition, offset, value = line.rstrip("\n").split("\t")
            self.came.append((int(partition), int(offset), value))

    def listen(self):
        self.said = self.process.stderr.read()

    def end(self, by=signal.SIGINT, code=130):
        self.process.send_signal(by)
        ended = self.process.wait(WITHIN_S)
        for thread in self.threads:
            thread.join()
        require(ended == code, f"it ended with {ended}: {self.said}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def wait_until(what, holds, *consumers):
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        require(time.monotonic() < deadline, f"within {WITHIN_S} s not {what}: {[(len(c.came), c.process.poll(), c.said) for c in consumers]}")
        time.sleep(0.05)


def over(server):
    return ("--server", server.address)


def create(server):
    millrace(BINARY, "topic", "create", "t", "-p", PARTITIONS, *over(server))


def produce(server, begin):
    millrace(BINARY, "produce", "t", "--key-separator", ":", *over(server), stdin="".join(f"k{i}:{i}\n" for i in range(begin, begin + EACH)).encode())


def describe(server, group="g"):
    return json.loads(millrace(BINARY, "group", "describe", group, "--json", *over(server)))


def shares(server):
    """What each member has, if each partition is somebody's alone and everybody has some; else None."""
    if "g" not in millrace(BINARY, "group", "ls", *over(server)).decode().split():
        return None  # nobody has joined yet
    of_members = [[one["partition"] for one in member["assigned"]] for member in describe(server)["members"]]
    return of_members if sorted(sum(of_members, [])) == list(range(PARTITIONS)) and all(of_members) else None


def check_whole(count, *consumers):
    came = [record for consumer in consumers for record in consumer.came]
    require(sorted({int(value) for _, _, value in came}) == list(range(count)), f"{len(came)} records of {count} are not all of them")
    return came


def has_all(count, *consumers):
    return lambda: len({value for consumer in consumers for _, _, value in consumer.came}) == count


def members_share_and_hand_over():
    with Scratch() as scratch, Server(BINARY, scratch / "log", *NO_DELAY) as server:
        create(server)
        produce(server, 0)
        with Consumer(server) as one:
            wait_until("read by one", has_all(EACH, one), one)
            with Consumer(server) as other:
                wait_until("shared by two", lambda: len(shares(server) or []) == 2, one, other)
                members = millrace(BINARY, "group", "describe", "g", "--members", *over(server)).decode().splitlines()
                require(len(members) == 2 and all(line.split("\t")[1] == "millrace" for line in members), f"{members}")
                produce(server, EACH)
                wait_until("read by two", has_all(2 * EACH, one, other), one, other)
                require(other.came and all(int(value) >= EACH for _, _, value in other.came), "what the first had committed came again")
                one.end()
                # It has left: nobody waits for its session to be over.
                require(len(describe(server)["members"]) == 1, "it is still there")
                produce(server, 2 * EACH)
                wait_until("read by the other", has_all(3 * EACH, one, other), one, other)
                came = check_whole(3 * EACH, one, other)
                require(len(came) == 3 * EACH, "something came twice, though everybody left in peace")
                wait_until("committed", lambda: describe(server)["lag"] == 0, one, other)
                other.end()
        require(describe(server)["members"] == [] and describe(server)["lag"] == 0, f"{describe(server)}")


def who_dies_is_replaced():
    with Scratch() as scratch, Server(BINARY, scratch / "log", *NO_DELAY) as server:
        create(server)
        produce(server, 0)
        with Consumer(server) as one, Consumer(server) as other:
            wait_until("shared by two", lambda: len(shares(server) or []) == 2, one, other)
            one.process.kill()
            one.process.wait()
            produce(server, EACH)
            wait_until("whole", has_all(2 * EACH, one, other), one, other)
            check_whole(2 * EACH, one, other)
            wait_until("committed", lambda: describe(server)["lag"] == 0, one, other)
            other.end()


def the_server_dies_and_comes_back():
    with Scratch() as scratch:
        server = Server(BINARY, scratch / "log", *NO_DELAY)
        create(server)
        produce(server, 0)
        with Consumer(server) as one, Consumer(server) as other:
            wait_until("shared by two", lambda: len(shares(server) or []) == 2, one, other)
            wait_until("read", has_all(EACH, one, other), one, other)
            port = server.port
            for kill in range(1, 4):
                server.kill()
                server = Server(BINARY, scratch / "log", *NO_DELAY, "--listen", f"localhost:{port}", "--advertise", f"localhost:{port}")
                produce(server, kill * EACH)
                wait_until("whole", has_all((kill + 1) * EACH, one, other), one, other)
            came = check_whole(4 * EACH, one, other)
            for partition in range(PARTITIONS):
                for consumer in (one, other):
                    offsets = [offset for place, offset, _ in consumer.came if place == partition]
                    require(offsets == sorted(offsets), f"positions of partition {partition} went back")
            print(f"records={len(came)}")
            # Whoever looks into its directory then finds who was in the group.
            server.kill()
            described = json.loads(millrace(BINARY, "group", "describe", "g", "--json", "--data-dir", scratch / "log"))
            assigned = [place["partition"] for member in described["members"] for place in member["assigned"]]
            require(described["state"] == "Stable" and sorted(assigned) == list(range(PARTITIONS)), f"{described}")
            # Nobody is there whom they could tell that they leave.
            one.end()
            other.end()


def positions_are_those_of_the_library_and_of_kcat():
    with Scratch() as scratch:
        log = scratch / "log"
        group_of_kcat = ("-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000", "-q", "-u", "-G", "g", "t")
        with Server(BINARY, log, *NO_DELAY) as server:
            millrace(BINARY, "topic", "create", "t", *over(server))
            millrace(BINARY, "produce", "t", *over(server), stdin=b"".join(b"%d\n" % i for i in range(12)))
            require(millrace(BINARY, "consume", "t", "-g", "g", "-n", 3, *over(server)).split() == [b"0", b"1", b"2"], "over the server")
            require(kcat(server, "-c", 3, *group_of_kcat).split() == [b"3", b"4", b"5"], "kcat goes on")
            require(millrace(BINARY, "consume", "t", "-g", "g", "-n", 2, *over(server)).split() == [b"6", b"7"], "and we where kcat was")
            # By hand, without being a member.
            require(millrace(BINARY, "consume", "t", "-g", "g", "-p", 0, "-n", 1, *over(server)).split() == [b"8"], "by hand")
            server.stop()
        require(millrace(BINARY, "consume", "t", "-g", "g", "-n", 1, "--data-dir", log).split() == [b"9"], "the library goes on")
        with Server(BINARY, log, *NO_DELAY) as server:
            require(kcat(server, "-c", 1, *group_of_kcat).split() == [b"10"], "kcat where the library was")
            require(millrace(BINARY, "consume", "t", "-g", "g", *over(server)).split() == [b"11"], "to the end")
            require(millrace(BINARY, "consume", "t", "-g", "g", *over(server)) == b"", "nothing twice")


def a_group_with_kcat_in_it():
    with Scratch() as scratch, Server(BINARY, scratch / "log", *NO_DELAY) as server:
        create(server)
        command = ["kcat", "-b", server.address, "-X", "broker.address.ttl=100", "-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000",
                   "-X", "heartbeat.interval.ms=500", "-q", "-u", "-f", "%p %o %s\\n", "-G", "g", "t"]
        with Consumer(server) as ours, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as theirs:
            try:
                lines = []
                reader = threading.Thread(target=lambda: lines.extend(theirs.stdout), daemon=True)
                reader.start()
                wait_until("shared by two", lambda: len(shares(server) or []) == 2, ours)
                produce(server, 0)
                wait_until("whole", lambda: len({value for _, _, value in ours.came} | {line.split()[2] for line in list(lines)}) == EACH, ours)
                require(ours.came and lines, "one of them had nothing")
                require(not {place for place, _, _ in ours.came} & {int(line.split()[0]) for line in lines}, "both read one partition")
                # A group that somebody is in is moved by nobody else, and a dry run says so.
                for flags in ((), ("--dry-run",)):
                    run = subprocess.run([BINARY, "group", "seek", "g", "t", "--to", "-1", *flags, *over(server)], capture_output=True, text=True, env=ENVIRONMENT)
                    require(run.returncode == 6 and "has members" in run.stderr, f"{flags}: {run}")
                ours.end()
            finally:
                theirs.send_signal(signal.SIGINT)
                theirs.wait(WITHIN_S)
        before = describe(server)["positions"]
        run = subprocess.run([BINARY, "group", "seek", "g", "t", "--to", "-2", "--dry-run", *over(server)], capture_output=True, text=True, env=ENVIRONMENT)
        require(run.returncode == 0 and run.stderr.count("would go on at offset") == PARTITIONS, f"{run}")
        require(describe(server)["positions"] == before, "a dry run moved it")
        millrace(BINARY, "group", "seek", "g", "t", "--to", "-2", *over(server))
        after = describe(server)["positions"]
        require([(b["position"] - a["position"]) for a, b in zip(after, before)] == [2] * PARTITIONS, f"{before} {after}")


def what_was_not_printed_comes_again():
    with Scratch() as scratch, Server(BINARY, scratch / "log", *NO_DELAY) as server:
        millrace(BINARY, "topic", "create", "t", *over(server))
        lines = [f"{i} ".ljust(500, "v") for i in range(5_000)]
        millrace(BINARY, "produce", "t", *over(server), stdin="".join(line + "\n" for line in lines).encode())
        command = [BINARY, "consume", "t", "-g", "g", *over(server)]
        read = b""
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as first:
            while len(read) < 100_000:
                read += os.read(first.stdout.fileno(), 4_096)
            first.stdout.close()  # its reader has enough
            first.wait(WITHIN_S)
        rest = millrace(BINARY, "consume", "t", "-g", "g", *over(server)).decode().splitlines()
        whole = read.decode().splitlines()[: read.count(b"\n")]
        require(rest and rest[-1] == lines[-1], "the end is not there")
        begin = lines.index(rest[0])
        require(begin <= len(whole), f"{len(whole)} lines were taken, and it goes on at {begin}: the others were never printed")
        require(whole == lines[: len(whole)] and rest == lines[begin:], "not in order")


def ways_to_commit():
    with Scratch() as scratch, Server(BINARY, scratch / "log", *NO_DELAY) as server:
        millrace(BINARY, "topic", "create", "t", *over(server))
        millrace(BINARY, "produce", "t", *over(server), stdin=b"a\nb\nc\n")

        def consume(*flags):
            return millrace(BINARY, "consume", "t", "-g", "g", *flags, *over(server)).decode().split()
        require(consume("--commit", "none") == ["a", "b", "c"] and consume("--commit", "end", "-n", "1") == ["a"] and consume() == ["b", "c"], "none, end, poll")
        require(consume("--from", "1", "-n", "1") == ["b"] and consume("--until", "2") == [] and consume() == ["c"], "--from and --until")


if __name__ == "__main__":
    run_checks([members_share_and_hand_over, who_dies_is_replaced, the_server_dies_and_comes_back, positions_are_those_of_the_library_and_of_kcat,
                a_group_with_kcat_in_it, what_was_not_printed_comes_again, ways_to_commit])
