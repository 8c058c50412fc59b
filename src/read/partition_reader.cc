#include "read/partition_reader.h"

#include <algorithm>
#include <utility>

#include "base/limited_wait.h"
#include "base/try.h"
#include "fetch/read_trace.h"
#include "fetch/segment_map.h"
#include "log/partition_log.h"
#include "prefetch/stream_table.h"
#include "read/batch_read.h"
#include "read/cold_reader.h"
#include "read/decode_batches.h"
#include "record/record_batch_view.h"

namespace millrace {

struct PartitionReader::State {
  PartitionLog& log;
  SegmentMap& segments;
  ReadContext& context;
  StreamTable streams{context.prefetcher};

  /// An offset at or above `from` below which, from `from` on, no record has a timestamp at or past `timestamp_ms`.
  Result<Offset> Candidate(Offset from, std::int64_t timestamp_ms);
};

PartitionReader::PartitionReader(PartitionLog& log, SegmentMap& segments, ReadContext& context)
    : state_(std::make_unique<State>(log, segments, context)) {}

PartitionReader::~PartitionReader() = default;

Result<BatchReadResult> PartitionReader::ReadBatches(Offset begin, const ReadLimits& limits) {
  return BatchRead(state_->log, state_->segments, state_->streams, state_->context, begin, limits).Run();
}

Result<ReadResult> PartitionReader::Read(Offset begin, const ReadLimits& limits) {
  const RequestScope scope(LimitsOf(limits, state_->context.clock));
  MR_ASSIGN_OR_RETURN(BatchReadResult batches, ReadBatches(begin, limits));
  Offset read_to = batches.next;
  MR_ASSIGN_OR_RETURN(ReadResult result, DecodeBatches(std::move(batches), begin, limits, state_->log.name()));
  // Batches whose records have all been compacted away hold nothing; go on until something comes or the end.
  while (result.records.empty() && limits.records_max > 0 && result.next > begin &&
         result.next < result.high_watermark && result.skipped.empty()) {
    MR_TRY(WithinLimits(state_->context.clock, "records that were not compacted away"));
    begin = result.next;
    MR_ASSIGN_OR_RETURN(batches, ReadBatches(begin, limits));
    read_to = batches.next;
    MR_ASSIGN_OR_RETURN(result, DecodeBatches(std::move(batches), begin, limits, state_->log.name()));
  }
  if (result.next < read_to) WillGoOn(read_to, result.next);
  std::erase_if(result.skipped, [&](const DamagedRange& range) { return range.begin >= result.next; });
  return result;
}

void PartitionReader::WillGoOn(Offset read_to, Offset next) { state_->streams.Move(read_to, next); }

void PartitionReader::Abandon(Offset next) { state_->streams.Abandon(next); }

Clock& PartitionReader::clock() const { return state_->context.clock; }

const TopicPartition& PartitionReader::name() const { return state_->log.name(); }

Result<Offset> PartitionReader::State::Candidate(Offset from, std::int64_t timestamp_ms) {
  const Offset hot_start = log.offsets().hot_start;
  if (from < hot_start) {
    MR_ASSIGN_OR_RETURN(const std::optional<SegmentRow> row, segments.FindByTime(timestamp_ms, from));
    if (row && row->base < hot_start) {
      ReadExplanation ignored;
      ReadTrace trace{context.counters, context.clock, ignored};
      ColdReader cold(context, segments, trace);
      MR_ASSIGN_OR_RETURN(const std::shared_ptr<const OpenedSegment> segment, cold.Segment(*row));
      // Earlier segments have no such time; in this one, blocks before the one found have none either.
      const std::span<const SegmentBlock> blocks = segment->index->blocks();
      std::size_t block = segment->index->FindBlockByTime(timestamp_ms);
      while (block < blocks.size() && (blocks[block].end <= from || blocks[block].timestamp_max_ms < timestamp_ms))
        ++block;
      return std::max(from, block < blocks.size() ? blocks[block].base : row->end);
    }
    from = hot_start;
  }
  return log.FindHotByTime(from, timestamp_ms);
}

Result<Offset> PartitionReader::OffsetForTime(std::int64_t timestamp_ms) {
  constexpr std::uint64_t kScanBytes = 64 << 10;
  Offset at = state_->log.offsets().log_start;
  while (true) {
    MR_TRY(WithinLimits(state_->context.clock, "a record of that time"));
    Result<Offset> candidate = state_->Candidate(at, timestamp_ms);
    if (!candidate) {
      const Offset log_start = state_->log.offsets().log_start;
      if (log_start <= at) return std::move(candidate).error();
      at = log_start;  // retention was faster
      continue;
    }
    MR_ASSIGN_OR_RETURN(const BatchReadResult read, ReadBatches(*candidate, {.bytes_max = kScanBytes}));
    for (const SharedBytes& batch : read.batches) {
      MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch.bytes()));
      if (view.max_timestamp_ms() < timestamp_ms) continue;
      std::vector<RecordView> records;
      MR_TRY(DecodeRecords(batch, {.from = *candidate, .decoded_bytes_max = kDecodedBytesMax}, records));
      for (const RecordView& record : records)
        if (record.timestamp_ms >= timestamp_ms) return record.offset;
    }
    if (read.next >= read.high_watermark) return read.high_watermark;
    at = read.next;
  }
}

}  // namespace millrace
