// Goal: a segment of format version 1 reads the same for ever.
// Method: a file written by an independent program is verified and read; it is built again byte for byte and equals the
// dump in docs/format/segment.md.
#include <gtest/gtest.h>

#include <vector>

#include "golden_file.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"
#include "segment/segment_builder.h"
#include "segment/segment_reader.h"
#include "segment/segment_verifier.h"

namespace millrace {
namespace {

constexpr std::int64_t kTime = 1'700'000'000'000;
constexpr PartitionKey kPartition{TopicId(1), PartitionId(0)};

class FileSource final : public BlockSource {
 public:
  explicit FileSource(const std::vector<std::byte>& bytes) : bytes_(SharedBytes::Copy(bytes)) {}
  Result<SharedBytes> Fetch(ByteRange range) override { return bytes_.Slice(range.offset, range.length); }

 private:
  SharedBytes bytes_;
};

SharedBytes Batch(std::span<const Record> records, std::int64_t base) {
  auto built = BuildRecordBatch(records, {});
  EXPECT_TRUE(built);
  StampBatch(built->bytes(), Offset(base), LeaderEpoch(3));
  return std::move(*built).Freeze();
}

std::vector<SharedBytes> Expected() {
  const std::vector<Record> first = {{.timestamp_ms = kTime, .value = "hello"},
                                     {.timestamp_ms = kTime - 5, .key = "k", .value = "", .headers = {{"h", {}}}}};
  const std::vector<Record> second = {{.timestamp_ms = kTime + 10, .key = "", .headers = {{"a", ""}, {"b", "c"}}}};
  return {Batch(first, 7), Batch(second, 9)};
}

TEST(SegmentGoldenTest, Reads) {
  const auto bytes = ReadGolden("segment-v1.bin");
  FileSource source(bytes);
  const auto check = VerifySegment(source, bytes.size());
  ASSERT_TRUE(check) << check.error().message();
  EXPECT_TRUE(check->damage.empty());
  EXPECT_EQ(check->records, 3U);
  const auto index = *SegmentIndex::Load(source, bytes.size());
  EXPECT_EQ(index->partition(), kPartition);
  EXPECT_EQ(index->base(), Offset(7));
  EXPECT_EQ(index->end(), Offset(10));
  EXPECT_EQ(index->timestamp_min_ms(), kTime - 5);
  EXPECT_EQ(index->timestamp_max_ms(), kTime + 10);
  const auto expected = Expected();
  ASSERT_EQ(index->blocks().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const SegmentBlock& block = index->blocks()[i];
    const auto raw = OpenBlock(block, *source.Fetch({block.byte_begin, block.stored_bytes}));
    ASSERT_TRUE(raw);
    EXPECT_TRUE(std::ranges::equal(raw->bytes(), expected[i].bytes()));
  }
}

TEST(SegmentGoldenTest, IsBuiltAgainByteForByte) {
  SegmentBuilder builder({.partition = kPartition, .codec = SegmentCodec::kNone, .block_bytes = 1});
  for (const SharedBytes& batch : Expected()) ASSERT_TRUE(builder.Add(batch));
  std::vector<std::byte> bytes;
  const auto built = builder.Finish();
  ASSERT_TRUE(built);
  for (const SharedBytes& piece : built->pieces) bytes.insert(bytes.end(), piece.bytes().begin(), piece.bytes().end());
  EXPECT_EQ(bytes, ReadGolden("segment-v1.bin"));
}

TEST(SegmentGoldenTest, IsTheOneInThePage) { EXPECT_EQ(BytesInPage("segment.md"), ReadGolden("segment-v1.bin")); }

}  // namespace
}  // namespace millrace
