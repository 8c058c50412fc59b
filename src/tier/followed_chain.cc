#include "tier/followed_chain.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "tier/chain_ways.h"

namespace millrace {
FollowedChain ChainFrom(Offset begin, std::vector<FollowedPiece>& pieces,
                        const std::function<bool(const ObjectName&)>& is_committed) {
  std::ranges::sort(pieces, [](const FollowedPiece& one, const FollowedPiece& other) {
    return std::tie(one.row.base, one.row.end, one.object) < std::tie(other.row.base, other.row.end, other.object);
  });
  std::vector<ChainPiece> spans;
  for (const FollowedPiece& piece : pieces) spans.push_back({piece.row.base, piece.row.end});
  const ChainWays ways(spans);
  FollowedChain chain{.segments = {}, .end = begin};
  const auto take = [&](const SegmentRow& row) {
    MR_CHECK(row.base < row.end && row.end > chain.end, row.base.value(), row.end.value(), chain.end.value());
    chain.segments.push_back(row);
    chain.end = row.end;
  };
  // The log may begin within its first segment.
  if (!ways.At(begin))
    if (const auto around = ways.Around(begin)) take(pieces[*around].row);
  for (auto base = ways.BaseFrom(chain.end); base; base = ways.BaseFrom(chain.end)) {
    const FollowedPiece& next = pieces[*ways.At(*base)];
    if (*base > chain.end) {
      if (!is_committed(next.object)) break;
      chain.has_gap = true;
      take({.partition = next.row.partition, .base = chain.end, .end = *base});
    }
    take(next.row);
  }
  return chain;
}

}  // namespace millrace
