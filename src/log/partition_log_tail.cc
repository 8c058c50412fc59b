// What a server asks of a log without waiting: what is in memory, how much is visible, and to be woken for more.
#include <fmt/format.h>

#include <algorithm>

#include "log/partition_log.h"
#include "log/partition_log_state.h"

namespace millrace {

Result<TailBatches> PartitionLog::ReadTail(Offset begin, std::uint64_t bytes_max, Overshoot overshoot) {
  PartitionLogState& s = *state_;
  HotBatches read{.next = begin};
  TailBatches result;
  bool go_on = true;
  for (bool first = true; go_on; first = false) {  // a few slices under each lock
    MutexLock lock(s.mutex);
    if (s.broken) return *s.broken;
    if (first) {
      result.high_watermark = s.VisibleEnd();
      result.log_start = s.offsets.log_start();
      if (begin < result.log_start || begin > s.offsets.log_end())
        return Error(ErrorCode::kOutOfRange,
                     fmt::format("{}-{}: offset {} is outside the log, which reaches from {} to {}",
                                 s.options.name.topic, s.options.name.partition.value(), begin.value(),
                                 result.log_start.value(), result.high_watermark.value()))
            .WithBounds({result.log_start, result.high_watermark});
      if (begin >= result.high_watermark) break;
      result.state = TailBatches::State::kElsewhere;
    }
    if (read.next >= result.high_watermark || s.tail.empty() || read.next < s.tail.begin()) break;
    result.state = TailBatches::State::kHere;
    if (first && overshoot == Overshoot::kNever && s.tail.batch_bytes(s.tail.Find(begin)) > bytes_max) {
      read.full = true;
      break;
    }
    go_on = s.TakeFromTail(read, result.high_watermark, bytes_max);
  }
  result.batches = std::move(read.batches);
  result.next = read.next;
  result.full = read.full;
  return result;
}

CountedBytes PartitionLog::VisibleBytes(Offset begin, std::uint64_t enough) const {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  const Offset visible_end = s.VisibleEnd();
  if (begin >= visible_end || begin < s.offsets.log_start()) return {.end = begin};
  if (s.tail.empty() || begin < s.tail.begin())
    return {.bytes = std::max<std::uint64_t>(enough, 1), .end = visible_end};
  CountedBytes counted{.end = visible_end};
  for (std::size_t at = s.tail.Find(begin); at < s.tail.size() && s.tail.base(at) < visible_end; ++at) {
    counted.bytes += s.tail.batch_bytes(at);
    if (counted.bytes < enough) continue;
    if (at + 1 < s.tail.size()) counted.end = std::min(visible_end, s.tail.base(at + 1));
    break;
  }
  return counted;
}

Result<bool> PartitionLog::ArmWatch(const std::shared_ptr<VisibleWatch>& watch, Offset beyond) {
  PartitionLogState& s = *state_;
  std::optional<PartitionLogState::SyncRequest> sync;
  {
    MutexLock lock(s.mutex);
    s.watches.Disarm(*watch);
    if (s.ended) return *s.ended;
    if (s.broken) return *s.broken;
    const Offset visible_end = s.VisibleEnd();
    if (visible_end > beyond) return false;
    if (visible_end >= s.offsets.log_end()) s.sync_error.reset();  // what it concerned is visible
    if (s.sync_error) return *s.sync_error;
    s.watches.Arm(watch, beyond);
    sync = s.NextSync();
  }
  if (sync) s.AskForSync(*sync);
  return true;
}

void PartitionLog::DisarmWatch(VisibleWatch& watch) {
  MutexLock lock(state_->mutex);
  state_->watches.Disarm(watch);
}

}  // namespace millrace
