"""A bad run must never be counted as a good one: crashes, empty suites, time-outs and skipped cases are failures."""
import os
import subprocess
import sys
import tempfile
import unittest

import run_suites


def report(*cases):
    return {"testsuites": [{"name": "S", "testsuite": [
        {"name": name, "status": status, "result": result, **({"failures": [{}]} if failed else {})}
        for name, status, result, failed in cases]}]}


class JudgeTest(unittest.TestCase):
    def counts(self, *arguments):
        outcome = run_suites.judge(*arguments)
        return outcome.passed, outcome.failed

    def test_each_gtest_case_counts(self):
        cases = report(("A", "RUN", "COMPLETED", False), ("B", "RUN", "COMPLETED", True))
        self.assertEqual(self.counts(1, "", cases), (1, 1))

    def test_a_skipped_case_is_a_failure(self):
        self.assertEqual(self.counts(0, "", report(("A", "RUN", "SKIPPED", False))), (0, 1))

    def test_a_crash_without_report_is_a_failure(self):
        self.assertEqual(self.counts(-11, "", None), (0, 1))

    def test_a_bad_exit_after_good_cases_is_a_failure(self):
        self.assertEqual(self.counts(1, "", report(("A", "RUN", "COMPLETED", False))), (1, 1))

    def test_an_empty_gtest_suite_is_a_failure(self):
        self.assertEqual(self.counts(0, "", report()), (0, 1))

    def test_running_too_long_is_a_failure(self):
        self.assertEqual(self.counts(None, "", None), (0, 1))

    def test_a_program_is_believed_by_its_last_closing_line(self):
        self.assertEqual(self.counts(0, "1 passed, 0 failed\n7 passed, 0 failed\n", None), (7, 0))
        self.assertEqual(self.counts(1, "5 passed, 2 failed\n", None), (5, 2))

    def test_a_program_that_says_nothing_counts_once(self):
        self.assertEqual(self.counts(0, "hello\n", None), (1, 0))

    def test_a_program_that_counts_nothing_is_a_failure(self):
        self.assertEqual(self.counts(0, "0 passed, 0 failed\n", None), (0, 1))


class SummaryTest(unittest.TestCase):
    def summary(self, *outcomes):
        suite = type("S", (), {"preset": "debug", "name": "wal"})
        return run_suites.summary([(suite, run_suites.Outcome(*outcome)) for outcome in outcomes])

    def test_the_end_names_what_failed(self):
        lines, passed = self.summary((4, 0), (2, 1, ["S.B"]), (0, 3))
        self.assertEqual(lines, ["failed: debug wal: S.B", "failed: debug wal: 3 checks", "6 passed, 4 failed"])
        self.assertFalse(passed)

    def test_a_good_run_ends_with_its_sum(self):
        self.assertEqual(self.summary((4, 0), (2, 0)), (["6 passed, 0 failed"], True))

    def test_a_run_of_nothing_has_failed(self):
        self.assertEqual(self.summary(), (["no suite was run", "0 passed, 1 failed"], False))


class TooLongTest(unittest.TestCase):
    def test_a_suite_that_does_not_end_tells_where_its_threads_are(self):
        with tempfile.TemporaryDirectory() as build:
            properties = [{"name": "TIMEOUT", "value": 0.2}, {"name": "WORKING_DIRECTORY", "value": build}]
            suite = run_suites.Suite(build, {"name": "endless", "command": ["/bin/sleep", "600"], "properties": properties})
            outcome = run_suites.run_suite(suite)
        self.assertEqual((outcome.passed, outcome.failed, outcome.complaints[0]), (0, 1, "ran too long"))
        self.assertIn("its threads", outcome.complaints[1])


class ListTest(unittest.TestCase):
    def test_lists_what_matches_of_a_build_that_was_only_configured(self):
        with tempfile.TemporaryDirectory() as build:
            with open(os.path.join(build, "CTestTestfile.cmake"), "w") as file:
                file.write('add_test(wal "/not/built/wal_test")\nadd_test(wal_rot "/bin/true")\nadd_test(log "/bin/true")\n')
            script = os.path.join(os.path.dirname(os.path.abspath(run_suites.__file__)), "run_suites.py")
            listed = subprocess.run([sys.executable, script, "--list", "--only", "^wal", build], capture_output=True, text=True)
            self.assertEqual((listed.returncode, listed.stdout.split()), (0, ["wal", "wal_rot"]))


if __name__ == "__main__":
    unittest.main()
