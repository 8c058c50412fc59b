// Goal: every setting of ReadConfig that concerns caches and memory has an effect one can see from outside. Method:
// engines over a store in memory that counts as far, each setting changed in turn. (fetch_size: EngineConsumerTest;
// bounds: EngineOpenTest.) Proves R14, S33, S5 (name spaces of one cache directory), B53 (a nested cache_dir), W40 (one
// engine to a cache directory).
#include <fstream>
#include <future>

#include "engine/engine_fixture.h"
#include "env/sim/sim_file_system.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

class EngineReadConfigTest : public EngineFixture {
 protected:
  EngineOptions Far(std::string data = "far") const {
    EngineOptions options = Options();
    options.data_dir = directory_.path() / data;
    options.objects = std::make_shared<MemoryObjectStore>();
    options.upload.codec = SegmentCodec::kNone;  // as many bytes in store as were appended
    return options;
  }
  /// `batches` of ten records of 4 KiB, in the object store and nowhere else.
  static void Fill(Engine& engine, const std::string& topic = "t", int batches = 20) {
    ASSERT_TRUE(engine.CreateTopic(topic));
    for (int i = 0; i < batches; ++i) {
      const std::vector<Record> records(10, Value(std::string(4096, static_cast<char>('a' + i % 26))));
      ASSERT_TRUE(engine.Append(At(topic), records));
    }
    ASSERT_TRUE(engine.Upload());
    ASSERT_TRUE(engine.Recycle());
  }
};

TEST_F(EngineReadConfigTest, TheDiskCacheLiesInTheDataDirectoryUnlessSetApart) {
  {
    const auto engine = Open(Far());
    EXPECT_TRUE(std::filesystem::is_directory(directory_.path() / "far/cache/chunks"));
    EXPECT_EQ(engine->Stats().segment_cache.bytes_max, 1u << 30);
  }
  EngineOptions apart = Far("other");
  apart.read.cache_dir = directory_.path() / "fast/nested/cache";
  const auto engine = Open(apart);
  EXPECT_TRUE(std::filesystem::is_directory(apart.read.cache_dir / "chunks"));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "other/cache"));
}

TEST_F(EngineReadConfigTest, NearObjectsNeedNoDiskCacheAndZeroMeansNone) {
  const auto near = Open();
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "data/cache"));
  EXPECT_EQ(near->Stats().segment_cache.bytes_max, 0u);
  EngineOptions none = Far();
  none.read.cache_max_size = 0;
  const auto engine = Open(none);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "far/cache/chunks"));
  Fill(*engine);
  EXPECT_TRUE(engine->Read(At("t"), Offset(0)));
  EXPECT_EQ(engine->Stats().segment_cache.bytes, 0u);
}

TEST_F(EngineReadConfigTest, ADiskCacheThatFailsIsToldByStatsAndByAnEventAndReadsGoOn) {
  auto disk = std::make_shared<SimFileSystem>(5);
  EngineOptions options = Far();
  options.data_dir = "/data";
  options.file_system = disk;
  options.metadata_store = "memory:";
  std::promise<Event> disabled;
  options.on_event = [&](const Event& event) {
    if (event.kind == EventKind::kCacheDisabled) disabled.set_value(event);  // once a minute at most
  };
  const auto engine = Open(options);
  Fill(*engine);
  EXPECT_FALSE(engine->Stats().cache_failure);
  disk->SetFaultPlan([](SimOperation operation, const std::filesystem::path& path, std::uint64_t) {
    const bool hit = operation == SimOperation::kWrite && path.native().starts_with("/data/cache");
    return hit ? std::optional(SimFault{.code = ErrorCode::kOutOfSpace}) : std::nullopt;
  });
  EXPECT_EQ(ReadAll(*engine, At("t")).size(), 200u);
  const Event event = disabled.get_future().get();
  EXPECT_EQ(event.error->code(), ErrorCode::kOutOfSpace);
  EXPECT_NE(event.message.find("/data/cache"), std::string::npos) << event.message;
  const auto failure = engine->Stats().cache_failure;
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->error.code(), ErrorCode::kOutOfSpace);
  disk->SetFaultPlan(nullptr);
}

TEST_F(EngineReadConfigTest, ADiskCacheThatIsOffFromTheBeginningIsToldToo) {
  EngineOptions options = Far();
  {
    std::ofstream(directory_.path() / "file") << "in the way";
  }
  options.read.cache_dir = directory_.path() / "file";
  std::vector<EventKind> told;
  options.on_event = [&](const Event& event) { told.push_back(event.kind); };
  const auto engine = Open(options);
  EXPECT_EQ(told, std::vector{EventKind::kCacheDisabled});
  ASSERT_TRUE(engine->Stats().cache_failure);
  Fill(*engine);
  EXPECT_EQ(ReadAll(*engine, At("t")).size(), 200u);
}

TEST_F(EngineReadConfigTest, NameSpacesDivideACacheDirectoryAndASecondEngineReadsWithoutIt) {
  EngineOptions first = Far("one"), second = Far("two"), third = Far("three");
  first.read.cache_dir = second.read.cache_dir = third.read.cache_dir = directory_.path() / "cache";
  second.name_space = "a/b";
  const auto one = Open(first), two = Open(second), three = Open(third);
  EXPECT_TRUE(std::filesystem::is_directory(directory_.path() / "cache/chunks"));
  EXPECT_TRUE(std::filesystem::is_directory(directory_.path() / "cache/ns/612f62/chunks"));
  for (const auto& engine : {one.get(), two.get(), three.get()}) {
    ASSERT_NO_FATAL_FAILURE(Fill(*engine));
    EXPECT_EQ(ReadAll(*engine, At("t")).size(), 200u);
  }
  EXPECT_EQ(three->Stats().segment_cache.bytes, 0u) << "the directory is the first one's";
}

TEST_F(EngineReadConfigTest, TheBlockCacheKeepsWhatItsBudgetAllows) {
  for (const std::uint64_t budget : {std::uint64_t{0}, std::uint64_t{64} << 20}) {
    EngineOptions options = Far("blocks-" + std::to_string(budget));
    options.read.block_cache_max_size = budget;
    const auto engine = Open(options);
    ASSERT_NO_FATAL_FAILURE(Fill(*engine));
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ReadAll(*engine, At("t")).size(), 200u);
    const CacheStats stats = engine->Stats().block_cache;
    EXPECT_EQ(stats.bytes_max, budget);
    EXPECT_EQ(stats.hits > 0, budget > 0);
    EXPECT_EQ(stats.bytes > 0, budget > 0);
  }
}

TEST_F(EngineReadConfigTest, TheDiskCacheStaysBelowItsCeiling) {
  for (const std::uint64_t ceiling : {std::uint64_t{3} << 20, std::uint64_t{64} << 20}) {
    EngineOptions options = Far("disk-" + std::to_string(ceiling));
    options.read.cache_max_size = ceiling;
    const auto engine = Open(options);
    ASSERT_NO_FATAL_FAILURE(Fill(*engine, "t", 150));
    EXPECT_EQ(ReadAll(*engine, At("t")).size(), 1500u);
    const CacheStats stats = engine->Stats().segment_cache;
    EXPECT_EQ(stats.bytes_max, ceiling);
    EXPECT_LE(stats.bytes, ceiling);
    EXPECT_GT(stats.bytes, 0u);
    EXPECT_EQ(stats.evictions > 0, ceiling < 6 << 20);
  }
}

TEST_F(EngineReadConfigTest, ReadMemoryBoundsHowMuchOneRequestAsksFor) {
  std::vector<std::uint64_t> requests;
  for (const std::uint64_t memory : {std::uint64_t{8} << 20, std::uint64_t{256} << 20}) {
    EngineOptions options = Far("memory-" + std::to_string(memory));
    options.read.read_memory_max = memory;
    const auto engine = Open(options);
    ASSERT_NO_FATAL_FAILURE(Fill(*engine, "t", 150));
    const auto read = engine->Read(At("t"), Offset(0), {.bytes_max = 64 << 20});
    ASSERT_TRUE(read) << Told(read);
    EXPECT_EQ(read->records.size(), 1500u);
    requests.push_back(read->explanation.requests);
  }
  EXPECT_GT(requests[0], requests[1]);
}

TEST_F(EngineReadConfigTest, PrefetchIsThereForSequentialReadersUnlessSwitchedOff) {
  for (const bool enabled : {false, true}) {
    for (const std::uint64_t cache_bytes : {0u, 1u << 30}) {  // it needs no disk
      EngineOptions options = Far((enabled ? "ahead" : "asked") + std::to_string(cache_bytes));
      options.read.prefetch_enabled = enabled;
      options.read.cache_max_size = cache_bytes;
      const auto engine = Open(options);
      ASSERT_NO_FATAL_FAILURE(Fill(*engine, "t", 200));
      EXPECT_EQ(ReadAll(*engine, At("t")).size(), 2000u);
      const EngineStats stats = engine->Stats();
      EXPECT_EQ(stats.prefetch_used_bytes + stats.prefetch_wasted_bytes > 0, enabled) << cache_bytes;
    }
  }
}

TEST_F(EngineReadConfigTest, EvictionDecidesWhatABackfillDrivesOut) {
  for (const EvictionPolicy eviction : {EvictionPolicy::kLru, EvictionPolicy::kS3Fifo}) {
    const bool lru = eviction == EvictionPolicy::kLru;
    EngineOptions options = Far(lru ? "lru" : "s3fifo");
    options.read.eviction = eviction;
    options.read.block_cache_max_size = 2 << 20;
    const auto engine = Open(options);
    ASSERT_NO_FATAL_FAILURE(Fill(*engine, "hot", 2));
    ASSERT_NO_FATAL_FAILURE(Fill(*engine, "backfill", 200));
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(engine->Read(At("hot"), Offset(1), {.records_max = 1}));
    EXPECT_EQ(ReadAll(*engine, At("backfill")).size(), 2000u);
    const auto again = engine->Read(At("hot"), Offset(1), {.records_max = 1});
    ASSERT_TRUE(again) << Told(again);
    EXPECT_EQ(again->explanation.bytes.block_cache == 0, lru);
  }
}

}  // namespace
}  // namespace millrace
