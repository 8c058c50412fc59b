// Every setting is obeyed, and its effect is seen here or where its citation stands; nothing else is
// obeyed: no environment, no words on the terminal. A worker that fails stops what it vouches for, and threads end.
// Method: engines that differ in one setting; getenv counted; threads counted by the kernel.
// Proves S33, W36, W27, W28.
#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "engine/engine_fixture.h"
#include "env/sim/sim_file_system.h"

extern char** environ;

namespace {

std::atomic<int> environment_reads{0};

}  // namespace

/// In place of the C library's, for everything this program is linked with.
extern "C" char* getenv(const char* name) noexcept {
  environment_reads.fetch_add(1);
  const std::string_view wanted(name);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.starts_with(wanted) && text.size() > wanted.size() && text[wanted.size()] == '=')
      return *entry + wanted.size() + 1;
  }
  return nullptr;
}

namespace millrace {
namespace {

class EngineSettingsTest : public EngineFixture {
 protected:
  EngineOptions Small() const {
    EngineOptions options = OnSimulatedDisk();
    options.wal_bytes_max = 16 << 20;
    options.batch_bytes_max = 1 << 20;
    return options;
  }
  /// 200 entries of 1,000 bytes, appended, uploaded, recycled and read back once, twenty at a time.
  static void Use(Engine& engine) {
    ASSERT_TRUE(engine.CreateTopic("t"));
    const Record record = Value(std::string(1'000, 'x'));
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(engine.Append(At("t"), {&record, 1}, {.durability = Durability::kOs}));
    ASSERT_TRUE(engine.Upload());
    ASSERT_TRUE(engine.Recycle());
    for (Offset at(0); at < Offset(200);) {
      const auto read = engine.Read(At("t"), at, {.records_max = 20});
      ASSERT_TRUE(read && !read->records.empty()) << Told(read);
      at = read->next;
    }
  }
  static std::size_t Threads() {
    std::size_t count = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) count += task.exists() ? 1 : 0;
    return count;
  }
  /// The system lists a thread for a moment after it was joined; one that goes on is listed for good.
  static bool ThreadsAreBackAt(std::size_t count) {
    for (int looks = 0; looks < 10'000; ++looks) {
      if (Threads() == count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
};

TEST_F(EngineSettingsTest, SegmentSizeAndCodecAreSeenInTheStore) {
  std::map<std::string, std::pair<std::size_t, std::uint64_t>> seen;
  for (const auto& [name, codec, bytes_max] : {std::tuple("small", SegmentCodec::kNone, std::uint64_t{20'000}),
                                               std::tuple("large", SegmentCodec::kNone, std::uint64_t{64 << 20}),
                                               std::tuple("packed", SegmentCodec::kZstd, std::uint64_t{64 << 20})}) {
    EngineOptions options = Small();
    options.upload.segment_bytes_max = bytes_max;
    options.upload.codec = codec;
    const auto engine = Open(options);
    Use(*engine);
    const auto segments = engine->DescribeSegments(At("t"));
    ASSERT_TRUE(segments) << Told(segments);
    std::uint64_t bytes = 0;
    for (const auto& segment : *segments) bytes += segment.byte_size;
    seen[name] = {segments->size(), bytes};
  }
  EXPECT_GT(seen["small"].first, seen["large"].first);
  EXPECT_LT(seen["packed"].second, seen["large"].second / 4);
}

TEST_F(EngineSettingsTest, TheBlockCacheHoldsWhatItMay) {
  EngineOptions options = Small();
  const auto with = Open(options);
  Use(*with);
  EXPECT_GT(with->Stats().block_cache.hits, 0U);
  options = Small();
  options.read.block_cache_max_size = 0;
  const auto without = Open(options);
  Use(*without);
  EXPECT_EQ(without->Stats().block_cache.bytes, 0U);
}

TEST_F(EngineSettingsTest, LimitsFetchSizeAutoCreationAndSyncsAreObeyed) {
  EngineOptions options = Small();
  options.record_bytes_max = 100;
  options.batch_bytes_max = 1'000;
  options.auto_create_topics = true;
  options.read.fetch_size = 7;
  options.sync = SyncPolicy::None();
  const auto engine = Open(options);
  const Record fits = Value(std::string(100, 'x')), too_large = Value(std::string(101, 'x'));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(engine->Append(At("t"), {&fits, 1}, {.durability = Durability::kOs}));
  EXPECT_EQ(CodeOf(engine->Append(At("t"), {&too_large, 1})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->Append(At("t"), std::vector<Record>(11, fits))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(engine->Stats().wal_syncs, 0U);
  const auto consumer = engine->OpenConsumer({.topics = {"t"}});
  ASSERT_TRUE(consumer) << Told(consumer);
  EXPECT_EQ((*consumer)->Poll(0)->size(), 7U);
  ASSERT_TRUE((*consumer)->Close());

  options = Small();
  const auto other = Open(options);
  EXPECT_EQ(CodeOf(other->Append(At("t"), {&fits, 1})), ErrorCode::kNotFound);
  ASSERT_TRUE(other->CreateTopic("t"));
  ASSERT_TRUE(other->Append(At("t"), std::vector<Record>(11, too_large)));
  EXPECT_GT(other->Stats().wal_syncs, 0U);
}

TEST_F(EngineSettingsTest, TheWalStaysWithinItsBudgetAndAFullOneSaysSo) {
  EngineOptions options = Small();
  options.append_wait_max = std::chrono::milliseconds(0);
  options.upload.segment_bytes_max = 1 << 30;
  options.object_store = "file:///objects";
  const auto disk = std::dynamic_pointer_cast<SimFileSystem>(options.file_system);
  const auto engine = Open(options);
  ASSERT_TRUE(engine->CreateTopic("t", {.cleanup = Cleanup::kDelete}));
  // No object can be made: nothing leaves the WAL.
  disk->SetFaultPlan([](SimOperation operation, const auto& path, std::uint64_t) -> std::optional<SimFault> {
    if (operation != SimOperation::kCreate || !path.string().starts_with("/objects")) return {};
    return SimFault{};
  });
  const Record record = Value(std::string(500'000, 'x'));
  std::optional<ErrorCode> refused;
  const auto wal_bytes = [&] {
    std::uint64_t bytes = 0;
    for (const auto& path : disk->Files())
      if (path.extension() == ".wal") bytes += disk->Contents(path).size();
    return bytes;
  };
  std::uint64_t appended = 0;
  for (; appended < 1'000 && !refused; ++appended) {
    const auto receipt = engine->Append(At("t"), {&record, 1}, {.durability = Durability::kOs});
    if (!receipt) refused = receipt.error().code();
    EXPECT_LE(wal_bytes(), options.wal_bytes_max);
  }
  EXPECT_EQ(refused, ErrorCode::kOutOfSpace);
  EXPECT_GE(appended * record.value->size(), options.wal_bytes_max / 2) << "refused long before the budget";
  disk->SetFaultPlan(nullptr);
}

TEST_F(EngineSettingsTest, UsingTheEngineReadsNoEnvironmentAndPrintsNothing) {
  const auto engine = Open(Small());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int before = environment_reads.load();
  Use(*engine);
  EXPECT_EQ(CodeOf(engine->Read(At("nobody"), Offset(0))), ErrorCode::kNotFound);
  EXPECT_TRUE(engine->Close());
  const int after = environment_reads.load();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(after, before);
}

TEST_F(EngineSettingsTest, AFailedSyncInTheBackgroundIsToldToAppendsAndThreadsEndAtClose) {
  const std::size_t threads = Threads();
  {
    EngineOptions options = Small();
    options.sync = SyncPolicy::Interval(std::chrono::milliseconds(1));
    const auto disk = std::dynamic_pointer_cast<SimFileSystem>(options.file_system);
    const auto engine = Open(options);
    ASSERT_TRUE(engine->CreateTopic("t"));
    AppendNumbers(*engine, At("t"), 3);
    EXPECT_GT(Threads(), threads);
    disk->SetFaultPlan([](SimOperation operation, const auto& path, std::uint64_t) -> std::optional<SimFault> {
      if (operation != SimOperation::kSync || path.extension() != ".wal") return {};
      return SimFault{};
    });
    // No appender waits for that sync; the next one, or the one after, hears of it.
    const Record record = Value("x");
    std::optional<ErrorCode> told;
    while (!told) told = CodeOf(engine->Append(At("t"), {&record, 1}, {.durability = Durability::kOs}));
    EXPECT_EQ(told, ErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(engine->Append(At("t"), {&record, 1})), ErrorCode::kUnavailable);
    EXPECT_EQ(ReadAll(*engine, At("t"), Offset(0)).front(), "0");
    (void)engine->Close();
    EXPECT_TRUE(ThreadsAreBackAt(threads)) << Threads();
  }
  for (int i = 0; i < 10; ++i) Open(Small());
  EXPECT_TRUE(ThreadsAreBackAt(threads)) << Threads();
}

}  // namespace
}  // namespace millrace
