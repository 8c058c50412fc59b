// Goal: a log is read where nothing can be written, whatever state its last writer left it in, and nothing there
// changes. Method: a simulated disk that refuses every call but opening, reading and listing, and reports any change.
#include <map>

#include "engine/engine_fixture.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_file_system.h"
#include "millrace/consumer.h"
#include "millrace/cursor.h"

namespace millrace {
namespace {

class EngineReadOnlyTest : public EngineFixture {
 protected:
  ~EngineReadOnlyTest() override { EXPECT_EQ(changes_, std::vector<std::string>{}); }

  EngineOptions OnDisk() const {
    EngineOptions options = Options();
    options.data_dir = "/data";
    options.file_system = disk_;
    return options;
  }
  EngineOptions ForReading() const {
    EngineOptions options = OnDisk();
    options.read_only = true;
    return options;
  }
  /// From now on, as a read-only mount.
  void Freeze() {
    disk_->SetFaultPlan([](SimOperation operation, const std::filesystem::path&, std::uint64_t) {
      const bool looks =
          operation == SimOperation::kOpen || operation == SimOperation::kRead || operation == SimOperation::kList;
      return looks ? std::nullopt : std::optional(SimFault{.code = ErrorCode::kPermissionDenied});
    });
    disk_->SetObserver([this](SimOperation, const std::filesystem::path& path) { changes_.push_back(path.native()); });
  }
  void Thaw() {
    disk_->SetFaultPlan(nullptr);
    disk_->SetObserver(nullptr);
  }

  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>(3);
  std::vector<std::string> changes_;
};

TEST_F(EngineReadOnlyTest, EverythingIsReadFromAReadOnlyMountAndNothingChangesThere) {
  {
    const auto engine = Open(OnDisk());
    ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
    AppendNumbers(*engine, At("t"), 100);
    ASSERT_TRUE(engine->Upload());
    ASSERT_TRUE(engine->Recycle());
    AppendNumbers(*engine, At("t"), 50, 100);
    ASSERT_TRUE(engine->SeekGroup("g", At("t"), Offset(30)));
    ASSERT_TRUE((*engine->OpenCursor(At("t"), "c", ReadConsistency::StrictlyAtOnce()))->ReadNext(true));
    ASSERT_TRUE(engine->Close());
  }
  Freeze();
  EXPECT_EQ(CodeOf(Engine::Open(OnDisk())), ErrorCode::kPermissionDenied);
  const auto engine = Open(ForReading());
  ASSERT_NE(engine, nullptr);
  const auto beside = Open(ForReading());
  ASSERT_NE(beside, nullptr) << "several read at once";
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 150));
  EXPECT_EQ(ReadAll(*beside, At("t")), Numbers(0, 150));
  EXPECT_EQ(engine->DescribeTopics()->at(0).partitions.size(), 2U);
  EXPECT_EQ(engine->DescribeGroup("g")->at(0).position, Offset(30));
  EXPECT_EQ(engine->ListCursors("t")->at(0).position, Offset(1));
  EXPECT_EQ(engine->DescribeSegments(At("t"))->size(), 1U);
  EXPECT_TRUE(engine->Stats().read_only);
  auto consumer = engine->OpenConsumer({.topics = {"t"}});
  ASSERT_TRUE(consumer) << Told(consumer);
  EXPECT_EQ((*consumer)->Poll(1'000)->size(), 150U);
  EXPECT_TRUE(engine->Close());
}

TEST_F(EngineReadOnlyTest, CallsThatChangeTheLogAreRefusedByName) {
  {
    const auto engine = Open(OnDisk());
    ASSERT_TRUE(engine->CreateTopic("t"));
    AppendNumbers(*engine, At("t"), 3);
    ASSERT_TRUE(engine->Close());
  }
  Freeze();
  const auto engine = Open(ForReading());
  ASSERT_NE(engine, nullptr);
  constexpr auto kRefused = ErrorCode::kPermissionDenied;
  const Record record = Value("x");
  std::optional<ErrorCode> told;
  engine->AppendAsync(At("t"), {&record, 1}, {}, [&](const Result<AppendReceipt>& receipt) { told = CodeOf(receipt); });
  EXPECT_EQ(told, kRefused);
  EXPECT_EQ(CodeOf(engine->Append(At("t"), {&record, 1})), kRefused);
  EXPECT_EQ(CodeOf(engine->Append("t", "x")), kRefused);
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
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 3));
}

TEST_F(EngineReadOnlyTest, ReadersAndAWriterKeepEachOtherOut) {
  ASSERT_TRUE(Open(OnDisk())->Close());
  {
    const auto reader = Open(ForReading());
    EXPECT_EQ(CodeOf(Engine::Open(OnDisk())), ErrorCode::kUnavailable);
  }
  const auto writer = Open(OnDisk());
  ASSERT_NE(writer, nullptr);
  EXPECT_EQ(CodeOf(Engine::Open(ForReading())), ErrorCode::kUnavailable);
}

TEST_F(EngineReadOnlyTest, WhatAKilledWriterLeftIsReadAsTheNextWriterWouldFindIt) {
  for (const bool power_lost : {false, true}) {
    Thaw();
    disk_ = std::make_shared<SimFileSystem>(7);
    auto engine = SteppedEngine::Open(OnDisk()).value();
    ASSERT_TRUE(engine->CreateTopic("t", {}));
    for (int i = 0; i < 40; ++i) {
      const Record record = Value(std::to_string(i));
      const Durability durability = i < 20 ? Durability::kDisk : Durability::kOs;
      ASSERT_TRUE(engine->Append(At("t"), {&record, 1}, {.durability = durability}));
      if (i == 10) ASSERT_TRUE(engine->Upload());
    }
    if (power_lost) {
      disk_->Crash();
    } else {
      disk_->KillProcess();
    }
    engine.reset();
    std::map<std::string, std::vector<std::byte>> before, after;
    for (const auto& file : disk_->Files()) before[file.native()] = disk_->Contents(file);
    Freeze();
    std::vector<std::string> read;
    for (int times = 0; times < 2; ++times) {
      const auto reader = Open(ForReading());
      ASSERT_NE(reader, nullptr);
      read = ReadAll(*reader, At("t"));
      EXPECT_GE(read.size(), power_lost ? 20U : 40U);
      EXPECT_TRUE(reader->Close());
    }
    for (const auto& file : disk_->Files()) after[file.native()] = disk_->Contents(file);
    EXPECT_TRUE(before == after);
    Thaw();
    EXPECT_EQ(ReadAll(*Open(OnDisk()), At("t")), read);
  }
}

TEST_F(EngineReadOnlyTest, WithoutALogALockOrMetadataInAFileItSaysSo) {
  EXPECT_EQ(CodeOf(Engine::Open(ForReading())), ErrorCode::kNotFound);
  EngineOptions in_memory = ForReading();
  in_memory.metadata_store = "memory:";
  EXPECT_EQ(CodeOf(Engine::Open(in_memory)), ErrorCode::kUnsupported);
  ASSERT_TRUE(Open(OnDisk())->Close());
  ASSERT_TRUE(disk_->Remove("/data/lock"));
  const auto refused = Engine::Open(ForReading());
  EXPECT_EQ(CodeOf(refused), ErrorCode::kNotFound);
  EXPECT_NE(Told(refused).find("/data/lock"), std::string::npos) << Told(refused);
}

}  // namespace
}  // namespace millrace
