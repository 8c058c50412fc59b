"""A curve has one point a thread count and side, the newest, and the picture is well-formed."""
import json
import unittest
import xml.dom.minidom

import bench_curve


def row(threads, value):
    side = {"median": value, "least": value / 2, "most": value * 2}
    return json.dumps({"row": f"scaling: append & sync, {threads} thread{'s' if threads > 1 else ''} blocking", "unit": "records/s",
                       "machine": "m; v", "sides": [{"name": "ours", **side}, {"name": f"{threads} / T_sync", **side}]})


class CurveTest(unittest.TestCase):
    def test_the_newest_point_counts_and_other_rows_do_not(self):
        curves, facts = bench_curve.newest_curves([row(1, 10), row(10, 50), row(1, 20), json.dumps({"row": "other"})])
        self.assertEqual(list(curves), ["append & sync"])
        self.assertEqual(curves["append & sync"]["ours"], {1: (20, 10, 40), 10: (50, 25, 100)})
        self.assertEqual(list(curves["append & sync"]), ["ours", "threads / T_sync"])
        self.assertEqual(facts["append & sync"], ("records/s", "m"))

    def test_the_picture_is_xml_with_every_point(self):
        curves, facts = bench_curve.newest_curves([row(1, 10), row(10, 50)])
        picture = xml.dom.minidom.parseString(bench_curve.picture("append & sync", curves["append & sync"], *facts["append & sync"]))
        self.assertEqual(len(picture.getElementsByTagName("circle")), 4)

    def test_the_axis_ends_at_a_round_number(self):
        self.assertEqual([bench_curve.nice_top(v) for v in (0.9, 1, 3, 70, 1_200_000)], [1, 1, 5, 100, 2_000_000])
        self.assertEqual(bench_curve.file_name("append, no sync"), "scaling-append-no-sync.svg")


if __name__ == "__main__":
    unittest.main()
