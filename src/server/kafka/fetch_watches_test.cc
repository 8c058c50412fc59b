// What the fetches of one connection keep between polls: every partition is added once, however often it is polled.
// Method: a real log, a loop that the test turns.
#include "server/kafka/fetch_watches.h"

#include "server/kafka/broker_fixture.h"

namespace millrace {
namespace {

class FetchWatchesTest : public BrokerFixture {
 protected:
  FetchWatchesTest() { CreateTopic("t", kPartitions); }
  void ArmAll(FetchWatches& watches, std::int32_t count, Offset of_first) {
    for (std::int32_t i = 0; i < count; ++i)
      ASSERT_TRUE(watches.Arm(log_->Find("t", PartitionId(i)), i == 0 ? of_first : Offset(0))) << i;
  }

  static constexpr std::int32_t kPartitions = 1'000;
};

TEST_F(FetchWatchesTest, APollOverTheSamePartitionsAddsAndRemovesNothing) {
  const auto watches = FetchWatches::Make(*log_, loop_);
  for (int poll = 0; poll < 3; ++poll) {
    int woken = 0;
    watches->Begin([&] { ++woken; });
    ArmAll(*watches, kPartitions, Offset(poll));
    const Record record{.value = "v"};
    ASSERT_TRUE(engine_->Append({"t", PartitionId(0)}, {&record, 1}));
    ASSERT_TRUE(loop_.RunNext());  // the log's thread posts, at times after the append was told
    EXPECT_EQ(woken, 1);
    const auto taken = watches->Take();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].name().partition, PartitionId(0));
    watches->End();
    EXPECT_EQ(watches->size(), static_cast<std::size_t>(kPartitions));
  }
  EXPECT_EQ(watches->added(), static_cast<std::uint64_t>(kPartitions));
}

TEST_F(FetchWatchesTest, WhatIsNotPolledAnyMoreIsForgotten) {
  const auto watches = FetchWatches::Make(*log_, loop_);
  for (const std::int32_t count : {kPartitions, 10}) {
    watches->Begin([] {});
    ArmAll(*watches, count, Offset(0));
    watches->End();
    EXPECT_EQ(watches->size(), static_cast<std::size_t>(count));
  }
}

}  // namespace
}  // namespace millrace
