// What the engine does in the background and no call returns: it looks at what is due in linear time, ends when
// told, says what fails, believes no clock that jumped, and knows how each change of metadata ended. Method: engines
// without threads on a simulated disk and clock, stores that fail on purpose; each test asserts that its fault fired.
#include <algorithm>
#include <set>
#include <stop_token>
#include <vector>

#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/posix_file_system.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"
#include "millrace/request_scope.h"
#include "store/faulty_object_store.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr std::chrono::milliseconds kYear = hours(24 * 365);

class EngineUpkeepTest : public EngineFixture {
 protected:
  struct World {
    std::shared_ptr<SimClock> clock = std::make_shared<SimClock>();
    std::shared_ptr<SimFileSystem> disk = std::make_shared<SimFileSystem>(11);
    std::shared_ptr<FaultyObjectStore> objects = std::make_shared<FaultyObjectStore>(
        std::make_shared<MemoryObjectStore>(clock.get()), 1, [](std::chrono::nanoseconds) {});
    std::shared_ptr<MemoryMetadataStore> rows = std::make_shared<MemoryMetadataStore>();
    std::shared_ptr<FaultyMetadataStore> metadata = std::make_shared<FaultyMetadataStore>(rows, 1);
    std::vector<Event> events;
    EngineOptions options;

    World() {
      options.data_dir = "/data";
      options.clock = clock;
      options.file_system = disk;
      options.objects = objects;
      options.metadata = metadata;
      options.wal_bytes_max = 16 << 20;
      options.batch_bytes_max = 4 << 20;
      options.append_wait_max = std::chrono::milliseconds(0);
      options.upload.delete_grace = minutes(30);
      options.on_event = [this](const Event& event) { events.push_back(event); };
    }
    SteppedEngine Open() {
      auto engine = SteppedEngine::Open(options, std::make_shared<SeededRandom>(5));
      EXPECT_TRUE(engine) << Told(engine);
      return engine ? *std::move(engine) : SteppedEngine();
    }
    [[nodiscard]] std::size_t Told(EventKind kind) const {
      return static_cast<std::size_t>(std::ranges::count(events, kind, &Event::kind));
    }
    template <class T>
    static std::string Told(const Result<T>& result) {
      return millrace::Told(result);
    }
    std::set<std::string> Names() {
      std::set<std::string> names;
      for (const TopicRow& row : *Catalog(*rows).Topics()) names.insert(row.name);
      return names;
    }
    std::uint64_t Fired() { return metadata->fired(MetadataFault::kBefore) + metadata->fired(MetadataFault::kAfter); }
  };
  static Result<AppendReceipt> Put(Engine& engine, const TopicPartition& at, std::size_t bytes = 10) {
    const Record record = Value(std::string(bytes, 'x'));
    return engine.Append(at, {&record, 1}, {.durability = Durability::kDisk});
  }
};

std::set<std::string> NamesIn(Engine& engine) {
  std::set<std::string> names;
  for (const TopicDescription& topic : *engine.DescribeTopics()) names.insert(topic.name);
  return names;
}

// Issue: a call that failed after its effect was told as a failure, and memory went on without it.
TEST_F(EngineUpkeepTest, EveryChangeOfTopicsIsKnownWhereverOneCallFails) {
  const std::vector<std::function<Result<void>(Engine&)>> changes = {
      [](Engine& engine) { return engine.CreateTopic("new", {.partitions = 2}); },
      [](Engine& engine) { return engine.AlterTopic("old", {.partitions = 3, .retention_bytes = 7}); },
      [](Engine& engine) { return engine.DeleteTopic("old"); },
  };
  std::uint64_t fired = 0;
  for (std::size_t change = 0; change < changes.size(); ++change) {
    for (const MetadataFault fault : {MetadataFault::kBefore, MetadataFault::kAfter}) {
      for (std::uint64_t call = 1; call <= 6; ++call) {
        SCOPED_TRACE(::testing::Message()
                     << "change " << change << " call " << call << " fault " << static_cast<int>(fault));
        World world;
        const auto engine = world.Open();
        ASSERT_TRUE(engine->CreateTopic("old", {}));
        ASSERT_TRUE(Put(*engine, At("old")));
        const std::uint64_t before = world.Fired();
        world.metadata->FailCall(call, fault);
        const auto changed = changes[change](*engine);
        if (world.Fired() == before) break;
        ++fired;
        EXPECT_EQ(NamesIn(*engine), world.Names());
        const TopicRow* old = nullptr;
        const auto topics = *Catalog(*world.rows).Topics();
        for (const TopicRow& row : topics) old = row.name == "old" ? &row : old;
        if (change == 0) EXPECT_EQ(changed.has_value(), world.Names().contains("new")) << Told(changed);
        if (change == 1) {
          EXPECT_EQ(changed.has_value(), old->options.partitions == 3) << Told(changed);
          EXPECT_EQ(Put(*engine, At("old", 2)).has_value(), changed.has_value());
        }
        if (change == 2) {
          EXPECT_EQ(changed.has_value(), old == nullptr) << Told(changed);
          EXPECT_EQ(Put(*engine, At("old")).has_value(), old != nullptr);
        }
        (void)engine->CreateTopic("new", {.partitions = 2});
        EXPECT_TRUE(Put(*engine, At("new", 1)));
        EXPECT_TRUE(engine->DeleteTopic("new"));
        EXPECT_EQ(NamesIn(*engine), world.Names());
      }
    }
  }
  EXPECT_GE(fired, 8U);
}

TEST_F(EngineUpkeepTest, NothingIsAcknowledgedWhileNobodyKnowsWhetherItsTopicIsGone) {
  for (const MetadataFault fault : {MetadataFault::kBefore, MetadataFault::kAfter}) {
    World world;
    const auto engine = world.Open();
    ASSERT_TRUE(engine->CreateTopic("t", {}));
    ASSERT_TRUE(Put(*engine, At("t")));
    constexpr std::uint32_t kAll = 1'000'000;
    if (fault == MetadataFault::kBefore) world.metadata->SetPlan({.before_per_million = kAll});
    if (fault == MetadataFault::kAfter) {
      world.metadata->SetPlan({.silent_once_fired = true});
      world.metadata->FailCommit(1, fault);
    }
    EXPECT_EQ(CodeOf(engine->DeleteTopic("t")), ErrorCode::kUnavailable);
    EXPECT_GE(world.metadata->fired(fault), 1U);
    EXPECT_EQ(CodeOf(Put(*engine, At("t"))), ErrorCode::kUnavailable);
    EXPECT_FALSE(engine.steps().reconcile_topics());
    world.metadata->SetPlan({});
    ASSERT_TRUE(engine.steps().reconcile_topics());
    if (fault == MetadataFault::kAfter) {
      EXPECT_EQ(CodeOf(Put(*engine, At("t"))), ErrorCode::kNotFound);
      EXPECT_TRUE(engine->CreateTopic("t", {}));
    } else {
      const auto put = Put(*engine, At("t"));
      ASSERT_TRUE(put) << Told(put);
      EXPECT_EQ(put->base_offset, Offset(1));
      EXPECT_EQ(engine->Read(At("t"), Offset(0), {})->records.size(), 2U);
    }
  }
}

TEST_F(EngineUpkeepTest, AMoveOfTheStartIsKnownWhereverOneCallFails) {
  std::uint64_t fired = 0;
  for (const MetadataFault fault : {MetadataFault::kBefore, MetadataFault::kAfter}) {
    World world;
    const auto engine = world.Open();
    ASSERT_TRUE(engine->CreateTopic("t", {}));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(Put(*engine, At("t")));
    world.metadata->FailCommit(1, fault);
    EXPECT_EQ(engine->DeleteRecords(At("t"), Offset(2)).value_or(Offset(-1)), Offset(2));
    fired += world.metadata->fired(fault);
    EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(2));
  }
  EXPECT_EQ(fired, 2U);
}

TEST_F(EngineUpkeepTest, RetentionMakesItsMovesAgainThatNobodyKnowsOf) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.retention_time = hours(1)}));
  ASSERT_TRUE(Put(*engine, At("t")));
  ASSERT_TRUE(engine->Upload());
  world.clock->Advance(hours(2));
  world.metadata->FailCommit(1, MetadataFault::kAfter);
  ASSERT_TRUE(engine.steps().retention.RetainOnce(engine.steps().partitions));
  EXPECT_EQ(world.metadata->fired(MetadataFault::kAfter), 1U);
  EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(1));
  EXPECT_EQ(engine.steps().retention.records_retired(), 1U);
}

TEST_F(EngineUpkeepTest, ALookAtRetentionAsksMetadataOnlyAboutWhatMayBeDue) {
  World world;
  const auto engine = world.Open();
  RetentionPolicy& retention = engine.steps().retention;
  TieredPartitions& partitions = engine.steps().partitions;
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 300, .retention_time = hours(1), .retention_bytes = 1 << 20}));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Put(*engine, At("t", i)));
  ASSERT_TRUE(engine->Upload());
  std::uint64_t calls = world.metadata->calls();
  EXPECT_FALSE(retention.RetainOnce(partitions).value_or(true));
  EXPECT_LE(world.metadata->calls() - calls, 200U);  // of each with segments: the partition and them
  calls = world.metadata->calls();
  EXPECT_FALSE(retention.RetainOnce(partitions).value_or(true));
  EXPECT_EQ(world.metadata->calls(), calls);
  ASSERT_TRUE(Put(*engine, At("t", 7)));
  world.clock->Advance(minutes(61));
  EXPECT_TRUE(retention.RetainOnce(partitions).value_or(false));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(engine->Offsets(At("t", i))->log_start, Offset(1)) << i;
}

TEST_F(EngineUpkeepTest, LooksEndWhenTheirCallerWantsThemTo) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 5, .retention_time = hours(1)}));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Put(*engine, At("t", i)));
  ASSERT_TRUE(engine->Upload());
  world.clock->Advance(hours(2));
  std::stop_source stop;
  stop.request_stop();
  const RequestScope scope({.stop = stop.get_token()});
  const std::uint64_t calls = world.metadata->calls();
  EXPECT_FALSE(engine.steps().retention.RetainOnce(engine.steps().partitions).value_or(true));
  EXPECT_EQ(world.metadata->calls(), calls);
  EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(0));
}

TEST_F(EngineUpkeepTest, AClockAYearAheadDeletesNothingUntilItIsTrusted) {
  World world;
  world.options = Options();  // real files, since it is opened again
  world.options.clock = world.clock;
  {
    const auto engine = world.Open();
    ASSERT_TRUE(engine->CreateTopic("t", {.retention_time = hours(24 * 7)}));
    ASSERT_TRUE(Put(*engine, At("t")));
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine->Close());
  }
  world.clock->JumpWall(kYear);
  const auto engine = world.Open();
  EXPECT_TRUE(engine->Stats().clock_doubted);
  ASSERT_TRUE(engine.housekeeper().KeepOnce());
  EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(0));
  ASSERT_TRUE(engine->TrustClock());
  EXPECT_FALSE(engine->Stats().clock_doubted);
  ASSERT_TRUE(engine.housekeeper().KeepOnce());
  EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(1));
}

TEST_F(EngineUpkeepTest, AKeptTimeThatIsDamagedMakesTheClockDoubted) {
  World world;
  world.options = Options();  // real files, since it is opened again
  world.options.clock = world.clock;
  {
    const auto engine = world.Open();
    ASSERT_TRUE(engine->Close());
  }
  {
    const auto file = PosixFileSystem().Open(world.options.data_dir / "time", {.access = FileAccess::kReadWrite});
    ASSERT_TRUE(file) << Told(file);
    ASSERT_TRUE((*file)->WriteAt(14, AsBytes("9")));
  }
  for (int opening = 0; opening < 2; ++opening) {  // the doubt is not kept as a time that the next one believes
    const auto engine = world.Open();
    EXPECT_TRUE(engine->Stats().clock_doubted);
    ASSERT_TRUE(engine->Close());
  }
  const auto engine = world.Open();
  world.clock->Advance(hours(24));
  EXPECT_FALSE(engine->Stats().clock_doubted);
}

// Issue: a log whose first time was not kept took whatever the clock said at its next opening for the time.
TEST_F(EngineUpkeepTest, ALogThatCannotKeepItsFirstTimeIsNotOpened) {
  for (const SimOperation operation : {SimOperation::kRename, SimOperation::kSyncDirectory}) {
    World world;
    int fired = 0;
    bool renamed = false;
    world.disk->SetFaultPlan(
        [&](SimOperation each, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
          renamed = renamed || path.filename() == "time" || path.filename() == "time.new";
          if (each != operation || !renamed || fired != 0) return {};
          ++fired;
          return SimFault{.code = ErrorCode::kUnavailable};
        });
    EXPECT_FALSE(SteppedEngine::Open(world.options, std::make_shared<SeededRandom>(5)));
    EXPECT_EQ(fired, 1);
    world.disk->SetFaultPlan(nullptr);
    world.options.metadata = std::make_shared<MemoryMetadataStore>();  // the other one was closed
    EXPECT_FALSE(world.Open()->Stats().clock_doubted);
  }
}

TEST_F(EngineUpkeepTest, MaintainDoesWhatIsDue) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.retention_time = hours(1)}));
  ASSERT_TRUE(Put(*engine, At("t")));
  auto report = engine->Maintain({});
  ASSERT_TRUE(report) << Told(report);
  EXPECT_EQ(report->uploaded_bytes, 0U);
  world.clock->Advance(minutes(2));
  report = engine->Maintain({});
  ASSERT_TRUE(report) << Told(report);
  EXPECT_GT(report->uploaded_bytes, 0U);
  world.clock->Advance(hours(2));
  report = engine->Maintain({});
  ASSERT_TRUE(report) << Told(report);
  EXPECT_EQ(report->records_retired, 1U);
  world.clock->Advance(hours(1));
  report = engine->Maintain(std::chrono::milliseconds(100));
  ASSERT_TRUE(report) << Told(report);
  EXPECT_EQ(report->objects_deleted, 1U);
  EXPECT_TRUE(report->finished);
  report = engine->Maintain(std::chrono::milliseconds(0));
  ASSERT_TRUE(report) << Told(report);
  EXPECT_FALSE(report->finished);
}

TEST_F(EngineUpkeepTest, UploadsThatFailAreToldEverywhereAndSoIsTheirEnd) {
  World world;
  const auto engine = world.Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
  ASSERT_TRUE(Put(*engine, At("t", 1)));
  world.objects->SetPlan(ObjectFaultPlan{}.Set(ObjectFault::kErrorBefore, 1'000'000));
  world.clock->Advance(minutes(2));
  EXPECT_FALSE(engine.steps().uploader.UploadOnce());
  const EngineStats stats = engine->Stats();
  ASSERT_TRUE(stats.upload_failure);
  EXPECT_EQ(stats.upload_failure->times, 1U);
  EXPECT_EQ(stats.upload_failure->since_ms, world.clock->WallMs());
  EXPECT_GT(stats.upload_pending_bytes, 0U);
  const auto described = *engine->DescribeTopics();
  EXPECT_FALSE(described[0].partitions[0].upload_failure);
  ASSERT_TRUE(described[0].partitions[1].upload_failure);
  EXPECT_GT(described[0].partitions[1].upload_pending_bytes, 0U);
  EXPECT_EQ(world.Told(EventKind::kUploadFailing), 1U);
  while (true) {  // a full WAL says why
    const auto put = Put(*engine, At("t", 1), 1 << 20);
    if (put) continue;
    EXPECT_EQ(CodeOf(put), ErrorCode::kOutOfSpace);
    EXPECT_NE(put.error().message().find("since uploads fail"), std::string::npos) << put.error().ToString();
    break;
  }
  world.objects->SetPlan({});
  world.clock->Advance(minutes(2));
  EXPECT_TRUE(engine.steps().uploader.UploadOnce());
  EXPECT_FALSE(engine->Stats().upload_failure);
  EXPECT_EQ(world.Told(EventKind::kUploadsResumed), 1U);
}

}  // namespace
}  // namespace millrace
