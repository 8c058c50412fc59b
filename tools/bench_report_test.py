"""A published figure is the newest one, a miss is called a miss, and prose around the tables stays."""
import unittest

import bench_report


def row(name, value, met):
    side = {"median": value, "least": value, "most": value, "ratio": 2.5, "ratio_least": 2, "ratio_most": 3}
    return {"program": "p", "row": name, "unit": "us", "workload": "w", "seed": 1, "rounds": 5, "machine": "m; v",
            "sides": [{"name": "ours", **side}, {"name": "raw", **side}],
            "goals": [{"sign": "<=", "bound": 1.3, "against": "raw", "value": 2.5, "met": met}]}


class ReportTest(unittest.TestCase):
    def test_the_newest_result_of_a_row_counts(self):
        lines = [bench_report.json.dumps(r) + "\n" for r in (row("a", 1, True), row("b", 2, True), row("a", 3, True))]
        self.assertEqual([(r["row"], r["sides"][0]["median"]) for r in bench_report.newest_rows(lines)], [("a", 3), ("b", 2)])

    def test_a_miss_is_called_a_miss(self):
        self.assertIn("**missed**", bench_report.report([row("a", 1, False)]))
        self.assertNotIn("missed", bench_report.report([row("a", 1, True)]))
        self.assertIn("**missed**", bench_report.digest([row("a", 1, False)]))

    def test_what_a_side_says_of_itself_stands_beside_its_figure(self):
        noted = row("a", 1, True)
        noted["sides"][0]["note"], noted["sides"][1]["note"] = "delivered 10 of 10", "delivered 9 of 10"
        text = bench_report.report([noted])
        self.assertIn("(delivered 10 of 10)", text)
        self.assertIn("(delivered 9 of 10)", text)

    def test_only_what_is_between_the_markers_changes(self):
        self.assertEqual(bench_report.replace_between(("<a>", "<b>"), "x <a>old<b> y", "new"), "x <a>\nnew<b> y")


if __name__ == "__main__":
    unittest.main()
