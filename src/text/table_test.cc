// Goal: for people columns are aligned under their headings, numbers to the right; for programs a line is a row.
#include "text/table.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

Table SmallTable() {
  Table table({"NAME", "BYTES"});
  table.Add({Cell::Text("é\t"), Cell::Bytes(1536)});
  table.Add({Cell::Text("long-name"), Cell::Bytes(12)});
  return table;
}

TEST(TableTest, PrettyIsAlignedByWhatIsSeen) {
  std::string text;
  SmallTable().AppendPretty(text);
  EXPECT_EQ(text,
            "NAME         BYTES\n"
            "é\t         1.5 KiB\n"
            "long-name     12 B\n");
}

TEST(TableTest, PlainHasNoHeadingAndARowALine) {
  std::string text = "before\n";
  SmallTable().AppendPlain(text);
  EXPECT_EQ(text, "before\né\\t\t1536\nlong-name\t12\n");
}

}  // namespace
}  // namespace millrace
