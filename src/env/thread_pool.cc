#include "env/thread_pool.h"

#include <utility>

#include "env/start_thread.h"

namespace millrace {
namespace {

Error ClosedError() { return Error(ErrorCode::kClosed, "the thread pool is closed"); }

}  // namespace

Result<std::unique_ptr<ThreadPool>> ThreadPool::Start(const ThreadPoolOptions& options) {
  if (options.threads < 1 || options.threads > 1024 || options.queue_max < 1) {
    return Error(ErrorCode::kInvalidArgument, "a thread pool has 1 to 1024 threads and room for a task");
  }
  std::unique_ptr<ThreadPool> pool(new ThreadPool(options.queue_max));
  MutexLock lock(pool->mutex_);
  for (std::size_t i = 0; i < options.threads; ++i) {
    auto thread = StartThread([raw = pool.get()](const std::stop_token&) { raw->Work(); });
    // Those that did start are enough to go on; none at all is a failure.
    if (!thread && !pool->threads_.empty()) break;
    if (!thread) return std::move(thread).error();
    pool->threads_.push_back(*std::move(thread));
  }
  return pool;
}

ThreadPool::~ThreadPool() { Close(); }

void ThreadPool::Enqueue(Task task) {
  queue_.push_back(std::move(task));
  has_task_.NotifyOne();
}

Result<void> ThreadPool::Submit(Task task) {
  MutexLock lock(mutex_);
  while (!closed_ && queue_.size() >= queue_max_) has_room_.Wait(mutex_);
  if (closed_) return ClosedError();
  Enqueue(std::move(task));
  return {};
}

Result<void> ThreadPool::TrySubmit(Task task) {
  MutexLock lock(mutex_);
  if (closed_) return ClosedError();
  if (queue_.size() >= queue_max_) return Error(ErrorCode::kUnavailable, "the thread pool's queue is full");
  Enqueue(std::move(task));
  return {};
}

void ThreadPool::Work() {
  for (;;) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !closed_) has_task_.Wait(mutex_);
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    has_room_.NotifyOne();
    task(stop_.get_token());
  }
}

void ThreadPool::Close() {
  std::vector<std::jthread> threads;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    threads = std::exchange(threads_, {});
  }
  stop_.request_stop();
  has_task_.NotifyAll();
  has_room_.NotifyAll();
}

}  // namespace millrace
