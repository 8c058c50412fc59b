"""A call that tests alone make must be seen, one that is made must not, and an exception that is none any more must go."""
import os
import tempfile
import unittest
from unittest import mock

import check_unused

TREE = {
    "src/base/a.h": "class A {\n  [[nodiscard]] int Used() const;\n  int Declared(int value);\n};\n",
    "src/base/a.cc": "int A::Used() const { return 1; }\nint A::Declared(int value) { return Used(); }\n",
    "src/base/a_test.cc": "int x = A().Declared(1);\n",
}


class UnusedTest(unittest.TestCase):
    def unused(self, files=None):
        with tempfile.TemporaryDirectory() as tree:
            for path, text in (TREE | (files or {})).items():
                os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
                with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return check_unused.find_unused(tree)

    def test_a_call_that_tests_alone_make_is_seen(self):
        self.assertEqual(self.unused(), {"Declared": "src/base/a.h:3"})

    def test_a_call_from_another_unit_counts(self):
        self.assertEqual(self.unused({"src/base/b.cc": "int y = a.Declared(2);\n"}), {})

    def test_a_comment_and_a_string_do_not(self):
        self.assertEqual(self.unused({"src/base/b.cc": '// Declared\nauto z = "Declared";\n'}), {"Declared": "src/base/a.h:3"})

    def test_what_doubles_declare_is_not_asked_for(self):
        self.assertEqual(self.unused({"src/base/fake_a.h": "int Forced();\n", "src/base/b.cc": "a.Declared(2);\n"}), {})

    def test_an_exception_that_is_used_must_go(self):
        with mock.patch.object(check_unused, "KEPT", {"Used": "why"}), mock.patch.object(check_unused, "find_unused", lambda _: {}):
            self.assertEqual(check_unused.main(), 1)


if __name__ == "__main__":
    unittest.main()
