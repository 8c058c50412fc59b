"""A behaviour without a test must be seen, and so must a citation of nothing."""
import unittest

import check_behaviours

PAGE = "| id | what |\n|---|---|\n| B1 | one |\n| W4 W5 | two |\n\n## Later\n\n| id | why |\n|---|---|\n| S36 | three |\n"


class BehavioursTest(unittest.TestCase):
    def problems(self, comments):
        return list(check_behaviours.check(PAGE, {number: ["x_test.cc"] for number in check_behaviours.numbers_in(comments)}))

    def test_all_cited_is_no_problem(self):
        self.assertEqual(self.problems("// Proves B1, W4 and W5."), [])

    def test_ranges_count_as_all_between(self):
        self.assertEqual(check_behaviours.numbers_in("B34-B36, W4 W5, S1–S3"), {"B34", "B35", "B36", "W4", "W5", "S1", "S2", "S3"})

    def test_a_number_without_test_is_seen(self):
        self.assertEqual(len(self.problems("// Proves B1, W4.")), 1)

    def test_what_waits_may_be_cited_or_not(self):
        self.assertEqual(self.problems("// Proves B1, W4, W5 and S36."), [])

    def test_an_unknown_number_is_seen(self):
        self.assertEqual(len(self.problems("// Proves B1, W4, W5, B99.")), 1)

    def test_words_that_look_like_numbers_do_not_count(self):
        self.assertEqual(check_behaviours.numbers_in("kB12 XB1 B1x R2D2 s3.B4.x"), set())

    def test_the_service_s3_is_no_citation_of_s3(self):
        self.assertEqual(check_behaviours.numbers_cited("// Requests to S3. Proves B1; S3 is asked twice."), {"B1"})
        self.assertEqual(check_behaviours.numbers_cited("// Proves B1,\n// S3 (its counts)."), {"B1", "S3"})


if __name__ == "__main__":
    unittest.main()
