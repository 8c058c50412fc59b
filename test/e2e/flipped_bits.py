#!/usr/bin/env python3
"""Goal: one flipped bit in any file under the data directory gives the right records or a typed error, never wrong
records and never silently fewer (row 10 of the reliability page, with the whole binary).

Method: a directory with everything in it (objects, WAL, staging, SQLite, positions, identity), once closed and once
killed; a bit flipped at sampled places of every file in a copy; what a user asks is then compared with the answers of the
untouched directory.

usage: flipped_bits.py MILLRACE WRITER
"""
import pathlib
import random
import shutil
import subprocess
import sys
import time

from harness import Failure, Millrace, require, run_checks, typed_error

SEED = 7
SAMPLES_A_FILE = 24
QUESTIONS = [["consume", "t", "--json", "--from", "earliest"], ["consume", "u", "--json", "--from", "earliest"],
             ["topic", "ls"], ["group", "describe", "g"], ["consume", "t", "--json", "--group", "g"]]


def numbered(begin, end):
    return "".join(f"line {n} {'abcdefghij' * (n % 5)}\n" for n in range(begin, end)).encode()


def filled_directory(binary, data_dir):
    log = Millrace(binary, data_dir)
    log.ok("topic", "create", "t")
    for part in range(3):
        log.ok("produce", "t", stdin=numbered(part * 30, part * 30 + 30))
        log.ok("segment", "upload")
    log.ok("consume", "t", "--group", "g", "-n", 70)
    log.ok("wal", "recycle")
    log.ok("produce", "t", stdin=numbered(90, 140))
    log.ok("produce", "u", stdin=numbered(0, 25))
    return log


def closed(binary, scratch):
    return filled_directory(binary, scratch / "D")


def killed(binary, scratch):
    """The last process created a topic and appended, and was killed when idle: its metadata is in the -wal file."""
    log = filled_directory(binary, scratch / "D")
    command = [binary, "produce", "late", "--receipts", "--data-dir", str(log.data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdin.write(numbered(0, 20))
        process.stdin.flush()
        acknowledged = -1
        while acknowledged < 19:
            line = process.stdout.readline()
            require(line, "produce ended early")
            acknowledged = int(line.split(b'"last_offset":')[1].split(b",")[0])
        time.sleep(0.3)  # the mark that ends a group follows within 10 ms of idleness
        process.kill()
    return log


def places(path, dice):
    """Sampled bytes of a file: its beginning, what is not zero, and a few of the rest."""
    raw = path.read_bytes()
    if not raw:
        return []
    filled = [at for at in range(len(raw)) if raw[at]] if len(raw) < 1 << 16 else [
        at for at in dice.sample(range(len(raw)), 200_000 if len(raw) > 200_000 else len(raw)) if raw[at]]
    if len(raw) >= 1 << 16:
        begin = next((at for at in range(0, len(raw), 4096) if any(raw[at:at + 4096])), 0)
        filled += list(range(begin, begin + 200))
    if not filled:
        return dice.sample(range(len(raw)), 4)
    chosen = set(dice.sample(filled, min(len(filled), SAMPLES_A_FILE * 3 // 4)))
    while len(chosen) < min(len(raw), SAMPLES_A_FILE):
        chosen.add(dice.randrange(len(raw)))
    return sorted(chosen)


def flip(path, position, bit):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ (1 << bit)]))


def told(question, output):
    """What of an answer is about records. Which file their bytes are counted in may change when damage is repaired."""
    if question != ["topic", "ls"]:
        return output
    return b"".join(b"\t".join(line.split(b"\t")[:3]) + b"\n" for line in output.splitlines())


def sweep(binary, scratch, log, questions):
    dice = random.Random(SEED)
    copy = scratch / "copy"
    store = Millrace(binary, copy)

    def answers():
        return [store.run(*question) for question in questions]

    shutil.copytree(log.data_dir, copy)
    reference = answers()
    for question, answer in zip(questions, reference):
        require(answer.returncode == 0 and answer.stdout, f"{question} on the untouched directory: {answer}")
    checked = right = refused = 0
    wrong = []
    for file in sorted(path for path in log.data_dir.rglob("*") if path.is_file()):
        name = file.relative_to(log.data_dir)
        for position in places(file, dice):
            bit = dice.randrange(8)
            shutil.rmtree(copy)
            shutil.copytree(log.data_dir, copy)
            flip(copy / name, position, bit)
            for question, answer, expected in zip(questions, answers(), reference):
                try:
                    if answer.returncode == 0:
                        require(told(question, answer.stdout) == told(question, expected.stdout), "another answer: " + difference(expected.stdout, answer.stdout))
                        right += 1
                    else:
                        typed_error(answer)
                        require(expected.stdout.startswith(answer.stdout), f"wrong output before the error: {answer.stdout[:200]!r}")
                        refused += 1
                except Failure as problem:
                    wrong.append(f"{name} byte {position} bit {bit}, {' '.join(question)}: {problem}")
                    print("  " + wrong[-1], flush=True)
            checked += 1
    print(f"  {checked} flips: {right} answers right, {refused} refused, {len(wrong)} wrong")
    require(not wrong, f"{len(wrong)} wrong answers")
    require(refused > checked // 4, f"only {refused} answers were refused: the flips do not reach the data")
    return checked


def difference(expected, found):
    a, b = expected.splitlines(), found.splitlines()
    at = next((i for i, pair in enumerate(zip(a, b)) if pair[0] != pair[1]), min(len(a), len(b)))
    return f"{len(b)} lines instead of {len(a)}, first at {at}: {b[at][:120] if at < len(b) else b'(end)'}"


def main():
    binary = sys.argv[1]

    def after_close(scratch):
        return sweep(binary, scratch, closed(binary, scratch), QUESTIONS)

    def after_kill(scratch):
        log = killed(binary, scratch)
        require(any(pathlib.Path(log.data_dir).glob("metadata.db-wal")), "the kill left no -wal file to damage")
        return sweep(binary, scratch, log, [["consume", "late", "--json", "--from", "earliest"], *QUESTIONS])

    # Hundreds of engines are opened here; what is asked of the disk is to keep bytes, not to sync them.
    run_checks("10 flipped-bits", 400, [after_close, after_kill], "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None)


if __name__ == "__main__":
    main()
