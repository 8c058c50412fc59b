#!/usr/bin/env python3
"""Goal: what an idempotent producer of a foreign client sends is in the log once, in order per partition, and whole, although every 20th reply is
dropped and the server is killed while it produces. (S37, B83)

Method: the real binary behind a proxy that ends connections in place of replies (dropping_proxy.py); the client's driver numbers its records; the log
is read by `millrace consume`, which shares no code with the client.

usage: idempotent_scenarios.py MILLRACE CLIENT [KILLS]
"""
import random
import sys
import time

import install
from driver import Scratch, require, run_checks, run_driver
from fire import Fire, Producer, check_once_in_order, numbers_in
from members import PARTITIONS

BINARY, CLIENT = sys.argv[1:3]
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
EVERY, SEED = 20, 1


def dropped_replies_alone():
    under_fire(0)


def dropped_replies_and_kills():
    under_fire(KILLS)


def under_fire(kills):
    dice = random.Random(SEED)
    with Scratch() as scratch:
        log = scratch / "log"
        with Fire(BINARY, log, EVERY) as fire:
            require(run_driver(CLIENT, fire, "create", "t", PARTITIONS) == [], "create")
            producer = Producer(CLIENT, fire.address, "t")
            fire.await_progress(producer, 100, 0)
            fire.begin_dropping()
            for _ in range(kills):
                fire.await_progress(producer, 500, 1)
                time.sleep(dice.random() * 0.3)
                fire.kill_and_start()
            fire.await_progress(producer, 2_000, 5)
            fire.end_dropping()
            producer.end(within_s=150)
            fire.stop()
        require(not producer.errors, f"{producer.errors[:5]}")
        require(producer.sent == producer.acked, f"{producer.sent} were sent and {producer.acked} acknowledged")
        require(fire.kills == kills and fire.proxy.dropped_produce > 0, f"{fire.kills} kills, {fire.proxy.dropped_produce} replies to Produce were dropped")
        check_once_in_order(numbers_in(BINARY, log, "t"), producer.sent)
        print(f"checked={producer.sent} kills={fire.kills} dropped={fire.proxy.dropped} of them to Produce {fire.proxy.dropped_produce}", flush=True)


if __name__ == "__main__":
    try:
        install.install(CLIENT)
    except install.Missing as missing:
        print(f"FAILED  {missing}\n0 passed, 1 failed")
        sys.exit(1)
    run_checks([dropped_replies_alone, dropped_replies_and_kills])
