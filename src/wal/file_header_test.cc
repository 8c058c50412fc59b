// The header of a WAL file: what stood in its block before shows nowhere, and either copy alone is enough.
#include "wal/file_header.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace millrace {
namespace {

using Block = std::array<std::byte, kWalFileHeaderBytes>;

WalFileHeader Header() {
  return {.state = WalFileState::kLive,
          .generation = 7,
          .base = WalPosition(8192),
          .capacity = 61440,
          .predecessor_generation = 6,
          .predecessor_end = WalPosition(8200),
          .last_frame = WalPosition(7000)};
}

Block Encoded(std::byte before) {
  Block block;
  block.fill(before);
  EncodeWalFileHeader(Header(), block);
  return block;
}

TEST(WalFileHeaderTest, WhatStoodInTheBlockBeforeShowsNowhere) {
  EXPECT_EQ(Encoded(std::byte{0xff}), Encoded(std::byte{0}));
}

TEST(WalFileHeaderTest, EitherCopyAloneIsEnough) {
  const Block whole = Encoded(std::byte{0});
  const std::size_t half = whole.size() / 2;
  for (const std::size_t from : {std::size_t{0}, half}) {
    Block damaged = whole;
    std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(from), half, std::byte{0x5a});
    const auto header = DecodeWalFileHeader(damaged);
    ASSERT_TRUE(header) << from;
    EXPECT_EQ(header->generation, 7u);
    EXPECT_EQ(header->base, WalPosition(8192));
    EXPECT_EQ(header->last_frame, WalPosition(7000));
  }
}

}  // namespace
}  // namespace millrace
