// Goal: whatever happens to the process, the disk or a single call, what was acknowledged is there afterwards and a
// call that failed happened whole or not at all (rules 3, 8 and 9; rows 1, 11 and 12 of the reliability page). Method:
// the scenario on a simulated disk; power loss after every operation that changed the disk, with seeded survivors;
// every n-th call failing until a clean run; the reopened store is compared with the model.
#include <gtest/gtest.h>

#include <iostream>

#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/metadata_scenario.h"
#include "meta/sqlite_metadata_store.h"

namespace millrace {
namespace {

constexpr const char* kDatabase = "/data/metadata.db";

Result<std::string> OpenAndDump(SimFileSystem& disk) {
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  if (!store) return store.error();
  auto dump = DumpMetadata(**store);
  if (auto closed = (*store)->Close(); !closed) return closed.error();
  return dump;
}

TEST(SqliteCrashTest, PowerLossAfterAnyOperationKeepsWhatWasAcknowledged) {
  const std::vector<MetadataStep> steps = MetadataScenario();
  const std::vector<std::string> dumps = ModelDumps(steps);
  struct State {
    std::shared_ptr<const SimFileSystem::Image> image;
    std::size_t acknowledged;
  };
  std::vector<State> states;
  std::size_t acknowledged = 0;
  {
    SimFileSystem disk(7);
    disk.SetObserver(
        [&](SimOperation, const std::filesystem::path&) { states.push_back({disk.Snapshot(), acknowledged}); });
    // Three sittings, so that checkpoints and recoveries lie between.
    for (std::size_t at = 0; at < steps.size();) {
      auto store = SqliteMetadataStore::Open(kDatabase, disk);
      ASSERT_TRUE(store) << store.error().ToString();
      for (const std::size_t end = std::min(at + 15, steps.size()); at < end; ++at) {
        ASSERT_TRUE(steps[at](**store));
        acknowledged = at + 1;
      }
      ASSERT_TRUE((*store)->Close());
    }
    disk.SetObserver({});
  }
  std::uint64_t checked = 0;
  for (const State& state : states) {
    for (const std::uint64_t seed : {0, 1, 2, 3, 4}) {
      auto disk = SimFileSystem::AfterPowerLoss(*state.image, seed);
      auto dump = OpenAndDump(*disk);
      ++checked;
      ASSERT_TRUE(dump) << "after " << state.acknowledged << " steps, seed " << seed << ": " << dump.error().ToString();
      const bool next_too = state.acknowledged + 1 < dumps.size() && *dump == dumps[state.acknowledged + 1];
      ASSERT_TRUE(*dump == dumps[state.acknowledged] || next_too)
          << "after " << state.acknowledged << " steps, seed " << seed << ":\n"
          << *dump;
    }
  }
  std::cout << "checked=" << checked << "\n";
  EXPECT_GE(checked, 1000u);
}

struct Failure {
  const char* name;
  SimFault fault;
};

class SqliteFailureTest : public testing::TestWithParam<Failure> {};

INSTANTIATE_TEST_SUITE_P(Faults, SqliteFailureTest,
                         testing::Values(Failure{"Eio", {ErrorCode::kUnavailable, 0, false}},
                                         Failure{"EioPagesClean", {ErrorCode::kUnavailable, 0, true}},
                                         Failure{"EioHalfWritten", {ErrorCode::kUnavailable, 2000, true}},
                                         Failure{"Enospc", {ErrorCode::kOutOfSpace, 100, true}}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(SqliteFailureTest, EveryNthCallMayFail) {
  const std::vector<MetadataStep> steps = MetadataScenario();
  const std::vector<std::string> dumps = ModelDumps(steps);
  std::uint64_t checked = 0;
  for (std::uint64_t n = 1;; ++n) {
    SimFileSystem disk(n);
    bool fired = false;
    std::string where = "call " + std::to_string(n);
    disk.SetFaultPlan(
        [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t call) -> std::optional<SimFault> {
          const bool grows = operation == SimOperation::kWrite || operation == SimOperation::kCreate ||
                             operation == SimOperation::kAllocate || operation == SimOperation::kMakeDirectory;
          if (call != n || (GetParam().fault.code == ErrorCode::kOutOfSpace && !grows)) return std::nullopt;
          fired = true;
          where += ", operation " + std::to_string(static_cast<int>(operation)) + " on " + path.string();
          return GetParam().fault;
        });
    std::size_t acknowledged = 0;
    const auto expected_code = [](const Error& error) {
      return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kOutOfSpace;
    };
    if (auto store = SqliteMetadataStore::Open(kDatabase, disk); store) {
      for (const MetadataStep& step : steps) {
        auto done = step(**store);
        if (!done) {
          ASSERT_TRUE(expected_code(done.error())) << where << ": " << done.error().ToString();
          // The store goes on: what it shows is the state before or after the failed call, and stays so.
          auto dump = DumpMetadata(**store);
          ASSERT_TRUE(dump) << where << ": " << dump.error().ToString();
          ASSERT_TRUE(*dump == dumps[acknowledged] || *dump == dumps[acknowledged + 1]) << where;
          break;
        }
        ++acknowledged;
      }
    } else {
      ASSERT_TRUE(expected_code(store.error())) << where << ": " << store.error().ToString();
    }
    const bool reached = fired || disk.calls() >= n;
    disk.SetFaultPlan({});
    disk.Crash();
    auto dump = OpenAndDump(disk);
    ASSERT_TRUE(dump) << where << ": " << dump.error().ToString();
    const bool next_too = acknowledged + 1 < dumps.size() && *dump == dumps[acknowledged + 1];
    ASSERT_TRUE(*dump == dumps[acknowledged] || next_too) << where << " after " << acknowledged << " steps";
    ++checked;
    if (!reached) break;
  }
  std::cout << "checked=" << checked << "\n";
  EXPECT_GE(checked, 200u);
}

TEST(SqliteCrashTest, AfterAFailedSyncTheStoreReopensItselfAndGoesOn) {
  SimFileSystem disk(1);
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store);
  ASSERT_TRUE(Catalog(**store).CreateTopic("before", {}, "", 1));
  disk.SetFaultPlan([](SimOperation operation, const std::filesystem::path&, std::uint64_t) -> std::optional<SimFault> {
    if (operation != SimOperation::kSync) return std::nullopt;
    return SimFault{};
  });
  auto failed = Catalog(**store).CreateTopic("unknown", {}, "", 1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(Catalog(**store).CreateTopic("still-failing", {}, "", 1));
  disk.SetFaultPlan({});
  ASSERT_TRUE(Catalog(**store).CreateTopic("after", {}, "", 1));
  disk.Crash();
  store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store) << store.error().ToString();
  std::vector<std::string> names;
  for (const TopicRow& topic : *Catalog(**store).Topics()) names.push_back(topic.name);
  EXPECT_EQ(names.front(), "before");
  EXPECT_EQ(names.back(), "after");
}

TEST(SqliteCrashTest, AFullDiskStopsWritesAndNotReads) {
  SimFileSystem disk(1);
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store);
  disk.SetCapacity(400'000);
  int created = 0;
  Result<TopicRow> last = Catalog(**store).CreateTopic("t", {}, "", 1);
  while (last) last = Catalog(**store).CreateTopic("t" + std::to_string(++created), {}, "", 1);
  EXPECT_EQ(last.error().code(), ErrorCode::kOutOfSpace) << last.error().ToString();
  EXPECT_EQ(Catalog(**store).Topics()->size(), static_cast<std::size_t>(created));
  disk.KillProcess();
  store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store) << store.error().ToString();
  EXPECT_EQ(Catalog(**store).Topics()->size(), static_cast<std::size_t>(created));
  disk.SetCapacity(std::nullopt);
  EXPECT_TRUE(Catalog(**store).CreateTopic("room again", {}, "", 1));
  EXPECT_TRUE((*store)->Close());
  EXPECT_FALSE(disk.Open("/data/metadata.db-wal", {}) && !disk.Contents("/data/metadata.db-wal").empty());
}

TEST(SqliteCrashTest, OnAFullDiskCommitsGoOnFromTheReserve) {
  SimFileSystem disk(1);
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store);
  auto topic = Catalog(**store).CreateTopic("t", {}, "", 1);
  ASSERT_TRUE(topic);
  std::uint64_t used = 0;
  for (const auto& file : disk.Files()) used += (disk.Contents(file).size() + 4095) / 4096 * 4096;
  disk.SetCapacity(used);
  constexpr int kCommits = 100;
  for (int n = 0; n < kCommits; ++n) {
    ObjectRow object;
    object.id.fill(static_cast<std::uint8_t>(n));
    object.key = "k" + std::to_string(n);
    object.size_bytes = 100;
    ASSERT_TRUE(Catalog(**store).PrepareObject(object)) << n;
    const SegmentCommit commit{{{topic->id, PartitionId(0)}, Offset(n), Offset(n + 1), object.id, 0, 100, 1, 0, 0},
                               LeaderEpoch(0)};
    ASSERT_TRUE(Catalog(**store).CommitSegments(object, std::span(&commit, 1))) << n;
  }
  disk.Crash();
  disk.SetCapacity(std::nullopt);
  store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store) << store.error().ToString();
  EXPECT_EQ(Catalog(**store).Segments({topic->id, PartitionId(0)}, Offset(0), 1000)->size(),
            static_cast<std::size_t>(kCommits));
}

TEST(SqliteCrashTest, TwoStoresOnOneFileAreRefused) {
  SimFileSystem disk(1);
  auto first = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(first);
  auto second = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  ASSERT_TRUE((*first)->Close());
  EXPECT_TRUE(SqliteMetadataStore::Open(kDatabase, disk));
}

}  // namespace
}  // namespace millrace
