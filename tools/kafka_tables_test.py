"""Tests of the reader of Kafka's message tables, and of the C++ made of them (src/kafka/generate)."""
import os
import sys
import unittest

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(TREE, "src/kafka/generate"))

import code_table
import generate
import message_table as tables

HEAD = ["# Ping: is it there?", "api Ping", "key 7", "versions 1-3", "flexible 2+", ""]
TITLES = "type versions null tag default meaning"


def read(request, response=("  code int16 1+ - - - The answer.",)):
    return tables.read_lines([*HEAD, f"request {TITLES}", *request, "", f"response {TITLES}", *response], "ping.txt")


class TablesTest(unittest.TestCase):
    def refused(self, *request):
        with self.assertRaises(tables.TableError) as raised:
            read(request)
        return str(raised.exception)

    def test_fields_nest_by_their_indent(self):
        api = read(["  topics []Topic 1+ 2+ - - The topics.", "    name string 1-2 - - - Its name.", "    parts []int32 1+ - - - Its parts.",
                    "  last bool 3 - - true The last."])
        topics, last = api.messages[0].fields
        self.assertEqual([field.name for field in topics.fields], ["name", "parts"])
        self.assertEqual((topics.array, topics.type, topics.null), (True, "Topic", tables.Versions(2, 3)))
        self.assertEqual((last.versions, last.default), (tables.Versions(3, 3), "true"))
        self.assertEqual(api.remarks, ["Ping: is it there?"])

    def test_what_cannot_be_is_refused_by_line(self):
        self.assertEqual(self.refused("  a int33 1+ - - - No such type."), "ping.txt:8: there is no type int33")
        self.assertIn("ping.txt:9: it is indented", self.refused("  a int8 1+ - - - One.", "    b int8 1+ - - - Below no struct."))
        self.assertIn("neither a heading", self.refused("  a int8 1+ - - -"))
        self.assertIn("cannot be null", self.refused("  a int8 1+ 1+ - - A number."))
        self.assertIn("never null", self.refused("  a string 1+ - - null Not null."))
        self.assertIn("is in no version", self.refused("  a string 4+ - - - Too new."))
        self.assertIn("tags are not known", self.refused("  a string 1+ - 0 - Not flexible in v1."))
        self.assertIn("cannot be 5", self.refused("  a string 1+ - - 5 A number for a string."))
        self.assertIn("no range of versions", self.refused("  a string 1..2 - - - Wrong."))

    def test_a_table_is_whole(self):
        with self.assertRaises(tables.TableError):
            tables.read_lines(HEAD, "ping.txt")

    def test_the_fewest_bytes_are_those_of_the_smallest_version(self):
        api = read(["  a string 1+ - - - In the flexible form one byte, else two.", "  b int32 1 - - - Gone in v2.", "  c uuid 3+ - 0 - Tagged."])
        self.assertEqual(tables.bytes_min(api.messages[0].fields, api), 2)

    def test_conditions_say_only_what_needs_to_be_said(self):
        api = read(["  a int8 1+ - - - A."])
        conditions = {"1+": "", "2+": "version >= 2", "1-2": "version <= 2", "2": "version == 2"}
        for text, wanted in conditions.items():
            self.assertEqual(generate.between(tables.read_versions(text), api), wanted)
        self.assertIsNone(generate.between(tables.read_versions("4+"), api))

    def test_all_tables_of_the_tree_make_code(self):
        apis = tables.read_tables(os.path.join(TREE, "src/kafka/messages"))
        self.assertGreaterEqual(len(apis), 12)
        for api in apis:
            for line in generate.header(api):
                self.assertLessEqual(len(line), generate.WIDTH + 30, line)

    def test_codes(self):
        text = "code name retry ours meaning\n -1 UNKNOWN_SERVER_ERROR - kInternal it failed\n"
        self.assertEqual(code_table.read_codes(text)[0].constant(), "kUnknownServerError")
        for bad in ("", "code name\n", text + "x\n"):
            with self.assertRaises(ValueError):
                code_table.read_codes(bad)


if __name__ == "__main__":
    unittest.main()
