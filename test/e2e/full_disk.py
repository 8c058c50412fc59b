#!/usr/bin/env python3
"""Goal: a full disk stops appends with kOutOfSpace and nothing else: reads and uploads go on, appends resume by
themselves when space returns, nothing acknowledged is lost (row 13 of the reliability page).

Method: a data directory on a small tmpfs of its own, objects elsewhere; fill it by appending or by a foreign file,
look, free, go on, in one process and over restarts. Needs the right to mount; without it this fails.

usage: full_disk.py MILLRACE WRITER DRIVER
"""
import contextlib
import errno
import os
import subprocess
import sys

from harness import Failure, Millrace, require, run_checks

CYCLES = 6
DISK_MIB = 24


@contextlib.contextmanager
def small_disk(folder):
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode != 0:
        raise Failure(f"cannot mount a small file system (run as root): {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def occupy(path):
    """Takes all the space that is left, to the last byte."""
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\xaa" * size)
    try:
        with open(str(path) + ".probe", "wb", buffering=0) as probe:
            probe.write(b"x")
    except OSError as full:
        require(full.errno == errno.ENOSPC, f"expected a full disk: {full}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(str(path) + ".probe")
        return
    raise Failure("the disk is not full")


class Driver:
    def __init__(self, program, data_dir, store):
        self.process = subprocess.Popen([program, str(data_dir), f"file://{store}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect_ok("open", self.process.stdout.readline().strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    @staticmethod
    def expect_ok(line, answer):
        require(answer.startswith("ok"), f"{line}: {answer!r}")
        return int(answer.split()[1]) if " " in answer else 0

    def ok(self, line):
        return self.expect_ok(line, self.ask(line))

    def fill(self, record_bytes):
        answer = self.ask(f"fill {record_bytes}")
        require(answer.startswith("full kOutOfSpace "), f"fill: {answer!r}")
        return int(answer.split()[2])


def in_one_process(driver_program, scratch):
    checked = 0
    with small_disk(scratch / "disk") as disk, Driver(driver_program, disk / "data", scratch / "objects") as driver:
        driver.ok("append 50 1000")
        for cycle in range(CYCLES):
            if cycle % 2 == 1:
                occupy(disk / "ballast")
            acknowledged = driver.fill(20_000)
            require(driver.ok("read") >= acknowledged, "reads went short")
            driver.ok("upload")
            require(driver.ok("read") >= acknowledged, "reads went short after the upload")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(disk / "ballast")
            driver.ok("recycle")
            driver.ok("append 100 3000")
            checked += driver.ok("read")
        driver.ok("close")
    return checked


def over_restarts(binary, driver_program, scratch):
    checked = 0
    with small_disk(scratch / "disk") as disk:
        log = Millrace(binary, disk / "data", ["--store", f"file://{scratch / 'objects'}"])
        for cycle in range(CYCLES):
            with Driver(driver_program, disk / "data", scratch / "objects") as driver:
                driver.ok("append 20 500")
                acknowledged = driver.fill(30_000)
                if cycle % 2 == 0:
                    driver.ok("close")
            # Closed or killed, and still full.
            occupy(disk / "ballast")
            found = len(log.ok("consume", "full", "--from", "earliest", "-f", "%o\n").splitlines())
            require(found >= acknowledged, f"cycle {cycle}: {found} of {acknowledged} records")
            log.ok("segment", "upload")
            os.unlink(disk / "ballast")
            log.ok("wal", "recycle")
            log.ok("produce", "full", stdin=b"room again\n")
            offsets = [int(line) for line in log.ok("consume", "full", "--from", "earliest", "-f", "%o\n").splitlines()]
            require(offsets == list(range(len(offsets))) and len(offsets) > found, f"cycle {cycle}: offsets are not dense")
            checked += len(offsets)
    return checked


def main():
    binary, _, driver = sys.argv[1:4]

    def one_process(scratch):
        return in_one_process(driver, scratch)

    def restarts(scratch):
        return over_restarts(binary, driver, scratch)

    run_checks("13 full-disk", 5000, [one_process, restarts])


if __name__ == "__main__":
    main()
