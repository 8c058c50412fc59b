#include "tier/retention_policy.h"

#include <algorithm>

#include "base/try.h"
#include "tier/forget_consumed.h"
#include "tier/tiered_partition.h"

namespace millrace {
namespace {

constexpr std::size_t kSegmentsPage = 1'000;
constexpr std::chrono::milliseconds kClockSlack = std::chrono::minutes(10);  // what time servers may set forward
constexpr std::chrono::milliseconds kFutureMax = std::chrono::hours(1);      // of a record's time, past now
constexpr std::chrono::milliseconds kConsumedInterval = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kIntervalMax = std::chrono::minutes(5), kIntervalMin = std::chrono::seconds(1);

}  // namespace

RetentionPolicy::RetentionPolicy(MetadataStore& metadata, Clock& clock)
    : metadata_(metadata), clock_(clock), wall_at_start_ms_(clock.WallMs()), monotonic_at_start_(clock.Monotonic()) {}

/// Wall time, but not further ahead of where we started than monotonic time says.
std::int64_t RetentionPolicy::TrustedNowMs() const {
  const auto passed =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Monotonic() - monotonic_at_start_) + kClockSlack;
  return std::min(clock_.WallMs(), wall_at_start_ms_ + passed.count());
}

std::optional<std::chrono::milliseconds> RetentionPolicy::Interval(TieredPartitions& partitions) {
  std::optional<std::chrono::milliseconds> interval;
  partitions.ForEach([&](TieredPartition& partition) {
    const TopicOptions options = partition.options();
    const bool consumed = options.cleanup == Cleanup::kConsumed;
    if (!options.retention_time && !options.retention_bytes && !consumed) return;
    auto wanted = kIntervalMax;
    if (consumed) wanted = kConsumedInterval;
    if (!consumed && options.retention_time)
      wanted = std::clamp(*options.retention_time / 4, kIntervalMin, kIntervalMax);
    interval = interval ? std::min(*interval, wanted) : wanted;
  });
  return interval;
}

Result<bool> RetentionPolicy::RetainOnce(TieredPartitions& partitions) {
  std::vector<TieredPartition*> forgetting;
  partitions.ForEach([&](TieredPartition& partition) {
    const TopicOptions options = partition.options();
    if (options.retention_time || options.retention_bytes) forgetting.push_back(&partition);
  });
  const std::int64_t now_ms = TrustedNowMs();
  bool any = false;
  std::optional<Error> error;
  for (TieredPartition* partition : forgetting) {
    auto forgot = Retain(*partition, now_ms);
    if (forgot) {
      any = any || *forgot;
    } else if (!error) {
      error = std::move(forgot).error();
    }
  }
  if (error) return *std::move(error);
  return any;
}

Result<bool> RetentionPolicy::ForgetConsumedOnce(TieredPartitions& partitions) {
  std::vector<TieredPartition*> consumed;
  partitions.ForEach([&](TieredPartition& partition) {
    if (partition.options().cleanup == Cleanup::kConsumed) consumed.push_back(&partition);
  });
  bool any = false;
  for (TieredPartition* partition : consumed) {
    MR_ASSIGN_OR_RETURN(const bool forgot, ForgetConsumed(*partition, metadata_, clock_));
    any = any || forgot;
  }
  return any;
}

Result<bool> RetentionPolicy::Retain(TieredPartition& partition, std::int64_t now_ms) {
  PartitionLog& log = partition.log();
  const PartitionKey& key = log.key();
  const TopicOptions options = partition.options();
  const Offset log_start = log.offsets().log_start;
  MR_ASSIGN_OR_RETURN(const auto rows, metadata_.Partitions(key.topic));
  const auto row = std::ranges::find(rows, key, &PartitionRow::key);
  if (row == rows.end() || row->segments == 0) return false;
  std::uint64_t bytes = row->segment_bytes + log.pending().bytes;
  MR_ASSIGN_OR_RETURN(const auto segments, metadata_.Segments(key, log_start, kSegmentsPage));
  Offset keep_from = log_start;
  for (const SegmentRow& segment : segments) {
    const bool from_future = segment.timestamp_max_ms > now_ms + kFutureMax.count();
    const bool old =
        options.retention_time && !from_future && segment.timestamp_max_ms < now_ms - options.retention_time->count();
    const bool too_many =
        options.retention_bytes && bytes >= segment.byte_size && bytes - segment.byte_size >= *options.retention_bytes;
    if (!old && !too_many) break;
    keep_from = segment.end;
    bytes -= std::min(bytes, segment.byte_size);
  }
  if (keep_from == log_start) return false;
  MR_ASSIGN_OR_RETURN(const PartitionRow moved,
                      metadata_.AdvanceLogStart(key, log.epoch(), keep_from, clock_.WallMs()));
  partition.OnRow(moved);
  return true;
}

}  // namespace millrace
