// Goal: what a producer appends again is there once: after a clean close, a kill, a power loss, when its frames are
// gone, when the first answer never came; ids are given once. Method: an engine without threads over a simulated disk;
// an embedder that repeats every append until it is answered while its engine is killed under it.
#include <optional>
#include <set>

#include "engine/engine_fixture.h"
#include "engine/producer_ids.h"
#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "log/producer_checkpoint.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

constexpr StorageSizes kSmallFiles{.wal_file_bytes = 64 << 10, .wal_staging_bytes = 16 << 10};

class EngineProducersTest : public EngineFixture {
 protected:
  EngineOptions OnDisk() const {
    EngineOptions options = Options();
    options.data_dir = "/data";
    options.file_system = disk_;
    options.clock = clock_;
    options.object_store = "file://" + (directory_.path() / "objects").string();
    options.metadata_store = "sqlite://" + (directory_.path() / "metadata").string();
    return options;
  }
  Result<void> TryStart() {
    auto engine = SteppedEngine::Open(OnDisk(), {}, kSmallFiles);
    if (!engine) return engine.error();
    engine_ = *std::move(engine);
    return {};
  }
  void Start() {
    const auto started = TryStart();
    ASSERT_TRUE(started) << Told(started);
  }
  void Close() {
    EXPECT_TRUE(engine_->Close());
    engine_.reset();
  }
  void Die(bool power_lost) {
    power_lost ? disk_->Crash() : disk_->KillProcess();
    // The object that is left is of no process any more: nothing it does comes to the disk.
    disk_->SetFaultPlan([](SimOperation, const std::filesystem::path&, std::uint64_t) {
      return std::optional(SimFault{.code = ErrorCode::kClosed});
    });
    engine_.reset();
    disk_->SetFaultPlan({});
  }
  Result<AppendReceipt> Append(std::int32_t sequence, Durability durability = Durability::kDisk,
                               const std::string& value = "v", std::int16_t epoch = 0) {
    const Record record = Value(value);
    return engine_->Append(
        At("t"), {&record, 1},
        {.durability = durability, .producer = ProducerStamp{.id = 77, .epoch = epoch, .sequence = sequence}});
  }
  /// What numbers are repetitions: of the first 12, by their offsets.
  std::string Known(int numbers) {
    std::string known;
    for (int i = 0; i < numbers; ++i) {
      const auto receipt = Append(i);
      if (receipt && receipt->repeated) known += std::to_string(receipt->base_offset.value()) + " ";
    }
    return known;
  }
  Offset LogEnd() { return engine_->Offsets(At("t"))->log_end; }
  [[nodiscard]] bool CheckpointIsThere() const {
    const auto files = disk_->Files();
    return std::ranges::find(files, std::filesystem::path("/data/wal/producers")) != files.end();
  }
  /// All in the object store, no file of the WAL left that had it.
  void Recycle() {
    ASSERT_TRUE(engine_->Upload());
    ASSERT_TRUE(engine_->Recycle());
    EXPECT_EQ(engine_->Offsets(At("t"))->hot_start, LogEnd());
  }

  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>(9);
  std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
  SteppedEngine engine_;
};

TEST_F(EngineProducersTest, WhatIsKnownSurvivesEveryEndWhetherFramesAreThereOrGone) {
  for (const bool recycled : {false, true}) {
    for (const std::string end : {"close", "kill", "power"}) {
      SCOPED_TRACE(end + (recycled ? " without frames" : ""));
      disk_ = std::make_shared<SimFileSystem>(9);
      std::filesystem::remove_all(directory_.path() / "metadata");
      std::filesystem::remove_all(directory_.path() / "objects");
      Start();
      ASSERT_TRUE(engine_->CreateTopic("t"));
      for (int i = 0; i < 8; ++i) ASSERT_TRUE(Append(i));
      if (recycled) Recycle();
      EXPECT_EQ(CheckpointIsThere(), recycled);
      for (int life = 0; life < 3; ++life) {
        if (end == "close")
          Close();
        else
          Die(end == "power");
        Start();
        EXPECT_EQ(Known(8), "3 4 5 6 7 ");
        EXPECT_EQ(LogEnd(), Offset(8));
      }
      EXPECT_EQ(Append(9).error().code(), ErrorCode::kOutOfSequence);
      EXPECT_EQ(Append(8)->base_offset, Offset(8));
      Close();
    }
  }
}

TEST_F(EngineProducersTest, StateAndFramesAddUpWhereverTheCheckpointWasTaken) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  int next = 0;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i <= round; ++i) ASSERT_TRUE(Append(next++));
    Recycle();
    for (int i = 0; i < round; ++i) ASSERT_TRUE(Append(next++));  // behind the checkpoint
    Die(round % 2 == 0);
    Start();
    for (int i = std::max(0, next - 5); i < next; ++i) EXPECT_TRUE(Append(i)->repeated) << i;
    EXPECT_EQ(LogEnd(), Offset(next));
  }
}

/// Without the sync before a checkpoint it would tell of a batch that the crash took: then none of it can be believed.
TEST_F(EngineProducersTest, WhatACheckpointTellsOfNoCrashTakesBack) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    disk_ = std::make_shared<SimFileSystem>(seed);
    std::filesystem::remove_all(directory_.path() / "metadata");
    std::filesystem::remove_all(directory_.path() / "objects");
    Start();
    ASSERT_TRUE(engine_->CreateTopic("t"));
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(Append(i, Durability::kDisk, std::string(20'000, 'x')));  // several files
    ASSERT_TRUE(engine_->Upload());
    ASSERT_TRUE(Append(8, Durability::kOs, "mine"));  // staged, and not synced
    ASSERT_TRUE(engine_->Recycle());
    ASSERT_GT(engine_->Offsets(At("t"))->hot_start, Offset(0));
    ASSERT_TRUE(CheckpointIsThere());
    Die(true);
    Start();
    const auto known = Append(7, Durability::kDisk, "again");
    ASSERT_TRUE(known) << Told(known);
    EXPECT_TRUE(known->repeated) << "it was acknowledged, and its frame may be gone";
    EXPECT_EQ(known->base_offset, Offset(7));
    AppendNumbers(*engine_, At("t"), 1);  // takes the next offset
    const auto receipt = Append(8, Durability::kDisk, "mine");
    ASSERT_TRUE(receipt) << Told(receipt);
    const auto read = engine_->Read(At("t"), receipt->base_offset, {.records_max = 1});
    ASSERT_TRUE(read) << Told(read);
    EXPECT_EQ(read->records.at(0).value, "mine") << "acknowledged, and another record's";
    Close();
  }
}

TEST_F(EngineProducersTest, ARepetitionIsAnsweredByItsFirstOffsetAlsoOnceItsRecordsAreDeleted) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Append(i));
  ASSERT_TRUE(engine_->DeleteRecords(At("t"), Offset(4)));
  ASSERT_TRUE(engine_->Recycle());
  Die(false);
  Start();
  EXPECT_EQ(Known(4), "0 1 2 3 ");
  EXPECT_EQ(Append(6).error().code(), ErrorCode::kOutOfSequence) << "a gap";
}

TEST_F(EngineProducersTest, ATopicThatIsMadeAgainKnowsNobody) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append(i));
  ASSERT_TRUE(engine_->DeleteTopic("t"));
  EXPECT_EQ(engine_->Stats().producers, 0U);
  ASSERT_TRUE(engine_->CreateTopic("t"));
  EXPECT_EQ(Append(1)->base_offset, Offset(0));
  Die(false);
  Start();
  EXPECT_EQ(engine_->Stats().producers, 1U);
  EXPECT_EQ(Known(3), "0 ");
}

TEST_F(EngineProducersTest, WhoWasNotHeardOfForADayIsForgotten) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  ASSERT_TRUE(Append(0));
  clock_->Advance(std::chrono::hours(23));
  ASSERT_TRUE(engine_.steps().keep_time());
  EXPECT_EQ(engine_->Stats().producers, 1U);
  Close();  // the age counts on over it
  clock_->Advance(std::chrono::hours(2));
  Start();
  EXPECT_EQ(engine_->Stats().producers, 0U);
  EXPECT_EQ(engine_->Stats().producers_expired, 1U);
  EXPECT_TRUE(Append(5));
}

TEST_F(EngineProducersTest, ADamagedCheckpointCostsWhatItToldAndAnUnreadableOneKeepsTheLogShut) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append(i));
  Recycle();
  ASSERT_TRUE(Append(3));
  Close();
  disk_->SetFaultPlan([](SimOperation operation, const std::filesystem::path& path, std::uint64_t) {
    const bool hit = operation == SimOperation::kRead && path.filename() == "producers";
    return hit ? std::optional(SimFault{.code = ErrorCode::kUnavailable}) : std::nullopt;
  });
  EXPECT_EQ(CodeOf(TryStart()), ErrorCode::kUnavailable);
  disk_->SetFaultPlan({});
  disk_->FlipBit("/data/wal/producers", 40, 1);
  Start();
  EXPECT_EQ(LogEnd(), Offset(4));
  EXPECT_EQ(Known(4), "3 ") << "of its frame, which was read after all";
}

TEST_F(EngineProducersTest, ACheckpointThatCannotBeWrittenKeepsTheFilesAndTheNote) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append(i));
  ASSERT_TRUE(engine_->Upload());
  disk_->SetFaultPlan([](SimOperation operation, const std::filesystem::path& path, std::uint64_t) {
    const bool hit = operation == SimOperation::kWrite && path.native().find("producers") != std::string::npos;
    return hit ? std::optional(SimFault{.code = ErrorCode::kOutOfSpace}) : std::nullopt;
  });
  EXPECT_EQ(CodeOf(engine_->Recycle()), ErrorCode::kOutOfSpace);
  EXPECT_EQ(engine_->Offsets(At("t"))->hot_start, Offset(0));
  Close();
  disk_->SetFaultPlan({});
  Start();
  EXPECT_EQ(Known(3), "0 1 2 ");
}

TEST_F(EngineProducersTest, ALogWithoutSuchProducersWritesNoCheckpoint) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  AppendNumbers(*engine_, At("t"), 5);
  Recycle();
  Close();
  EXPECT_FALSE(CheckpointIsThere());
}

TEST_F(EngineProducersTest, AnAppendThatIsToldLaterIsRepeatedToo) {
  Start();
  ASSERT_TRUE(engine_->CreateTopic("t"));
  std::vector<AppendReceipt> told;
  const auto append = [&](std::int32_t sequence, Durability durability) {
    const Record record = Value("v");
    engine_->AppendAsync(At("t"), {&record, 1},
                         {.durability = durability, .producer = ProducerStamp{.id = 77, .sequence = sequence}},
                         [&](const Result<AppendReceipt>& receipt) {
                           ASSERT_TRUE(receipt) << Told(receipt);
                           told.push_back(*receipt);
                         });
  };
  append(0, Durability::kDisk);
  append(1, Durability::kDisk);
  append(0, Durability::kDisk);
  while (engine_.steps().async.CompleteOnce()) {
  }
  EXPECT_TRUE(told.empty()) << "nothing is synced yet, the repetition neither";
  ASSERT_TRUE(engine_.steps().wal.CommitOnce());
  while (engine_.steps().async.CompleteOnce()) {
  }
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[2].base_offset, Offset(0));
  EXPECT_TRUE(told[2].repeated);
  EXPECT_FALSE(told[1].repeated);
  EXPECT_EQ(engine_->Stats().appends, 2U);
}

/// Repeats until answered, over kills at any moment: every value is there once, in order.
TEST_F(EngineProducersTest, AnEmbedderThatRepeatsOverKillsAppendsEverythingOnce) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    disk_ = std::make_shared<SimFileSystem>(seed, SimTraits{.map = seed % 2 == 0});
    std::filesystem::remove_all(directory_.path() / "metadata");
    std::filesystem::remove_all(directory_.path() / "objects");
    Start();
    ASSERT_TRUE(engine_->CreateTopic("t"));
    constexpr int kValues = 80;
    for (int next = 0; next < kValues;) {
      const auto receipt = Append(next, Durability::kDisk, std::to_string(next));
      const bool lost_answer = random.OneIn(6);  // it may be there, and its producer does not know
      if (receipt && !lost_answer) {
        EXPECT_EQ(receipt->base_offset, Offset(next));
        ++next;
      }
      if (random.OneIn(9)) (void)engine_->Upload();
      if (random.OneIn(9)) (void)engine_->Recycle();
      if (random.OneIn(40)) {
        Close();
        Start();
      } else if (lost_answer || random.OneIn(10)) {
        Die(random.OneIn(2));
        Start();
      }
    }
    EXPECT_EQ(ReadAll(*engine_, At("t")), Numbers(0, kValues));
    Close();
  }
}

TEST(ProducerIdsTest, NoIdIsGivenTwiceWhateverDiesAndClonesGiveOthers) {
  MemoryMetadataStore metadata;
  SeededRandom random(1);
  std::set<std::int64_t> ids;
  for (int life = 0; life < 5; ++life) {
    ProducerIds given(metadata, random);
    EXPECT_FALSE(given.TryTake()) << "the first one costs a transaction";
    for (int i = 0; i < 70'000; ++i) {
      const auto id = given.Take();
      ASSERT_TRUE(id);
      ASSERT_GE(*id, 0);
      ASSERT_TRUE(ids.insert(*id).second);
    }
    EXPECT_TRUE(ids.insert(*given.TryTake()).second);
  }
  MemoryMetadataStore restored;  // of a moment before all this
  SeededRandom other(2);
  ProducerIds clone(restored, other);
  for (int i = 0; i < 70'000; ++i) ASSERT_TRUE(ids.insert(*clone.Take()).second);
}

TEST(ProducerIdsTest, MetadataThatFailsGivesNone) {
  MemoryMetadataStore metadata;
  SeededRandom random(1);
  ProducerIds ids(metadata, random);
  ASSERT_TRUE(metadata.Close());
  EXPECT_EQ(CodeOf(ids.Take()), ErrorCode::kClosed);
}

}  // namespace
}  // namespace millrace
