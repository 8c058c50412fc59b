"""Edits must be of code that does something, the same for the same seed, and leave the rest of the line as it was."""
import os
import tempfile
import unittest

import mutants


class EditsTest(unittest.TestCase):
    def edits(self, line):
        return mutants.edits_of_line(line)

    def test_each_kind_is_made(self):
        for line, edit in (
                ("  if (a && (b || c)) return;", ("condition", "  if (!(a && (b || c))) return;")),
                ("  while (queue_.empty()) changed_.Wait(mutex_);",
                 ("condition", "  while (!(queue_.empty())) changed_.Wait(mutex_);")),
                ("    MutexLock lock(state.mutex);", ("lock", "    ;")),
                ("  changed_.NotifyAll();", ("wake", "  ;")),
                ("  if (done) done_->NotifyOne();", ("wake", "  if (done) ;")),
                ("  state_->table.DropBelow(log_start);", ("call", "  ;")),
                ("  (void)log.Sync({});", ("call", "  ;")),
                ("  if (bytes > room) return;", ("border", "  if (bytes >= room) return;")),
                ("  return a <= b;", ("border", "  return a < b;")),
                ("  at = found + 1;", ("one", "  at = found;"))):
            self.assertIn(edit, self.edits(line), line)

    def test_what_says_nothing_is_left_alone(self):
        for line in ("  // if (a) b();", "  MR_CHECK(a < b, a);", '#include "cache/chunk.h"', "  std::vector<int> rows;",
                     "  if (Planted(Bug::kReadGapAtHotColdBorder)) return;", "  return Error(code, \"a < b, if (c)\");",
                     "  static_assert(kA < kB);", "", "  const std::string name(text);"):
            self.assertEqual(self.edits(line), [], line)

    def test_strings_and_comments_keep_what_they_say(self):
        [(kind, edited)] = self.edits('  if (a) Say("if (b) < 1");  // a + 1')
        self.assertEqual((kind, edited), ("condition", '  if (!(a)) Say("if (b) < 1");  // a + 1'))

    def test_templates_are_no_comparisons(self):
        self.assertEqual(self.edits("  std::map<int, std::vector<int>> rows = Rows<int>(3);"), [])


class RoomTest(unittest.TestCase):
    def test_a_seed_makes_the_same_edits_and_tests_are_not_edited(self):
        with tempfile.TemporaryDirectory() as tree:
            os.makedirs(f"{tree}/src/room/part")
            code = "void F() {\n" + "".join(f"  if (a{i} < b) Call({i});\n" for i in range(20)) + "}\n"
            for name in ("a.cc", "part/b.h", "a_test.cc", "a_fixture.h", "notes.md"):
                with open(f"{tree}/src/room/{name}", "w", encoding="utf-8") as file:
                    file.write(code)
            first = mutants.edits_of_room(tree, "room", 1)
            self.assertEqual(first, mutants.edits_of_room(tree, "room", 1))
            self.assertNotEqual(first, mutants.edits_of_room(tree, "room", 2))
            self.assertEqual({path for path, *_ in first}, {"src/room/a.cc", "src/room/part/b.h"})
            self.assertEqual(len(first), 80)  # a condition and a border in each line


if __name__ == "__main__":
    unittest.main()
