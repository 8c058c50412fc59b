"""topic, status and what they say about a log."""
from scenario import Scenario


class TopicScenarios(Scenario):
    def test_create_list_describe(self):
        created = self.run_ok("topic", "create", "t", "-p", "3", "-c", "retention.ms=7d", "-c", "millrace.durability=os")
        self.assertEqual(created.out, b"")
        self.assertIn(b"created topic t", created.err)
        self.produce("t", "a\nb\n", "-p", "1")
        for verb in ("ls", "list"):
            row = self.run_ok("topic", verb).rows()
            self.assertEqual([cells[:3] for cells in row], [["t", "3", "2"]])
        listed = self.run_ok("topic", "ls", "--json").json()
        self.assertEqual((listed["schema"], listed["topics"][0]["name"]), ("millrace.topics.v1", "t"))
        topic = self.run_ok("topic", "describe", "t", "--json").json()
        self.assertEqual(topic["schema"], "millrace.topic.v1")
        self.assertEqual(topic["config"]["retention.ms"], "604800000")
        self.assertEqual(topic["config"]["millrace.durability"], "os")
        self.assertEqual([p["log_end"] for p in topic["partitions"]], [0, 2, 0])
        facts = dict(self.run_ok("topic", "describe", "t").rows())
        self.assertEqual((facts["name"], facts["partitions"], facts["durability"]), ("t", "3", "os"))
        rows = self.run_ok("topic", "describe", "t", "--partitions").rows()
        self.assertEqual([row[0] for row in rows], ["0", "1", "2"])
        self.assertEqual(len(self.run_ok("topic", "describe", "t", "--storage").rows()), 3)

    def test_create_describes_itself_in_json(self):
        self.assertEqual(self.run_ok("topic", "create", "t", "--json").json()["name"], "t")

    def test_alter_and_more_partitions(self):
        self.run_ok("topic", "create", "t")
        self.run_ok("topic", "alter", "t", "-c", "retention.bytes=1GiB", "-p", "2")
        topic = self.run_ok("topic", "describe", "t", "--json").json()
        self.assertEqual((topic["config"]["retention.bytes"], len(topic["partitions"])), ("1073741824", 2))
        self.run_ok("topic", "add-partitions", "t", "-n", "2")
        self.assertEqual(len(self.run_ok("topic", "describe", "t", "--json").json()["partitions"]), 4)
        self.run_code(2, "topic", "alter", "t", "-p", "1")
        self.run_code(2, "topic", "alter", "t")
        self.run_code(3, "topic", "alter", "u", "-p", "2")

    def test_trim(self):
        self.produce("t", "".join(f"{i}\n" for i in range(10)))
        self.assertEqual(self.run_ok("topic", "trim", "t", "--before", "4").rows(), [["t", "0", "4"]])
        self.assertEqual(self.values("t"), [str(i) for i in range(4, 10)])
        outcome = self.run_code(1, "consume", "t", "--from", "1", "--json")
        error = outcome.error()
        self.assertEqual((error["code"], error["kafka_code"], error["log_start"], error["log_end"]), ("kOutOfRange", 1, 4, 10))
        self.run_ok("topic", "trim", "t", "--before", "latest")
        self.assertEqual(self.values("t"), [])
        self.run_code(2, "topic", "trim", "t")

    def test_remove(self):
        for topic in "abc":
            self.run_ok("topic", "create", topic)
        self.run_code(3, "topic", "rm", "a", "missing")
        self.assertEqual(len(self.run_ok("topic", "ls").rows()), 3)
        self.run_ok("topic", "rm", "a", "b")
        self.run_ok("topic", "delete", "c")
        self.assertEqual(self.run_ok("topic", "ls").out, b"")

    def test_removed_and_made_again_is_empty(self):
        self.produce("t", "old\n")
        self.run_ok("topic", "rm", "t")
        self.produce("t", "new\n")
        self.assertEqual(self.run_ok("consume", "t", "-f", "%o %v\\n").lines(), ["0 new"])

    def test_status(self):
        self.produce("t", "a\n")
        status = self.run_ok("status", "--json").json()
        self.assertEqual(status["schema"], "millrace.status.v1")
        self.assertEqual(status["topics"][0]["partitions"][0]["log_end"], 1)
        self.assertTrue(status["io_path"])
        self.assertEqual((status["producers"], status["groups"]), (0, 0))
        self.run_ok("group", "seek", "g", "t", "--to", "earliest")
        self.assertEqual(self.run_ok("status", "--json").json()["groups"], 1)
        self.assertIn(["groups", "1"], self.run_ok("status").rows())
        self.assertIn(["object_store", "file:"], self.run_ok("status").rows())
        checked = self.run_ok("status", "--check")
        self.assertEqual(checked.out, b"")
        self.assertIn(b"all is well", checked.err)
