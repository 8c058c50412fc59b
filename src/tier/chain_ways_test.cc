// Goal: of the copies that are there, those are taken that make the longest whole chain. Method: small sets by hand.
#include "tier/chain_ways.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace {
namespace {

/// The pieces taken from `at` on, by their numbers.
std::string Taken(const std::vector<ChainPiece>& pieces, std::int64_t at) {
  const ChainWays ways(pieces);
  std::string taken;
  Offset end(at);
  while (const auto next = ways.At(end)) {
    taken += std::to_string(*next);
    end = pieces[*next].end;
  }
  return taken;
}

ChainPiece Piece(std::int64_t base, std::int64_t end) { return {Offset(base), Offset(end)}; }

TEST(ChainWaysTest, TakesTheWayThatLeadsFarthest) {
  const std::vector<ChainPiece> pieces = {Piece(0, 5),   Piece(0, 10),  Piece(5, 9),
                                          Piece(10, 15), Piece(10, 20), Piece(20, 30)};
  EXPECT_EQ(Taken(pieces, 0), "145");
  EXPECT_EQ(Taken(pieces, 5), "2");
  EXPECT_EQ(Taken(pieces, 10), "45");
  EXPECT_EQ(Taken(pieces, 30), "");
  EXPECT_EQ(Taken({}, 0), "");
}

TEST(ChainWaysTest, OfEqualCopiesTheLastIsTaken) { EXPECT_EQ(Taken({Piece(0, 5), Piece(0, 5), Piece(5, 6)}, 0), "12"); }

TEST(ChainWaysTest, TellsWhereTheNextPieceBeginsAndWhichOneLiesAround) {
  const std::vector<ChainPiece> pieces = {Piece(0, 5), Piece(8, 10)};
  const ChainWays ways(pieces);
  EXPECT_EQ(ways.BaseFrom(Offset(0)), Offset(0));
  EXPECT_EQ(ways.BaseFrom(Offset(1)), Offset(8));
  EXPECT_EQ(ways.BaseFrom(Offset(9)), std::nullopt);
  EXPECT_EQ(ways.Around(Offset(9)), 1U);
  EXPECT_EQ(ways.Around(Offset(8)), std::nullopt);
  EXPECT_EQ(ways.Around(Offset(5)), std::nullopt);
}

}  // namespace
}  // namespace millrace
