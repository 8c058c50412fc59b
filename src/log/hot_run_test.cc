// Goal: what a clean close says of a partition comes back exactly, and nothing else does. Method: round trips, cuts,
// and entries that do not ascend. Proves S24 for this format.
#include <gtest/gtest.h>

#include <random>

#include "log/partition_snapshot.h"

namespace millrace {
namespace {

PartitionSnapshot Example(std::uint64_t stream, int entries) {
  std::vector<WalIndex::Entry> index;
  for (int i = 0; i < entries; ++i) {
    index.push_back({Offset(100 + i * 10), WalPosition(4096 + i * 70'000), static_cast<std::uint64_t>(i) * 900,
                     1'000 + i, 2'000 + i});
  }
  return {.stream = WalStream(stream),
          .begin = Offset(100),
          .end = Offset(100 + entries * 10),
          .index = WalIndex::Restored(index, WalPosition(4096 + entries * 70'000),
                                      static_cast<std::uint64_t>(entries) * 900)};
}

void ExpectEqual(const PartitionSnapshot& a, const PartitionSnapshot& b) {
  EXPECT_EQ(a.stream, b.stream);
  EXPECT_EQ(a.begin, b.begin);
  EXPECT_EQ(a.end, b.end);
  EXPECT_EQ(a.index.end(), b.index.end());
  EXPECT_EQ(a.index.bytes_total(), b.index.bytes_total());
  ASSERT_EQ(a.index.size(), b.index.size());
  for (std::size_t i = 0; i < a.index.size(); ++i) {
    EXPECT_EQ(a.index[i].base, b.index[i].base);
    EXPECT_EQ(a.index[i].begin, b.index[i].begin);
    EXPECT_EQ(a.index[i].bytes_before, b.index[i].bytes_before);
    EXPECT_EQ(a.index[i].timestamp_max_ms, b.index[i].timestamp_max_ms);
    EXPECT_EQ(a.index[i].appended_ms, b.index[i].appended_ms);
  }
}

TEST(PartitionSnapshotTest, RunsComeBackOneAfterTheOther) {
  std::vector<std::byte> bytes;
  for (int entries : {0, 1, 2, 500})
    EncodePartitionSnapshot(Example(static_cast<std::uint64_t>(entries) + 7, entries), bytes);
  std::span<const std::byte> left = bytes;
  for (int entries : {0, 1, 2, 500}) {
    const auto run = DecodePartitionSnapshot(left);
    ASSERT_TRUE(run);
    ExpectEqual(*run, Example(static_cast<std::uint64_t>(entries) + 7, entries));
  }
  EXPECT_TRUE(left.empty());
}

TEST(PartitionSnapshotTest, ACutRunIsNone) {
  std::vector<std::byte> bytes;
  EncodePartitionSnapshot(Example(1, 3), bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    std::span<const std::byte> left = std::span<const std::byte>(bytes).first(length);
    EXPECT_FALSE(DecodePartitionSnapshot(left)) << length;
    EXPECT_EQ(left.size(), length);
  }
}

TEST(PartitionSnapshotTest, AChangedRunAscendsOrIsNone) {
  std::vector<std::byte> bytes;
  EncodePartitionSnapshot(Example(1, 4), bytes);
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    auto changed = bytes;
    for (int k = 0; k < 1 + i % 3; ++k)
      changed[random() % changed.size()] ^= static_cast<std::byte>(1 + random() % 255);
    std::span<const std::byte> left = changed;
    const auto run = DecodePartitionSnapshot(left);
    if (!run) continue;
    EXPECT_LE(run->begin, run->end);
    for (std::size_t k = 0; k + 1 < run->index.size(); ++k) {
      EXPECT_LT(run->index[k].base, run->index[k + 1].base);
      EXPECT_LT(run->index[k].begin, run->index[k + 1].begin);
    }
  }
}

}  // namespace
}  // namespace millrace
