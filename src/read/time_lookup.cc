#include "read/time_lookup.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <span>

#include "base/limited_wait.h"
#include "base/try.h"
#include "fetch/read_trace.h"
#include "fetch/segment_map.h"
#include "log/partition_log.h"
#include "read/cold_reader.h"
#include "read/partition_reader.h"
#include "record/record_batch_view.h"
#include "record/record_walk.h"

namespace millrace {
namespace {

constexpr std::uint64_t kScanBytes = 256 << 10;
constexpr std::int64_t kAnyTime = std::numeric_limits<std::int64_t>::min();

/// Calls `visit` for each record of `batch` at or above `from`, until it returns false: then false.
template <class Visit>
bool WalkBatch(const RecordBatchView& batch, Offset from, const Visit& visit) {
  if (batch.log_append_time())  // each record has the header's time, which the log wrote
    return visit(TimedOffset{std::max(from, batch.base_offset()), batch.max_timestamp_ms()});
  const auto raw = RawRecords(batch, nullptr, kInflatedForTimesMax);
  if (raw) {
    const auto walked = WalkRecords(batch, *raw, [&](const RawRecord& record, std::int64_t timestamp_ms) {
      const Offset offset = batch.base_offset() + record.offset_delta;
      return offset < from || visit(TimedOffset{offset, timestamp_ms});
    });
    if (walked) return *walked;
  }
  return visit(TimedOffset{std::max(from, batch.base_offset()), batch.max_timestamp_ms()});
}

}  // namespace

Result<Offset> TimeLookup::CandidateIn(const SegmentRow& row, Offset from, std::int64_t timestamp_ms) {
  // What is still hot is read from there: no store is asked for what this machine has.
  if (row.base >= log_.offsets().hot_start) return std::max(from, row.base);
  ReadExplanation ignored;
  ReadTrace trace{context_.counters, context_.clock, ignored};
  ColdReader cold(context_, segments_, trace);
  MR_ASSIGN_OR_RETURN(const std::shared_ptr<const OpenedSegment> segment, cold.Segment(row));
  const std::span<const SegmentBlock> blocks = segment->index->blocks();
  std::size_t block = segment->index->FindBlockByTime(timestamp_ms);
  while (block < blocks.size() && (blocks[block].end <= from || blocks[block].timestamp_max_ms < timestamp_ms)) ++block;
  return std::max(from, block < blocks.size() ? blocks[block].base : row.end);
}

Result<Offset> TimeLookup::Candidate(Offset from, std::int64_t timestamp_ms) {
  while (true) {
    const Offset tiered_end = log_.offsets().tiered_end;
    if (from < tiered_end) {
      MR_ASSIGN_OR_RETURN(const std::optional<SegmentRow> row, segments_.FindByTime(timestamp_ms, from));
      if (row) return CandidateIn(*row, from, timestamp_ms);
      from = tiered_end;
    }
    const Offset candidate = log_.FindHotByTime(from, kAnyTime);  // past what is known to be lost
    if (log_.offsets().hot_start <= from) return candidate;       // else it went into segments meanwhile
  }
}

template <class Visit>
Result<Offset> TimeLookup::Walk(Offset from, Offset end, const Visit& visit) {
  MR_TRY(WithinLimits(context_.clock, "a record of that time"));
  MR_ASSIGN_OR_RETURN(const BatchReadResult read, reader_.ReadBatches(from, {.bytes_max = kScanBytes}));
  for (const SharedBytes& bytes : read.batches) {
    MR_ASSIGN_OR_RETURN(const RecordBatchView batch, RecordBatchView::Parse(bytes.bytes()));
    if (batch.base_offset() >= end) return end;
    const bool go_on =
        WalkBatch(batch, from, [&](const TimedOffset& record) { return record.offset >= end || visit(record); });
    if (!go_on) return end;
  }
  return read.next >= read.high_watermark ? std::max(end, read.high_watermark) : read.next;
}

Result<std::optional<TimedOffset>> TimeLookup::FirstAtOrPast(std::int64_t timestamp_ms) {
  Offset at = log_.offsets().log_start;
  const Offset end = log_.visible_end();
  std::optional<TimedOffset> found;
  while (at < end) {
    const auto step = [&]() -> Result<Offset> {
      MR_ASSIGN_OR_RETURN(const Offset candidate, Candidate(at, timestamp_ms));
      if (candidate >= end) return end;
      return Walk(candidate, end, [&](const TimedOffset& record) {
        if (record.timestamp_ms < timestamp_ms) return true;
        found = record;
        return false;
      });
    };
    const Result<Offset> next = step();
    if (found) return found;
    if (next) {
      at = *next;
      continue;
    }
    const Offset log_start = log_.offsets().log_start;
    if (log_start <= at) return next.error();
    at = log_start;  // retention was faster
  }
  return found;
}

Result<void> TimeLookup::TakeLatest(Offset from, Offset end, std::int64_t enough_ms, Latest& latest) {
  while (from < end) {
    MR_ASSIGN_OR_RETURN(from, Walk(from, end, [&](const TimedOffset& record) {
                          if (!latest || record.timestamp_ms > latest->timestamp_ms) latest = record;
                          return record.timestamp_ms < enough_ms;
                        }));
  }
  return {};
}

Result<void> TimeLookup::TakeLatestTiered(Offset end, Latest& latest) {
  const Offset log_start = log_.offsets().log_start;
  std::optional<SegmentRow> best;
  for (Offset at = log_start; at < end;) {
    MR_ASSIGN_OR_RETURN(const std::optional<SegmentRow> row, segments_.Find(at));
    if (!row) break;
    at = std::max(row->end, at + 1);
    if (row->is_gap()) continue;
    if (row->base < log_start) {  // its maximum may be of a record that is gone
      MR_TRY(TakeLatest(log_start, row->end, row->timestamp_max_ms, latest));
    } else if (!best || row->timestamp_max_ms > best->timestamp_max_ms) {
      best = row;
    }
  }
  if (!best || (latest && latest->timestamp_ms >= best->timestamp_max_ms)) return {};
  MR_ASSIGN_OR_RETURN(const Offset from, CandidateIn(*best, best->base, best->timestamp_max_ms));
  return TakeLatest(from, best->end, best->timestamp_max_ms, latest);
}

Result<void> TimeLookup::TakeLatestOfAll(Offset end, Latest& latest) {
  Offset at = std::min(log_.offsets().tiered_end, end);
  MR_TRY(TakeLatestTiered(at, latest));
  while (at < end) {
    MR_ASSIGN_OR_RETURN(at, Candidate(at, kAnyTime));
    if (at >= end) break;
    MR_ASSIGN_OR_RETURN(at, Walk(at, end, [&](const TimedOffset& record) {
                          if (!latest || record.timestamp_ms > latest->timestamp_ms) latest = record;
                          return true;
                        }));
  }
  return {};
}

Result<std::optional<TimedOffset>> TimeLookup::FindLatest() {
  while (true) {
    const Offset log_start = log_.offsets().log_start;
    Latest latest;
    const Result<void> taken = TakeLatestOfAll(log_.visible_end(), latest);
    if (taken) return latest;
    if (log_.offsets().log_start == log_start) return taken.error();  // else retention was faster
  }
}

}  // namespace millrace
