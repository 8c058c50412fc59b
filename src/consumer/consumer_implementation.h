// Consumer's inside: partitions in turn, errors in turn with data, positions of the group.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_gate.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "consumer/consumer_member.h"
#include "consumer/partition_feed.h"
#include "millrace/consumer.h"
#include "read/partition_source.h"

namespace millrace {

class Consumer::Implementation {
 public:
  /// Loads the group's positions. `table`, sources and positions are there as long as `engine` lets calls pass.
  static Result<std::unique_ptr<Consumer>> Open(const ConsumerSettings& settings, ConsumerShares& table,
                                                std::shared_ptr<CallGate> engine,
                                                std::shared_ptr<ConsumerMember> member);
  ~Implementation() { (void)Close(); }

  Result<std::vector<ConsumedView>> PollViews(std::size_t max_records, std::chrono::milliseconds wait);
  Result<void> Commit();
  Result<void> Seek(const TopicPartition& partition, Offset position);
  Result<void> SeekToTime(std::int64_t timestamp_ms);
  Result<Offset> Position(const TopicPartition& partition) const;
  // What was read so far; these reach for nothing of the engine's.
  [[nodiscard]] std::vector<TopicPartition> Assignment() const;
  [[nodiscard]] std::optional<Offset> CorrectedFrom(const TopicPartition& partition) const;
  [[nodiscard]] ReadExplanation Explanation() const;
  std::vector<DamagedRange> TakeSkipped();
  void Wakeup();
  /// Ends a waiting Poll, waits for calls, then gives the partitions back.
  Result<void> Close();
  /// What every call but Close and those of what was read passes first.
  [[nodiscard]] CallGate* calls() const { return engine_.get(); }

 private:
  /// One partition that is read.
  struct Served {
    PartitionSource* source;
    TopicPartition name;
    std::string_view topic;  // as views tell it
    PartitionFeed feed;
    std::optional<Offset> committed, corrected_from;
  };
  using ServedList = std::vector<std::unique_ptr<Served>>;

  Implementation(const ConsumerSettings& settings, ConsumerShares& table, std::shared_ptr<CallGate> engine,
                 std::shared_ptr<ConsumerMember> member);
  /// One call inside this consumer; who calls is inside the engine already.
  Result<Gate::Pass> Enter() const;
  Result<void> CheckNotEnded() const;
  Result<void> Refresh();
  Result<ServedList> Begin(const std::vector<PartitionSource*>& sources, std::size_t of);
  Result<void> StoreWhatExists(const std::vector<Served*>& changed);
  std::vector<ConsumedView> Gather(std::size_t max_records);
  void FillWaitingFeeds();
  bool AwaitRecords(std::uint64_t rings, std::chrono::nanoseconds deadline);
  Served* Find(const TopicPartition& partition) const;

  const ConsumerSettings settings_;
  ConsumerShares& table_;
  const std::shared_ptr<CallGate> engine_;
  const std::shared_ptr<ConsumerMember> member_;
  std::atomic<bool> closed_{false};

  // Of the one thread that calls.
  ServedList served_;
  std::set<std::string, std::less<>> topics_;  // every name a view was given: they live as long as the consumer
  std::size_t turn_ = 0;                       // whose records come first in the next poll
  std::optional<Error> pending_error_;         // of a partition, not told yet
  bool told_error_ = false;                    // by the last poll
  ReadExplanation left_;                       // of partitions that are another's now
  std::vector<DamagedRange> left_skipped_;
};

}  // namespace millrace
