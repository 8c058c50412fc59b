// Goal: one CRC-32C, whatever way it is computed. Method: published answers, and the table form as a witness over every
// length around the seams, every alignment, and every way to cut the input in two.
#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/crc32c_portable.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

std::vector<std::byte> Pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::uint32_t state = 12345;
  for (auto& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(Crc32cTest, GivesTheKnownAnswers) {
  EXPECT_EQ(Crc32c({}), 0U);
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xe3069283U);
  // RFC 3720, appendix B.4.
  EXPECT_EQ(Crc32c(std::vector(32, std::byte{0})), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(std::vector(32, std::byte{0xff})), 0x62a8ab43U);
  std::vector<std::byte> ascending;
  for (int i = 0; i < 32; ++i) ascending.push_back(static_cast<std::byte>(i));
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eU);
  EXPECT_EQ(Crc32c(std::vector<std::byte>(ascending.rbegin(), ascending.rend())), 0x113fdb5cU);
}

TEST(Crc32cTest, AgreesWithTheTableAtEveryLengthAndAlignment) {
  const auto bytes = Pattern(5000);
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t length = 0; length < 1100; ++length) {
      const auto part = std::span(bytes).subspan(begin, length);
      ASSERT_EQ(Crc32c(part), ~Crc32cPortable(~0U, part)) << begin << ' ' << length;
    }
  }
  EXPECT_EQ(Crc32c(bytes), ~Crc32cPortable(~0U, bytes));
}

TEST(Crc32cTest, GoesOnFromASeedAtEveryCut) {
  const auto bytes = Pattern(300);
  const std::span<const std::byte> all(bytes);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    ASSERT_EQ(Crc32c(all.subspan(cut), Crc32c(all.first(cut))), Crc32c(all)) << cut;
  }
}

TEST(Crc32cTest, JoinsTwoStretchesOfAnyLength) {
  std::vector<std::byte> bytes((1 << 24) + (3 << 16) + 517);
  std::uint32_t state = 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  const std::span<const std::byte> all(bytes);
  for (const std::size_t first : {0uz, 1uz, 61uz, 4096uz}) {
    for (const std::size_t second : {0uz, 1uz, 7uz, 255uz, 256uz, 65535uz, 65536uz, 1uz << 24, (1uz << 24) + 70001}) {
      const std::uint32_t joined = Crc32cJoined(Crc32c(all.first(first)), Crc32c(all.subspan(first, second)), second);
      EXPECT_EQ(joined, Crc32c(all.first(first + second))) << first << " + " << second;
    }
  }
}

TEST(Crc32cTest, JoinsAlikeWithAndWithoutInstructions) {
  std::uint64_t state = 1;
  for (int i = 0; i < 2000; ++i) {
    state = state * 6364136223846793005 + 1442695040888963407;
    const auto first = static_cast<std::uint32_t>(state >> 32), second = static_cast<std::uint32_t>(state);
    const std::uint64_t bytes = state >> (i % 63);
    ASSERT_EQ(Crc32cJoined(first, second, bytes), Crc32cJoinedPortable(first, second, bytes)) << bytes;
  }
  EXPECT_GT(Crc32cJoiningPaysFrom(), 0U);
}

TEST(Crc32cTest, SeesEveryFlippedBit) {
  auto bytes = Pattern(200);
  const auto whole = Crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    ASSERT_NE(Crc32c(bytes), whole) << bit;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

}  // namespace
}  // namespace millrace
