"""Names that say nothing must be seen, and names that only look like them must not."""
import unittest

import check_names


class NamesTest(unittest.TestCase):
    def problems(self, code):
        return list(check_names.check_code("x.cc", code))

    def test_banned_words_are_seen_in_any_case(self):
        for name in ("TopicManager", "topic_manager_", "kUtilSize", "ReadHelper", "common_prefix", "misc"):
            self.assertEqual(len(self.problems(f"int {name} = 1;")), 1, name)

    def test_banned_endings_are_seen_on_types_and_functions(self):
        for name in ("SegmentInfo", "BatchData", "GetInfo"):
            self.assertEqual(len(self.problems(f"struct {name} {{}};")), 1, name)

    def test_words_that_contain_a_banned_word_pass(self):
        self.assertEqual(self.problems("int uncommonly, utility, data, info, Database, Informed, siginfo_t, kLosesData;"), [])

    def test_comments_strings_and_includes_pass(self):
        self.assertEqual(self.problems('// a helper\n/* common\n misc */ auto s = "util"; auto r = R"(helper)";\n#include <util.h>'), [])

    def test_code_after_a_string_and_a_digit_separator_is_read(self):
        self.assertEqual(len(self.problems('auto a = "x"; int helper = 1\'000;')), 1)
        self.assertEqual(len(self.problems("int a = 1'000; int helper; int b = 2'000;")), 1)

    def test_names_of_other_libraries_pass(self):
        self.assertEqual(self.problems("std::common_type_t<int, long> x; ::testing::TestParamInfo<int> y;"), [])

    def test_names_of_tests_are_sentences(self):
        self.assertEqual(self.problems("TEST_F(LogTest,\n       ReadersKeepTheirData) {}"), [])
        self.assertEqual(len(self.problems("TEST_F(LogTest, A) { int helper; }")), 1)

    def test_the_line_is_named(self):
        self.assertIn("x.cc:3:", self.problems("\n/* \n*/ int helper;")[0])

    def test_paths_are_checked(self):
        self.assertEqual(len(list(check_names.check_path("src/wal/wal_util.cc"))), 1)
        self.assertEqual(len(list(check_names.check_path("src/common/x.h"))), 1)
        self.assertEqual(list(check_names.check_path("src/base/mutex.h")), [])


if __name__ == "__main__":
    unittest.main()
