// Goal: what goes in several transactions is gone for all after the first, goes on after a failure or a crash at
// any point, and lets other callers in; a failed write of the mark costs nothing. Method: a simulated disk on which one
// operation after the other fails or the process dies; what an object's state says afterwards is compared with the
// whole. The log's mark: each of its writes and syncs fails once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <thread>

#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/sqlite_metadata_store.h"

namespace millrace {
namespace {

constexpr const char* kDatabase = "/data/metadata.db";
constexpr int kObjects = 700;  // three transactions

ObjectRow Object(int n) {
  ObjectRow row;
  row.id.fill(static_cast<std::uint8_t>(n));
  row.id[0] = static_cast<std::uint8_t>(n >> 8);
  row.id[15] = 1;
  row.key = fmt::format("k{}", n);
  row.size_bytes = 100;
  return row;
}

/// A topic of many objects, one segment each, and the store closed.
std::shared_ptr<const SimFileSystem::Image> ManyObjects(PartitionKey* key) {
  SimFileSystem disk(1);
  auto store = *SqliteMetadataStore::Open(kDatabase, disk);
  *key = {Catalog(*store).CreateTopic("t", {}, "", 1)->id, PartitionId(0)};
  for (int n = 0; n < kObjects; ++n) {
    const ObjectRow object = Object(n);
    EXPECT_TRUE(Catalog(*store).PrepareObject(object));
    const SegmentCommit commit{{*key, Offset(n), Offset(n + 1), object.id, 0, 100, 1, 0, 0}, LeaderEpoch(0)};
    EXPECT_TRUE(Catalog(*store).CommitSegments(object, std::span(&commit, 1)));
  }
  EXPECT_TRUE(store->Close());
  return disk.Snapshot();
}

TEST(SqliteStepTest, ATopicOfManySegmentsGoesAtOnceAndItsObjectsFollowWhateverFails) {
  PartitionKey key;
  const auto image = ManyObjects(&key);
  int resumed = 0, kept = 0;
  std::uint64_t fired_last = 0;
  for (std::uint64_t n = 1; fired_last + 1 == n; ++n) {
    auto disk = SimFileSystem::AfterPowerLoss(*image, 1);
    {
      auto store = SqliteMetadataStore::Open(kDatabase, *disk);
      ASSERT_TRUE(store);
      std::uint64_t changes = 0;
      // The n-th sync of the deletion fails, and all after it: the process is as good as dead.
      disk->SetFaultPlan(
          [&](SimOperation operation, const std::filesystem::path&, std::uint64_t) -> std::optional<SimFault> {
            if (operation != SimOperation::kSync || ++changes < n) return std::nullopt;
            fired_last = n;
            return SimFault{};
          });
      (void)Catalog(**store).DeleteTopic(key.topic, 7000);
      if (fired_last == n) disk->Crash();
    }
    disk->SetFaultPlan({});
    auto store = SqliteMetadataStore::Open(kDatabase, *disk);
    ASSERT_TRUE(store) << store.error().ToString();
    auto topics = Catalog(**store).Topics();
    ASSERT_TRUE(topics);
    if (!topics->empty()) {
      ++kept;
      EXPECT_EQ(Catalog(**store).Segments(key, Offset(0), 10'000)->size(), static_cast<std::size_t>(kObjects));
      continue;
    }
    const auto deleting = [&] { return Catalog(**store).ObjectsIn(ObjectState::kDeleting, 8000, 10'000)->size(); };
    std::size_t before = 0, now = deleting();
    resumed += now < kObjects ? 1 : 0;
    for (int looks = 0; looks < 10 && now < kObjects; ++looks) {
      before = now;
      now = deleting();
      EXPECT_GT(now, before);
    }
    EXPECT_EQ(now, static_cast<std::size_t>(kObjects)) << "after failure " << n;
  }
  std::cout << "failures=" << fired_last << " kept=" << kept << " resumed=" << resumed << "\n";
  EXPECT_GE(kept, 1);
  EXPECT_GE(resumed, 1);
}

TEST(SqliteStepTest, TheLogStartMovesInStepsThatStandAlone) {
  PartitionKey key;
  const auto image = ManyObjects(&key);
  auto disk = SimFileSystem::AfterPowerLoss(*image, 1);
  auto store = SqliteMetadataStore::Open(kDatabase, *disk);
  ASSERT_TRUE(store);
  int syncs = 0;
  disk->SetFaultPlan(
      [&](SimOperation operation, const std::filesystem::path&, std::uint64_t) -> std::optional<SimFault> {
        if (operation != SimOperation::kSync || ++syncs < 3) return std::nullopt;
        return SimFault{};
      });
  EXPECT_FALSE(Catalog(**store).AdvanceLogStart(key, LeaderEpoch(0), Offset(kObjects - 1), 7000));
  ASSERT_GE(syncs, 3);
  disk->SetFaultPlan({});
  const Offset start = Catalog(**store).Partitions(key.topic)->at(0).log_start;
  EXPECT_GT(start, Offset(0));
  EXPECT_LT(start, Offset(kObjects - 1));
  EXPECT_EQ(Catalog(**store).Segments(key, Offset(0), 10'000)->size(),
            static_cast<std::size_t>(Offset(kObjects) - start));
  EXPECT_EQ(Catalog(**store).AdvanceLogStart(key, LeaderEpoch(0), Offset(kObjects - 1), 7000)->segments, 1u);
}

TEST(SqliteStepTest, OthersAreServedWhileATopicGoes) {
  PartitionKey key;
  const auto image = ManyObjects(&key);
  auto disk = SimFileSystem::AfterPowerLoss(*image, 1);
  auto store = SqliteMetadataStore::Open(kDatabase, *disk);
  ASSERT_TRUE(store);
  // Answers that came in the middle: some objects given up, and not all.
  std::atomic<bool> gone = false;
  std::atomic<int> between = 0;
  std::thread other([&] {
    while (!gone) {
      const auto last = Catalog(**store).FindObject(Object(kObjects - 1).id);
      const auto first = Catalog(**store).FindObject(Object(0).id);
      ASSERT_TRUE(last && first);
      between += (*first)->state == ObjectState::kDeleting && (*last)->state == ObjectState::kCommitted ? 1 : 0;
    }
  });
  ASSERT_TRUE(Catalog(**store).DeleteTopic(key.topic, 7000));
  gone = true;
  other.join();
  EXPECT_GE(between, 1);
}

// SQLite begins the -wal file anew after a checkpoint; a mark of the old one that could not be replaced would call the
// new file damaged.
TEST(SqliteStepTest, AFailedWriteOfTheMarkLeavesWholeMetadataWhole) {
  for (const SimOperation kind : {SimOperation::kWrite, SimOperation::kSync}) {
    for (const std::uint64_t written : {0, 20, 40}) {
      SimFileSystem disk(1);
      auto store = SqliteMetadataStore::Open(kDatabase, disk);
      ASSERT_TRUE(store);
      const PartitionKey key{Catalog(**store).CreateTopic("t", {}, "", 1)->id, PartitionId(0)};
      int commits = 0;
      bool fired = false, checkpoint = false;
      // The database file is written at checkpoints only.
      disk.SetFaultPlan(
          [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
            const std::string name = path.filename();
            checkpoint |= operation == SimOperation::kWrite && name == "metadata.db";
            if (fired || !checkpoint || operation != kind || name != "metadata.db-mark") return std::nullopt;
            fired = true;
            return SimFault{.bytes_written = written};
          });
      const auto commit = [&] {
        const PositionRow row{{fmt::format("g{}", commits), key}, Offset(commits)};
        ++commits;
        return Catalog(**store).CommitPositions(std::span(&row, 1));
      };
      while (!fired) {
        ASSERT_LT(commits, 3000);
        ASSERT_TRUE(commit());
      }
      for (int i = 0; i < 5; ++i) ASSERT_TRUE(commit());
      disk.KillProcess();
      store = SqliteMetadataStore::Open(kDatabase, disk);
      ASSERT_TRUE(store) << store.error().ToString();
      EXPECT_EQ(Catalog(**store).Groups()->size(), static_cast<std::size_t>(commits));
    }
  }
}

}  // namespace
}  // namespace millrace
