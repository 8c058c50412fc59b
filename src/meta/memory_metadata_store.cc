#include "meta/memory_metadata_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "meta/metadata_rows.h"

namespace millrace {

Result<void> MemoryMetadataStore::CheckOpen() const {
  if (closed_) return Error(ErrorCode::kClosed, "metadata: the store is closed");
  return {};
}

Result<std::string> MemoryMetadataStore::Identity() {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  return identity_;
}

Result<void> MemoryMetadataStore::SetIdentity(std::string_view identity) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  if (!identity_.empty() && identity_ != identity) {
    return Error(ErrorCode::kAlreadyExists, "metadata: the store belongs to " + identity_);
  }
  identity_ = identity;
  return {};
}

Result<TopicRow> MemoryMetadataStore::CreateTopic(std::string_view name, const TopicOptions& options,
                                                  std::string_view uuid, std::int64_t now_ms) {
  MR_TRY(CheckTopicOptions(options, 0));
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  for (const auto& [id, topic] : topics_) {
    if (topic.name == name) {
      return Error(ErrorCode::kAlreadyExists, fmt::format("metadata: there is already a topic {}", name));
    }
  }
  const TopicRow row{TopicId(next_topic_++), std::string(uuid), std::string(name), options, now_ms};
  topics_.emplace(row.id, row);
  for (std::int32_t p = 0; p < options.partitions; ++p) {
    const PartitionKey key{row.id, PartitionId(p)};
    partitions_[key].row.key = key;
  }
  return row;
}

Result<void> MemoryMetadataStore::AlterTopic(TopicId topic, const TopicOptions& options) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return TopicNotFound(topic);
  MR_TRY(CheckTopicOptions(options, found->second.options.partitions));
  for (std::int32_t p = found->second.options.partitions; p < options.partitions; ++p) {
    const PartitionKey key{topic, PartitionId(p)};
    partitions_[key].row.key = key;
  }
  found->second.options = options;
  return {};
}

void MemoryMetadataStore::Release(const SegmentRow& segment, std::int64_t now_ms) {
  if (segment.is_gap()) return;
  const auto object = objects_.find(segment.object);
  MR_CHECK(object != objects_.end() && object->second.references > 0);
  if (--object->second.references > 0) return;
  object->second.row.state = ObjectState::kDeleting;
  object->second.row.changed_ms = now_ms;
}

Result<void> MemoryMetadataStore::DeleteTopic(TopicId topic, std::int64_t now_ms) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  if (topics_.erase(topic) == 0) return TopicNotFound(topic);
  auto at = partitions_.lower_bound({topic, PartitionId(0)});
  while (at != partitions_.end() && at->first.topic == topic) {
    for (const auto& [base, segment] : at->second.segments) Release(segment, now_ms);
    at = partitions_.erase(at);
  }
  std::erase_if(positions_, [&](const auto& position) { return position.first.partition.topic == topic; });
  return {};
}

Result<std::vector<TopicRow>> MemoryMetadataStore::Topics() {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  std::vector<TopicRow> rows;
  for (const auto& [id, row] : topics_) rows.push_back(row);
  return rows;
}

Result<std::vector<PartitionRow>> MemoryMetadataStore::Partitions(TopicId topic) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  if (!topics_.contains(topic)) return TopicNotFound(topic);
  std::vector<PartitionRow> rows;
  for (auto at = partitions_.lower_bound({topic, PartitionId(0)}); at != partitions_.end() && at->first.topic == topic;
       ++at) {
    rows.push_back(at->second.row);
  }
  return rows;
}

Result<PartitionRow> MemoryMetadataStore::AcquireEpoch(const PartitionKey& partition) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return PartitionNotFound(partition);
  found->second.row.epoch += 1;
  return found->second.row;
}

Result<PartitionRow> MemoryMetadataStore::AdvanceLogStart(const PartitionKey& partition, LeaderEpoch epoch,
                                                          Offset log_start, std::int64_t now_ms) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return PartitionNotFound(partition);
  MR_TRY(CheckEpoch(found->second.row, epoch));
  PartitionRow& row = found->second.row;
  row = ApplyLogStart(row, log_start);
  auto& segments = found->second.segments;
  if (Planted(Bug::kTierRowsLeftBehind)) return row;
  while (!segments.empty() && segments.begin()->second.end <= row.log_start) {
    row.segments -= 1;
    row.segment_bytes -= segments.begin()->second.byte_size;
    Release(segments.begin()->second, now_ms);
    segments.erase(segments.begin());
  }
  return row;
}

Result<void> MemoryMetadataStore::PrepareObject(const ObjectRow& object) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const auto [found, inserted] = objects_.try_emplace(object.id, Object{object});
  if (inserted) {
    found->second.row.state = ObjectState::kPrepared;
  } else if (found->second.row.key != object.key) {
    return Error(ErrorCode::kAlreadyExists,
                 fmt::format("metadata: object {} is prepared under another key", ObjectIdText(object.id)));
  }
  return {};
}

std::vector<PartitionRow> MemoryMetadataStore::RowsOf(std::span<const SegmentCommit> segments) const {
  std::vector<PartitionRow> rows;
  for (const SegmentCommit& commit : segments) {
    const auto found = partitions_.find(commit.segment.partition);
    if (found != partitions_.end()) rows.push_back(found->second.row);
  }
  return rows;
}

/// A gap names no object that would tell a second commit from the first; the row itself does.
bool MemoryMetadataStore::HasGap(const SegmentRow& gap) const {
  const auto partition = partitions_.find(gap.partition);
  if (partition == partitions_.end()) return false;
  const auto row = partition->second.segments.find(gap.base);
  return row != partition->second.segments.end() && row->second.is_gap() && row->second.end == gap.end;
}

Result<std::vector<PartitionRow>> MemoryMetadataStore::CommitSegments(const ObjectRow& object,
                                                                      std::span<const SegmentCommit> segments) {
  MR_TRY(CheckCommit(object, segments));
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const bool only_gaps = OnlyGaps(segments);
  const auto found = objects_.find(object.id);
  if (!only_gaps) {
    if (found == objects_.end()) return ObjectNotPrepared(object.id, "was not prepared");
    if (found->second.row.state == ObjectState::kDeleting) return ObjectNotPrepared(object.id, "was given up");
    if (found->second.row.state == ObjectState::kCommitted) return RowsOf(segments);
  } else if (std::ranges::all_of(
                 segments, [&](const SegmentCommit& commit) MR_REQUIRES(mutex_) { return HasGap(commit.segment); })) {
    return RowsOf(segments);
  }
  // All checks before any change. A partition may have several segments in the object, one after the other.
  std::map<PartitionKey, PartitionRow> after;
  for (const SegmentCommit& commit : segments) {
    const PartitionKey& key = commit.segment.partition;
    const auto partition = partitions_.find(key);
    if (partition == partitions_.end()) return PartitionNotFound(key);
    const auto before = after.try_emplace(key, partition->second.row).first;
    MR_ASSIGN_OR_RETURN(before->second, ApplyCommit(before->second, commit));
  }
  for (const auto& [key, row] : after) partitions_[key].row = row;
  std::uint64_t references = 0;
  for (const SegmentCommit& commit : segments) {
    partitions_[commit.segment.partition].segments.insert_or_assign(commit.segment.base, commit.segment);
    references += commit.segment.is_gap() ? 0 : 1;
  }
  if (only_gaps) return RowsOf(segments);
  found->second.references = references;
  found->second.row.state = ObjectState::kCommitted;
  found->second.row.size_bytes = object.size_bytes;
  found->second.row.changed_ms = object.changed_ms;
  return RowsOf(segments);
}

Result<std::vector<ObjectRow>> MemoryMetadataStore::ObjectsIn(ObjectState state, std::int64_t changed_before_ms,
                                                              std::size_t max) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  std::vector<ObjectRow> rows;
  for (const auto& [id, object] : objects_) {
    if (object.row.state == state && object.row.changed_ms < changed_before_ms) rows.push_back(object.row);
  }
  std::ranges::sort(rows, {}, [](const ObjectRow& row) { return std::tie(row.changed_ms, row.id); });
  if (rows.size() > max) rows.resize(max);
  return rows;
}

Result<void> MemoryMetadataStore::AbandonObject(const ObjectId& id, std::int64_t now_ms) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const auto found = objects_.find(id);
  if (found == objects_.end()) return ObjectNotPrepared(id, "was not prepared");
  ObjectRow& row = found->second.row;
  if (row.state == ObjectState::kCommitted) {
    return Error(ErrorCode::kAlreadyExists, fmt::format("metadata: object {} is committed", ObjectIdText(id)));
  }
  if (row.state == ObjectState::kPrepared) row.changed_ms = now_ms;
  row.state = ObjectState::kDeleting;
  return {};
}

Result<void> MemoryMetadataStore::ForgetObject(const ObjectId& id) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const auto found = objects_.find(id);
  if (found == objects_.end()) return {};
  if (found->second.references > 0) {
    return Error(ErrorCode::kInternal, fmt::format("metadata: object {} still holds segments", ObjectIdText(id)));
  }
  if (found->second.row.state != ObjectState::kDeleting) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("metadata: object {} is not given up", ObjectIdText(id)));
  }
  objects_.erase(found);
  return {};
}

Result<std::optional<ObjectRow>> MemoryMetadataStore::FindObject(const ObjectId& id) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const auto found = objects_.find(id);
  if (found == objects_.end()) return std::optional<ObjectRow>();
  return std::optional(found->second.row);
}

Result<std::vector<SegmentRow>> MemoryMetadataStore::Segments(const PartitionKey& partition, Offset from,
                                                              std::size_t max) {
  if (max == 0) return Error(ErrorCode::kInvalidArgument, "a page of segments holds at least one");
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return PartitionNotFound(partition);
  const auto& segments = found->second.segments;
  auto at = segments.upper_bound(from);
  if (at != segments.begin() && std::prev(at)->second.end > from) --at;
  std::vector<SegmentRow> rows;
  for (; at != segments.end() && rows.size() < max; ++at) rows.push_back(at->second);
  MR_TRY(CheckSegments(found->second.row, from, max, rows));
  return rows;
}

Result<void> MemoryMetadataStore::CommitPositions(std::span<const PositionRow> positions) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  for (const PositionRow& position : positions) {
    if (!partitions_.contains(position.key.partition)) return PartitionNotFound(position.key.partition);
  }
  for (const PositionRow& position : positions) positions_.insert_or_assign(position.key, position.position);
  return {};
}

Result<std::vector<PositionRow>> MemoryMetadataStore::Positions(std::string_view group) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  std::vector<PositionRow> rows;
  for (const auto& [key, position] : positions_) {
    if (key.group == group) rows.push_back({key, position});
  }
  return rows;
}

Result<std::vector<std::string>> MemoryMetadataStore::Groups() {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  std::vector<std::string> groups;
  for (const auto& [key, position] : positions_) {
    if (groups.empty() || groups.back() != key.group) groups.push_back(key.group);
  }
  return groups;
}

Result<void> MemoryMetadataStore::DeleteGroup(std::string_view group) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  std::erase_if(positions_, [&](const auto& position) { return position.first.group == group; });
  return {};
}

Result<void> MemoryMetadataStore::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  return {};
}

}  // namespace millrace
