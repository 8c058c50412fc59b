"""Drivers of clients as processes (README.md), beside the server that they talk to."""
import pathlib
import subprocess
import sys

import install
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "serve"))
from server_process import Failure, Scratch, Server, millrace, require, run_checks  # noqa: E402,F401


def run_driver(client, server, verb, *arguments, stdin=""):
    """The lines that the driver of CLIENT answers."""
    command = [*install.install(client), verb, server.address, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=240)
    require(done.returncode == 0, f"{client}: {verb} {arguments} ended with {done.returncode}: {done.stderr[-2000:]}\n{server.say}")
    return done.stdout.splitlines()
