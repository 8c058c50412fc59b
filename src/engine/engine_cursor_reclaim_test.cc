// What cursors keep and what they give back, and what threads get while position writes fail. Method: real files for
// the first, a simulated disk with failing writes for the second; background work is called as steps. Proves R25, R26,
// W9, W10, W12, W13, W32, W33, B48, B49.
#include <atomic>
#include <set>
#include <thread>

#include "base/mutex.h"
#include "engine/cursor_fixture.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

class CursorReclaimTest : public CursorFixture {
 protected:
  SteppedEngine OpenStepped() {
    EngineOptions options = Options();
    options.wal_bytes_max = 16 << 20;  // files of 2 MiB
    options.batch_bytes_max = 1 << 20;
    auto engine = SteppedEngine::Open(options);
    EXPECT_TRUE(engine) << Told(engine);
    return engine ? *std::move(engine) : SteppedEngine();
  }
  /// Batches of ten records of 10,000 bytes.
  static void AppendBulk(Engine& engine, const TopicPartition& at, int batches) {
    for (int i = 0; i < batches; ++i) {
      const std::vector<Record> records(10, Value(std::string(10'000, static_cast<char>('a' + i % 26))));
      ASSERT_TRUE(engine.Append(at, records, {}));
    }
  }
  static std::size_t Take(Cursor& cursor, std::size_t count) {
    std::size_t taken = 0;
    while (taken < count) {
      const auto batch = cursor.ReadBatch(std::min<std::uint64_t>(1 << 20, 10'000 * (count - taken)), true);
      EXPECT_TRUE(batch) << Told(batch);
      if (!batch || batch->empty()) break;
      taken += batch->size();
    }
    return taken;
  }
  static Offset LogStart(Engine& engine, const TopicPartition& at) { return engine.Offsets(at)->log_start; }
};

TEST_F(CursorReclaimTest, WhatEveryCursorHasPassedGoesWhileRunningAndIsNeverUploaded) {
  std::uint64_t full = 0;
  {
    const auto engine = OpenStepped();
    ASSERT_TRUE(engine->CreateTopic("t", {.cleanup = Cleanup::kConsumed}));
    AppendBulk(*engine, At("t"), 60);  // 6 MB: several files
    full = engine->Stats().wal_bytes;
    const auto first = OpenCursor(*engine, At("t"), "first", kStrict);
    const auto second = OpenCursor(*engine, At("t"), "second", kStrict);
    EXPECT_EQ(Take(*first, 600), 600U);
    ASSERT_TRUE(engine.housekeeper().KeepOnce());
    EXPECT_EQ(LogStart(*engine, At("t")), Offset(0));  // the second one has read nothing
    EXPECT_EQ(Take(*second, 599), 599U);
    ASSERT_TRUE(engine.housekeeper().KeepOnce());
    EXPECT_EQ(LogStart(*engine, At("t")), Offset(599));
    EXPECT_LT(engine->Stats().wal_bytes, full / 2);
    EXPECT_EQ(engine->Stats().object_puts, 0U);
  }
  const auto engine = OpenStepped();
  const auto second = OpenCursor(*engine, At("t"), "second", kStrict);
  EXPECT_EQ(second->CorrectedFrom(), std::nullopt);
  const auto last = second->ReadNext(true);  // the unread entry stayed, and is the next
  ASSERT_TRUE(last && *last) << Told(last);
  EXPECT_EQ((*last)->offset, Offset(599));
  ASSERT_TRUE(engine->Upload());
  EXPECT_EQ(engine->Stats().object_puts, 0U);
  EXPECT_EQ(LogStart(*engine, At("t")), Offset(600));
}

TEST_F(CursorReclaimTest, GroupsCountAsCursorsDo) {
  const auto engine = OpenStepped();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2, .cleanup = Cleanup::kConsumed}));
  AppendBulk(*engine, At("t", 0), 60);
  AppendBulk(*engine, At("t", 1), 2);
  const auto keep = [&] { ASSERT_TRUE(engine.housekeeper().KeepOnce()); };
  keep();
  EXPECT_EQ(LogStart(*engine, At("t", 0)), Offset(0));  // nobody reads it
  ASSERT_TRUE(engine->SeekGroup("fast", At("t", 0), Offset(600)));
  ASSERT_TRUE(engine->SeekGroup("slow", At("t", 0), Offset(400)));
  keep();
  EXPECT_EQ(LogStart(*engine, At("t", 0)), Offset(400));
  EXPECT_EQ(LogStart(*engine, At("t", 1)), Offset(0));  // they read the topic, and have not read this partition
  ASSERT_TRUE(engine->SeekGroup("fast", At("t", 1), Offset(20)));
  keep();
  EXPECT_EQ(LogStart(*engine, At("t", 1)), Offset(0));
  ASSERT_TRUE(engine->SeekGroup("slow", At("t", 1), Offset(10)));
  keep();
  EXPECT_EQ(LogStart(*engine, At("t", 1)), Offset(10));
  const auto cursor = OpenCursor(*engine, At("t", 0), "c", kStrict);
  ASSERT_TRUE(engine->DeleteGroup("slow"));
  keep();
  EXPECT_EQ(LogStart(*engine, At("t", 0)), Offset(400));  // the cursor stands there
  EXPECT_EQ(LogStart(*engine, At("t", 1)), Offset(20));
  EXPECT_EQ(Take(*cursor, 200), 200U);
  const std::uint64_t full = engine->Stats().wal_bytes;
  keep();
  EXPECT_EQ(LogStart(*engine, At("t", 0)), Offset(600));
  EXPECT_LT(engine->Stats().wal_bytes, full);
  ASSERT_TRUE(engine->Upload());
  EXPECT_EQ(engine->Stats().object_puts, 0U);
}

TEST_F(CursorReclaimTest, PeeksAndUnpersistedReadsFreeNothing) {
  const auto engine = OpenStepped();
  ASSERT_TRUE(engine->CreateTopic("t", {.cleanup = Cleanup::kConsumed}));
  AppendBulk(*engine, At("t"), 3);
  const auto cursor = OpenCursor(*engine, At("t"), "c", ReadConsistency::AtLeastOnce(1'000));
  for (int i = 0; i < 120; ++i) ASSERT_TRUE(cursor->ReadNext(false));
  EXPECT_EQ(Take(*cursor, 20), 20U);
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(LogStart(*engine, At("t")), Offset(0));
  ASSERT_TRUE(cursor->Close());  // now it is persisted
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(LogStart(*engine, At("t")), Offset(20));
}

TEST_F(CursorReclaimTest, NoCursorKeepsEverythingAndADeletedOneKeepsNothing) {
  const auto engine = OpenStepped();
  ASSERT_TRUE(engine->CreateTopic("t", {.cleanup = Cleanup::kConsumed}));
  ASSERT_TRUE(engine->CreateTopic("kept", {}));
  AppendBulk(*engine, At("t"), 2);
  AppendBulk(*engine, At("kept"), 2);
  EXPECT_EQ(Take(*OpenCursor(*engine, At("kept"), "c", kStrict), 20), 20U);
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(LogStart(*engine, At("t")), Offset(0));
  EXPECT_EQ(LogStart(*engine, At("kept")), Offset(0));
  EXPECT_EQ(Take(*OpenCursor(*engine, At("t"), "fast", kStrict), 20), 20U);
  OpenCursor(*engine, At("t"), "slow", kStrict);
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(LogStart(*engine, At("t")), Offset(0));
  ASSERT_TRUE(engine->DeleteCursor(At("t"), "slow"));
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(LogStart(*engine, At("t")), Offset(20));
}

TEST_F(CursorReclaimTest, SegmentsGoToo) {
  const auto engine = OpenStepped();
  ASSERT_TRUE(engine->CreateTopic("t", {.cleanup = Cleanup::kConsumed}));
  AppendBulk(*engine, At("t"), 5);
  ASSERT_TRUE(engine->Upload());
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(Take(*OpenCursor(*engine, At("t"), "c", kStrict), 50), 50U);
  ASSERT_TRUE(engine.housekeeper().KeepOnce());
  EXPECT_TRUE(engine->DescribeSegments(At("t"))->empty());
  EXPECT_EQ(LogStart(*engine, At("t")), Offset(50));
}

TEST_F(CursorReclaimTest, NameSpacesHaveCursorsOfTheirOwn) {
  for (int round = 0; round < 2; ++round) {
    for (const char* name : {"a/b", "a_b", ""}) {
      EngineOptions options = Options();
      options.name_space = name;
      const auto engine = Open(options);
      if (round == 0) {
        ASSERT_TRUE(engine->CreateTopic("t"));
        AppendNumbers(*engine, At("t"), 5);
      }
      auto cursor = engine->OpenCursor(At("t"), "c", kStrict);
      ASSERT_TRUE(cursor) << Told(cursor);
      const auto record = (*cursor)->ReadNext(true);
      ASSERT_TRUE(record && *record);
      EXPECT_EQ((*record)->offset, Offset(round));
    }
  }
}

TEST_F(CursorReclaimTest, ThreadsLoseAndRepeatNothingWhilePositionWritesFail) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const auto disk = std::make_shared<SimFileSystem>(seed);
    EngineOptions options = Options();
    options.data_dir = "/data";
    options.file_system = disk;
    auto engine = Open(options);
    ASSERT_TRUE(engine->CreateTopic("t"));
    const std::vector<Record> records(300, Value("x"));
    ASSERT_TRUE(engine->Append(At("t"), records));
    Mutex mutex;
    std::multiset<std::int64_t> delivered;
    std::atomic<int> errors{0};
    {
      auto opened = engine->OpenCursor(At("t"), "c", kStrict);
      ASSERT_TRUE(opened);
      std::atomic<std::uint64_t> syncs{0};
      disk->SetFaultPlan(
          [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
            if (operation != SimOperation::kSync || path.string().find("positions-") == std::string::npos) return {};
            if (syncs.fetch_add(1) % (5 + seed) != 4) return {};
            return SimFault{.pages_left_clean = seed % 2 == 0};
          });
      std::vector<std::jthread> readers;
      for (int reader = 0; reader < 4; ++reader) {
        readers.emplace_back([&, reader] {
          for (;;) {
            std::vector<Record> taken;
            std::optional<Error> error;
            if (reader % 2 == 0) {
              auto record = (*opened)->ReadNext(true);
              if (!record) {
                error = record.error();
              } else if (*record) {
                taken.push_back(**std::move(record));
              }
            } else {
              auto batch = (*opened)->ReadBatch(3, true);
              if (!batch) {
                error = batch.error();
              } else {
                taken = *std::move(batch);
              }
            }
            if (error) {
              EXPECT_EQ(error->code(), ErrorCode::kUnavailable);
              ++errors;
              continue;
            }
            if (taken.empty()) return;
            MutexLock lock(mutex);
            for (const Record& record : taken) delivered.insert(record.offset.value());
          }
        });
      }
      readers.clear();
      disk->SetFaultPlan({});
      disk->KillProcess();
    }
    EXPECT_GT(errors.load(), 5);
    ASSERT_EQ(delivered.size(), 300U);
    EXPECT_EQ(std::set(delivered.begin(), delivered.end()).size(), 300U);
    engine.reset();
    engine = Open(options);
    auto again = engine->OpenCursor(At("t"), "c", kStrict);
    ASSERT_TRUE(again) << Told(again);
    EXPECT_EQ((*again)->Position(), Offset(300));
    EXPECT_EQ((*again)->CorrectedFrom(), std::nullopt);
  }
}

}  // namespace
}  // namespace millrace
