// Goal: what an object says of itself is read as it was written, or not at all. Method: round trips, every byte flipped
// in each bit, every cut, and counts that claim more than there is.
#include "segment/object_directory.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"

namespace millrace {
namespace {

ObjectDirectory Example() {
  ObjectDirectory directory{.identity = StoredIdOf("00112233445566778899aabbccddeeff"),
                            .generation = 7,
                            .nonce = 0xfeedbeef,
                            .sequence = 41,
                            .settled = 40,
                            .written_ms = 1'700'000'000'000};
  directory.topics.push_back({.uuid = StoredIdOf("ffeeddccbbaa99887766554433221100"),
                              .number = TopicId(3),
                              .created_ms = 1'699'999'999'999,
                              .options = {.partitions = 4,
                                          .retention_time = std::chrono::hours(1),
                                          .durability = Durability::kObject,
                                          .cleanup = Cleanup::kConsumed},
                              .name = "orders"});
  directory.topics.push_back({.number = TopicId(9), .options = {.retention_bytes = 5}, .name = "b"});
  directory.entries.push_back({.topic = 0,
                               .partition = PartitionId(3),
                               .epoch = LeaderEpoch(2),
                               .byte_begin = 0,
                               .byte_size = 500,
                               .base = Offset(10),
                               .end = Offset(30),
                               .records = 20,
                               .timestamp_min_ms = -5,
                               .timestamp_max_ms = 17,
                               .log_start = Offset(4),
                               .ceiling = Offset(31)});
  directory.entries.push_back(
      {.topic = 1, .rewritten = true, .base = Offset(0), .end = Offset(2), .ceiling = Offset(2)});
  return directory;
}

ProducerWindow Producer(std::int64_t id, std::int64_t base, int batches) {
  ProducerWindow producer{.id = id};
  for (int i = 0; i < batches; ++i)
    producer.Push(4, {.first = i * 2, .last = i * 2 + 1, .base = Offset(base + i * 2), .timestamp_ms = 17 - i});
  return producer;
}

/// The same, with producers in both entries.
ObjectDirectory WithProducers() {
  ObjectDirectory directory = Example();
  directory.shares.push_back({.entry = 0, .told = {.producers = {Producer(5, 10, 5), Producer(1LL << 40, 20, 1)}}});
  directory.shares.push_back({.entry = 1, .told = {.producers = {Producer(5, 0, 1)}, .left_out = 3}});
  return directory;
}

std::uint32_t VersionOf(const ObjectDirectory& directory) {
  return GetLe<std::uint32_t>(EncodeObjectDirectory(directory).data() + 4);
}

TEST(ObjectDirectoryTest, ReadsAsItWasWrittenBehindAnyBytes) {
  for (const ObjectDirectory& directory : {Example(), ObjectDirectory{}, WithProducers()}) {
    const auto bytes = EncodeObjectDirectory(directory);
    std::vector<std::byte> object(100, std::byte{'x'});
    object.insert(object.end(), bytes.begin(), bytes.end());
    EXPECT_EQ(DirectoryBytes(object), bytes.size());
    EXPECT_EQ(DirectoryBytes(std::span(object).last(kDirectoryEndBytes)), bytes.size());
    const auto read = DecodeObjectDirectory(bytes);
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(*read, directory);
  }
}

TEST(ObjectDirectoryTest, AnEntryIsAsLongAsThePageSays) {
  ObjectDirectory directory = Example();
  const std::size_t with_two = EncodeObjectDirectory(directory).size();
  directory.entries.pop_back();
  EXPECT_EQ(with_two - EncodeObjectDirectory(directory).size(), 85U);
}

TEST(ObjectDirectoryTest, WithoutProducersItIsOfTheVersionThatHadNone) {
  EXPECT_EQ(VersionOf(Example()), 1U);
  EXPECT_EQ(VersionOf(WithProducers()), 2U);
  EXPECT_EQ(EncodeObjectDirectory(WithProducers()).size() - EncodeObjectDirectory(Example()).size(),
            4U + 2 * 12 + 3 * 11 + 7 * 24);
}

TEST(ObjectDirectoryTest, EveryFlippedBitIsNoticed) {
  const auto bytes = EncodeObjectDirectory(WithProducers());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto flipped = bytes;
      flipped[at] ^= static_cast<std::byte>(1U << bit);
      const auto read = DecodeObjectDirectory(flipped);
      ASSERT_FALSE(read) << "byte " << at << " bit " << bit;
      EXPECT_EQ(read.error().code(), ErrorCode::kCorruption);
      EXPECT_NE(read.error().damage(), nullptr);
    }
  }
}

TEST(ObjectDirectoryTest, EveryCutIsNoticed) {
  const auto bytes = EncodeObjectDirectory(WithProducers());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeObjectDirectory(std::span(bytes).first(size))) << size;
    EXPECT_FALSE(DecodeObjectDirectory(std::span(bytes).last(size))) << size;
  }
}

TEST(ObjectDirectoryTest, AnObjectOfAnEarlierReleaseHasNone) {
  const std::vector<std::byte> footer(80, std::byte{'M'});
  EXPECT_EQ(DirectoryBytes(footer), std::nullopt);
  EXPECT_EQ(DirectoryBytes({}), std::nullopt);
}

/// The bytes with another number at `at`, and a right CRC.
std::vector<std::byte> With(std::size_t at, std::uint32_t number, const ObjectDirectory& directory = Example()) {
  auto bytes = EncodeObjectDirectory(directory);
  PutLe(bytes.data() + at, number);
  const std::size_t crc_at = bytes.size() - kDirectoryEndBytes;
  PutLe(bytes.data() + crc_at, Crc32c(std::span(bytes).first(crc_at)));
  return bytes;
}

TEST(ObjectDirectoryTest, ANewerVersionIsToldFromDamage) {
  const auto read = DecodeObjectDirectory(With(4, 3));
  EXPECT_EQ(read.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(std::string(read.error().message()).find("version 3"), std::string::npos);
  EXPECT_EQ(DecodeObjectDirectory(With(4, 2)).error().code(), ErrorCode::kCorruption) << "it tells of no producers";
  EXPECT_EQ(DecodeObjectDirectory(With(4, 1, WithProducers())).error().code(), ErrorCode::kCorruption)
      << "it tells more than it names";
}

TEST(ObjectDirectoryTest, CountsAreBelievedOnlyAsFarAsThereAreBytes) {
  constexpr std::size_t kTopicsAt = 56;
  ASSERT_EQ(GetLe<std::uint32_t>(EncodeObjectDirectory(Example()).data() + kTopicsAt), 2U);
  for (const std::uint32_t count : {0U, 1U, 3U, 0xffffffffU})
    EXPECT_EQ(DecodeObjectDirectory(With(kTopicsAt, count)).error().code(), ErrorCode::kCorruption) << count;
}

TEST(ObjectDirectoryTest, ProducersAreBelievedOnlyAsFarAsThereAreBytes) {
  const std::size_t shares_at = EncodeObjectDirectory(Example()).size() - kDirectoryEndBytes;
  ASSERT_EQ(GetLe<std::uint32_t>(EncodeObjectDirectory(WithProducers()).data() + shares_at), 2U);
  for (const std::uint32_t count : {0U, 1U, 3U, 0xffffffffU}) {
    EXPECT_EQ(DecodeObjectDirectory(With(shares_at, count, WithProducers())).error().code(), ErrorCode::kCorruption);
    const std::size_t producers_at = shares_at + 12;
    EXPECT_EQ(DecodeObjectDirectory(With(producers_at, count, WithProducers())).error().code(), ErrorCode::kCorruption);
  }
}

TEST(ObjectDirectoryTest, ProducersThatCannotBeAreRefusedUnderARightCrc) {
  for (const auto& spoil : std::vector<std::function<void(ObjectDirectory&)>>{
           [](ObjectDirectory& d) { std::swap(d.shares[0], d.shares[1]); },
           [](ObjectDirectory& d) { d.shares[1].entry = 0; },
           [](ObjectDirectory& d) { d.shares[0].told.producers[1].id = 5; },
           [](ObjectDirectory& d) { d.shares[0].told.producers[1].id = 4; },
           [](ObjectDirectory& d) { d.shares[0].told.producers[0] = Producer(5, 8, 2); },
           [](ObjectDirectory& d) { d.shares[0].told.producers[0] = Producer(5, 25, 3); }}) {
    ObjectDirectory directory = WithProducers();
    spoil(directory);
    const auto read = DecodeObjectDirectory(EncodeObjectDirectory(directory));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::kCorruption);
  }
}

TEST(ObjectDirectoryTest, WhatCannotBeIsRefusedUnderARightCrc) {
  for (const auto& spoil : std::vector<std::function<void(ObjectDirectory&)>>{
           [](ObjectDirectory& d) { d.entries[0].partition = PartitionId(4); },
           [](ObjectDirectory& d) { d.entries[0].partition = PartitionId(-1); },
           [](ObjectDirectory& d) { d.entries[0].end = d.entries[0].base; },
           [](ObjectDirectory& d) { d.entries[0].ceiling = Offset(29); },
           [](ObjectDirectory& d) { d.entries[0].log_start = Offset(-1); },
           [](ObjectDirectory& d) { d.entries[0].byte_size = std::uint64_t{1} << 63; },
           [](ObjectDirectory& d) { d.topics[0].options.partitions = 0; },
           [](ObjectDirectory& d) { d.topics[0].name.clear(); },
           [](ObjectDirectory& d) { d.topics[0].number = TopicId(0); }}) {
    ObjectDirectory directory = Example();
    spoil(directory);
    EXPECT_FALSE(DecodeObjectDirectory(EncodeObjectDirectory(directory)));
  }
}

}  // namespace
}  // namespace millrace
