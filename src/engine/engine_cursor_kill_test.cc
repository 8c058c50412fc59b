// Cursors whose process dies, whose position log fails or rots, whose entries rot. Method: a simulated disk; background
// work is called as steps, so that nothing runs on when the process has died.
// Proves R18, R19, R20, R21, W4, W6, W10, W17, B44, B45, B46.
#include <atomic>

#include "engine/cursor_fixture.h"
#include "engine/stepped_engine.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

class KilledCursorTest : public CursorFixture {
 protected:
  SteppedEngine Start() {
    EngineOptions options = Options();
    options.data_dir = "/data";
    options.wal_bytes_max = 16 << 20;
    options.batch_bytes_max = 1 << 20;
    options.file_system = disk_;
    auto engine = SteppedEngine::Open(options);
    EXPECT_TRUE(engine) << Told(engine);
    return engine ? *std::move(engine) : SteppedEngine();
  }
  static void Append(Engine& engine, std::span<const std::string> values) {
    std::vector<Record> batch;
    for (const std::string& value : values) batch.push_back(Value(value));
    ASSERT_TRUE(engine.Append(At("t"), batch, {}));
  }
  static void AppendNumbers(Engine& engine, int count) {
    for (const std::string& number : Numbers(0, count)) Append(engine, {&number, 1});
  }
  /// kill -9, and the next process.
  SteppedEngine Kill(SteppedEngine engine) {
    disk_->KillProcess();
    engine.reset();
    return Start();
  }

  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>(7);
};

TEST_F(KilledCursorTest, StrictlyAtOnceGoesOnBehindWhatWasHandedOut) {
  auto engine = Start();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  AppendNumbers(*engine, 30);
  for (int read = 0; read < 30;) {
    {
      const auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
      EXPECT_EQ(Next(*cursor), std::to_string(read++));
      Next(*cursor, false);
      const auto batch = Batch(*cursor, 3);
      EXPECT_EQ(batch, Numbers(read, read + static_cast<int>(batch.size())));
      read += static_cast<int>(batch.size());
      disk_->KillProcess();
    }
    engine = Kill(std::move(engine));
  }
}

TEST_F(KilledCursorTest, AtLeastOnceRepeatsFewerThanItsCountAndTheLastCall) {
  auto engine = Start();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  AppendNumbers(*engine, 10);
  for (const auto& [reads, next] : std::vector<std::pair<int, int>>{{2, 0}, {3, 0}, {4, 3}}) {
    {
      const auto cursor =
          OpenCursor(*engine, At("t"), "after " + std::to_string(reads), ReadConsistency::AtLeastOnce(3));
      for (int i = 0; i < reads; ++i) EXPECT_EQ(Next(*cursor), std::to_string(i));
      disk_->KillProcess();
    }
    engine = Kill(std::move(engine));
    const auto cursor = OpenCursor(*engine, At("t"), "after " + std::to_string(reads), ReadConsistency::AtLeastOnce(3));
    EXPECT_EQ(Next(*cursor), std::to_string(next));
  }
}

TEST_F(KilledCursorTest, AtLeastOnceCountsBatchesAndSinglesAlike) {
  auto engine = Start();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  for (int i = 0; i < 10; ++i) {
    Append(*engine, Numbers(100 * i, 100 * i + 100));
  }
  const auto mode = ReadConsistency::AtLeastOnce(10);
  for (const bool in_batches : {false, true}) {
    const std::string name = in_batches ? "batches" : "singles";
    std::size_t read = 0, last = 0;
    {
      const auto cursor = OpenCursor(*engine, At("t"), name, mode);
      while (read < 905) {
        last = in_batches ? Batch(*cursor, 13).size() : 1;
        if (!in_batches) Next(*cursor);
        read += last;
      }
      disk_->KillProcess();
    }
    engine = Kill(std::move(engine));
    const auto cursor = OpenCursor(*engine, At("t"), name, mode);
    const auto at = static_cast<std::size_t>(cursor->Position().value());
    EXPECT_LE(at, read - last);  // none missing
    EXPECT_LE(read - at, 9 + last) << name;
    std::vector<std::string> rest;
    for (auto batch = Batch(*cursor, 100); !batch.empty(); batch = Batch(*cursor, 100))
      rest.insert(rest.end(), batch.begin(), batch.end());
    EXPECT_EQ(rest, Numbers(static_cast<int>(at), 1'000));
  }
}

TEST_F(KilledCursorTest, AFailedPositionWriteIsTheCallersErrorAndLosesNoEntry) {
  for (const bool fail_sync : {false, true}) {
    disk_ = std::make_shared<SimFileSystem>(9);
    auto engine = Start();
    ASSERT_TRUE(engine->CreateTopic("t", {}));
    AppendNumbers(*engine, 40);
    auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
    int read = 0, failed = 0;
    std::atomic<int> countdown{-1};
    disk_->SetFaultPlan(
        [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
          if (operation != (fail_sync ? SimOperation::kSync : SimOperation::kWrite)) return {};
          if (path.string().find("positions-") == std::string::npos || countdown.fetch_sub(1) != 0) return {};
          return SimFault{};
        });
    while (read < 20) {
      if (read % 4 == 2 && failed * 4 < read) countdown = 0;
      const std::string next = Next(*cursor);
      if (next == "kUnavailable") {
        ++failed;
        EXPECT_EQ(cursor->Position(), Offset(read));
        continue;
      }
      EXPECT_EQ(next, std::to_string(read++));
    }
    EXPECT_GE(failed, 4);
    countdown = 0;
    EXPECT_EQ(Next(*cursor), "kUnavailable");
    cursor.reset();
    engine = Kill(std::move(engine));
    disk_->SetFaultPlan({});
    EXPECT_EQ(Next(*OpenCursor(*engine, At("t"), "c", kStrict)), std::to_string(read));  // not ahead
  }
}

TEST_F(KilledCursorTest, ADamagedPositionLogStartsNothingAgain) {
  auto engine = Start();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  AppendNumbers(*engine, 10);
  {
    const auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
    for (int i = 0; i < 5; ++i) Next(*cursor);
  }
  disk_->KillProcess();
  engine.reset();
  disk_->FlipBit("/data/positions/positions-0", 4096 + 100, 3);  // not the last frame
  engine = Start();
  ASSERT_TRUE(engine);
  const auto opened = engine->OpenCursor(At("t"), "c", kStrict);
  EXPECT_EQ(CodeOf(opened), ErrorCode::kCorruption);
  ASSERT_NE(opened.error().damage(), nullptr);
  EXPECT_EQ(opened.error().damage()->place, "positions-0");
  EXPECT_EQ(CodeOf(engine->ListCursors("t")), ErrorCode::kCorruption);
  const auto read = engine->Read(At("t"), Offset(0), {});
  ASSERT_TRUE(read) << Told(read);
  EXPECT_EQ(read->records.size(), 10U);
}

TEST_F(KilledCursorTest, DamagedEntriesAreToldUntilSomebodyStepsOver) {
  auto engine = Start();
  ASSERT_TRUE(engine->CreateTopic("t", {}));
  for (int i = 0; i < 6; ++i) {
    const std::string value = "entry " + std::to_string(i) + std::string(9'000, 'x');
    Append(*engine, {&value, 1});
  }
  disk_->KillProcess();
  engine.reset();
  const std::filesystem::path wal = [&] {
    for (const auto& path : disk_->Files()) {
      const auto bytes = disk_->Contents(path);
      if (AsText(bytes).find("entry 2x") != std::string_view::npos) return path;
    }
    return std::filesystem::path();
  }();
  ASSERT_FALSE(wal.empty());
  const auto place = AsText(disk_->Contents(wal)).find("entry 2x");
  disk_->FlipBit(wal, place + 500, 1);
  engine = Start();
  for (const auto mode : {kStrict, ReadConsistency::AtLeastOnce(5)}) {
    const auto cursor = OpenCursor(*engine, At("t"), mode.strict ? "strict" : "often", mode);
    EXPECT_EQ(CodeOf(cursor->SkipCorrupt()), ErrorCode::kInvalidArgument);
    EXPECT_EQ(Batch(*cursor, 1 << 20).size(), 2U);  // ends before it
    for (int i = 0; i < 3; ++i) {
      const auto told = i == 1 ? CodeOf(cursor->ReadBatch(100, true)) : CodeOf(cursor->ReadNext(i == 0));
      EXPECT_EQ(told, ErrorCode::kCorruption);
    }
    EXPECT_EQ(cursor->Position(), Offset(2));
    EXPECT_EQ(cursor->SkipCorrupt().value_or(Offset(-1)), Offset(3));
    EXPECT_EQ(Next(*cursor).substr(0, 8), "entry 3x");
    EXPECT_EQ(Batch(*cursor, 1 << 20).size(), 2U);
  }
}

}  // namespace
}  // namespace millrace
