// Goal: files of the disk cache of format version 1 read the same for ever.
// Method: files written by an independent program are read, and written again byte for byte; the chunk equals the dump
// in docs/format/segment-cache.md.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "cache/chunk_file.h"
#include "cache/chunk_order.h"
#include "env/sim/sim_file_system.h"
#include "golden_file.h"

namespace millrace {
namespace {

ChunkKey Key(std::uint64_t byte_begin) {
  ChunkKey key{.segment_begin = 4096, .byte_begin = byte_begin};
  std::iota(key.object.begin(), key.object.end(), std::uint8_t{0});
  return key;
}

void Put(SimFileSystem& disk, const std::filesystem::path& path, const std::vector<std::byte>& bytes) {
  const auto file = disk.Open(path, {FileAccess::kReadWrite, FileCreation::kCreateNew});
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->WriteAt(0, bytes));
}

TEST(SegmentCacheGoldenTest, AChunkIsReadAndWrittenAgain) {
  const auto golden = ReadGolden("cache-chunk-v1.bin");
  EXPECT_EQ(golden, BytesInPage("segment-cache.md"));
  EXPECT_EQ(ChunkName::Of(Key(1 << 20)).ToString(), "06799a783e183b395e7aaa58f8a2d7fd");
  EXPECT_EQ(ChunkName::Of(Key(kTailChunk)).ToString(), "c042a36b27b06384b1558005368fd523");
  SimFileSystem disk;
  ASSERT_NO_FATAL_FAILURE(Put(disk, "/golden", golden));
  const auto parts = ReadChunkFile(disk, {"/golden", golden.size()}, Key(1 << 20), {});
  ASSERT_TRUE(parts) << parts.error().message();
  EXPECT_EQ(AsText(parts->front()), "millrace");
  EXPECT_FALSE(ReadChunkFile(disk, {"/golden", golden.size()}, Key(0), {}));
  const SharedBytes pieces[] = {SharedBytes::Copy(AsBytes("mill")), SharedBytes::Copy(AsBytes("race"))};
  ASSERT_TRUE(WriteChunkFile(disk, "/again", FileCreation::kCreateNew, Key(1 << 20), pieces));
  EXPECT_EQ(disk.Contents("/again"), golden);
}

TEST(SegmentCacheGoldenTest, AnOrderIsReadAndWrittenAgain) {
  const auto golden = ReadGolden("cache-order-v1.bin");
  SimFileSystem disk;
  ASSERT_NO_FATAL_FAILURE(Put(disk, "/golden", golden));
  const ChunkOrder order = ReadOrder(disk, "/golden", 1000);
  EXPECT_EQ(order.left_out, 3u);
  const std::vector<RankedChunk> expected = {{ChunkName::Of(Key(1 << 20)), 0}, {ChunkName::Of(Key(kTailChunk)), 0x23}};
  EXPECT_EQ(order.places, expected);
  std::vector<RankedChunk> all(3);
  all.insert(all.end(), expected.begin(), expected.end());
  ASSERT_TRUE(WriteOrder(disk, "/again", all, golden.size()));
  EXPECT_EQ(disk.Contents("/again"), golden);
}

}  // namespace
}  // namespace millrace
