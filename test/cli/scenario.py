"""What scenarios share: a fresh directory each, and the binary run in it."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

BINARY = ""
UPDATE = False
TIMEOUT_S = 60
# No setting of the user who runs the tests reaches the binary.
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "LSAN_OPTIONS": os.environ.get("LSAN_OPTIONS", "")}


class Outcome:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def lines(self):
        return self.out.decode().splitlines()

    def rows(self):
        return [line.split("\t") for line in self.lines()]

    def json(self):
        return json.loads(self.out)

    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def error(self):
        return json.loads(self.err.splitlines()[-1])["error"]


class Scenario(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="millrace-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.log = os.path.join(self.folder, "log")

    def command(self, words, log=True):
        return [BINARY, *words, *(["--data-dir", self.log] if log else [])]

    def run_raw(self, *words, stdin=b"", environment=None, log=True):
        done = subprocess.run(self.command(words, log), input=stdin, capture_output=True, timeout=TIMEOUT_S, cwd=self.folder,
                              env=dict(ENVIRONMENT, **(environment or {})), check=False)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def run_ok(self, *words, **options):
        outcome = self.run_raw(*words, **options)
        self.assertEqual(outcome.code, 0, f"{words}: {outcome.err.decode(errors='replace')}")
        return outcome

    def run_code(self, code, *words, **options):
        outcome = self.run_raw(*words, **options)
        self.assertEqual(outcome.code, code, f"{words}: {outcome.err.decode(errors='replace')}")
        return outcome

    def start(self, *words, **options):
        process = subprocess.Popen(self.command(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=self.folder, env=ENVIRONMENT, **options)

        def stop():
            if process.poll() is None:
                process.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()
            process.wait()

        self.addCleanup(stop)
        return process

    def produce(self, topic, text, *flags):
        return self.run_ok("produce", topic, *flags, stdin=text if isinstance(text, bytes) else text.encode())

    def values(self, topic, *flags):
        return [record["value"] for record in self.run_ok("consume", topic, "--json", *flags).json_lines()]

    def objects(self):
        """Files of the local object store that hold segments."""
        found = []
        for path in glob.glob(os.path.join(self.log, "objects", "**"), recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    if file.read(4) == b"MRB1":
                        found.append(path)
        return found

    def flip(self, path, at, mask=0x01):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ mask]))
