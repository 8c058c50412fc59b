// What a killed engine finds again, and what it leaves to its neighbours. Method: a simulated disk under real engines,
// killed or without power, with small files.
// Proves S19, S25, S27, W10, W11, B74.
#include <map>

#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_file_system.h"
#include "millrace/cursor.h"

namespace millrace {
namespace {

constexpr StorageSizes kSmallFiles{.wal_file_bytes = 64 << 10, .wal_staging_bytes = 16 << 10};

class EngineRestartTest : public EngineFixture {
 protected:
  void Begin(std::uint64_t seed) { disk_ = std::make_shared<SimFileSystem>(seed, SimTraits{.map = seed % 2 == 0}); }
  SteppedEngine Start(EngineOptions options) {
    options.data_dir = "/data";
    options.on_event = [this](const Event& event) { events_.push_back(event); };
    options.file_system = disk_;
    options.object_store = "file://" + (directory_.path() / "objects").string();
    options.metadata_store = "sqlite://" + (directory_.path() / "metadata").string();
    auto engine = SteppedEngine::Open(std::move(options), {}, kSmallFiles);
    EXPECT_TRUE(engine) << Told(engine);
    return engine ? *std::move(engine) : SteppedEngine();
  }
  SteppedEngine Start() { return Start(Options()); }
  static std::vector<std::string> All(Engine& engine, const TopicPartition& partition) {
    std::vector<std::string> values;
    for (Offset at(0);;) {
      const auto read = engine.Read(partition, at, {});
      EXPECT_TRUE(read) << Told(read);
      if (!read || read->records.empty()) return values;
      for (const RecordView& record : read->records) values.emplace_back(record.value.value_or("(null)"));
      at = read->next;
    }
  }

  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>(1);
  std::vector<Event> events_;
};

TEST_F(EngineRestartTest, NeighboursWithNamesThatBeginAlikeRecoverEachTheirOwn) {
  const std::vector<std::string> topics = {"orders", "orders-1", "orders-12", "orders-1-2"};
  std::map<TopicPartition, std::vector<std::string>> expected;
  auto engine = Start();
  for (const std::string& topic : topics) ASSERT_TRUE(engine->CreateTopic(topic, {.partitions = 13}));
  for (int round = 0; round < 3; ++round) {
    for (const std::string& topic : topics) {
      for (const int partition : {0, 1, 2, 12}) {
        const std::string value = topic + "/" + std::to_string(partition) + "/" + std::to_string(round);
        const Record record = Value(value);
        ASSERT_TRUE(engine->Append(At(topic, partition), {&record, 1}, {}));
        expected[At(topic, partition)].push_back(value);
      }
    }
    disk_->KillProcess();
    engine.reset();
    engine = Start();
    for (const auto& [partition, values] : expected) EXPECT_EQ(All(*engine, partition), values);
    EXPECT_TRUE(All(*engine, At("orders", 3)).empty());
  }
  ASSERT_TRUE(engine->DeleteTopic("orders"));
  ASSERT_TRUE(engine->DeleteTopic("orders-12"));
  disk_->Crash();
  engine.reset();
  engine = Start();
  for (const auto& [partition, values] : expected) {
    if (partition.topic == "orders" || partition.topic == "orders-12") continue;
    EXPECT_EQ(All(*engine, partition), values);
  }
}

TEST_F(EngineRestartTest, NamesThatJoinToTheSameTextMeetInNoNameSpace) {
  // Name space, topic: each pair reads the same when joined by a dash.
  const std::vector<std::pair<std::string, std::string>> places = {{"a", "b-c"}, {"a-b", "c"}, {"", "a-b-c"}};
  EngineOptions options = Options();
  options.object_store = "file://" + (directory_.path() / "objects").string();
  for (const bool reopened : {false, true}) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      options.name_space = places[i].first;
      const auto engine = Open(options);
      ASSERT_NE(engine, nullptr);
      const int count = static_cast<int>(i) + 2;
      if (!reopened) {
        ASSERT_TRUE(engine->CreateTopic(places[i].second));
        AppendNumbers(*engine, At(places[i].second), count, static_cast<int>(100 * i));
        ASSERT_TRUE(engine->Upload());
        ASSERT_TRUE(engine->Recycle());
      }
      EXPECT_EQ(ReadAll(*engine, At(places[i].second)),
                Numbers(static_cast<int>(100 * i), static_cast<int>(100 * i) + count));
      // One group name and one cursor name everywhere.
      const auto consumer = engine->OpenConsumer({.group = "g", .topics = {places[i].second}});
      ASSERT_TRUE(consumer) << Told(consumer);
      const auto cursor = engine->OpenCursor(At(places[i].second), "c", ReadConsistency::StrictlyAtOnce());
      ASSERT_TRUE(cursor) << Told(cursor);
      EXPECT_EQ((*consumer)->Position(At(places[i].second)).value_or(Offset(-1)), Offset(reopened ? count - 1 : 0));
      EXPECT_EQ((*cursor)->Position(), Offset(reopened ? count : 0));
      if (reopened) continue;
      ASSERT_TRUE((*consumer)->Seek(At(places[i].second), Offset(count - 1)));
      ASSERT_TRUE((*consumer)->Commit());
      ASSERT_TRUE((*cursor)->Seek(Offset(count)));
    }
  }
}

TEST_F(EngineRestartTest, WhatWasAppendedByDefaultIsThereAfterPowerLoss) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Begin(seed);
    auto engine = Start();
    const std::string topic = "t" + std::to_string(seed);
    ASSERT_TRUE(engine->CreateTopic(topic, {}));
    for (int i = 0; i < 20; ++i) {
      const Record record = Value(std::to_string(i));
      ASSERT_TRUE(engine->Append(At(topic), {&record, 1}, {}));
    }
    disk_->Crash();
    engine.reset();
    engine = Start();
    EXPECT_EQ(All(*engine, At(topic)), Numbers(0, 20));
    engine.reset();
  }
}

TEST_F(EngineRestartTest, WithoutSyncsAKillLosesNothingAndPowerLossTakesASuffix) {
  EngineOptions options = Options();
  options.sync = SyncPolicy::None();
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Begin(seed);
    const std::string topic = "t" + std::to_string(seed);
    auto engine = Start(options);
    ASSERT_TRUE(engine->CreateTopic(topic, {}));
    const auto append = [&](int first, int count) {
      for (int i = first; i < first + count; ++i) {
        const Record record = Value(std::to_string(i));
        ASSERT_TRUE(engine->Append(At(topic), {&record, 1}, {.durability = Durability::kOs}));
      }
    };
    append(0, 30);
    disk_->KillProcess();
    engine.reset();
    engine = Start(options);
    EXPECT_EQ(All(*engine, At(topic)), Numbers(0, 30));
    append(30, 300);
    disk_->Crash();
    engine.reset();
    engine = Start(options);
    const auto left = All(*engine, At(topic));
    EXPECT_EQ(left, Numbers(0, static_cast<int>(left.size())));
    lost += 330 - static_cast<int>(left.size());
    append(static_cast<int>(left.size()), 3);
    EXPECT_EQ(All(*engine, At(topic)), Numbers(0, static_cast<int>(left.size()) + 3));
    engine.reset();
  }
  EXPECT_GT(lost, 0);
}

TEST_F(EngineRestartTest, APositionIsAnOffsetWhateverFilesAndIdsAreGone) {
  // One file for each entry: 105 files are read, forgotten and given back.
  EngineOptions options = Options();
  options.wal_bytes_max = 64 << 20;
  auto engine = Start(options);
  ASSERT_TRUE(engine->CreateTopic("before", {}));
  ASSERT_TRUE(engine->CreateTopic("t", {.cleanup = Cleanup::kConsumed}));
  const auto mode = ReadConsistency::StrictlyAtOnce();
  const std::string padding(50'000, '.');
  for (int i = 0; i < 220; ++i) {
    const Record record = Value(std::to_string(i) + padding);
    ASSERT_TRUE(engine->Append(At("t"), {&record, 1}, {}));
  }
  ASSERT_TRUE(engine->OpenCursor(At("before"), "a", mode));
  {
    const auto cursor = engine->OpenCursor(At("t"), "c", mode);
    ASSERT_TRUE(cursor) << Told(cursor);
    for (int i = 0; i < 105; ++i) ASSERT_EQ((*(*cursor)->ReadNext(true))->value, std::to_string(i) + padding);
  }
  const std::size_t files = disk_->Files().size();
  ASSERT_TRUE(engine->Recycle());
  EXPECT_EQ(engine->Offsets(At("t"))->log_start, Offset(105));
  // Other topics and cursors come and go: every number that belongs to one run is another one in the next.
  ASSERT_TRUE(engine->DeleteCursor(At("before"), "a"));
  ASSERT_TRUE(engine->DeleteTopic("before"));
  ASSERT_TRUE(engine->CreateTopic("after", {}));
  ASSERT_TRUE(engine->OpenCursor(At("after"), "b", mode));
  disk_->KillProcess();
  engine.reset();
  engine = Start(options);
  EXPECT_LE(disk_->Files().size(), files + 4);
  const auto cursor = engine->OpenCursor(At("t"), "c", mode);
  ASSERT_TRUE(cursor) << Told(cursor);
  EXPECT_EQ((*cursor)->CorrectedFrom(), std::nullopt);
  for (int i = 105; i < 220; ++i) ASSERT_EQ((*(*cursor)->ReadNext(true))->value, std::to_string(i) + padding);
  EXPECT_EQ(*(*cursor)->ReadNext(true), std::nullopt);
}

TEST_F(EngineRestartTest, OneFlippedPayloadBitIsNobodyElsesLossAndItsEvidenceStays) {
  auto engine = Start();
  for (const char* topic : {"a", "idle", "never"}) ASSERT_TRUE(engine->CreateTopic(topic, {}));
  const Record precious = Value("precious"), more = Value("more");
  ASSERT_TRUE(engine->Append(At("idle"), {&more, 1}, {}));
  ASSERT_TRUE(engine->Append(At("a"), {&precious, 1}, {}));
  for (int i = 0; i < 40; ++i) {  // the staging ring moves on
    const Record large = Value(std::string(2000, 'x'));
    ASSERT_TRUE(engine->Append(At("idle"), {&large, 1}, {}));
  }
  disk_->KillProcess();
  engine.reset();
  const std::filesystem::path file = "/data/wal/00000001.wal";
  const auto contents = disk_->Contents(file);
  const std::string_view text(reinterpret_cast<const char*>(contents.data()), contents.size());
  ASSERT_NE(text.find("precious"), std::string_view::npos);
  disk_->FlipBit(file, text.find("precious"), 1);

  for (int opening = 0; opening < 2; ++opening) {
    events_.clear();
    engine = Start();
    ASSERT_EQ(events_.size(), 1U);
    EXPECT_EQ(events_[0].kind, EventKind::kDamageFound);
    EXPECT_EQ(events_[0].partition, At("a"));
    EXPECT_TRUE(events_[0].error->damage());
    if (opening == 0) EXPECT_EQ(All(*engine, At("idle")).size(), 41U);
    EXPECT_EQ(engine->Offsets(At("never"))->log_end, Offset(0));
    EXPECT_EQ(engine->Offsets(At("idle"))->log_end, Offset(41));
    EXPECT_EQ(engine->Offsets(At("a"))->log_end, Offset(1));
    const auto lost = engine->Read(At("a"), Offset(0), {});
    ASSERT_EQ(CodeOf(lost), ErrorCode::kCorruption);
    EXPECT_EQ(lost.error().damage()->end, Offset(1));
    EXPECT_EQ(engine->Stats().damaged_partitions, 1U);
    for (const TopicDescription& topic : engine->DescribeTopics().value())
      EXPECT_EQ(topic.partitions[0].damage.size(), topic.name == "a" ? 1U : 0U) << topic.name;
    ASSERT_TRUE(engine->DeleteRecords(At("idle"), Offset(41)));
    ASSERT_TRUE(engine->Recycle());
    ASSERT_EQ(CodeOf(engine->Read(At("a"), Offset(0), {})), ErrorCode::kCorruption) << "recycling keeps the evidence";
    if (opening == 1) EXPECT_EQ(CodeOf(engine->Upload()), ErrorCode::kCorruption);  // and tells it in the store
    ASSERT_TRUE(engine->Recycle());
    ASSERT_EQ(CodeOf(engine->Read(At("a"), Offset(0), {})), ErrorCode::kCorruption);
    ASSERT_TRUE(engine->Close());
  }
}

TEST_F(EngineRestartTest, ABrokenPartitionAnswersEveryCallAndKeepsTheWal) {
  auto engine = Start();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  ASSERT_TRUE(engine->Close());
  engine.reset();
  const auto copy_metadata = [&](const std::filesystem::path& from, const std::filesystem::path& to) {
    ASSERT_TRUE(disk_->CreateDirectories(to));
    const auto is_metadata = [](const DirectoryEntry& entry) { return entry.name.starts_with("metadata"); };
    for (const DirectoryEntry& there : disk_->List(to).value())
      if (is_metadata(there)) ASSERT_TRUE(disk_->Remove(to / there.name));
    std::size_t copied = 0;
    for (const DirectoryEntry& entry : disk_->List(from).value()) {
      if (!is_metadata(entry)) continue;
      const auto file =
          disk_->Open(to / entry.name, {.access = FileAccess::kReadWrite, .creation = FileCreation::kCreateNew});
      ASSERT_TRUE(file) << Told(file);
      ASSERT_TRUE((*file)->WriteAt(0, disk_->Contents(from / entry.name)));
      ++copied;
    }
    ASSERT_GT(copied, 0U);
  };
  const auto older = directory_.path() / "older", right = directory_.path() / "right";
  copy_metadata(directory_.path(), older);
  engine = Start();
  for (int i = 0; i < 40; ++i) {
    const Record record = Value(std::string(3000, 'x'));
    ASSERT_TRUE(engine->Append(At("t"), {&record, 1}, {}));
    if (i == 20) {
      ASSERT_TRUE(engine->Upload());
      ASSERT_TRUE(engine->Recycle());
    }
  }
  ASSERT_TRUE(engine->Close());
  engine.reset();
  copy_metadata(directory_.path(), right);
  copy_metadata(older, directory_.path());

  events_.clear();
  engine = Start();
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].kind, EventKind::kPartitionBroken);
  EXPECT_EQ(CodeOf(engine->Read(At("t"), Offset(0), {})), ErrorCode::kCorruption);
  EXPECT_EQ(CodeOf(engine->ReadBatches(At("t"), Offset(30), {})), ErrorCode::kCorruption);
  EXPECT_EQ(CodeOf(engine->OffsetForTime(At("t"), 0)), ErrorCode::kCorruption);
  EXPECT_EQ(CodeOf(engine->ReadMany(std::vector<ReadRequest>{{At("t"), Offset(0)}}, {})[0]), ErrorCode::kCorruption);
  const Record record = Value("no");
  EXPECT_EQ(CodeOf(engine->Append(At("t"), {&record, 1}, {})), ErrorCode::kCorruption);
  EXPECT_EQ(CodeOf(engine->Offsets(At("t"))), ErrorCode::kCorruption);
  EXPECT_EQ(CodeOf(engine->DeleteRecords(At("t"), Offset(0))), ErrorCode::kCorruption);
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("t"), "c", ReadConsistency::AtLeastOnce(1))), ErrorCode::kCorruption);
  EXPECT_EQ(CodeOf(engine->SeekGroup("g", At("t"), Offset(0))), ErrorCode::kCorruption);
  EXPECT_TRUE(engine->DescribeTopics().value()[0].partitions[0].broken);
  EXPECT_EQ(engine->Stats().broken_partitions, 1U);
  ASSERT_TRUE(engine->Recycle());
  ASSERT_TRUE(engine->Close());
  engine.reset();
  copy_metadata(right, directory_.path());
  engine = Start();
  EXPECT_EQ(All(*engine, At("t")).size(), 40U);
}

}  // namespace
}  // namespace millrace
