// Goal: an engine that is opened after a crash puts nothing a second time that the store had got. Method: engines
// without threads on a simulated disk, over stores in memory that outlive them; metadata fails between a put and its
// commit, the process is killed, puts of the next one are counted. Proves B86, B88.
#include <gtest/gtest.h>

#include "engine/machines_fixture.h"
#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"
#include "store/forwarding_object_store.h"
#include "store/memory_object_store.h"
#include "tier/offset_ceiling.h"

namespace millrace {
namespace {

/// Counts the objects that are put.
class CountedStore final : public ForwardingObjectStore {
 public:
  explicit CountedStore(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}
  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    if (key.ends_with(".obj")) ++puts;
    return ForwardingObjectStore::Put(key, pieces, mode);
  }
  int puts = 0;
};

class EngineArrivedTest : public EngineFixture {
 protected:
  SteppedEngine Start() {
    faulty_ = std::make_shared<FaultyMetadataStore>(rows_, 1);
    EngineOptions options;
    options.data_dir = "/data";
    options.clock = clock_;
    options.file_system = disk_;
    options.objects = store_;
    options.metadata = faulty_;
    options.wal_bytes_max = 64 << 20;
    options.batch_bytes_max = 4 << 20;
    auto engine = SteppedEngine::Open(std::move(options), std::make_shared<SeededRandom>(++processes_));
    EXPECT_TRUE(engine) << Told(engine);
    return engine ? *std::move(engine) : SteppedEngine();
  }
  void Kill(SteppedEngine& engine) {
    disk_->KillProcess();
    engine.reset();
  }
  /// Puts an object of both partitions whose rows are never committed, and dies.
  void DieBetweenPutAndCommit() {
    auto engine = Start();
    ASSERT_TRUE(engine->CreateTopic("a", {.partitions = 2}));
    AppendNumbers(*engine, At("a", 0), 5);
    ASSERT_TRUE(engine->Upload());
    AppendNumbers(*engine, At("a", 0), 5, 5);
    AppendNumbers(*engine, At("a", 1), 7);
    faulty_->SetPlan({.silent_once_fired = true});
    faulty_->FailCommit(2, MetadataFault::kBefore);  // the first prepares the object
    clock_->Advance(std::chrono::minutes(2));        // all of it is due
    EXPECT_FALSE(engine.steps().uploader.UploadOnce());
    EXPECT_GE(faulty_->fired(MetadataFault::kBefore), 1U);
    ASSERT_EQ(store_->puts, 2);
    Kill(engine);
    store_->puts = 0;
  }
  void CheckAll(Engine& engine) {
    EXPECT_EQ(ReadAll(engine, At("a", 0)), Numbers(0, 10));
    EXPECT_EQ(ReadAll(engine, At("a", 1)), Numbers(0, 7));
  }
  std::size_t Prepared() { return Catalog(*rows_).ObjectsIn(ObjectState::kPrepared, INT64_MAX, 100)->size(); }

  std::uint64_t processes_ = 0;
  std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>(1);
  std::shared_ptr<DyingRows> rows_ = std::make_shared<DyingRows>(clock_.get());
  std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>(clock_.get());
  std::shared_ptr<CountedStore> store_ = std::make_shared<CountedStore>(memory_);
  std::shared_ptr<FaultyMetadataStore> faulty_;
};

TEST_F(EngineArrivedTest, WhatHadArrivedIsNotPutAgain) {
  DieBetweenPutAndCommit();
  EXPECT_EQ(Prepared(), 1U);
  auto engine = Start();
  CheckAll(*engine);
  ASSERT_TRUE(engine->Upload());
  EXPECT_EQ(store_->puts, 0);
  EXPECT_EQ(Prepared(), 0U);
  EXPECT_EQ(engine->Offsets(At("a", 0))->tiered_end, Offset(10));
  EXPECT_EQ(engine->Offsets(At("a", 1))->tiered_end, Offset(7));
  ASSERT_TRUE(engine->Recycle());
  CheckAll(*engine);
  AppendNumbers(*engine, At("a", 1), 1, 7);
  ASSERT_TRUE(engine->Upload());
  EXPECT_EQ(store_->puts, 1);
}

TEST_F(EngineArrivedTest, WhatNeverArrivedIsPut) {
  DieBetweenPutAndCommit();
  for (const ObjectDescription& one : memory_->List("", "", 100)->objects)
    if (const auto rows = Catalog(*rows_).ObjectsIn(ObjectState::kPrepared, INT64_MAX, 100); (*rows)[0].key == one.key)
      ASSERT_TRUE(memory_->Delete(one.key));
  auto engine = Start();
  ASSERT_TRUE(engine->Upload());
  EXPECT_EQ(store_->puts, 1);
  ASSERT_TRUE(engine->Recycle());
  CheckAll(*engine);
}

TEST_F(EngineArrivedTest, AppendsAfterTheCrashGoOnBehindWhatIsLinked) {
  DieBetweenPutAndCommit();
  auto engine = Start();
  AppendNumbers(*engine, At("a", 0), 3, 10);
  ASSERT_TRUE(engine->Upload());
  EXPECT_EQ(store_->puts, 1);
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(ReadAll(*engine, At("a", 0)), Numbers(0, 13));
  EXPECT_EQ(ReadAll(*engine, At("a", 1)), Numbers(0, 7));
}

TEST_F(EngineArrivedTest, NothingIsAppendedPastWhatTheStoreHasHeardOf) {
  auto engine = Start();
  ASSERT_TRUE(engine->CreateTopic("a", {}));
  engine.reset();
  // Trimmed whole, far above anything that an object or a snapshot tells.
  const PartitionRow row = (*TopicCatalog(*rows_).AllPartitions())[0];
  const Offset trimmed = CeilingOver(Offset(0)) + 7;
  ASSERT_TRUE(Catalog(*rows_).AdvanceLogStart(row.key, row.epoch, trimmed, clock_->WallMs()));
  engine = Start();
  const Record record = Value("x");
  const auto refused = engine->Append(At("a"), {&record, 1}, {.durability = Durability::kOs});
  EXPECT_EQ(CodeOf(refused), ErrorCode::kTimeout) << Told(refused);
  const auto put = engine.steps().snapshots.PutIfDue(0);  // the keeper's next look
  ASSERT_TRUE(put) << Told(put);
  EXPECT_TRUE(*put);
  const auto receipt = engine->Append(At("a"), {&record, 1}, {.durability = Durability::kOs});
  ASSERT_TRUE(receipt) << Told(receipt);
  EXPECT_EQ(receipt->base_offset, trimmed);
}

}  // namespace
}  // namespace millrace
