// Appends under way: sent without waiting, answered in the order they were sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "millrace/engine.h"
#include "millrace/result.h"

namespace millrace {

/// Append and Take belong to one thread; answers come from the engine's. Wait before destroying it.
class AppendQueue {
 public:
  /// `engine` outlives this.
  AppendQueue(Engine& engine, AppendOptions options);
  ~AppendQueue();
  AppendQueue(const AppendQueue&) = delete;
  AppendQueue& operator=(const AppendQueue&) = delete;

  /// The records may be changed once this returns. Blocks while the engine's budget in flight is used up.
  void Append(const TopicPartition& partition, std::span<const Record> records);
  /// Answers that are there, oldest first, up to the first one that is still open.
  std::vector<Result<AppendReceipt>> Take();
  /// Blocks until every append has its answer.
  void Wait();
  /// Readable when there is something to take.
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  struct Entry {
    std::optional<Result<AppendReceipt>> answer;
  };
  void Answer(Entry& entry, Result<AppendReceipt> answer) MR_EXCLUDES(mutex_);

  Engine& engine_;
  const AppendOptions options_;
  const int descriptor_;

  Mutex mutex_;
  CondVar answered_;
  std::deque<std::unique_ptr<Entry>> entries_ MR_GUARDED_BY(mutex_);
  std::size_t open_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
