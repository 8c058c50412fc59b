// Goal: a partition's leader epoch stays while nothing can be lost and rises once where an end may be, for all
// partitions in one transaction, before any batch carries it; and all that tells of epochs tells the same. Method: an
// engine without threads over a simulated disk, closed, killed, without power, with syncs that fail; metadata that
// outlives it, and counts.
#include <optional>

#include "engine/door_fixture.h"
#include "engine/engine_fixture.h"
#include "engine/partition_access.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

/// Rows in memory that no engine closes.
class LastingMetadata final : public MetadataStore {
 public:
  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override {
    return rows_.Get(keys);
  }
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) override {
    return rows_.Scan(from, to, max);
  }
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) override {
    ++commits;
    if (refusal) return *refusal;
    return rows_.Commit(expected, writes);
  }
  Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) override {
    return rows_.Changes(after, max);
  }
  Result<std::int64_t> NowMs() override { return rows_.NowMs(); }
  Result<void> Close() override { return {}; }

  int commits = 0;
  std::optional<Error> refusal;  // of every commit

 private:
  MemoryMetadataStore rows_;
};

class EngineEpochsTest : public EngineFixture {
 protected:
  EngineOptions OnDisk(SyncPolicy sync = SyncPolicy::None()) const {
    EngineOptions options = OnSimulatedDisk();
    options.file_system = disk_;
    options.metadata = metadata_;
    options.clock = clock_;
    options.sync = sync;
    options.object_store = "file://" + (directory_.path() / "objects").string();
    return options;
  }
  void Start(EngineOptions options) {
    auto engine = SteppedEngine::Open(std::move(options));
    ASSERT_TRUE(engine) << Told(engine);
    engine_ = *std::move(engine);
    access_.emplace(*engine_);
  }
  void Start() { Start(OnDisk()); }
  void Close() {
    access_.reset();
    EXPECT_TRUE(engine_->Close());
    engine_.reset();
  }
  void Die(bool power_lost) {
    access_.reset();
    power_lost ? disk_->Crash() : disk_->KillProcess();
    // The object that is left is of no process any more: nothing it does comes to the disk.
    disk_->SetFaultPlan([](SimOperation, const std::filesystem::path&, std::uint64_t) {
      return std::optional(SimFault{.code = ErrorCode::kClosed});
    });
    engine_.reset();
    disk_->SetFaultPlan({});
  }
  PartitionHandle Find(std::int32_t partition = 0) { return access_->Find("t", PartitionId(partition)); }
  Offset Append(int count = 1, std::int32_t partition = 0) {
    Buffer batch = WireBatch(count);
    const auto staged = access_->TryAppend(Find(partition), batch);
    EXPECT_TRUE(staged) << Told(staged);
    return staged ? staged->base : Offset(-1);
  }
  std::int32_t Epoch(std::int32_t partition = 0) { return access_->Epoch(Find(partition))->value(); }
  Offset LogEnd(std::int32_t partition = 0) { return access_->Marks(Find(partition))->offsets.log_end; }
  /// "epoch:end", or none.
  std::string EndOf(std::int32_t epoch, std::int32_t partition = 0) {
    const auto end = access_->EndOfEpoch(Find(partition), LeaderEpoch(epoch));
    if (!end) return Told(end);
    return *end ? std::to_string((*end)->epoch.value()) + ":" + std::to_string((*end)->end.value()) : "none";
  }
  /// Every batch is stamped with the epoch that is told of its offsets; the image, the marks and the answers agree.
  void ExpectAgreement(std::int32_t partition = 0) {
    EXPECT_EQ(access_->image()->Find("t")->partitions[static_cast<std::size_t>(partition)].epoch.value(),
              Epoch(partition));
    EXPECT_EQ(EndOf(Epoch(partition), partition),
              std::to_string(Epoch(partition)) + ":" + std::to_string(LogEnd(partition).value()));
    const auto read = engine_->ReadBatches({"t", PartitionId(partition)}, Offset(0), {.bytes_max = 100 << 20});
    ASSERT_TRUE(read) << Told(read);
    for (const SharedBytes& batch : read->batches) {
      const RecordBatchView view = RecordBatchView::Parse(batch.bytes()).value();
      EXPECT_EQ(view.leader_epoch(), access_->EpochAt(Find(partition), view.base_offset()).value());
    }
  }

  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>(7);
  std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
  std::shared_ptr<LastingMetadata> metadata_ = std::make_shared<LastingMetadata>();
  SteppedEngine engine_;
  std::optional<PartitionAccess> access_;
};

TEST_F(EngineEpochsTest, ACleanCloseKeepsTheEpochWhateverTheLogHolds) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t", {.partitions = 2}));
  for (int round = 0; round < 4; ++round) {  // no record yet; some; all in the object store; some more
    Close();
    Start();
    EXPECT_EQ(Epoch(0), 0) << round;
    EXPECT_EQ(Epoch(1), 0) << round;
    EXPECT_EQ(EndOf(0), "0:" + std::to_string(3 * round));
    Append(3);
    if (round != 1) continue;
    ASSERT_TRUE(engine_->Upload());
    ASSERT_TRUE(engine_->Recycle());
  }
  ExpectAgreement();
  EXPECT_TRUE(Ownership(*metadata_).Epochs()->empty());
}

TEST_F(EngineEpochsTest, AnEndThatWasLostIsAnEpochsEnd) {
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    disk_ = std::make_shared<SimFileSystem>(seed);
    metadata_ = std::make_shared<LastingMetadata>();
    Start();
    ASSERT_TRUE(engine_->CreateTopic("t", {.partitions = 3}));
    Append(5);
    ASSERT_TRUE(engine_.steps().wal.AwaitDurable(engine_.steps().wal.end()));
    Append(7);  // visible under this policy, and not synced
    EXPECT_EQ(LogEnd(), Offset(12));
    Die(true);
    const int commits = metadata_->commits;
    Start();
    const Offset end = LogEnd();
    lost += end == Offset(5) ? 1 : 0;
    EXPECT_EQ(metadata_->commits - commits, 1) << "one transaction for all partitions";
    for (int partition = 0; partition < 3; ++partition) EXPECT_EQ(Epoch(partition), 1);
    const std::string first = "0:" + std::to_string(end.value());
    EXPECT_EQ(EndOf(0), first);
    EXPECT_EQ(EndOf(1), "1:" + std::to_string(end.value()));
    EXPECT_EQ(EndOf(2), "none");
    EXPECT_EQ(Append(2), end);
    ExpectAgreement();
    Close();
    Start();
    EXPECT_EQ(Epoch(), 1) << "closed cleanly";
    EXPECT_EQ(EndOf(0), first);
    EXPECT_EQ(EndOf(1), "1:" + std::to_string(end.value() + 2));
    ExpectAgreement();
    Close();
  }
  EXPECT_GT(lost, 0);
}

TEST_F(EngineEpochsTest, AKilledProcessRaisesToo) {
  for (const SyncPolicy sync : {SyncPolicy::Each(), SyncPolicy::None()}) {
    const std::int32_t before = engine_ ? Epoch() : 0;
    if (engine_) Close();
    Start(OnDisk(sync));
    if (before == 0 && !access_->Find("t", PartitionId(0))) ASSERT_TRUE(engine_->CreateTopic("t"));
    Append(1);
    Die(false);
    Start(OnDisk(sync));
    EXPECT_EQ(Epoch(), before + 1);
    ExpectAgreement();
  }
}

TEST_F(EngineEpochsTest, EpochsInWhichNothingWasAppendedLeaveNoRow) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  Append(4);
  for (int life = 0; life < 5; ++life) {
    Die(false);
    Start();
  }
  EXPECT_EQ(Epoch(), 5);
  EXPECT_EQ(Ownership(*metadata_).Epochs()->size(), 1U);
  for (int epoch = 0; epoch < 5; ++epoch) EXPECT_EQ(EndOf(epoch), "0:4") << epoch;
  EXPECT_EQ(EndOf(5), "5:4");
  Append(1);
  ASSERT_TRUE(engine_->DeleteRecords({"t", PartitionId(0)}, Offset(5)));
  Die(false);
  Start();
  EXPECT_EQ(Ownership(*metadata_).Epochs()->size(), 1U) << "nothing is left of the one before either";
  EXPECT_EQ(EndOf(6), "6:5");
  ASSERT_TRUE(engine_->DeleteTopic("t"));
  EXPECT_TRUE(Ownership(*metadata_).Epochs()->empty());
}

TEST_F(EngineEpochsTest, SegmentsAreCommittedUnderTheNewEpochAndKeepWhatTheirBatchesCarry) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  Append(4);
  Die(false);
  Start();
  Append(4);
  ASSERT_TRUE(engine_->Upload());
  ASSERT_TRUE(engine_->Recycle());
  EXPECT_EQ(access_->Marks(Find())->offsets.tiered_end, Offset(8));
  Close();
  Start();
  ExpectAgreement();
  EXPECT_EQ(access_->EpochAt(Find(), Offset(3))->value(), 0);
  EXPECT_EQ(access_->EpochAt(Find(), Offset(4))->value(), 1);
}

TEST_F(EngineEpochsTest, ASyncThatFailedForGoodRaisesTheEpochAndOneThatWasRescuedLosesNothing) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  Append(4);
  int failures = 1;
  disk_->SetFaultPlan(
      [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
        if (operation != SimOperation::kSync || path.extension() != ".wal" || failures == 0) return {};
        --failures;
        return SimFault{.code = ErrorCode::kUnavailable};
      });
  Record record = Value("x");
  ASSERT_TRUE(engine_->Append(At("t"), {&record, 1})) << "a fresh file took all of it";
  EXPECT_EQ(failures, 0);
  Close();
  Start();
  EXPECT_EQ(LogEnd(), Offset(5));
  EXPECT_EQ(Epoch(), 0) << "no offset can have been given twice";
  ExpectAgreement();
  failures = 1'000;
  Append(2);
  EXPECT_FALSE(engine_->Append(At("t"), {&record, 1}));
  access_.reset();
  (void)engine_->Close();
  disk_->SetFaultPlan({});
  Die(true);
  Start();
  EXPECT_EQ(Epoch(), 1);
  EXPECT_EQ(EndOf(0), "0:" + std::to_string(LogEnd().value()));
  Append(1);
  ExpectAgreement();
}

TEST_F(EngineEpochsTest, MetadataThatIsOlderThanTheLogDoesNotLetAnEpochComeTwice) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  const PartitionRow old = Catalog(*metadata_).Partitions(TopicId(1))->front();
  Append(1);
  Die(false);
  Start();
  Append(1);
  Die(false);
  const EpochRow forgotten = Ownership(*metadata_).Epochs()->front();
  const MetadataWrite restore[] = {{MetadataWrite::Kind::kPut, old}, {MetadataWrite::Kind::kErase, forgotten}};
  ASSERT_TRUE(metadata_->Commit({}, restore));
  Start();
  EXPECT_EQ(Epoch(), 2) << "a batch carries 1";
}

TEST_F(EngineEpochsTest, AFullDiskOpensAndTheNextOpeningRaises) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  Append(4);
  Die(true);
  EngineOptions options = OnDisk();
  std::vector<Event> events;
  options.on_event = [&](const Event& event) { events.push_back(event); };
  metadata_->refusal = Error(ErrorCode::kOutOfSpace, "full");
  Start(options);
  EXPECT_EQ(Epoch(), 0);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, EventKind::kUpkeepFailing);
  metadata_->refusal.reset();
  Close();
  Start();
  EXPECT_EQ(Epoch(), 1) << "that close was not a clean one";
  metadata_->refusal = Error(ErrorCode::kUnavailable, "out of reach");
  Die(false);
  EXPECT_EQ(CodeOf(SteppedEngine::Open(OnDisk())), ErrorCode::kUnavailable) << "whether it rose is not known";
}

TEST_F(EngineEpochsTest, WhoOpensForReadingRaisesNothing) {
  EngineOptions options = OnDisk();
  options.metadata = nullptr;
  options.metadata_store = "sqlite:";
  Start(options);
  ASSERT_TRUE(engine_->CreateTopic("t"));
  Append(4);
  Die(false);
  for (const bool read_only : {true, true, false}) {
    options.read_only = read_only;
    Start(options);
    EXPECT_EQ(Epoch(), read_only ? 0 : 1);
    EXPECT_EQ(LogEnd(), Offset(4));
    Die(false);
  }
}

}  // namespace
}  // namespace millrace
