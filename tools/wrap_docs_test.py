"""What is wrapped, and what must stay as it is."""
import unittest

import wrap_docs

LONG = " ".join(["word"] * 40)


class WrapTest(unittest.TestCase):
    def test_a_long_paragraph_is_wrapped_and_says_the_same(self):
        out = wrap_docs.wrap_text(LONG)
        self.assertTrue(all(len(line) <= 120 for line in out.split("\n")))
        self.assertEqual(out.split(), LONG.split())

    def test_an_item_goes_on_below_its_text(self):
        out = wrap_docs.wrap_text("- " + LONG).split("\n")
        self.assertTrue(out[0].startswith("- word"))
        self.assertTrue(out[1].startswith("  word"))

    def test_what_fits_stays(self):
        text = "a\nb\n\n- c\n- d"
        self.assertEqual(wrap_docs.wrap_text(text), text)

    def test_code_tables_headings_and_breaks_stay(self):
        for text in (f"```\n{LONG}\n```", f"| {LONG} |", f"# {LONG}", f"{LONG}  \nnext"):
            self.assertEqual(wrap_docs.wrap_text(text), text)

    def test_code_in_a_line_and_links_are_not_torn(self):
        out = wrap_docs.wrap_text("x " * 56 + "`one two three four` and [a b c](d.md) " + LONG)
        self.assertIn("`one two three four`", out)
        self.assertIn("[a b c](d.md)", out)

    def test_no_line_begins_with_what_looks_like_an_item(self):
        for dash in ("-", "+", "1."):
            out = wrap_docs.wrap_text("x " * 59 + f"{dash} " + LONG)
            self.assertFalse(any(line.startswith(dash) for line in out.split("\n")))


if __name__ == "__main__":
    unittest.main()
