// One partition as the uploader sees it: how far it is taken and committed, when it is due, who waits for it.
//
//   committed_end <= taken_end <= log_end
//   [committed_end, taken_end) is in flight; where a flight fails, it and those behind it are taken again
//
// The appender touches one atomic; everything else belongs to UploadSchedule and is guarded by its mutex.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "millrace/result.h"

namespace millrace {

class TieredPartition;

class PartitionUpload {
 public:
  explicit PartitionUpload(TieredPartition& partition) : partition_(partition) {}
  [[nodiscard]] TieredPartition& partition() const { return partition_; }

 private:
  friend class UploadSchedule;
  using Waiter = std::move_only_function<void(const Result<void>&)>;

  TieredPartition& partition_;
  /// Bytes until the schedule must look: at 0 while nothing waits for upload, so that the first append is noticed.
  std::atomic<std::int64_t> countdown_{0};

  // Guarded by UploadSchedule::mutex_, which the analysis cannot name from here.
  Offset committed_end_, taken_end_;
  Offset demand_end_;                // a caller wants everything below at once
  std::optional<Offset> broken_at_;  // flights that begin here or later have lost their predecessor
  std::uint64_t flight_bytes_ = 0;
  std::uint32_t flights_ = 0;  // a claim being read counts as one
  bool listed_ = false;        // in the schedule's list: waits for upload or has flights
  bool waiting_ = false;       // something past taken_end; `deadline_` holds
  bool building_ = false;      // a claim is being read; its end is not known yet
  bool size_due_ = false;
  bool unsure_ = false;  // a commit's outcome is unknown: metadata decides before the next claim
  std::chrono::nanoseconds deadline_{0}, retry_at_{0};
  std::uint32_t failures_ = 0;         // in a row
  std::int64_t failing_since_ms_ = 0;  // wall time of the first of the row
  std::uint64_t failures_ever_ = 0, damages_ever_ = 0, refusals_ever_ = 0;
  std::optional<Error> last_error_, damage_, ended_;
  std::multimap<Offset, Waiter> waiters_;
};

}  // namespace millrace
