#include "tier/retention_policy.h"

#include <algorithm>
#include <set>
#include <vector>

#include "base/check.h"
#include "base/try.h"
#include "meta/segment_catalog.h"
#include "tier/forget_consumed.h"
#include "tier/groups_passed.h"
#include "tier/log_start.h"
#include "tier/segment_commit.h"
#include "tier/step_budget.h"
#include "tier/tiered_partition.h"

namespace millrace {
namespace {

constexpr std::size_t kFirstPage = 16, kPage = 1'000;
constexpr std::chrono::milliseconds kConsumedInterval = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kIntervalMax = std::chrono::minutes(5), kIntervalMin = std::chrono::seconds(1);

/// Since when each of `segments` ages, in order. A row that does not know when it was committed was so before those
/// behind it; one without records (a damaged range, a gap) has no other time than that of its commit.
std::vector<std::int64_t> AgesFrom(std::span<const SegmentRow> segments, std::int64_t now_ms) {
  std::vector<std::int64_t> from(segments.size());
  std::int64_t bound = now_ms;
  for (std::size_t i = segments.size(); i-- > 0;) {
    const SegmentRow& segment = segments[i];
    if (segment.committed_ms > 0) bound = std::min(bound, segment.committed_ms);
    from[i] = segment.records == 0 ? bound : std::min(bound, segment.timestamp_max_ms);
  }
  return from;
}

}  // namespace

RetentionPolicy::RetentionPolicy(MetadataStore& metadata, TrustedTime& time) : metadata_(metadata), time_(time) {}

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
  const StepBudget budget(time_);
  bool any = false;
  std::optional<Error> error;
  for (TieredPartition* partition : forgetting) {
    if (budget.over()) break;
    auto forgot = Retain(*partition);
    if (forgot) {
      any = any || *forgot;
    } else if (!error) {
      error = std::move(forgot).error();
    }
  }
  ForgetBut(forgetting);
  if (error) return *std::move(error);
  return any;
}

Result<bool> RetentionPolicy::ForgetConsumedOnce(TieredPartitions& partitions) {
  std::vector<TieredPartition*> consumed;
  std::vector<TopicId> topics;
  partitions.ForEach([&](TieredPartition& partition) {
    if (partition.options().cleanup != Cleanup::kConsumed) return;
    const PartitionOffsets offsets = partition.log().offsets();
    if (offsets.log_start >= offsets.durable_end) return;  // there is nothing that could go
    consumed.push_back(&partition);
    topics.push_back(partition.log().key().topic);
  });
  const StepBudget budget(time_);
  if (budget.over()) return false;
  MR_ASSIGN_OR_RETURN(const GroupsPassed groups, GroupsPassed::Read(metadata_, topics));
  bool any = false;
  std::optional<Error> error;
  for (TieredPartition* partition : consumed) {
    if (budget.over()) break;
    auto forgot = ForgetConsumed(*partition, groups, metadata_, time_);
    if (forgot) {
      any = any || *forgot;
    } else if (!error) {
      error = std::move(forgot).error();
    }
  }
  if (error) return *std::move(error);
  return any;
}

bool RetentionPolicy::IsDue(const Oldest& oldest, std::uint64_t bytes, const TopicOptions& options,
                            std::int64_t now_ms) const {
  const bool doubted = time_.doubted();
  const bool old = options.retention_time && !doubted && oldest.aged_from_ms < now_ms - options.retention_time->count();
  const bool too_many =
      options.retention_bytes && bytes >= oldest.bytes && bytes - oldest.bytes >= *options.retention_bytes;
  return old || too_many;
}

Result<bool> RetentionPolicy::Retain(TieredPartition& partition) {
  PartitionLog& log = partition.log();
  std::optional<Offset> owed;
  {
    MutexLock lock(mutex_);
    if (const auto found = owed_.find(log.key()); found != owed_.end()) owed = found->second;
  }
  if (owed) return Advance(partition, *owed);
  const SegmentTotals totals = partition.totals();
  if (totals.segments == 0) return false;
  const TopicOptions options = partition.options();
  const Offset log_start = log.offsets().log_start;
  const std::int64_t now_ms = time_.WallMs();
  if (const auto known = Known(log.key(), log_start);
      known && !IsDue(*known, totals.bytes + log.pending().bytes, options, now_ms))
    return false;
  MR_ASSIGN_OR_RETURN(const Due due, FindDue(partition, options, now_ms));
  MR_CHECK(due.keep_from >= log_start, due.keep_from.value(), log_start.value());
  bool moved = false;
  if (due.keep_from > log_start) {
    MR_ASSIGN_OR_RETURN(moved, Advance(partition, due.keep_from));
  }
  Remember(log.key(), due.oldest);
  return moved;
}

/// Few rows first: mostly one or two are due.
Result<RetentionPolicy::Due> RetentionPolicy::FindDue(TieredPartition& partition, const TopicOptions& options,
                                                      std::int64_t now_ms) {
  const Offset log_start = partition.log().offsets().log_start;
  Due due{.keep_from = log_start};
  for (const std::size_t page : {kFirstPage, kPage}) {
    due = {.keep_from = log_start};
    std::uint64_t bytes = partition.totals().bytes + partition.log().pending().bytes;
    MR_ASSIGN_OR_RETURN(const auto segments,
                        SegmentCatalog(metadata_).Segments(partition.log().key(), log_start, page));
    const std::vector<std::int64_t> from = AgesFrom(segments, now_ms);
    for (std::size_t i = 0; i < segments.size() && !due.oldest; ++i) {
      const Oldest oldest{.log_start = due.keep_from, .aged_from_ms = from[i], .bytes = segments[i].byte_size};
      if (!IsDue(oldest, bytes, options, now_ms)) {
        // Without a time of commit, one stamped ahead of now is to be looked at again: what comes behind it may tell.
        if (segments[i].committed_ms > 0 || from[i] < now_ms) due.oldest = oldest;
        return due;
      }
      MR_DCHECK(segments[i].end > due.keep_from, segments[i].end.value(), due.keep_from.value());
      due.keep_from = segments[i].end;
      bytes -= std::min(bytes, segments[i].byte_size);
    }
    if (segments.size() < page) break;
  }
  return due;
}

Result<bool> RetentionPolicy::Advance(TieredPartition& partition, Offset log_start) {
  const PartitionKey key = partition.log().key();
  const Offset before = partition.log().offsets().log_start;
  const auto moved = AdvanceLogStart(partition, metadata_, log_start, time_.WallMs());
  MutexLock lock(mutex_);
  if (!moved) {
    if (!CommitIsKnown(moved.error())) owed_[key] = log_start;
    return moved.error();
  }
  owed_.erase(key);
  if (moved->log_start > before)
    retired_.fetch_add(static_cast<std::uint64_t>(moved->log_start - before), std::memory_order_relaxed);
  return moved->log_start > before;
}

std::optional<RetentionPolicy::Oldest> RetentionPolicy::Known(const PartitionKey& key, Offset log_start) {
  MutexLock lock(mutex_);
  const auto found = oldest_.find(key);
  if (found == oldest_.end() || found->second.log_start != log_start) return {};
  return found->second;
}

void RetentionPolicy::Remember(const PartitionKey& key, const std::optional<Oldest>& oldest) {
  MutexLock lock(mutex_);
  if (oldest) {
    oldest_[key] = *oldest;
  } else {
    oldest_.erase(key);
  }
}

/// Drops what is remembered of partitions that are gone, now and then: when there is twice as much as there are
/// partitions.
void RetentionPolicy::ForgetBut(std::span<TieredPartition* const> partitions) {
  MutexLock lock(mutex_);
  if (oldest_.size() + owed_.size() <= 2 * partitions.size()) return;
  std::set<PartitionKey> present;
  for (TieredPartition* partition : partitions) present.insert(partition->log().key());
  std::erase_if(oldest_, [&](const auto& entry) { return !present.contains(entry.first); });
  std::erase_if(owed_, [&](const auto& entry) { return !present.contains(entry.first); });
}

}  // namespace millrace
