"""./dev lists its verbs, explains each, and refuses what it does not know before doing anything."""
import os
import re
import subprocess
import unittest

VERBS = "setup build demo test unit check bench sim soak fuzz mutants fmt install help".split()
DEV = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "dev")


def dev(*arguments):
    return subprocess.run([DEV, *arguments], capture_output=True, text=True)


class DevTest(unittest.TestCase):
    def test_help_lists_every_verb_with_what_it_does(self):
        listed = re.findall(r"^  (\w+) +\S.*\.$", dev("help").stdout, re.MULTILINE)
        self.assertEqual(listed, VERBS)

    def test_each_verb_explains_itself(self):
        for verb in VERBS:
            run = dev(verb, "--help")
            self.assertEqual(run.returncode, 0, verb)
            self.assertTrue(run.stdout.startswith(f"./dev {verb}"), verb)

    def test_unknown_verbs_are_refused(self):
        for verb in ("nonsense", "ground", "../dev", "Build"):
            self.assertEqual(dev(verb).returncode, 2, verb)

    def test_unit_wants_a_room_that_is_there(self):
        self.assertEqual(dev("unit").returncode, 2)
        refused = dev("unit", "cellar")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("wal", refused.stderr)

    def test_install_wants_a_prefix(self):
        self.assertEqual(dev("install").returncode, 2)


if __name__ == "__main__":
    unittest.main()
