// Goal: bytes leave in the order they were added, however a write is cut; small slices travel together, large ones
// uncopied.
#include "server/kafka/outbound_bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace millrace {
namespace {

std::string Front(const OutboundBytes& out) {
  std::array<iovec, 64> slices{};
  std::string text;
  for (std::size_t i = 0, count = out.Gather(slices); i < count; ++i)
    text.append(static_cast<const char*>(slices[i].iov_base), slices[i].iov_len);
  return text;
}

TEST(OutboundBytesTest, SmallSlicesAreOneAndLargeOnesAreNotCopied) {
  OutboundBytes out;
  const SharedBytes large = SharedBytes::Copy(AsBytes(std::string(5'000, 'L')));
  for (int i = 0; i < 3; ++i) out.Add(SharedBytes::Copy(AsBytes("small")));
  out.Add(large);
  out.Add(SharedBytes::Copy(AsBytes("end")));
  std::array<iovec, 8> slices{};
  ASSERT_EQ(out.Gather(slices), 3U);
  EXPECT_EQ(slices[0].iov_len, 15U);
  EXPECT_EQ(slices[1].iov_base, large.data());
}

TEST(OutboundBytesTest, BytesLeaveInOrderHoweverAWriteIsCut) {
  std::string wanted;
  OutboundBytes out;
  for (std::size_t size : {10, 4'096, 1, 9'000, 70'000, 4'095, 4'095, 3}) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    out.Add(SharedBytes::Copy(AsBytes(text)));
    wanted += text;
  }
  for (std::size_t cut = 1; !wanted.empty(); cut = cut * 3 + 1) {
    ASSERT_EQ(out.size(), wanted.size());
    ASSERT_TRUE(Front(out) == wanted);
    const std::size_t written = std::min(cut, wanted.size());
    out.Written(written);
    wanted.erase(0, written);
  }
  EXPECT_TRUE(out.empty());
}

TEST(OutboundBytesTest, GathersNoMoreThanThereArePlaces) {
  OutboundBytes out;
  for (int i = 0; i < 5; ++i) out.Add(SharedBytes::Copy(AsBytes(std::string(5'000, 'x'))));
  std::array<iovec, 2> slices{};
  EXPECT_EQ(out.Gather(slices), 2U);
}

}  // namespace
}  // namespace millrace
