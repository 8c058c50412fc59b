"""Failures: one paragraph on standard error, the right exit code, nothing made by verbs that only read."""
import json
import os

from scenario import Scenario


class ErrorScenarios(Scenario):
    def test_where_must_be_named_and_once(self):
        for words in (["segment", "ls", "t"], ["cursor", "ls", "t", "--server", "localhost:9092"], ["consume", "t", "--store", "file:"], ["bench", "append"]):
            outcome = self.run_code(2, *words, log=False)
            self.assertIn(b"--data-dir", outcome.err)
            self.assertEqual(outcome.out, b"")
        both = self.run_code(2, "topic", "ls", "--server", "h:1")
        self.assertIn(b"both given", both.err)

    def test_directory_from_the_environment(self):
        self.produce("t", "a\n")
        self.assertEqual(self.run_ok("consume", "t", log=False, environment={"MILLRACE_DATA_DIR": self.log}).out, b"a\n")
        self.run_code(2, "topic", "ls", log=False, environment={"MILLRACE_DATA_DIR": self.log, "MILLRACE_SERVER": "h:1"})

    def test_reading_verbs_make_no_directory(self):
        for words in (["consume", "t"], ["tail", "t"], ["topic", "ls"], ["topic", "describe", "t"], ["group", "ls"], ["status"],
                      ["segment", "ls", "t"], ["segment", "verify"], ["wal", "ls"], ["wal", "verify"], ["group", "lag"],
                      ["topic", "alter", "t", "-p", "2"], ["topic", "rm", "t"], ["topic", "trim", "t", "--before", "1"],
                      ["group", "seek", "g", "t", "--to", "0"], ["segment", "upload"], ["wal", "recycle"]):
            self.run_code(3, *words)
            self.assertFalse(os.path.exists(self.log), words)

    def test_an_empty_directory_stays_empty_for_readers(self):
        os.mkdir(self.log)
        self.run_code(3, "topic", "ls")
        self.assertEqual(os.listdir(self.log), [])

    def test_only_produce_makes_a_topic(self):
        self.produce("t", "a\n")
        for words in (["consume", "u"], ["tail", "u"], ["topic", "describe", "u"], ["segment", "ls", "u"], ["topic", "trim", "u", "--before", "0"]):
            outcome = self.run_code(3, *words)
            self.assertIn(b"there is no topic u", outcome.err)
        self.assertEqual([row[0] for row in self.run_ok("topic", "ls").rows()], ["t"])

    def test_exists(self):
        self.run_ok("topic", "create", "t")
        outcome = self.run_code(4, "topic", "create", "t", "--json")
        self.assertEqual((outcome.error()["code"], outcome.error()["kafka_code"]), ("kAlreadyExists", 36))

    def test_usage(self):
        for words in (["nonsense"], ["topic", "nonsense"], ["topic", "create"], ["topic", "create", "t", "--nope"], ["topic", "create", "a", "b"],
                      ["topic", "create", "t", "-p", "0"], ["topic", "create", "t", "-c", "x=y"], ["topic", "create", "bad name"],
                      ["topic", "create", ".."], ["consume", "t", "--from", "sometime"], ["consume", "t", "-n", "-1"],
                      ["consume", "t", "-f", "%z"], ["consume", "t", "-f", "%v", "--json"], ["consume", "t", "--sync", "never"],
                      ["produce", "t", "--acks", "all"], ["produce", "t", "-z", "rar"], ["produce", "t", "--rate", "0"],
                      ["group", "seek", "g", "t"], ["inspect"]):
            outcome = self.run_raw(*words)
            self.assertEqual(outcome.code, 2, (words, outcome.err))
            self.assertTrue(outcome.err.startswith(b'{"error":' if "--json" in words else b"millrace: "), words)
            self.assertEqual(outcome.err.count(b"\n"), 1, (words, outcome.err))
            self.assertEqual(outcome.out, b"")

    def test_nearest_names(self):
        self.assertIn(b"Did you mean produce?", self.run_code(2, "prodcue", "t").err)
        self.assertIn(b"Did you mean --count?", self.run_code(2, "consume", "t", "--cuont", "1").err)
        self.produce("orders", "a\n")
        self.assertIn(b"Did you mean orders?", self.run_code(3, "consume", "ordrs").err)

    def test_errors_as_json(self):
        self.run_ok("topic", "create", "t")
        outcome = self.run_code(3, "consume", "u", "--json")
        self.assertEqual(outcome.out, b"")
        error = json.loads(outcome.err)["error"]
        self.assertEqual((error["code"], error["kafka_code"], error["retryable"]), ("kNotFound", 3, False))
        self.assertTrue(error["message"])
        usage = self.run_code(2, "topic", "ls", "--json", "--nope").error()
        self.assertEqual(usage["code"], "kInvalidArgument")

    def test_record_too_large_ends_the_run_after_the_lines_before_it(self):
        outcome = self.run_code(2, "produce", "t", stdin=b"a\n" + b"x" * (2 << 20) + b"\n")
        self.assertIn(b"produce t stopped after 1 records were stored", outcome.err)
        self.assertEqual(self.values("t"), ["a"])

    def test_locked_directory_names_the_holder(self):
        holder = self.start("produce", "t", "--receipts")
        holder.stdin.write(b"a\n")
        holder.stdin.flush()
        holder.stdout.readline()
        outcome = self.run_code(6, "topic", "ls", "--json")
        error = outcome.error()
        self.assertEqual((error["code"], error["retryable"]), ("kUnavailable", True))
        self.assertIn(str(holder.pid), error["message"])
        told = self.run_code(6, "topic", "ls").err.decode()
        self.assertRegex(told, r"^millrace: cannot open \S+: \S+ is held by process \d+ .*\[kUnavailable\]\n$")
        holder.stdin.close()
        self.assertEqual(holder.wait(60), 0)
        self.run_ok("topic", "ls")

    def test_colours_only_when_asked_for(self):
        self.assertNotIn(b"\x1b", self.run_code(3, "topic", "ls").err)
        self.assertIn(b"\x1b[31mmillrace:", self.run_code(3, "topic", "ls", "--color", "always").err)

    def test_full_standard_output_is_an_error(self):
        self.produce("t", "a\n")
        import subprocess
        from scenario import ENVIRONMENT
        with open("/dev/full", "wb") as full:
            done = subprocess.run(self.command(["consume", "t"]), stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)
