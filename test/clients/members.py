"""Consumers of a group, each a driver (README.md), and what they tell together."""
import time

from driver import Running, require

PARTITIONS, WITHIN_S = 6, 60


class Member(Running):
    """A consumer. `came`: (partition, offset) of each record that it told; `taken`: those whose position it committed; `positions`: how far, by partition."""

    def __init__(self, client, address, topic, group="g", instance="-"):
        self.assigned, self.came, self.committed, self.taken, self.open, self.positions = [], [], 0, set(), [], {}
        super().__init__(client, "group", address, topic, group, instance)

    def hear(self, word, rest):
        if word == "assigned":
            # What it read before is committed by nothing that it commits from now on.
            self.open = []
            self.assigned.append(tuple(int(number) for number in rest[0].split(",") if number))
        elif word == "record":
            self.came.append((int(rest[0]), int(rest[1])))
            self.open.append(self.came[-1])
        elif word == "committed":
            self.committed = len(self.came)
            self.taken.update(self.open)
            for partition, offset in self.open:
                self.positions[partition] = max(self.positions.get(partition, 0), offset + 1)
            self.open = []


class Group:
    def __init__(self, address, topic="t"):
        self.address, self.topic, self.members = address, topic, []

    def join(self, client, instance="-"):
        self.members.append(Member(client, self.address, self.topic, instance=instance))
        return self.members[-1]

    def await_all(self, what, holds):
        deadline = time.monotonic() + WITHIN_S
        while not holds():
            if time.monotonic() > deadline:
                state = [(m.client, m.process.poll(), m.assigned[-3:], len(m.came), m.committed) for m in self.members]
                errors = [m.complaints for m in self.members if m.process.poll() not in (None, 0, -9)]
                require(False, f"within {WITHIN_S} s not {what}: {state} {errors}")
            time.sleep(0.05)

    def shares_out(self, *members):
        """Each partition has one of MEMBERS, and each of them has some."""
        def holds():
            last = [member.assigned[-1] if member.assigned else () for member in members]
            return all(last) and sorted(sum(last, ())) == list(range(PARTITIONS))
        return holds

    def has_all(self, count):
        return lambda: len({record for member in self.members for record in member.came}) == count

    def check(self, count):
        came = {record for member in self.members for record in member.came}
        require(len(came) == count, f"{len(came)} of {count} records came")
        for partition in range(PARTITIONS):
            offsets = sorted(offset for place, offset in came if place == partition)
            require(offsets == list(range(len(offsets))), f"partition {partition} has holes")
        taken = [record for member in self.members for record in member.taken]
        twice = len(taken) - len(set(taken))
        require(twice == 0, f"{twice} records were committed by two members")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members:
            if member.process.poll() is None:
                member.kill()
