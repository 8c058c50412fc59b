#include "tier/followed_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/try.h"

namespace millrace {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr PartitionKey kFirstPartition{TopicId(kLowest), PartitionId(0)};

/// All rows from `from` on. In the follower's memory.
template <class Row>
Result<std::vector<Row>> AllFrom(MetadataStore& rows, const MetadataKey& from, const MetadataKey& to = EndOfTable{}) {
  MR_ASSIGN_OR_RETURN(auto found, rows.Scan(from, to, std::numeric_limits<std::size_t>::max()));
  std::vector<Row> all;
  all.reserve(found.size());
  for (MetadataRow& row : found) all.push_back(std::get<Row>(std::move(row)));
  return all;
}

bool IsSamePlace(const SegmentRow& one, const SegmentRow& other) {
  return one.base == other.base && one.end == other.end && one.object == other.object &&
         one.byte_begin == other.byte_begin && one.byte_size == other.byte_size;
}

MetadataWrite Put(MetadataRow row) { return {MetadataWrite::Kind::kPut, std::move(row)}; }
MetadataWrite Erase(MetadataRow row) { return {MetadataWrite::Kind::kErase, std::move(row)}; }

/// Segments that end past `from` and, if it is told, at `to` at the latest.
Result<std::vector<SegmentRow>> SegmentsOf(MetadataStore& rows, const PartitionKey& key, Offset from,
                                           std::optional<Offset> to = {}) {
  const SegmentEndKey behind{{key.topic, key.partition + 1}, Offset(kLowest)};
  return AllFrom<SegmentRow>(rows, SegmentEndKey{key, from + 1}, to ? SegmentEndKey{key, *to + 1} : behind);
}

}  // namespace

Result<void> FollowedRows::Commit(std::vector<MetadataWrite> writes) {
  if (writes.empty()) return {};
  MR_ASSIGN_OR_RETURN(const auto committed, rows_.Commit({}, writes));
  if (committed) return {};
  return Error(ErrorCode::kInternal, "rows that are followed: two of them have one name");
}

Result<std::vector<FollowedChange>> FollowedRows::Write(const FollowedNews& news) {
  shrunk_.reset();
  new_partitions_.clear();
  std::vector<MetadataWrite> writes;
  for (const StoreRow& row : news.store) writes.push_back(Put(row));
  for (const PositionRow& row : news.positions) writes.push_back(Put(row));
  for (const ObjectRow& row : news.objects) writes.push_back(Put(row));
  MR_TRY(Commit(std::move(writes)));
  std::vector<FollowedChange> changes;
  for (const FollowedPartition& partition : news.partitions) {
    MR_ASSIGN_OR_RETURN(auto change, WritePartition(partition, news));
    if (change) changes.push_back(*std::move(change));
  }
  if (news.topics_changed) MR_TRY(WriteTopics(news));
  return changes;
}

/// Two commits: the name of one that is gone may be another's. A topic comes with its partitions.
Result<void> FollowedRows::WriteTopics(const FollowedNews& news) {
  std::map<TopicId, const TopicRow*> topics;
  for (const TopicRow& row : news.topics) topics[row.id] = &row;
  MR_ASSIGN_OR_RETURN(const auto present, AllFrom<TopicRow>(rows_, TopicKey{TopicId(kLowest)}));
  std::vector<MetadataWrite> erased, put = std::exchange(new_partitions_, {});
  for (const TopicRow& row : present) {
    const auto topic = topics.find(row.id);
    if (topic == topics.end()) {
      erased.push_back(Erase(row));
    } else if (*topic->second == row) {
      topics.erase(topic);
    }
  }
  for (const auto& [id, row] : topics) put.push_back(Put(*row));
  MR_TRY(Commit(std::move(erased)));
  return Commit(std::move(put));
}

Result<std::optional<PartitionRow>> FollowedRows::Present(const PartitionKey& key) {
  const MetadataKey wanted(key);
  MR_ASSIGN_OR_RETURN(const auto found, rows_.Get({&wanted, 1}));
  if (!found.front()) return std::optional<PartitionRow>();
  return std::optional(std::get<PartitionRow>(*found.front()));
}

/// One commit: a reader finds the old segments or the new ones, each of which follow each other.
Result<std::optional<FollowedChange>> FollowedRows::WritePartition(const FollowedPartition& partition,
                                                                   const FollowedNews& news) {
  const PartitionKey& key = partition.row.key;
  MR_ASSIGN_OR_RETURN(const auto before, Present(key));
  if (before && partition.row.tiered_end < before->tiered_end) {
    const auto topic = std::ranges::find(news.topics, key.topic, &TopicRow::id);
    shrunk_ = Error(ErrorCode::kUnavailable,
                    fmt::format("the object store tells of {}/{} up to offset {} only, and has told of it up to {}",
                                topic == news.topics.end() ? "?" : topic->name, key.partition.value(),
                                partition.row.tiered_end.value(), before->tiered_end.value()),
                    "was an older copy of the bucket put back? What was read is shown on");
    return std::optional<FollowedChange>();
  }
  FollowedChange change{.row = partition.row, .replaced = false, .added = {}};
  const Offset log_start = change.row.log_start;
  std::vector<MetadataWrite> writes;
  if (before && log_start > before->log_start) {
    MR_ASSIGN_OR_RETURN(const auto trimmed, SegmentsOf(rows_, key, Offset(-1), log_start));
    for (const SegmentRow& row : trimmed) writes.push_back(Erase(row));
  }
  std::map<Offset, const SegmentRow*> added;  // by end
  for (const SegmentRow& segment : partition.segments)
    if (segment.end > log_start) added[segment.end] = &segment;
  MR_ASSIGN_OR_RETURN(const auto present, SegmentsOf(rows_, key, std::max(partition.from, log_start)));
  for (const SegmentRow& row : present) {
    const auto same = added.find(row.end);
    if (same != added.end() && IsSamePlace(*same->second, row)) {
      added.erase(same);
    } else {
      writes.push_back(Erase(row));
      change.replaced = true;
    }
  }
  for (const auto& [end, row] : added) {
    writes.push_back(Put(*row));
    change.added.push_back(*row);
  }
  if (!before) {
    new_partitions_.push_back(Put(change.row));
  } else if (!writes.empty() || *before != change.row) {
    writes.push_back(Put(change.row));
  }
  MR_TRY(Commit(std::move(writes)));
  return std::optional(std::move(change));
}

Result<void> FollowedRows::Tidy(const FollowedNews& news) {
  if (!news.afresh) return {};
  std::set<ObjectId> objects;
  for (const ObjectRow& row : news.objects) objects.insert(row.id);
  std::set<PositionKey> positions;
  for (const PositionRow& row : news.positions) positions.insert(row.key);
  std::set<PartitionKey> present;
  for (const FollowedPartition& partition : news.partitions) present.insert(partition.row.key);
  std::vector<MetadataWrite> writes;
  MR_ASSIGN_OR_RETURN(const auto all_positions, AllFrom<PositionRow>(rows_, PositionKey{"", kFirstPartition}));
  for (const PositionRow& row : all_positions)
    if (!positions.contains(row.key)) writes.push_back(Erase(row));
  MR_ASSIGN_OR_RETURN(const auto partitions, AllFrom<PartitionRow>(rows_, kFirstPartition));
  for (const PartitionRow& row : partitions)
    if (!present.contains(row.key)) writes.push_back(Erase(row));
  std::set<ObjectId> in_use;
  MR_ASSIGN_OR_RETURN(const auto segments, AllFrom<SegmentRow>(rows_, SegmentEndKey{kFirstPartition, Offset(kLowest)}));
  for (const SegmentRow& row : segments) {
    if (present.contains(row.partition)) {
      in_use.insert(row.object);
    } else {
      writes.push_back(Erase(row));
    }
  }
  MR_ASSIGN_OR_RETURN(const auto all_objects, AllFrom<ObjectRow>(rows_, ObjectKey{}));
  for (const ObjectRow& row : all_objects)
    if (!objects.contains(row.id) && !in_use.contains(row.id)) writes.push_back(Erase(row));
  return Commit(std::move(writes));
}

}  // namespace millrace
