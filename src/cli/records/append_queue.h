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
#include "client/log.h"
#include "millrace/result.h"

namespace millrace {

/// Append and Take belong to one thread; answers come from others. Wait before destroying it.
class AppendQueue {
 public:
  /// `appender` outlives this. kUnavailable: the process may open no more descriptors.
  static Result<std::unique_ptr<AppendQueue>> Make(LogAppender& appender);
  ~AppendQueue();
  AppendQueue(const AppendQueue&) = delete;
  AppendQueue& operator=(const AppendQueue&) = delete;

  /// The records may be changed once this returns. May block, as LogAppender::Append.
  void Append(const TopicPartition& partition, std::span<const Record> records, std::uint64_t bytes);
  /// Answers that are there, oldest first, up to the first one that is still open.
  std::vector<Result<AppendReceipt>> Take();
  /// Blocks until every append has its answer.
  void Wait();
  /// Appends, records and encoded bytes (nearly) that have no answer yet.
  struct Open {
    std::size_t appends = 0, records = 0;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] Open open() MR_EXCLUDES(mutex_);
  /// Readable when there is something to take.
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  struct Entry {
    std::size_t records = 0;
    std::uint64_t bytes = 0;
    std::optional<Result<AppendReceipt>> answer;
  };
  AppendQueue(LogAppender& appender, int descriptor) : appender_(appender), descriptor_(descriptor) {}
  void Answer(Entry& entry, Result<AppendReceipt> answer) MR_EXCLUDES(mutex_);

  LogAppender& appender_;
  const int descriptor_;

  Mutex mutex_;
  CondVar answered_;
  std::deque<std::unique_ptr<Entry>> entries_ MR_GUARDED_BY(mutex_);
  Open open_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
