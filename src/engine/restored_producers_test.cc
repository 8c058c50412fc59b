// Goal: what a producer had appended and uploaded is not appended again by who goes on with the log without its disk,
// and nothing is taken for appended that is lost. Method: engines without threads on disks that are thrown away, over
// one store; what is sent again after a restore is answered as the first time, or appended, or refused.
#include <string>

#include "base/coding.h"
#include "engine/log_restore.h"
#include "engine/machines_fixture.h"
#include "log/producer_checkpoint.h"
#include "store/memory_object_store.h"
#include "tier/object_tail.h"
#include "tier/offset_ceiling.h"

namespace millrace {
namespace {

class RestoredProducersTest : public MachinesFixture {
 protected:
  Machine NewMachine() { return MachinesFixture::NewMachine(store_); }
  static Result<AppendReceipt> Send(const SteppedEngine& engine, std::int32_t sequence, std::int16_t epoch = 0,
                                    std::int64_t id = 77) {
    const Record record = Value("v" + std::to_string(sequence));
    return engine->Append(
        At("t"), {&record, 1},
        {.durability = Durability::kOs, .producer = ProducerStamp{.id = id, .epoch = epoch, .sequence = sequence}});
  }
  static void SendAll(const SteppedEngine& engine, std::int32_t begin, std::int32_t end) {
    for (std::int32_t i = begin; i < end; ++i) {
      const auto sent = Send(engine, i);
      ASSERT_TRUE(sent) << Told(sent);
      ASSERT_FALSE(sent->repeated) << i;
    }
  }
  /// The offset of the first time; "new" if it is appended, else the error.
  static std::string SentAgain(const SteppedEngine& engine, std::int32_t sequence, std::int16_t epoch = 0) {
    const auto sent = Send(engine, sequence, epoch);
    if (!sent) return std::string(ErrorCodeName(sent.error().code()));
    return sent->repeated ? std::to_string(sent->base_offset.value()) : "new";
  }
  Machine Restored() {
    Machine machine = NewMachine();
    const auto report = RestoreLog(machine.options, {.requests_at_once = 1});
    EXPECT_TRUE(report) << Told(report);
    if (report) report_ = *report;
    return machine;
  }
  /// The versions of the directories of all objects in the store, as text.
  std::string DirectoryVersions() {
    std::string versions;
    for (const std::string& key : KeysOf(*store_)) {
      const std::uint64_t size = store_->Head(key)->size_bytes;
      const auto bytes = store_->Get(key, {0, size});
      const auto told = DirectoryBytes(bytes->bytes());
      if (told) versions += std::to_string(GetLe<std::uint32_t>(bytes->data() + size - *told + 4));
    }
    return versions;
  }

  std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>(clock_.get());
  RestoreReport report_;
};

TEST_F(RestoredProducersTest, ObjectsAloneTellWhatCameBeforeAndWhatMayFollow) {
  {
    const auto engine = OpenOn(NewMachine());
    ASSERT_TRUE(engine->CreateTopic("t"));
    for (int round = 0; round < 4; ++round) {  // of two batches each: a window comes of several objects
      SendAll(engine, round * 2, round * 2 + 2);
      ASSERT_TRUE(engine->Upload());
    }
  }
  EXPECT_EQ(DirectoryVersions(), "2222");
  const Machine other = Restored();
  EXPECT_EQ(report_.snapshot_ms, 0);
  EXPECT_EQ(report_.producers, 1U);
  auto engine = OpenOn(other);
  EXPECT_EQ(engine->Stats().producers, 1U);
  for (int life = 0; life < 2; ++life) {
    for (int i = 3; i < 8; ++i) EXPECT_EQ(SentAgain(engine, i), std::to_string(i));
    EXPECT_EQ(SentAgain(engine, 2), ErrorCodeName(ErrorCode::kOutOfSequence)) << "before the five";
    EXPECT_EQ(SentAgain(engine, 9), ErrorCodeName(ErrorCode::kOutOfSequence)) << "a gap";
    engine.reset();  // and it is known from now on as anything is
    engine = OpenOn(other);
  }
  const auto next = Send(engine, 8);
  ASSERT_TRUE(next) << Told(next);
  EXPECT_FALSE(next->repeated);
  EXPECT_EQ(next->base_offset, Offset(8 + kOffsetsAhead));
  EXPECT_EQ(SentAgain(engine, 8), std::to_string(next->base_offset.value()));
  EXPECT_EQ(SentAgain(engine, 4), "4");
  engine.reset();
  engine = OpenOn(other);
  EXPECT_EQ(SentAgain(engine, 8), std::to_string(next->base_offset.value())) << "frames add up with what was restored";
  EXPECT_EQ(SentAgain(engine, 4), "4");
}

TEST_F(RestoredProducersTest, ASnapshotTellsOfTheObjectsBeforeItAndObjectsOfTheRest) {
  {
    const auto engine = OpenOn(NewMachine());
    ASSERT_TRUE(engine->CreateTopic("t"));
    SendAll(engine, 0, 6);
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine.steps().snapshots.Put());
    SendAll(engine, 6, 8);
    ASSERT_TRUE(engine->Upload());
    SendAll(engine, 8, 9);  // lost with the disk
  }
  const auto engine = OpenOn(Restored());
  EXPECT_NE(report_.snapshot_ms, 0);
  EXPECT_EQ(report_.linked, 1U);
  for (int i = 3; i < 8; ++i) EXPECT_EQ(SentAgain(engine, i), std::to_string(i));
  EXPECT_EQ(SentAgain(engine, 9), ErrorCodeName(ErrorCode::kOutOfSequence)) << "8 is lost, and was never uploaded";
  EXPECT_EQ(SentAgain(engine, 8), "new");
  EXPECT_EQ(SentAgain(engine, 9), "new");
}

TEST_F(RestoredProducersTest, WhatASnapshotTellsAndNoObjectHoldsIsNotBelieved) {
  for (const int lost : {2, 5, 7}) {
    SCOPED_TRACE(lost);
    store_ = std::make_shared<MemoryObjectStore>(clock_.get());
    {
      const auto engine = OpenOn(NewMachine());
      ASSERT_TRUE(engine->CreateTopic("t"));
      SendAll(engine, 0, 3);
      ASSERT_TRUE(engine->Upload());
      SendAll(engine, 3, 3 + lost);
      ASSERT_TRUE(engine.steps().snapshots.Put());
    }
    const auto engine = OpenOn(Restored());
    EXPECT_EQ(report_.producers, lost < 5 ? 1U : 0U) << "of whom all five are lost, nothing is known";
    if (lost < 5) EXPECT_EQ(SentAgain(engine, 2), "2");
    for (int i = 3; i < 3 + lost; ++i) EXPECT_EQ(SentAgain(engine, i), "new") << "it is lost, and not to be lost again";
    EXPECT_EQ(Records(engine).size(), 3U + static_cast<unsigned>(lost));
  }
}

TEST_F(RestoredProducersTest, OneLossAfterTheOther) {
  {
    const auto engine = OpenOn(NewMachine());
    ASSERT_TRUE(engine->CreateTopic("t"));
    SendAll(engine, 0, 3);
    ASSERT_TRUE(engine->Upload());
  }
  (void)Restored();  // and lost at once: its snapshot is all there is
  std::int64_t third = 0;
  {
    const auto engine = OpenOn(Restored());
    EXPECT_EQ(report_.linked, 0U);
    EXPECT_EQ(SentAgain(engine, 2), "2");
    const auto sent = Send(engine, 3);
    ASSERT_TRUE(sent) << Told(sent);
    third = sent->base_offset.value();
    ASSERT_TRUE(engine->Upload());
  }
  const auto engine = OpenOn(Restored());
  EXPECT_EQ(SentAgain(engine, 1), "1") << "a window over two lives";
  EXPECT_EQ(SentAgain(engine, 3), std::to_string(third));
  EXPECT_EQ(SentAgain(engine, 5), ErrorCodeName(ErrorCode::kOutOfSequence));
}

TEST_F(RestoredProducersTest, EpochsAndDeletedRecordsAreAsTheyWere) {
  {
    const auto engine = OpenOn(NewMachine());
    ASSERT_TRUE(engine->CreateTopic("t"));
    SendAll(engine, 0, 3);
    ASSERT_TRUE(Send(engine, 0, 1));
    ASSERT_TRUE(Send(engine, 1, 1));
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine->DeleteRecords(At("t"), Offset(5)));
    ASSERT_TRUE(engine.steps().snapshots.Put());
  }
  {
    const auto engine = OpenOn(Restored());
    EXPECT_EQ(SentAgain(engine, 3, 0), ErrorCodeName(ErrorCode::kProducerFenced));
    EXPECT_EQ(SentAgain(engine, 1, 1), "4") << "it is gone, and was there";
    EXPECT_EQ(SentAgain(engine, 3, 1), ErrorCodeName(ErrorCode::kOutOfSequence));
  }
}

TEST_F(RestoredProducersTest, TheirAgeCountsOn) {
  {
    const auto engine = OpenOn(NewMachine());
    ASSERT_TRUE(engine->CreateTopic("t"));
    SendAll(engine, 0, 3);
    ASSERT_TRUE(engine->Upload());
    clock_->Advance(std::chrono::hours(23));
    ASSERT_TRUE(engine.steps().keep_time());
    ASSERT_TRUE(Send(engine, 0, 0, 78));  // another, a day later
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine.steps().snapshots.Put());
  }
  clock_->Advance(std::chrono::hours(2));
  const auto engine = OpenOn(Restored());
  EXPECT_EQ(report_.producers, 2U);
  EXPECT_EQ(engine->Stats().producers, 1U) << "the other was not heard of for a day";
  EXPECT_EQ(SentAgain(engine, 9), "new");
}

TEST_F(RestoredProducersTest, WithoutSuchProducersObjectsAreAsTheyWereAndNoCheckpointIsMade) {
  {
    const auto engine = OpenOn(NewMachine());
    AppendAll(engine, 5, 5);
  }
  EXPECT_EQ(DirectoryVersions(), "1");
  Machine other = NewMachine();
  // Of a restore that died: it told of somebody.
  ProducerState left{.stream = WalStream(1ULL << 32), .window = {.id = 5}, .wal_end = {}, .touched_ms = 1};
  left.window.Push(0, {.first = 0, .last = 0, .base = Offset(0), .timestamp_ms = 1});
  ASSERT_TRUE(other.disk->CreateDirectories("/data/wal"));
  ASSERT_TRUE(WriteProducerCheckpoint(*other.disk, "/data/wal", {.wal_end = {}, .states = {left}}));
  const auto report = RestoreLog(other.options, {.requests_at_once = 1});
  ASSERT_TRUE(report) << Told(report);
  EXPECT_EQ(report->producers, 0U);
  EXPECT_EQ(OpenOn(other)->Stats().producers, 0U);
}

TEST_F(RestoredProducersTest, ARestoreThatCannotKeepThemSaysSoAndIsMadeAgain) {
  {
    const auto engine = OpenOn(NewMachine());
    ASSERT_TRUE(engine->CreateTopic("t"));
    SendAll(engine, 0, 3);
    ASSERT_TRUE(engine->Upload());
  }
  Machine other = NewMachine();
  int hits = 0;
  other.disk->SetFaultPlan([&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) {
    const bool hit = operation == SimOperation::kWrite && path.native().find("producers") != std::string::npos;
    hits += hit ? 1 : 0;
    return hit ? std::optional(SimFault{.code = ErrorCode::kOutOfSpace}) : std::nullopt;
  });
  EXPECT_EQ(CodeOf(RestoreLog(other.options, {.requests_at_once = 1})), ErrorCode::kOutOfSpace);
  EXPECT_GT(hits, 0);
  other.disk->SetFaultPlan({});
  other.options.metadata = other.rows = std::make_shared<DyingRows>(clock_.get());  // the directory's own are cleared
  const auto again = RestoreLog(other.options, {.requests_at_once = 1});
  ASSERT_TRUE(again) << Told(again);
  EXPECT_EQ(SentAgain(OpenOn(other), 2), "2");
}

TEST_F(RestoredProducersTest, WhoFollowsTheLogReadsWhatIsThere) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("t"));
  SendAll(owner, 0, 3);
  ASSERT_TRUE(owner->Upload());
  ASSERT_TRUE(owner.steps().snapshots.Put());
  SendAll(owner, 3, 5);
  ASSERT_TRUE(owner->Upload());
  EngineOptions options;
  options.read_only = true;
  options.clock = clock_;
  options.file_system = std::make_shared<SimFileSystem>(++machines_);
  options.objects = store_;
  const auto follower = SteppedEngine::Open(options, NewRandom());
  ASSERT_TRUE(follower) << Told(follower);
  EXPECT_EQ(Records(*follower).size(), 5U);
  EXPECT_EQ((*follower)->Stats().producers, 0U) << "they are their owner's";
}

}  // namespace
}  // namespace millrace
