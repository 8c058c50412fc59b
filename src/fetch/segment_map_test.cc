// Goal: the map finds the right segment for every offset and time, in 48 bytes each, loads itself once, follows our
// commits, and never papers over a hole. Method: against the plain list of rows, over a memory metadata store that
// counts its queries. Proves S17, B66, R6 (lookup without I/O).
#include "fetch/segment_map.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "fetch/segment_table.h"

namespace millrace {
namespace {

constexpr PartitionKey kKey{TopicId(1), PartitionId(0)};

SegmentRow Row(std::int64_t base, std::int64_t end, std::uint64_t number) {
  SegmentRow row{.partition = kKey,
                 .base = Offset(base),
                 .end = Offset(end),
                 .byte_begin = number % 3 * 1000,
                 .byte_size = 64 << 20,
                 .records = static_cast<std::uint64_t>(end - base),
                 .timestamp_min_ms = 1'700'000'000'000 + base,
                 .timestamp_max_ms = 1'700'000'000'000 + end - 1};
  for (std::size_t i = 0; i < row.object.size(); ++i)
    row.object[i] = static_cast<std::uint8_t>(SeededRandom::Mix(number * 16 + i));
  return row;
}

std::vector<SegmentRow> Rows(std::uint64_t seed, std::size_t count, std::int64_t first = 0) {
  SeededRandom random(seed);
  std::vector<SegmentRow> rows;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t base = rows.empty() ? first : rows.back().end.value();
    rows.push_back(Row(base, base + 1 + static_cast<std::int64_t>(random.Below(random.OneIn(20) ? 100'000 : 50)), i));
  }
  return rows;
}

TEST(SegmentTableTest, FindsEveryRowByOffsetAndTime) {
  for (const std::size_t count : {1u, 2u, 511u, 512u, 513u, 3000u}) {
    const std::vector<SegmentRow> rows = Rows(count, count, 17);
    SegmentTable table(kKey);
    for (const SegmentRow& row : rows) table.Append(row);
    for (const SegmentRow& row : rows) {
      EXPECT_EQ(table.Find(row.base), row);
      EXPECT_EQ(table.Find(row.end - 1), row);
      EXPECT_EQ(table.FindByTime(row.timestamp_max_ms, Offset(0)), row);
      EXPECT_EQ(table.FindByTime(0, row.base), row);
    }
    EXPECT_EQ(table.Find(Offset(0)), rows.front());
    EXPECT_EQ(table.Find(rows.back().end), std::nullopt);
    EXPECT_EQ(table.FindByTime(INT64_MAX, Offset(0)), std::nullopt);
  }
}

TEST(SegmentTableTest, RowsThatDoNotFitStandApart) {
  std::vector<SegmentRow> rows = {Row(0, 10, 1), Row(10, 20, 2), Row(20, 1ll << 40, 3), Row(1ll << 40, 1ll << 41, 4),
                                  Row(1ll << 41, (1ll << 41) + 1, 5)};
  rows[0].byte_begin = 5ull << 32;
  rows[1].timestamp_min_ms = INT64_MIN;
  rows[1].timestamp_max_ms = INT64_MAX;
  rows[3].records = 1ull << 40;
  SegmentTable table(kKey);
  for (const SegmentRow& row : rows) table.Append(row);
  for (const SegmentRow& row : rows) EXPECT_EQ(table.Find(row.base), row);
  table.DropBelow(Offset(20));
  EXPECT_EQ(table.count(), 3u);
  EXPECT_EQ(table.Find(Offset(0)), rows[2]);
}

TEST(SegmentTableTest, DropBelowKeepsWhatReachesAbove) {
  const std::vector<SegmentRow> rows = Rows(3, 2000);
  for (const std::size_t cut : {0u, 1u, 511u, 512u, 700u, 1999u}) {
    SegmentTable table(kKey);
    for (const SegmentRow& row : rows) table.Append(row);
    table.DropBelow(rows[cut].end - 1);
    EXPECT_EQ(table.count(), rows.size() - cut);
    for (std::size_t i = cut; i < rows.size(); ++i) EXPECT_EQ(table.Find(rows[i].base), rows[i]);
    EXPECT_EQ(table.Find(Offset(0)), rows[cut]);
    EXPECT_EQ(table.FindByTime(0, Offset(0)), rows[cut]);
    table.DropBelow(rows.back().end);
    EXPECT_TRUE(table.empty());
    table.Append(Row(5, 6, 1));
    EXPECT_EQ(table.count(), 1u);
  }
}

TEST(SegmentTableTest, TakesAtMost48BytesASegment) {
  SegmentTable table(kKey);
  for (const SegmentRow& row : Rows(1, 100'000)) table.Append(row);
  EXPECT_LE(table.memory_bytes(), 48u * 100'000);
}

const Error kUnused(ErrorCode::kUnsupported, "not used here");

/// Metadata that knows segments only, counts the queries for them, and can lose a row.
class CountingStore final : public MetadataStore {
 public:
  /// The partition as the rows make it.
  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override {
    if (keys.size() != 1 || !std::holds_alternative<PartitionKey>(keys[0])) return kUnused;
    PartitionRow row;
    row.key = std::get<PartitionKey>(keys[0]);
    for (const SegmentRow& segment : rows) row.tiered_end = std::max(row.tiered_end, segment.end);
    row.log_start = rows.empty() ? row.tiered_end : rows.front().base;
    return std::vector<std::optional<MetadataRow>>{row};
  }
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& /*to*/, std::size_t max) override {
    if (!std::holds_alternative<SegmentEndKey>(from)) return kUnused;
    const auto& first = std::get<SegmentEndKey>(from);
    ++queries;
    std::vector<MetadataRow> page;
    for (const SegmentRow& row : rows)
      if (row.end >= first.end && page.size() < max && row.partition == first.partition) page.emplace_back(row);
    if (after_query) std::exchange(after_query, nullptr)();
    return page;
  }
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow>, std::span<const MetadataWrite>) override {
    return kUnused;
  }
  Result<std::vector<MetadataChange>> Changes(ChangeNumber, std::size_t) override { return kUnused; }
  Result<std::int64_t> NowMs() override { return kUnused; }
  Result<void> Close() override { return {}; }
  std::atomic<int> queries{0};
  std::vector<SegmentRow> rows;
  std::function<void()> after_query;  // once
};

TEST(SegmentMapTest, LoadsOnceInPagesAndAsksNoMore) {
  CountingStore store;
  store.rows = Rows(1, 25'000);
  SimClock clock;
  SegmentMap map(store, kKey, clock);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] { EXPECT_EQ(map.Find(store.rows[20'000].base).value(), store.rows[20'000]); });
  threads.clear();
  EXPECT_EQ(store.queries, 3);
  for (const SegmentRow& row : store.rows) ASSERT_EQ(map.Find(row.base).value(), row);
  EXPECT_EQ(map.Find(store.rows.back().end).value(), std::nullopt);
  EXPECT_EQ(store.queries, 3);
  EXPECT_EQ(map.count(), 25'000u);
  EXPECT_LE(map.memory_bytes(), 25'000u * 48);
}

TEST(SegmentMapTest, FollowsCommitsAndLogStart) {
  CountingStore store;
  const std::vector<SegmentRow> rows = Rows(2, 10);
  store.rows.assign(rows.begin(), rows.begin() + 3);
  SimClock clock;
  SegmentMap map(store, kKey, clock);
  map.Add(rows[0]);  // not loaded yet: metadata has it
  EXPECT_EQ(map.Find(rows[2].base).value(), rows[2]);
  map.Add(rows[3]);
  map.Add(rows[3]);
  EXPECT_EQ(map.Find(rows[3].base).value(), rows[3]);
  EXPECT_EQ(store.queries, 1);
  // Another caller's commit came in between: metadata is asked again.
  store.rows = rows;
  map.Add(rows[5]);
  EXPECT_EQ(map.Find(rows[4].base).value(), rows[4]);
  EXPECT_EQ(map.Find(rows[9].base).value(), rows[9]);
  map.DropBelow(rows[4].end);
  EXPECT_EQ(map.count(), 5u);
  EXPECT_EQ(map.Find(Offset(0)).value(), rows[5]);
}

TEST(SegmentMapTest, ACommitDuringTheFirstLoadIsFoundByTimeAndOffset) {
  CountingStore store;
  const std::vector<SegmentRow> rows = Rows(2, 5);
  store.rows.assign(rows.begin(), rows.begin() + 3);
  SimClock clock;
  SegmentMap map(store, kKey, clock);
  store.after_query = [&] {  // the page is on its way to the map
    store.rows.push_back(rows[3]);
    map.Add(rows[3]);
  };
  EXPECT_EQ(map.Find(rows[0].base).value(), rows[0]);
  EXPECT_EQ(store.queries, 2);
  EXPECT_EQ(map.FindByTime(rows[3].timestamp_max_ms).value(), rows[3]);
  EXPECT_EQ(map.Find(rows[3].base).value(), rows[3]);
  EXPECT_EQ(store.queries, 2) << "and no more is asked for";
  map.Add(rows[4]);
  EXPECT_EQ(map.FindByTime(rows[4].timestamp_max_ms).value(), rows[4]);
}

TEST(SegmentMapTest, RowsThatWereReplacedAreLoadedAnewAlsoWhileTheyAreBeingLoaded) {
  CountingStore store;
  const std::vector<SegmentRow> before = Rows(3, 12'000), after = {Row(0, 7, 1), Row(7, before.back().end.value(), 2)};
  store.rows = before;
  SimClock clock;
  SegmentMap map(store, kKey, clock);
  EXPECT_EQ(map.Find(before[9'000].base).value(), before[9'000]);
  store.rows = after;
  map.Forget();
  EXPECT_EQ(map.Find(Offset(0)).value(), after[0]);
  EXPECT_EQ(map.Find(before[9'000].base).value(), after[1]);
  map.Forget();
  store.rows = before;
  store.after_query = [&] {  // between two pages
    store.rows = after;
    map.Forget();
  };
  EXPECT_EQ(map.Find(Offset(0)).value(), after[0]);
  EXPECT_EQ(map.Find(Offset(7)).value(), after[1]);
  EXPECT_EQ(map.count(), 2U);
}

TEST(SegmentTableTest, AGapIsFoundByOffsetAndNeverByTime) {
  std::vector<SegmentRow> rows = Rows(2, 3);
  rows[1].object = {};
  rows[1].byte_begin = rows[1].byte_size = rows[1].records = 0;
  rows[1].timestamp_min_ms = rows[1].timestamp_max_ms = 0;
  SegmentTable table(kKey);
  for (const SegmentRow& row : rows) table.Append(row);
  ASSERT_TRUE(table.Find(rows[1].base));
  EXPECT_TRUE(table.Find(rows[1].base)->is_gap());
  EXPECT_EQ(table.FindByTime(0, rows[1].base), rows[2]);
  EXPECT_EQ(table.FindByTime(INT64_MIN, rows[1].base), rows[2]);
}

TEST(SegmentMapTest, ACommitBehindAnotherNodesDuringALoadIsNotTakenForLoaded) {
  CountingStore store;
  const std::vector<SegmentRow> rows = Rows(2, 6);
  store.rows.assign(rows.begin(), rows.begin() + 3);
  SimClock clock;
  SegmentMap map(store, kKey, clock);
  ASSERT_TRUE(map.Find(Offset(0)));
  store.after_query = [&] {
    store.rows = rows;
    map.Add(rows[5]);
  };
  ASSERT_TRUE(map.Refresh());
  EXPECT_EQ(map.FindByTime(rows[5].timestamp_max_ms).value(), rows[5]);
}

TEST(SegmentMapTest, LogStartPastTheEndBeginsAFreshList) {
  CountingStore store;
  store.rows = Rows(2, 3);
  SimClock clock;
  SegmentMap map(store, kKey, clock);
  ASSERT_TRUE(map.Find(Offset(0)));
  store.rows = Rows(3, 2, 1'000'000);  // log_start and tiered_end moved on together
  map.Add(store.rows[0]);
  EXPECT_EQ(map.Find(store.rows[1].base).value(), store.rows[1]);
}

TEST(SegmentMapTest, HoleIsCorruptionAndAFailedLoadIsTriedAgain) {
  CountingStore store;
  const std::vector<SegmentRow> rows = Rows(2, 10);
  store.rows = rows;
  store.rows.erase(store.rows.begin() + 4);
  SimClock clock;
  SegmentMap map(store, kKey, clock);
  EXPECT_EQ(map.Find(Offset(0)).error().code(), ErrorCode::kCorruption);
  EXPECT_EQ(map.Find(Offset(0)).error().code(), ErrorCode::kCorruption);
  store.rows = rows;
  EXPECT_EQ(map.Find(rows[4].base).value(), rows[4]);
}

}  // namespace
}  // namespace millrace
