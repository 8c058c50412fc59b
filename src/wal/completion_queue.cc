#include "wal/completion_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace {

void CompletionQueue::Add(WalPosition end, Done done) {
  MutexLock lock(mutex_);
  // Nearly always the largest so far.
  auto place = waiting_.end();
  while (place != waiting_.begin() && std::prev(place)->end > end) --place;
  waiting_.insert(place, {end, std::move(done)});
  CheckInvariants();
}

bool CompletionQueue::empty() const {
  MutexLock lock(mutex_);
  return waiting_.empty();
}

void CompletionQueue::Release(WalPosition durable_end, const Error* failure) {
  MutexLock lock(mutex_);
  while (!waiting_.empty() && waiting_.front().end <= durable_end) {
    released_.push_back({std::move(waiting_.front().done), {}});
    waiting_.pop_front();
  }
  while (failure != nullptr && !waiting_.empty()) {
    released_.push_back({std::move(waiting_.front().done), *failure});
    waiting_.pop_front();
  }
  MR_DCHECK(waiting_.empty() || waiting_.front().end > durable_end, waiting_.front().end.value(), durable_end.value());
}

void CompletionQueue::RunReleased() noexcept {
  std::deque<Released> batch;
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (batch.empty() && runner_) return;
      MR_CHECK(batch.empty() || runner_ == std::this_thread::get_id());  // none but the runner ends the run
      runner_.reset();
      if (released_.empty()) {
        idle_.NotifyAll();
        return;
      }
      runner_ = std::this_thread::get_id();
      batch.clear();
      batch.swap(released_);
    }
    CheckNoMutexHeld();
    for (Released& released : batch) released.done(released.result);
  }
}

void CompletionQueue::RunAll() {
  RunReleased();
  MutexLock lock(mutex_);
  while (runner_ && runner_ != std::this_thread::get_id()) idle_.Wait(mutex_);
}

void CompletionQueue::CheckInvariants() const {
#ifndef NDEBUG
  MR_CHECK(std::ranges::is_sorted(waiting_, {}, &Waiting::end), waiting_.size());
#endif
}

}  // namespace millrace
