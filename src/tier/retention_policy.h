// Moves log_start up when records are too old or too many, by whole segments, oldest first; or when all cursors have
// consumed them.
// Whoever is not sure of the time deletes nothing: a wall clock that jumped ahead and record times from the future keep
// their data.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

class TieredPartition;
class TieredPartitions;

class RetentionPolicy {
 public:
  RetentionPolicy(MetadataStore& metadata, Clock& clock);

  /// One look at every partition whose topic forgets; true if anything was forgotten. An error is the first one met;
  /// the other partitions were looked at all the same.
  Result<bool> RetainOnce(TieredPartitions& partitions);
  /// What all cursors have consumed, of topics that say so; true if anything was forgotten.
  Result<bool> ForgetConsumedOnce(TieredPartitions& partitions);
  /// How soon the next look makes sense; none: no topic forgets.
  [[nodiscard]] static std::optional<std::chrono::milliseconds> Interval(TieredPartitions& partitions);

 private:
  Result<bool> Retain(TieredPartition& partition, std::int64_t now_ms);
  [[nodiscard]] std::int64_t TrustedNowMs() const;

  MetadataStore& metadata_;
  Clock& clock_;
  const std::int64_t wall_at_start_ms_;
  const std::chrono::nanoseconds monotonic_at_start_;
};

}  // namespace millrace
