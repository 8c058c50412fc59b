// Goal: opening the store costs the same whatever it holds, and a page of segments costs what it returns (S15, S17).
// Method: count the reads of the simulated disk; no clock.
#include <gtest/gtest.h>

#include <iostream>

#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/sqlite_metadata_store.h"

namespace millrace {
namespace {

constexpr const char* kDatabase = "/data/metadata.db";
constexpr std::int64_t kSegments = 40'000, kPerObject = 2'000;

TEST(SqliteScaleTest, OpenAndOnePageReadAFewPagesOfManySegments) {
  SimFileSystem disk(1);
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store);
  const PartitionKey key{Catalog(**store).CreateTopic("t", {}, "", 1)->id, PartitionId(0)};
  for (std::int64_t n = 0; n < kSegments; n += kPerObject) {
    ObjectRow object;
    object.id[0] = static_cast<std::uint8_t>(n / kPerObject);
    object.key = "k" + std::to_string(n);
    object.size_bytes = 1 << 30;
    ASSERT_TRUE(Catalog(**store).PrepareObject(object));
    std::vector<SegmentCommit> commits;
    for (std::int64_t i = n; i < n + kPerObject; ++i) {
      commits.push_back({{key, Offset(i * 10), Offset(i * 10 + 10), object.id, 0, 100, 10, 0, 0}, LeaderEpoch(0)});
    }
    ASSERT_TRUE(Catalog(**store).CommitSegments(object, commits));
  }
  ASSERT_TRUE((*store)->Close());
  const std::uint64_t before_open = disk.calls(SimOperation::kRead);
  store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store);
  const std::uint64_t opened = disk.calls(SimOperation::kRead);
  EXPECT_LE(opened - before_open, 20u);
  for (const std::int64_t from : {std::int64_t{0}, kSegments * 5, kSegments * 10 - 1000}) {
    const std::uint64_t before = disk.calls(SimOperation::kRead);
    auto page = Catalog(**store).Segments(key, Offset(from), 100);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->size(), 100u);
    EXPECT_LE(disk.calls(SimOperation::kRead) - before, 15u) << from;
  }
  std::cout << "checked=" << kSegments << " pages=" << disk.Contents(kDatabase).size() / 4096 << "\n";
  EXPECT_GE(disk.Contents(kDatabase).size(), 2u << 20);
}

}  // namespace
}  // namespace millrace
