// Makes a segment of what one claim has in the hot tier. Damage does not spread: every batch's CRC is checked, a
// segment stops before a damaged range, and the range itself becomes a gap:
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

/// A segment in the making. Not thread-safe.
class SegmentCutter {
 public:
  /// From `begin` on, which may lie amid a batch.
  SegmentCutter(const SegmentBuilderOptions& options, Offset begin) : builder_(options), begin_(begin), next_(begin) {}

  /// What was taken last ends here.
  [[nodiscard]] Offset next() const { return next_; }
  [[nodiscard]] bool empty() const { return builder_.empty(); }
  [[nodiscard]] std::uint64_t raw_bytes() const { return raw_bytes_; }
  /// Takes the batch that holds next(). Errors: kCorruption (its CRC); nothing was taken then.
  Result<void> Add(const SharedBytes& batch);
  /// Precondition: not empty.
  Result<CutSegment> Finish();

 private:
  SegmentBuilder builder_;
  Offset begin_, next_;
  std::uint64_t raw_bytes_ = 0;
};

/// Batches of [begin, end) up to about `bytes_max` (at least one), read for this claim alone: what remains to be done
/// where a WalSweep met damage. Everything below `end` is durable.
/// Errors: kOutOfRange (no longer hot), kUnavailable, kCorruption (damage that names no range).
Result<CutSegment> CutSegmentFrom(PartitionLog& log, Offset begin, Offset end, std::uint64_t bytes_max,
                                  SegmentCodec codec);

}  // namespace millrace
