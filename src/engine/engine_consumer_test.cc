// Consumers over a real engine: where they start, what a poll gives, what survives. Method: real files.
// Proves R10, R11, R12, R13, R14 (fetch_size), S12, W17, B1, B2, B3, B67, B68, B69.
#include <thread>

#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

class EngineConsumerTest : public EngineFixture {
 protected:
  static std::unique_ptr<Consumer> Consume(Engine& engine, ConsumerOptions options) {
    auto consumer = engine.OpenConsumer(std::move(options));
    EXPECT_TRUE(consumer) << Told(consumer);
    return *std::move(consumer);
  }
  static std::vector<std::string> Values(const Result<std::vector<ConsumedRecord>>& records) {
    EXPECT_TRUE(records) << Told(records);
    std::vector<std::string> values;
    if (records)
      for (const ConsumedRecord& record : *records) values.push_back(*record.value);
    return values;
  }
};

TEST_F(EngineConsumerTest, StartsAtTheBeginningOrWhereTheGroupLeftOff) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 60);
  EXPECT_EQ(Values(Consume(*engine, {.topics = {"t"}})->Poll(10)), Numbers(0, 10));
  EXPECT_EQ(Values(Consume(*engine, {.group = "fresh", .topics = {"t"}})->Poll(10)), Numbers(0, 10));
  ASSERT_TRUE(engine->SeekGroup("g", At("t"), Offset(42)));
  EXPECT_EQ(Values(Consume(*engine, {.group = "g", .topics = {"t"}})->Poll(10)), Numbers(42, 52));
}

TEST_F(EngineConsumerTest, TenAppendedFiveReadThenReopenedTheNextFiveFollow) {
  {
    const auto engine = Open();
    ASSERT_TRUE(engine->CreateTopic("t"));
    ASSERT_TRUE(engine->CreateTopic("u"));
    AppendNumbers(*engine, At("t"), 10);
    AppendNumbers(*engine, At("u"), 10);
    const auto consumer = Consume(*engine, {.group = "g", .topics = {"t"}});
    const auto other = Consume(*engine, {.group = "other", .topics = {"t"}});
    EXPECT_EQ(Values(consumer->Poll(5)), Numbers(0, 5));
    EXPECT_EQ(Values(other->Poll(7)), Numbers(0, 7));
    ASSERT_TRUE(consumer->Commit());
    EXPECT_EQ(Values(consumer->Poll(2)), Numbers(5, 7));  // read, not committed
  }
  const auto engine = Open();
  const auto consumer = Consume(*engine, {.group = "g", .topics = {"t", "u"}});
  EXPECT_EQ(consumer->Position(At("t")).value_or(Offset(-1)), Offset(5));
  EXPECT_EQ(consumer->Position(At("u")).value_or(Offset(-1)), Offset(0));
  ASSERT_TRUE(consumer->Close());
  EXPECT_EQ(Values(Consume(*engine, {.group = "g", .topics = {"t"}})->Poll(100)), Numbers(5, 10));
  EXPECT_EQ(Values(Consume(*engine, {.group = "other", .topics = {"t"}})->Poll(1)), Numbers(0, 1));
}

TEST_F(EngineConsumerTest, PollGivesExactlyWhatWasAskedForAcrossBatchesAndTiers) {
  EngineOptions options = Options();
  options.read.fetch_size = 7;
  const auto engine = Open(options);
  ASSERT_TRUE(engine->CreateTopic("t"));
  for (int i = 0; i < 100; i += 10) {
    std::vector<Record> batch;
    for (int k = i; k < i + 10; ++k) batch.push_back(Value(std::to_string(k)));
    ASSERT_TRUE(engine->Append(At("t"), batch));
    if (i == 30 || i == 60) ASSERT_TRUE(engine->Upload());
    if (i == 30) ASSERT_TRUE(engine->Recycle());
  }
  const auto consumer = Consume(*engine, {.topics = {"t"}});
  int at = 0;
  for (const std::size_t max : {3U, 0U, 25U, 1U, 64U}) {
    const int count = max == 0 ? 7 : static_cast<int>(max);
    EXPECT_EQ(Values(consumer->Poll(max)), Numbers(at, at + count));
    at += count;
    EXPECT_EQ(consumer->Position(At("t")).value_or(Offset(-1)), Offset(at));
  }
  EXPECT_TRUE(Values(consumer->Poll(5)).empty());
  EXPECT_EQ(consumer->Position(At("t")).value_or(Offset(-1)), Offset(100));
  EXPECT_GT(consumer->Explanation().bytes.object_store, 0U);
}

TEST_F(EngineConsumerTest, ViewsAndCopiesAreTheSameRecords) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  const Record record = {.timestamp_ms = 9, .key = "k", .value = std::nullopt, .headers = {{"h", "x"}}};
  ASSERT_TRUE(engine->Append(At("t"), {&record, 1}));
  const auto copies = Consume(*engine, {.topics = {"t"}})->Poll(10);
  const auto consumer = Consume(*engine, {.topics = {"t"}});
  const auto views = consumer->PollViews(10);
  ASSERT_TRUE(copies && views);
  ASSERT_EQ(copies->size(), 1U);
  ASSERT_EQ(views->size(), 1U);
  EXPECT_EQ(copies->front().topic, "t");
  EXPECT_EQ(views->front().topic, "t");
  EXPECT_EQ(static_cast<const Record&>(copies->front()), views->front().ToRecord());
  EXPECT_EQ(copies->front(), record);
}

TEST_F(EngineConsumerTest, NoPartitionIsStarved) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 3}));
  AppendNumbers(*engine, At("t", 0), 1'000);
  AppendNumbers(*engine, At("t", 1), 1);
  AppendNumbers(*engine, At("t", 2), 50);
  const auto consumer = Consume(*engine, {.topics = {"t"}});
  std::vector<int> seen(3, 0);
  for (int poll = 0; poll < 3; ++poll)
    for (const auto& record : *consumer->Poll(20)) ++seen[record.partition.value()];
  EXPECT_GT(seen[1], 0);
  EXPECT_GT(seen[2], 0);
  std::size_t total = 60;
  while (true) {
    const auto records = consumer->Poll(0);
    ASSERT_TRUE(records);
    if (records->empty()) break;
    total += records->size();
  }
  EXPECT_EQ(total, 1'051U);  // empty means that every partition is at its end
}

TEST_F(EngineConsumerTest, AWaitingPollIsWokenByAnAppendAndByWakeup) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
  const auto consumer = Consume(*engine, {.topics = {"t"}});
  {
    std::jthread producer([&] { AppendNumbers(*engine, At("t", 1), 1, 7); });
    EXPECT_EQ(Values(consumer->Poll(10, std::chrono::hours(1))), Numbers(7, 8));
  }
  // Each ends one Poll and no other: a third would wait, and is ended by the append that comes with it.
  for (int i = 0; i < 2; ++i) {
    std::jthread waker([&] { consumer->Wakeup(); });
    EXPECT_TRUE(Values(consumer->Poll(10, std::chrono::hours(1))).empty());
  }
  std::jthread producer([&] { AppendNumbers(*engine, At("t", 0), 1, 8); });
  EXPECT_EQ(Values(consumer->Poll(10, std::chrono::hours(1))), Numbers(8, 9));
}

TEST_F(EngineConsumerTest, SeekIsJudgedByTheNextPoll) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 20);
  const auto consumer = Consume(*engine, {.topics = {"t"}});
  ASSERT_TRUE(consumer->Seek(At("t"), Offset(15)));
  EXPECT_EQ(Values(consumer->Poll(100)), Numbers(15, 20));
  EXPECT_TRUE(Values(consumer->Poll(1)).empty());
  AppendNumbers(*engine, At("t"), 1, 20);
  EXPECT_EQ(Values(consumer->Poll(1)), Numbers(20, 21));
  ASSERT_TRUE(consumer->Seek(At("t"), Offset(0)));
  EXPECT_EQ(Values(consumer->Poll(2)), Numbers(0, 2));
  ASSERT_TRUE(consumer->Seek(At("t"), Offset(100)));
  const auto beyond = consumer->Poll(1);
  ASSERT_EQ(CodeOf(beyond), ErrorCode::kOutOfRange);
  EXPECT_EQ(beyond.error().bounds(), (OffsetBounds{Offset(0), Offset(21)}));
  EXPECT_EQ(consumer->Position(At("t")).value_or(Offset(-1)), Offset(100));
  ASSERT_TRUE(consumer->Seek(At("t"), Offset(21)));
  EXPECT_TRUE(Values(consumer->Poll(1)).empty());
  EXPECT_EQ(CodeOf(consumer->Seek(At("t"), Offset(-1))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(consumer->Seek(At("u"), Offset(0))), ErrorCode::kNotFound);
}

TEST_F(EngineConsumerTest, SeekToTimeFindsTheFirstRecordAtOrPastIt) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  for (const std::int64_t time : {100, 200, 300, 400}) {
    const Record record = {.timestamp_ms = time, .value = std::to_string(time)};
    ASSERT_TRUE(engine->Append(At("t"), {&record, 1}));
    if (time == 200) {
      ASSERT_TRUE(engine->Upload());
      ASSERT_TRUE(engine->Recycle());
    }
  }
  const auto consumer = Consume(*engine, {.topics = {"t"}});
  for (const auto& [time, offset] : {std::pair{0, 0}, {100, 0}, {101, 1}, {200, 1}, {250, 2}, {400, 3}, {401, 4}}) {
    ASSERT_TRUE(consumer->SeekToTime(time));
    EXPECT_EQ(consumer->Position(At("t")).value_or(Offset(-1)), Offset(offset)) << time;
    EXPECT_EQ(engine->OffsetForTime(At("t"), time).value_or(Offset(-1)), Offset(offset)) << time;
  }
}

TEST_F(EngineConsumerTest, CommitWithoutAGroupSucceedsAndKeepsNothing) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 3);
  const auto consumer = Consume(*engine, {.topics = {"t"}});
  ASSERT_TRUE(consumer->Poll(3));
  EXPECT_TRUE(consumer->Commit());
  EXPECT_TRUE(engine->ListGroups()->empty());
}

TEST_F(EngineConsumerTest, APositionOvertakenByRetentionFollowsTheResetPolicy) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 20);
  for (const char* group : {"earliest", "latest", "fail"}) ASSERT_TRUE(engine->SeekGroup(group, At("t"), Offset(5)));
  const auto running = Consume(*engine, {.topics = {"t"}});
  ASSERT_TRUE(engine->DeleteRecords(At("t"), Offset(10)));
  EXPECT_EQ(Values(Consume(*engine, {.group = "earliest", .topics = {"t"}})->Poll(100)), Numbers(10, 20));
  const auto latest = Consume(*engine, {.group = "latest", .topics = {"t"}, .reset = ResetPolicy::kLatest});
  EXPECT_EQ(latest->Position(At("t")).value_or(Offset(-1)), Offset(20));
  EXPECT_TRUE(Values(latest->Poll(100)).empty());
  const auto fail = Consume(*engine, {.group = "fail", .topics = {"t"}, .reset = ResetPolicy::kFail});
  for (int i = 0; i < 2; ++i) {
    const auto refused = fail->Poll(1);
    ASSERT_EQ(CodeOf(refused), ErrorCode::kOutOfRange);
    EXPECT_EQ(refused.error().bounds(), (OffsetBounds{Offset(10), Offset(20)}));
  }
  ASSERT_TRUE(fail->Seek(At("t"), Offset(12)));  // never a wedge
  EXPECT_EQ(Values(fail->Poll(1)), Numbers(12, 13));
  EXPECT_EQ(Values(running->Poll(1)), Numbers(10, 11));  // overtaken while it was open
}

TEST_F(EngineConsumerTest, APartitionWhereTheGroupNeverCommittedLagsFromWhereItWouldBegin) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
  ASSERT_TRUE(engine->CreateTopic("other"));
  AppendNumbers(*engine, At("t", 0), 4);
  AppendNumbers(*engine, At("t", 1), 10);
  AppendNumbers(*engine, At("other"), 3);
  ASSERT_TRUE(engine->DeleteRecords(At("t", 1), Offset(3)));
  ASSERT_TRUE(engine->SeekGroup("g", At("t", 0), Offset(4)));
  const auto positions = engine->DescribeGroup("g");
  ASSERT_TRUE(positions);
  ASSERT_EQ(positions->size(), 2U);
  EXPECT_EQ(positions->at(0).lag, 0U);
  EXPECT_EQ(positions->at(1).partition, At("t", 1));
  EXPECT_EQ(positions->at(1).position, Offset(3));
  EXPECT_EQ(positions->at(1).lag, 7U);
}

TEST_F(EngineConsumerTest, PartitionsAddedLaterAndTopicsMadeAnewAreReadByOpenConsumers) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  const auto consumer = Consume(*engine, {.group = "g", .topics = {"t"}});
  EXPECT_TRUE(Values(consumer->Poll(10)).empty());
  ASSERT_TRUE(engine->AlterTopic("t", {.partitions = 3}));
  AppendNumbers(*engine, At("t", 2), 2);
  EXPECT_EQ(Values(consumer->Poll(10)), Numbers(0, 2));
  ASSERT_TRUE(consumer->Commit());
  ASSERT_TRUE(engine->DeleteTopic("t"));
  EXPECT_EQ(CodeOf(consumer->Poll(10)), ErrorCode::kNotFound);
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 1, 7);
  EXPECT_EQ(Values(consumer->Poll(10)), Numbers(7, 8));
  EXPECT_EQ(consumer->Assignment().size(), 1U);
}

TEST_F(EngineConsumerTest, ConsumersOutliveTheirEngine) {
  auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 3);
  auto consumer = Consume(*engine, {.group = "g", .topics = {"t"}});
  auto cursor = engine->OpenCursor(At("t"), "c", ReadConsistency::StrictlyAtOnce());
  ASSERT_TRUE(cursor);
  ASSERT_TRUE(consumer->PollViews(1));
  ASSERT_TRUE((*cursor)->ReadNext(true));
  engine.reset();
  EXPECT_EQ(CodeOf(consumer->Poll(1)), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(consumer->Commit()), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf((*cursor)->ReadNext(true)), ErrorCode::kClosed);
  EXPECT_EQ(consumer->Assignment(), std::vector{At("t")});
}

TEST_F(EngineConsumerTest, AGroupAheadOfWhatPowerLossLeftIsMovedBackAndGetsEveryNewRecord) {
  const StorageSizes sizes{.wal_file_bytes = 64 << 10, .wal_staging_bytes = 16 << 10};
  const auto consume = [](Engine& engine) { return engine.OpenConsumer({.group = "g", .topics = {"t"}}).value(); };
  int moved = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    EngineOptions options = Options();
    const auto disk = std::make_shared<SimFileSystem>(seed, SimTraits{.map = false});
    const std::filesystem::path base = directory_.path() / std::to_string(seed);
    std::filesystem::create_directories(base);
    options.data_dir = "/data";
    options.object_store = "file://" + (base / "objects").string();
    options.metadata_store = "sqlite://" + (base / "metadata").string();
    options.sync = SyncPolicy::None();
    options.file_system = disk;
    const auto append = [&](Engine& engine, int count, const std::string& what, Durability durability) {
      for (int i = 0; i < count; ++i) {
        const Record record = Value(what + std::to_string(i) + std::string(700, '.'));
        ASSERT_TRUE(engine.Append(At("t"), {&record, 1}, {.durability = durability}));
      }
    };
    auto engine = SteppedEngine::Open(options, {}, sizes).value();
    ASSERT_TRUE(engine->CreateTopic("t", {}));
    append(*engine, 1, "synced ", Durability::kDisk);
    append(*engine, 99, "old ", Durability::kOs);
    {
      const auto consumer = consume(*engine);
      EXPECT_EQ(consumer->Poll(1'000)->size(), 100U);
      ASSERT_TRUE(consumer->Commit());
    }
    disk->Crash();
    engine.reset();
    for (int opening = 0; opening < 2; ++opening) {  // the first one tells; it is so for good
      engine.reset();
      engine = SteppedEngine::Open(options, {}, sizes).value();
      const Offset end = engine->Offsets(At("t"))->log_end;
      if (opening == 0 && end < Offset(100)) {
        ++moved;
        EXPECT_EQ(consume(*engine)->CorrectedFrom(At("t")), Offset(100));
        EXPECT_EQ(engine->Stats().positions_corrected, 1U);
      } else {
        EXPECT_EQ(engine->Stats().positions_corrected, 0U);
      }
      append(*engine, 60, "new ", Durability::kDisk);
      const auto consumer = consume(*engine);
      const auto polled = consumer->Poll(1'000);
      ASSERT_TRUE(polled) << Told(polled);
      EXPECT_EQ(polled->size(), 60U);
      EXPECT_EQ(polled->front().offset, end);
      ASSERT_TRUE(consumer->Commit());
    }
  }
  EXPECT_GT(moved, 0);
}

TEST_F(EngineConsumerTest, GroupsAreListedDescribedMovedAndRemoved) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
  AppendNumbers(*engine, At("t", 1), 10);
  ASSERT_TRUE(engine->SeekGroup("g", At("t", 1), Offset(4)));
  EXPECT_EQ(CodeOf(engine->SeekGroup("g", At("t", 1), Offset(11))), ErrorCode::kOutOfRange);
  EXPECT_EQ(CodeOf(engine->SeekGroup("", At("t", 1), Offset(1))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->SeekGroup(std::string("a\0b", 3), At("t", 1), Offset(1))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(engine->ListGroups().value_or(std::vector<std::string>{}), std::vector<std::string>{"g"});
  const auto positions = engine->DescribeGroup("g");
  ASSERT_TRUE(positions);
  ASSERT_EQ(positions->size(), 1U);
  EXPECT_EQ(positions->front().partition, At("t", 1));
  EXPECT_EQ(positions->front().position, Offset(4));
  EXPECT_EQ(positions->front().lag, 6U);
  ASSERT_TRUE(engine->DeleteGroup("g"));
  ASSERT_TRUE(engine->DeleteGroup("g"));
  EXPECT_EQ(CodeOf(engine->DescribeGroup("g")), ErrorCode::kNotFound);
}

TEST_F(EngineConsumerTest, DamageIsToldInTurnWithOtherPartitionsDataAndMovesNoPosition) {
  {
    const auto engine = Open();
    ASSERT_TRUE(engine->CreateTopic("bad"));
    ASSERT_TRUE(engine->CreateTopic("good"));
    AppendNumbers(*engine, At("bad"), 50);
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine->Recycle());
    AppendNumbers(*engine, At("bad"), 5, 50);
    AppendNumbers(*engine, At("good"), 40);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Options().data_dir / "objects"))
      if (entry.path().extension() == ".obj") std::filesystem::resize_file(entry.path(), 10);
    const auto consumer = Consume(*engine, {.topics = {"bad", "good"}});
    std::vector<std::string> good;
    for (int turn = 0; turn < 8; ++turn) {
      const auto polled = consumer->Poll(10);
      if (turn % 2 == 0) {
        for (const std::string& value : Values(polled)) good.push_back(value);
      } else {
        EXPECT_EQ(CodeOf(polled), ErrorCode::kCorruption) << Told(polled);
      }
    }
    EXPECT_EQ(good, Numbers(0, 40));
    EXPECT_EQ(consumer->Position(At("bad")).value_or(Offset(-1)), Offset(0));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(CodeOf(consumer->Poll(1)), ErrorCode::kCorruption);  // no data, no pause
    const auto skipping = Consume(*engine, {.topics = {"bad"}, .on_damage = OnDamage::kSkip});
    EXPECT_EQ(Values(skipping->Poll(100)), Numbers(50, 55));
    const auto skipped = skipping->TakeSkipped();
    ASSERT_EQ(skipped.size(), 1U);
    EXPECT_EQ(skipped[0].begin, Offset(0));
    EXPECT_EQ(skipped[0].end, Offset(50));
  }
}

}  // namespace
}  // namespace millrace
