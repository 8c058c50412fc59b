"""A log on a read-only mount: it is read, also after a kill, nothing there changes, and what would change it is refused by name.

As root the directory is mounted read-only onto itself (which takes the right to mount); another user loses its own right to write.
"""
import hashlib
import os
import subprocess

from scenario import Scenario


class ReadOnlyScenarios(Scenario):
    def freeze(self):
        if os.geteuid() == 0:
            subprocess.run(["mount", "--bind", self.log, self.log], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", self.log], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", self.log], check=True)
        else:
            self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", self.log], check=True)
            subprocess.run(["chmod", "-R", "a-w", self.log], check=True)
        with self.assertRaises(OSError):
            open(os.path.join(self.log, "probe"), "wb").close()

    def contents(self):
        found = {}
        for folder, _, names in os.walk(self.log):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[path] = (hashlib.sha256(file.read()).hexdigest(), os.stat(path).st_mtime_ns)
        return found

    def test_every_reading_verb_reads(self):
        self.produce("t", "".join(f"{i}\n" for i in range(1000)))
        self.run_ok("consume", "t", "--group", "g", "-n", "10")
        self.run_ok("segment", "upload")
        self.run_ok("wal", "recycle")
        self.produce("t", "new\n")
        self.run_ok("cursor", "read", "t", "c", "-n", "1")
        before = self.contents()
        self.freeze()
        self.assertEqual(len(self.run_ok("consume", "t").lines()), 1001)
        self.assertEqual(self.run_ok("consume", "t", "--from", "999").out, b"999\nnew\n")
        self.assertEqual(self.run_ok("tail", "t", "-n", "1", "--no-follow").out, b"new\n")
        self.assertEqual(self.run_ok("topic", "ls").rows()[0][0], "t")
        for words in (["topic", "describe", "t"], ["group", "ls"], ["group", "describe", "g"], ["group", "lag"], ["cursor", "ls", "t"],
                      ["cursor", "peek", "t", "c"], ["segment", "ls", "t"], ["segment", "verify"], ["wal", "ls"], ["wal", "verify"],
                      ["status"], ["status", "--check"]):
            self.run_ok(*words)
        self.assertEqual(self.run_ok("status", "--json").json()["lock"], "shared by readers")
        self.assertEqual(self.contents(), before)

    def test_what_would_change_it_is_refused_by_name(self):
        self.produce("t", "a\n")
        self.freeze()
        for words in (["topic", "rm", "t"], ["topic", "alter", "t", "-p", "2"], ["topic", "trim", "t", "--before", "1"],
                      ["group", "seek", "g", "t", "--to", "0"], ["consume", "t", "--group", "g"], ["cursor", "read", "t", "c"],
                      ["segment", "upload"], ["wal", "recycle"], ["maintain"]):
            outcome = self.run_code(5, *words)
            self.assertIn(b"open for reading only", outcome.err, words)
        for words in (["produce", "t"], ["topic", "create", "u"]):
            self.assertIn(b"Read-only file system" if os.geteuid() == 0 else b"denied", self.run_code(5, *words, stdin=b"b\n").err)
        self.assertEqual(self.run_ok("consume", "t").out, b"a\n")

    def test_what_a_killed_writer_left_is_read_and_stays(self):
        writer = self.start("produce", "t", "--acks", "os", "--receipts")
        writer.stdin.write(b"first\nsecond\n")
        writer.stdin.flush()
        writer.stdout.readline()
        writer.kill()
        writer.wait()
        before = self.contents()
        self.freeze()
        for _ in range(2):
            self.assertEqual(self.run_ok("consume", "t").out, b"first\nsecond\n")
        self.assertEqual(self.contents(), before)

    def test_readers_share_and_a_writer_waits_for_them(self):
        self.produce("t", "a\n")
        reader = self.start("consume", "t", "--follow", "--set", "engine.read_only=true")
        self.assertEqual(reader.stdout.readline(), b"a\n")
        self.assertEqual(self.run_ok("consume", "t", "--set", "engine.read_only=true").out, b"a\n")
        self.run_code(6, "topic", "ls")
        reader.terminate()
        reader.wait()
        self.run_ok("topic", "ls")

    def test_a_log_is_read_from_its_store_alone_beside_its_owner(self):
        store = "file://" + os.path.join(self.folder, "store")
        alone = ["--read-only", "--store", store]
        self.run_code(3, "topic", "ls", *alone, log=False)
        owner = self.start("produce", "t", "--store", store, "--acks", "object", "--receipts")
        owner.stdin.write(b"a\nb\n")
        owner.stdin.flush()
        owner.stdout.readline()
        held = self.run_code(6, "consume", "t")
        self.assertIn(f"--read-only --store '{store}'".encode(), held.err)
        self.assertEqual(self.run_ok("consume", "t", *alone, log=False).out, b"a\nb\n")
        environment = {"MILLRACE_STORE": store, "MILLRACE_ENGINE__READ_ONLY": "true"}
        self.assertEqual(self.run_ok("consume", "t", log=False, environment=environment).out, b"a\nb\n")
        elsewhere = {"MILLRACE_DATA_DIR": os.path.join(self.folder, "elsewhere")}
        self.assertEqual(self.run_ok("consume", "t", *alone, log=False, environment=elsewhere).out, b"a\nb\n")
        status = self.run_ok("status", "--json", *alone, log=False).json()
        self.assertEqual((status["lock"], status["object_store"]), ("none: read from the object store alone", store))
        self.assertEqual(status["follow"]["generation"], 1)
        for words in (["topic", "rm", "t"], ["topic", "alter", "t", "-p", "2"], ["consume", "t", "--group", "g"], ["cursor", "read", "t", "c"],
                      ["segment", "upload"], ["maintain"], ["produce", "t"], ["topic", "create", "u"]):
            outcome = self.run_code(5, *words, *alone, log=False, stdin=b"c\n")
            self.assertIn(b"open for reading only", outcome.err, words)
        for words in (["wal", "ls"], ["bench"], ["store", "takeover"]):
            self.run_code(2, *words, *alone, log=False)

    def test_a_directory_is_read_by_several_with_one_flag(self):
        self.produce("t", "a\n")
        reader = self.start("consume", "t", "--follow", "--read-only")
        self.assertEqual(reader.stdout.readline(), b"a\n")
        self.assertEqual(self.run_ok("consume", "t", "--read-only").out, b"a\n")
        self.run_code(5, "topic", "rm", "t", "--read-only")
