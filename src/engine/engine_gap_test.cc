// What is lost in the WAL is told for ever: the hole becomes a gap in metadata, its WAL goes, and reads go on answering
// kCorruption with its range. Method: a simulated disk with one flipped bit under real engines without threads, stores
// that fail on demand. Proves W14 beyond recycling, B42, S22 for gaps.
#include <algorithm>
#include <string_view>

#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/open_metadata_store.h"
#include "millrace/cursor.h"
#include "store/faulty_object_store.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

constexpr StorageSizes kSmallFiles{.wal_file_bytes = 64 << 10, .wal_staging_bytes = 16 << 10};

class EngineGapTest : public EngineFixture {
 protected:
  SteppedEngine Start() {
    EXPECT_TRUE(disk_->CreateDirectories("/data"));
    rows_ = OpenMetadataStore("sqlite:", "/data", *disk_).value();
    metadata_ = std::make_shared<FaultyMetadataStore>(rows_, 1);
    EngineOptions options;
    options.data_dir = "/data";
    options.clock = clock_;
    options.file_system = disk_;
    options.objects = objects_;
    options.metadata = metadata_;
    options.wal_bytes_max = 16 << 20;
    options.batch_bytes_max = 1 << 20;
    options.upload.delete_grace = std::chrono::minutes(30);
    auto engine = SteppedEngine::Open(options, std::make_shared<SeededRandom>(5), kSmallFiles);
    EXPECT_TRUE(engine) << Told(engine);
    return engine ? *std::move(engine) : SteppedEngine();
  }
  void Kill(SteppedEngine& engine) {
    disk_->KillProcess();
    engine.reset();
    metadata_.reset();
    rows_.reset();
  }
  [[nodiscard]] std::int64_t TimeOf(std::int64_t offset) const { return begun_ms_ + offset; }
  void Append(Engine& engine, const std::string& topic, const std::string& value, std::int64_t timestamp_ms) {
    const Record record{.timestamp_ms = timestamp_ms, .value = value};
    const auto appended = engine.Append(At(topic), {&record, 1}, {});
    ASSERT_TRUE(appended) << Told(appended);
  }
  /// A log whose topic `t` lost the record behind the first `before`, with `behind` more after it.
  void MakeHole(int before, int behind, const TopicOptions& options = {}) {
    auto engine = Start();
    ASSERT_TRUE(engine->CreateTopic("t", options));
    ASSERT_TRUE(engine->CreateTopic("idle", {}));
    for (int i = 0; i < before; ++i) Append(*engine, "t", std::to_string(i), TimeOf(i));
    Append(*engine, "t", "precious", TimeOf(before));
    for (int i = before + 1; i <= before + behind; ++i) Append(*engine, "t", std::to_string(i), TimeOf(i));
    for (int i = 0; i < 40; ++i) Append(*engine, "idle", std::string(2000, 'x'), TimeOf(0));  // the ring moves on
    Kill(engine);
    int spoilt = 0;
    for (const auto& path : disk_->Files()) {
      const auto contents = disk_->Contents(path);
      const std::string_view text(reinterpret_cast<const char*>(contents.data()), contents.size());
      const std::size_t at = text.find("precious");
      if (!path.native().ends_with(".wal") || at == std::string_view::npos) continue;
      disk_->FlipBit(path, at, 1);
      ++spoilt;
    }
    ASSERT_EQ(spoilt, 1);
  }
  [[nodiscard]] PartitionKey Key() const {
    for (const TopicRow& topic : Catalog(*rows_).Topics().value())
      if (topic.name == "t") return {topic.id, PartitionId(0)};
    return {};
  }
  [[nodiscard]] std::vector<SegmentRow> Rows() const { return Catalog(*rows_).Segments(Key(), Offset(0), 100).value(); }
  /// With segments in them; the log's identity is one too.
  [[nodiscard]] std::int64_t Objects() const {
    const ObjectPage page = memory_->List("", "", 100).value();
    return std::ranges::count_if(page.objects, [](const auto& object) { return object.key.ends_with(".obj"); });
  }
  /// What a reader is told of t, whose offset 5 of 11 is lost.
  void CheckReads(Engine& engine) {
    const auto front = engine.Read(At("t"), Offset(0), {});
    ASSERT_TRUE(front) << Told(front);
    EXPECT_EQ(front->next, Offset(5));
    const auto lost = engine.Read(At("t"), Offset(5), {});
    ASSERT_EQ(CodeOf(lost), ErrorCode::kCorruption) << Told(lost);
    ASSERT_NE(lost.error().damage(), nullptr);
    EXPECT_EQ(lost.error().damage()->partition, At("t"));
    EXPECT_EQ(lost.error().damage()->begin, Offset(5));
    EXPECT_EQ(lost.error().damage()->end, Offset(6));
    const auto skipped = engine.Read(At("t"), Offset(5), {.on_damage = OnDamage::kSkip});
    ASSERT_TRUE(skipped) << Told(skipped);
    ASSERT_EQ(skipped->skipped.size(), 1U);
    EXPECT_EQ(skipped->skipped[0].end, Offset(6));
    EXPECT_EQ(skipped->records.size(), 5U);
    EXPECT_EQ(engine.OffsetForTime(At("t"), 0).value_or(Offset(-1)), Offset(0));
    for (const int wanted : {5, 6})
      EXPECT_EQ(engine.OffsetForTime(At("t"), TimeOf(wanted)).value_or(Offset(-1)), Offset(6));
    const auto cursor = engine.OpenCursor(At("t"), "c", ReadConsistency::AtLeastOnce(1));
    ASSERT_TRUE(cursor) << Told(cursor);
    ASSERT_TRUE((*cursor)->Seek(Offset(5)));
    EXPECT_EQ(CodeOf((*cursor)->ReadNext(true)), ErrorCode::kCorruption);
    EXPECT_EQ((*cursor)->SkipCorrupt().value_or(Offset(-1)), Offset(6));
    EXPECT_EQ((*cursor)->ReadNext(true)->value().value, "6");
  }

  std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
  const std::int64_t begun_ms_ = clock_->WallMs();
  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>(3);
  std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>(clock_.get());
  std::shared_ptr<FaultyObjectStore> objects_ =
      std::make_shared<FaultyObjectStore>(memory_, 1, [](std::chrono::nanoseconds) {});
  // Of the present process.
  std::shared_ptr<MetadataStore> rows_;
  std::shared_ptr<FaultyMetadataStore> metadata_;
};

TEST_F(EngineGapTest, AHoleBecomesAGapBetweenTheSegmentsBesideItAndItsWalGoes) {
  MakeHole(5, 5);
  auto engine = Start();
  CheckReads(*engine);
  const auto uploaded = engine->Upload();
  ASSERT_EQ(CodeOf(uploaded), ErrorCode::kCorruption) << Told(uploaded);  // told once
  EXPECT_EQ(uploaded.error().damage()->begin, Offset(5));
  EXPECT_TRUE(engine->Upload());
  const std::vector<SegmentRow> rows = Rows();
  ASSERT_EQ(rows.size(), 3U);
  for (const int gap : {0, 1, 2}) EXPECT_EQ(rows[gap].is_gap(), gap == 1) << gap;
  EXPECT_EQ(rows[1].base, Offset(5));
  EXPECT_EQ(rows[1].end, Offset(6));
  EXPECT_GT(rows[1].committed_ms, 0);
  EXPECT_EQ(Objects(), 2);
  CheckReads(*engine);

  const WalPosition before = engine.steps().wal.begin();
  ASSERT_TRUE(engine->Recycle());
  EXPECT_GT(engine.steps().wal.begin(), before);
  EXPECT_EQ(engine->Offsets(At("t"))->hot_start, Offset(11));
  CheckReads(*engine);
  Kill(engine);
  engine = Start();
  for (const TopicDescription& topic : engine->DescribeTopics().value())
    EXPECT_TRUE(topic.partitions[0].damage.empty()) << "the WAL that showed it is gone";
  CheckReads(*engine);
  const auto described = engine->DescribeSegments(At("t"));
  ASSERT_TRUE(described) << Told(described);
  ASSERT_EQ(described->size(), 3U);
  for (const int gap : {0, 1, 2}) EXPECT_EQ((*described)[gap].is_gap(), gap == 1) << gap;
  EXPECT_TRUE(engine->ReadSegment((*described)[1], {0, 0}));
}

TEST_F(EngineGapTest, AGapNeedsNoStoreAndIsCommittedOnceWhateverFails) {
  MakeHole(0, 3);
  objects_->SetPlan(ObjectFaultPlan{}.Set(ObjectFault::kErrorBefore, 1'000'000));
  const auto engine = Start();
  engine.steps().uploader.schedule().SetPressure(UploadPressure{});
  metadata_->SetPlan({.silent_once_fired = true});
  metadata_->FailCommit(1, MetadataFault::kAfter);
  EXPECT_FALSE(engine.steps().uploader.UploadOnce());
  EXPECT_GT(metadata_->fired(MetadataFault::kAfter), 0U);
  EXPECT_EQ(engine->Offsets(At("t"))->tiered_end, Offset(0)) << "nobody knows yet";
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(0), {})), ErrorCode::kCorruption);
  metadata_->SetPlan({});
  clock_->Advance(std::chrono::minutes(1));
  EXPECT_FALSE(engine.steps().uploader.UploadOnce());  // what follows it finds no store
  EXPECT_EQ(engine->Offsets(At("t"))->tiered_end, Offset(1));
  ASSERT_EQ(Rows().size(), 1U);
  EXPECT_TRUE(Rows()[0].is_gap());
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(0), {})), ErrorCode::kCorruption);
  EXPECT_EQ(Catalog(*rows_).ObjectsIn(ObjectState::kCommitted, INT64_MAX, 10)->size(), 0U);
}

TEST_F(EngineGapTest, ALostAnswerToTheCommitOfAGapIsAskedForAgain) {
  for (const MetadataFault fault : {MetadataFault::kBefore, MetadataFault::kAfter}) {
    disk_ = std::make_shared<SimFileSystem>(4);
    MakeHole(0, 0);
    const auto engine = Start();
    ASSERT_TRUE(engine->DeleteRecords(At("idle"), Offset(40)));  // t alone is left
    engine.steps().uploader.schedule().SetPressure(UploadPressure{});
    metadata_->FailCommit(1, fault);
    const auto uploaded = engine.steps().uploader.UploadOnce();
    EXPECT_TRUE(uploaded) << Told(uploaded);
    EXPECT_EQ(metadata_->fired(fault), 1U);
    EXPECT_EQ(engine->Offsets(At("t"))->tiered_end, Offset(1));
    EXPECT_EQ(Rows().size(), 1U);
  }
}

TEST_F(EngineGapTest, AnotherOwnersPartitionGetsNoGap) {
  MakeHole(0, 0);
  const auto engine = Start();
  ASSERT_TRUE(Catalog(*rows_).AcquireEpoch(Key()));
  engine.steps().uploader.schedule().SetPressure(UploadPressure{});
  (void)engine.steps().uploader.UploadOnce();
  EXPECT_TRUE(Rows().empty());
  const Record record = Value("no");
  EXPECT_EQ(CodeOf(engine->Append(At("t"), {&record, 1}, {})), ErrorCode::kFenced);
}

TEST_F(EngineGapTest, DeletingRecordsPastAHoleFreesItsWalWithoutAnyGap) {
  MakeHole(2, 2);
  objects_->SetPlan(ObjectFaultPlan{}.Set(ObjectFault::kErrorBefore, 1'000'000));
  auto engine = Start();
  ASSERT_TRUE(engine->DeleteRecords(At("idle"), Offset(40)));
  const WalPosition before = engine.steps().wal.begin();
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(engine.steps().wal.begin(), before) << "the hole pins it";
  ASSERT_EQ(engine->DeleteRecords(At("t"), Offset(5)).value_or(Offset(-1)), Offset(5));
  ASSERT_TRUE(engine->Recycle());
  EXPECT_GT(engine.steps().wal.begin(), before);
  Kill(engine);
  engine = Start();
  EXPECT_EQ(engine->Stats().damaged_partitions, 0U);
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(2), {})), ErrorCode::kOutOfRange);
  EXPECT_TRUE(Rows().empty());
}

TEST_F(EngineGapTest, RetentionRetiresAGapAsItDoesSegmentsAndDeletesNoObjectForIt) {
  MakeHole(5, 5, {.retention_time = std::chrono::hours(1)});
  const auto engine = Start();
  EXPECT_EQ(CodeOf(engine->Upload()), ErrorCode::kCorruption);
  EXPECT_EQ(engine.steps().retention.RetainOnce(engine.steps().partitions).value_or(true), false);
  ASSERT_EQ(Rows().size(), 3U);
  clock_->Advance(std::chrono::hours(2));
  EXPECT_EQ(engine.steps().retention.RetainOnce(engine.steps().partitions).value_or(false), true);
  EXPECT_TRUE(Rows().empty());
  EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(11));
  // One of the two objects holds a segment of the other topic too, and stays.
  EXPECT_EQ(Catalog(*rows_).ObjectsIn(ObjectState::kDeleting, INT64_MAX, 10)->size(), 1U);
  clock_->Advance(std::chrono::hours(1));
  EXPECT_EQ(engine.steps().collector.CollectStep().failure, std::nullopt);
  EXPECT_EQ(Objects(), 1);
}

}  // namespace
}  // namespace millrace
