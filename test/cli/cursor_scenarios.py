"""Cursors: the next records, once, whatever process asks for them."""
from scenario import Scenario


class CursorScenarios(Scenario):
    def taken(self, *words, **options):
        return self.run_ok("cursor", *words, **options).lines()

    def test_read_moves_and_peek_does_not(self):
        self.produce("t", "a\nb\nc\nd\n")
        for mode in (["--strict"], ["--persist-every", "3"], []):
            name = "c" + "".join(mode)
            self.assertEqual(self.taken("read", "t", name, "-n", "1", *mode), ["a"])
            self.assertEqual(self.taken("peek", "t", name), ["b"])
            self.assertEqual(self.taken("peek", "t", name, "-n", "9"), ["b", "c", "d"])
            self.assertEqual(self.taken("read", "t", name, "-n", "2", *mode), ["b", "c"])
            self.assertEqual(self.taken("read", "t", name, *mode), ["d"])
            self.assertEqual(self.taken("read", "t", name, *mode), [])
        self.produce("t", "e\n")
        self.assertEqual(self.taken("read", "t", "c--strict"), ["e"])

    def test_list_seek_and_remove(self):
        self.run_ok("topic", "create", "t", "-p", "2")
        self.produce("t", "a\nb\nc\n", "-p", "1")
        outcome = self.run_ok("cursor", "read", "t", "c", "-p", "1", "-n", "1", "--json")
        self.assertIn(b"made cursor c of t/1", outcome.err)
        record = outcome.json_lines()[0]
        self.assertEqual((record["topic"], record["partition"], record["offset"], record["value"]), ("t", 1, 0, "a"))
        self.run_code(3, "cursor", "seek", "t", "other", "0")
        self.assertNotIn("other", str(self.run_ok("cursor", "ls", "t").rows()))
        self.run_code(1, "cursor", "seek", "t", "other", "9", "--create")
        self.assertNotIn("other", str(self.run_ok("cursor", "ls", "t").rows()))
        self.taken("seek", "t", "other", "0", "--create")
        self.assertEqual(self.run_ok("cursor", "ls", "t").rows(), [["0", "other", "0", "0"], ["1", "c", "1", "2"]])
        listed = self.run_ok("cursor", "ls", "t", "-p", "1", "--json").json()
        self.assertEqual((listed["schema"], listed["topic"]), ("millrace.cursors.v1", "t"))
        self.assertEqual(listed["cursors"], [{"partition": 1, "name": "c", "position": 1, "unread": 2}])
        self.taken("seek", "t", "c", "latest", "-p", "1")
        self.assertEqual(self.taken("read", "t", "c", "-p", "1"), [])
        self.taken("seek", "t", "c", "2", "-p", "1")
        self.assertEqual(self.taken("read", "t", "c", "-p", "1"), ["c"])
        error = self.run_code(1, "cursor", "seek", "t", "c", "4", "-p", "1", "--json").error()
        self.assertEqual((error["code"], error["log_start"], error["log_end"]), ("kOutOfRange", 0, 3))
        self.run_ok("cursor", "rm", "t", "c", "-p", "1")
        self.assertEqual(self.run_ok("cursor", "ls", "t").rows(), [["0", "other", "0", "0"]])
        self.run_code(3, "cursor", "rm", "t", "c", "-p", "1")
        self.run_code(3, "cursor", "peek", "t", "c", "-p", "1")

    def test_headers_keys_and_formats_come_through(self):
        self.produce("t", "v\n", "-k", "key", "-H", "h=x")
        self.run_ok("cursor", "seek", "t", "c", "0", "--create")
        self.assertEqual(self.taken("peek", "t", "c", "-f", "%k %v %h %o\\n"), ["key v h=x 0"])
        record = self.run_ok("cursor", "read", "t", "c", "--json").json_lines()[0]
        self.assertEqual(record["headers"], [{"key": "h", "value": "x"}])

    def test_overtaken_by_a_trim_goes_on_and_says_so(self):
        self.produce("t", "a\nb\nc\nd\n")
        self.taken("read", "t", "c", "-n", "1")
        self.run_ok("topic", "trim", "t", "--before", "3")
        for verb in ("peek", "read"):
            outcome = self.run_ok("cursor", verb, "t", "c")
            self.assertEqual(outcome.out, b"d\n")
            self.assertIn(b"was at offset 1", outcome.err)

    def test_consumed_topics_give_their_space_back(self):
        self.run_ok("topic", "create", "t", "-c", "millrace.cleanup=consumed")
        self.produce("t", "a\nb\nc\n")
        self.taken("read", "t", "c", "-n", "2")
        self.run_ok("wal", "recycle")
        self.assertEqual(self.run_ok("consume", "t").lines(), ["c"])
        self.taken("read", "t", "c")
        self.run_ok("segment", "upload")
        self.run_ok("wal", "recycle")
        self.assertEqual(self.run_ok("consume", "t").lines(), [])
        self.assertEqual(self.objects(), [])

    def test_what_is_wrong_is_told(self):
        self.produce("t", "a\n")
        self.run_code(2, "cursor", "read", "t", "c", "--strict", "--persist-every", "3")
        self.run_code(2, "cursor", "read", "t", "")
        self.run_code(3, "cursor", "read", "absent", "c")
        self.run_code(3, "cursor", "read", "t", "c", "-p", "1")
        self.run_code(2, "cursor", "read", "t", "c", log=False)

    def test_dry_runs_change_nothing(self):
        self.produce("t", "a\nb\nc\n")
        self.taken("read", "t", "c", "-n", "1")
        self.run_ok("consume", "t", "-g", "g", "-n", "2")
        for words in (["cursor", "seek", "t", "c", "3"], ["cursor", "rm", "t", "c"], ["group", "seek", "g", "t", "--to", "0"], ["group", "rm", "g"],
                      ["topic", "trim", "t", "--before", "2"], ["topic", "rm", "t"]):
            self.assertIn(b"would", self.run_ok(*words, "--dry-run").err, words)
        self.assertEqual(self.taken("peek", "t", "c"), ["b"])
        self.assertEqual(self.values("t", "-g", "g"), ["c"])
        self.assertEqual(self.values("t"), ["a", "b", "c"])
        self.run_code(3, "cursor", "rm", "t", "nobody", "--dry-run")
        self.run_code(3, "group", "rm", "nobody", "--dry-run")
