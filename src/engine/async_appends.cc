#include "engine/async_appends.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"

namespace millrace {
namespace {

constexpr std::uint64_t kBytesMax = 64 << 20;  // encoded, staged and not told about

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
  Offset end;
  PartitionLog::Effects effects;  // may come back to this queue: not under its lock
  {
    MutexLock lock(queue.mutex);  // around both, so that the queue is in offset order
    MR_ASSIGN_OR_RETURN(const AppendedBatch appended, partition.log().TryAppend(batch, effects));
    end = appended.end;
    queue.items.push_back({.receipt = {.base_offset = appended.base,
                                       .last_offset = appended.end - 1,
                                       .timestamp_ms = timestamp_ms,
                                       .reached = durability,
                                       .partition = partition.name().partition},
                           .wal_end = appended.wal_end,
                           .bytes = bytes,
                           .done = std::move(done)});
  }
  partition.log().Run(std::move(effects));
  partition.OnAppended(bytes);
  if (durability == Durability::kObject) uploads_.Demand(partition.lane(), end);
  Arm(partition);
  return {};
}

void AsyncAppends::AddEmpty(Partition& partition, const AppendReceipt& receipt, Done done) {
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

/// Has whoever makes the front of the queue complete call us, if nobody does yet.
void AsyncAppends::Arm(Partition& partition) {
  AsyncQueue& queue = partition.async();
  bool now = false;
  std::optional<WalPosition> disk;
  std::optional<Offset> object;
  {
    MutexLock lock(queue.mutex);
    if (queue.items.empty()) return;
    const Item& front = queue.items.front();
    if (Outcome(partition, queue, front)) {
      now = true;
    } else if (wal_.durable_end() < front.wal_end) {
      // The newest, so that one call serves the whole group.
      if (!std::exchange(queue.disk_armed, true)) disk = std::max(front.wal_end, queue.items.back().wal_end);
    } else if (!std::exchange(queue.object_armed, true)) {
      object = front.receipt.last_offset + 1;
    }
  }
  if (now) Signal(partition);
  if (disk) {
    wal_.OnDurable(*disk, [this, &partition, asked = *disk](const Result<void>& synced) {
      {
        AsyncQueue& queue = partition.async();
        MutexLock lock(queue.mutex);
        queue.disk_armed = false;
        if (!synced) queue.disk_error = {synced.error(), asked};
      }
      Signal(partition);
    });
  }
  if (object) {
    uploads_.OnTiered(partition.lane(), *object, [this, &partition](const Result<void>& tiered) {
      {
        AsyncQueue& queue = partition.async();
        MutexLock lock(queue.mutex);
        queue.object_armed = false;
        if (!tiered && !queue.items.empty())
          queue.object_error = {tiered.error(), queue.items.back().receipt.last_offset + 1};
      }
      Signal(partition);
    });
  }
}

/// None: not complete yet.
std::optional<Result<AppendReceipt>> AsyncAppends::Outcome(Partition& partition, AsyncQueue& queue, const Item& item) {
  if (item.receipt.reached == Durability::kOs) return item.receipt;
  if (wal_.durable_end() < item.wal_end) {
    if (queue.disk_error && item.wal_end <= queue.disk_error->end) return queue.disk_error->error;
    return {};
  }
  if (item.receipt.reached == Durability::kDisk) return item.receipt;
  if (uploads_.State(partition.lane()).committed_end > item.receipt.last_offset) return item.receipt;
  if (queue.object_error && item.receipt.last_offset < queue.object_error->end) return queue.object_error->error;
  return {};
}

bool AsyncAppends::Complete(Partition& partition) {
  AsyncQueue& queue = partition.async();
  bool any = false;
  while (true) {
    std::optional<Result<AppendReceipt>> outcome;
    Item item;
    {
      MutexLock lock(queue.mutex);
      if (queue.items.empty()) {  // they are told to everybody whom they concern
        queue.disk_error.reset();
        queue.object_error.reset();
        return any;
      }
      outcome = Outcome(partition, queue, queue.items.front());
      if (!outcome) break;
      item = std::move(queue.items.front());
      queue.items.pop_front();
    }
    if (item.bytes != 0) Release(item.bytes);
    Tell(std::move(item.done), *std::move(outcome));
    any = true;
  }
  Arm(partition);
  return any;
}

bool AsyncAppends::CompleteOnce() {
  std::vector<Partition*> partitions;
  {
    MutexLock lock(mutex_);
    partitions = std::exchange(signalled_, {});
    completer_ = std::this_thread::get_id();
  }
  bool any = false;
  for (Partition* partition : partitions) any = Complete(*partition) || any;
  MutexLock lock(mutex_);
  completer_ = {};
  return any;
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
