// Which record comes first at or past a time, and which is the latest: the record's offset and its own timestamp, also
// inside a compressed batch.
//
//   log_start ──── segments: their maxima were taken from records, and are gone by ──── tiered_end ──── read and walked
//   ──── visible end
//
// A batch may have been let in by its header alone, and its maximum timestamp is then what its producer claims. So what
// no segment was built of yet is walked, record by record, whatever it claims.
#pragma once

#include <cstdint>
#include <optional>

#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "millrace/types.h"
#include "read/read_context.h"
#include "read/timed_offset.h"

namespace millrace {

class PartitionLog;
class PartitionReader;
class SegmentMap;

/// For one call on one thread; blocks. All outlive it.
class TimeLookup {
 public:
  TimeLookup(PartitionLog& log, SegmentMap& segments, PartitionReader& reader, ReadContext& context)
      : log_(log), segments_(segments), reader_(reader), context_(context) {}

  /// The first visible record at or past `timestamp_ms`; none: there is none. A batch whose records cannot be told
  /// apart counts as its header says: who is sent there meets it. Errors: as PartitionReader::ReadBatches, kOutOfRange
  /// apart. Cost: of segments one time index and a block; of what lies behind them, all of it up to the record.
  Result<std::optional<TimedOffset>> FirstAtOrPast(std::int64_t timestamp_ms);
  /// The visible record with the greatest timestamp, the first of several; none: there is no record. Errors and cost:
  /// as above, with all of what lies behind the segments.
  Result<std::optional<TimedOffset>> FindLatest();

 private:
  /// An offset at or above `from` below which, from `from` on, no record has a timestamp at or past `timestamp_ms`.
  Result<Offset> Candidate(Offset from, std::int64_t timestamp_ms);
  Result<Offset> CandidateIn(const SegmentRow& row, Offset from, std::int64_t timestamp_ms);
  /// Calls `visit(TimedOffset)` for each record in [from, end) until it returns false; where a walk goes on, the
  /// visible end if nothing is left.
  template <class Visit>
  Result<Offset> Walk(Offset from, Offset end, const Visit& visit);
  using Latest = std::optional<TimedOffset>;
  /// Of [from, end), until one at or past `enough_ms` is found.
  Result<void> TakeLatest(Offset from, Offset end, std::int64_t enough_ms, Latest& latest);
  /// Of the segments below `end`.
  Result<void> TakeLatestTiered(Offset end, Latest& latest);
  Result<void> TakeLatestOfAll(Offset end, Latest& latest);

  PartitionLog& log_;
  SegmentMap& segments_;
  PartitionReader& reader_;
  ReadContext& context_;
};

}  // namespace millrace
