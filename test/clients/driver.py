"""Drivers of clients as processes (README.md), beside the server that they talk to."""
import pathlib
import subprocess
import sys
import threading

import install
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "serve"))
from server_process import Failure, Scratch, Server, millrace, require, run_checks  # noqa: E402,F401


def run_driver(client, server, verb, *arguments, stdin=""):
    """The lines that the driver of CLIENT answers."""
    command = [*install.install(client), verb, server.address, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=240)
    require(done.returncode == 0, f"{client}: {verb} {arguments} ended with {done.returncode}: {done.stderr[-2000:]}\n{server.say}")
    return done.stdout.splitlines()


class Running:
    """A driver that goes on until its standard input ends; `hear` takes each line that it tells, under `changed`."""

    def __init__(self, client, verb, address, *arguments):
        command = [*install.install(client), verb, address, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.client, self.changed, self.complaints = client, threading.Condition(), ""
        self.readers = [threading.Thread(target=read, daemon=True) for read in (self.read, self.read_complaints)]
        for reader in self.readers:
            reader.start()

    def read(self):
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # it was killed while it told it
            word, *rest = line.rstrip("\n").split("\t")
            with self.changed:
                self.hear(word, rest)
                self.changed.notify_all()

    def read_complaints(self):
        """A pipe that nobody empties would hold the driver up."""
        for line in self.process.stderr:
            self.complaints = (self.complaints + line)[-4_000:]

    def end(self, within_s=60):
        self.process.stdin.close()
        code = self.process.wait(within_s)
        for reader in self.readers:
            reader.join()
        require(code == 0, f"{self.client} ended with {code}: {self.complaints}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()
