// Goal: integers keep their value and their byte order. Method: the bytes themselves, the extremes of every width, and
// unaligned places.
#include "base/coding.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>

namespace millrace {
namespace {

TEST(CodingTest, LittleEndianPutsTheLowByteFirst) {
  std::array<std::byte, 4> bytes{};
  PutLe<std::uint32_t>(bytes.data(), 0x01020304);
  EXPECT_EQ(bytes, (std::array{std::byte{4}, std::byte{3}, std::byte{2}, std::byte{1}}));
  EXPECT_EQ(GetLe<std::uint32_t>(bytes.data()), 0x01020304U);
}

TEST(CodingTest, BigEndianPutsTheHighByteFirst) {
  std::array<std::byte, 4> bytes{};
  PutBe<std::uint32_t>(bytes.data(), 0x01020304);
  EXPECT_EQ(bytes, (std::array{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}));
  EXPECT_EQ(GetBe<std::uint32_t>(bytes.data()), 0x01020304U);
}

template <class T>
class CodingOfTest : public testing::Test {};
using Widths = testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
                              std::int64_t, std::uint64_t>;
TYPED_TEST_SUITE(CodingOfTest, Widths);

TYPED_TEST(CodingOfTest, ExtremesRoundTripAtEveryAlignment) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const TypeParam value : {Limits::min(), TypeParam{0}, TypeParam{1}, static_cast<TypeParam>(-1), Limits::max()}) {
    for (std::size_t at = 0; at < 8; ++at) {
      std::array<std::byte, 24> bytes{};
      PutLe(bytes.data() + at, value);
      EXPECT_EQ(GetLe<TypeParam>(bytes.data() + at), value);
      PutBe(bytes.data() + at, value);
      EXPECT_EQ(GetBe<TypeParam>(bytes.data() + at), value);
      EXPECT_EQ(bytes[at + sizeof(TypeParam)], std::byte{}) << "writes past its width";
    }
  }
}

}  // namespace
}  // namespace millrace
