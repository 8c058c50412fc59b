#!/usr/bin/env python3
"""Goal: consumers of a foreign client, or of several in one group, share a topic of `millrace serve` out among themselves: everything comes, nothing
whose position was committed comes again, whoever joins, leaves or dies, the server included; a static member that is back in time disturbs nobody.

Method: the real binary; each member is a driver (README.md) that consumes until its standard input ends; what all of them told is put together.

usage: group_scenarios.py MILLRACE CLIENT...
"""
import sys

import install
from driver import Scratch, Server, require, run_checks, run_driver
from members import PARTITIONS, Group

BINARY, CLIENTS = sys.argv[1], sys.argv[2:]
EACH = 3_000
STATIC = [client for client in CLIENTS if client not in ("kafka_python_2", "kafkajs", "platformatic")]  # those that have static members
NO_DELAY = ("--set", "server.group_initial_delay=0ms")


def produce(server, count=EACH):
    require(run_driver(CLIENTS[0], server, "bulk", "t", "none", count, 50) == [str(count)], "not every record was acknowledged")


def create(server):
    require(run_driver(CLIENTS[0], server, "create", "t", PARTITIONS) == [], "create")


def members_come_and_go():
    first, second, third = (CLIENTS * 3)[:3]
    with Scratch() as scratch, Server(BINARY, scratch / "log", *NO_DELAY) as server, Group(server.address) as group:
        create(server)
        produce(server)
        a, b = group.join(first), group.join(second)
        group.await_all("shared by two", group.shares_out(a, b))
        produce(server)
        c = group.join(third)
        group.await_all("shared by three", group.shares_out(a, b, c))
        produce(server)
        b.end()
        group.await_all("shared by those who stayed", group.shares_out(a, c))
        produce(server)
        c.kill()
        group.await_all("one's alone", group.shares_out(a))
        produce(server)
        group.await_all("whole", group.has_all(5 * EACH))
        group.check(5 * EACH)
        a.end()


def the_server_dies_and_comes_back():
    first, second = (CLIENTS * 2)[:2]
    with Scratch() as scratch:
        with Server(BINARY, scratch / "log", *NO_DELAY) as server:
            create(server)
            produce(server)
            group = Group(server.address)
            a, b = group.join(first), group.join(second)
            group.await_all("shared by two", group.shares_out(a, b))
            group.await_all("read", group.has_all(EACH))
            group.await_all("committed", lambda: all(member.committed == len(member.came) for member in group.members))
            port = server.port
            server.kill()
        with group, Server(BINARY, scratch / "log", *NO_DELAY, "--listen", f"localhost:{port}", "--advertise", f"localhost:{port}") as server:
            produce(server)
            group.await_all("whole", group.has_all(2 * EACH))
            group.check(2 * EACH)
            a.end()
            b.end()


def a_static_member_is_back_in_time():
    with Scratch() as scratch, Server(BINARY, scratch / "log", *NO_DELAY) as server, Group(server.address) as group:
        create(server)
        produce(server)
        a, b = (group.join(client, f"instance-{i}") for i, client in enumerate((STATIC * 2)[:2]))
        group.await_all("shared by two", group.shares_out(a, b))
        group.await_all("read", group.has_all(EACH))
        before, looks = b.assigned[-1], len(a.assigned)
        b.end()
        again = group.join(b.client, "instance-1")
        group.await_all("given again", lambda: bool(again.assigned))
        require(again.assigned == [before], f"it had {before} and was given {again.assigned}")
        produce(server)
        group.await_all("whole", group.has_all(2 * EACH))
        group.check(2 * EACH)
        require(len(a.assigned) == looks, f"the other was disturbed: {a.assigned}")


if __name__ == "__main__":
    try:
        for wanted in CLIENTS:
            install.install(wanted)
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
    run_checks([members_come_and_go, the_server_dies_and_comes_back] + [a_static_member_is_back_in_time] * bool(STATIC))
