// Goal: what a log has given up goes when its grace is over, after a snapshot that knows it; what the store refuses to
// delete holds up nothing else and is named. Method: engines without threads on a simulated clock, a store that refuses
// one key. Proves B89.
#include "engine/log_collection.h"

#include "engine/machines_fixture.h"

namespace millrace {
namespace {

class RefusingStore final : public ForwardingObjectStore {
 public:
  explicit RefusingStore(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}
  Result<void> Delete(std::string_view key) override {
    if (key == kept) return Error(ErrorCode::kPermissionDenied, "it is locked");
    return ForwardingObjectStore::Delete(key);
  }
  Result<void> DeleteMany(std::span<const std::string> keys) override {
    for (const std::string& key : keys) MR_TRY(Delete(key));
    return {};
  }
  std::string kept;
};

class LogCollectionTest : public MachinesFixture {
 protected:
  /// A topic of three objects, deleted.
  void SetUp() override {
    machine_.options.upload.delete_grace = std::chrono::minutes(10);
    const auto engine = OpenOn(machine_);
    ASSERT_TRUE(engine->CreateTopic("t"));
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(Append(engine, std::to_string(i)));
      ASSERT_TRUE(engine->Upload());
    }
    ASSERT_TRUE(engine->DeleteTopic("t"));
    ASSERT_EQ(Objects().size(), 3U);
  }
  std::vector<std::string> Objects() {
    std::vector<std::string> keys = KeysOf(*store_);
    std::erase_if(keys, [](const std::string& key) { return !key.ends_with(".obj"); });
    return keys;
  }
  Result<CollectionReport> Collect(bool dry_run = false) {
    return CollectLog(machine_.options, {.dry_run = dry_run, .background = Background::kNone, .random = NewRandom()});
  }

  std::shared_ptr<RefusingStore> store_ =
      std::make_shared<RefusingStore>(std::make_shared<MemoryObjectStore>(clock_.get()));
  Machine machine_ = NewMachine(store_);
};

TEST_F(LogCollectionTest, WaitsForTheGraceAndPutsASnapshotFirst) {
  const auto early = Collect();
  ASSERT_TRUE(early) << Told(early);
  EXPECT_EQ(early->deleted, 0U);
  EXPECT_EQ(early->waiting, 3U);
  EXPECT_EQ(early->next_due_ms, clock_->WallMs() + 600'000);
  clock_->Advance(std::chrono::minutes(11));
  const auto dry = Collect(true);
  ASSERT_TRUE(dry) << Told(dry);
  EXPECT_EQ(dry->due.size(), 3U);
  EXPECT_EQ(Objects().size(), 3U);
  const auto done = Collect();
  ASSERT_TRUE(done) << Told(done);
  EXPECT_EQ(done->deleted, 3U);
  EXPECT_EQ(done->snapshots, 1U);
  EXPECT_TRUE(done->due.empty() && done->finished && !done->failure);
  EXPECT_TRUE(Objects().empty());
}

TEST_F(LogCollectionTest, WhatIsRefusedIsNamedAndHoldsUpNothing) {
  store_->kept = Objects()[1];
  clock_->Advance(std::chrono::minutes(11));
  const auto done = Collect();
  ASSERT_TRUE(done) << Told(done);
  EXPECT_EQ(done->deleted, 2U);
  ASSERT_EQ(done->due.size(), 1U);
  EXPECT_EQ(done->due[0].key, store_->kept);
  ASSERT_TRUE(done->failure);
  EXPECT_NE(done->failure->message().find("locked"), std::string_view::npos);
  EXPECT_EQ(Objects(), std::vector<std::string>{store_->kept});
}

}  // namespace
}  // namespace millrace
