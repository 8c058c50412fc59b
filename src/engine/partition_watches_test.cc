// Goal: an owner of many watches is woken once for any number of them, is told which, and is never called once it has
// gone. Method: an engine without threads; and one thread inside a wake while another destroys its owner.
#include "engine/partition_watches.h"

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "engine/door_fixture.h"
#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"

namespace millrace {
namespace {

using Armed = PartitionWatches::Armed;
using Ids = std::vector<PartitionWatches::Id>;

class PartitionWatchesTest : public EngineFixture {
 protected:
  PartitionWatchesTest() {
    EngineOptions options = OnSimulatedDisk();
    options.sync = SyncPolicy::None();
    engine_ = SteppedEngine::Open(options).value();
    EXPECT_TRUE(engine_->CreateTopic("t", {.partitions = 3}));
    access_.emplace(*engine_);
  }
  PartitionHandle Part(int number) { return access_->Find("t", PartitionId(number)); }
  void Append(int number) {
    Buffer batch = WireBatch();
    ASSERT_TRUE(access_->TryAppend(Part(number), batch));
  }

  SteppedEngine engine_;
  std::optional<PartitionAccess> access_;
};

TEST_F(PartitionWatchesTest, WakesOnceForAnyNumberUntilTheyAreTaken) {
  int woken = 0;
  PartitionWatches watches(*access_, [&] { ++woken; });
  Ids ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(watches.Add(Part(i)));
    ASSERT_EQ(watches.Arm(ids.back(), Offset(0)).value(), PartitionWatches::Armed::kWaits);
  }
  EXPECT_EQ(watches.size(), 3U);
  for (const int number : {2, 0, 0}) Append(number);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(watches.Take(), (Ids{ids[2], ids[0]}));
  EXPECT_TRUE(watches.Take().empty());
  Append(1);
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(watches.Take(), Ids{ids[1]});
  EXPECT_EQ(watches.Arm(ids[0], Offset(1)).value(), PartitionWatches::Armed::kReached) << "a second one came";
  EXPECT_EQ(watches.Arm(ids[0], Offset(2)).value(), PartitionWatches::Armed::kWaits);
  Append(0);
  EXPECT_EQ(woken, 3);
}

TEST_F(PartitionWatchesTest, WhatWasRemovedDisarmedOrArmedAnewIsNotNamed) {
  int woken = 0;
  PartitionWatches watches(*access_, [&] { ++woken; });
  const Ids ids = {watches.Add(Part(0)), watches.Add(Part(1)), watches.Add(Part(2))};
  for (const auto id : ids) ASSERT_TRUE(watches.Arm(id, Offset(0)));
  for (int i = 0; i < 3; ++i) Append(i);
  watches.Remove(ids[0]);
  watches.Disarm(ids[1]);
  EXPECT_EQ(watches.Arm(ids[2], Offset(1)).value(), PartitionWatches::Armed::kWaits);
  EXPECT_TRUE(watches.Take().empty());
  EXPECT_EQ(CodeOf(watches.Arm(ids[0], Offset(1))), ErrorCode::kNotFound);
  Append(0);
  EXPECT_EQ(woken, 1);
  Append(2);
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(watches.Take(), Ids{ids[2]});
}

TEST_F(PartitionWatchesTest, TwoOfOnePartitionAreTwo) {
  int woken = 0;
  PartitionWatches watches(*access_, [&] { ++woken; });
  const auto near = watches.Add(Part(0)), far = watches.Add(Part(0));
  ASSERT_TRUE(watches.Arm(near, Offset(0)));
  ASSERT_TRUE(watches.Arm(far, Offset(1)));
  Append(0);
  EXPECT_EQ(watches.Take(), Ids{near});
  Append(0);
  EXPECT_EQ(watches.Take(), Ids{far});
}

TEST_F(PartitionWatchesTest, DeletedTopicWakesAndThenRefuses) {
  int woken = 0;
  PartitionWatches watches(*access_, [&] { ++woken; });
  const auto id = watches.Add(Part(0));
  ASSERT_TRUE(watches.Arm(id, Offset(0)));
  ASSERT_TRUE(engine_->DeleteTopic("t"));
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(watches.Take(), Ids{id});
  EXPECT_EQ(CodeOf(watches.Arm(id, Offset(0))), ErrorCode::kNotFound);
}

TEST_F(PartitionWatchesTest, CloseWakesAndThenRefusesAndTheOwnerMayGoAfterwards) {
  int woken = 0;
  std::optional<PartitionWatches> watches;
  watches.emplace(*access_, [&] { ++woken; });
  const auto id = watches->Add(Part(0));
  ASSERT_TRUE(watches->Arm(id, Offset(0)));
  ASSERT_TRUE(engine_->Close());
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(CodeOf(watches->Arm(id, Offset(0))), ErrorCode::kClosed);
  watches.reset();
}

TEST_F(PartitionWatchesTest, WakeMayDestroyItsOwner) {
  std::unique_ptr<PartitionWatches> watches;
  watches = std::make_unique<PartitionWatches>(*access_, [&] { watches.reset(); });
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(watches->Arm(watches->Add(Part(0)), Offset(0)));
  Append(0);
  EXPECT_EQ(watches, nullptr);
}

TEST_F(PartitionWatchesTest, DestructorWaitsForAWakeThatRunsElsewhere) {
  std::latch inside(1), go_on(1);
  std::atomic<bool> left{false}, destroyed{false};
  auto watches = std::make_unique<PartitionWatches>(*access_, [&] {
    inside.count_down();
    go_on.wait();
    EXPECT_FALSE(destroyed.load());
    left = true;
  });
  ASSERT_TRUE(watches->Arm(watches->Add(Part(0)), Offset(0)));
  std::thread appender([&] { Append(0); });
  inside.wait();
  std::thread destroyer([&] {
    watches.reset();
    destroyed = true;
    EXPECT_TRUE(left.load());
  });
  go_on.count_down();
  appender.join();
  destroyer.join();
  Append(0);
}

}  // namespace
}  // namespace millrace
