#include "read/batch_read.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bugs.h"
#include "base/check.h"
#include "base/limited_wait.h"
#include "base/try.h"
#include "prefetch/prefetcher.h"
#include "read/block_warmer.h"
#include "record/record_batch_view.h"

namespace millrace {

namespace {

constexpr int kRetriesMax = 8;  // of lookups that data overtook

}  // namespace

BatchRead::BatchRead(PartitionLog& log, SegmentMap& segments, StreamTable& streams, ReadContext& context, Offset begin,
                     const ReadLimits& limits)
    : log_(log),
      segments_(segments),
      streams_(streams),
      context_(context),
      begin_(begin),
      limits_(limits),
      scope_(LimitsOf(limits, context.clock)),
      trace_{context.counters, context.clock, result_.explanation},
      cold_(context, segments, trace_),
      cursor_(begin) {}

Result<BatchReadResult> BatchRead::Run() {
  Result<BatchReadResult> result = ReadOn();
  if (result && stream_) result->explanation.Add(stream_->requests.Take());
  if (joined_stream_) LeaveStream(result.has_value());
  return result;
}

void BatchRead::JoinStream() {
  if (std::exchange(joined_stream_, true)) return;
  StreamTable::Found found = streams_.Take(begin_);
  if (!found.goes_on) return;
  goes_on_ = true;
  stream_ = std::move(found.stream);
  if (!stream_ && context_.prefetcher != nullptr) stream_ = std::make_shared<ReadStream>(segments_);
  cold_.Follow(stream_);
}

void BatchRead::LeaveStream(bool ended_well) {
  if (!ended_well || cursor_ < log_.offsets().tiered_end)
    streams_.Put(ended_well ? cursor_ : begin_, std::move(stream_));
  else if (stream_)
    context_.prefetcher->Cancel(stream_);  // it came to the hot end
  if (ended_well && goes_on_ && last_segment_ && context_.warmer != nullptr) WarmNext();
}

void BatchRead::WarmNext() {
  if (cursor_ >= last_row_.end) return;  // the next segment's first read opens it
  const std::size_t block = last_segment_->index->FindBlock(cursor_);
  context_.warmer->Warm(segments_, last_row_, last_segment_, block, limits_.bytes_max);
}

Result<BatchReadResult> BatchRead::ReadOn() {
  MR_TRY(Begin());
  while (true) {
    if (cursor_ >= visible_end_) {
      MR_ASSIGN_OR_RETURN(const Next next, AwaitAcknowledged());
      if (next == Next::kStop) break;
      continue;
    }
    if (!nothing_taken() && (bytes_left() == 0 || records_taken_ >= limits_.records_max)) break;
    if (!nothing_taken() && !WithinLimits(context_.clock, "a read")) break;
    MR_ASSIGN_OR_RETURN(const Next next, Step());
    if (next == Next::kStop) break;
  }
  result_.next = cursor_;
  result_.high_watermark = visible_end_;
  result_.log_start = log_.offsets().log_start;
  const BytesBySource& bytes = result_.explanation.bytes;
  context_.counters.tail_bytes.fetch_add(bytes.tail, std::memory_order_relaxed);
  context_.counters.wal_bytes.fetch_add(bytes.wal, std::memory_order_relaxed);
  context_.counters.block_cache_bytes.fetch_add(bytes.block_cache, std::memory_order_relaxed);
  context_.counters.segment_cache_bytes.fetch_add(bytes.segment_cache, std::memory_order_relaxed);
  context_.counters.object_store_bytes.fetch_add(bytes.object_store, std::memory_order_relaxed);
  return std::move(result_);
}

Result<void> BatchRead::Begin() {
  const PartitionOffsets offsets = log_.offsets();
  acknowledged_end_ = offsets.log_end;
  visible_end_ = log_.visible_end();
  if (begin_ > visible_end_ && begin_ <= acknowledged_end_) MR_TRY(AwaitAcknowledged());
  if (begin_ >= offsets.log_start && begin_ <= visible_end_) return {};
  return Error(ErrorCode::kOutOfRange, fmt::format("{}-{}: offset {} is outside the log, which reaches from {} to {}",
                                                   log_.name().topic, log_.name().partition.value(), begin_.value(),
                                                   offsets.log_start.value(), visible_end_.value()))
      .WithBounds({offsets.log_start, visible_end_});
}

Result<BatchRead::Next> BatchRead::AwaitAcknowledged() {
  if (awaited_ || visible_end_ >= acknowledged_end_) return Next::kStop;
  if (!nothing_taken() && (bytes_left() == 0 || records_taken_ >= limits_.records_max)) return Next::kStop;
  awaited_ = true;
  std::optional<std::chrono::nanoseconds> deadline = RequestScope::Current().deadline;
  if (deadline == kNever) deadline.reset();
  const Result<void> synced = trace_.Wait(WaitCause::kSync, [&] { return log_.AwaitAcknowledged(deadline); });
  if (!synced) return OnError(synced.error());
  visible_end_ = log_.visible_end();
  return Next::kGoOn;
}

Result<BatchRead::Next> BatchRead::Step() {
  const PartitionOffsets offsets = log_.offsets();
  if (cursor_ < offsets.log_start) {  // it moved while we read
    if (!nothing_taken()) return Next::kStop;
    return Error(ErrorCode::kOutOfRange, fmt::format("{}-{}: offset {} has been deleted", log_.name().topic,
                                                     log_.name().partition.value(), cursor_.value()))
        .WithBounds({offsets.log_start, visible_end_});
  }
  if (cursor_ >= offsets.hot_start && cursor_ >= cold_until_) return StepHot();
  if (cursor_ < offsets.tiered_end) return StepCold();
  // Neither hot nor in segments: only while data moves from one to the other.
  cold_until_ = Offset(-1);
  MR_ASSIGN_OR_RETURN(const bool again, MovedMeanwhile());
  if (again) return Next::kGoOn;
  return OnDamage(
      Error(ErrorCode::kCorruption, fmt::format("{}-{}: offset {} is neither in the WAL nor in a segment",
                                                log_.name().topic, log_.name().partition.value(), cursor_.value())));
}

Result<BatchRead::Next> BatchRead::StepHot() {
  Result<HotBatches> hot = log_.ReadHot(cursor_, visible_end_, std::max<std::uint64_t>(bytes_left(), 1));
  if (!hot) {
    const bool tiered = cursor_ < log_.offsets().tiered_end;
    if (hot.error().code() == ErrorCode::kOutOfRange) {
      cold_until_ = cursor_ + 1;
      return Next::kGoOn;
    }
    if (hot.error().code() != ErrorCode::kCorruption) return OnError(hot.error());
    const DamagedRange* damage = hot.error().damage();
    if (!tiered || damage == nullptr) return OnDamage(hot.error());
    cold_until_ = damage->end;  // segments have it
    return Next::kGoOn;
  }
  if (hot->batches.empty()) return Next::kStop;
  // The WAL's batches come first: the tail cache holds the newest.
  std::uint64_t wal_left = hot->wal_bytes;
  BytesBySource& bytes = result_.explanation.bytes;
  result_.batches.reserve(result_.batches.size() + hot->batches.size());
  for (SharedBytes& batch : hot->batches) {
    std::uint64_t& source = wal_left > 0 ? bytes.wal : bytes.tail;
    wal_left -= std::min<std::uint64_t>(wal_left, batch.size());
    MR_ASSIGN_OR_RETURN(const Next next, Take(std::move(batch), source));
    if (next == Next::kStop) return next;
  }
  if (!hot->full) return Next::kGoOn;
  if (Planted(Bug::kReadBudgetEndSkipsData)) cursor_ = std::min(cursor_ + 1, visible_end_);
  return Next::kStop;
}

Result<bool> BatchRead::MovedMeanwhile() {
  if (++retries_ > kRetriesMax) return false;
  const Offset log_start = log_.offsets().log_start;
  if (cursor_ < log_start) return true;
  MR_TRY(segments_.Refresh());
  return retries_ <= 2;
}

Result<BatchRead::Next> BatchRead::StepCold() {
  Result<std::optional<SegmentRow>> found = segments_.Find(cursor_);
  if (!found) return OnError(found.error());
  if (!*found || (**found).base > cursor_) {
    const Result<bool> again = MovedMeanwhile();
    if (!again) return OnError(again.error());
    if (*again) return Next::kGoOn;
    return OnDamage(
        Error(ErrorCode::kCorruption, fmt::format("{}-{}: metadata names no segment for offset {}", log_.name().topic,
                                                  log_.name().partition.value(), cursor_.value()))
            .WithDamage({.end = *found ? (**found).base : log_.offsets().tiered_end, .place = "metadata"}));
  }
  const SegmentRow row = **std::move(found);
  if (row.is_gap()) return OnGap(row);
  JoinStream();
  const Result<std::shared_ptr<const OpenedSegment>> segment = cold_.Segment(row);
  if (!segment && segment.error().code() == ErrorCode::kNotFound) return OnMissing(row, segment.error());
  if (!segment && segment.error().code() == ErrorCode::kCorruption) return OnDamage(segment.error());
  if (!segment) return OnError(segment.error());
  const std::size_t block = (*segment)->index->FindBlock(cursor_);
  if (block < (*segment)->index->blocks().size()) return TakeBlocks(row, block, *segment);
  cursor_ = row.end;  // a gap at the segment's end
  return Next::kGoOn;
}

std::uint64_t& BatchRead::CountOf(BlockOrigin origin) {
  BytesBySource& bytes = result_.explanation.bytes;
  if (origin == BlockOrigin::kBlockCache) return bytes.block_cache;
  return origin == BlockOrigin::kSegmentCache ? bytes.segment_cache : bytes.object_store;
}

Result<BatchRead::Next> BatchRead::TakeBlocks(const SegmentRow& row, std::size_t first_block,
                                              const std::shared_ptr<const OpenedSegment>& segment) {
  const std::span<const SegmentBlock> blocks = segment->index->blocks();
  const std::uint64_t records_left = limits_.records_max - std::min<std::uint64_t>(limits_.records_max, records_taken_);
  // The first block may begin below the cursor: what lies there is not wanted, or the last records would be a request
  // of their own.
  const SegmentBlock& first = blocks[first_block];
  const auto below = static_cast<std::uint64_t>(std::max<std::int64_t>(cursor_ - first.base, 0));
  const std::uint64_t records =
      records_left + std::min({below, std::uint64_t{first.records}, UINT64_MAX - records_left});
  const Result<std::vector<ColdReader::Block>> read =
      cold_.Blocks(row, segment, first_block, {.raw_bytes = bytes_left(), .records = records});
  if (!read && read.error().code() == ErrorCode::kNotFound) return OnMissing(row, read.error());
  if (!read && read.error().code() == ErrorCode::kCorruption) return OnDamage(read.error());
  if (!read) return OnError(read.error());

  last_row_ = row;
  last_segment_ = segment;
  for (std::size_t i = 0; i < read->size(); ++i) {
    const ColdReader::Block& block = (*read)[i];
    std::uint64_t& bytes = CountOf(block.origin);
    const std::uint64_t bytes_before = bytes;
    Next next = Next::kGoOn;
    for (std::size_t batch = 0; batch < block.opened->batches.size() && next == Next::kGoOn; ++batch) {
      MR_ASSIGN_OR_RETURN(next, Take(block.opened->batches[batch], bytes));
    }
    if (block.origin == BlockOrigin::kFetchedAhead) result_.explanation.prefetched += bytes - bytes_before;
    if (next == Next::kStop) return next;
    const std::size_t number = first_block + i;
    cursor_ = std::max(cursor_, number + 1 < blocks.size() ? blocks[number].end : row.end);
    if (Planted(Bug::kReadGapAtHotColdBorder) && cursor_ == row.end && cursor_ >= log_.offsets().hot_start)
      cursor_ = std::min(cursor_ + 1, visible_end_);
  }
  return Next::kGoOn;
}

Result<BatchRead::Next> BatchRead::Take(SharedBytes batch, std::uint64_t& source) {
  MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch.bytes()));
  if (view.end_offset() <= cursor_) return Next::kGoOn;
  if (Planted(Bug::kReadMidBatchReturnsNext) && view.base_offset() < begin_) {
    cursor_ = view.end_offset();
    return Next::kGoOn;
  }
  if (!nothing_taken() && (batch.size() > bytes_left() || records_taken_ >= limits_.records_max)) {
    if (Planted(Bug::kReadBudgetEndSkipsData)) cursor_ = view.end_offset();
    return Next::kStop;
  }
  records_taken_ += static_cast<std::uint64_t>(view.end_offset() - std::max(view.base_offset(), begin_));
  bytes_taken_ += batch.size();
  source += batch.size();
  cursor_ = view.end_offset();
  result_.batches.push_back(std::move(batch));
  retries_ = 0;
  return Next::kGoOn;
}

/// Lost for good, which metadata says in place of a segment. What went with a disk is stepped over and told: nothing is
/// left there to mend.
Result<BatchRead::Next> BatchRead::OnGap(const SegmentRow& row) {
  if (row.is_lost_disk()) {
    result_.skipped.push_back({.partition = log_.name(),
                               .begin = cursor_,
                               .end = row.end,
                               .place = "metadata",
                               .reason = LossReason::kLostDisk});
    cursor_ = std::min(row.end, std::max(visible_end_, cursor_));
    retries_ = 0;
    return Next::kGoOn;
  }
  if (Planted(Bug::kReadGapSteppedOver)) {
    cursor_ = row.end;
    return Next::kGoOn;
  }
  return OnDamage(Error(ErrorCode::kCorruption,
                        fmt::format("{}-{}: offsets {} to {} are lost: the write-ahead log was damaged there before "
                                    "they could be uploaded",
                                    log_.name().topic, log_.name().partition.value(), cursor_.value(), row.end.value()),
                        "read on from the range's end to skip it")
                      .WithDamage({.end = row.end, .place = "metadata"}));
}

Result<BatchRead::Next> BatchRead::OnMissing(const SegmentRow& row, const Error& error) {
  const Result<bool> again = MovedMeanwhile();
  if (!again) return OnError(again.error());
  if (*again) return Next::kGoOn;
  // With another store than the log's own, all of its objects are missing: that is no damage to step over.
  return OnError(Error(ErrorCode::kUnavailable,
                       fmt::format("{}-{}: metadata names an object for offsets [{}, {}) that {} does not have: {}",
                                   log_.name().topic, log_.name().partition.value(), row.base.value(), row.end.value(),
                                   context_.objects.Describe(), error.message()),
                       "is this the object store that the log was written to? If it is, and the object is lost for "
                       "good, seek past these offsets"));
}

Result<BatchRead::Next> BatchRead::OnDamage(const Error& error) {
  if (error.damage() == nullptr ||
      error.damage()->end <= cursor_) {  // of the whole log, or of metadata: no way past it
    if (!nothing_taken() || Planted(Bug::kReadErrorBecomesEmpty)) return Next::kStop;
    return error;
  }
  DamagedRange damage = *error.damage();
  damage.partition = log_.name();
  damage.begin = cursor_;
  if (limits_.on_damage == OnDamage::kSkip) {
    context_.counters.corruptions.fetch_add(1, std::memory_order_relaxed);
    cursor_ = std::min(damage.end, std::max(visible_end_, cursor_));
    result_.skipped.push_back(std::move(damage));
    retries_ = 0;
    return Next::kGoOn;
  }
  if (!nothing_taken() || Planted(Bug::kReadErrorBecomesEmpty)) return Next::kStop;
  context_.counters.corruptions.fetch_add(1, std::memory_order_relaxed);
  return error.WithDamage(std::move(damage));
}

Result<BatchRead::Next> BatchRead::OnError(const Error& error) {
  if (error.code() == ErrorCode::kCorruption) return OnDamage(error);
  if (!nothing_taken() || Planted(Bug::kReadErrorBecomesEmpty)) return Next::kStop;
  return error;
}

}  // namespace millrace
