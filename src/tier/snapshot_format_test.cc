// Goal: a snapshot gives back the rows that went into it, or says that it is damaged. Method: round trips over several
// blocks, every byte flipped, every cut, blocks left out and exchanged.
#include "tier/snapshot_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/coding.h"
#include "base/crc32c.h"

namespace millrace {
namespace {

const SnapshotHead kHead{.identity = StoredIdOf("00112233445566778899aabbccddeeff"),
                         .generation = 3,
                         .nonce = 0xfeedbeef,
                         .change = 77,
                         .settled = 5,
                         .written_ms = 1'700'000'000'000};

SegmentRow Segment(int number) {
  return {.partition = {TopicId(1), PartitionId(0)},
          .base = Offset(number),
          .end = Offset(number + 1),
          .object = {static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(number >> 8)},
          .byte_size = 9,
          .records = 1,
          .committed_ms = number};
}

SharedBytes Joined(const std::vector<SharedBytes>& pieces) {
  std::vector<std::byte> bytes;
  for (const SharedBytes& piece : pieces) bytes.insert(bytes.end(), piece.bytes().begin(), piece.bytes().end());
  return SharedBytes::Copy(bytes);
}

KnownProducer Producer(int number) {
  KnownProducer producer{.partition = {TopicId(1), PartitionId(0)}, .touched_ms = number, .window = {.id = number}};
  for (int i = 0; i <= number % 5; ++i)
    producer.window.Push(1, {.first = i, .last = i, .base = Offset(number + i), .timestamp_ms = i});
  return producer;
}

std::vector<SharedBytes> Pieces(int segments, int producers = 0) {
  SnapshotBuilder builder(kHead);
  builder.Add(StoreRow{.name = "identity", .text = "x"});
  builder.Add(TopicRow{.id = TopicId(1), .uuid = "u", .name = "t", .options = {.partitions = 1}});
  builder.Add(PartitionRow{.key = {TopicId(1), PartitionId(0)}, .tiered_end = Offset(segments)});
  for (int i = segments - 1; i >= 0; --i) builder.Add(Segment(i));
  builder.Add(ObjectRow{.id = {1}, .key = "k", .state = ObjectState::kDeleting});
  builder.Add(PositionRow{.key = {"g", {TopicId(1), PartitionId(0)}}, .position = Offset(1)});
  builder.Add(EpochRow{{TopicId(1), PartitionId(0)}, LeaderEpoch(4), Offset(2)});
  builder.Add(EpochRow{{TopicId(1), PartitionId(0)}, LeaderEpoch(3), Offset(1)});
  builder.Add(GroupRow{.name = "g", .generation = 3});
  builder.Add(GroupMemberRow{.key = {"g", "m"}, .assignment = "a"});
  builder.Add(StoreRow{.name = "producer_block", .number = 3});
  // The directory's own, which no other may take for its own.
  builder.Add(StoreRow{.name = "claim", .number = 5});
  builder.Add(RemovalRow{.topic = TopicId(9)});
  for (int i = 0; i < producers; ++i) builder.AddProducer(Producer(i));
  return builder.Finish();
}

TEST(SnapshotFormatTest, GivesBackWhatWentIn) {
  for (const int segments : {0, 3, 20'000}) {
    const auto snapshot = DecodeSnapshot(Joined(Pieces(segments)));
    ASSERT_TRUE(snapshot) << snapshot.error().ToString();
    EXPECT_EQ(snapshot->head, kHead);
    EXPECT_TRUE(snapshot->producers.empty());
    EXPECT_EQ(snapshot->store,
              (std::vector<StoreRow>{{.name = "identity", .text = "x"}, {.name = "producer_block", .number = 3}}));
    ASSERT_EQ(snapshot->topics.size(), 1U);
    EXPECT_EQ(snapshot->topics[0].name, "t");
    EXPECT_EQ(snapshot->partitions.size(), 1U);
    ASSERT_EQ(snapshot->segments.size(), static_cast<std::size_t>(segments));
    for (int i = 0; i < segments; ++i) ASSERT_EQ(snapshot->segments[static_cast<std::size_t>(i)], Segment(i));
    EXPECT_EQ(snapshot->objects.size(), 1U);
    EXPECT_EQ(snapshot->positions.size(), 1U);
    ASSERT_EQ(snapshot->epochs.size(), 2U);
    EXPECT_EQ(snapshot->epochs[0].epoch, LeaderEpoch(3));  // in their order
    EXPECT_EQ(snapshot->groups, (std::vector<GroupRow>{{.name = "g", .generation = 3}}));
    EXPECT_EQ(snapshot->members, (std::vector<GroupMemberRow>{{.key = {"g", "m"}, .assignment = "a"}}));
  }
}

TEST(SnapshotFormatTest, GivesBackProducersAndIsOfTheVersionBeforeWithoutThem) {
  for (const int producers : {0, 1, 30'000}) {
    const SharedBytes bytes = Joined(Pieces(3, producers));
    EXPECT_EQ(GetLe<std::uint32_t>(bytes.data() + 56), producers == 0 ? 2U : 3U);
    const auto snapshot = DecodeSnapshot(bytes);
    ASSERT_TRUE(snapshot) << snapshot.error().ToString();
    EXPECT_EQ(snapshot->head, kHead);
    EXPECT_EQ(snapshot->segments.size(), 3U);
    ASSERT_EQ(snapshot->producers.size(), static_cast<std::size_t>(producers));
    for (int i = 0; i < producers; ++i) ASSERT_EQ(snapshot->producers[static_cast<std::size_t>(i)], Producer(i));
  }
}

TEST(SnapshotFormatTest, RowsOfALaterVersionAreRefusedByNumber) {
  const SharedBytes whole = Joined(Pieces(1, 1));
  std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
  PutLe(bytes.data() + 56, std::uint32_t{4});
  PutLe(bytes.data() + 64, Crc32c(std::span(bytes).first(64)));
  const auto read = DecodeSnapshot(SharedBytes::Copy(bytes));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(std::string(read.error().message()).find("rows of version 4"), std::string::npos);
}

TEST(SnapshotFormatTest, EveryFlippedByteAndEveryCutIsNoticed) {
  const SharedBytes whole = Joined(Pieces(3, 2));
  std::vector<std::byte> bytes(whole.bytes().begin(), whole.bytes().end());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] ^= std::byte{0x10};
    const auto read = DecodeSnapshot(SharedBytes::Copy(bytes));
    ASSERT_FALSE(read) << at;
    EXPECT_EQ(read.error().code(), ErrorCode::kCorruption) << at;
    bytes[at] ^= std::byte{0x10};
    EXPECT_FALSE(DecodeSnapshot(whole.Slice(0, at))) << at;
  }
}

TEST(SnapshotFormatTest, BlocksLeftOutOrExchangedAreNoticed) {
  const std::vector<SharedBytes> pieces = Pieces(60'000);  // head, header and payload of each block, end
  ASSERT_GE(pieces.size(), 8U);
  auto without = pieces;
  without.erase(without.begin() + 1, without.begin() + 3);
  EXPECT_EQ(DecodeSnapshot(Joined(without)).error().code(), ErrorCode::kCorruption);
  auto exchanged = pieces;
  std::swap_ranges(exchanged.begin() + 1, exchanged.begin() + 3, exchanged.begin() + 3);
  EXPECT_EQ(DecodeSnapshot(Joined(exchanged)).error().code(), ErrorCode::kCorruption);
  EXPECT_TRUE(DecodeSnapshot(Joined(pieces)));
}

}  // namespace
}  // namespace millrace
