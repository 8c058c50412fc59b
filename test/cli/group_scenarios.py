"""Groups: a reader goes on where it left off, and a commit never passes what was printed."""
import os

from scenario import Scenario


class GroupScenarios(Scenario):
    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def test_second_sitting_brings_the_third_record_alone(self):
        self.produce("t", "a\nb\nc\n")
        self.assertEqual(self.values("t", "--group", "g", "-n", "2"), ["a", "b"])
        self.assertEqual(self.values("t", "--group", "g"), ["c"])
        self.assertEqual(self.values("t", "--group", "g"), [])
        self.produce("t", "d\n")
        self.assertEqual(self.values("t", "-g", "g"), ["d"])

    def test_commit_none_and_end(self):
        self.produce("t", "a\nb\n")
        self.assertEqual(self.values("t", "-g", "g", "--commit", "none"), ["a", "b"])
        self.assertEqual(self.values("t", "-g", "g", "--commit", "end", "-n", "1"), ["a"])
        self.assertEqual(self.values("t", "-g", "g"), ["b"])
        self.run_code(2, "consume", "t", "--commit", "end")

    def test_from_moves_a_group(self):
        self.produce("t", "a\nb\nc\n")
        self.values("t", "-g", "g")
        self.assertEqual(self.values("t", "-g", "g", "--from", "1", "-n", "1"), ["b"])
        self.assertEqual(self.values("t", "-g", "g"), ["c"])

    def test_until_is_as_far_as_a_commit_goes(self):
        self.produce("t", "a\nb\nc\n")
        self.assertEqual(self.values("t", "-g", "g", "--until", "1"), ["a"])
        self.assertEqual(self.values("t", "-g", "g"), ["b", "c"])

    def test_list_describe_lag_seek_remove(self):
        self.produce("t", "a\nb\nc\n")
        self.values("t", "-g", "g", "-n", "1")
        self.assertEqual(self.run_ok("group", "ls").rows(), [["g"]])
        self.assertEqual(self.run_ok("group", "describe", "g").rows(), [["t", "0", "1", "2"]])
        described = self.run_ok("group", "describe", "g", "--json").json()
        self.assertEqual(described["schema"], "millrace.group.v1")
        self.assertEqual(described["positions"], [{"topic": "t", "partition": 0, "position": 1, "lag": 2}])
        self.assertEqual(self.run_ok("group", "lag").rows(), [["g", "2"]])
        self.assertEqual(self.run_ok("group", "lag", "g", "--json").json()["groups"][0]["lag"], 2)
        self.run_ok("group", "seek", "g", "t", "--to", "latest")
        self.assertEqual(self.values("t", "-g", "g"), [])
        self.run_ok("group", "seek", "g", "t", "--to", "2")
        self.assertEqual(self.values("t", "-g", "g"), ["c"])
        self.run_code(1, "group", "seek", "g", "t", "--to", "4")
        self.run_ok("group", "seek", "g", "t", "--to", "earliest")
        self.assertEqual(self.values("t", "-g", "g", "-n", "1"), ["a"])
        self.run_ok("group", "rm", "g")
        self.assertEqual(self.run_ok("group", "ls").out, b"")
        self.run_code(3, "group", "rm", "g")
        self.run_code(3, "group", "describe", "g")

    def test_seek_by_a_number_of_records(self):
        self.produce("t", "a\nb\nc\nd\n")
        self.run_code(3, "group", "seek", "g", "t", "--to", "+1")
        self.values("t", "-g", "g", "-n", "2")
        outcome = self.run_ok("group", "seek", "g", "t", "--to", "-1", "--dry-run")
        self.assertIn(b"group g would go on at offset 1 of t/0", outcome.err)
        self.assertEqual(self.run_ok("group", "describe", "g").rows(), [["t", "0", "2", "2"]])
        self.run_ok("group", "seek", "g", "t", "--to", "-1")
        self.assertEqual(self.values("t", "-g", "g", "-n", "1"), ["b"])
        self.run_ok("group", "seek", "g", "t", "--to", "+1")
        self.assertEqual(self.values("t", "-g", "g"), ["d"])
        self.run_ok("group", "seek", "g", "t", "--to", "-100")
        self.assertEqual(self.values("t", "-g", "g", "-n", "1"), ["a"])
        self.run_ok("group", "seek", "g", "t", "--to", "+9223372036854775807")
        self.assertEqual(self.values("t", "-g", "g"), [])
        self.run_code(2, "group", "seek", "g", "t", "--to", "+9223372036854775808")

    def test_seek_to_what_a_file_says(self):
        self.run_ok("topic", "create", "t", "-p", "2")
        self.produce("t", "a\nb\nc\n", "-p", "0")
        self.produce("t", "x\ny\nz\n", "-p", "1")
        self.values("t", "-g", "g", "-p", "1", "-n", "2")
        positions = "positions"  # in the folder that the commands run in
        self.write(positions, self.run_ok("group", "describe", "g").out.decode())
        self.values("t", "-g", "g")
        self.run_ok("group", "seek", "g", "t", "--to", positions)
        self.assertEqual(self.run_ok("group", "describe", "g").rows(), [["t", "0", "0", "3"], ["t", "1", "2", "1"]])
        self.write(positions, "# what was read by hand\nt,0,1\nother,0,7\n\n")
        self.run_ok("group", "seek", "g", "t", "--to", positions)
        self.assertEqual(self.run_ok("group", "describe", "g").rows(), [["t", "0", "1", "2"], ["t", "1", "2", "1"]])
        self.run_code(3, "group", "seek", "g", "t", "-p", "1", "--to", positions)
        for wrong in ("t,0\n", "t,zero,1\n", "t,0,-1\n", "t,0,1\nt,0,2\n"):
            self.write(positions, wrong)
            self.run_code(2, "group", "seek", "g", "t", "--to", positions)
        self.write(positions, "t,0,4\n")
        self.run_code(1, "group", "seek", "g", "t", "--to", positions)
        self.run_code(2, "group", "seek", "g", "t", "--to", "nowhere")

    def test_members_of_a_group_that_no_server_has(self):
        self.produce("t", "a\n")
        self.values("t", "-g", "g")
        described = self.run_ok("group", "describe", "g", "--json").json()
        self.assertEqual((described["state"], described["members"]), ("Empty", []))
        self.assertEqual(self.run_ok("group", "describe", "g", "--members").rows(), [])

    def test_position_overtaken_by_a_trim_goes_on_at_what_is_left(self):
        self.produce("t", "a\nb\nc\nd\n")
        self.values("t", "-g", "g", "-n", "1")
        self.run_ok("topic", "trim", "t", "--before", "3")
        outcome = self.run_ok("consume", "t", "-g", "g")
        self.assertEqual(outcome.out, b"d\n")
        self.assertIn(b"going on at 3", outcome.err)
