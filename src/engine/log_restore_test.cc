// Goal: what was acknowledged as `object` survives the machine, and nothing else is pretended. Method: engines without
// threads on simulated disks that are thrown away, over one memory store that outlives them and fails when told to;
// what is restored is read and compared with what was acknowledged. Proves B80, B87.
#include "engine/log_restore.h"

#include <map>
#include <set>

#include "engine/machines_fixture.h"
#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/group_catalog.h"
#include "meta/home_catalog.h"
#include "meta/memory_metadata_store.h"
#include "store/faulty_object_store.h"
#include "store/forwarding_object_store.h"
#include "store/memory_object_store.h"
#include "tier/claim_text.h"
#include "tier/log_linking.h"
#include "tier/offset_ceiling.h"

namespace millrace {
namespace {

/// The store, and what is behind it: what deletes, what lists short.
class WatchedStore final : public ForwardingObjectStore {
 public:
  explicit WatchedStore(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    MR_ASSIGN_OR_RETURN(ObjectPage page, ForwardingObjectStore::List(prefix, continuation, max));
    std::erase_if(page.objects, [&](const ObjectDescription& one) { return unlisted.contains(one.key); });
    return page;
  }
  std::set<std::string> unlisted;
};

class LogRestoreTest : public MachinesFixture {
 protected:
  Machine NewMachine(const std::shared_ptr<ObjectStore>& objects) {
    Machine machine = MachinesFixture::NewMachine(objects);
    machine.options.upload.delete_grace = std::chrono::minutes(1);
    return machine;
  }
  Machine NewMachine() { return NewMachine(store_); }
  /// Reached: in the object store, committed and proven.
  void AppendUploaded(const SteppedEngine& engine, const TopicPartition& at, int count) {
    AppendLocal(engine, at, count);
    ASSERT_TRUE(engine->Upload());
    uploaded_[at] = static_cast<int>(values_[at].size());
  }
  void AppendLocal(const SteppedEngine& engine, const TopicPartition& at, int count) {
    for (int i = 0; i < count; ++i) {
      values_[at].push_back(at.topic + std::to_string(values_[at].size()));
      const Record record = Value(values_[at].back());
      ASSERT_TRUE(engine->Append(at, {&record, 1}, {.durability = Durability::kOs}));
    }
  }
  Result<RestoreReport> Restore(const Machine& machine, bool dry_run = false) {
    return RestoreLog(machine.options, {.dry_run = dry_run, .requests_at_once = 1});
  }
  /// All that was uploaded is there at its offsets, from `begin` on; then the gap, told; nothing else.
  void CheckAll(const SteppedEngine& engine, const TopicPartition& at, int begin = 0) {
    std::map<std::int64_t, std::string> found;
    std::vector<DamagedRange> skipped;
    Offset position(begin);
    for (;;) {
      const auto read = engine->Read(at, position);
      ASSERT_TRUE(read) << Told(read);
      for (const RecordView& record : read->records)
        EXPECT_TRUE(found.emplace(record.offset.value(), *record.value).second) << record.offset.value();
      skipped.insert(skipped.end(), read->skipped.begin(), read->skipped.end());
      if (read->next == position) break;
      position = read->next;
    }
    for (int i = begin; i < uploaded_[at]; ++i) {
      ASSERT_TRUE(found.contains(i)) << at.topic << " " << i;
      EXPECT_EQ(found[i], values_[at][static_cast<std::size_t>(i)]);
    }
    for (const auto& [offset, value] : found)
      EXPECT_TRUE(offset < uploaded_[at] || offset >= kOffsetsAhead) << offset << " " << value;
    ASSERT_EQ(skipped.size(), 1U);
    EXPECT_EQ(skipped[0].reason, LossReason::kLostDisk);
    EXPECT_EQ(skipped[0].begin, Offset(uploaded_[at]));
    EXPECT_EQ(skipped[0].partition, at);
  }
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    for (const ObjectDescription& one : memory_->List("", "", 10'000)->objects) keys.push_back(one.key);
    std::ranges::sort(keys);
    return keys;
  }

  std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>(clock_.get());
  std::shared_ptr<FaultyObjectStore> faulty_ =
      std::make_shared<FaultyObjectStore>(memory_, 1, [](std::chrono::nanoseconds) {});
  std::shared_ptr<WatchedStore> store_ = std::make_shared<WatchedStore>(faulty_);
  std::map<TopicPartition, std::vector<std::string>> values_;
  std::map<TopicPartition, int> uploaded_;
};

TEST_F(LogRestoreTest, DirectoriesAlone) {
  const Machine lost = NewMachine();
  {
    const auto engine = OpenOn(lost);
    ASSERT_TRUE(engine->CreateTopic("a", {.partitions = 2, .durability = Durability::kObject}));
    ASSERT_TRUE(engine->CreateTopic("b", {.retention_time = std::chrono::hours(1'000)}));
    for (int round = 0; round < 3; ++round)
      for (const auto& at : {At("a", 0), At("a", 1), At("b")}) AppendUploaded(engine, at, 7 + round);
    AppendLocal(engine, At("a", 0), 5);  // lost with the disk
  }
  const Machine other = NewMachine();
  const auto dry = Restore(other, true);
  ASSERT_TRUE(dry) << Told(dry);
  const auto keys = Keys();
  const auto report = Restore(other);
  ASSERT_TRUE(report) << Told(report);
  EXPECT_EQ(Keys().size(), keys.size() + 2);  // a claim and a snapshot; the dry run put nothing
  EXPECT_EQ(report->records, dry->records);
  EXPECT_EQ(report->topics, 2U);
  EXPECT_EQ(report->partitions, 3U);
  EXPECT_EQ(report->records, 3U * 24);
  EXPECT_EQ(report->snapshot_ms, 0);
  EXPECT_TRUE(report->unusable.empty());
  EXPECT_EQ(report->lost.size(), 3U);
  const auto engine = OpenOn(other);
  for (const auto& at : {At("a", 0), At("a", 1), At("b")}) CheckAll(engine, at);
  const auto topics = engine->DescribeTopics();
  ASSERT_TRUE(topics);
  ASSERT_EQ(topics->size(), 2U);
  EXPECT_EQ((*topics)[0].options.durability, Durability::kObject);
  EXPECT_EQ((*topics)[1].options.retention_time, std::chrono::hours(1'000));
}

TEST_F(LogRestoreTest, WhatIsAppendedAfterwardsLiesAboveAndSurvivesTheNextLoss) {
  std::set<std::int64_t> given;
  const Machine first = NewMachine();
  {
    const auto engine = OpenOn(first);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    AppendUploaded(engine, At("a"), 10);
    AppendLocal(engine, At("a"), 10);
    for (std::int64_t i = 0; i < 20; ++i) given.insert(i);
  }
  std::vector<std::pair<std::int64_t, std::string>> kept;
  for (int loss = 0; loss < 3; ++loss) {
    const Machine next = NewMachine();
    const auto report = Restore(next);
    ASSERT_TRUE(report) << Told(report);
    const auto engine = OpenOn(next);
    for (const auto& [offset, value] : kept) {
      const auto read = engine->Read(At("a"), Offset(offset), {.records_max = 1});
      ASSERT_TRUE(read) << Told(read);
      ASSERT_FALSE(read->records.empty());
      EXPECT_EQ(read->records[0].offset, Offset(offset));
      EXPECT_EQ(read->records[0].value, value);
    }
    // With and without an upload: the next one must know of both.
    for (const bool upload : {true, false}) {
      const Record record = Value("loss " + std::to_string(loss));
      const auto receipt = engine->Append(At("a"), {&record, 1}, {.durability = Durability::kOs});
      ASSERT_TRUE(receipt) << Told(receipt);
      EXPECT_TRUE(given.insert(receipt->base_offset.value()).second) << receipt->base_offset.value();
      if (!upload) continue;
      if (loss == 1) continue;  // this machine never uploads at all
      ASSERT_TRUE(engine->Upload());
      kept.emplace_back(receipt->base_offset.value(), *record.value);
    }
  }
}

TEST_F(LogRestoreTest, WhoWasThereBeforeIsFencedAndReadsOn) {
  const Machine old = NewMachine();
  const auto zombie = OpenOn(old);
  ASSERT_TRUE(zombie->CreateTopic("a", {}));
  AppendUploaded(zombie, At("a"), 10);
  AppendLocal(zombie, At("a"), 5);
  const Machine other = NewMachine();
  ASSERT_TRUE(Restore(other));
  const auto before = Keys();
  const auto uploaded = zombie->Upload();
  EXPECT_EQ(CodeOf(uploaded), ErrorCode::kFenced) << Told(uploaded);
  const Record record = Value("late");
  EXPECT_EQ(CodeOf(zombie->Append(At("a"), {&record, 1}, {.durability = Durability::kOs})), ErrorCode::kFenced);
  EXPECT_EQ(CodeOf(zombie->CreateTopic("b", {})), ErrorCode::kFenced);
  EXPECT_EQ(ReadAll(*zombie, At("a")).size(), 15U);
  EXPECT_TRUE(zombie->Stats().fenced);
  const auto engine = OpenOn(other);
  CheckAll(engine, At("a"));
  // What it put after the takeover links nowhere, also in a later restore.
  AppendUploaded(engine, At("a"), 1);
  values_[At("a")].pop_back();
  uploaded_[At("a")] = 10;
  const Machine third = NewMachine();
  ASSERT_TRUE(Restore(third));
  const auto later = OpenOn(third);
  const auto read = later->Read(At("a"), Offset(10));
  ASSERT_TRUE(read) << Told(read);
  ASSERT_FALSE(read->records.empty());
  EXPECT_EQ(read->records[0].offset, CeilingOver(Offset(10)));
}

TEST_F(LogRestoreTest, DeletionsFollowASnapshotAndWhatIsRestoredRefersToNothingDeleted) {
  const Machine lost = NewMachine();
  {
    const auto engine = OpenOn(lost);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    ASSERT_TRUE(engine->CreateTopic("gone", {}));
    for (int round = 0; round < 4; ++round) AppendUploaded(engine, At("a"), 10);
    AppendUploaded(engine, At("gone"), 10);
    ASSERT_TRUE(engine->DeleteRecords(At("a"), Offset(25)));
    ASSERT_TRUE(engine->DeleteTopic("gone"));
    clock_->Advance(std::chrono::minutes(2));
    auto collected = engine.steps().collector.CollectOnce();
    while (collected && *collected) collected = engine.steps().collector.CollectOnce();
    ASSERT_TRUE(collected) << Told(collected);
    EXPECT_GE(engine.steps().snapshots.count(), 1U);
    EXPECT_EQ(engine.steps().collector.deleted(), 3U);
    AppendUploaded(engine, At("a"), 10);
  }
  const Machine other = NewMachine();
  const auto report = Restore(other);
  ASSERT_TRUE(report) << Told(report);
  EXPECT_NE(report->snapshot_ms, 0);
  EXPECT_EQ(report->topics, 1U);
  EXPECT_EQ(report->linked, 1U);
  const auto engine = OpenOn(other);
  EXPECT_EQ(engine->Offsets(At("a"))->log_start, Offset(25));
  CheckAll(engine, At("a"), 25);
}

TEST_F(LogRestoreTest, ADamagedSnapshotCostsTimeAndIsNamed) {
  const Machine lost = NewMachine();
  {
    const auto engine = OpenOn(lost);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    AppendUploaded(engine, At("a"), 10);
    ASSERT_TRUE(engine.steps().snapshots.Put());
    AppendUploaded(engine, At("a"), 10);
  }
  for (const std::string& key : Keys()) {
    if (key.find("/s/") == std::string::npos) continue;
    const SharedBytes junk = SharedBytes::Copy(AsBytes("junk that is no snapshot, but long enough to be looked at"));
    ASSERT_TRUE(memory_->Put(key, {&junk, 1}, PutMode::kOverwrite));
  }
  const Machine other = NewMachine();
  const auto report = Restore(other);
  ASSERT_TRUE(report) << Told(report);
  ASSERT_EQ(report->unusable.size(), 1U);
  EXPECT_NE(report->unusable[0].key.find("/s/"), std::string::npos);
  EXPECT_EQ(report->linked, 2U);
  CheckAll(OpenOn(other), At("a"));
}

TEST_F(LogRestoreTest, ShortListing) {
  const Machine lost = NewMachine();
  {
    const auto engine = OpenOn(lost);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    for (int i = 0; i < 5; ++i) AppendUploaded(engine, At("a"), 3);
  }
  std::vector<std::string> objects;
  for (const std::string& key : Keys())
    if (key.ends_with(".obj")) objects.push_back(key);
  ASSERT_EQ(objects.size(), 5U);
  // Each one left out, and each suffix: the last object as well.
  for (std::size_t i = 0; i < objects.size(); ++i) {
    for (const bool suffix : {false, true}) {
      store_->unlisted = suffix ? std::set<std::string>(objects.begin() + static_cast<std::ptrdiff_t>(i), objects.end())
                                : std::set<std::string>{objects[i]};
      const auto report = Restore(NewMachine(), true);
      EXPECT_EQ(CodeOf(report), ErrorCode::kUnavailable) << i;
    }
  }
  // Claims follow each other: one that is not listed is found all the same.
  store_->unlisted.clear();
  for (const std::string& key : Keys())
    if (key.find("/claim/") != std::string::npos) store_->unlisted.insert(key);
  const Machine other = NewMachine();
  ASSERT_TRUE(Restore(other));
  CheckAll(OpenOn(other), At("a"));
}

TEST_F(LogRestoreTest, CrashAtEveryStep) {
  const Machine lost = NewMachine();
  {
    const auto engine = OpenOn(lost);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    for (int i = 0; i < 3; ++i) AppendUploaded(engine, At("a"), 3);
  }
  int failures = 0;
  for (std::uint64_t n = 1; n < 200; ++n) {
    const auto failing = std::make_shared<FaultyObjectStore>(memory_, n, [](std::chrono::nanoseconds) {});
    failing->SetPlan({.code = ErrorCode::kPermissionDenied});  // what is not tried again
    failing->FailRequest(n, n % 2 == 0 ? ObjectFault::kErrorAfter : ObjectFault::kErrorBefore);
    const Machine dies = NewMachine(failing);
    const auto report = Restore(dies);
    if (failing->requests() < n) break;  // nothing failed
    failures += report ? 0 : 1;
    const Machine other = NewMachine();
    const auto again = Restore(other);
    ASSERT_TRUE(again) << n << " " << Told(again);
    CheckAll(OpenOn(other), At("a"));
  }
  EXPECT_GE(failures, 8);
}

TEST_F(LogRestoreTest, AnEngineTakesOverByItself) {
  const Machine lost = NewMachine();
  {
    const auto engine = OpenOn(lost);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    AppendUploaded(engine, At("a"), 10);
  }
  Machine other = NewMachine();
  other.options.take_over = true;
  {
    const auto engine = OpenOn(other);
    CheckAll(engine, At("a"));
  }
  EXPECT_EQ(CodeOf(Restore(other)), ErrorCode::kAlreadyExists);  // there is a log by now
}

TEST_F(LogRestoreTest, GroupsGoOnWhereTheSnapshotHasThem) {
  const Machine lost = NewMachine();
  {
    const auto engine = OpenOn(lost);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    AppendUploaded(engine, At("a"), 10);
    ASSERT_TRUE(engine->SeekGroup("g", At("a"), Offset(4)));
    ASSERT_TRUE(engine.steps().snapshots.Put());
  }
  const Machine other = NewMachine();
  ASSERT_TRUE(Restore(other));
  const auto engine = OpenOn(other);
  const auto group = engine->DescribeGroup("g");
  ASSERT_TRUE(group) << Told(group);
  ASSERT_EQ(group->size(), 1U);
  EXPECT_EQ((*group)[0].position, Offset(4));
  EXPECT_EQ((*group)[0].lag, 6U);  // what lies in the gap is nobody's to read
}

TEST_F(LogRestoreTest, GroupsProducerIdsAndEpochsAreInTheSnapshot) {
  const Machine lost = NewMachine();
  std::int64_t block = 0;
  LeaderEpoch epoch;
  {
    const auto engine = OpenOn(lost);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    AppendUploaded(engine, At("a"), 10);
    const StoredGroup group{.row = {.name = "g", .protocol = "range", .generation = 4, .leader = "m"},
                            .members = {{.key = {"g", "m"}, .assignment = "all"}}};
    ASSERT_TRUE(GroupCatalog(*lost.rows).Store({}, {&group, 1}));
    block = *Ownership(*lost.rows).TakeProducerBlock("x");
    ASSERT_TRUE(engine.steps().snapshots.Put());
    epoch = (*TopicCatalog(*lost.rows).AllPartitions())[0].epoch;
    // Taken afterwards, and lost with the disk: they are given to nobody else.
    block = *Ownership(*lost.rows).TakeProducerBlock("y");
  }
  const Machine other = NewMachine();
  ASSERT_TRUE(Restore(other));
  EXPECT_GT(*Ownership(*other.rows).TakeProducerBlock("z"), block);
  const auto groups = GroupCatalog(*other.rows).Groups();
  ASSERT_TRUE(groups) << Told(groups);
  ASSERT_EQ(groups->size(), 1U);
  EXPECT_EQ((*groups)[0].row.generation, 4 + kGenerationsAhead);
  ASSERT_EQ((*groups)[0].members.size(), 1U);
  EXPECT_EQ((*groups)[0].members[0].assignment, "all");
  const PartitionRow row = (*TopicCatalog(*other.rows).AllPartitions())[0];
  EXPECT_GT(row.epoch, epoch);
  const auto epochs = Ownership(*other.rows).Epochs();
  ASSERT_TRUE(epochs) << Told(epochs);
  ASSERT_FALSE(epochs->empty());
  EXPECT_EQ(epochs->back(), (EpochRow{row.key, row.epoch, Offset(10)}));
  // What was restored is in the restore's own snapshot as well.
  const Machine third = NewMachine();
  ASSERT_TRUE(Restore(third));
  EXPECT_GT(*Ownership(*third.rows).TakeProducerBlock("w"), block + kProducerBlocksAhead);
  EXPECT_EQ(GroupCatalog(*third.rows).Groups()->size(), 1U);
  EXPECT_GT((*TopicCatalog(*third.rows).AllPartitions())[0].epoch, row.epoch);
  CheckAll(OpenOn(third), At("a"));
}

TEST_F(LogRestoreTest, GroupsThatMoveAloneAreReasonEnoughForASnapshot) {
  const Machine machine = NewMachine();
  const auto engine = OpenOn(machine);
  ASSERT_TRUE(engine->CreateTopic("a", {}));
  AppendUploaded(engine, At("a"), 10);
  LogSnapshots& snapshots = engine.steps().snapshots;
  const auto due = [&] {
    clock_->Advance(std::chrono::minutes(61));
    const auto put = snapshots.PutIfDue(1);
    EXPECT_TRUE(put) << Told(put);
    return put && *put;
  };
  EXPECT_TRUE(due());
  EXPECT_FALSE(due());
  ASSERT_TRUE(engine->SeekGroup("g", At("a"), Offset(4)));
  EXPECT_TRUE(due());
  EXPECT_FALSE(due());
  ASSERT_TRUE(engine->SeekGroup("g", At("a"), Offset(5)));
  EXPECT_TRUE(due());
}

TEST_F(LogRestoreTest, AProcessThatLivesForOneMaintenanceLeavesASnapshot) {
  const Machine machine = NewMachine();
  {
    const auto engine = OpenOn(machine);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    AppendUploaded(engine, At("a"), 10);
    ASSERT_TRUE(engine->SeekGroup("g", At("a"), Offset(4)));
    // What a verb does in passing is not the place for it: it would be one more request of each verb.
    ASSERT_TRUE(engine->Maintain(std::chrono::milliseconds(100)));
    EXPECT_EQ(engine.steps().snapshots.count(), 0U);
    ASSERT_TRUE(engine->Maintain({}));
    EXPECT_EQ(engine.steps().snapshots.count(), 1U);
    ASSERT_TRUE(engine->Maintain({}));  // nothing has changed
    EXPECT_EQ(engine.steps().snapshots.count(), 1U);
  }
  const Machine other = NewMachine();
  ASSERT_TRUE(Restore(other));
  const auto engine = OpenOn(other);
  const auto group = engine->DescribeGroup("g");  // which no object tells of
  ASSERT_TRUE(group) << Told(group);
  EXPECT_EQ(group->front().position, Offset(4));
}

TEST_F(LogRestoreTest, NothingIsRestoredOverALogAndNothingFromNowhere) {
  const Machine machine = NewMachine();
  EXPECT_EQ(CodeOf(Restore(machine)), ErrorCode::kNotFound);
  {
    const auto engine = OpenOn(machine);
    ASSERT_TRUE(engine->CreateTopic("a", {}));
    AppendUploaded(engine, At("a"), 1);
  }
  EXPECT_EQ(CodeOf(Restore(machine)), ErrorCode::kAlreadyExists);
}

}  // namespace
}  // namespace millrace
