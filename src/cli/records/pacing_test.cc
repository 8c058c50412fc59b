// Goal: records are due at the rate that was asked for.
#include "cli/records/pacing.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(PacingTest, RecordsAreDueAtTheRate) {
  EXPECT_EQ(ParseRate("1000"), 1000u);
  EXPECT_EQ(ParseRate("1000/s"), 1000u);
  for (const char* text : {"", "0", "-1", "x", "10/m", "10000000000"}) EXPECT_EQ(ParseRate(text), std::nullopt) << text;
  Pacing::Time start;
  Pacing pacing(1000, start);
  EXPECT_EQ(pacing.due(), start);
  pacing.Sent(2500);
  EXPECT_EQ(pacing.due(), start + std::chrono::milliseconds(2500));
  EXPECT_EQ(pacing.slice(), 11u);
}

}  // namespace
}  // namespace millrace
