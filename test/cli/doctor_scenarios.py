"""doctor: what a store and this machine lack, and what the program tells the shell about it."""
from scenario import Scenario

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "canary-secret"}


class DoctorScenarios(Scenario):
    def test_a_good_store_and_machine(self):
        outcome = self.run_ok("doctor", "--store", f"file://{self.folder}/objects")
        checks = [line.split()[1] for line in outcome.lines()]
        self.assertEqual(checks, ["sync", "disk", "ulimit", "reachable", "absent", "put", "read-after-put", "clock",
                                  "head", "ranged-get", "checksum", "put-if-absent", "list", "delete"])
        self.assertTrue(all(line.startswith("ok ") for line in outcome.lines()[3:]), outcome.lines())

    def test_json_has_the_same_findings(self):
        document = self.run_ok("doctor", "--store", f"file://{self.folder}/objects", "--json", log=False).json()
        self.assertEqual(document["schema"], "millrace.doctor.v1")
        self.assertEqual([finding["level"] for finding in document["findings"]], ["ok"] * len(document["findings"]))

    def test_a_store_that_cannot_be_reached(self):
        store = "s3://bucket?endpoint=http://127.0.0.1:1"
        outcome = self.run_code(6, "doctor", "--store", store, log=False, environment=KEYS)
        self.assertEqual(len(outcome.lines()), 1)
        self.assertTrue(outcome.lines()[0].startswith("fail reachable "), outcome.lines())
        self.assertNotIn(b"canary", outcome.out + outcome.err)

    def test_a_proxy_that_is_named_and_not_obeyed(self):
        store = "s3://bucket?endpoint=http://127.0.0.1:1"
        proxy = dict(KEYS, HTTP_PROXY="http://user:canary-secret@127.0.0.1:2")
        outcome = self.run_code(6, "doctor", "--store", store, log=False, environment=proxy)
        self.assertTrue(outcome.lines()[-1].startswith("warn proxy          HTTP_PROXY is set and not obeyed"), outcome.lines())
        self.assertNotIn(b"canary", outcome.out + outcome.err)
        left_out = dict(proxy, NO_PROXY="127.0.0.1")
        outcome = self.run_code(6, "doctor", "--store", store, log=False, environment=left_out)
        self.assertTrue(outcome.lines()[-1].startswith("ok   proxy "), outcome.lines())

    def test_what_makes_no_sense(self):
        self.run_code(2, "doctor", log=False)
        outcome = self.run_code(2, "doctor", "--store", "s3://user:canary-secret@bucket", log=False)
        self.assertNotIn(b"canary", outcome.out + outcome.err)
