// What a topic was told: its options, read by its partitions on every append.
#pragma once

#include <atomic>

#include "base/check.h"
#include "base/mutex.h"
#include "millrace/options.h"

namespace millrace {

/// Safe from any thread.
class TopicSettings {
 public:
  explicit TopicSettings(const TopicOptions& options) : durability_(options.durability), options_(options) {}

  [[nodiscard]] TopicOptions options() const {
    MutexLock lock(mutex_);
    MR_DCHECK(durability() == options_.durability, static_cast<int>(durability()));
    return options_;
  }
  void Set(const TopicOptions& options) {
    MutexLock lock(mutex_);
    options_ = options;
    durability_.store(options.durability, std::memory_order_relaxed);
  }
  /// What an append gets that asks for nothing else.
  [[nodiscard]] Durability durability() const { return durability_.load(std::memory_order_relaxed); }

 private:
  std::atomic<Durability> durability_;
  mutable Mutex mutex_;
  TopicOptions options_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
