#!/usr/bin/env python3
"""Goal: the server is killed again and again while an idempotent producer sends through a proxy that drops every 20th of its replies, and a group of
three consumes and commits: no record is lost or in the log twice, committed positions never go back, and what the three got together is the log. (B83,
B84)

Method: the real binary and foreign clients. All connections go through the proxy (dropping_proxy.py), which drops replies to the producer alone; what the
group committed is asked for all the while by requests of our own, and held against what members were told.

usage: under_fire.py MILLRACE KILLS PRODUCER CONSUMER CONSUMER CONSUMER
"""
import random
import sys
import threading
import time

import install
import wire
from driver import Scratch, require, run_checks, run_driver
from dropping_proxy import INIT_PRODUCER_ID, PRODUCE
from fire import WITHIN_S, Fire, Producer, check_once_in_order, numbers_in
from members import PARTITIONS, Group

BINARY, KILLS, PRODUCER, CONSUMERS = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
EVERY, SEED = 20, 1
NO_DELAY = ("--set", "server.group_initial_delay=0ms")


class PositionWatch:
    """Asks what the group committed, over and over; notes what went back, or was told to a member and is not there."""

    def __init__(self, address, group):
        self.address, self.group = address, group
        self.seen, self.asked, self.faults, self.stop = {}, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        connection = None
        while not self.stop.is_set():
            try:
                connection = connection or wire.Wire(self.address)
                self.look(connection)
            except OSError:  # the server is away
                if connection:
                    connection.close()
                connection = None
            except Exception as error:
                self.faults.append(f"{type(error).__name__}: {error}")
                return
            time.sleep(0.05)

    def look(self, connection):
        told = self.told_to_members()  # before the question
        answer = connection.ask(wire.offset_fetch(5, "g"))
        if answer["error_code"] != 0:
            return
        self.asked += 1
        found = {partition["partition_index"]: partition["committed_offset"] for topic in answer["topics"] for partition in topic["partitions"]}
        for partition in range(PARTITIONS):
            at = max(found.get(partition, 0), 0)
            if at < self.seen.get(partition, 0):
                self.faults.append(f"partition {partition} went back from {self.seen[partition]} to {at}")
            if at < told.get(partition, 0):
                self.faults.append(f"partition {partition} is at {at}, and a member was told that it committed {told[partition]}")
            self.seen[partition] = at

    def told_to_members(self):
        told = {}
        for member in list(self.group.members):
            for partition, position in list(member.positions.items()):
                told[partition] = max(told.get(partition, 0), position)
        return told

    def end(self):
        self.stop.set()
        self.thread.join()
        require(not self.faults, "; ".join(self.faults[:5]))


def committed_of(group):
    return sum(len(member.taken) for member in group.members)


def await_commits(fire, group, more):
    """Since now the members committed so many records more."""
    wanted, deadline = committed_of(group) + more, time.monotonic() + WITHIN_S
    while committed_of(group) < wanted:
        gone = [member.complaints for member in group.members if member.process.poll() is not None]
        require(not gone, f"members are gone: {gone}")
        require(time.monotonic() < deadline, f"within {WITHIN_S} s after kill {fire.kills} the group did not commit {more} records more: "
                f"{[(m.client, m.assigned[-2:], len(m.came), len(m.taken), m.complaints[-500:]) for m in group.members]}\n{fire.say}")
        time.sleep(0.02)


def nothing_is_lost_or_twice():
    dice = random.Random(SEED)
    with Scratch() as scratch:
        log = scratch / "log"
        with Fire(BINARY, log, EVERY, apis=(PRODUCE, INIT_PRODUCER_ID), flags=NO_DELAY) as fire:
            require(run_driver(PRODUCER, fire, "create", "t", PARTITIONS) == [], "create")
            with Group(fire.address) as group:
                members = [group.join(client) for client in CONSUMERS]
                group.await_all("shared out", group.shares_out(*members))
                producer = Producer(PRODUCER, fire.address, "t")
                fire.await_progress(producer, 100, 0)
                watch = PositionWatch(fire.address, group)
                fire.begin_dropping()
                for _ in range(KILLS):
                    fire.await_progress(producer, 100, 1)
                    await_commits(fire, group, 100)
                    time.sleep(dice.random() * 0.3)
                    fire.kill_and_start()
                fire.await_progress(producer, 1_000, 5)
                fire.end_dropping()
                producer.end(within_s=150)
                require(not producer.errors, f"{producer.errors[:5]}")
                require(producer.sent == producer.acked, f"{producer.sent} were sent and {producer.acked} acknowledged")
                group.await_all("whole", group.has_all(producer.sent))
                for member in members:
                    member.end()
                watch.end()
                group.check(producer.sent)
            fire.stop()
        require(fire.kills == KILLS, f"{fire.kills} kills")
        require(fire.proxy.dropped_produce >= KILLS, f"{fire.proxy.dropped_produce} replies to Produce were dropped")
        require(watch.asked >= KILLS, f"positions were looked at {watch.asked} times")
        check_once_in_order(numbers_in(BINARY, log, "t"), producer.sent)
        print(f"checked={producer.sent} kills={fire.kills} dropped={fire.proxy.dropped} positions={watch.asked}", flush=True)


if __name__ == "__main__":
    try:
        for wanted in (PRODUCER, *CONSUMERS):
            install.install(wanted)
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
    run_checks([nothing_is_lost_or_twice])
