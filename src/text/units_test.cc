// Goal: numbers with units mean what people mean by them, and nothing else is taken. Method: tables of texts, good and
// bad.
#include "text/units.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using std::chrono::milliseconds;

TEST(UnitsTest, SizesTakeBothKindsOfUnits) {
  EXPECT_EQ(ParseSize("0"), 0u);
  EXPECT_EQ(ParseSize("4096"), 4096u);
  EXPECT_EQ(ParseSize("64MiB"), 64u << 20);
  EXPECT_EQ(ParseSize("1k"), 1024u);
  EXPECT_EQ(ParseSize("5kb"), 5000u);
  EXPECT_EQ(ParseSize("10GiB"), 10ull << 30);
}

TEST(UnitsTest, WrongSizesAreRefused) {
  for (const char* text : {"", "x", "-1", "1.5k", "1 k", "1q", "99999999999999999999", "18446744073709551615k"}) {
    EXPECT_EQ(ParseSize(text), std::nullopt) << text;
  }
}

TEST(UnitsTest, DurationsRoundTrip) {
  for (const char* text : {"250ms", "5s", "90m", "2h", "7d"}) {
    auto duration = ParseDuration(text);
    ASSERT_TRUE(duration) << text;
    EXPECT_EQ(FormatDuration(*duration), text);
  }
  EXPECT_EQ(ParseDuration("604800000"), milliseconds(604'800'000));
  for (const char* text : {"", "s", "-5s", "5y", "5 s", "9223372036854775807d"})
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
}

TEST(UnitsTest, TimesAreUtcUnlessTheySayOtherwise) {
  constexpr std::int64_t kNewYear = 1'767'225'600'000;  // 2026-01-01T00:00Z
  for (const char* text : {"2026-01-01", "2026-01-01T00:00", "2026-01-01T00:00Z", "2026-01-01T00:00:00.000Z",
                           "2026-01-01T02:00+02:00", "2025-12-31T19:00:00-05:00", "1767225600000"}) {
    EXPECT_EQ(ParseTime(text, 0), kNewYear) << text;
  }
  EXPECT_EQ(ParseTime("2026-01-01T10", 0), kNewYear + 36'000'000);
  EXPECT_EQ(ParseTime("2026-01-01T10Z", 0), kNewYear + 36'000'000);
  EXPECT_EQ(ParseTime("now", kNewYear), kNewYear);
  EXPECT_EQ(ParseTime("-5m", kNewYear), kNewYear - 300'000);
  EXPECT_EQ(ParseTime("-1w", kNewYear), kNewYear - 604'800'000);
  EXPECT_EQ(FormatTime(kNewYear), "2026-01-01T00:00:00.000Z");
}

TEST(UnitsTest, WrongTimesAreRefused) {
  for (const char* text : {"", "then", "2026-13-01", "2026-02-30", "2026-01-01T24:00", "2026-01-01T00:60",
                           "2026-01-01T", "2026-01-01T00:00X", "2026-01-01T00:00Zx", "2026-1-1", "--5m"}) {
    EXPECT_EQ(ParseTime(text, 0), std::nullopt) << text;
  }
}

TEST(UnitsTest, PeopleReadShortNumbers) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1'234'567), "1,234,567");
  EXPECT_EQ(FormatNanoseconds(999), "999 ns");
  EXPECT_EQ(FormatNanoseconds(1'500), "1.5 µs");
  EXPECT_EQ(FormatNanoseconds(2'340'000), "2.34 ms");
}

}  // namespace
}  // namespace millrace
