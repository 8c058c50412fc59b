// Goal: an arena never holds more than it may, and gives back what it has. Method: sizes round its chunks.
#include "kafka/arena.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace millrace::kafka {
namespace {

TEST(ArenaTest, ValuesAreAsTheirTypeMakesThem) {
  struct Value {
    std::int32_t number = -1;
  };
  Arena arena;
  for (int i = 0; i < 1000; ++i) {
    auto values = arena.New<Value>(3);
    for (const Value& value : values) EXPECT_EQ(value.number, -1);
    values[0].number = values[2].number = i;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values.data()) % alignof(std::max_align_t), 0U);
  }
}

TEST(ArenaTest, ItHoldsNoMoreThanItMay) {
  constexpr std::size_t kMax = 100'000;
  for (const std::size_t size : {1U, 100U, 5'000U, 33'000U, 99'000U}) {
    Arena arena;
    std::size_t given = 0;
    while (!arena.NewWithin<char>(size, kMax).empty()) given += size;
    EXPECT_LE(arena.held_bytes(), kMax) << size;
    EXPECT_GE(given, size < 16 ? kMax / 20 : kMax * 6 / 10) << size;
  }
  Arena arena;
  EXPECT_TRUE(arena.NewWithin<std::int64_t>(SIZE_MAX / 4, SIZE_MAX).empty());
}

TEST(ArenaTest, ResetKeepsOneChunkForTheNextRequest) {
  Arena arena;
  arena.New<char>(100);
  const std::size_t held = arena.held_bytes();
  const char* first = arena.New<char>(1).data() - 112;
  arena.New<char>(1 << 20);
  EXPECT_GT(arena.held_bytes(), held + (1 << 20));
  arena.Reset();
  EXPECT_EQ(arena.held_bytes(), held);
  EXPECT_EQ(arena.New<char>(100).data(), first);
  EXPECT_EQ(arena.held_bytes(), held);
}

TEST(ArenaTest, ALargeArrayLeavesTheChunkThatIsFilledAlone) {
  Arena arena;
  const char* first = arena.New<char>(16).data();
  arena.New<char>(1 << 20);
  EXPECT_EQ(arena.New<char>(16).data(), first + 16);
}

}  // namespace
}  // namespace millrace::kafka
