#include "engine/partition.h"

#include "base/check.h"
#include "base/try.h"
#include "cursor/cursor_table.h"
#include "tier/offset_ceiling.h"

namespace millrace {

Partition::Partition(const TopicSettings& settings, TopicPartition name, const PartitionRow& row,
                     PartitionContext& context)
    : settings_(settings),
      context_(context),
      log_({.key = row.key,
            .name = std::move(name),
            .stream = StreamOf(row.key),
            .sync = context.sync,
            .index_budget = &context.index_budget,
            .producers = &context.producers,
            .ceiling = context.ceiling_met == nullptr ? PartitionLog::Options().ceiling : PromisedCeiling(row),
            .ceiling_met = context.ceiling_met},
           row, context.wal, context.tail_cache, context.clock),
      segments_(context.metadata, row.key, context.clock),
      reader_(log_, segments_, context.read),
      upload_(*this),
      row_(row) {}

Partition::~Partition() {
  MutexLock lock(async_.mutex);
  MR_DCHECK(async_.items.empty(), async_.items.size());  // every append was told
}

WalStream Partition::StreamOf(const PartitionKey& key) {
  // Topic ids are given once and never reused, so a re-created topic has streams of its own.
  MR_CHECK(key.topic.value() >= 0 && key.topic.value() < (std::int64_t{1} << 31), key.topic.value());
  MR_CHECK(key.partition.value() >= 0, key.partition.value());
  return WalStream(static_cast<std::uint64_t>(key.topic.value()) << 32 |
                   static_cast<std::uint32_t>(key.partition.value()));
}

PartitionKey Partition::KeyOf(WalStream stream) {
  return {TopicId(static_cast<std::int64_t>(stream.value() >> 32)),
          PartitionId(static_cast<std::int32_t>(stream.value() & 0xffff'ffffU))};
}

Result<void> Partition::Start() {
  auto finished = log_.FinishRecovery();  // a broken partition answers every call with this; the others open
  MR_CHECK(finished.has_value() != log_.broken().has_value(), key().topic.value(), key().partition.value());
  if (!finished) broken_.emplace(finished.error());
  context_.uploads.Add(upload_);
  return finished;
}

void Partition::StartEpochs(const PartitionRow& row, std::span<const EpochRow> epochs) {
  log_.SetEpochs(EpochHistory(row.epoch, epochs, row.log_start));
  MutexLock lock(mutex_);
  row_ = row;
}

PartitionRow Partition::row() const {
  MutexLock lock(mutex_);
  return row_;
}

void Partition::End(const Error& error) {
  {
    MutexLock lock(mutex_);
    if (ended_owner_) return;
    ended_owner_ = std::make_unique<const Error>(error);
    ended_.store(ended_owner_.get(), std::memory_order_release);
  }
  log_.Interrupt(error);
  context_.uploads.EndUpload(upload_, error);
}

void Partition::Suspend(const Error& error) {
  MutexLock lock(mutex_);
  if (ended_owner_) return;
  suspensions_.push_back(std::make_unique<const Error>(error));
  ended_.store(suspensions_.back().get(), std::memory_order_release);
}

void Partition::Resume() {
  MutexLock lock(mutex_);
  if (!ended_owner_) ended_.store(nullptr, std::memory_order_release);
}

Result<bool> Partition::ForgetConsumed(std::optional<Offset> groups_passed,
                                       const std::function<Result<bool>(Offset until)>& forget) {
  if (options().cleanup != Cleanup::kConsumed) return false;
  return context_.cursors.Reclaim(key(), groups_passed, forget);
}

void Partition::OnSegment(const SegmentRow& segment) {
  MR_DCHECK(segment.partition == key() && segment.base < segment.end, segment.base.value(), segment.end.value());
  segments_.Add(segment);
}

SegmentTotals Partition::totals() const {
  MutexLock lock(mutex_);
  return {.segments = row_.segments, .bytes = row_.segment_bytes};
}

void Partition::OnRow(const PartitionRow& row) {
  MR_DCHECK(row.key == key() && row.log_start <= row.tiered_end, row.log_start.value(), row.tiered_end.value());
  {
    MutexLock lock(mutex_);
    // Each row is a moment of metadata, and both bounds only grow: the newer one is at least as far with both.
    if (row.tiered_end >= row_.tiered_end && row.log_start >= row_.log_start) row_ = row;
  }
  log_.AdvanceTieredEnd(row.tiered_end);
  log_.AdvanceLogStart(row.log_start);
  MR_DCHECK(log_.offsets().tiered_end >= row.tiered_end && log_.offsets().log_start >= row.log_start,
            row.tiered_end.value(), row.log_start.value());
  segments_.DropBelow(row.log_start);
  context_.uploads.OnTieredEnd(upload_, row.tiered_end);
}

void Partition::FollowStart(const PartitionRow& row) {
  const PartitionOffsets now = log_.offsets();
  if (row.log_start <= now.log_start || row.tiered_end < now.log_end) return;
  log_.FollowTo(row.log_start);
  log_.AdvanceLogStart(row.log_start);
  segments_.DropBelow(row.log_start);
}

void Partition::FollowEnd(const PartitionRow& row, const std::optional<std::span<const SegmentRow>>& added) {
  if (!added) segments_.Forget();
  for (const SegmentRow& segment : added.value_or(std::span<const SegmentRow>())) OnSegment(segment);
  log_.FollowTo(row.tiered_end);
  OnRow(row);
}

OffsetBounds Partition::bounds() const {
  const Offset log_start = log_.offsets().log_start;
  const Offset end = log_.visible_end();  // after it: both only grow
  MR_CHECK(log_start <= end, log_start.value(), end.value());
  return {log_start, end};
}

Result<ReadResult> Partition::Read(Offset begin, const ReadLimits& limits) {
  MR_TRY(CheckAlive());
  return reader_.Read(begin, limits);
}

Result<BatchReadResult> Partition::ReadBatches(Offset begin, const ReadLimits& limits) {
  MR_TRY(CheckAlive());
  return reader_.ReadBatches(begin, limits);
}

Result<Offset> Partition::OffsetForTime(std::int64_t timestamp_ms) {
  MR_TRY(CheckAlive());
  return reader_.OffsetForTime(timestamp_ms);
}

std::uint64_t Partition::AddWaiter(Offset offset, std::move_only_function<void()> wake) {
  return log_.AddWaiter(offset, std::move(wake));
}

void Partition::CancelWaiter(std::uint64_t ticket) { log_.CancelWaiter(ticket); }

}  // namespace millrace
