// Moves log_start up when records are too old or too many, by whole segments, oldest first; or when all cursors have
// consumed them.
// A doubtful clock deletes nothing: ages are counted in trusted time, and while that is doubted nothing is
// deleted for its age. A segment's age runs from its newest record's time or its commit, whichever was earlier, so that
// neither a producer's clock that is ahead nor one record of the year 2099 keeps anything for ever.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "base/mutex.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "tier/trusted_time.h"

namespace millrace {

class StepBudget;
class TieredPartition;
class TieredPartitions;

/// Safe from any thread.
class RetentionPolicy {
 public:
  RetentionPolicy(MetadataStore& metadata, TrustedTime& time);

  /// One look at every partition whose topic forgets, or at as many as the caller's RequestScope leaves time for; true
  /// if anything was forgotten. An error is the first one met; the other partitions were looked at all the same.
  /// Cost: what partitions know in memory; metadata is asked about partitions with something due, and once about each.
  Result<bool> RetainOnce(TieredPartitions& partitions);
  /// What all cursors have consumed, of topics that say so; true if anything was forgotten. Errors as of RetainOnce.
  Result<bool> ForgetConsumedOnce(TieredPartitions& partitions);
  /// How soon the next look makes sense; none: no topic forgets.
  [[nodiscard]] static std::optional<std::chrono::milliseconds> Interval(TieredPartitions& partitions);

  /// Records that this policy has forgotten since it was made.
  [[nodiscard]] std::uint64_t records_retired() const { return retired_.load(std::memory_order_relaxed); }

 private:
  /// Of a partition's oldest visible segment, so that metadata need not be asked again before it is due.
  struct Oldest {
    Offset log_start;  // it holds while this is the partition's
    std::int64_t aged_from_ms = 0;
    std::uint64_t bytes = 0;
  };
  struct Due {
    Offset keep_from;
    std::optional<Oldest> oldest;  // of what stays
  };
  Result<bool> Retain(TieredPartition& partition);
  Result<Due> FindDue(TieredPartition& partition, const TopicOptions& options, std::int64_t now_ms);
  [[nodiscard]] bool IsDue(const Oldest& oldest, std::uint64_t bytes, const TopicOptions& options,
                           std::int64_t now_ms) const;
  Result<bool> Advance(TieredPartition& partition, Offset log_start);
  [[nodiscard]] std::optional<Oldest> Known(const PartitionKey& key, Offset log_start);
  void Remember(const PartitionKey& key, const std::optional<Oldest>& oldest);
  void ForgetBut(std::span<TieredPartition* const> partitions);

  MetadataStore& metadata_;
  TrustedTime& time_;
  std::atomic<std::uint64_t> retired_{0};
  Mutex mutex_;
  std::map<PartitionKey, Oldest> oldest_ MR_GUARDED_BY(mutex_);
  std::map<PartitionKey, Offset> owed_ MR_GUARDED_BY(mutex_);  // moves whose outcome is unknown: made again first
};

}  // namespace millrace
