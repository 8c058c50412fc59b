// Reads one claim out of the hot tier and makes a segment of it. Damage does not spread: every batch's CRC is checked,
// a segment stops before a damaged range, and the range itself becomes a gap:
//
//   [base, end) of the partition ──► a segment without bytes, for a row without an object: every read of those offsets
//   answers kCorruption, skipping goes on behind it, and the WAL may go.
#pragma once

#include <optional>

#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "segment/segment_builder.h"

namespace millrace {

class PartitionLog;

struct CutSegment {
  BuiltSegment segment;         // base is where the claim begins, even amid a batch
  std::uint64_t raw_bytes = 0;  // of the batches taken
  std::optional<Error> damage;  // the segment is a gap for this
};

/// Batches of [begin, end) up to about `bytes_max` (at least one). Everything below `end` is durable.
/// Errors: kOutOfRange (no longer hot), kUnavailable, kCorruption (damage that names no range).
Result<CutSegment> CutSegmentFrom(PartitionLog& log, Offset begin, Offset end, std::uint64_t bytes_max,
                                  SegmentCodec codec);

}  // namespace millrace
