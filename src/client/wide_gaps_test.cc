// Goal: what a disk took along is found by reads alone, and nothing else is taken for it. Method: logs of ranges that
// have records, asked as a server would be.
#include "client/wide_gaps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace millrace::client {
namespace {

constexpr std::int64_t kHuge = std::int64_t{1} << 32;

/// Ranges with a record at every offset.
struct Log {
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  int calls = 0;

  Result<std::int64_t> Gaps(std::int64_t begin, std::int64_t end) {
    return OffsetsInWideGaps(Offset(begin), Offset(end), [&](Offset at) -> Result<Offset> {
      ++calls;
      for (const auto& [from, to] : ranges)
        if (at < Offset(to)) return std::max(at, Offset(from));
      return Offset(end);
    });
  }
};

TEST(WideGapsTest, ARangeThatIsNotWideIsNotLookedAt) {
  Log log{{{0, 10}}};
  EXPECT_EQ(*log.Gaps(0, 1'000), 0);
  EXPECT_EQ(log.calls, 0);
}

TEST(WideGapsTest, OneGapIsFoundWhereverTheReaderStands) {
  for (const std::int64_t begin : {0, 99, 100, 200}) {
    Log log{{{0, 100}, {kHuge, kHuge + 7}}};
    EXPECT_EQ(*log.Gaps(begin, kHuge + 7), kHuge - std::max<std::int64_t>(begin, 100)) << begin;
    EXPECT_LT(log.calls, 100);
  }
  Log log{{{0, 100}}};  // nothing comes behind it yet
  EXPECT_EQ(*log.Gaps(0, kHuge), kHuge - 100);
}

TEST(WideGapsTest, EachOfSeveralGapsIsFound) {
  Log log{{{0, 5}, {kHuge, kHuge + 3}, {3 * kHuge, 3 * kHuge + 1}}};
  EXPECT_EQ(*log.Gaps(0, 3 * kHuge + 1), 3 * kHuge + 1 - 9);
  EXPECT_LT(log.calls, 500);
}

TEST(WideGapsTest, ManyRecordsAreNoGap) {
  Log log{{{0, kHuge}}};
  EXPECT_EQ(*log.Gaps(0, kHuge), 0);
  Log holes{{{0, kHuge / 2}, {kHuge / 2 + 1'000, kHuge}}};  // narrow
  EXPECT_EQ(*holes.Gaps(0, kHuge), 0);
}

TEST(WideGapsTest, AFailureIsTold) {
  const auto failed = OffsetsInWideGaps(
      Offset(0), Offset(kHuge), [](Offset) -> Result<Offset> { return Error(ErrorCode::kUnavailable, "away"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace millrace::client
