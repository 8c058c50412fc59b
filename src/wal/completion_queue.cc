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

void CompletionQueue::RunReleased() {
  std::deque<Released> batch;
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (batch.empty() && running_) return;
      running_ = !released_.empty();
      if (!running_) return;
      batch.clear();
      batch.swap(released_);
    }
    for (Released& released : batch) released.done(released.result);
  }
}

}  // namespace millrace
