"""A real `millrace serve` on ports of its own, and kcat against it."""
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

READY_WITHIN_S = 60


class Failure(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Failure(message)


class Scratch(tempfile.TemporaryDirectory):
    """A directory as a path, gone in the end."""

    def __init__(self):
        super().__init__(ignore_cleanup_errors=True)

    def __enter__(self):
        return pathlib.Path(super().__enter__())


class Server:
    """Runs until its context ends; `say` holds what it printed so far."""

    def __init__(self, binary, directory, *flags, verb="serve"):
        command = [binary, verb, "--data-dir", str(directory), "--listen", "localhost:0", *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.say, self.address, self.is_ready = "", None, threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        require(self.is_ready.wait(READY_WITHIN_S) and self.address, f"the server is not ready: {self.say}")

    def read(self):
        for line in self.process.stderr:
            self.say += line.decode(errors="replace")
            if line == b"ready\n":
                found = re.search(r"advertised +(\S+)", self.say)
                self.address = found and found.group(1)
                self.is_ready.set()
        self.is_ready.set()

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def stop(self, by=signal.SIGTERM, within=60):
        self.process.send_signal(by)
        code = self.process.wait(within)
        self.reader.join()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def kcat(server, *arguments, stdin=b"", timeout=60, code=0):
    command = ["kcat", "-b", server.address, "-X", "broker.address.ttl=100", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout)
    require(code is None or done.returncode == code,
            f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode(errors='replace')}\n{server.say}")
    return done.stdout


def millrace(binary, *arguments, stdin=b"", code=0):
    done = subprocess.run([binary, *map(str, arguments)], input=stdin, capture_output=True, timeout=60)
    require(done.returncode == code, f"{arguments} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def run_checks(checks):
    """Each of CHECKS is a call; prints `N passed, N failed` last."""
    failed = 0
    for check in checks:
        started = time.monotonic()
        try:
            check()
            print(f"ok      {check.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception as error:  # whatever it is, the other checks run
            failed += 1
            print(f"FAILED  {check.__name__}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
