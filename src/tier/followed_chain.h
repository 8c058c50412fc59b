// Which segments of objects that are not in a snapshot follow its own: of one partition, for a reader beside the owner.
//
//   snapshot's segments ─► chain of objects behind it ─► the first hole that may still be filled: here the reader stops
//
// Objects are uploaded side by side, so a later one may arrive alone. Commits are in the order of offsets: whatever
// lies before an object that is known to be committed was committed, too.
#pragma once

#include <functional>
#include <vector>

#include "millrace/metadata_store.h"
#include "tier/store_keys.h"

namespace millrace {

/// One segment that was found behind a snapshot.
struct FollowedPiece {
  SegmentRow row;
  ObjectName object;
  friend bool operator==(const FollowedPiece&, const FollowedPiece&) = default;
};

struct FollowedChain {
  std::vector<SegmentRow> segments;  // each begins where the one before ends; a gap where one is missing for good
  Offset end;                        // `begin` without any
  bool has_gap = false;
};

/// The chain from `begin` on: of what begins at one offset, that which leads farthest. `pieces` are of one partition,
/// and are sorted by this. `is_committed`: whether the object is known to be.
FollowedChain ChainFrom(Offset begin, std::vector<FollowedPiece>& pieces,
                        const std::function<bool(const ObjectName&)>& is_committed);

}  // namespace millrace
