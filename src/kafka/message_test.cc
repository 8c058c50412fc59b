// Goal: every message of every table comes back as it went, at every version, and no bytes do harm. Method: fill all
// fields, leave all at their defaults, set what may be null to null; cut at every byte; add tags that no table has.
#include "kafka/message.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/coding.h"
#include "kafka/message_fixture.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/metadata.h"

namespace millrace::kafka {
namespace {

template <class Test>
void AtEveryVersion(Test&& test) {
  ForEachMessage([&]<class Message>(const Message& message, std::int16_t version) {
    SCOPED_TRACE(fmt::format("{} v{}", Message::kName, version));
    test(message, version);
  });
}

template <class Message>
void ExpectRoundTrip(const Message& message, std::int16_t version) {
  const std::vector<std::byte> bytes = Body(message, version);
  Arena arena;
  WireReader in(bytes, arena);
  const auto decoded = Decode<Message>(in, version);
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_EQ(Dump(*decoded, version), Dump(message, version));
  EXPECT_EQ(in.remaining(), 0U);
  EXPECT_EQ(in.unknown_tags(), 0U);
  EXPECT_EQ(Body(*decoded, version), bytes);
}

TEST(MessageTest, EveryFieldComesBackAtEveryVersion) {
  AtEveryVersion([]<class Message>(const Message&, std::int16_t version) {
    Arena arena;
    ExpectRoundTrip(Filled<Message>(arena, version), version);
  });
}

TEST(MessageTest, NullComesBackAtEveryVersion) {
  AtEveryVersion([]<class Message>(const Message&, std::int16_t version) {
    Arena arena;
    ExpectRoundTrip(Filled<Message>(arena, version, Filling::kNull), version);
  });
}

TEST(MessageTest, DefaultsComeBackAtEveryVersion) {
  AtEveryVersion([](const auto& message, std::int16_t version) {
    const auto bytes = Body(message, version);
    Arena arena;
    WireReader in(bytes, arena);
    const auto decoded = Decode<std::remove_cvref_t<decltype(message)>>(in, version);
    ASSERT_TRUE(decoded) << decoded.error().ToString();
    EXPECT_EQ(Body(*decoded, version), bytes);
    EXPECT_EQ(in.remaining(), 0U);
  });
}

TEST(MessageTest, AFrameCutAnywhereIsRefusedByNameAndPlace) {
  AtEveryVersion([]<class Message>(const Message&, std::int16_t version) {
    Arena filled;
    const auto bytes = Body(Filled<Message>(filled, version), version);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      Arena arena;
      const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      WireReader in(cut, arena);
      const auto decoded = Decode<Message>(in, version);
      ASSERT_FALSE(decoded) << "cut at " << size << " of " << bytes.size();
      EXPECT_EQ(decoded.error().code(), ErrorCode::kCorruption);
      EXPECT_TRUE(decoded.error().message().starts_with(fmt::format("{} v{}, field ", Message::kName, version)))
          << decoded.error().message();
      EXPECT_LE(arena.held_bytes(), MessageBytesMax(size));
    }
  });
}

TEST(MessageTest, VersionsOutsideTheTableAreUnsupported) {
  AtEveryVersion([]<class Message>(const Message&, std::int16_t) {
    Arena arena;
    for (int version : {Message::kVersions.first - 1, Message::kVersions.last + 1}) {
      WireReader in({}, arena);
      const auto decoded = Decode<Message>(in, static_cast<std::int16_t>(version));
      ASSERT_FALSE(decoded);
      EXPECT_EQ(decoded.error().code(), ErrorCode::kUnsupported);
    }
  });
}

/// `bytes` end in a message's own tags, of which there are none: two take their place, which no table has.
std::vector<std::byte> WithUnknownTags(std::vector<std::byte> bytes) {
  EXPECT_EQ(bytes.back(), std::byte{0});
  bytes.pop_back();
  for (const int byte : {2, 0x90, 0x4e, 3, 0x61, 0x62, 0x63, 0x91, 0x4e, 0})
    bytes.push_back(static_cast<std::byte>(byte));
  return bytes;
}

TEST(MessageTest, TagsThatNoTableHasAreSkippedAndCounted) {
  AtEveryVersion([]<class Message>(const Message& message, std::int16_t version) {
    if (!IsFlexible<Message>(version)) return;
    const auto bytes = WithUnknownTags(Body(message, version));
    Arena arena;
    WireReader in(bytes, arena);
    const auto decoded = Decode<Message>(in, version);
    ASSERT_TRUE(decoded) << decoded.error().ToString();
    EXPECT_EQ(in.unknown_tags(), 2U);
    EXPECT_EQ(in.remaining(), 0U);
    EXPECT_EQ(Body(*decoded, version), Body(message, version));
  });
}

TEST(MessageTest, AnUnknownTagBetweenKnownOnesLeavesThemAlone) {
  FetchResponse::Partition partition{.partition_index = 7};
  partition.diverging_epoch = {.epoch = 3, .end_offset = 40};
  partition.snapshot_id = {.end_offset = 50, .epoch = 4};
  FetchResponse::Topic topic{.topic = "t", .partitions = {&partition, 1}};
  FetchResponse message{.responses = {&topic, 1}};
  auto bytes = Body(message, 12);
  // The partition's tags are 2, { 0, 13, …, 2, 13, … }; the topic's and the message's are none.
  const std::size_t tags = bytes.size() - 2 - 2 * 15 - 1;
  ASSERT_EQ(bytes[tags], std::byte{2});
  bytes[tags] = std::byte{3};
  const auto between = bytes.begin() + static_cast<std::ptrdiff_t>(tags) + 1 + 15;
  bytes.insert(between, {std::byte{99}, std::byte{1}, std::byte{0xff}});
  Arena arena;
  WireReader in(bytes, arena);
  const auto decoded = Decode<FetchResponse>(in, 12);
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_EQ(in.unknown_tags(), 1U);
  EXPECT_EQ(Body(*decoded, 12), Body(message, 12));
}

TEST(MessageTest, FieldsThatAVersionLacksKeepTheirDefaults) {
  const auto bytes = Body(MetadataRequest{.allow_auto_topic_creation = false}, 3);
  Arena arena;
  WireReader in(bytes, arena);
  const auto decoded = Decode<MetadataRequest>(in, 3);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->allow_auto_topic_creation);
}

TEST(MessageTest, NullIsRefusedWhereTheVersionKnowsNone) {
  const std::vector<std::byte> null(4, std::byte{0xff});
  Arena arena;
  WireReader in_v0(null, arena);
  const auto v0 = Decode<MetadataRequest>(in_v0, 0);
  ASSERT_FALSE(v0);
  EXPECT_EQ(v0.error().message(), "MetadataRequest v0, field topics at byte 4 of 4: it is null and must not be");
  WireReader in_v1(null, arena);
  const auto v1 = Decode<MetadataRequest>(in_v1, 1);
  ASSERT_TRUE(v1);
  EXPECT_FALSE(v1->topics.has_value());
  EXPECT_EQ(Body(MetadataRequest{.topics = std::nullopt}, 0), std::vector<std::byte>(4));
}

TEST(MessageTest, MoreElementsThanBytesAreRefusedBeforeAnythingIsAllocated) {
  for (const std::uint32_t count : {2U, 1000U, 0x7fffffffU}) {
    std::vector<std::byte> bytes(4 + 3);
    PutBe(bytes.data(), count);
    Arena arena;
    WireReader in(bytes, arena);
    const auto decoded = Decode<MetadataRequest>(in, 0);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().message(), fmt::format("MetadataRequest v0, field topics at byte 4 of 7: {}",
                                                     "more elements than the bytes that are left can hold"));
    EXPECT_EQ(arena.held_bytes(), 0U);
  }
}

TEST(MessageTest, WhatAnArenaHoldsAlreadyIsNotCounted) {
  const std::vector<MetadataRequest::Topic> topics(5000, {.name = "topic-name"});
  const auto bytes = Body(MetadataRequest{.topics = topics}, 9);
  Arena arena;
  for (int i = 0; i < 5; ++i) {
    WireReader in(bytes, arena);
    EXPECT_TRUE(Decode<MetadataRequest>(in, 9)) << i;
  }
}

TEST(MessageTest, TinyElementsAreRefusedWhereTheyWouldTakeMoreThanFourTimesTheirBytes) {
  for (const auto& [count, name, fits] :
       std::initializer_list<std::tuple<std::size_t, const char*, bool>>{{1000, "", true},
                                                                         {10'000, "", false},
                                                                         {3'700, "ab", true},
                                                                         {4'000, "ab", false},
                                                                         {100'000, "abcdef", true}}) {
    std::vector<MetadataRequest::Topic> topics(count, {.name = name});
    const auto bytes = Body(MetadataRequest{.topics = topics}, 9);
    Arena arena;
    WireReader in(bytes, arena);
    const auto decoded = Decode<MetadataRequest>(in, 9);
    EXPECT_EQ(decoded.has_value(), fits) << count << " topics named \"" << name << '"';
    if (!decoded) EXPECT_NE(decoded.error().message().find("four times its bytes"), std::string_view::npos);
    EXPECT_LE(arena.held_bytes(), MessageBytesMax(bytes.size()));
  }
}

}  // namespace
}  // namespace millrace::kafka
