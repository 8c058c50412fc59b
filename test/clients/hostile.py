#!/usr/bin/env python3
"""Goal: whatever some clients do, the others finish, and the server's memory stays within its budgets.

Method: a server with small budgets and short time limits; beside a client that produces and reads back what it wrote, others that send a byte at
a time, send nothing, read nothing, come and go, send batches and counts that are not what they say, join groups in storms, and open fetch sessions
that they never use or that follow more than there is. After them a good client again.

usage: hostile.py MILLRACE
"""
import gzip
import random
import socket
import struct
import sys
import threading
import time

import wire
from driver import Scratch, Server, millrace, require, run_checks

BINARY, SEED = sys.argv[1], 1
SETTINGS = ("server.in_flight_bytes_max=64MiB", "server.connection_bytes_max=4MiB", "server.cold_bytes_max=32MiB", "server.fetch_bytes_max=16MiB", "server.request_bytes_max=16MiB",
            "server.progress_timeout=3s", "server.handshake_timeout=3s", "server.connections_per_address_max=300")
GROUP_BYTES_MAX = 256 << 20  # what members of all groups may hold
SESSIONS_MAX, SESSION_BYTES_MAX, SESSION_UNUSED_MAX = 1_000, 64 << 20, 120  # how many, what they follow, and seconds until one may have to go
MEMORY_MAX = 400 << 20  # the budgets above, what the engine has of its own (tail and block cache), and code
SECONDS = 12


def serving(scratch, *more):
    return Server(BINARY, scratch / "log", *[word for setting in SETTINGS + more for word in ("--set", setting)])


def memory_peak(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


def create(server, topic):
    connection = wire.Wire(server.address)
    require(connection.ask(wire.create_topics(5, topic))["topics"][0]["error_code"] == 0, topic)
    return connection


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def is_closed_within(connection, seconds):
    connection.settimeout(seconds)
    try:
        while connection.recv(1 << 16):
            pass
        return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def good_client(server, topic, rounds, pause=0.02):
    """Produces and reads back; the last word on whether the server works."""
    connection = wire.Wire(server.address)
    for i in range(rounds):
        value = f"{topic} {i} " * 50
        answer = connection.ask(wire.produce(8, topic, wire.batch([value.encode()])))["responses"][0]["partition_responses"][0]
        require((answer["error_code"], answer["base_offset"]) == (0, i), f"{topic}: record {i}: {answer}")
        fetched = connection.ask(wire.fetch(11, topic, i))["responses"][0]["partitions"][0]
        require(fetched["error_code"] == 0 and value in fetched["records"], f"{topic}: fetch from {i}: {fetched}")
        time.sleep(pause)


def beside_good_ones(server, hostile, memory_max=MEMORY_MAX):
    """Runs `hostile` calls, each in a thread, again and again while a good client works."""
    stop, failures = threading.Event(), []

    def again_and_again(act):
        while not stop.is_set():
            try:
                act()
            except OSError:
                time.sleep(0.05)
            except Exception as error:
                failures.append(f"{act.__name__}: {error}")
                return
    threads = [threading.Thread(target=again_and_again, args=(act,), daemon=True) for act in hostile]
    create(server, "good").close()
    for thread in threads:
        thread.start()
    began = time.monotonic()
    good_client(server, "good", 200)
    time.sleep(max(0.0, SECONDS - (time.monotonic() - began)))
    stop.set()
    for thread in threads:
        thread.join(60)
    require(not failures, "; ".join(failures))
    create(server, "after").close()
    good_client(server, "after", 20)
    require(memory_peak(server) < memory_max, f"the server held {memory_peak(server) >> 20} MiB")


def slow_silent_deaf_and_restless_clients():
    with Scratch() as scratch, serving(scratch) as server:
        big = create(server, "big")
        for _ in range(40):
            big.ask(wire.produce(8, "big", wire.batch([bytes(random.Random(SEED).randbytes(1000)) * 900])))
        request = wire.produce(8, "big", wire.batch([b"v" * 100_000]))
        request.with_header(correlation_id=1, client_id="slow")
        frame = bytes(request.encode(header=True, framed=True))
        asked = wire.fetch(4, "big", 0, max_bytes=10 << 20, partition_max_bytes=10 << 20)
        asked.with_header(correlation_id=1, client_id="deaf")
        question = bytes(asked.encode(header=True, framed=True))
        turned_away = {"slow": 0, "silent": 0, "deaf": 0}

        def slow():
            with connect(server) as one:
                try:
                    for byte in frame[:100]:
                        one.sendall(bytes([byte]))
                        time.sleep(0.2)
                except OSError:
                    turned_away["slow"] += 1

        def silent():
            held = [connect(server) for _ in range(20)]
            turned_away["silent"] += sum(is_closed_within(one, 20) for one in held)

        def deaf():
            one = connect(server)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(15)
            try:
                for _ in range(1_000):
                    one.sendall(question)
                time.sleep(10)
            except OSError:
                pass
            turned_away["deaf"] += is_closed_within(one, 20)

        def restless():
            for _ in range(50):
                connect(server).close()
            with connect(server) as one:
                one.sendall(frame[:1000])

        beside_good_ones(server, [slow, slow, silent, deaf, deaf, restless])
        require(all(turned_away.values()), f"turned away: {turned_away}")


def batches_and_counts_that_lie():
    with Scratch() as scratch, serving(scratch) as server:
        topics = create(server, "bombs")
        bomb = gzip.compress(wire.record(0, bytes(512 << 20)), 9)
        require(len(bomb) < 1 << 20, "a bomb that fits in a batch")
        answered = {}
        lies = {
            "a bomb": wire.batch([b""], codec=1, body=bomb),
            "more records than there are": wire.batch([b"v"] * 3, body=wire.record(0, b"v")),
            "a record longer than its batch": wire.batch([b"v"], body=b"\xfe\xff\xff\xff\x0f" + b"v" * 20),
            "a varint without end": wire.batch([b"v"], body=b"\xff" * 40),
            "rubbish that says it is snappy": wire.batch([b"v"], codec=2, body=b"\xff" * 100),
            "rubbish that says it is lz4": wire.batch([b"v"], codec=3, body=b"\xff" * 100),
            "rubbish that says it is zstd": wire.batch([b"v"], codec=4, body=b"\xff" * 100),
        }
        for name, records in lies.items():
            made = f"lie-{len(answered)}"
            create(server, made).close()
            code = topics.ask(wire.produce(9, made, records))["responses"][0]["partition_responses"][0]["error_code"]
            found = topics.ask(wire.list_offsets(4, made, 5))["topics"][0]["partitions"][0]["error_code"]
            answered[name] = code, found
        print(f"checked={len(answered)} lies, answered (produce, lookup by time): {answered}")

        def counts():
            # An array of two milliards, in each API, at a version that has no compact arrays and one that has.
            for key, version, head in ((0, 3, b"\xff\xff\xff\xff\x00\x00\x00\x01"), (1, 4, b"\xff" * 4 + bytes(13)), (3, 1, b""), (19, 2, b"")):
                with connect(server) as one:
                    body = struct.pack(">hhih", key, version, 7, -1) + head + b"\x7f\xff\xff\xff" * 8
                    one.sendall(struct.pack(">i", len(body)) + body)
                    if not is_closed_within(one, 15):
                        raise AssertionError(f"API {key}: a count of two milliards is believed")

        def rubbish():
            dice = random.Random(SEED)
            with connect(server) as one:
                for _ in range(200):
                    body = struct.pack(">hhih", dice.choice((0, 1, 2, 3, 18, 19, 20, 23, 32, 37, 60, 99)), dice.randrange(15), 7, -1) + dice.randbytes(dice.randrange(300))
                    one.sendall(struct.pack(">i", len(body)) + body)

        def look_into_the_bomb():
            one = wire.Wire(server.address)
            one.ask(wire.list_offsets(4, "lie-0", 5))
            one.ask(wire.fetch(11, "lie-0", 0))
            one.close()

        beside_good_ones(server, [counts, rubbish, look_into_the_bomb])
        require(server.stop() == 0, server.say)


class GoodMember:
    """A group of one, that was there before others came: beats, commits, and finds what it committed, until it is ended."""

    def __init__(self, server, group):
        self.connection, self.group, self.rounds, self.stop, self.failure = wire.Wire(server.address), group, 0, threading.Event(), None
        joined = self.connection.ask(wire.join_group(3, group, session_ms=10_000))
        require(joined["error_code"] == 0, f"{group}: {joined}")
        self.generation, self.member = joined["generation_id"], joined["member_id"]
        synced = self.connection.ask(wire.sync_group(2, group, self.generation, self.member, [(self.member, b"mine")]))
        require(synced["error_code"] == 0, f"{group}: {synced}")
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            while not self.stop.wait(0.05):
                beat = self.connection.ask(wire.heartbeat(2, self.group, self.generation, self.member))
                require(beat["error_code"] == 0, f"heartbeat {self.rounds}: {beat}")
                told = self.connection.ask(wire.offset_commit(3, self.group, self.generation, self.member, "positions", self.rounds))
                require(told["topics"][0]["partitions"][0]["error_code"] == 0, f"commit {self.rounds}: {told}")
                found = self.connection.ask(wire.offset_fetch(3, self.group))
                require(found["topics"][0]["partitions"][0]["committed_offset"] == self.rounds, f"committed {self.rounds}, found {found}")
                self.rounds += 1
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"

    def end(self):
        self.stop.set()
        self.thread.join(60)
        require(self.failure is None and self.rounds > 20, f"{self.group}: after {self.rounds} rounds {self.failure}")
        left = self.connection.ask(wire.leave_group(2, self.group, self.member))
        require(left["error_code"] == 0, f"{self.group}: {left}")


def storms_of_members():
    """Huge ones until there is no room, more than a group takes, thousands of groups, and some that join again and again."""
    codes = {"huge": {}, "crowd": {}, "groups": {}, "restless": {}, "strangers": {}}
    with Scratch() as scratch, serving(scratch, "server.group_initial_delay=0ms") as server:
        create(server, "before").close()
        good_client(server, "before", 5)
        made = 0

        def note(who, answer):
            code = answer["error_code"] if "error_code" in answer else answer["topics"][0]["partitions"][0]["error_code"]
            codes[who][code] = codes[who].get(code, 0) + 1
            return code

        def huge():
            nonlocal made
            one, metadata = wire.Wire(server.address), bytes(900 << 10)
            for _ in range(20 if codes["huge"].get(15) else 400):
                made += 1
                group = f"huge-{made}"
                joined = one.ask(wire.join_group(3, group, metadata=metadata, session_ms=30_000))
                code = note("huge", joined)
                if code == 15:
                    break
                if code == 0 and made % 10 == 0:
                    note("huge", one.ask(wire.sync_group(2, group, joined["generation_id"], joined["member_id"], [(joined["member_id"], metadata[:100 << 10])])))
            note("huge", one.ask(wire.join_group(3, "huge", metadata=bytes(2 << 20))))
            one.close()

        def crowd():
            one = wire.Wire(server.address)
            for _ in range(200):
                note("crowd", one.ask(wire.join_group(4, "crowd", session_ms=30 * 60_000)))
            one.close()

        def groups():
            nonlocal made
            one = wire.Wire(server.address)
            for _ in range(200):
                made += 1
                note("groups", one.ask(wire.join_group(4, f"group-{made}", session_ms=30 * 60_000)))
            one.close()

        def restless():
            one, member = wire.Wire(server.address), ""
            for i in range(50):
                joined = one.ask(wire.join_group(3, "restless", member, metadata=bytes([i % 256]) * 1000))
                member = joined["member_id"] if note("restless", joined) == 0 else ""
            one.close()

        def strangers():
            one, dice = wire.Wire(server.address), random.Random(SEED)
            for _ in range(50):
                group, member = dice.choice(("good-group", "crowd", "restless", "none", "x" * 249)), "stranger"
                note("strangers", one.ask(wire.heartbeat(2, group, dice.randrange(-1, 9), member)))
                note("strangers", one.ask(wire.sync_group(2, group, dice.randrange(-1, 9), member, [(member, bytes(10_000))])))
                note("strangers", one.ask(wire.leave_group(2, group, member)))
                note("strangers", one.ask(wire.offset_commit(3, group, dice.randrange(0, 9), member, "positions", 1)))
            one.close()

        create(server, "positions").close()
        member = GoodMember(server, "good-group")
        for _ in range(10):
            groups()
        for _ in range(60):
            if not codes["crowd"].get(81):
                crowd()
        huge()  # until there is no room
        beside_good_ones(server, [huge, huge, crowd, crowd, groups, restless, restless, strangers], memory_max=MEMORY_MAX + GROUP_BYTES_MAX)
        member.end()
        print(f"checked={sum(sum(each.values()) for each in codes.values())} answers by code: {codes}")
        require(set(codes["strangers"]) <= {15, 22, 25}, f"strangers were answered {codes['strangers']}")
        require(codes["huge"].get(0) and codes["huge"].get(81) and codes["huge"].get(15), f"the huge ones were answered {codes['huge']}")
        require(codes["crowd"].get(79) and codes["crowd"].get(81), f"a crowd was answered {codes['crowd']}")
        require(codes["groups"].get(79, 0) >= 2_000 and codes["restless"].get(0), f"many groups {codes['groups']}, restless ones {codes['restless']}")
        # Those who do not speak any more are out, and there is room again.
        deadline = time.monotonic() + 90
        while wire.Wire(server.address).ask(wire.join_group(3, "late", metadata=bytes(900 << 10)))["error_code"] != 0:
            require(time.monotonic() < deadline, "no room came back")
            time.sleep(0.5)
        require(server.stop() == 0, server.say)


class GoodReader:
    """Follows a topic by one fetch session, as Kafka's consumers do, and finds each record that it produces, until it is ended."""

    def __init__(self, server, topic):
        self.topic, self.rounds, self.stop, self.failure = topic, 0, threading.Event(), None
        self.connection, self.producer = wire.Wire(server.address), create(server, topic)
        begun = self.connection.ask(wire.fetch(11, topic, 0, session=(0, 0)))
        self.session = begun["session_id"]
        require(begun["error_code"] == 0 and self.session > 0, f"{topic}: {begun}")
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            while not self.stop.wait(0.05):
                value = f"{self.topic} {self.rounds} " * 20
                self.producer.ask(wire.produce(8, self.topic, wire.batch([value.encode()])))
                fetched = self.connection.ask(wire.fetch(11, self.topic, self.rounds, wait_ms=10_000, session=(self.session, self.rounds + 1)))
                require(fetched["error_code"] == 0 and value in fetched["responses"][0]["partitions"][0]["records"], f"record {self.rounds}: {fetched}")
                self.rounds += 1
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"

    def end(self):
        self.stop.set()
        self.thread.join(60)
        require(self.failure is None and self.rounds > 20, f"{self.topic}: after {self.rounds} rounds {self.failure}")


class Session:
    """A fetch session of one partition, and what it is answered."""

    def __init__(self, server, topic):
        self.connection, self.topic, self.epoch = wire.Wire(server.address), topic, 1
        self.id = self.connection.ask(wire.fetch(11, topic, 0, session=(0, 0)))["session_id"]

    def go_on(self, epoch=None, id=None, version=11, **how):
        asked = wire.fetch(version, None, 0, session=(self.id if id is None else id, self.epoch if epoch is None else epoch), **how)
        code = self.connection.ask(asked)["error_code"]
        self.epoch += code == 0
        return code


def sessions_that_come_to_nothing():
    """As many as are kept, none of them used; of partitions that are not there; out of order, of nobody's id, forgetting what they never followed."""
    counts, lock = {"kept": 0, "without": 0, "right": 0, "wrong": 0, "huge": 0}, threading.Lock()
    with Scratch() as scratch, serving(scratch) as server:
        one, huge_count = create(server, "followed"), 100_000
        one.ask(wire.produce(8, "followed", wire.batch([b"v"])))
        reader = GoodReader(server, "read-by-session")

        def add(what, count=1):
            with lock:
                counts[what] += count

        def framed(request):
            request.with_header(correlation_id=1, client_id="huge")
            return bytes(request.encode(header=True, framed=True))

        def ask_raw(connection, frame):
            """Code and session of an answer whose partitions nobody looks at."""
            connection.socket.sendall(frame)
            answer = connection.receive(struct.unpack(">i", connection.receive(4))[0])
            return struct.unpack(">hi", answer[8:14])

        # The largest takes most of the room, so there is none for a second, nor for one that grows to as much.
        begin_huge = framed(wire.fetch_all(11, [("followed", i, 0) for i in range(huge_count)], session=(0, 0)))
        code, huge_id = ask_raw(one, begin_huge)
        require(code == 0 and huge_id > 0, f"a session of {huge_count} partitions: {code}, {huge_id}")
        require(ask_raw(one, begin_huge) == (0, 0), "two of them are kept")
        huge_epoch = 1

        def huge():
            nonlocal huge_epoch
            connection = wire.Wire(server.address)
            require(ask_raw(connection, begin_huge) == (0, 0), "another huge one is kept")
            require(ask_raw(connection, framed(wire.fetch(11, None, 0, session=(huge_id, huge_epoch)))) == (0, huge_id), "the huge one does not go on")
            huge_epoch += 1
            add("huge")
            connection.close()

        swollen = Session(server, "followed")
        grow = framed(wire.fetch_all(11, [("followed", i, 0) for i in range(huge_count)], session=(swollen.id, 1)))
        require(ask_raw(one, grow)[0] == 70 and swollen.go_on() == 70, "one that grew beyond the room goes on")

        def confused(session):
            """Keeps to the rules at times, and then goes on from there."""
            def act():
                dice = random.Random(SEED)
                require(session.go_on() == 0, "it does not go on")
                for _ in range(20):
                    wrong = {
                        "an epoch to come": session.go_on(epoch=session.epoch + dice.randrange(1, 100)) == 71,
                        "one that was": session.go_on(epoch=session.epoch - 1) == 71,
                        "one below any": session.go_on(epoch=-dice.randrange(2, 1 << 31)) == 71,
                        "nobody's id": session.go_on(id=-dice.randrange(1, 1 << 31), epoch=dice.randrange(1, 9)) == 70,
                        "no id": session.go_on(id=0, epoch=3) == 70,
                        "ids where there were names": session.go_on(version=13) == 106,
                    }
                    require(all(wrong.values()), f"of {wrong}")
                    add("wrong", len(wrong))
                    require(session.go_on(forgotten=[("never-there", list(range(1_000))), ("followed", [7, -1, 1 << 30])]) == 0, "nothing was there to be forgotten")
                    require(session.go_on() == 0, "it does not go on")
                    add("right", 2)
            return act

        def unused():
            connection = wire.Wire(server.address)
            for _ in range(100):
                answer = connection.ask(wire.fetch(11, "followed", 0, session=(0, 0)))
                found = answer["responses"][0]["partitions"][0]
                require(answer["error_code"] == 0 and found["error_code"] == 0 and found["records"], f"a fetch that begins a session: {answer}")
                add("kept" if answer["session_id"] else "without")
            connection.close()

        acts = [confused(Session(server, "followed")) for _ in range(2)]
        first = Session(server, "followed")
        for _ in range(12):
            unused()
        others = 5  # the reader's, the huge one, the two confused and the first; the one that grew is gone
        require(counts["kept"] == SESSIONS_MAX - others and counts["without"] > 0, f"kept: {counts}")
        beside_good_ones(server, [huge, unused, unused, *acts], memory_max=MEMORY_MAX + SESSION_BYTES_MAX)
        require(counts["kept"] == SESSIONS_MAX - others, f"sessions gave way that were not unused for long: {counts}")
        # Two minutes later those that nobody used make room, and none that is in use.
        deadline = time.monotonic() + SESSION_UNUSED_MAX + 60
        while Session(server, "followed").id == 0:
            require(time.monotonic() < deadline, "no session gave way")
            time.sleep(0.5)
        require(first.go_on() == 70, "the one that was unused longest is still there")
        reader.end()
        print(f"checked={sum(counts.values())} sessions and answers: {counts}, {reader.rounds} records read")
        require(all(counts.values()), f"{counts}")
        require(server.stop() == 0, server.say)


def names_from_hell():
    names = ["", ".", "..", "a/b", "a\\b", "../../etc/passwd", "a b", "a\nb", "a\0b", "\u00e4", "x" * 250, "%2e%2e", "-rf", "CON", "a" * 249, "__consumer_offsets"]
    with Scratch() as scratch, serving(scratch) as server:
        one, taken = wire.Wire(server.address), []
        for name in names:
            code = one.ask(wire.create_topics(5, name))["topics"][0]["error_code"]
            require(code in (0, 17), f"{name!r}: {code}")
            taken += [name] if code == 0 else []
            for ask in (wire.produce(8, name, wire.batch([b"v"])), wire.fetch(11, name, 0), wire.list_offsets(4, name, -1), wire.metadata(9, [name]), wire.epoch_end(3, name, 0)):
                one.ask(ask)
        require(taken == ["-rf", "CON", "a" * 249, "__consumer_offsets"], f"taken: {taken}")
        for name in taken:
            require(one.ask(wire.delete_topics(4, name))["responses"][0]["error_code"] == 0, name)
        require(server.stop() == 0, server.say)
        require(millrace(BINARY, "topic", "ls", "--json", "--data-dir", scratch / "log").count(b'"name"') == 0, "a topic is left")


if __name__ == "__main__":
    run_checks([slow_silent_deaf_and_restless_clients, batches_and_counts_that_lie, storms_of_members, sessions_that_come_to_nothing, names_from_hell])
