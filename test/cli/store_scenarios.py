"""store: what lies in an object store, and a log that is handed over, moved, adopted; what of it waits for its turn."""
import glob
import json
import os
import shutil
import signal
import subprocess
import time

import scenario
from scenario import ENVIRONMENT, Scenario

LINES = "".join(f"line {i}: some text to fill the blocks of a segment\n" for i in range(2000))
VALUES = LINES.splitlines()


class StoreScenarios(Scenario):
    def place(self, name="store"):
        return "file://" + os.path.join(self.folder, name)

    def written(self, url=None):
        """A log whose records are in the store, but for the last one."""
        store = ("--store", url) if url else ()
        self.run_ok("produce", "orders", *store, stdin=LINES.encode())
        self.run_ok("segment", "upload")
        self.run_ok("produce", "orders", stdin=b"last\n")

    def elsewhere(self, name="elsewhere"):
        """From here on the scenario's log is another directory."""
        before, self.log = self.log, os.path.join(self.folder, name)
        return before

    def files(self, name="store", end=".obj"):
        return sorted(path for path in glob.glob(os.path.join(self.folder, name, "**"), recursive=True)
                      if path.endswith(end) and os.path.isfile(path))

    def kinds(self, outcome):
        return {row[0]: int(row[2]) for row in outcome.rows() if row[1] == "-"}

    def test_usage_by_topic_and_by_kind(self):
        self.written(self.place())
        usage = self.run_ok("store", "usage", "--json").json()
        self.assertEqual(usage["schema"], "millrace.store_usage.v1")
        self.assertEqual([topic["name"] for topic in usage["topics"]], ["orders"])
        self.assertEqual(usage["topics"][0]["records"], 2000)
        self.assertEqual(usage["totals"]["in_use"]["objects"], len(self.files()))
        self.assertEqual(usage["totals"]["in_use"]["bytes"], sum(map(os.path.getsize, self.files())))
        self.assertEqual(usage["totals"]["orphans"]["objects"], 0)
        alone = self.run_ok("store", "usage", self.place(), "--json", log=False).json()
        self.assertEqual((alone["from_store_alone"], alone["topics"]), (True, usage["topics"]))
        self.assertEqual(alone["behind_objects"] + alone["snapshot_objects"], len(self.files()))
        rows = self.run_ok("store", "usage")
        self.assertEqual(rows.rows()[0][:3], ["topic", "orders", "1"])
        self.assertEqual(self.kinds(rows)["in_use"], len(self.files()))

    def test_usage_of_a_log_in_its_own_directory(self):
        self.written()
        self.assertEqual(self.kinds(self.run_ok("store", "usage"))["in_use"], len(self.objects()))

    def test_audit_names_what_is_missing_and_deletes_nothing(self):
        self.written(self.place())
        clean = self.run_ok("store", "audit")
        self.assertEqual(clean.rows(), [])
        self.assertIn(b"0 damaged or missing, 0 other findings", clean.err)
        with open(os.path.join(self.folder, "store", "stranger"), "wb") as file:
            file.write(b"x")
        self.assertEqual([row[:2] for row in self.run_ok("store", "audit").rows()], [["foreign", "stranger"]])
        gone = self.files()[0]
        os.remove(gone)
        before = self.files(end="")
        found = self.run_code(9, "store", "audit", "--json").json()["findings"]
        self.assertEqual([(one["kind"], one["damage"]) for one in found], [("missing", True), ("foreign", False)])
        self.assertTrue(gone.endswith(found[0]["key"]))
        alone = self.run_raw("store", "audit", self.place(), "--json", log=False)
        self.assertIn(alone.code, (0, 9))  # the store alone does not know that there was one
        self.assertEqual(self.files(end=""), before)
        self.run_code(3, "store", "audit", self.place("nothing"), log=False)

    def test_a_released_log_goes_on_elsewhere_without_a_gap(self):
        self.written(self.place())
        dry = self.run_ok("store", "release", "--dry-run", "--json").json()
        self.assertTrue(dry["dry_run"])
        self.assertGreater(dry["pending_bytes"], 0)
        self.run_ok("produce", "orders", stdin=b"later\n")  # nothing was changed
        released = self.run_ok("store", "release", "--json").json()
        self.assertEqual((released["schema"], released["already"]), ("millrace.release.v1", False))
        refused = self.run_code(4, "produce", "orders", "--json", stdin=b'{"value":"x"}\n')
        self.assertEqual(refused.error()["code"], "kFenced")
        self.assertIn("released", refused.error()["message"])
        self.assertEqual(self.values("orders"), VALUES + ["last", "later"])  # it reads on
        self.assertIn(b"was already released", self.run_ok("store", "release").err)
        self.elsewhere()
        restored = self.run_ok("store", "restore", self.place(), "--json").json()
        self.assertEqual((restored["lost"], restored["records"]), ([], 2002))
        self.run_ok("produce", "orders", stdin=b"next\n")
        self.assertEqual(self.run_ok("consume", "orders", "-f", "%o %v\\n").lines()[-1], "2002 next")

    def test_a_log_in_its_directory_is_not_released(self):
        self.written()
        self.assertIn("store move", self.run_code(2, "store", "release", "--json").error()["hint"])

    def test_a_move_to_a_store_and_on_to_another(self):
        self.written()
        dry = self.run_ok("store", "move", "--to", self.place("first"), "--dry-run", "--json").json()
        self.assertEqual((dry["copied"], dry["objects"]), (1, 1))
        self.assertEqual(self.files("first"), [])
        for name in ("first", "second"):
            moved = self.run_ok("store", "move", "--to", self.place(name), "--json").json()
            self.assertEqual((moved["schema"], moved["copied"], moved["missing"], moved["damaged"]),
                             ("millrace.move.v1", 1, [], []))
            self.assertEqual(self.run_ok("status", "--json").json()["object_store"], self.place(name))
            self.run_ok("wal", "recycle")
            self.assertEqual(self.values("orders"), VALUES + ["last"])
        self.assertIn(b"already", self.run_ok("store", "move", "--to", self.place("second")).err)
        self.assertEqual(self.run_ok("store", "audit").rows(), [])
        self.run_ok("segment", "upload")
        self.assertIn("moved to", self.run_ok("store", "info", self.place("first"), "--json", log=False).json()["how"])
        self.elsewhere()
        gone = self.run_code(4, "store", "restore", self.place("first"), "--json").error()
        self.assertEqual(gone["code"], "kFenced")
        self.assertIn(os.path.join(self.folder, "second"), gone["message"])
        self.run_ok("store", "restore", self.place("second"))
        self.assertEqual(self.values("orders"), VALUES + ["last"])

    def test_a_move_that_is_killed_is_run_again(self):
        for i in range(8):
            self.run_ok("produce", "orders", *(("--store", self.place("first")) if i == 0 else ()),
                        stdin=f"{i}\n{LINES}".encode())
            self.run_ok("segment", "upload")
        wanted = self.values("orders")
        killed = 0
        for attempt in range(200):
            command = self.command(["store", "move", "--to", self.place("second"), "--json"])
            process = subprocess.Popen(command, cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
            time.sleep(0.002 * attempt)
            process.send_signal(signal.SIGKILL)
            out, _ = process.communicate()
            if process.returncode == 0:
                break
            killed += 1
            self.assertEqual(self.values("orders"), wanted)
        else:
            self.fail("the move never came to its end")
        self.assertGreater(killed, 0)
        self.run_ok("store", "move", "--to", self.place("second"))
        self.assertEqual(self.run_ok("status", "--json").json()["object_store"], self.place("second"))
        self.run_ok("wal", "recycle")
        self.assertEqual(self.values("orders"), wanted)
        self.assertEqual(self.run_ok("store", "audit").rows(), [])

    def test_a_move_over_another_log_is_refused(self):
        self.written(self.place("first"))
        first = self.elsewhere()
        self.written(self.place("second"))
        self.log = first
        self.run_code(4, "store", "move", "--to", self.place("second"))
        self.run_code(4, "store", "move", "--to", self.place("first") + "/")
        self.run_code(2, "store", "move")
        self.run_ok("produce", "orders", stdin=b"goes on\n")

    def test_a_directory_put_back_by_its_files_is_adopted(self):
        self.written(self.place())
        backup = os.path.join(self.folder, "backup")
        shutil.copytree(self.log, backup)
        shutil.rmtree(self.log)
        shutil.copytree(backup, self.log)
        refused = self.run_code(4, "produce", "orders", "--acks", "object", "--json", stdin=b'{"value":"x"}\n').error()
        self.assertEqual(refused["code"], "kFenced")
        self.assertIn("copy", refused["message"])
        self.run_code(2, "store", "adopt")
        self.assertTrue(self.run_ok("store", "adopt", "--this-is-the-original", "--dry-run", "--json").json()
                        ["was_taken_for_copy"])
        self.assertIn(b"is the original", self.run_ok("store", "adopt", "--this-is-the-original").err)
        self.run_ok("produce", "orders", "--acks", "object", stdin=b"on\n")
        # The backup is a copy of it now, and the log has gone on since.
        self.log = backup
        self.run_code(4, "store", "adopt", "--this-is-the-original")

    def test_a_new_address_is_adopted(self):
        self.written(self.place())
        os.rename(os.path.join(self.folder, "store"), os.path.join(self.folder, "renamed"))
        adopted = self.run_ok("store", "adopt", self.place("renamed"), "--json").json()
        self.assertEqual((adopted["home"], adopted["was_elsewhere"]), (self.place("renamed"), True))
        self.assertEqual(self.values("orders"), VALUES + ["last"])
        self.run_code(2, "store", "adopt", self.place("empty"))

    def test_gc_deletes_what_is_given_up(self):
        grace = ("--set", "upload.delete_grace=1h")
        self.written(self.place())
        self.run_ok("topic", "rm", "orders", *grace)
        waiting = self.run_ok("store", "gc", "--dry-run", "--json", *grace).json()
        self.assertEqual((waiting["due"], waiting["waiting"]), ([], 1))
        self.assertEqual(len(self.files()), 1)
        none = ("--set", "upload.delete_grace=0s")
        due = self.run_ok("store", "gc", "--dry-run", *none).rows()
        self.assertEqual(len(due), 1)
        self.assertTrue(self.files()[0].endswith(due[0][0]))
        done = self.run_ok("store", "gc", "--json", *none).json()
        self.assertEqual((done["schema"], done["deleted"], done["due"], done["failure"]), ("millrace.gc.v1", 1, [], None))
        self.assertEqual(self.files(), [])

    def test_verbs_that_change_the_store_name_who_holds_the_directory(self):
        self.written(self.place())
        holder = self.start("consume", "orders", "--follow")
        while not holder.stdout.readline().startswith(b"line"):
            pass
        for words in (("release",), ("gc",), ("move", "--to", self.place("second")), ("adopt", "--this-is-the-original"),
                      ("audit",), ("usage",)):
            held = self.run_code(6, "store", *words, "--json").error()
            self.assertIn("is held by process", held["message"], words)
        self.run_ok("store", "usage", self.place(), log=False)  # the store alone can be looked at
        self.run_ok("store", "audit", self.place(), log=False)
        self.assertEqual(self.files("second", ""), [])
