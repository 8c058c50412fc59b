// What the tests of a server's doors share: a loop that the test turns by hand, and batches as they come off the wire.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "engine/commit_turn.h"
#include "millrace/bytes.h"
#include "record/record_batch_builder.h"

namespace millrace {

/// Tasks that were posted, run when the test says so.
class HandTurnedLoop {
 public:
  CommitTurn::Post Poster() {
    return [this](std::move_only_function<void()> task) {
      MutexLock lock(mutex_);
      tasks_.push_back(std::move(task));
      posted_.NotifyAll();
    };
  }
  std::size_t RunPosted() {
    std::vector<std::move_only_function<void()>> tasks;
    {
      MutexLock lock(mutex_);
      tasks = std::exchange(tasks_, {});
    }
    for (auto& task : tasks) task();
    return tasks.size();
  }
  /// For real threads that post: false if nothing came in `time_max`.
  bool AwaitPosted(std::chrono::nanoseconds time_max = std::chrono::seconds(30)) {
    MutexLock lock(mutex_);
    if (tasks_.empty()) (void)posted_.WaitFor(mutex_, time_max);
    return !tasks_.empty();
  }

 private:
  Mutex mutex_;
  CondVar posted_;
  std::vector<std::move_only_function<void()>> tasks_ MR_GUARDED_BY(mutex_);
};

/// One batch of `count` records, `bytes` each, all of time `timestamp_ms`.
inline Buffer WireBatch(int count = 1, std::size_t bytes = 100, std::int64_t timestamp_ms = 1000) {
  std::vector<Record> records;
  for (int i = 0; i < count; ++i)
    records.push_back({.timestamp_ms = timestamp_ms, .value = std::string(bytes, static_cast<char>('a' + i % 26))});
  return *BuildRecordBatch(records, {.record_bytes_max = 4 << 20, .batch_bytes_max = 4 << 20});
}

}  // namespace millrace
