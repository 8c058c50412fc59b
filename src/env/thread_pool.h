// A fixed number of threads and a bounded queue before them. A caller that submits too much waits, or is told so.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "millrace/result.h"

namespace millrace {

struct ThreadPoolOptions {
  std::size_t threads = 2;     // 1 to 1,024
  std::size_t queue_max = 64;  // tasks that wait for a thread; at least 1
};

/// Every task accepted runs exactly once. Its token asks it to stop early once the pool closes. Safe from any thread.
class ThreadPool {
 public:
  using Task = std::move_only_function<void(std::stop_token)>;

  /// kInvalidArgument (options), kUnavailable (the system gives no thread).
  static Result<std::unique_ptr<ThreadPool>> Start(const ThreadPoolOptions& options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Blocks while the queue is full. kClosed.
  Result<void> Submit(Task task) MR_EXCLUDES(mutex_);
  /// kUnavailable: the queue is full. kClosed.
  Result<void> TrySubmit(Task task) MR_EXCLUDES(mutex_);
  /// Refuses more, asks all tasks to stop, runs what is queued, and waits for the last one. Never from a task.
  void Close() MR_EXCLUDES(mutex_);

 private:
  explicit ThreadPool(std::size_t queue_max) : queue_max_(queue_max) {}
  void Work() MR_EXCLUDES(mutex_);
  void Enqueue(Task task) MR_REQUIRES(mutex_);

  const std::size_t queue_max_;
  std::stop_source stop_;  // its own synchronization
  Mutex mutex_;
  CondVar has_task_, has_room_;
  std::deque<Task> queue_ MR_GUARDED_BY(mutex_);
  bool closed_ MR_GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
