// Consumer's inside: partitions in turn, errors in turn with data, positions of the group.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "consumer/partition_feed.h"
#include "consumer/partition_source.h"
#include "consumer/position_store.h"
#include "millrace/clock.h"
#include "millrace/consumer.h"

namespace millrace {

class ThreadPool;

struct ConsumerSettings {
  std::string group;
  ResetPolicy reset = ResetPolicy::kEarliest;
  OnDamage on_damage = OnDamage::kFail;
  std::size_t fetch_size = 1000;
  /// Threads for partitions that wait for the object store at the same time; null, or null from it: one after the
  /// other.
  std::function<ThreadPool*()> read_pool;
};

class Consumer::Implementation {
 public:
  /// Loads the group's positions. `sources` are distinct, in the order they are served; they, `positions` and `clock`
  /// outlive the consumer.
  static Result<std::unique_ptr<Consumer>> Open(const ConsumerSettings& settings,
                                                std::span<PartitionSource* const> sources, PositionStore& positions,
                                                Clock& clock);

  Result<std::vector<ConsumedView>> PollViews(std::size_t max_records, std::chrono::milliseconds wait);
  Result<void> Commit();
  Result<void> Seek(const TopicPartition& partition, Offset position);
  Result<void> SeekToTime(std::int64_t timestamp_ms);
  Result<Offset> Position(const TopicPartition& partition) const;
  [[nodiscard]] std::vector<TopicPartition> Assignment() const;
  [[nodiscard]] ReadExplanation Explanation() const;
  std::vector<DamagedRange> TakeSkipped();
  void Wakeup();
  Result<void> Close();

 private:
  /// Shared with waiters that may still run when the consumer is gone.
  struct Bell {
    Mutex mutex;
    CondVar rung;
    bool records MR_GUARDED_BY(mutex) = false;
    bool wakeup MR_GUARDED_BY(mutex) = false;
  };

  Implementation(const ConsumerSettings& settings, PositionStore& positions, Clock& clock)
      : settings_(settings), positions_(positions), clock_(clock) {}
  std::vector<ConsumedView> Gather(std::size_t max_records);
  void FillWaitingFeeds();
  bool AwaitRecords(std::chrono::nanoseconds deadline);
  bool TakeWakeup();
  PartitionFeed* Find(const TopicPartition& partition) const;
  Result<void> CheckOpen() const;

  const ConsumerSettings settings_;
  PositionStore& positions_;
  Clock& clock_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  std::vector<std::unique_ptr<PartitionFeed>> feeds_;
  std::size_t turn_ = 0;                // whose records come first in the next poll
  std::optional<Error> pending_error_;  // of a partition, not told yet
  bool told_error_ = false;             // by the last poll
  std::vector<std::optional<Offset>> committed_;
  bool closed_ = false;
};

}  // namespace millrace
