#!/usr/bin/env python3
"""Goal: what cursors promise survives kill -9 (rows 8 and 9 of the reliability page; B44, B45, B46, B78).

Method: processes that kill themselves after a given call, and the next one says where it goes on: exactly where the mode says. Then a
process with a writer, uploads, recycling and seven reading threads is killed after a seeded time, over and over on one directory, and
everything it was handed is held together: a strict cursor never hands out an entry twice and skips at most what one call was about to
return to each of its threads; one that persists every n repeats at most n - 1 entries and its last call, and misses none.

usage: kill_cursors.py MILLRACE WRITER DRIVER CURSORS
"""
import random
import signal
import subprocess
import sys

from harness import killed, require, run_checks, whole_lines

CYCLES = 120
CALL_MAX = 40   # entries of one call of the loop: at most that many payload bytes
SEED = 20262


def run(binary, data_dir, *words):
    """The lines of a process that ends well, or by its own hand."""
    done = subprocess.run([binary, str(data_dir), *map(str, words)], capture_output=True, timeout=60)
    require(not done.stderr, f"{words}: {done.stderr.decode()}")
    require(done.returncode in (0, -signal.SIGKILL), f"{words} ended with {done.returncode}")
    return handed_out(whole_lines(done.stdout.splitlines(keepends=True)))


def handed_out(lines):
    """[(name, first, count)]"""
    words = [line.decode().split() for line in lines]
    return [(name, int(first), int(count)) for name, first, count in words]


def exact_deaths(binary, scratch):
    kills = 0

    def after(name, verb, calls):
        """The entry that comes first after `calls` calls and a kill."""
        nonlocal kills
        data_dir = scratch / f"{name}-{verb}-{calls}"
        run(binary, data_dir, "append", 10)
        before = run(binary, data_dir, verb, name, calls)
        require(sum(count for _, _, count in before) == calls * (3 if verb == "batches" else 1), f"{name} {calls}: got {before}")
        kills += 2
        return run(binary, data_dir, "take", name, 1)[0][1]

    for calls in (1, 2, 3, 7):
        require(after("strict", "take", calls) == calls, f"strict, killed after {calls}: not entry {calls + 1} next")
    for calls, expected in ((2, 0), (3, 0), (4, 3), (6, 3), (7, 6)):
        found = after("3often", "take", calls)
        require(found == expected, f"at least once by 3, killed after {calls}: entry {found + 1} next, not {expected + 1}")
    require(after("strict", "batches", 2) == 6, "strict, killed after two batches: not entry 7 next")
    for name, every in (("1each", 1), ("0zero", 1), ("4often", 4)):
        for calls in (1, 2, 3):
            found = after(name, "batches", calls)
            returned = 3 * calls
            require(returned - 3 - (every - 1) <= found <= returned - 3, f"{name}, killed after {calls} batches: {found} is next")
    return kills


class Strict:
    """Never twice; a kill may swallow what was on its way to each thread."""

    def __init__(self, name, threads):
        self.name, self.threads, self.seen, self.lost = name, threads, set(), 0

    def take(self, cycle, calls):
        got = sorted((first, count) for name, first, count in calls if name == self.name)
        for first, count in got:
            for offset in range(first, first + count):
                require(offset not in self.seen, f"cycle {cycle}: {self.name} handed out {offset} twice")
                self.seen.add(offset)
        self.judge(cycle, CALL_MAX * self.threads * (cycle + 1))

    def judge(self, cycle, swallowed_max):
        missing = max(self.seen, default=-1) + 1 - len(self.seen)
        require(missing <= swallowed_max, f"cycle {cycle}: {self.name} skipped {missing} entries")
        self.lost = missing


class AtLeastOnce:
    """In order within a life; the next life begins at most `every` - 1 entries and one call before, never after."""

    def __init__(self, name, every):
        self.name, self.every, self.end, self.repeated = name, every, 0, 0

    def take(self, cycle, calls):
        got = [(first, count) for name, first, count in calls if name == self.name]
        if not got:
            return
        first = got[0][0]
        allowed = self.end - (self.every - 1) - CALL_MAX
        require(allowed <= first <= self.end, f"cycle {cycle}: {self.name} goes on at {first}, it came to {self.end}")
        self.repeated += self.end - first
        at = first
        for begin, count in got:
            require(begin == at, f"cycle {cycle}: {self.name} got {begin}, {at} was next")
            at += count
        self.end = max(self.end, at)


def loop_is_killed(binary, scratch):
    dice = random.Random(SEED)
    data_dir = scratch / "data"
    models = [Strict("strict", 1), Strict("shared", 3), AtLeastOnce("7often", 7), AtLeastOnce("1each", 1)]
    for cycle in range(CYCLES):
        calls = handed_out(killed([binary, data_dir, "loop"], dice.uniform(0.05, 0.2)))
        for model in models:
            model.take(cycle, calls)
    calls = run(binary, data_dir, "drain")
    for model in models:
        model.take(CYCLES, calls)
    end = models[2].end
    require(end >= 2000, f"only {end} entries were read")
    require(models[3].end == end, f"one cursor came to {end}, another to {models[3].end}")
    print(f"  {CYCLES} kills, {end} entries; strict cursors swallowed {models[0].lost} and {models[1].lost}, "
          f"the others repeated {models[2].repeated} and {models[3].repeated}")
    return CYCLES


def main():
    binary = sys.argv[4]

    def exact(scratch):
        return exact_deaths(binary, scratch)

    def loop(scratch):
        return loop_is_killed(binary, scratch)

    run_checks("8 kill", CYCLES + 30, [exact, loop])


if __name__ == "__main__":
    main()
