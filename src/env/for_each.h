// The same work for many things at once, on threads of a pool that are free and on the calling one.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <stop_token>

#include "base/mutex.h"
#include "env/thread_pool.h"

namespace millrace {

/// Runs `work(i)` for every i below `count`; returns when all are done. A task that gets its thread too late finds
/// nothing left, so this may be called from a task of the same pool. `pool` null: all on this thread, in order.
template <class Work>
void ForEach(std::size_t count, ThreadPool* pool, const Work& work) {
  struct Shared {
    std::atomic<std::size_t> next{0};
    Mutex mutex;
    CondVar idle;
    bool over MR_GUARDED_BY(mutex) = false;
    std::size_t active MR_GUARDED_BY(mutex) = 0;
  };
  const auto shared = std::make_shared<Shared>();
  const auto take_all = [&work, count](Shared& state) {
    for (std::size_t i = state.next.fetch_add(1); i < count; i = state.next.fetch_add(1)) work(i);
  };
  for (std::size_t extra = 1; pool != nullptr && extra < count; ++extra) {
    const Result<void> submitted = pool->TrySubmit([shared, &take_all](std::stop_token) {
      {
        MutexLock lock(shared->mutex);
        if (shared->over) return;
        ++shared->active;
      }
      take_all(*shared);
      MutexLock lock(shared->mutex);
      --shared->active;
      shared->idle.NotifyAll();
    });
    if (!submitted) break;  // the pool is busy: this thread does the rest
  }
  take_all(*shared);
  MutexLock lock(shared->mutex);
  shared->over = true;
  while (shared->active > 0) shared->idle.Wait(shared->mutex);
}

}  // namespace millrace
