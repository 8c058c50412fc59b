// What a staged append waits for on its way to its receipt. Method: a partition over a fake WAL that is synced by hand,
// an upload schedule whose commits the test tells.
#include "engine/append_ladder.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "base/call_gate.h"
#include "cache/block_cache.h"
#include "cursor/cursor_table.h"
#include "engine/async_appends.h"
#include "engine/engine_fixture.h"
#include "engine/partition.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "fetch/read_memory.h"
#include "log/fake_wal.h"
#include "log/producer_state_table.h"
#include "log/tail_cache.h"
#include "log/wal_index_budget.h"
#include "meta/memory_metadata_store.h"
#include "read/read_context.h"
#include "record/record_batch_builder.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

/// A WAL that another thread's sync overtakes: everything is durable right after the look at its end that is due.
class OvertakenWal final : public Wal {
 public:
  explicit OvertakenWal(FakeWal& wal) : wal_(wal) {}
  void SyncAfterLook(int look) { until_sync_ = look; }

  Result<WalExtent> TryAppend(WalStream stream, std::span<const std::span<const std::byte>> pieces) override {
    return wal_.TryAppend(stream, pieces);
  }
  Result<void> AwaitRoom(std::uint64_t bytes, std::chrono::nanoseconds deadline) override {
    return wal_.AwaitRoom(bytes, deadline);
  }
  Result<void> AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds> deadline) override {
    return wal_.AwaitDurable(end, deadline);
  }
  void OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) override {
    wal_.OnDurable(end, std::move(done));
  }
  [[nodiscard]] WalPosition durable_end() const override {
    const WalPosition end = wal_.durable_end();
    if (until_sync_-- == 0) wal_.MakeAllDurable();
    return end;
  }
  Result<Frames> Read(const WalStreams& streams, WalExtent range, std::uint64_t bytes_max) override {
    return wal_.Read(streams, range, bytes_max);
  }
  [[nodiscard]] std::optional<WalPosition> EndOf(const DamagedRange& damage) const override {
    return wal_.EndOf(damage);
  }

 private:
  FakeWal& wal_;
  mutable int until_sync_ = -1;
};

class AppendLadderTest : public ::testing::Test {
 protected:
  AppendLadderTest() { EXPECT_TRUE(partition_.Start()); }
  ~AppendLadderTest() override { EXPECT_TRUE(cursors_.Close()); }
  /// One record, staged.
  StagedAppend Stage(Durability asked) {
    Buffer batch = Batch();
    const AppendedBatch appended = partition_.log().TryAppend(batch).value();
    return {.wal_end = appended.wal_end, .end = appended.end, .asked = asked};
  }
  static Buffer Batch() {
    const Record record{.timestamp_ms = 1, .value = "v"};
    return BuildRecordBatch({&record, 1}, {.record_bytes_max = 1'000, .batch_bytes_max = 2'000}).value();
  }
  void MakeTiered(Offset end) {
    partition_.log().AdvanceTieredEnd(end);
    uploads_.OnTieredEnd(partition_.upload(), end);
  }
  std::optional<Durability> Missing(const StagedAppend& append, const RungFailures& failures = {}) {
    return ladder_.Missing(partition_.upload(), append, failures).value();
  }

  SimClock clock_;
  SeededRandom random_{1};
  SimFileSystem disk_{1};
  MemoryMetadataStore metadata_;
  MemoryObjectStore objects_{&clock_};
  FakeWal fake_{FakeWal::Syncing::kByHand};
  OvertakenWal wal_{fake_};
  TailCache tail_cache_{1 << 20};
  WalIndexBudget index_budget_{1 << 20};
  ProducerStateTable producers_;
  BlockCache blocks_{{.block_bytes_max = 1 << 20}};
  ReadMemory memory_{1 << 20, clock_};
  ReadCounters counters_;
  ReadContext read_{
      {.objects = objects_, .blocks = blocks_, .memory = memory_, .counters = counters_, .clock = clock_}};
  UploadSchedule uploads_{{}, clock_, random_};
  CursorTable cursors_{{.directory = "/positions"}, disk_, clock_};
  PartitionContext context_{.sync = SyncPolicy::None(),
                            .wal = wal_,
                            .tail_cache = tail_cache_,
                            .index_budget = index_budget_,
                            .producers = producers_,
                            .clock = clock_,
                            .metadata = metadata_,
                            .read = read_,
                            .uploads = uploads_,
                            .cursors = cursors_};
  TopicSettings settings_{TopicOptions{}};
  Partition partition_{settings_, {"t", PartitionId(0)}, {.key = {TopicId(1), PartitionId(0)}}, context_};
  AppendLadder ladder_{wal_, uploads_};
};

TEST_F(AppendLadderTest, EachDurabilityClimbsTheRungsBelowItInOrder) {
  EXPECT_EQ(AppendLadder::RungAbove(Durability::kOs, Durability::kOs), std::nullopt);
  EXPECT_EQ(AppendLadder::RungAbove(Durability::kOs, Durability::kDisk), Durability::kDisk);
  EXPECT_EQ(AppendLadder::RungAbove(Durability::kDisk, Durability::kDisk), std::nullopt);
  EXPECT_EQ(AppendLadder::RungAbove(Durability::kOs, Durability::kObject), Durability::kDisk);
  EXPECT_EQ(AppendLadder::RungAbove(Durability::kDisk, Durability::kObject), Durability::kObject);
  EXPECT_EQ(AppendLadder::RungAbove(Durability::kObject, Durability::kObject), std::nullopt);
  constexpr auto kBeyond = static_cast<Durability>(7);
  EXPECT_EQ(AppendLadder::RungAbove(Durability::kObject, kBeyond), std::nullopt) << "no append climbs for ever";
}

TEST_F(AppendLadderTest, AnAppendWaitsForTheFirstRungItDoesNotStandOn) {
  const StagedAppend os = Stage(Durability::kOs), disk = Stage(Durability::kDisk), object = Stage(Durability::kObject);
  EXPECT_EQ(Missing(os), std::nullopt);
  EXPECT_EQ(Missing(disk), Durability::kDisk);
  EXPECT_EQ(Missing(object), Durability::kDisk);
  fake_.MakeAllDurable();
  EXPECT_EQ(Missing(disk), std::nullopt);
  EXPECT_EQ(Missing(object), Durability::kObject);
  MakeTiered(object.end);
  EXPECT_EQ(Missing(object), std::nullopt);
}

TEST_F(AppendLadderTest, AFailureIsTheOutcomeOfThoseItConcernsWhileTheyStandBelowIt) {
  const StagedAppend first = Stage(Durability::kObject), second = Stage(Durability::kObject);
  RungFailures failures;
  failures.disk = {Error(ErrorCode::kUnavailable, "disk"), first.wal_end};
  failures.object = {Error(ErrorCode::kPermissionDenied, "object"), first.end};
  const auto outcome = [&](const StagedAppend& append) {
    return CodeOf(ladder_.Missing(partition_.upload(), append, failures));
  };
  EXPECT_EQ(outcome(first), ErrorCode::kUnavailable);
  EXPECT_EQ(outcome(second), std::nullopt);
  EXPECT_EQ(outcome({first.wal_end, first.end, Durability::kOs}), std::nullopt);
  fake_.MakeAllDurable();
  EXPECT_EQ(outcome(first), ErrorCode::kPermissionDenied);
  EXPECT_EQ(outcome(second), std::nullopt);
  MakeTiered(first.end);
  EXPECT_EQ(outcome(first), std::nullopt);
}

// Issue: seen synced by the second of two looks alone, an append that asked for kDisk waited for an upload.
TEST_F(AppendLadderTest, AnAppendThatIsSyncedWhileItIsLookedAtIsTold) {
  const CallGate calls;
  AsyncAppends async(ladder_, clock_, calls);
  for (int look = 0; look < 6; ++look) {
    SCOPED_TRACE(testing::Message() << "synced after look " << look);
    Buffer batch = Batch();
    std::optional<std::optional<ErrorCode>> told;
    AsyncAppends::Done done = [&](const Result<AppendReceipt>& receipt) { told = CodeOf(receipt); };
    ASSERT_TRUE(async.Reserve(batch.size(), {}));
    wal_.SyncAfterLook(look);
    ASSERT_TRUE(async.TryAppend(partition_, batch, 1, Durability::kDisk, done));
    fake_.MakeAllDurable();
    async.CompleteOnce();
    ASSERT_TRUE(told);
    EXPECT_EQ(*told, std::nullopt);
  }
}

}  // namespace
}  // namespace millrace
