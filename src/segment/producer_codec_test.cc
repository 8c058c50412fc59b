// Goal: a producer comes back as it was, or not at all. Method: round trips of each length; every cut; each field
// spoilt, since no checksum of its own lies over it.
#include "segment/producer_codec.h"

#include <gtest/gtest.h>

#include "base/coding.h"

namespace millrace {
namespace {

ProducerWindow Producer(int batches) {
  ProducerWindow producer{.id = 7};
  for (int i = 0; i < batches; ++i)
    producer.Push(2, {.first = i, .last = i, .base = Offset(100 + i), .timestamp_ms = -i});
  return producer;
}

std::vector<std::byte> Bytes(const ProducerWindow& producer) {
  std::vector<std::byte> bytes;
  PutProducer(producer, bytes);
  return bytes;
}

TEST(ProducerCodecTest, ComesBackAsItWasAndLeavesWhatIsBehindIt) {
  for (int batches = 1; batches <= 5; ++batches) {
    auto bytes = Bytes(Producer(batches));
    EXPECT_EQ(bytes.size(), kProducerBytesMin + static_cast<std::size_t>(batches - 1) * 24);
    bytes.push_back(std::byte{'x'});
    std::span<const std::byte> rest(bytes);
    const auto taken = TakeProducer(rest);
    ASSERT_TRUE(taken);
    EXPECT_EQ(*taken, Producer(batches));
    EXPECT_EQ(rest.size(), 1U);
  }
}

TEST(ProducerCodecTest, CutAnywhereThereIsNone) {
  const auto bytes = Bytes(Producer(3));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    auto cut = std::span<const std::byte>(bytes).first(size);
    EXPECT_FALSE(TakeProducer(cut)) << size;
    EXPECT_EQ(cut.size(), size);
  }
}

TEST(ProducerCodecTest, WhatCannotBeIsNotTaken) {
  const auto with = [](std::size_t at, auto value) {
    auto bytes = Bytes(Producer(2));
    PutLe(bytes.data() + at, value);
    std::span<const std::byte> rest(bytes);
    return TakeProducer(rest).has_value();
  };
  ASSERT_TRUE(with(0, std::int64_t{8}));
  EXPECT_FALSE(with(0, std::int64_t{-1})) << "an id below 0";
  EXPECT_FALSE(with(8, std::int16_t{-1})) << "an epoch below 0";
  EXPECT_FALSE(with(10, std::uint8_t{0})) << "no batch";
  EXPECT_FALSE(with(10, std::uint8_t{6})) << "six";
  EXPECT_FALSE(with(11, std::int32_t{-1})) << "a number below 0";
  EXPECT_FALSE(with(11 + 24, std::int32_t{3})) << "a number that does not follow";
  EXPECT_FALSE(with(11 + 24 + 8, std::int64_t{100})) << "an offset twice";
  EXPECT_FALSE(with(11 + 24 + 8, INT64_MAX)) << "an offset past all";
}

}  // namespace
}  // namespace millrace
