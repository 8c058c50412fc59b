// Goal: a log is read from its object store alone while its owner writes: all that was uploaded, nothing that the log
// may disown, and nothing is written there. Method: an owner and a follower without threads over one store, in memory
// and in a directory, that counts what each of them asks; what is read is compared with what was appended. Proves B93,
// B94, B95.
#include "engine/log_follower.h"

#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <map>
#include <set>
#include <thread>

#include "engine/log_move.h"
#include "engine/log_restore.h"
#include "engine/machines_fixture.h"
#include "engine/stepped_engine.h"
#include "env/posix_file_system.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/memory_metadata_store.h"
#include "millrace/consumer.h"
#include "store/forwarding_object_store.h"
#include "store/local_dir_object_store.h"
#include "store/memory_object_store.h"
#include "tier/claim_text.h"
#include "tier/offset_ceiling.h"
#include "tier/store_keys.h"

namespace millrace {
namespace {

/// Counts requests, hides keys from lists, and says that it has none of them when told to.
class WatchedStore final : public ForwardingObjectStore {
 public:
  explicit WatchedStore(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}
  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    ++writes;
    return ForwardingObjectStore::Put(key, pieces, mode);
  }
  Result<void> Delete(std::string_view key) override {
    ++writes;
    return ForwardingObjectStore::Delete(key);
  }
  Result<void> DeleteMany(std::span<const std::string> keys) override {
    ++writes;
    return ForwardingObjectStore::DeleteMany(keys);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    ++requests;
    if (down) return Error(ErrorCode::kPermissionDenied, "no");
    return ForwardingObjectStore::Get(key, range);
  }
  Result<ObjectDescription> Head(std::string_view key) override {
    ++requests;
    return ForwardingObjectStore::Head(key);
  }
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    ++requests;
    if (before_objects && prefix.contains("/o/")) std::exchange(before_objects, nullptr)();
    MR_ASSIGN_OR_RETURN(ObjectPage page, ForwardingObjectStore::List(prefix, continuation, max));
    std::erase_if(page.objects, [&](const ObjectDescription& one) { return unlisted.contains(one.key); });
    return page;
  }
  std::atomic<int> writes = 0, requests = 0;
  std::atomic<bool> down = false;
  std::set<std::string> unlisted;
  std::function<void()> before_objects;  // once, before objects are listed
};

enum class Place { kMemory, kDirectory };

class LogFollowerTest : public MachinesFixture, public ::testing::WithParamInterface<Place> {
 protected:
  LogFollowerTest() {
    if (GetParam() == Place::kMemory) {
      store_ = std::make_shared<MemoryObjectStore>(clock_.get());
    } else {
      store_ = LocalDirObjectStore::Open(directory_.path() / "store", files_, random_).value();
    }
    watched_ = std::make_shared<WatchedStore>(store_);
  }
  ~LogFollowerTest() override { EXPECT_EQ(watched_->writes, 0) << "a follower writes nothing"; }

  Machine NewMachine() {
    Machine machine = MachinesFixture::NewMachine(store_);
    machine.options.upload.delete_grace = std::chrono::minutes(1);
    return machine;
  }
  EngineOptions Following() {
    EngineOptions options;
    options.read_only = true;
    options.clock = clock_;
    options.file_system = std::make_shared<SimFileSystem>(++machines_);
    options.objects = watched_;
    return options;
  }
  SteppedEngine Follow() {
    auto engine = SteppedEngine::Open(Following(), std::make_shared<SeededRandom>(++machines_));
    EXPECT_TRUE(engine) << Told(engine);
    return engine ? *std::move(engine) : SteppedEngine();
  }
  void Append(const SteppedEngine& engine, const TopicPartition& at, int count) {
    for (int i = 0; i < count; ++i) {
      values_[at].push_back(at.topic + std::to_string(values_[at].size()));
      const Record record = Value(values_[at].back());
      ASSERT_TRUE(engine->Append(at, {&record, 1}, {.durability = Durability::kOs}));
    }
  }
  void AppendUploaded(const SteppedEngine& engine, const TopicPartition& at, int count) {
    Append(engine, at, count);
    ASSERT_TRUE(engine->Upload());
  }
  static void Look(const SteppedEngine& follower, LookDepth depth = LookDepth::kUsual) {
    const auto looked = follower.follower().LookOnce(depth);
    ASSERT_TRUE(looked) << Told(looked);
  }
  void CheckAll(const SteppedEngine& follower, const TopicPartition& at, std::size_t count) {
    EXPECT_EQ(ReadAll(*follower, at), std::vector(values_[at].begin(), values_[at].begin() + static_cast<long>(count)));
    EXPECT_EQ(follower->Offsets(at)->log_end, Offset(static_cast<std::int64_t>(count)));
  }
  std::vector<std::string> Keys(std::string_view part) {
    std::vector<std::string> keys;
    const auto page = store_->List("", "", 10'000);
    for (const ObjectDescription& one : page->objects)
      if (one.key.contains(part)) keys.push_back(one.key);
    std::ranges::sort(keys);
    return keys;
  }
  /// Somebody claims the log, and has put no snapshot yet.
  void BeginTakeover() {
    const auto claims = Keys("/claim/");
    ASSERT_EQ(claims.size(), 1U);
    const auto text = store_->Get(claims[0], {0, 4'096});
    ClaimText claim = ParseClaimText(AsText(*text)).value();
    const StoreKeys keys("", claim.identity);
    claim.how = ClaimText::How::kTakesOver;
    claim.nonce_before = std::exchange(claim.nonce, 77);
    claim.generation = 2;
    claim.host = "elsewhere";
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(Encode(claim)));
    ASSERT_TRUE(store_->Put(keys.Claim(2), {&bytes, 1}, PutMode::kIfAbsent));
  }
  static void Collect(const SteppedEngine& engine) {
    auto collected = engine.steps().collector.CollectOnce();
    while (collected && *collected) collected = engine.steps().collector.CollectOnce();
    ASSERT_TRUE(collected) << Told(collected);
  }

  PosixFileSystem files_;
  SeededRandom random_{5};
  std::shared_ptr<ObjectStore> store_;
  std::shared_ptr<WatchedStore> watched_;
  std::map<TopicPartition, std::vector<std::string>> values_;
};

INSTANTIATE_TEST_SUITE_P(Stores, LogFollowerTest, ::testing::Values(Place::kMemory, Place::kDirectory));

TEST_P(LogFollowerTest, ReadsWhatWasUploadedAndWhatComes) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a", {.partitions = 2, .durability = Durability::kObject}));
  AppendUploaded(owner, At("a", 0), 10);
  AppendUploaded(owner, At("a", 1), 7);
  Append(owner, At("a", 0), 3);  // on the owner's disk alone
  const auto follower = Follow();
  CheckAll(follower, At("a", 0), 10);
  CheckAll(follower, At("a", 1), 7);
  const auto topics = follower->DescribeTopics();
  ASSERT_TRUE(topics) << Told(topics);
  EXPECT_EQ(topics->at(0).options.durability, Durability::kObject);
  EXPECT_EQ(topics->at(0).id, owner->DescribeTopics()->at(0).id);
  EXPECT_EQ(topics->at(0).partitions[0].segments, 1U);
  EXPECT_EQ(CodeOf(follower->Read(At("a"), Offset(11))), ErrorCode::kOutOfRange);
  for (int round = 0; round < 5; ++round) {
    AppendUploaded(owner, At("a", 0), 4);
    Look(follower);
    CheckAll(follower, At("a", 0), 17U + 4U * static_cast<unsigned>(round));
  }
  CheckAll(follower, At("a", 1), 7);
  EXPECT_EQ(follower->Stats().follow->objects, 7U);
  EXPECT_TRUE(follower->Stats().read_only);
  EXPECT_EQ(follower->DescribeSegments(At("a", 0))->size(), 6U);
}

TEST_P(LogFollowerTest, AConsumerGoesOnWithWhatComes) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 3);
  const auto follower = Follow();
  const auto consumer = follower->OpenConsumer({.topics = {"a"}});
  ASSERT_TRUE(consumer) << Told(consumer);
  EXPECT_EQ((*consumer)->Poll(100)->size(), 3U);
  AppendUploaded(owner, At("a"), 2);
  Look(follower);
  const auto polled = (*consumer)->Poll(100);
  ASSERT_EQ(polled->size(), 2U);
  // More partitions, too.
  ASSERT_TRUE(owner->AlterTopic("a", {.partitions = 2}));
  AppendUploaded(owner, At("a", 1), 2);
  Look(follower);
  EXPECT_EQ((*consumer)->Poll(100)->size(), 2U);
}

TEST_P(LogFollowerTest, TopicsComeChangeAndGo) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 3);
  const auto follower = Follow();
  ASSERT_TRUE(owner->CreateTopic("b", {.retention_time = std::chrono::hours(9)}));
  AppendUploaded(owner, At("b"), 2);
  ASSERT_TRUE(owner->AlterTopic("a", {.partitions = 3, .retention_bytes = 77}));
  AppendUploaded(owner, At("a", 2), 4);
  Look(follower);
  CheckAll(follower, At("b"), 2);
  CheckAll(follower, At("a", 2), 4);
  CheckAll(follower, At("a", 1), 0);
  auto topics = follower->DescribeTopics();
  ASSERT_EQ(topics->size(), 2U);
  EXPECT_EQ(topics->at(0).options.retention_bytes, 77U);
  EXPECT_EQ(topics->at(1).options.retention_time, std::chrono::hours(9));
  // Gone with the next snapshot; one that was made anew takes its name at once.
  ASSERT_TRUE(owner->DeleteTopic("b"));
  ASSERT_TRUE(owner->DeleteTopic("a"));
  ASSERT_TRUE(owner->CreateTopic("a"));
  values_[At("a")].clear();
  AppendUploaded(owner, At("a"), 5);
  Look(follower);
  CheckAll(follower, At("a"), 5);
  EXPECT_EQ(follower->DescribeTopics()->at(0).options.partitions, 1);
  ASSERT_TRUE(owner.steps().snapshots.Put());
  Look(follower, LookDepth::kThorough);
  topics = follower->DescribeTopics();
  ASSERT_EQ(topics->size(), 1U);
  EXPECT_EQ(CodeOf(follower->Read(At("b"), Offset(0))), ErrorCode::kNotFound);
  CheckAll(follower, At("a"), 5);
}

TEST_P(LogFollowerTest, ASnapshotTakesThePlaceOfObjects) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  for (int i = 0; i < 4; ++i) AppendUploaded(owner, At("a"), 5);
  ASSERT_TRUE(owner->SeekGroup("g", At("a"), Offset(13)));
  Append(owner, At("a"), 5);
  EXPECT_EQ(owner->Read(At("a"), Offset(20))->records.size(), 5U);
  ASSERT_TRUE(owner->SeekGroup("h", At("a"), Offset(25)));  // past what is uploaded
  const auto follower = Follow();
  EXPECT_EQ(follower->Stats().follow->objects, 4U);
  ASSERT_TRUE(owner.steps().snapshots.Put());
  ASSERT_TRUE(owner->Upload());
  Look(follower);  // too little to see it
  EXPECT_EQ(follower->Stats().follow->objects, 5U);
  Look(follower, LookDepth::kThorough);
  EXPECT_EQ(follower->Stats().follow->objects, 1U);
  EXPECT_GT(follower->Stats().follow->snapshot_ms, 0);
  CheckAll(follower, At("a"), 25);
  EXPECT_EQ(follower->DescribeGroup("g")->at(0).position, Offset(13));
  EXPECT_EQ(follower->DescribeGroup("h")->at(0).position, Offset(25));
  EXPECT_EQ(follower->Stats().positions_corrected, 0U);
  const auto later = Follow();
  CheckAll(later, At("a"), 25);
  AppendUploaded(owner, At("a"), 5);
  Look(later);
  Look(follower);
  CheckAll(later, At("a"), 30);
  CheckAll(follower, At("a"), 30);
}

TEST_P(LogFollowerTest, AnObjectThatWasCollectedLeadsToTheTruth) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  for (int i = 0; i < 4; ++i) AppendUploaded(owner, At("a"), 10);
  const auto follower = Follow();
  EXPECT_EQ(follower->Read(At("a"), Offset(35))->records.size(), 5U);
  ASSERT_TRUE(owner->DeleteRecords(At("a"), Offset(25)));
  clock_->Advance(std::chrono::minutes(2));
  Collect(owner);
  ASSERT_EQ(owner.steps().collector.deleted(), 2U);
  const auto read = follower->Read(At("a"), Offset(0));
  ASSERT_EQ(CodeOf(read), ErrorCode::kOutOfRange) << Told(read);
  EXPECT_EQ(read.error().bounds()->log_start, Offset(25));
  EXPECT_EQ(read.error().bounds()->end, Offset(40));
  EXPECT_EQ(ReadAll(*follower, At("a"), Offset(25)).size(), 15U);
  EXPECT_EQ(ReadAll(*follower, At("a"), Offset(25)).front(), "a25");
}

TEST_P(LogFollowerTest, WhatAListLeavesOutIsAskedFor) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 5);
  const auto follower = Follow();
  AppendUploaded(owner, At("a"), 5);
  AppendUploaded(owner, At("a"), 5);
  AppendUploaded(owner, At("a"), 5);
  const auto objects = Keys("/o/");
  ASSERT_EQ(objects.size(), 4U);
  watched_->unlisted = {objects[1]};
  Look(follower);
  CheckAll(follower, At("a"), 20);
  watched_->unlisted = {objects.begin(), objects.end()};
  CheckAll(Follow(), At("a"), 20);
}

TEST_P(LogFollowerTest, GoesOnWithTheLogWhereItWasTakenOverAndNeverShowsWhatItDisowns) {
  const Machine lost = NewMachine();
  const auto zombie = OpenOn(lost);
  ASSERT_TRUE(zombie->CreateTopic("a"));
  AppendUploaded(zombie, At("a"), 10);
  const auto follower = Follow();
  CheckAll(follower, At("a"), 10);
  const Machine other = NewMachine();
  ASSERT_TRUE(RestoreLog(other.options, {.requests_at_once = 1}));
  Append(zombie, At("a"), 5);
  const auto before = Keys("/o/").size();
  EXPECT_EQ(CodeOf(zombie->Upload()), ErrorCode::kFenced);
  ASSERT_EQ(Keys("/o/").size(), before + 1) << "it put an object that nobody acknowledged";
  Look(follower);
  const auto fresh = Follow();
  const auto engine = OpenOn(other);
  const Record record = Value("later");
  ASSERT_TRUE(engine->Append(At("a"), {&record, 1}, {.durability = Durability::kOs}));
  ASSERT_TRUE(engine->Upload());
  for (const SteppedEngine* one : {&follower, &fresh}) {
    Look(*one);
    const auto read = (*one)->Read(At("a"), Offset(10));
    ASSERT_TRUE(read) << Told(read);
    ASSERT_EQ(read->records.size(), 1U);
    EXPECT_EQ(read->records[0].offset, CeilingOver(Offset(10)));
    EXPECT_EQ(read->records[0].value, "later");
    ASSERT_EQ(read->skipped.size(), 1U);
    EXPECT_EQ(read->skipped[0].reason, LossReason::kLostDisk);
    EXPECT_EQ((*one)->Stats().follow->generation, 3U);
  }
}

TEST_P(LogFollowerTest, GoesOnWithTheNextProcessOfItsOwner) {
  Machine machine = NewMachine();
  machine.options.metadata.reset();  // it stays on the disk
  auto owner = OpenOn(machine);
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 10);
  const auto follower = Follow();
  for (std::uint32_t generation = 2; generation < 5; ++generation) {
    Append(owner, At("a"), 1);
    ASSERT_TRUE(owner->Close());
    owner.reset();
    owner = OpenOn(machine);
    AppendUploaded(owner, At("a"), 4);
    Look(follower);
    EXPECT_EQ(follower->Stats().follow->generation, generation);
    CheckAll(follower, At("a"), values_[At("a")].size());
  }
  CheckAll(Follow(), At("a"), 25);
}

TEST_P(LogFollowerTest, WhileALogIsBeingTakenOverItIsShownAsItWasAndSaysSo) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 10);
  const auto follower = Follow();
  BeginTakeover();
  Append(owner, At("a"), 5);
  EXPECT_EQ(CodeOf(owner->Upload()), ErrorCode::kFenced);
  const auto looked = follower.follower().LookOnce(LookDepth::kUsual);
  ASSERT_EQ(CodeOf(looked), ErrorCode::kUnavailable) << Told(looked);
  EXPECT_TRUE(looked.error().message().contains("elsewhere")) << Told(looked);
  CheckAll(follower, At("a"), 10);
  ASSERT_TRUE(follower->Stats().follow->failure);
  const auto fresh = SteppedEngine::Open(Following());
  EXPECT_EQ(CodeOf(fresh), ErrorCode::kUnavailable) << "what the taker will disown cannot be told yet";
}

TEST_P(LogFollowerTest, ALogThatHasMovedSaysWhereTo) {
  const Machine machine = NewMachine();
  {
    const auto owner = OpenOn(machine);
    ASSERT_TRUE(owner->CreateTopic("a"));
    AppendUploaded(owner, At("a"), 10);
  }
  const auto follower = Follow();
  const std::shared_ptr<ObjectStore> to =
      LocalDirObjectStore::Open(directory_.path() / "elsewhere", files_, random_).value();
  const auto moved = MoveLog(machine.options, {.to = "file:///elsewhere", .to_objects = to, .random = NewRandom()});
  ASSERT_TRUE(moved) << Told(moved);
  const auto looked = follower.follower().LookOnce(LookDepth::kUsual);
  const auto opened = SteppedEngine::Open(Following(), NewRandom());
  ASSERT_EQ(CodeOf(looked), ErrorCode::kFenced);
  ASSERT_EQ(CodeOf(opened), ErrorCode::kFenced);
  for (const Error& error : {looked.error(), opened.error()})
    EXPECT_TRUE(error.message().contains("has moved from " + store_->Describe() + " to " + to->Describe()))
        << error.ToString();
  // What was read is shown on.
  CheckAll(follower, At("a"), 10);
  EXPECT_EQ(follower->Stats().follow->failure->error.code(), ErrorCode::kFenced);
}

TEST_P(LogFollowerTest, ATakeoverWhileItLooksIsNoticed) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 10);
  watched_->before_objects = [&] {  // the claims were read
    BeginTakeover();
    Append(owner, At("a"), 5);
    EXPECT_EQ(CodeOf(owner->Upload()), ErrorCode::kFenced);
  };
  EXPECT_EQ(CodeOf(SteppedEngine::Open(Following())), ErrorCode::kUnavailable);
  EXPECT_FALSE(watched_->before_objects) << "it has looked at objects";
}

TEST_P(LogFollowerTest, AnotherLogAtThePlaceIsToldAndWhatWasReadIsShownOn) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 10);
  const auto follower = Follow();
  for (const std::string& key : Keys("")) ASSERT_TRUE(store_->Delete(key));
  EXPECT_EQ(CodeOf(follower.follower().LookOnce(LookDepth::kThorough)), ErrorCode::kNotFound);
  const auto stranger = OpenOn(NewMachine());
  ASSERT_TRUE(stranger->CreateTopic("a"));
  ASSERT_TRUE(stranger->Append("a", "strange"));
  ASSERT_TRUE(stranger->Upload());
  EXPECT_EQ(CodeOf(follower.follower().LookOnce(LookDepth::kThorough)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(follower->Offsets(At("a"))->log_end, Offset(10));
  const auto read = follower->Read(At("a"), Offset(0));
  EXPECT_EQ(CodeOf(read), ErrorCode::kInvalidArgument) << Told(read);
}

TEST_P(LogFollowerTest, AnOlderCopyOfTheStoreTakesNothingBack) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 10);
  ASSERT_TRUE(owner.steps().snapshots.Put());
  AppendUploaded(owner, At("a"), 10);
  const auto follower = Follow();
  CheckAll(follower, At("a"), 20);
  ASSERT_TRUE(store_->Delete(Keys("/o/").back()));
  ASSERT_TRUE(owner.steps().snapshots.Put());
  // The newest snapshot goes as well: what is left is older than what was seen.
  const auto snapshots = Keys("/s/");
  const auto oldest = store_->Get(snapshots.front(), {0, 1 << 20});
  ASSERT_TRUE(store_->Put(snapshots.back(), {&*oldest, 1}, PutMode::kOverwrite));
  const auto looked = follower.follower().LookOnce(LookDepth::kThorough);
  EXPECT_EQ(CodeOf(looked), ErrorCode::kUnavailable) << Told(looked);
  EXPECT_EQ(follower->Offsets(At("a"))->log_end, Offset(20));
  EXPECT_EQ(follower->Read(At("a"), Offset(5))->records.size(), 15U) << "what is in memory is read on";
}

TEST_P(LogFollowerTest, ALookThatFindsNothingIsTwoRequests) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  for (int i = 0; i < 20; ++i) AppendUploaded(owner, At("a"), 1);
  const auto follower = Follow();
  Look(follower);
  watched_->requests = 0;
  const auto looked = follower.follower().LookOnce(LookDepth::kUsual);
  ASSERT_TRUE(looked) << Told(looked);
  EXPECT_FALSE(*looked);
  EXPECT_EQ(watched_->requests, 2);
  watched_->requests = 0;
  AppendUploaded(owner, At("a"), 1);
  Look(follower);
  EXPECT_EQ(watched_->requests, 3);
}

TEST_P(LogFollowerTest, AStoreThatCannotBeReadIsToldAndComesBack) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("a"));
  AppendUploaded(owner, At("a"), 5);
  EngineOptions options = Following();
  std::vector<EventKind> events;
  options.on_event = [&](const Event& event) { events.push_back(event.kind); };
  const auto follower = SteppedEngine::Open(options).value();
  AppendUploaded(owner, At("a"), 5);
  watched_->down = true;
  EXPECT_FALSE(follower.follower().LookOnce(LookDepth::kUsual));
  EXPECT_TRUE(follower->Stats().follow->failure);
  EXPECT_EQ(follower->Offsets(At("a"))->log_end, Offset(5));
  watched_->down = false;
  Look(follower);
  EXPECT_FALSE(follower->Stats().follow->failure);
  CheckAll(follower, At("a"), 10);
  EXPECT_EQ(events, std::vector{EventKind::kFollowFailing});
}

TEST_P(LogFollowerTest, CallsThatChangeTheLogAreRefusedByName) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("t"));
  AppendUploaded(owner, At("t"), 3);
  const auto engine = Follow();
  constexpr auto kRefused = ErrorCode::kPermissionDenied;
  const Record record = Value("x");
  const auto append = engine->Append(At("t"), {&record, 1});
  EXPECT_EQ(CodeOf(append), kRefused);
  EXPECT_TRUE(append.error().message().contains("followed")) << Told(append);
  EXPECT_EQ(CodeOf(engine->CreateTopic("u")), kRefused);
  EXPECT_EQ(CodeOf(engine->AlterTopic("t", {.partitions = 2})), kRefused);
  EXPECT_EQ(CodeOf(engine->DeleteTopic("t")), kRefused);
  EXPECT_EQ(CodeOf(engine->OpenConsumer({.group = "g", .topics = {"t"}})), kRefused);
  EXPECT_EQ(CodeOf(engine->SeekGroup("g", At("t"), Offset(1))), kRefused);
  EXPECT_EQ(CodeOf(engine->DeleteGroup("g")), kRefused);
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("t"), "c", ReadConsistency::StrictlyAtOnce())), kRefused);
  EXPECT_EQ(CodeOf(engine->DeleteCursor(At("t"), "c")), kRefused);
  EXPECT_EQ(CodeOf(engine->Upload()), kRefused);
  EXPECT_EQ(CodeOf(engine->Recycle()), kRefused);
  EXPECT_EQ(CodeOf(engine->DeleteRecords(At("t"), Offset(1))), kRefused);
  EXPECT_EQ(CodeOf(engine->Maintain()), kRefused);
  EXPECT_EQ(CodeOf(engine->TrustClock()), kRefused);
  EXPECT_EQ(CodeOf(engine->NewProducerId()), kRefused);
  CheckAll(engine, At("t"), 3);
}

TEST_P(LogFollowerTest, WhereThereIsNoLogThereIsNothingToFollow) {
  EXPECT_EQ(CodeOf(SteppedEngine::Open(Following())), ErrorCode::kNotFound);
  EngineOptions options = Following();
  options.objects.reset();
  EXPECT_EQ(CodeOf(SteppedEngine::Open(options)), ErrorCode::kInvalidArgument) << "no store is named";
  options = Following();
  options.data_dir = "/nothing/there";
  EXPECT_EQ(CodeOf(SteppedEngine::Open(options)), ErrorCode::kNotFound);
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("t"));
  AppendUploaded(owner, At("t"), 3);
  CheckAll(SteppedEngine::Open(options).value(), At("t"), 3);
}

TEST_P(LogFollowerTest, EveryCallAgainstClose) {
  const auto owner = OpenOn(NewMachine());
  ASSERT_TRUE(owner->CreateTopic("t"));
  AppendUploaded(owner, At("t"), 30);
  for (int round = 0; round < 8; ++round) {
    EngineOptions options = Following();
    options.clock.reset();
    const auto opened = Engine::Open(options);
    ASSERT_TRUE(opened) << Told(opened);
    Engine& engine = **opened;
    const std::array<std::function<std::optional<ErrorCode>()>, 7> calls{
        [&] { return CodeOf(engine.Read(At("t"), Offset(0))); },
        [&] { return CodeOf(engine.ReadBatches(At("t"), Offset(3))); },
        [&] { return CodeOf(engine.DescribeTopics()); },
        [&] { return CodeOf(engine.DescribeSegments(At("t"))); },
        [&] { return CodeOf(engine.OffsetForTime(At("t"), 0)); },
        [&] { return CodeOf(engine.ListGroups()); },
        [&] {
          const auto consumer = engine.OpenConsumer({.topics = {"t"}});
          return consumer ? CodeOf((*consumer)->Poll(10, std::chrono::hours(1))) : CodeOf(consumer);
        }};
    std::latch started(calls.size());
    std::vector<std::jthread> threads;
    for (const auto& call : calls)
      threads.emplace_back([&] {
        bool first = true;
        for (;;) {
          const auto code = call();
          if (std::exchange(first, false)) started.count_down();
          if (code == ErrorCode::kClosed) return;
          ASSERT_FALSE(code) << static_cast<int>(*code);
        }
      });
    started.wait();
    EXPECT_TRUE(engine.Close());
  }
}

}  // namespace
}  // namespace millrace
