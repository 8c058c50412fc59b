// Goal: each codec gives back what went in, takes what other clients write, and never makes more than it may.
// Method: round trips of many sizes, caps at the exact size and one below, bombs, every cut, frames side by side.
// Proves S24 and W25 for the codecs.
#include "record/compressor.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace millrace {
namespace {

class CompressorTest : public testing::TestWithParam<Compression> {
 protected:
  std::vector<std::byte> Stored(std::span<const std::byte> raw) {
    auto stored = Compress(GetParam(), raw);
    EXPECT_TRUE(stored);
    return stored ? *stored : std::vector<std::byte>();
  }
  ErrorCode InflateError(std::span<const std::byte> stored, std::size_t bytes_max = 1 << 20) {
    const auto raw = Inflate(GetParam(), stored, bytes_max);
    return raw ? ErrorCode::kInternal : raw.error().code();
  }
};

std::string Text(std::size_t size) {
  std::mt19937 random(static_cast<std::uint32_t>(size));
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>('a' + random() % 6);
  return text;
}

TEST_P(CompressorTest, RoundTripsAndKeepsToTheCapExactly) {
  for (const std::size_t size : {1, 7, 100, 32'768, 32'769, 65'536, 65'537, 300'000}) {
    const std::string raw = Text(size);
    const auto stored = Stored(AsBytes(raw));
    const auto inflated = Inflate(GetParam(), stored, size);
    ASSERT_TRUE(inflated) << inflated.error().message();
    EXPECT_EQ(AsText(*inflated), raw);
    EXPECT_EQ(InflateError(stored, size - 1), ErrorCode::kInvalidArgument) << size;
  }
}

TEST_P(CompressorTest, ABombIsRefusedAtTheCap) {
  const std::string raw(std::size_t{16} << 20, '\0');
  const auto stored = Stored(AsBytes(raw));
  EXPECT_LT(stored.size(), raw.size() / 15);
  EXPECT_EQ(InflateError(stored, 64 << 10), ErrorCode::kInvalidArgument);
  EXPECT_EQ(InflateError(stored, 0), ErrorCode::kInvalidArgument);
}

TEST_P(CompressorTest, EveryCutIsDamageOrLess) {
  const std::string raw = Text(70'000);
  const auto stored = Stored(AsBytes(raw));
  for (std::size_t size = 0; size < stored.size(); size += size < 64 ? 1 : 997) {
    const auto inflated = Inflate(GetParam(), std::span(stored).first(size), 1 << 20);
    // The framing of snappy has no end of its own: a cut between two blocks is a shorter message.
    if (inflated) {
      EXPECT_EQ(GetParam(), Compression::kSnappy);
      EXPECT_LT(inflated->size(), raw.size());
      continue;
    }
    EXPECT_EQ(inflated.error().code(), ErrorCode::kCorruption) << size;
  }
}

TEST_P(CompressorTest, FramesSideBySideAreOneMessage) {
  auto stored = Stored(AsBytes(Text(50'000)));
  const auto more = Stored(AsBytes(Text(123)));
  stored.insert(stored.end(), more.begin(), more.end());
  if (GetParam() == Compression::kSnappy) {  // its framing holds blocks, not messages
    EXPECT_EQ(InflateError(stored), ErrorCode::kCorruption);
    return;
  }
  const auto inflated = Inflate(GetParam(), stored, 1 << 20);
  ASSERT_TRUE(inflated) << inflated.error().message();
  EXPECT_EQ(AsText(*inflated), Text(50'000) + Text(123));
}

TEST_P(CompressorTest, BytesOfNoCodecAreDamage) {
  for (const std::string garbage : {"", "x", "hello, this is no frame of any codec at all"})
    EXPECT_EQ(InflateError(AsBytes(garbage)), ErrorCode::kCorruption) << garbage;
}

INSTANTIATE_TEST_SUITE_P(Codecs, CompressorTest,
                         testing::Values(Compression::kGzip, Compression::kSnappy, Compression::kLz4,
                                         Compression::kZstd));

TEST(RawSnappyTest, IsReadToo) {
  const std::string raw = Text(100'000);
  std::string stored;
  snappy::Compress(raw.data(), raw.size(), &stored);
  const auto inflated = Inflate(Compression::kSnappy, AsBytes(stored), raw.size());
  ASSERT_TRUE(inflated);
  EXPECT_EQ(AsText(*inflated), raw);
  EXPECT_EQ(Inflate(Compression::kSnappy, AsBytes(stored), raw.size() - 1).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace
