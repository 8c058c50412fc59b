#include "engine/partition.h"

#include "base/check.h"
#include "base/try.h"
#include "consumer/cursor_table.h"
#include "engine/topic.h"

namespace millrace {

Partition::Partition(Topic& topic, TopicPartition name, const PartitionRow& row, PartitionContext& context)
    : topic_(topic),
      context_(context),
      log_({.key = row.key, .name = std::move(name), .stream = StreamOf(row.key), .sync = context.sync}, row,
           context.wal, context.tail_cache, context.clock),
      segments_(context.metadata, row.key),
      reader_(log_, segments_, context.read),
      lane_(*this) {}

WalStream Partition::StreamOf(const PartitionKey& key) {
  // Topic ids are given once and never reused, so a re-created topic has streams of its own.
  MR_CHECK(key.topic.value() >= 0 && key.topic.value() < (std::int64_t{1} << 31), key.topic.value());
  return WalStream(static_cast<std::uint64_t>(key.topic.value()) << 32 |
                   static_cast<std::uint32_t>(key.partition.value()));
}

Result<void> Partition::Start() {
  auto finished = log_.FinishRecovery();  // a broken partition answers for itself; the others open
  context_.uploads.Add(lane_);
  return finished;
}

void Partition::End(const Error& error) {
  {
    MutexLock lock(mutex_);
    if (ended_owner_) return;
    ended_owner_ = std::make_unique<const Error>(error);
    ended_.store(ended_owner_.get(), std::memory_order_release);
  }
  log_.Interrupt(error);
  context_.uploads.EndLane(lane_, error);
}

TopicOptions Partition::options() const { return topic_.options(); }

std::optional<Offset> Partition::consumed_until() const {
  if (options().cleanup != Cleanup::kConsumed) return {};
  return context_.cursors.ConsumedUntil(key());
}

void Partition::OnSegment(const SegmentRow& segment) { segments_.Add(segment); }

void Partition::OnRow(const PartitionRow& row) {
  log_.AdvanceTieredEnd(row.tiered_end);
  log_.AdvanceLogStart(row.log_start);
  segments_.DropBelow(row.log_start);
  context_.uploads.OnTieredEnd(lane_, row.tiered_end);
}

OffsetBounds Partition::bounds() const { return {log_.offsets().log_start, log_.visible_end()}; }

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
