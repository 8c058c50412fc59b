// Goal: the appends of a turn are told each, once, truly: in the loop while syncs are short, by a posted task else;
// what is not known is told as not known; nothing is called when the turn has gone. Method: an engine without threads
// on a simulated disk, whose syncs take simulated time or fail; a loop turned by hand.
#include "engine/commit_turn.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/door_fixture.h"
#include "engine/engine_fixture.h"
#include "engine/partition_watches.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class CommitTurnTest : public EngineFixture {
 protected:
  CommitTurnTest() { Start(SyncPolicy::Each()); }
  void Start(SyncPolicy sync) {
    access_.reset();
    engine_ = {};
    EngineOptions options = OnSimulatedDisk();
    disk_ = std::make_shared<SimFileSystem>(5);
    options.file_system = disk_;
    options.clock = clock_;
    options.sync = sync;
    engine_ = SteppedEngine::Open(options).value();
    EXPECT_TRUE(engine_->CreateTopic("t", {.partitions = 2}));
    access_.emplace(*engine_);
    partition_ = access_->Find("t", PartitionId(0));
  }
  /// Every sync of the WAL from now on takes this long, or fails.
  void SetSync(std::chrono::nanoseconds takes, bool fails = false) {
    disk_->SetFaultPlan([clock = clock_, takes, fails](SimOperation operation, const std::filesystem::path& path,
                                                       std::uint64_t) -> std::optional<SimFault> {
      if (operation != SimOperation::kSync || path.string().find("/wal/") == std::string::npos) return {};
      clock->Advance(takes);
      if (fails) return SimFault{};
      return {};
    });
  }
  CommitTurn::Done Noted() {
    return [this](const CommitOutcome& outcome) { told_.push_back(outcome); };
  }
  Result<void> Stage(CommitTurn& turn, Durability asked, std::optional<PartitionHandle> partition = {}) {
    Buffer batch = WireBatch();
    auto done = Noted();
    return turn.Stage(partition.value_or(partition_), batch, asked, done);
  }
  std::vector<std::int64_t> ToldOffsets() const {
    std::vector<std::int64_t> offsets;
    for (const CommitOutcome& outcome : told_) offsets.push_back(outcome.batch.base.value());
    return offsets;
  }
  std::uint64_t Syncs() const { return engine_->Stats().wal_syncs; }

  std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
  std::shared_ptr<SimFileSystem> disk_;
  SteppedEngine engine_;
  std::optional<PartitionAccess> access_;
  PartitionHandle partition_;
  HandTurnedLoop loop_;
  std::vector<CommitOutcome> told_;
};

using Offsets = std::vector<std::int64_t>;

TEST_F(CommitTurnTest, OneSyncInTheLoopServesTheTurnAndTellsInOrder) {
  CommitTurn turn(*access_, loop_.Poster(), {});
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  EXPECT_EQ(turn.last_staged().base, Offset(0));
  ASSERT_TRUE(Stage(turn, Durability::kOs));
  ASSERT_TRUE(Stage(turn, Durability::kDisk, access_->Find("t", PartitionId(1))));
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(turn.pending(), 3U);
  const std::uint64_t syncs = Syncs();
  turn.Commit();
  EXPECT_EQ(Syncs(), syncs + 1);
  EXPECT_EQ(ToldOffsets(), (Offsets{0, 1, 0}));
  for (const CommitOutcome& outcome : told_) EXPECT_FALSE(outcome.unknown);
  EXPECT_EQ(told_[0].reached, Durability::kDisk);
  EXPECT_EQ(told_[1].reached, Durability::kOs) << "no more than was asked for is promised";
  EXPECT_EQ(turn.pending(), 0U);
  EXPECT_EQ(loop_.RunPosted(), 0U);
  turn.Commit();
  EXPECT_EQ(Syncs(), syncs + 1) << "nothing staged, nothing synced";
}

TEST_F(CommitTurnTest, WhatAsksForNoSyncMakesNone) {
  Start(SyncPolicy::None());
  CommitTurn turn(*access_, loop_.Poster(), {});
  const std::uint64_t syncs = Syncs();
  ASSERT_TRUE(Stage(turn, Durability::kOs));
  turn.Commit();
  EXPECT_EQ(ToldOffsets(), (Offsets{0}));
  EXPECT_EQ(Syncs(), syncs);
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  turn.Commit();
  EXPECT_EQ(Syncs(), syncs + 1) << "kDisk syncs under any policy";
  EXPECT_EQ(told_.back().reached, Durability::kDisk);
}

TEST_F(CommitTurnTest, WhileSyncsAreLongTheLoopIsCalledInstead) {
  CommitTurn turn(*access_, loop_.Poster(), {.own_sync_max = milliseconds(1)});
  SetSync(milliseconds(2));
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  turn.Commit();  // the first one tells how long it takes
  EXPECT_EQ(told_.size(), 1U);
  EXPECT_GE(turn.sync_estimate(), milliseconds(2));

  ASSERT_TRUE(Stage(turn, Durability::kOs));
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  const std::uint64_t syncs = Syncs();
  turn.Commit();
  EXPECT_EQ(Syncs(), syncs);
  EXPECT_EQ(ToldOffsets(), (Offsets{0, 1})) << "kOs at once";
  EXPECT_EQ(loop_.RunPosted(), 0U);
  ASSERT_TRUE(engine_.steps().wal.CommitOnce());
  EXPECT_EQ(told_.size(), 2U) << "on the loop's thread alone";
  EXPECT_EQ(loop_.RunPosted(), 1U);
  EXPECT_EQ(ToldOffsets(), (Offsets{0, 1, 2}));
  EXPECT_EQ(told_.back().reached, Durability::kDisk);

  SetSync(microseconds(100));
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(Stage(turn, Durability::kDisk));
    turn.Commit();
    (void)engine_.steps().wal.CommitOnce();
    (void)loop_.RunPosted();
  }
  EXPECT_LT(turn.sync_estimate(), milliseconds(1));
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  turn.Commit();
  EXPECT_EQ(told_.back().batch.base, turn.last_staged().base) << "the loop syncs again";
}

TEST_F(CommitTurnTest, TurnLongerThanASyncIsSyncedBesideTheLoop) {
  CommitTurn turn(*access_, loop_.Poster(), {.own_sync_max = milliseconds(1), .hand_over_cost = microseconds(30)});
  SetSync(microseconds(100));
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  turn.Commit();  // the first one tells how long it takes
  ASSERT_EQ(told_.size(), 1U);

  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  clock_->Advance(microseconds(90));
  turn.Commit();
  EXPECT_EQ(told_.size(), 2U) << "the loop has nothing better to do";

  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  clock_->Advance(microseconds(110));
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  turn.Commit();
  EXPECT_EQ(told_.size(), 2U) << "other requests wait, and the loop does not";
  ASSERT_TRUE(engine_.steps().wal.CommitOnce());
  EXPECT_EQ(loop_.RunPosted(), 1U);
  EXPECT_EQ(ToldOffsets(), (Offsets{0, 1, 2, 3}));

  SetSync(microseconds(10));
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(Stage(turn, Durability::kDisk));
    turn.Commit();
  }
  ASSERT_LT(turn.sync_estimate(), microseconds(30));
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  clock_->Advance(microseconds(110));
  const std::size_t told = told_.size();
  turn.Commit();
  EXPECT_EQ(told_.size(), told + 1) << "a sync as short as a hand-over stays in the loop";
}

TEST_F(CommitTurnTest, UploadIsAwaitedByCallWhateverTheSyncTakes) {
  CommitTurn turn(*access_, loop_.Poster(), {});
  ASSERT_TRUE(Stage(turn, Durability::kObject));
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  turn.Commit();
  EXPECT_EQ(ToldOffsets(), (Offsets{1}));
  ASSERT_TRUE(engine_.steps().uploader.UploadOnce());
  EXPECT_EQ(told_.size(), 1U);
  EXPECT_EQ(loop_.RunPosted(), 1U);
  EXPECT_EQ(ToldOffsets(), (Offsets{1, 0}));
  EXPECT_EQ(told_.back().reached, Durability::kObject);
  EXPECT_EQ(access_->Marks(partition_)->offsets.tiered_end, Offset(2));
}

TEST_F(CommitTurnTest, FailedSyncIsAnUnknownOutcomeAndTellsWhere) {
  for (const auto own_sync_max : {milliseconds(1), milliseconds(0)}) {
    Start(SyncPolicy::Each());
    told_.clear();
    CommitTurn turn(*access_, loop_.Poster(), {.own_sync_max = own_sync_max});
    SetSync({}, true);
    ASSERT_TRUE(Stage(turn, Durability::kOs));
    ASSERT_TRUE(Stage(turn, Durability::kDisk));
    turn.Commit();
    for (int i = 0; i < 4 && told_.size() < 2; ++i) {
      (void)engine_.steps().wal.CommitOnce();
      (void)loop_.RunPosted();
    }
    ASSERT_EQ(told_.size(), 2U);
    EXPECT_FALSE(told_[0].unknown) << "it asked for no sync";
    ASSERT_TRUE(told_[1].unknown);
    EXPECT_EQ(told_[1].reached, Durability::kOs);
    EXPECT_EQ(told_[1].batch.base, Offset(1));
    EXPECT_NE(told_[1].unknown->message().find("t/0 offset 1 is appended but not known to be synced"),
              std::string_view::npos)
        << told_[1].unknown->ToString();
    const auto refused = Stage(turn, Durability::kDisk);
    EXPECT_FALSE(refused) << "the WAL is poisoned, and nothing was staged";
    EXPECT_EQ(turn.pending(), 0U);
    disk_->SetFaultPlan({});
  }
}

TEST_F(CommitTurnTest, RefusedStageLeavesBatchAndDoneToTheCaller) {
  ASSERT_TRUE(engine_->DeleteTopic("t"));
  CommitTurn turn(*access_, loop_.Poster(), {});
  Buffer batch = WireBatch();
  auto done = Noted();
  const auto staged = turn.Stage(partition_, batch, Durability::kDisk, done);
  EXPECT_EQ(CodeOf(staged), ErrorCode::kNotFound);
  EXPECT_FALSE(PartitionAccess::NeedsRoom(staged.error()));
  EXPECT_GT(batch.size(), 0U);
  EXPECT_TRUE(done);
}

TEST_F(CommitTurnTest, DoneMayStageForTheNextTurn) {
  CommitTurn turn(*access_, loop_.Poster(), {});
  Buffer batch = WireBatch();
  CommitTurn::Done done = [&](const CommitOutcome&) { EXPECT_TRUE(Stage(turn, Durability::kDisk)); };
  ASSERT_TRUE(turn.Stage(partition_, batch, Durability::kDisk, done));
  turn.Commit();
  EXPECT_TRUE(told_.empty());
  turn.Commit();
  EXPECT_EQ(ToldOffsets(), (Offsets{1}));
}

TEST_F(CommitTurnTest, DoneMayDestroyTheTurnAndTheRestIsDropped) {
  auto turn = std::make_unique<CommitTurn>(*access_, loop_.Poster(), CommitTurn::Options{});
  Buffer batch = WireBatch();
  CommitTurn::Done done = [&](const CommitOutcome&) { turn.reset(); };
  ASSERT_TRUE(turn->Stage(partition_, batch, Durability::kDisk, done));
  ASSERT_TRUE(Stage(*turn, Durability::kDisk));
  turn->Commit();
  EXPECT_EQ(turn, nullptr);
  EXPECT_TRUE(told_.empty());
}

TEST_F(CommitTurnTest, NothingIsPostedOrToldOnceTheTurnHasGone) {
  {
    CommitTurn turn(*access_, loop_.Poster(), {.own_sync_max = milliseconds(0)});
    ASSERT_TRUE(Stage(turn, Durability::kDisk));
    turn.Commit();
    ASSERT_TRUE(engine_.steps().wal.CommitOnce());  // posts
    ASSERT_TRUE(Stage(turn, Durability::kDisk));
    turn.Commit();
  }
  ASSERT_TRUE(engine_.steps().wal.CommitOnce());
  EXPECT_EQ(loop_.RunPosted(), 1U) << "what was posted before";
  EXPECT_TRUE(told_.empty());
}

TEST_F(CommitTurnTest, ReadersWishForASyncWaitsForTheLoopsOwn) {
  CommitTurn turn(*access_, loop_.Poster(), {});
  int woken = 0;
  PartitionWatches watches(*access_, [&] { ++woken; });
  const auto id = watches.Add(partition_);
  ASSERT_EQ(watches.Arm(id, Offset(0)).value(), PartitionWatches::Armed::kWaits);
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  // The WAL was not asked on the reader's behalf: its thread would have taken the sync that the loop is about to make.
  ASSERT_TRUE(engine_.steps().wal.CommitOnce());
  EXPECT_EQ(woken, 0);
  turn.Commit();
  EXPECT_EQ(woken, 1);
}

TEST_F(CommitTurnTest, ReadersAreWokenForWhatATurnStagedThatHasGone) {
  int woken = 0;
  PartitionWatches watches(*access_, [&] { ++woken; });
  ASSERT_EQ(watches.Arm(watches.Add(partition_), Offset(0)).value(), PartitionWatches::Armed::kWaits);
  {
    CommitTurn turn(*access_, loop_.Poster(), {});
    ASSERT_TRUE(Stage(turn, Durability::kDisk));
  }
  ASSERT_TRUE(engine_.steps().wal.CommitOnce());
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(told_.empty());
}

TEST_F(CommitTurnTest, CloseBetweenStageAndCommitSyncsAndTells) {
  CommitTurn turn(*access_, loop_.Poster(), {});
  ASSERT_TRUE(Stage(turn, Durability::kDisk));
  ASSERT_TRUE(engine_->Close());
  turn.Commit();
  (void)loop_.RunPosted();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_FALSE(told_[0].unknown) << "Close made the last sync";
  EXPECT_EQ(told_[0].reached, Durability::kDisk);
  EXPECT_EQ(CodeOf(Stage(turn, Durability::kDisk)), ErrorCode::kClosed);
}

}  // namespace
}  // namespace millrace
