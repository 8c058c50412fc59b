// Data on its way through the tiers: upload, recycling, retention, deletion, and what happens when store or metadata
// fail. Method: real engines over decorated stores; where time matters, no threads, a simulated clock and the steps
// called by hand. Proves S18, S22, S28, S30, S31, W10, W31, W32, B19, B70, B71, B72, B73, B77.
#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/home_catalog.h"
#include "meta/memory_metadata_store.h"
#include "store/faulty_object_store.h"
#include "store/memory_object_store.h"
#include "tier/store_keys.h"

namespace millrace {
namespace {

class EngineTierTest : public EngineFixture {
 protected:
  /// Over simulated disk, clock and memory stores that outlive the engine; no threads.
  struct World {
    std::shared_ptr<SimClock> clock = std::make_shared<SimClock>();
    std::shared_ptr<SimFileSystem> disk = std::make_shared<SimFileSystem>(11);
    std::shared_ptr<MemoryObjectStore> memory = std::make_shared<MemoryObjectStore>(clock.get());
    std::shared_ptr<FaultyObjectStore> objects =
        std::make_shared<FaultyObjectStore>(memory, 1, [](std::chrono::nanoseconds) {});
    std::shared_ptr<FaultyMetadataStore> metadata;
    std::shared_ptr<MemoryMetadataStore> rows = std::make_shared<MemoryMetadataStore>();
    EngineOptions options;

    World() {
      metadata = std::make_shared<FaultyMetadataStore>(rows, 1);
      options.data_dir = "/data";
      options.clock = clock;
      options.file_system = disk;
      options.objects = objects;
      options.metadata = metadata;
      options.wal_bytes_max = 64 << 20;
      options.batch_bytes_max = 4 << 20;
      options.upload.delete_grace = std::chrono::minutes(30);
    }
    SteppedEngine Open() {
      auto engine = SteppedEngine::Open(options, std::make_shared<SeededRandom>(5));
      EXPECT_TRUE(engine) << Told(engine);
      return engine ? *std::move(engine) : SteppedEngine();
    }
    /// Objects with segments in them.
    std::size_t Listed() {
      const auto all = memory->List("", "", 1'000)->objects;
      return static_cast<std::size_t>(
          std::ranges::count_if(all, [](const ObjectDescription& one) { return one.key.ends_with(".obj"); }));
    }
  };
  /// Of an attempt that this log's own process might have made, and did not.
  static std::string OrphanKey(const World& world) {
    const StoreKeys keys("", *Catalog(*world.rows).Identity());
    const Generation held = *HomeCatalog(*world.rows).Held();
    return keys.Object({held.number, held.nonce, 77});
  }
  static void AppendOs(Engine& engine, const TopicPartition& at, int count, int first = 0, std::size_t bytes = 0) {
    for (int i = first; i < first + count; ++i) {
      const Record record = Value(std::to_string(i) + std::string(bytes, '.'));
      const auto receipt = engine.Append(at, {&record, 1}, {.durability = Durability::kOs});
      ASSERT_TRUE(receipt) << Told(receipt);
    }
  }
};

TEST_F(EngineTierTest, UploadedAndRecycledDataReadsTheSameFromTheObjectStore) {
  std::vector<std::string> values;
  {
    const auto engine = Open();
    ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
    for (int i = 0; i < 400; ++i) {
      values.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(i) * 7, 'v'));
      for (int partition = 0; partition < 2; ++partition) {
        const Record record = Value(values.back());
        ASSERT_TRUE(engine->Append(At("t", partition), {&record, 1}, {.durability = Durability::kOs}));
      }
      if (i % 100 == 57) ASSERT_TRUE(engine->Upload());
    }
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine->Recycle());
    const auto offsets = engine->Offsets(At("t"));
    EXPECT_EQ(offsets->hot_start, Offset(400));
    EXPECT_EQ(offsets->tiered_end, Offset(400));
    EXPECT_TRUE(ReadAll(*engine, At("t", 1)) == values);
    const auto read = engine->Read(At("t"), Offset(17));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->explanation.bytes.tail + read->explanation.bytes.wal, 0U);
    EXPECT_GT(read->explanation.bytes.object_store, 0U);
    const auto puts = engine->Stats().object_puts;
    ASSERT_TRUE(engine->Upload());
    EXPECT_EQ(engine->Stats().object_puts, puts);
  }
  const auto engine = Open();
  for (int partition = 0; partition < 2; ++partition) EXPECT_TRUE(ReadAll(*engine, At("t", partition)) == values);
  EXPECT_EQ(AppendNumbers(*engine, At("t"), 1, 400).base_offset, Offset(400));
  ASSERT_TRUE(engine->Upload());
  EXPECT_EQ(ReadAll(*engine, At("t")).size(), 401U);
}

TEST_F(EngineTierTest, ARefusedUploadIsToldToTheAppendsItConcernsAndToNoneThatComeLater) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  const HousekeeperSteps steps = engine.steps();
  std::map<std::string, std::optional<ErrorCode>> told;
  const auto append = [&](const std::string& value) {
    const Record record = Value(value);
    engine->AppendAsync(At("t"), {&record, 1}, {.durability = Durability::kObject},
                        [&told, value](const Result<AppendReceipt>& receipt) { told[value] = CodeOf(receipt); });
  };
  const auto sync_and_tell = [&] {
    EXPECT_TRUE(steps.wal.CommitOnce());
    steps.async.CompleteOnce();
  };
  append("first");
  append("second");
  sync_and_tell();
  world.objects->SetPlan(
      ObjectFaultPlan{.code = ErrorCode::kPermissionDenied}.Set(ObjectFault::kErrorBefore, 1'000'000));
  EXPECT_EQ(CodeOf(steps.uploader.UploadOnce()), ErrorCode::kPermissionDenied);
  world.objects->SetPlan({});
  append("later");  // before any append was told
  sync_and_tell();
  EXPECT_EQ(told.size(), 2U);
  EXPECT_EQ(told["first"], ErrorCode::kPermissionDenied);
  EXPECT_EQ(told["second"], ErrorCode::kPermissionDenied);
  ASSERT_FALSE(told.contains("later")) << "nobody refused its upload";
  world.clock->Advance(std::chrono::minutes(1));
  EXPECT_TRUE(steps.uploader.UploadOnce());
  steps.async.CompleteOnce();
  ASSERT_TRUE(told.contains("later"));
  EXPECT_EQ(told["later"], std::nullopt);
  EXPECT_TRUE(engine->Close());
}

// Issue: Close synced it, asked for its upload, and ended before the answer was told.
TEST_F(EngineTierTest, AnAppendThatWaitsForItsSyncAtCloseIsToldThatItsObjectWillNotCome) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  int told = 0;
  std::optional<ErrorCode> code;
  const Record record = Value("v");
  engine->AppendAsync(At("t"), {&record, 1}, {.durability = Durability::kObject},
                      [&](const Result<AppendReceipt>& receipt) { ++told, code = CodeOf(receipt); });
  EXPECT_TRUE(engine->Close());
  EXPECT_EQ(told, 1);
  EXPECT_EQ(code, ErrorCode::kClosed);
}

TEST_F(EngineTierTest, UploadOfNothingSucceeds) {
  const auto engine = Open();
  EXPECT_TRUE(engine->Upload());
  EXPECT_TRUE(engine->Recycle());
  ASSERT_TRUE(engine->CreateTopic("t"));
  EXPECT_TRUE(engine->Upload());
}

TEST_F(EngineTierTest, CrashedBeforeUploadGoesOnWhereItWas) {
  auto disk = std::make_shared<SimFileSystem>(4);
  EngineOptions options = Options();
  options.data_dir = "/data";
  options.file_system = disk;
  {
    const auto engine = SteppedEngine::Open(options);
    ASSERT_TRUE(engine) << Told(engine);
    ASSERT_TRUE((*engine)->CreateTopic("t", {}));
    AppendOs(**engine, At("t"), 100);
    disk->KillProcess();
  }
  const auto engine = Open(options);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->Offsets(At("t"))->log_end, Offset(100));
  EXPECT_EQ(AppendNumbers(*engine, At("t"), 1, 100).base_offset, Offset(100));
  ASSERT_TRUE(engine->Upload());
  EXPECT_EQ(engine->Offsets(At("t"))->tiered_end, Offset(101));
  std::uint64_t records = 0;
  for (const SegmentDescription& segment : *engine->DescribeSegments(At("t"))) records += segment.records;
  EXPECT_EQ(records, 101U);
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 101));
}

TEST_F(EngineTierTest, EveryCallThatFailsOnceIsOvercomeAndNothingIsLostOrToldTooEarly) {
  // Each of the first calls to either store fails once, before or after its effect; then everything works.
  int overcome = 0;
  for (const bool after : {false, true}) {
    for (const bool in_metadata : {false, true}) {
      for (std::uint64_t n = 1; n <= 12; ++n) {
        SCOPED_TRACE(testing::Message() << "call " << n << " after " << after << " metadata " << in_metadata);
        World world;
        const auto engine = world.Open();
        ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
        for (int partition = 0; partition < 2; ++partition) AppendOs(*engine, At("t", partition), 50);
        if (in_metadata) {
          world.metadata->FailCall(n, after ? MetadataFault::kAfter : MetadataFault::kBefore);
        } else {
          world.objects->SetPlan(ObjectFaultPlan{}.Set(after ? ObjectFault::kErrorAfter : ObjectFault::kErrorBefore,
                                                       n <= 6 ? 1'000'000 : 300'000));
        }
        for (int attempt = 0; attempt < 40; ++attempt) {
          const Offset tiered = engine->Offsets(At("t"))->tiered_end;
          (void)engine.steps().uploader.UploadOnce();
          if (attempt == 3) world.objects->SetPlan({});
          EXPECT_GE(engine->Offsets(At("t"))->tiered_end, tiered);
          if (engine->Offsets(At("t"))->tiered_end > tiered) {
            for (int partition = 0; partition < 2; ++partition) {
              // What counts as uploaded is what metadata says.
              const auto rows = *Catalog(*world.rows).Partitions(TopicId(Catalog(*world.rows).Topics()->front().id));
              EXPECT_EQ(engine->Offsets(At("t", partition))->tiered_end, rows[partition].tiered_end);
            }
          }
          AppendOs(*engine, At("t"), 1, 50 + attempt);
          world.clock->Advance(std::chrono::seconds(70));
        }
        for (int partition = 0; partition < 2; ++partition)
          EXPECT_GE(engine->Offsets(At("t", partition))->tiered_end, Offset(50));
        ASSERT_TRUE(engine->Recycle());
        EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 90));
        EXPECT_EQ(ReadAll(*engine, At("t", 1)), Numbers(0, 50));
        ++overcome;
      }
    }
  }
  EXPECT_EQ(overcome, 48);
}

TEST_F(EngineTierTest, WithTheStoreDownAppendsAndReadsGoOn) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  world.objects->SetPlan(ObjectFaultPlan{}.Set(ObjectFault::kErrorBefore, 1'000'000));
  AppendOs(*engine, At("t"), 20);
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 20));
  world.clock->Advance(std::chrono::hours(1));
  EXPECT_FALSE(engine.steps().uploader.UploadOnce());
  EXPECT_EQ(engine->Offsets(At("t"))->tiered_end, Offset(0));
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 20));
  world.objects->SetPlan({});
  world.clock->Advance(std::chrono::hours(1));
  EXPECT_TRUE(engine.steps().uploader.UploadOnce());
  EXPECT_EQ(engine->Offsets(At("t"))->tiered_end, Offset(20));
}

TEST_F(EngineTierTest, UploadsComeBySizeByAgeAndNotBefore) {
  World world;
  world.options.upload.segment_bytes_max = 100'000;
  const auto engine = world.Open();
  SegmentUploader& uploader = engine.steps().uploader;
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  AppendOs(*engine, At("t"), 10, 0, 5'000);
  EXPECT_EQ(uploader.UploadOnce().value_or(true), false);
  AppendOs(*engine, At("t"), 11, 10, 5'000);
  EXPECT_EQ(uploader.UploadOnce().value_or(false), true);
  const Offset by_size = engine->Offsets(At("t"))->tiered_end;
  EXPECT_GE(by_size, Offset(19));
  AppendOs(*engine, At("t"), 1, 21, 10);
  EXPECT_EQ(uploader.UploadOnce().value_or(true), false);
  const auto due = uploader.schedule().NextDue();
  ASSERT_TRUE(due);
  world.clock->Advance(std::chrono::milliseconds(59'000));
  EXPECT_EQ(uploader.UploadOnce().value_or(true), false);
  world.clock->Advance(std::chrono::milliseconds(2'000));
  EXPECT_EQ(uploader.UploadOnce().value_or(false), true);
  EXPECT_EQ(engine->Offsets(At("t"))->tiered_end, Offset(22));
  EXPECT_EQ(uploader.schedule().NextDue(), std::nullopt);  // idle: nothing to wake up for
}

TEST_F(EngineTierTest, AgeCountsAcrossRestarts) {
  auto clock = std::make_shared<SimClock>();
  EngineOptions options = Options();
  options.clock = clock;
  {
    auto engine = SteppedEngine::Open(options);
    ASSERT_TRUE(engine) << Told(engine);
    ASSERT_TRUE((*engine)->CreateTopic("t", {}));
    AppendOs(**engine, At("t"), 1);
    clock->Advance(std::chrono::seconds(40));
  }
  auto engine = SteppedEngine::Open(options);
  ASSERT_TRUE(engine) << Told(engine);
  SegmentUploader& uploader = engine->steps().uploader;
  EXPECT_EQ(uploader.UploadOnce().value_or(true), false);
  clock->Advance(std::chrono::seconds(21));
  EXPECT_EQ(uploader.UploadOnce().value_or(false), true);
}

TEST_F(EngineTierTest, ASecondOwnerFencesTheFirst) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
  for (int partition = 0; partition < 2; ++partition) AppendOs(*engine, At("t", partition), 10);
  const PartitionKey key{Catalog(*world.rows).Topics()->front().id, PartitionId(0)};
  ASSERT_TRUE(Catalog(*world.rows).AcquireEpoch(key));
  world.clock->Advance(std::chrono::minutes(2));
  (void)engine.steps().uploader.UploadOnce();
  const auto rows = *Catalog(*world.rows).Partitions(key.topic);
  EXPECT_EQ(rows[0].tiered_end, Offset(0));   // fenced: nothing of it was committed
  EXPECT_EQ(rows[1].tiered_end, Offset(10));  // its neighbour in the same object was
  const Record record = Value("zombie");
  EXPECT_EQ(CodeOf(engine->Append(At("t"), {&record, 1}, {})), ErrorCode::kFenced);
  EXPECT_TRUE(engine->Append(At("t", 1), {&record, 1}, {}));
}

TEST_F(EngineTierTest, AbandonedAndForgottenObjectsGoAfterTheirGraceOnly) {
  World world;
  const auto engine = world.Open();
  ObjectCollector& collector = engine.steps().collector;
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  ASSERT_TRUE(engine->CreateTopic("keep", {}));
  AppendOs(*engine, At("t"), 10);
  AppendOs(*engine, At("keep"), 10);
  ASSERT_TRUE(engine->Upload());
  AppendOs(*engine, At("t"), 10, 10);
  ASSERT_TRUE(engine->Upload());
  const std::size_t all = world.Listed();
  ASSERT_TRUE(engine->DeleteTopic("t"));
  ASSERT_TRUE(collector.CollectOnce());
  EXPECT_EQ(world.Listed(), all);
  world.clock->Advance(std::chrono::minutes(29));
  ASSERT_TRUE(collector.CollectOnce());
  EXPECT_EQ(world.Listed(), all);
  world.clock->Advance(std::chrono::minutes(2));
  ASSERT_TRUE(collector.CollectOnce());
  EXPECT_EQ(world.Listed(), all - 1);  // the object shared with the other topic stays
  EXPECT_EQ(ReadAll(*engine, At("keep")), Numbers(0, 10));
  ASSERT_TRUE(engine->DeleteTopic("keep"));
  world.clock->Advance(std::chrono::hours(1));
  ASSERT_TRUE(collector.CollectOnce());
  EXPECT_EQ(world.Listed(), 0U);
}

TEST_F(EngineTierTest, AListingOnlyProposesAndAFailedOneDoesNothing) {
  World world;
  const auto engine = world.Open();
  ObjectCollector& collector = engine.steps().collector;
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  AppendOs(*engine, At("t"), 10);
  ASSERT_TRUE(engine->Upload());
  const SharedBytes bytes = SharedBytes::Copy(AsBytes("late"));
  const std::string orphan = OrphanKey(world);
  ASSERT_TRUE(world.memory->Put(orphan, {&bytes, 1}, PutMode::kOverwrite));
  ASSERT_TRUE(world.memory->Put("ab/foreign.txt", {&bytes, 1}, PutMode::kOverwrite));
  EXPECT_EQ(collector.ProposeOrphans().value_or(99), 0U);  // too young
  world.clock->Advance(std::chrono::hours(1));
  world.objects->SetPlan(ObjectFaultPlan{}.Set(ObjectFault::kErrorBefore, 1'000'000));
  EXPECT_FALSE(collector.ProposeOrphans());
  world.objects->SetPlan({});
  const std::size_t all = world.Listed();
  ASSERT_TRUE(collector.CollectOnce());
  world.clock->Advance(std::chrono::hours(1));
  ASSERT_TRUE(collector.CollectOnce());
  EXPECT_EQ(world.Listed(), all);
  EXPECT_EQ(collector.ProposeOrphans().value_or(0), 1U);
  ASSERT_TRUE(collector.CollectOnce());
  EXPECT_EQ(world.Listed(), all);
  for (int step = 0; step < 2; ++step) {
    world.clock->Advance(std::chrono::hours(1));
    ASSERT_TRUE(collector.CollectOnce());
  }
  EXPECT_EQ(world.Listed(), all - 1);
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 10));
}

TEST_F(EngineTierTest, RetentionForgetsByAgeAndSizeAndRefusesAClockThatJumped) {
  World world;
  const auto engine = world.Open();
  RetentionPolicy& retention = engine.steps().retention;
  TieredPartitions& partitions = engine.steps().partitions;
  ASSERT_TRUE(engine->CreateTopic("aged", {.retention_time = std::chrono::hours(1)}));
  ASSERT_TRUE(engine->CreateTopic("sized", {.retention_bytes = 1}));
  ASSERT_TRUE(engine->CreateTopic("kept", {}));
  for (int round = 0; round < 3; ++round) {
    for (const char* topic : {"aged", "sized", "kept"}) AppendOs(*engine, At(topic), 10, 10 * round);
    ASSERT_TRUE(engine->Upload());
    if (round == 1) {
      world.clock->JumpWall(std::chrono::hours(24 * 365));
      ASSERT_TRUE(retention.RetainOnce(partitions));
      EXPECT_EQ(engine->Offsets(At("aged"))->log_start, Offset(0));
      world.clock->JumpWall(-std::chrono::hours(24 * 365));
    }
    world.clock->Advance(std::chrono::minutes(50));
  }
  ASSERT_TRUE(retention.RetainOnce(partitions));
  EXPECT_EQ(engine->Offsets(At("aged"))->log_start, Offset(20));
  EXPECT_EQ(engine->Offsets(At("sized"))->log_start, Offset(20));  // the newest segment stays: without it too few
  EXPECT_EQ(engine->Offsets(At("kept"))->log_start, Offset(0));
  const auto read = engine->Read(At("aged"), Offset(3), {});
  ASSERT_EQ(CodeOf(read), ErrorCode::kOutOfRange);
  EXPECT_EQ(read.error().bounds(), (OffsetBounds{Offset(20), Offset(30)}));
  EXPECT_EQ(ReadAll(*engine, At("aged"), Offset(20)), Numbers(20, 30));
}

/// Time stands still: only what is uploaded makes the keeper look.
TEST_F(EngineTierTest, ATopicKeptByItsSizeIsTrimmedWhileItGrows) {
  EngineOptions options = Options();
  options.clock = std::make_shared<SimClock>();
  options.upload.segment_bytes_max = 64 << 10;
  const auto engine = Open(options);
  ASSERT_TRUE(engine->CreateTopic("sized", {.retention_bytes = 128 << 10}));
  const Record record = Value(std::string(16 << 10, 'x'));
  const auto append_64 = [&] {
    for (int i = 0; i < 64; ++i)
      ASSERT_TRUE(engine->Append(At("sized"), {&record, 1}, {.durability = Durability::kOs}));
    ASSERT_TRUE(engine->Upload());
  };
  for (int i = 0; i < 200 && engine->Offsets(At("sized"))->log_start == Offset(0); ++i) append_64();
  EXPECT_GT(engine->Offsets(At("sized"))->log_start, Offset(0));
}

TEST_F(EngineTierTest, RecordTimesFromTheFutureAgeFromTheirCommit) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.retention_time = std::chrono::hours(1)}));
  const Record record = {.timestamp_ms = world.clock->WallMs() + 1'000 * 3'600 * 24 * 365LL, .value = "future"};
  ASSERT_TRUE(engine->Append(At("t"), {&record, 1}, {}));
  ASSERT_TRUE(engine->Upload());
  world.clock->Advance(std::chrono::minutes(59));
  ASSERT_TRUE(engine.steps().retention.RetainOnce(engine.steps().partitions));
  EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(0));
  world.clock->Advance(std::chrono::minutes(2));
  ASSERT_TRUE(engine.steps().retention.RetainOnce(engine.steps().partitions));
  EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(1));
}

TEST_F(EngineTierTest, DeleteRecordsMovesTheStartInEveryTier) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  std::vector<Record> batch;
  for (int i = 0; i < 10; ++i) batch.push_back(Value(std::to_string(i)));
  ASSERT_TRUE(engine->Append(At("t"), batch));
  EXPECT_EQ(CodeOf(engine->DeleteRecords(At("t"), Offset(11))), ErrorCode::kOutOfRange);
  EXPECT_EQ(CodeOf(engine->DeleteRecords(At("t"), Offset(-1))), ErrorCode::kOutOfRange);
  EXPECT_EQ(engine->DeleteRecords(At("t"), Offset(4)).value_or(Offset(-1)), Offset(4));  // amid a batch
  EXPECT_EQ(engine->DeleteRecords(At("t"), Offset(2)).value_or(Offset(-1)), Offset(4));
  EXPECT_EQ(ReadAll(*engine, At("t"), Offset(4)), Numbers(4, 10));
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(3))), ErrorCode::kOutOfRange);
  ASSERT_TRUE(engine->Upload());
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(ReadAll(*engine, At("t"), Offset(4)), Numbers(4, 10));
  AppendNumbers(*engine, At("t"), 5, 10);
  EXPECT_EQ(engine->DeleteRecords(At("t"), Offset(15)).value_or(Offset(-1)), Offset(15));
  EXPECT_TRUE(ReadAll(*engine, At("t"), Offset(15)).empty());
  EXPECT_EQ(engine->DescribeTopics()->front().partitions[0].segments, 0U);
  const auto puts = engine->Stats().object_puts;
  ASSERT_TRUE(engine->Upload());  // what is forgotten is not uploaded
  EXPECT_EQ(engine->Stats().object_puts, puts);
  std::size_t objects = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Options().data_dir / "objects"))
    objects += entry.path().extension() == ".obj" ? 1 : 0;
  EXPECT_EQ(objects, 0U);  // near stores give space back at once
  EXPECT_EQ(AppendNumbers(*engine, At("t"), 1, 15).base_offset, Offset(15));
}

TEST_F(EngineTierTest, DamageInTheLogIsCarriedAsDamageAndStopsNobody) {
  auto disk = std::make_shared<SimFileSystem>(2);
  EngineOptions options = Options();
  options.data_dir = "/data";
  options.file_system = disk;
  options.object_store = "memory:";
  const std::string needle = "find me in the log and spoil me";
  {
    const auto engine = Open(options);
    ASSERT_TRUE(engine->CreateTopic("t"));
    ASSERT_TRUE(engine->CreateTopic("other"));
    AppendNumbers(*engine, At("t"), 5);
    ASSERT_TRUE(engine->Append("t", needle));
    AppendNumbers(*engine, At("t"), 5, 6);
    AppendNumbers(*engine, At("other"), 5);
    ASSERT_TRUE(engine->Close());
  }
  int spoilt = 0;
  for (const auto& path : disk->Files()) {
    if (path.string().find("/wal/") == std::string::npos) continue;
    const auto contents = disk->Contents(path);
    const std::string_view text = AsText(contents);
    for (std::size_t at = text.find(needle); at != std::string_view::npos; at = text.find(needle, at + 1)) {
      disk->FlipBit(path, at, 0);
      ++spoilt;
    }
  }
  ASSERT_GT(spoilt, 0);
  options.metadata_store = "sqlite:";
  const auto engine = Open(options);
  ASSERT_NE(engine, nullptr);
  const auto check = [&] {
    const auto front = engine->Read(At("t"), Offset(0));
    ASSERT_TRUE(front) << Told(front);
    EXPECT_EQ(front->next, Offset(5));
    const auto damaged = engine->Read(At("t"), Offset(5));
    ASSERT_EQ(CodeOf(damaged), ErrorCode::kCorruption) << Told(damaged);
    ASSERT_NE(damaged.error().damage(), nullptr);
    EXPECT_EQ(damaged.error().damage()->begin, Offset(5));
    EXPECT_EQ(damaged.error().damage()->end, Offset(6));
    const auto skipped = engine->Read(At("t"), Offset(5), {.on_damage = OnDamage::kSkip});
    ASSERT_TRUE(skipped) << Told(skipped);
    EXPECT_EQ(skipped->skipped.size(), 1U);
    ASSERT_FALSE(skipped->records.empty());
    EXPECT_EQ(skipped->records[0].value, "6");
    EXPECT_EQ(ReadAll(*engine, At("t"), Offset(6)), Numbers(6, 11));
    EXPECT_EQ(ReadAll(*engine, At("other")), Numbers(0, 5));
  };
  check();
  const auto uploaded = engine->Upload();
  EXPECT_EQ(CodeOf(uploaded), ErrorCode::kCorruption) << Told(uploaded);  // told once,
  EXPECT_TRUE(engine->Upload());                                          // then there is nothing left to upload
  EXPECT_EQ(engine->Offsets(At("t"))->tiered_end, Offset(11));
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(engine->Offsets(At("t"))->hot_start, Offset(11));
  check();
}

TEST_F(EngineTierTest, WritersThatWaitForTheObjectStoreShareItsRoundTrips) {
  auto slow = std::make_shared<FaultyObjectStore>(std::make_shared<MemoryObjectStore>(), 1);
  EngineOptions options = Options();
  options.objects = slow;
  const auto engine = Open(options);
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 16}));
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&, i] { AppendNumbers(*engine, At("t", i), 10, 0, {.durability = Durability::kObject}); });
  }
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(engine->Offsets(At("t", i))->tiered_end, Offset(10));
    EXPECT_EQ(ReadAll(*engine, At("t", i)), Numbers(0, 10));
  }
  EXPECT_LT(engine->Stats().object_puts, 160U);
}

TEST_F(EngineTierTest, SegmentsAreDescribedAndTheirBytesHandedOut) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  for (int round = 0; round < 3; ++round) {
    AppendNumbers(*engine, At("t"), 5, 5 * round);
    ASSERT_TRUE(engine->Upload());
  }
  const auto segments = engine->DescribeSegments(At("t"));
  ASSERT_TRUE(segments) << Told(segments);
  ASSERT_EQ(segments->size(), 3U);
  for (int i = 0; i < 3; ++i) {
    const SegmentDescription& segment = (*segments)[i];
    EXPECT_EQ(segment.base, Offset(5 * i));
    EXPECT_EQ(segment.end, Offset(5 * i + 5));
    EXPECT_EQ(segment.records, 5U);
    const auto bytes = engine->ReadSegment(segment, {0, segment.byte_size});
    ASSERT_TRUE(bytes) << Told(bytes);
    EXPECT_EQ(bytes->size(), segment.byte_size);
    EXPECT_EQ(CodeOf(engine->ReadSegment(segment, {1, segment.byte_size})), ErrorCode::kInvalidArgument);
    std::filesystem::resize_file(Options().data_dir / "objects" / segment.object,
                                 segment.byte_begin + segment.byte_size - 1);
    EXPECT_EQ(CodeOf(engine->ReadSegment(segment, {0, segment.byte_size})), ErrorCode::kCorruption);
  }
}

}  // namespace
}  // namespace millrace
