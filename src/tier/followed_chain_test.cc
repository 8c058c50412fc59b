// Goal: what is shown behind a snapshot follows without a hole, and stops where one may still be filled. Method: pieces
// made by hand. Proves B93.
#include "tier/followed_chain.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

FollowedPiece Piece(std::int64_t base, std::int64_t end, std::uint64_t sequence) {
  const ObjectName name{1, 1, sequence};
  return {
      .row = {.partition = {}, .base = Offset(base), .end = Offset(end), .object = ObjectIdOf(name), .byte_size = 10},
      .object = name};
}

std::vector<std::pair<std::int64_t, std::int64_t>> RangesOf(const FollowedChain& chain) {
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  for (const SegmentRow& row : chain.segments) ranges.emplace_back(row.base.value(), row.end.value());
  return ranges;
}

FollowedChain Chain(std::int64_t begin, std::vector<FollowedPiece> pieces, std::uint64_t settled) {
  return ChainFrom(Offset(begin), pieces, [&](const ObjectName& name) { return name.sequence < settled; });
}

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(FollowedChainTest, PiecesFollowEachOtherInWhateverOrderTheyCame) {
  const auto chain = Chain(10, {Piece(30, 40, 2), Piece(10, 20, 0), Piece(20, 30, 1)}, 0);
  EXPECT_EQ(RangesOf(chain), (Ranges{{10, 20}, {20, 30}, {30, 40}}));
  EXPECT_EQ(chain.end, Offset(40));
  EXPECT_FALSE(chain.has_gap);
  EXPECT_EQ(Chain(10, {}, 0).end, Offset(10));
}

TEST(FollowedChainTest, AHoleThatMayBeFilledEndsIt) {
  const auto chain = Chain(0, {Piece(0, 10, 0), Piece(20, 30, 2)}, 2);
  EXPECT_EQ(RangesOf(chain), (Ranges{{0, 10}}));
  EXPECT_FALSE(chain.has_gap);
}

TEST(FollowedChainTest, AHoleBeforeWhatIsCommittedIsAGap) {
  const auto chain = Chain(0, {Piece(0, 10, 0), Piece(20, 30, 2)}, 3);
  EXPECT_EQ(RangesOf(chain), (Ranges{{0, 10}, {10, 20}, {20, 30}}));
  EXPECT_TRUE(chain.has_gap);
  EXPECT_TRUE(chain.segments[1].is_gap());
  EXPECT_FALSE(chain.segments[1].is_lost_disk()) << "it was there once: damage";
}

TEST(FollowedChainTest, OfTwoAttemptsAtOneOffsetTheOneThatLeadsFarthestIsTaken) {
  // 0 was given up and cut anew as 1, on which 2 follows.
  EXPECT_EQ(RangesOf(Chain(0, {Piece(0, 10, 0), Piece(0, 15, 1), Piece(15, 20, 2)}, 0)), (Ranges{{0, 15}, {15, 20}}));
  EXPECT_EQ(RangesOf(Chain(0, {Piece(0, 10, 0), Piece(0, 15, 1), Piece(10, 20, 2)}, 0)), (Ranges{{0, 10}, {10, 20}}));
}

TEST(FollowedChainTest, TheLogMayBeginWithinItsFirstPiece) {
  EXPECT_EQ(RangesOf(Chain(5, {Piece(0, 10, 0), Piece(10, 20, 1)}, 0)), (Ranges{{0, 10}, {10, 20}}));
  EXPECT_EQ(RangesOf(Chain(10, {Piece(0, 10, 0), Piece(10, 20, 1)}, 0)), (Ranges{{10, 20}}));
}

}  // namespace
}  // namespace millrace
