// Appends: receipts, limits, order, durability, many threads. Method: real files, and a simulated disk that loses
// power. Proves R27, R28, S34, W18 (with W19), W21, W22, W24, W29, W30, W37, B6, B7, B8, B15, B22, B23, B24, B25, B26,
// B27, B30, B32, B33.
#include <atomic>
#include <latch>
#include <numeric>
#include <thread>

#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_file_system.h"
#include "record/record_batch_builder.h"

namespace millrace {
namespace {

class EngineAppendTest : public EngineFixture {
 protected:
  std::unique_ptr<Engine> OpenWithTopic(EngineOptions options, std::int32_t partitions = 1) {
    auto engine = Open(std::move(options));
    EXPECT_TRUE(engine->CreateTopic("t", {.partitions = partitions}));
    return engine;
  }
  std::unique_ptr<Engine> OpenWithTopic() { return OpenWithTopic(Options()); }
};

TEST_F(EngineAppendTest, AReceiptNamesOffsetsTimeAndTheLevelReached) {
  const auto engine = OpenWithTopic();
  const std::vector<Record> records = {Value("a"), Value("b"), {.timestamp_ms = 1234, .value = "c"}};
  for (const Durability durability : {Durability::kDisk, Durability::kObject, Durability::kOs}) {
    const auto receipt = engine->Append(At("t"), records, {.durability = durability});
    ASSERT_TRUE(receipt) << Told(receipt);
    EXPECT_EQ(receipt->last_offset - receipt->base_offset, 2);
    EXPECT_EQ(receipt->timestamp_ms, 1234);
    EXPECT_EQ(receipt->reached, durability);
    EXPECT_EQ(receipt->partition, PartitionId(0));
  }
  const auto offsets = engine->Offsets(At("t"));
  ASSERT_TRUE(offsets);
  EXPECT_EQ(offsets->log_end, Offset(9));
  EXPECT_GE(offsets->durable_end, Offset(6));
  EXPECT_EQ(offsets->tiered_end, Offset(6));
}

TEST_F(EngineAppendTest, TheTopicSaysWhatAnAppendGetsThatAsksForNothingElse) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("object", {.durability = Durability::kObject}));
  const auto receipt = engine->Append("object", "x");
  ASSERT_TRUE(receipt) << Told(receipt);
  EXPECT_EQ(receipt->reached, Durability::kObject);
  EXPECT_EQ(engine->Offsets(At("object"))->tiered_end, Offset(1));
  ASSERT_TRUE(engine->AlterTopic("object", {.durability = Durability::kOs}));
  EXPECT_EQ(engine->Append("object", "x")->reached, Durability::kOs);
}

TEST_F(EngineAppendTest, AnEmptyAppendChecksItsTargetAndUsesNoOffset) {
  const auto engine = OpenWithTopic();
  AppendNumbers(*engine, At("t"), 3);
  const auto receipt = engine->Append(At("t"), {});
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->base_offset, Offset(3));
  EXPECT_EQ(receipt->last_offset, Offset(2));
  EXPECT_EQ(engine->Offsets(At("t"))->log_end, Offset(3));
  EXPECT_EQ(CodeOf(engine->Append(At("u"), {})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->Append(At("t", 1), {})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->Append(At("t", -1), {})), ErrorCode::kNotFound);
}

TEST_F(EngineAppendTest, ARefusalForItsSizeChangesNothing) {
  EngineOptions options = Options();
  options.record_bytes_max = 1'000;
  options.batch_bytes_max = 3'000;
  const auto engine = OpenWithTopic(options);
  const std::vector<Record> fits(2, Value(std::string(1'000, 'x')));
  const std::vector<Record> too_many(4, Value(std::string(1'000, 'x')));
  int expected = 0;
  for (int round = 0; round < 3; ++round) {
    const Record too_large = Value(std::string(1'001, 'x'));
    const auto refused = engine->Append(At("t"), {&too_large, 1});
    EXPECT_EQ(CodeOf(refused), ErrorCode::kInvalidArgument) << Told(refused);
    EXPECT_EQ(CodeOf(engine->Append(At("t"), too_many)), ErrorCode::kInvalidArgument);
    EXPECT_EQ(engine->Offsets(At("t"))->log_end, Offset(expected));
    const auto receipt = engine->Append(At("t"), fits);
    ASSERT_TRUE(receipt) << Told(receipt);
    EXPECT_EQ(receipt->base_offset, Offset(expected));
    expected += 2;
  }
  EXPECT_EQ(ReadAll(*engine, At("t")).size(), 6U);
}

TEST_F(EngineAppendTest, EverySizeAndContentRoundTripsBeforeAndAfterUpload) {
  EngineOptions options = Options();
  options.record_bytes_max = 2 << 20;
  const auto engine = OpenWithTopic(options);
  std::vector<std::string> values;
  for (const std::size_t size : {0U, 1U, 63U, 64U, 65U, 1'023U, 1'024U, 1'025U, 65'535U, 65'536U, 65'537U,
                                 (1U << 20) - 1, 1U << 20, (1U << 20) + 1}) {
    for (int pattern = 0; pattern < 4; ++pattern) {
      std::string value(size, '\0');
      if (pattern == 1) std::ranges::fill(value, '\xff');
      if (pattern == 2)
        for (std::size_t i = 0; i < size; ++i) value[i] = i % 2 == 0 ? '\x55' : '\xaa';
      if (pattern == 3) std::iota(value.begin(), value.end(), 0);
      const auto receipt = engine->Append("t", value, {.durability = Durability::kOs});
      ASSERT_TRUE(receipt) << size << " " << Told(receipt);
      values.push_back(std::move(value));
    }
  }
  EXPECT_TRUE(ReadAll(*engine, At("t")) == values);
  ASSERT_TRUE(engine->Upload());
  ASSERT_TRUE(engine->Recycle());
  EXPECT_TRUE(ReadAll(*engine, At("t")) == values);
}

TEST_F(EngineAppendTest, NullEmptyKeysAndHeadersSurviveEveryTier) {
  const auto engine = OpenWithTopic();
  const std::vector<Record> records = {
      {.timestamp_ms = 5},
      {.timestamp_ms = 6, .key = "", .value = ""},
      {.timestamp_ms = 7, .key = "k", .headers = {{"h", "x"}, {"", std::nullopt}, {"h", ""}}},
  };
  ASSERT_TRUE(engine->Append(At("t"), records));
  for (int tier = 0; tier < 2; ++tier) {
    const auto read = engine->Read(At("t"), Offset(0));
    ASSERT_TRUE(read) << Told(read);
    ASSERT_EQ(read->records.size(), 3U);
    for (int i = 0; i < 3; ++i) {
      Record record = read->records[i].ToRecord();
      EXPECT_EQ(record.offset, Offset(i));
      record.offset = Offset(0);
      EXPECT_EQ(record, records[i]);
    }
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine->Recycle());
  }
}

TEST_F(EngineAppendTest, ALargeRecordRoundTripsWhenTheLimitsAllowIt) {
  EngineOptions options = Options();
  options.record_bytes_max = 100 << 20;
  options.batch_bytes_max = 101 << 20;
  options.wal_bytes_max = 512 << 20;
  const auto engine = OpenWithTopic(options);
  const std::string value(100 << 20, 'v');
  EXPECT_EQ(CodeOf(engine->Append("t", value + "v")), ErrorCode::kInvalidArgument);
  const auto receipt = engine->Append("t", value);
  ASSERT_TRUE(receipt) << Told(receipt);
  const auto read = engine->Read(At("t"), Offset(0));
  ASSERT_TRUE(read) << Told(read);
  ASSERT_EQ(read->records.size(), 1U);
  EXPECT_TRUE(read->records[0].value == value);
}

TEST_F(EngineAppendTest, OrderHoldsOverManyWalFilesAndPressureUploadsEarly) {
  EngineOptions options = Options();
  options.wal_bytes_max = 16 << 20;
  options.batch_bytes_max = 1 << 20;
  options.record_bytes_max = 1 << 20;
  const auto engine = OpenWithTopic(options);
  const std::string filler(200'000, 'f');
  for (int i = 0; i < 300; ++i) {  // 60 MB through 16 MiB: appends wait for uploads and recycling
    const auto receipt = engine->Append("t", std::to_string(i) + filler, {.durability = Durability::kOs});
    ASSERT_TRUE(receipt) << i << " " << Told(receipt);
    ASSERT_EQ(receipt->base_offset, Offset(i));
  }
  EXPECT_LE(engine->Stats().wal_bytes, options.wal_bytes_max);
  const auto values = ReadAll(*engine, At("t"));
  ASSERT_EQ(values.size(), 300U);
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(values[i] == std::to_string(i) + filler) << i;
  EXPECT_GT(engine->Offsets(At("t"))->hot_start, Offset(0));
}

TEST_F(EngineAppendTest, ManyThreadsOnOnePartitionQueueAndBatchesStayWhole) {
  const auto engine = OpenWithTopic();
  constexpr int kThreads = 8, kRounds = 40;
  std::atomic<int> failures = 0, records = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int round = 0; round < kRounds; ++round) {
          const int count = thread % 2 == 0 ? 1 : 5;
          const std::vector<Record> batch(count, Value(std::to_string(thread) + ":" + std::to_string(round)));
          const auto receipt = engine->Append(At("t"), batch);
          if (!receipt || receipt->last_offset - receipt->base_offset != count - 1) {
            ++failures;
          } else {
            records += count;
          }
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  const auto values = ReadAll(*engine, At("t"));
  ASSERT_EQ(values.size(), static_cast<std::size_t>(records));
  std::vector<int> rounds(kThreads, 0);
  for (std::size_t at = 0; at < values.size();) {
    const int thread = values[at][0] - '0';
    const std::size_t count = thread % 2 == 0 ? 1 : 5;
    const std::string expected = std::to_string(thread) + ":" + std::to_string(rounds[thread]++);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(values.at(at + i), expected);
    at += count;
  }
}

TEST_F(EngineAppendTest, ThreadsOnTopicsOfTheirOwnAreEachCompleteAndOrdered) {
  const auto engine = Open();
  constexpr int kThreads = 8, kCount = 100;
  for (int i = 0; i < kThreads; ++i) ASSERT_TRUE(engine->CreateTopic("t" + std::to_string(i)));
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] { AppendNumbers(*engine, At("t" + std::to_string(i)), kCount, i * kCount); });
  }
  for (int i = 0; i < kThreads; ++i)
    EXPECT_EQ(ReadAll(*engine, At("t" + std::to_string(i))), Numbers(i * kCount, (i + 1) * kCount));
}

TEST_F(EngineAppendTest, RecordsWithAKeyStayTogetherAndOthersTakeTurns) {
  const auto engine = OpenWithTopic(Options(), 4);
  const Record keyed = {.key = "foobar", .value = "v"};
  const auto expected = engine->PartitionFor("t", "foobar");
  ASSERT_TRUE(expected);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(engine->Append("t", keyed)->partition, *expected);
  std::vector<int> turns(4, 0);
  for (int i = 0; i < 8; ++i) ++turns[engine->Append("t", "no key")->partition.value()];
  EXPECT_EQ(turns, std::vector<int>(4, 2));
}

TEST_F(EngineAppendTest, AutoCreateMakesTopicsForAppendsAndNeverForReads) {
  EngineOptions options = Options();
  options.auto_create_topics = true;
  const auto engine = Open(options);
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(0))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->OpenConsumer({.topics = {"t"}})), ErrorCode::kNotFound);
  EXPECT_TRUE(engine->DescribeTopics()->empty());
  EXPECT_TRUE(engine->Append("t", "x"));
  const Record record = Value("y");
  EXPECT_TRUE(engine->Append(At("u"), {&record, 1}));
  EXPECT_EQ(CodeOf(engine->Append("bad/name", "x")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(engine->DescribeTopics()->size(), 2U);
}

TEST_F(EngineAppendTest, AWholeBatchIsTakenAsItIsAndADamagedOneRefused) {
  const auto engine = OpenWithTopic();
  const std::vector<Record> records = {{.timestamp_ms = 1, .value = "a"}, {.timestamp_ms = 2, .value = "b"}};
  auto batch = BuildRecordBatch(records, {.compression = Compression::kLz4});
  ASSERT_TRUE(batch);
  for (int i = 0; i < 2; ++i) {
    const auto receipt = engine->AppendBatch(At("t"), batch->bytes());
    ASSERT_TRUE(receipt) << Told(receipt);
    EXPECT_EQ(receipt->base_offset, Offset(2 * i));
    EXPECT_EQ(receipt->timestamp_ms, 2);
  }
  batch->bytes()[70] ^= std::byte{1};
  EXPECT_EQ(CodeOf(engine->AppendBatch(At("t"), batch->bytes())), ErrorCode::kCorruption);
  EXPECT_EQ(ReadAll(*engine, At("t")), (std::vector<std::string>{"a", "b", "a", "b"}));
}

TEST_F(EngineAppendTest, AsyncAppendsAreToldOnceInOffsetOrderWhateverTheirLevel) {
  const auto engine = OpenWithTopic();
  constexpr int kCount = 300;
  std::vector<std::int64_t> told;  // one thread tells
  std::latch done(kCount);
  for (int i = 0; i < kCount; ++i) {
    const Record record = Value(std::to_string(i));
    const Durability durability = static_cast<Durability>(i % 97 == 0 ? 2 : i % 2);
    engine->AppendAsync(At("t"), {&record, 1}, {.durability = durability},
                        [&, durability](Result<AppendReceipt> receipt) {
                          EXPECT_TRUE(receipt) << Told(receipt);
                          if (receipt) {
                            told.push_back(receipt->base_offset.value());
                            EXPECT_EQ(receipt->reached, durability);
                          }
                          done.count_down();
                        });
  }
  done.wait();
  std::vector<std::int64_t> expected(kCount);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(told, expected);
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, kCount));
}

TEST_F(EngineAppendTest, ADoneMayAppendAgain) {
  const auto engine = OpenWithTopic();
  constexpr int kCount = 50;
  std::latch done(1);
  int next = 0;
  std::function<void()> append = [&] {
    const Record record = Value(std::to_string(next++));
    engine->AppendAsync(At("t"), {&record, 1}, {}, [&](Result<AppendReceipt> receipt) {
      EXPECT_TRUE(receipt) << Told(receipt);
      if (next == kCount) return done.count_down();
      append();
    });
  };
  append();
  done.wait();
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, kCount));
}

TEST_F(EngineAppendTest, CloseTellsEveryAsyncAppendExactlyOnce) {
  const auto engine = OpenWithTopic();
  std::atomic<int> told = 0, good = 0;
  constexpr int kCount = 200;
  for (int i = 0; i < kCount; ++i) {
    const Record record = Value(std::to_string(i));
    engine->AppendAsync(At("t"), {&record, 1}, {.durability = i == 150 ? Durability::kObject : Durability::kDisk},
                        [&](Result<AppendReceipt> receipt) {
                          ++told;
                          if (receipt) ++good;
                        });
  }
  ASSERT_TRUE(engine->Close());
  EXPECT_EQ(told, kCount);
  const auto reopened = Open();
  EXPECT_GE(ReadAll(*reopened, At("t")).size(), static_cast<std::size_t>(good));
}

TEST_F(EngineAppendTest, WhatIsAcknowledgedSurvivesPowerLoss) {
  // No threads: power fails between calls.
  for (const bool upload : {false, true}) {
    for (const SyncPolicy sync : {SyncPolicy::Each(), SyncPolicy::None()}) {
      auto disk = std::make_shared<SimFileSystem>(7);
      EngineOptions options = Options();
      options.data_dir = "/data";
      options.file_system = disk;
      options.sync = sync;
      {
        const auto engine = SteppedEngine::Open(options);
        ASSERT_TRUE(engine) << Told(engine);
        ASSERT_TRUE((*engine)->CreateTopic("t", {}));
        const std::vector<Record> batch = {Value("0"), Value("1"), Value("2")};
        const auto receipt = (*engine)->Append(At("t"), batch, {.durability = Durability::kDisk});
        ASSERT_TRUE(receipt) << Told(receipt);
        if (upload) {
          ASSERT_TRUE((*engine)->Upload());
          ASSERT_TRUE((*engine)->Recycle());
        }
        disk->Crash();
      }
      const auto engine = Open(options);
      ASSERT_NE(engine, nullptr);
      EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 3));
      EXPECT_EQ(AppendNumbers(*engine, At("t"), 1, 3).base_offset, Offset(3));
      EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 4));
    }
  }
}

TEST_F(EngineAppendTest, AFullDiskStopsAppendsAndNothingElseAndHeals) {
  auto disk = std::make_shared<SimFileSystem>(3);
  EngineOptions options = Options();
  options.data_dir = "/data";
  options.file_system = disk;
  options.objects = nullptr;
  options.object_store = "memory:";
  options.wal_bytes_max = 32 << 20;
  options.append_wait_max = std::chrono::milliseconds(0);
  const auto engine = OpenWithTopic(options);
  disk->SetCapacity(24 << 20);
  int acknowledged = 0;
  const std::string filler(100'000, 'f');
  Result<AppendReceipt> receipt = AppendReceipt{};
  while (acknowledged < 1'000 && (receipt = engine->Append("t", std::to_string(acknowledged) + filler))) ++acknowledged;
  ASSERT_EQ(CodeOf(receipt), ErrorCode::kOutOfSpace) << Told(receipt);
  EXPECT_GT(acknowledged, 10);
  EXPECT_GE(ReadAll(*engine, At("t")).size(), static_cast<std::size_t>(acknowledged));
  disk->SetCapacity(std::nullopt);
  const auto healed = engine->Append("t", "healed");
  EXPECT_TRUE(healed) << Told(healed);
  const auto values = ReadAll(*engine, At("t"));
  EXPECT_EQ(values.back(), "healed");
  for (int i = 0; i < acknowledged; ++i) EXPECT_TRUE(values[i] == std::to_string(i) + filler) << i;
}

TEST_F(EngineAppendTest, AFailedSyncIsToldAndOtherDataStaysWhole) {
  auto disk = std::make_shared<SimFileSystem>(5);
  EngineOptions options = Options();
  options.data_dir = "/data";
  options.file_system = disk;
  {
    const auto engine = OpenWithTopic(options);
    ASSERT_TRUE(engine->CreateTopic("u"));
    AppendNumbers(*engine, At("t"), 5);
    disk->SetFaultPlan(
        [](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
          if (operation != SimOperation::kSync || path.string().find("/wal/") == std::string::npos) return {};
          return SimFault{};
        });
    const Record record = Value("lost?");
    const auto failed = engine->Append(At("u"), {&record, 1});
    EXPECT_FALSE(failed);
    EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 5));
    disk->SetFaultPlan({});
    (void)engine->Close();
  }
  const auto engine = Open(options);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 5));
  EXPECT_LE(ReadAll(*engine, At("u")).size(), 1U);  // may appear, at most once
  AppendNumbers(*engine, At("u"), 1);
}

TEST_F(EngineAppendTest, AnAppendThatNobodyCanFinishInTimeSaysWhereItGot) {
  auto engine = OpenWithTopic();
  EngineOptions options = Options();
  engine.reset();
  options.upload.segment_age_max = std::chrono::hours(1);
  engine = Open(options);
  ASSERT_TRUE(engine->Close());
  engine.reset();
  engine = Open(options);
  const Record record = Value("x");
  const auto receipt = engine->Append(At("t"), {&record, 1},
                                      {.durability = Durability::kObject, .timeout = std::chrono::milliseconds(0)});
  if (!receipt) EXPECT_EQ(CodeOf(receipt), ErrorCode::kTimeout) << Told(receipt);
  EXPECT_EQ(ReadAll(*engine, At("t")).size(), 1U);
}

}  // namespace
}  // namespace millrace
