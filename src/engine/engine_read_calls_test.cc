// All ways to read one partition, held against each other, and long runs of small steps. Method: engines on a simulated
// disk; the same entries through every call, from every begin, before and after upload.
// Proves W38, W39, R29 (what it counts), B10, B29, B31.
#include <array>

#include "engine/cursor_fixture.h"
#include "millrace/cursor.h"

namespace millrace {
namespace {

using EngineReadCallsTest = CursorFixture;

TEST_F(EngineReadCallsTest, EveryCallGivesTheSameEntriesFromEveryBegin) {
  constexpr int kEntries = 301;
  const auto engine = Open(OnSimulatedDisk());
  ASSERT_TRUE(engine->CreateTopic("t"));
  // Sizes 0 to 300, in batches of 1 to 5 with zero-length entries inside.
  std::vector<std::string> expected;
  while (expected.size() < kEntries) {
    std::vector<Record> batch;
    for (std::size_t i = 0; i <= expected.size() % 5 && expected.size() + i < kEntries; ++i)
      batch.push_back(Value(std::string(expected.size() + i, static_cast<char>('a' + i))));
    if (batch.size() > 2) batch[1].value = "";
    ASSERT_TRUE(engine->Append(At("t"), batch));
    for (const Record& record : batch) expected.push_back(*record.value);
  }
  const auto cursor = OpenCursor(*engine, At("t"), "c", ReadConsistency::AtLeastOnce(1'000'000));
  const auto consumer = engine->OpenConsumer({.topics = {"t"}});
  ASSERT_TRUE(consumer) << Told(consumer);
  for (const bool cold : {false, true}) {
    if (cold) {
      ASSERT_TRUE(engine->Upload());
      ASSERT_TRUE(engine->Recycle());
    }
    for (int begin = 0; begin < kEntries; ++begin) {
      const auto at = static_cast<std::size_t>(begin);
      const std::size_t count = std::min<std::size_t>(7, kEntries - at);
      const std::span<const std::string> wanted(expected.data() + at, count);
      const auto read = engine->Read(At("t"), Offset(begin), {.records_max = count});
      ASSERT_TRUE(read) << Told(read);
      ASSERT_EQ(read->records.size(), count);
      ASSERT_TRUE((*consumer)->Seek(At("t"), Offset(begin)));
      const auto polled = (*consumer)->Poll(count);
      ASSERT_TRUE(polled && polled->size() == count) << Told(polled);
      ASSERT_TRUE(cursor->Seek(Offset(begin)));
      const auto batch = cursor->ReadBatch(UINT64_MAX, false);
      ASSERT_TRUE(batch && batch->size() == kEntries - at) << Told(batch);
      for (std::size_t i = 0; i < count; ++i) {
        const auto next = cursor->ReadNext(true);
        ASSERT_TRUE(next && *next) << Told(next);
        for (const auto& [offset, value] :
             {std::pair((*next)->offset, (*next)->value.value_or("(null)")),
              std::pair((*batch)[i].offset, (*batch)[i].value.value_or("(null)")),
              std::pair((*polled)[i].offset, (*polled)[i].value.value_or("(null)")),
              std::pair(read->records[i].offset, std::string(read->records[i].value.value_or("(null)")))}) {
          EXPECT_EQ(offset, Offset(begin) + static_cast<std::int64_t>(i));
          EXPECT_EQ(value, wanted[i]);
        }
      }
    }
  }
}

TEST_F(EngineReadCallsTest, TenThousandCyclesOfAppendOneReadOneStayAligned) {
  const auto engine = Open(OnSimulatedDisk());
  ASSERT_TRUE(engine->CreateTopic("t"));
  const auto strict = OpenCursor(*engine, At("t"), "strict", ReadConsistency::StrictlyAtOnce());
  const auto often = OpenCursor(*engine, At("t"), "often", ReadConsistency::AtLeastOnce(100));
  for (int i = 0; i < 10'000; ++i) {
    AppendNumbers(*engine, At("t"), 1, i, {.durability = Durability::kOs});
    Cursor& cursor = i % 2 == 0 ? *strict : *often;
    if (i % 2 == 1) {
      // The other one has fallen two behind.
      ASSERT_EQ((*often->ReadNext(true))->value, std::to_string(i - 1));
      ASSERT_EQ((*strict->ReadNext(true))->value, std::to_string(i));
    }
    const auto record = cursor.ReadNext(true);
    ASSERT_TRUE(record && *record) << i << Told(record);
    ASSERT_EQ((*record)->value, std::to_string(i));
    ASSERT_EQ((*record)->offset, Offset(i));
    if (i % 2 == 1) ASSERT_EQ(*cursor.ReadNext(true), std::nullopt);
  }
}

TEST_F(EngineReadCallsTest, AHundredThousandEntriesInSmallBatchesAreEachVerified) {
  constexpr int kEntries = 100'000;
  EngineOptions options = OnSimulatedDisk();
  options.upload.segment_bytes_max = 256 << 10;
  const auto engine = Open(options);
  ASSERT_TRUE(engine->CreateTopic("t"));
  for (int next = 0; next < kEntries;) {
    // Batch, single, batch.
    std::vector<Record> batch;
    for (int i = 0; i < (next % 3 == 1 ? 1 : 37) && next < kEntries; ++i)
      batch.push_back(Value(std::to_string(next++)));
    ASSERT_TRUE(engine->Append(At("t"), batch, {.durability = Durability::kOs}));
  }
  for (const bool cold : {false, true}) {
    if (cold) {
      ASSERT_TRUE(engine->Upload());
      ASSERT_TRUE(engine->Recycle());
    }
    const auto cursor = OpenCursor(*engine, At("t"), cold ? "cold" : "hot", ReadConsistency::AtLeastOnce(5'000));
    int next = 0;
    while (next < kEntries) {
      const auto records = cursor->ReadBatch(3'000, true);
      ASSERT_TRUE(records && !records->empty()) << Told(records);
      for (const Record& record : *records) {
        ASSERT_EQ(record.offset, Offset(next));
        ASSERT_EQ(record.value, std::to_string(next++));
      }
    }
    EXPECT_EQ(cursor->ReadBatch(3'000, true)->size(), 0U);
  }
}

TEST_F(EngineReadCallsTest, ASequentialReadOfColdSegmentsHitsTheCacheAndAsksTheStoreOnceForEachByte) {
  EngineOptions options = OnSimulatedDisk();
  options.upload.segment_bytes_max = 1 << 20;
  options.upload.codec = SegmentCodec::kNone;
  const auto engine = Open(options);
  ASSERT_TRUE(engine->CreateTopic("t"));
  constexpr int kEntries = 40'000;
  for (int next = 0; next < kEntries;) {
    std::vector<Record> batch;
    for (int i = 0; i < 20; ++i) batch.push_back(Value(std::to_string(next++) + std::string(90, 'x')));
    ASSERT_TRUE(engine->Append(At("t"), batch, {.durability = Durability::kOs}));
  }
  ASSERT_TRUE(engine->Upload());
  ASSERT_TRUE(engine->Recycle());
  const EngineStats before = engine->Stats();
  int next = 0;
  while (next < kEntries) {
    const auto read = engine->Read(At("t"), Offset(next), {.records_max = 100});
    ASSERT_TRUE(read && !read->records.empty()) << Told(read);
    for (const RecordView& record : read->records) ASSERT_EQ(record.offset, Offset(next++));
  }
  const EngineStats after = engine->Stats();
  const double hits = static_cast<double>(after.block_cache.hits - before.block_cache.hits);
  const double misses = static_cast<double>(after.block_cache.misses - before.block_cache.misses);
  EXPECT_GT(hits / (hits + misses), 0.8) << hits << " hits, " << misses << " misses";
  const std::uint64_t fetched = after.read.object_store - before.read.object_store;
  EXPECT_LT(fetched, std::uint64_t{kEntries} * 140);  // 90 bytes and a number each, and what frames them
}

}  // namespace
}  // namespace millrace
