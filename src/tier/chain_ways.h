// Which of several copies of a log's segments are taken, so that they make the longest whole chain: of what a survey
// or a follower found, and of what had arrived when a process died.
//
//   [0,10) [0,10) [10,15) [10,20) [20,30)   from 0: [0,10) [10,20) [20,30)
//
// Any whole chain is right: processes that continue each other read one write-ahead log, so two copies of an offset are
// equal.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>

#include "millrace/types.h"

namespace millrace {

struct ChainPiece {
  Offset base, end;  // base < end
};

/// Not safe from several threads at once. Memory: the bases.
class ChainWays {
 public:
  /// `pieces`: by base, then by end. Of those that lead equally far the last is taken.
  explicit ChainWays(std::span<const ChainPiece> pieces);

  /// The piece to take at `at`, by its number; none: no piece begins there.
  [[nodiscard]] std::optional<std::size_t> At(Offset at) const;
  /// Where the next piece begins, at `at` or behind it.
  [[nodiscard]] std::optional<Offset> BaseFrom(Offset at) const;
  /// Of those that would be taken, one that begins before `at` and ends behind it.
  [[nodiscard]] std::optional<std::size_t> Around(Offset at) const;

 private:
  struct Way {
    Offset end, reach;
    std::size_t piece = 0;
  };
  std::map<Offset, Way> ways_;  // by base
};

}  // namespace millrace
