"""segment, wal, inspect: bytes on their way to the object store, and damage that is never served."""
import glob
import json
import os
import re

from scenario import Scenario

LINES = "".join(f"line {i}: some text to fill the blocks of a segment\n" for i in range(5000))


class TierScenarios(Scenario):
    def upload(self):
        self.produce("t", LINES)
        self.run_ok("segment", "upload")

    def test_upload_list_verify_cat(self):
        self.upload()
        rows = self.run_ok("segment", "ls", "t").rows()
        self.assertEqual(rows[0][1], "0")
        self.assertEqual(rows[-1][2], "5000")
        listed = self.run_ok("segment", "ls", "t", "--json").json()
        self.assertEqual(listed["schema"], "millrace.segments.v1")
        self.assertEqual(sum(s["records"] for s in listed["segments"]), 5000)
        verified = self.run_ok("segment", "verify")
        self.assertIn(b"0 damaged", verified.err)
        self.assertEqual(self.run_ok("segment", "verify", "t", "--json").json()["records"], 5000)
        printed = b"".join(self.run_ok("segment", "cat", row[5]).out for row in rows)
        self.assertEqual(printed.decode(), LINES)
        printed = b"".join(self.run_ok("segment", "cat", path, log=False).out for path in self.objects()[:1])
        self.assertTrue(printed.startswith(b"line "))
        self.run_code(3, "segment", "cat", "no/such/object")

    def test_recycled_log_comes_from_the_object_store(self):
        self.upload()
        self.run_ok("wal", "recycle")
        outcome = self.run_ok("consume", "t", "--explain")
        self.assertEqual(outcome.out.decode(), LINES)
        explained = json.loads(outcome.err)["explain"]
        self.assertEqual((explained["bytes"]["tail"], explained["bytes"]["wal"]), (0, 0))
        self.assertGreater(explained["bytes"]["object_store"], 0)
        self.assertGreater(explained["requests"], 0)
        self.assertEqual(
            set(explained),
            {"bytes", "requests", "shared", "wait_ms", "cost_usd", "prefetched", "wait_by_cause_ms", "ranges"},
        )
        self.assertEqual(set(explained["wait_by_cause_ms"]), {"sync", "store", "shared", "memory", "cache"})
        self.assertEqual(len(explained["ranges"]), explained["requests"])
        root = os.path.join(self.log, "objects")
        sizes = {os.path.relpath(path, root): os.path.getsize(path) for path in self.objects()}
        for asked in explained["ranges"]:
            self.assertLessEqual(asked["offset"] + asked["length"], sizes[asked["object"]])
            self.assertGreater(asked["length"], 0)

    def test_a_disk_cache_that_cannot_be_had_is_told(self):
        with open(os.path.join(self.folder, "file"), "wb"):
            pass
        # A store that is far, and is not asked here.
        far = ("--store", "s3://bucket/far?endpoint=http://127.0.0.1:1&region=x", "--set", f"read.cache_dir={self.folder}/file")
        keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
        self.run_ok("topic", "create", "t", *far, environment=keys)
        told = self.run_ok("status", *far, environment=keys)
        self.assertIn(b"disk cache", told.err)
        rows = dict(row for row in told.rows() if len(row) == 2)
        self.assertRegex(rows["cache_failure"], r"Not a directory .*\(1 times since 20")
        failure = self.run_ok("status", "--json", *far, environment=keys).json()["cache_failure"]
        self.assertEqual(failure["times"], 1)
        self.assertIn("Not a directory", failure["message"])
        checked = self.run_code(6, "status", "--check", *far, environment=keys)
        self.assertIn(b"the disk cache is left alone", checked.out)

    def test_explain_of_a_hot_log_names_no_request(self):
        self.produce("t", "a\n")
        explained = json.loads(self.run_ok("consume", "t", "--explain").err)["explain"]
        self.assertEqual((explained["requests"], explained["bytes"]["object_store"]), (0, 0))
        self.assertEqual(explained["ranges"], [])
        self.assertGreater(explained["bytes"]["tail"] + explained["bytes"]["wal"], 0)

    def test_flipped_byte_in_an_object_is_named_and_never_served(self):
        self.upload()
        self.run_ok("wal", "recycle")
        path = self.objects()[0]
        at = os.path.getsize(path) // 2
        self.flip(path, at)
        outcome = self.run_code(9, "consume", "t", "--json")
        error = outcome.error()
        self.assertEqual(error["code"], "kCorruption")
        name = os.path.basename(path)
        self.assertIn(name, error["message"] + error["damage"]["place"])
        self.assertTrue(error["damage"]["byte_begin"] <= at < error["damage"]["byte_end"], error)
        self.assertIn("--skip-corrupt", error["hint"])
        values = [record["value"] + "\n" for record in outcome.json_lines()]
        self.assertTrue(LINES.startswith("".join(values)))
        damaged = self.run_code(9, "segment", "verify", "--json").json()["damage"]
        self.assertEqual(len(damaged), 1)
        self.assertTrue(damaged[0]["byte_begin"] <= at < damaged[0]["byte_end"])
        skipped = self.run_ok("consume", "t", "--skip-corrupt", "-f", "%o\\n")
        self.assertIn(b"skipped t/0 offsets [", skipped.err)
        offsets = [int(line) for line in skipped.lines()]
        gap = set(range(5000)) - set(offsets)
        self.assertEqual(gap, set(range(damaged[0]["begin"], damaged[0]["end"])))
        inspected = self.run_code(9, "inspect", path, "--json", log=False).json()
        self.assertEqual(len(inspected["damage"]), 1)
        self.assertTrue(inspected["damage"][0]["byte_begin"] <= at < inspected["damage"][0]["byte_end"])
        self.assertIn(b"DAMAGED", self.run_code(9, "inspect", "object", path, log=False).out)

    def test_missing_object_is_damage_to_verify(self):
        self.upload()
        os.remove(self.objects()[0])
        self.run_code(9, "segment", "verify")

    def test_inspect_an_object(self):
        self.upload()
        path = self.objects()[0]
        document = self.run_ok("inspect", path, "--records", "--json", log=False).json()
        self.assertEqual((document["schema"], document["kind"], document["damage"]), ("millrace.inspection.v1", "object", []))
        kinds = {piece["kind"] for piece in document["pieces"]}
        self.assertEqual(kinds, {"block", "batch", "record", "index_entry", "footer", "directory", "directory_entry"})
        text = self.run_ok("inspect", "segment", path, log=False).out.decode()
        self.assertIn("no damage", text)
        self.assertIn("index_crc=", text)

    def wal_file(self):
        live = [row[0] for row in self.run_ok("wal", "ls").rows() if row[1] == "live"]
        return os.path.join(self.log, "wal", live[-1])

    def test_wal_list_verify_inspect(self):
        self.produce("t", "a\nb\nc\n", "--batch", "2")
        path = self.wal_file()
        self.assertEqual(self.run_ok("wal", "ls", "--json").json()["schema"], "millrace.wal.v1")
        self.assertIn(b"0 damaged", self.run_ok("wal", "verify").err)
        document = self.run_ok("inspect", path, "--records", "--json", log=False).json()
        self.assertEqual(document["kind"], "wal")
        values = [piece["value"] for piece in document["pieces"] if piece["kind"] == "record"]
        self.assertEqual(values, ["a", "b", "c"])
        self.assertEqual(document["damage"], [])
        self.assertEqual(document["pieces"][0]["kind"], "header")

    def flip_in_the_wal(self):
        """Three records, of which the second one's frame is damaged; the file, and where."""
        self.produce("t", "".join(value * 100 + "\n" for value in "abc"), "--batch", "1")
        path = self.wal_file()
        pieces = self.run_ok("inspect", path, "--json", log=False).json()["pieces"]
        frames = [p for p in pieces if p["kind"] == "frame" and p["payload_bytes"] > 0]
        at = frames[1]["byte_begin"] + 100
        self.flip(path, at)
        return path, at

    def test_flipped_byte_in_the_wal_is_named(self):
        path, at = self.flip_in_the_wal()
        damage = self.run_code(9, "inspect", path, "--json", log=False).json()["damage"]
        self.assertEqual(len(damage), 1)
        self.assertTrue(damage[0]["byte_begin"] <= at < damage[0]["byte_end"])
        verified = self.run_code(9, "wal", "verify", "--json").json()
        self.assertEqual((verified["schema"], len(verified["damage"])), ("millrace.wal_verify.v1", 1))
        os.remove(os.path.join(self.log, "wal", "staging"))  # else recovery would find the frame there and repair it
        outcome = self.run_code(9, "consume", "t", "--json")
        self.assertEqual([r["value"] for r in outcome.json_lines()], ["a" * 100])
        damaged = outcome.error()["damage"]
        self.assertTrue(damaged["byte_begin"] <= at < damaged["byte_end"], damaged)
        skipped = self.run_ok("consume", "t", "--skip-corrupt", "-f", "%o\\n")
        named = {int(begin) for begin in re.findall(rb"skipped t/0 offsets \[(\d+), ", skipped.err)}
        self.assertEqual(named, {1})
        self.assertEqual([int(line) for line in skipped.lines()], [0, 2])

    def test_record_lost_in_the_wal_is_told_when_its_wal_is_gone(self):
        self.flip_in_the_wal()
        os.remove(os.path.join(self.log, "wal", "staging"))
        self.run_code(9, "segment", "upload")
        self.run_ok("segment", "upload")
        self.run_ok("wal", "recycle")
        rows = self.run_ok("segment", "ls", "t").rows()
        self.assertEqual([(row[1], row[2]) for row in rows], [("0", "1"), ("1", "2"), ("2", "3")])
        self.assertEqual([row[5] == "(lost)" for row in rows], [False, True, False])
        listed = self.run_ok("segment", "ls", "t", "--json").json()["segments"]
        self.assertEqual([segment["lost"] for segment in listed], [False, True, False])
        damage = self.run_code(9, "segment", "verify", "--json").json()["damage"]
        self.assertEqual([(d["begin"], d["end"], d["place"]) for d in damage], [(1, 2, "metadata")])
        self.assertIn(b"partition 0: offsets [1, 2): lost", self.run_ok("topic", "describe", "t").out)
        described = self.run_ok("topic", "describe", "t", "--json").json()["partitions"][0]["damage"]
        self.assertEqual([(d["begin"], d["end"]) for d in described], [(1, 2)])
        outcome = self.run_code(9, "consume", "t", "--json")
        self.assertEqual([r["value"] for r in outcome.json_lines()], ["a" * 100])
        self.assertEqual((outcome.error()["damage"]["begin"], outcome.error()["damage"]["end"]), (1, 2))
        skipped = self.run_ok("consume", "t", "--skip-corrupt", "-f", "%o\n")
        self.assertIn(b"skipped t/0 offsets [1, 2): ", skipped.err)
        self.assertEqual([int(line) for line in skipped.lines()], [0, 2])

    def test_frame_that_is_still_staged_is_repaired(self):
        self.produce("t", "a\nb\nc\n", "--batch", "1")
        path = self.wal_file()
        pieces = self.run_ok("inspect", path, "--json", log=False).json()["pieces"]
        self.flip(path, [p for p in pieces if p["kind"] == "frame"][1]["byte_begin"] + 60)
        self.run_code(9, "wal", "verify")
        os.remove(os.path.join(self.log, "wal", "closed"))  # as a kill leaves it: recovery reads every frame
        self.assertEqual(self.values("t"), ["a", "b", "c"])
        self.run_ok("wal", "verify")

    def test_inspect_refuses_what_it_does_not_know(self):
        path = os.path.join(self.folder, "text")
        with open(path, "w") as file:
            file.write("neither\n")
        self.run_code(2, "inspect", path, log=False)
        self.run_code(9, "inspect", "segment", path, log=False)
        self.run_code(9, "inspect", "wal", path, log=False)
        self.run_code(3, "inspect", path + "x", log=False)
        self.run_code(2, "inspect", self.folder, log=False)

    def test_stores_in_other_places(self):
        store = os.path.join(self.folder, "elsewhere")
        self.produce("t", "a\n", "--store", f"file://{store}")
        self.run_ok("segment", "upload", "--store", f"file://{store}")
        self.assertTrue(glob.glob(os.path.join(store, "**", "*"), recursive=True))
        self.assertEqual(self.values("t", "--store", f"file://{store}"), ["a"])
