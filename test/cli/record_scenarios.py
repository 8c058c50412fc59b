"""produce and consume: what goes in comes out, in the shapes the manual shows."""
import base64
import json

from scenario import Scenario


class RecordScenarios(Scenario):
    def test_three_records_as_json_have_offsets_0_1_2(self):
        self.run_ok("produce", "t", stdin=b"a\nb\nc\n")
        records = self.run_ok("consume", "t", "--from", "earliest", "-n", "3", "--json").json_lines()
        self.assertEqual([r["offset"] for r in records], [0, 1, 2])
        self.assertEqual([r["value"] for r in records], ["a", "b", "c"])
        self.assertEqual(set(records[0]), {"topic", "partition", "offset", "timestamp_ms", "key", "value", "headers"})
        self.assertEqual((records[0]["topic"], records[0]["partition"], records[0]["key"], records[0]["headers"]), ("t", 0, None, []))

    def test_produce_says_that_it_created_the_topic_once(self):
        first = self.produce("t", "a\n")
        self.assertIn(b"created topic t", first.err)
        self.assertEqual(first.out, b"")
        self.assertEqual(self.produce("t", "b\n").err, b"")

    def test_plain_output_is_the_bytes_that_went_in(self):
        text = b"one\n\ntwo\r\nthr\tee\n\xff\xfe\nlast without newline"
        self.produce("t", text)
        self.assertEqual(self.run_ok("consume", "t").out, text + b"\n")

    def test_empty_input_makes_no_record(self):
        self.produce("t", "")
        self.assertEqual(self.run_ok("consume", "t").out, b"")

    def test_key_separator(self):
        self.produce("t", "k=v=w\nnone\n=e\n", "--key-separator", "=")
        keys = [(r["key"], r["value"]) for r in self.run_ok("consume", "t", "--json").json_lines()]
        self.assertEqual(keys, [("k", "v=w"), (None, "none"), ("", "e")])

    def test_key_null_headers(self):
        self.produce("t", "x\nNULL\n", "-k", "key", "--null", "NULL", "-H", "a=1", "-H", "b=2")
        records = self.run_ok("consume", "t", "--json").json_lines()
        self.assertEqual([r["value"] for r in records], ["x", None])
        self.assertEqual({r["key"] for r in records}, {"key"})
        self.assertEqual(records[0]["headers"], [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])

    def test_bytes_that_are_no_text_are_base64(self):
        self.produce("t", b"\xff\xfe\n", "-k", "k")
        record = self.run_ok("consume", "t", "--json").json_lines()[0]
        self.assertEqual(record["encoding"], "base64")
        self.assertEqual(base64.b64decode(record["value"]), b"\xff\xfe")
        self.assertEqual(base64.b64decode(record["key"]), b"k")

    def test_json_out_is_json_in(self):
        self.produce("a", b"plain\n\n\xff\n", "-H", "h=x")
        self.produce("a", "NULL\n", "--null", "NULL", "-k", "")
        out = self.run_ok("consume", "a", "--json").out
        self.produce("b", out, "--json")
        again = self.run_ok("consume", "b", "--json").out
        strip = [{k: v for k, v in json.loads(line).items() if k != "topic"} for line in out.splitlines()]
        self.assertEqual(strip, [{k: v for k, v in json.loads(line).items() if k != "topic"} for line in again.splitlines()])

    def test_wrong_json_line_is_named_and_what_stood_before_is_stored(self):
        outcome = self.run_code(2, "produce", "t", "--json", stdin=b'{"value":"a"}\nnonsense\n{"value":"c"}\n')
        self.assertIn("line 2", outcome.error()["message"])
        self.assertEqual(self.values("t"), ["a"])

    def test_format_letters(self):
        self.produce("t", "v\n", "-k", "k", "-H", "h=x")
        stamp = self.run_ok("consume", "t", "--json").json_lines()[0]["timestamp_ms"]
        out = self.run_ok("consume", "t", "-f", "%t/%p@%o %T %k=%v %h %K %V%%\\t\\x41\\0\\n").out
        self.assertEqual(out, f"t/0@0 {stamp} k=v h=x 1 1%\tA\0\n".encode())

    def test_format_reads_what_it_prints(self):
        self.produce("a", "k1 v 1\nk2 v 2\n", "-f", "%k %v\\n")
        self.assertEqual(self.run_ok("consume", "a", "-f", "%k|%v\\n").out, b"k1|v 1\nk2|v 2\n")

    def test_receipts(self):
        receipts = self.produce("t", "a\nb\nc\n", "--receipts").json_lines()
        self.assertEqual(len(receipts), 1)
        self.assertEqual(receipts[0] | {"timestamp_ms": 0},
                         {"topic": "t", "partition": 0, "base_offset": 0, "last_offset": 2, "timestamp_ms": 0, "durability": "disk"})

    def test_batches_and_receipts_in_order(self):
        receipts = self.produce("t", "".join(f"{i}\n" for i in range(25)), "--batch", "10", "-v", "--acks", "os").json_lines()
        self.assertEqual([(r["base_offset"], r["last_offset"]) for r in receipts], [(0, 9), (10, 19), (20, 24)])
        self.assertEqual(self.values("t"), [str(i) for i in range(25)])

    def test_acks_object_is_in_the_object_store(self):
        receipt = self.produce("t", "a\n", "--acks", "object", "--receipts").json_lines()[0]
        self.assertEqual(receipt["durability"], "object")
        self.assertEqual(len(self.objects()), 1)

    def test_every_codec(self):
        text = "".join(f"line {i} of a text that repeats\n" for i in range(200))
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.produce(codec, text, "-z", codec)
            self.assertEqual(self.run_ok("consume", codec).out.decode(), text)

    def test_partitions_by_key_by_number_and_in_turn(self):
        self.run_ok("topic", "create", "t", "-p", "4")
        self.produce("t", "x\n", "-p", "2")
        self.assertEqual(self.values("t", "-p", "2"), ["x"])
        self.produce("t", "".join(f"{k}:{i}\n" for i in range(50) for k in "abcdef"), "--key-separator", ":")
        places = {}
        for record in self.run_ok("consume", "t", "--json").json_lines():
            if record["key"]:
                places.setdefault(record["key"], set()).add(record["partition"])
        self.assertTrue(all(len(partitions) == 1 for partitions in places.values()))
        self.assertGreater(len(set.union(*places.values())), 1)
        self.run_code(3, "consume", "t", "-p", "4")
        self.run_code(3, "produce", "t", "-p", "4", stdin=b"x\n")

    def test_from_and_until(self):
        self.produce("t", "".join(f"{i}\n" for i in range(10)))
        self.assertEqual(self.values("t", "--from", "3", "--until", "6"), ["3", "4", "5"])
        self.assertEqual(self.values("t", "--from", "latest"), [])
        self.assertEqual(self.values("t", "--from", "8", "--until", "latest"), ["8", "9"])
        self.assertEqual(self.values("t", "--from", "2", "-n", "1"), ["2"])
        self.assertEqual(self.values("t", "-n", "0"), [])

    def test_from_and_until_by_time(self):
        lines = "".join(json.dumps({"value": str(i), "timestamp_ms": 1767225600000 + i * 60000}) + "\n" for i in range(10))
        self.produce("t", lines, "--json")
        self.assertEqual(self.values("t", "--from", "@2026-01-01T00:07Z"), ["7", "8", "9"])
        self.assertEqual(self.values("t", "--until", "@2026-01-01T00:02Z"), ["0", "1"])
        self.assertEqual(self.values("t", "--from", "@1767225660000", "--until", "@2026-01-01T01:03+01:00"), ["1", "2"])

    def test_several_topics(self):
        self.produce("a", "1\n")
        self.produce("b", "2\n")
        self.assertEqual(sorted(self.run_ok("consume", "a", "b").lines()), ["1", "2"])

    def test_tail_prints_the_last(self):
        self.produce("t", "".join(f"{i}\n" for i in range(20)))
        self.assertEqual(self.run_ok("tail", "t", "--no-follow").lines(), [str(i) for i in range(10, 20)])
        self.assertEqual(self.run_ok("tail", "t", "-n", "3", "--no-follow").lines(), ["17", "18", "19"])
        self.assertEqual(self.run_ok("tail", "t", "-n", "100", "--no-follow", "-f", "%o ").out.decode(), "".join(f"{i} " for i in range(20)))

    def test_name_spaces_are_apart(self):
        self.produce("t", "a\n")
        self.produce("t", "b\n", "--name-space", "other")
        self.assertEqual(self.values("t"), ["a"])
        self.assertEqual(self.values("t", "--name-space", "other"), ["b"])

    def test_sync_policies_keep_what_they_are_given(self):
        for policy in ("each", "interval:5ms", "none"):
            self.produce("t", policy + "\n", "--sync", policy)
        self.assertEqual(self.values("t"), ["each", "interval:5ms", "none"])

    def test_one_long_line_does_not_end_an_ingestion(self):
        long = b"x" * (2 << 20)
        for number, text in enumerate((b"a\nb\n" + long + b"\nc\n", b"a\nb\n" + long * 9 + b"\nc\n")):
            topic = f"t{number}"
            outcome = self.run_code(2, "produce", topic, "--receipts", stdin=text)
            self.assertIn(b"line 3: ", outcome.err)
            self.assertEqual(outcome.json_lines()[-1]["last_offset"], 1)
            self.assertEqual(self.values(topic), ["a", "b"])
            told = self.run_ok("produce", topic, "--on-long-line", "skip", stdin=text).err
            self.assertIn(b"1 lines were too long and were left out (the first is line 3)", told)
            self.assertEqual(self.values(topic), ["a", "b", "a", "b", "c"])
            self.run_ok("produce", topic, "--on-long-line", "truncate", "-k", "key", stdin=text)
            self.assertEqual([len(value) for value in self.values(topic, "--from", "5")], [1, 1, (1 << 20) - 3, 1])

    def test_short_lines_with_long_headers_stay_below_the_limit_of_a_batch(self):
        text = "a\n" * 100000
        self.produce("t", text, "-k", "k" * 300, "-H", "h=" + "v" * 300)
        self.assertEqual(len(self.run_ok("consume", "t").lines()), 100000)

    def test_records_without_a_key_go_round_the_partitions_across_runs(self):
        self.run_ok("topic", "create", "t", "-p", "2")
        seen = set()
        for _ in range(40):
            self.produce("t", "a\n")
            seen = {record["partition"] for record in self.run_ok("consume", "t", "--json").json_lines()}
            if len(seen) == 2:
                return
        self.assertEqual(len(seen), 2)

    def test_a_key_that_looks_like_a_flag(self):
        self.produce("t", "a\n", "-k", "-h")
        self.assertEqual(self.run_ok("consume", "t", "-f", "%k\\n").out, b"-h\n")

    def test_times_beyond_all_time_are_refused(self):
        for number in ("9223372036854775808", "18446744073709551615"):
            self.run_code(2, "produce", "t", "--json", stdin=b'{"timestamp_ms":%s,"value":"x"}\n' % number.encode())
