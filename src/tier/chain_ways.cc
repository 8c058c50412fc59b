#include "tier/chain_ways.h"

namespace millrace {

/// From the back: how far one gets from later bases is known by then.
ChainWays::ChainWays(std::span<const ChainPiece> pieces) {
  for (std::size_t i = pieces.size(); i-- > 0;) {
    const ChainPiece& piece = pieces[i];
    const auto on = ways_.find(piece.end);
    const Offset reach = on == ways_.end() ? piece.end : on->second.reach;
    const auto [way, first] = ways_.try_emplace(piece.base, Way{piece.end, reach, i});
    if (!first && reach > way->second.reach) way->second = {piece.end, reach, i};
  }
}

std::optional<std::size_t> ChainWays::At(Offset at) const {
  const auto way = ways_.find(at);
  return way == ways_.end() ? std::nullopt : std::optional(way->second.piece);
}

std::optional<Offset> ChainWays::BaseFrom(Offset at) const {
  const auto way = ways_.lower_bound(at);
  return way == ways_.end() ? std::nullopt : std::optional(way->first);
}

std::optional<std::size_t> ChainWays::Around(Offset at) const {
  std::optional<std::size_t> around;
  for (auto way = ways_.begin(); way != ways_.end() && way->first < at; ++way)
    if (way->second.end > at) around = way->second.piece;
  return around;
}

}  // namespace millrace
