// Goal: what is told to be durable is never too high, is exact as long as marks are not thinned, and marks that tell
// nothing new are gone. Method: marks pushed, dropped and taken at every border.
#include "log/durable_marks.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

/// Offsets [0, count), each in a frame of ten bytes.
DurableMarks Marks(std::int64_t count) {
  DurableMarks marks;
  for (std::int64_t i = 1; i <= count; ++i) marks.Push(WalPosition(10 * i), Offset(i));
  return marks;
}

TEST(DurableMarksTest, ABatchIsDurableWithItsLastByte) {
  DurableMarks marks = Marks(3);
  EXPECT_EQ(marks.Take(WalPosition(9)), std::nullopt);
  EXPECT_EQ(marks.Take(WalPosition(10)), Offset(1));
  EXPECT_EQ(marks.Take(WalPosition(10)), std::nullopt);
  EXPECT_EQ(marks.Take(WalPosition(1000)), Offset(3));
  EXPECT_EQ(marks.size(), 0u);
}

TEST(DurableMarksTest, WhatIsKnownDurableIsForgottenAndNothingElse) {
  for (std::int64_t through = 0; through <= 4; ++through) {
    DurableMarks marks = Marks(3);
    marks.DropThrough(Offset(through));
    EXPECT_EQ(marks.size(), static_cast<std::size_t>(std::max<std::int64_t>(3 - through, 0)));
    if (through < 3) EXPECT_EQ(marks.Take(WalPosition(1000)), Offset(3));
  }
}

TEST(DurableMarksTest, ThinnedMarksAreNeverTooHighAndExactAtTheEnd) {
  constexpr std::int64_t kCount = 5000;
  for (const std::int64_t count : {kCount, kCount + 1}) {
    for (std::int64_t durable = 1; durable <= count; durable += durable < count - 8 ? 37 : 1) {
      DurableMarks marks = Marks(count);
      EXPECT_LE(marks.size(), DurableMarks::kMarksMax);
      const auto end = marks.Take(WalPosition(10 * durable));
      EXPECT_LE(end.value_or(Offset(0)), Offset(durable));
      if (durable == count) EXPECT_EQ(end, Offset(count));
    }
  }
}

}  // namespace
}  // namespace millrace
