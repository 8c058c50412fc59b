// How far ahead of what the object store knows offsets may be given. Who goes on with a log whose disk is lost begins
// at the ceiling: whatever was given and never uploaded lies below it, so no offset is given twice. An append that
// would pass it is refused until an object's directory, or a snapshot, has told of a higher one and was proven.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "millrace/metadata_store.h"
#include "millrace/types.h"

namespace millrace {

/// Offsets ahead of the end that an object, or a snapshot, tells.
inline constexpr std::int64_t kOffsetsAhead = std::int64_t{1} << 32;

constexpr Offset CeilingOver(Offset end) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  return Offset(end.value() > kMax - kOffsetsAhead ? kMax : end.value() + kOffsetsAhead);
}

/// The least that the object store has heard of a partition whose row this is: it knows the end of what lies in it, or
/// a snapshot that told more was put before the first append. Where all of it is trimmed, it may never have heard of
/// it.
constexpr Offset PromisedCeiling(const PartitionRow& row) {
  return CeilingOver(row.segments > 0 ? row.tiered_end : Offset(0));
}

}  // namespace millrace
