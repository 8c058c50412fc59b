#include "engine/async_appends.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"

namespace millrace {
namespace {

constexpr std::uint64_t kBytesMax = 64 << 20;  // encoded, staged and not told about

StagedAppend StagedOf(const AsyncQueue::Item& item) {
  return {.wal_end = item.wal_end, .end = item.receipt.last_offset + 1, .asked = item.receipt.reached};
}

/// The highest end that is waited for: what was appended before, and came again, may stand behind it.
Offset FurthestOf(const AsyncQueue& queue) MR_REQUIRES(queue.mutex) {
  Offset furthest = StagedOf(queue.items.front()).end;
  for (const AsyncQueue::Item& item : queue.items) furthest = std::max(furthest, StagedOf(item).end);
  return furthest;
}

}  // namespace

Result<void> AsyncAppends::Reserve(std::uint64_t bytes, std::optional<std::chrono::nanoseconds> deadline) {
  MutexLock lock(mutex_);
  // A `done` that appends must not wait for itself.
  while (bytes_ != 0 && bytes_ + bytes > kBytesMax && completer_ != std::this_thread::get_id()) {
    if (waits_ended_) return Error(ErrorCode::kClosed, "the engine is closed");
    const auto left = TimeLeft(deadline.value_or(kNever), deadline ? clock_.Monotonic() : kNever);
    if (left == left.zero())
      return Error(ErrorCode::kTimeout, "appends in flight used up their budget for longer than the append's timeout");
    room_.WaitFor(mutex_, left);
  }
  bytes_ += bytes;
  return {};
}

void AsyncAppends::EndWaits() {
  MutexLock lock(mutex_);
  waits_ended_ = true;
  room_.NotifyAll();
}

void AsyncAppends::Tell(Done done, Result<AppendReceipt> outcome) noexcept {
  CheckNoMutexHeld();
  const CallGate::OwnThread inside(&calls_);
  done(std::move(outcome));
}

void AsyncAppends::Refuse(Done done, Error error) noexcept {
  CheckNoMutexHeld();
  done(std::move(error));
}

void AsyncAppends::Release(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  MR_CHECK(bytes <= bytes_, bytes, bytes_);
  bytes_ -= bytes;
  room_.NotifyAll();
}

Result<void> AsyncAppends::TryAppend(Partition& partition, Buffer& batch, std::int64_t timestamp_ms,
                                     Durability durability, Done& done) {
  const std::uint64_t bytes = batch.size();
  AsyncQueue& queue = partition.async();
  StagedAppend staged;
  bool repeated = false;
  PartitionLog::Effects effects;  // may come back to this queue: not under its lock
  {
    MutexLock lock(queue.mutex);  // around both, so that the queue is in offset order
    MR_ASSIGN_OR_RETURN(const AppendedBatch appended, partition.log().TryAppend(batch, effects));
    repeated = appended.repeated;
    MR_DCHECK(repeated || queue.items.empty() || queue.items.back().receipt.repeated ||
                  queue.items.back().receipt.last_offset < appended.base,
              appended.base.value());
    staged = {.wal_end = appended.wal_end, .end = appended.end, .asked = durability};
    queue.items.push_back({.receipt = {.base_offset = appended.base,
                                       .last_offset = appended.end - 1,
                                       .timestamp_ms = repeated ? appended.timestamp_max_ms : timestamp_ms,
                                       .reached = durability,
                                       .partition = partition.name().partition,
                                       .repeated = repeated},
                           .wal_end = appended.wal_end,
                           .bytes = bytes,
                           .done = std::move(done)});
  }
  partition.log().Run(std::move(effects));
  if (!repeated) partition.OnAppended(bytes);
  ladder_.Begin(partition.upload(), staged);
  Arm(partition);
  return {};
}

void AsyncAppends::AddEmpty(Partition& partition, const AppendReceipt& receipt, Done done) {
  MR_DCHECK(receipt.last_offset + 1 == receipt.base_offset, receipt.base_offset.value(), receipt.last_offset.value());
  AsyncQueue& queue = partition.async();
  {
    MutexLock lock(queue.mutex);
    queue.items.push_back({.receipt = receipt, .done = std::move(done)});
    queue.items.back().receipt.reached = Durability::kOs;  // nothing to wait for but what came before
  }
  Signal(partition);
}

void AsyncAppends::Signal(Partition& partition) {
  MutexLock lock(mutex_);
  if (std::ranges::find(signalled_, &partition) != signalled_.end()) return;
  signalled_.push_back(&partition);
  work_.NotifyAll();
}

/// Has the rung that the front of the queue waits for call us, unless it will already.
void AsyncAppends::Arm(Partition& partition) {
  AsyncQueue& queue = partition.async();
  std::optional<Durability> rung;
  StagedAppend awaited;
  {
    MutexLock lock(queue.mutex);
    if (queue.items.empty()) return;
    awaited = StagedOf(queue.items.front());
    rung = MissingOf(partition, queue, queue.items.front()).value_or(std::nullopt);
    if (rung && std::exchange(*rung == Durability::kDisk ? queue.disk_armed : queue.object_armed, true)) return;
    // The newest, so that one sync serves the whole group.
    if (rung == Durability::kDisk) awaited.wal_end = std::max(awaited.wal_end, queue.items.back().wal_end);
  }
  if (!rung) return Signal(partition);
  ladder_.OnRung(*rung, partition.upload(), awaited,
                 [this, &partition, rung = *rung, awaited](const Result<void>& reached) {
                   OnRung(partition, rung, awaited, reached);
                 });
}

/// The call that Arm asked for.
void AsyncAppends::OnRung(Partition& partition, Durability rung, const StagedAppend& awaited,
                          const Result<void>& reached) {
  {
    AsyncQueue& queue = partition.async();
    MutexLock lock(queue.mutex);
    MR_CHECK(rung == Durability::kDisk ? queue.disk_armed : queue.object_armed);  // one call for each Arm
    if (rung == Durability::kDisk) {
      queue.disk_armed = false;
      if (!reached) queue.failures.disk = {reached.error(), awaited.wal_end};
    } else {
      queue.object_armed = false;
      if (!reached && !queue.items.empty()) queue.failures.object = {reached.error(), FurthestOf(queue)};
    }
  }
  Signal(partition);
}

Result<std::optional<Durability>> AsyncAppends::MissingOf(Partition& partition, AsyncQueue& queue, const Item& item) {
  return ladder_.Missing(partition.upload(), StagedOf(item), queue.failures);
}

bool AsyncAppends::Complete(Partition& partition) {
  AsyncQueue& queue = partition.async();
  bool any = false;
  while (true) {
    Result<AppendReceipt> outcome = AppendReceipt{};
    Item item;
    {
      MutexLock lock(queue.mutex);
      if (queue.items.empty()) {  // every append that they concern has been told
        queue.failures = {};
        return any;
      }
      const auto missing = MissingOf(partition, queue, queue.items.front());
      if (missing && *missing) break;
      item = std::move(queue.items.front());
      queue.items.pop_front();
      MR_DCHECK(item.bytes == 0 || queue.items.empty() || queue.items.front().bytes == 0 || item.receipt.repeated ||
                    queue.items.front().receipt.repeated ||
                    item.receipt.last_offset < queue.items.front().receipt.base_offset,
                item.receipt.last_offset.value());
      if (missing) {
        outcome = item.receipt;
      } else {
        outcome = missing.error();
      }
    }
    if (item.bytes != 0) Release(item.bytes);
    Tell(std::move(item.done), std::move(outcome));
    any = true;
  }
  Arm(partition);
  return any;
}

bool AsyncAppends::CompleteOnce() {
  std::vector<Partition*> partitions;
  {
    MutexLock lock(mutex_);
    MR_CHECK(completer_ == std::thread::id());  // one call at a time
    partitions = std::exchange(signalled_, {});
    completer_ = std::this_thread::get_id();
  }
  bool any = false;
  for (Partition* partition : partitions) any = Complete(*partition) || any;
  MutexLock lock(mutex_);
  completer_ = {};
  return any || !signalled_.empty();  // the next rung may have answered while it was asked
}

void AsyncAppends::AwaitWork() {
  MutexLock lock(mutex_);
  while (signalled_.empty() && !std::exchange(woken_, false)) work_.Wait(mutex_);
}

void AsyncAppends::Wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  work_.NotifyAll();
}

}  // namespace millrace
