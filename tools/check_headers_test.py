"""A header that leans on another include before it must be seen, and a public one that reaches into src/ too."""
import os
import tempfile
import unittest

import check_headers


class HeadersTest(unittest.TestCase):
    def problems(self, files):
        with tempfile.TemporaryDirectory() as tree:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
                with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return check_headers.check_tree(tree)

    def test_a_whole_header_passes_both_compilers(self):
        self.assertEqual(self.problems({"include/millrace/a.h": "#pragma once\n#include <string>\nstd::string A();\n"}), [])

    def test_a_missing_include_is_seen_by_both_compilers(self):
        self.assertEqual(len(self.problems({"include/millrace/a.h": "#pragma once\nstd::string A();\n"})), 2)

    def test_a_missing_include_in_src_is_seen(self):
        self.assertEqual(len(self.problems({"src/base/a.h": "#pragma once\nstd::string A();\n"})), 1)

    def test_a_public_header_cannot_reach_src(self):
        files = {"include/millrace/a.h": '#pragma once\n#include "base/b.h"\n', "src/base/b.h": "#pragma once\n"}
        self.assertEqual(len(self.problems(files)), 2)


if __name__ == "__main__":
    unittest.main()
