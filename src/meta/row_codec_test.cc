// Goal: rows and keys are what they were after their bytes; no other bytes pass for a row; keys sort by their bytes.
// Method: one row of each table; cut at every byte; each bit flipped; keys compared with the order of their fields.
#include "meta/row_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "millrace/bytes.h"

namespace millrace {
namespace {

std::vector<MetadataRow> Rows() {
  TopicRow topic{TopicId(7), "uuid", std::string("a\0b", 3), {}, -5};
  topic.options.partitions = 9;
  topic.options.retention_time = std::chrono::milliseconds(4);
  SegmentRow segment;
  segment.partition = {TopicId(7), PartitionId(2)};
  segment.end = Offset(9);
  segment.object = {1, 2, 3};
  SegmentRow timed = segment;
  timed.committed_ms = 77;
  return {StoreRow{"name", -1, ""},
          topic,
          PartitionRow{{TopicId(7), PartitionId(2)}, LeaderEpoch(3), Offset(100), Offset(480), 4, 65536},
          ObjectRow{{9}, "key", 1, ObjectState::kCommitted, INT64_MIN, 2},
          segment,
          timed,
          PositionRow{{"\xff", {TopicId(7), PartitionId(2)}}, Offset(4)},
          PositionRow{{"g", {TopicId(7), PartitionId(2)}}, Offset(4), 99, LeaderEpoch(0), "text"},
          PositionRow{{"h", {TopicId(7), PartitionId(2)}}, Offset(4), 99, std::nullopt, ""},
          RemovalRow{TopicId(8), 6},
          GroupRow{"g", "consumer", "range", 5, "m", 7},
          GroupMemberRow{{"g", "m"}, 1, "i", "client", "/host", 6'000, 60'000, std::string("\0m", 2), "a"},
          EpochRow{{TopicId(7), PartitionId(2)}, LeaderEpoch(3), Offset(100)}};
}

TEST(RowCodecTest, RowsComeBackAndTheirCrcIsTheOneOfTheColumns) {
  for (const MetadataRow& row : Rows()) {
    const std::string bytes = EncodeRow(row);
    const auto back = DecodeRow(AsBytes(bytes));
    ASSERT_TRUE(back) << back.error().ToString();
    EXPECT_EQ(*back, row);
    const std::int64_t crc = std::visit([](const auto& each) { return CrcOf(each); }, row);
    EXPECT_EQ(std::int64_t{GetLe<std::uint32_t>(AsBytes(bytes).last(4).data())}, crc);
  }
}

TEST(RowCodecTest, NothingElseIsARow) {
  for (const MetadataRow& row : Rows()) {
    const std::string bytes = EncodeRow(row);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto cut = DecodeRow(AsBytes(bytes).first(size));
      ASSERT_FALSE(cut);
      EXPECT_EQ(cut.error().code(), ErrorCode::kCorruption);
    }
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(DecodeRow(AsBytes(flipped))) << bit;
    }
    // Columns of another table under a CRC that fits.
    std::string other = bytes.substr(0, bytes.size() - 4);
    other[0] = static_cast<char>(other[0] % 7 + 1);
    std::byte crc[4];
    PutLe(crc, Crc32c(AsBytes(other)));
    other += AsText(crc);
    EXPECT_FALSE(DecodeRow(AsBytes(other)));
  }
}

TEST(RowCodecTest, KeysSortByTheirBytesAndComeBackOneAfterTheOther) {
  std::vector<PositionKey> keys;
  for (const std::string& group :
       {std::string(), std::string("\0", 1), std::string("\0\xff", 2), std::string("a"), std::string("a\0", 2),
        std::string("a\0\0", 3), std::string("aa"), std::string("\xff")})
    for (const std::int64_t topic : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX})
      for (const std::int32_t partition : {-1, 0, 256})
        keys.push_back({group, {TopicId(topic), PartitionId(partition)}});
  std::string all;
  for (const PositionKey& a : keys) {
    for (const PositionKey& b : keys) EXPECT_EQ(EncodeKey(a) <=> EncodeKey(b), a <=> b);
    EXPECT_LT(EncodeKey(a), EndOfOrder(a));
    all += EncodeKey(a);
  }
  std::span<const std::byte> rest = AsBytes(all);
  for (const PositionKey& key : keys) EXPECT_EQ(*DecodeKey(rest), MetadataKey(key));
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(DecodeKey(rest).error().code(), ErrorCode::kCorruption);
}

TEST(RowCodecTest, KeysOfEveryOrderComeBackAndCutOnesDoNot) {
  const MetadataKey keys[] = {StoreKey{"a"},
                              TopicKey{TopicId(1)},
                              PartitionKey{TopicId(1), PartitionId(2)},
                              ObjectKey{{1, 2}},
                              RemovalKey{TopicId(3)},
                              EpochKey{{TopicId(1), PartitionId(2)}, LeaderEpoch(3)},
                              GroupKey{"g"},
                              GroupMemberKey{"g", "m"},
                              SegmentEndKey{{TopicId(1), PartitionId(2)}, Offset(3)},
                              TopicNameKey{"a"},
                              ObjectAgeKey{ObjectState::kDeleting, 5, {7}}};
  for (const MetadataKey& key : keys) {
    const std::string bytes = EncodeKey(key);
    std::span<const std::byte> whole = AsBytes(bytes);
    EXPECT_EQ(*DecodeKey(whole), key) << KeyText(key);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      std::span<const std::byte> cut = AsBytes(bytes).first(size);
      EXPECT_FALSE(DecodeKey(cut)) << KeyText(key) << " " << size;
    }
  }
}

}  // namespace
}  // namespace millrace
