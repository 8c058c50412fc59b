#include "wal/completion_queue.h"

#include <algorithm>
#include <utility>

namespace millrace {

void CompletionQueue::Add(WalPosition end, Done done) {
  MutexLock lock(mutex_);
  // Nearly always the largest so far.
  auto place = waiting_.end();
  while (place != waiting_.begin() && std::prev(place)->end > end) --place;
  waiting_.insert(place, {end, std::move(done)});
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
}

void CompletionQueue::RunReleased() noexcept {
  std::deque<Released> batch;
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (batch.empty() && runner_) return;
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

}  // namespace millrace
