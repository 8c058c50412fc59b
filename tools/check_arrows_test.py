"""Each kind of wrong arrow must be seen: a small tree that is right, and one change that makes it wrong."""
import os
import tempfile
import unittest

import check_arrows

TABLE = """
| floor | room | chief types | may include | its tests too |
|---|---|---|---|---|
| 0 | include | `Offset` | | |
| 1 | base | `Mutex` | | |
| 2 | env | `File` | | |
| 2 | record | `Batch` | | |
| 3 | wal | `Wal` | env | |
"""
TREE = {
    "docs/architecture.md": TABLE,
    "include/millrace/types.h": "#include <string>\n",
    "src/base/mutex.h": "#include <pthread.h>\n",
    "src/env/file.h": '#include "millrace/types.h"\n',
    "src/record/batch.cc": '#include "record/batch.h"\n#include <lz4.h>\n',
    "src/wal/wal.cc": '#include "env/file.h"\n#include "base/mutex.h"\n#include <fmt/core.h>\n',
}


class ArrowsTest(unittest.TestCase):
    def problems(self, **changes):
        with tempfile.TemporaryDirectory() as tree:
            for path, text in (TREE | changes.get("files", {})).items():
                os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
                with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return check_arrows.check_tree(tree)

    def assert_seen(self, path, text, expected):
        problems = self.problems(files={path: text})
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(expected, problems[0])

    def test_a_right_tree_has_no_problem(self):
        self.assertEqual(self.problems(), [])

    def test_an_arrow_up_is_seen(self):
        self.assert_seen("src/env/up.cc", '#include "wal/wal.h"\n', "env may not include wal/wal.h")

    def test_an_arrow_sideways_is_seen(self):
        self.assert_seen("src/env/side.cc", '#include "record/batch.h"\n', "env may not include record/batch.h")

    def test_an_arrow_down_that_no_row_allows_is_seen(self):
        self.assert_seen("src/wal/extra.h", '#include "record/batch.h"\n', "wal may not include record/batch.h")

    def test_the_front_door_in_a_room_below_the_engine_is_seen(self):
        table = TABLE + "| 4 | engine | `Engine` | | |\n"
        files = {"docs/architecture.md": table, "src/engine/engine.cc": '#include "millrace/engine.h"\n'}
        self.assertEqual(self.problems(files=files), [])
        problems = self.problems(files=files | {"src/wal/up.h": '#include "millrace/engine.h"\n'})
        self.assertEqual(problems, ["src/wal/up.h: wal lies below the engine and may not include millrace/engine.h"])

    def test_a_subfolder_belongs_to_its_room(self):
        right = {"src/env/sim/disk.cc": '#include "env/sim/disk.h"\n#include "env/file.h"\n#include "base/mutex.h"\n',
                 "src/wal/wal.cc": '#include "env/sim/disk.h"\n'}
        self.assertEqual(self.problems(files=right), [])
        self.assert_seen("src/env/sim/up.cc", '#include "wal/wal.h"\n', "src/env/sim/up.cc: env may not include wal/wal.h")

    def test_a_circle_inside_a_room_is_seen(self):
        files = {"src/env/a.cc": '#include "env/sim/b.h"\n', "src/env/a.h": "", "src/env/sim/b.h": '#include "env/c.h"\n',
                 "src/env/c.h": "", "src/env/c.cc": '#include "env/a.h"\n', "src/env/d.cc": '#include "env/a.h"\n'}
        circle = ["src/env: a circle of includes: env/a, env/c, env/sim/b"]
        self.assertEqual(self.problems(files=files), circle)
        self.assertEqual(self.problems(files=files | {"src/env/c.cc": ""}), [])

    def test_two_circles_are_two_problems(self):
        files = {f"src/env/{name}.h": f'#include "env/{other}.h"\n' for name, other in ("ab", "ba", "cd", "dc")}
        self.assertEqual(self.problems(files=files), ["src/env: a circle of includes: env/a, env/b",
                                                      "src/env: a circle of includes: env/c, env/d"])

    def test_tests_form_no_circle(self):
        files = {"src/env/a.h": "", "src/env/a_fixture.h": '#include "env/a.h"\n',
                 "src/env/a_test.cc": '#include "env/a.h"\n#include "env/a_fixture.h"\n'}
        self.assertEqual(self.problems(files=files), [])

    def test_an_include_of_test_is_seen(self):
        self.assert_seen("src/wal/bad.cc", '#include "test/sim/world.h"\n', "not the full path")

    def test_an_include_by_relative_path_is_seen(self):
        self.assert_seen("src/wal/bad.cc", '#include "wal.h"\n', "not the full path")

    def test_a_third_party_header_in_a_header_is_seen(self):
        self.assert_seen("src/wal/bad.h", "#include <fmt/core.h>\n", "third-party header <fmt/core.h>")

    def test_a_header_for_tests_may_use_googletest_and_only_tests_use_it(self):
        fixture = {"src/wal/wal_fixture.h": "#include <gtest/gtest.h>\n", "src/wal/wal_test.cc": '#include "wal/wal_fixture.h"\n'}
        self.assertEqual(self.problems(files=fixture), [])
        problems = self.problems(files=fixture | {"src/wal/bad.cc": '#include "wal/wal_fixture.h"\n'})
        self.assertEqual(problems, ["src/wal/bad.cc: only tests include wal/wal_fixture.h"])

    def test_a_public_header_that_leaves_include_is_seen(self):
        self.assert_seen("include/millrace/bad.h", '#include "base/mutex.h"\n', "a public header includes base/mutex.h")
        self.assert_seen("include/millrace/bad.h", "#include <fmt/core.h>\n", "a public header includes fmt/core.h")

    def test_a_room_that_the_table_does_not_know_is_seen(self):
        self.assert_seen("src/cellar/new.cc", "", "src/cellar: not in the table")

    def test_a_row_that_points_up_is_seen(self):
        table = TABLE.replace("| 2 | env | `File` | | |", "| 2 | env | `File` | wal | |")
        self.assertIn("docs/architecture.md: env (floor 2) points at wal (floor 3)",
                      self.problems(files={"docs/architecture.md": table}))

    def test_an_arrow_that_no_file_makes_is_seen(self):
        table = TABLE.replace("| 3 | wal | `Wal` | env | |", "| 3 | wal | `Wal` | env, record | |")
        self.assert_seen("docs/architecture.md", table, "wal may include record, which is done by no file")

    def test_an_arrow_that_tests_alone_make_stands_apart(self):
        table = TABLE.replace("| 3 | wal | `Wal` | env | |", "| 3 | wal | `Wal` | env | record |")
        files = {"src/wal/wal_test.cc": '#include "record/batch.h"\n', "src/wal/fake_wal.h": '#include "record/batch.h"\n'}
        self.assertEqual(self.problems(files=files | {"docs/architecture.md": table}), [])
        self.assertEqual(len(self.problems(files=files)), 2)
        in_main_column = TABLE.replace("| 3 | wal | `Wal` | env | |", "| 3 | wal | `Wal` | env, record | |")
        self.assertEqual(self.problems(files=files | {"docs/architecture.md": in_main_column}),
                         ["docs/architecture.md: wal may include record, which is done by its tests alone: it belongs into the last column"])
        self.assert_seen("docs/architecture.md", table, "tests of wal may include record, and none does")

    def test_a_page_without_table_is_seen(self):
        self.assertEqual(self.problems(files={"docs/architecture.md": "# x\n"}),
                         ["docs/architecture.md: no table of floors found"])


if __name__ == "__main__":
    unittest.main()
