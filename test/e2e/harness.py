"""What the scenarios share: running the binary, counting checks, and the closing line."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ERROR_CODE = re.compile(r'\[(k[A-Za-z]+)[\],]|"error":{"code":"(k[A-Za-z]+)"')
EXIT_CODES = {"kInvalidArgument": 2, "kNotFound": 3, "kAlreadyExists": 4, "kFenced": 4, "kPermissionDenied": 5, "kUnavailable": 6, "kTimeout": 6, "kCorruption": 9}


class Failure(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Failure(message)


class Millrace:
    """The binary over one data directory."""

    def __init__(self, binary, data_dir, extra=()):
        self.binary, self.data_dir, self.extra = binary, pathlib.Path(data_dir), list(extra)

    def run(self, *arguments, stdin=b"", timeout=60):
        command = [self.binary, *map(str, arguments), "--data-dir", str(self.data_dir), *self.extra]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=timeout)

    def ok(self, *arguments, stdin=b"", timeout=60):
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        require(done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def records(self, topic, *arguments):
        return parse_records(self.ok("consume", topic, "--json", *arguments, timeout=120))


def killed(command, seconds, feed=None, from_first_line=False):
    """The whole lines of a process that is killed -9 after so long; it must have lived until then and not complained.

    `feed(pipe)`, if given, writes what the process reads until the pipe breaks. `from_first_line`: the time begins when
    the process has said something, however slow the machine is.
    """
    stdin = subprocess.PIPE if feed else None
    with subprocess.Popen(list(map(str, command)), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        feeder = threading.Thread(target=lambda: feed and feed(process.stdin))
        feeder.start()
        lines, said = [], threading.Event()

        def read():
            for line in process.stdout:
                lines.append(line)
                said.set()
            said.set()

        reader = threading.Thread(target=read)
        reader.start()
        if from_first_line:
            said.wait(60)
        time.sleep(seconds)
        early = process.poll()
        process.kill()
        reader.join()
        complaints = process.stderr.read().decode()
        feeder.join()
        try:
            if feed:
                process.stdin.close()
        except OSError:  # what was not yet flushed went with the process
            pass
    require(early is None and not complaints, f"{command} ended ({early}) or complained: {complaints}")
    return whole_lines(lines)


def whole_lines(lines):
    """All but a last one that a death tore."""
    return [line for line in lines if line.endswith(b"\n")]


def parse_records(text):
    return [json.loads(line) for line in text.splitlines()]


def typed_error(done):
    """The code an unsuccessful run names; fails if it names none or its exit code says something else."""
    text = done.stderr.decode(errors="replace")
    require(done.returncode > 0, f"died by signal {-done.returncode}: {text}")
    found = ERROR_CODE.findall(text)
    require(found, f"exit {done.returncode} without a typed error: {text!r}")
    code = "".join(found[-1])
    require(done.returncode == EXIT_CODES.get(code, 1), f"exit {done.returncode} for {code}: {text!r}")
    return code


def run_checks(name, floor, checks, parent=None):
    """Runs each of `checks` (functions that return how much they checked) in a directory of its own below `parent`."""
    passed = failed = checked = 0
    for check in checks:
        scratch = pathlib.Path(tempfile.mkdtemp(prefix=f"millrace-{name.replace(chr(32), chr(45))}-", dir=parent))
        try:
            count = check(scratch)
            print(f"{check.__name__}: checked={count}", flush=True)
            checked += count
            passed += 1
            shutil.rmtree(scratch, ignore_errors=True)
        except (Failure, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as problem:
            failed += 1
            print(f"{check.__name__} FAILED: {problem}\n  left in {scratch}", flush=True)
            if not isinstance(problem, Failure):
                traceback.print_exc(file=sys.stdout)
    print(f"row {name} checked={checked} floor={floor}")
    if checked < floor:
        print(f"{name}: fewer checks than its floor")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
