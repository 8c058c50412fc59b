#include "meta/segment_catalog.h"

#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/try.h"
#include "meta/find_row.h"
#include "meta/topic_removal.h"

namespace millrace {
namespace {

constexpr Offset kLowest(std::numeric_limits<std::int64_t>::min());
constexpr Offset kHighest(std::numeric_limits<std::int64_t>::max());

SegmentEndKey EndOf(const PartitionKey& partition) {
  return {{partition.topic, PartitionId(partition.partition.value() + 1)}, kLowest};
}

/// The partition's first segments with an end behind `from`.
Result<std::vector<SegmentRow>> SegmentsBehind(MetadataStore& store, const PartitionKey& partition, Offset from,
                                               std::size_t max) {
  if (from == kHighest) return std::vector<SegmentRow>();
  return ScanRows(store, SegmentEndKey{partition, from + 1}, EndOf(partition), max);
}

/// All rows that a commit of these segments rests on, in one look-up.
Result<CommitGround> GroundOf(MetadataStore& store, const ObjectRow& object, std::span<const SegmentCommit> segments) {
  const bool only_gaps = OnlyGaps(segments);
  std::vector<MetadataKey> keys;
  std::set<PartitionKey> partitions;
  for (const SegmentCommit& commit : segments) {
    const SegmentRow& segment = commit.segment;
    if (partitions.insert(segment.partition).second) keys.emplace_back(segment.partition);
    if (only_gaps) keys.emplace_back(SegmentEndKey{segment.partition, segment.end});
  }
  if (!only_gaps) keys.emplace_back(ObjectKey{object.id});
  MR_ASSIGN_OR_RETURN(auto rows, store.Get(keys));
  CommitGround ground;
  for (auto& row : rows) {
    if (!row) continue;
    if (auto* partition = std::get_if<PartitionRow>(&*row)) ground.partitions.push_back(*partition);
    if (auto* segment = std::get_if<SegmentRow>(&*row)) ground.same_ends.push_back(*segment);
    if (auto* found = std::get_if<ObjectRow>(&*row)) ground.object = std::move(*found);
  }
  return ground;
}

/// The partitions' rows in the order of `segments`, those written by `transition` before those found; of a partition
/// that is gone none.
std::vector<PartitionRow> RowsAfter(const CommitGround& ground, const Transition& transition,
                                    std::span<const SegmentCommit> segments) {
  std::map<PartitionKey, PartitionRow> rows;
  for (const PartitionRow& row : ground.partitions) rows[row.key] = row;
  for (const MetadataWrite& write : transition.writes)
    if (const auto* row = std::get_if<PartitionRow>(&write.row)) rows[row->key] = *row;
  std::vector<PartitionRow> after;
  after.reserve(segments.size());
  for (const SegmentCommit& commit : segments)
    if (const auto row = rows.find(commit.segment.partition); row != rows.end()) after.push_back(row->second);
  return after;
}

}  // namespace

Result<PartitionRow> SegmentCatalog::AdvanceLogStart(const PartitionKey& partition, LeaderEpoch epoch, Offset log_start,
                                                     std::int64_t now_ms) const {
  for (;;) {
    MR_ASSIGN_OR_RETURN(const PartitionRow row, AdvanceSome(partition, epoch, log_start, now_ms));
    if (row.log_start >= log_start) return row;
    LetOthersIn();
  }
}

Result<PartitionRow> SegmentCatalog::AdvanceSome(const PartitionKey& partition, LeaderEpoch epoch, Offset log_start,
                                                 std::int64_t now_ms) const {
  PartitionRow row;
  MR_TRY(CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto found, FindRow(store_, partition));
    if (!found) return PartitionNotFound(partition);
    row = *found;
    const SegmentEndKey end{partition, log_start == kHighest ? kHighest : log_start + 1};
    MR_ASSIGN_OR_RETURN(const auto page, ScanRows(store_, SegmentEndKey{partition, kLowest}, end, kSegmentsAtOnce));
    std::set<ObjectId> ids;
    for (const SegmentRow& segment : page)
      if (!segment.is_gap()) ids.insert(segment.object);
    MR_ASSIGN_OR_RETURN(const auto objects, FindRows(store_, std::vector<ObjectKey>(ids.begin(), ids.end())));
    return AdvanceLogStartRule(row, epoch, log_start, page, kSegmentsAtOnce, objects, now_ms);
  }));
  return row;
}

Result<void> SegmentCatalog::PrepareObject(const ObjectRow& object) const {
  // A fresh id is absent; only if it is not does anything have to be read.
  bool first = true;
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    std::optional<ObjectRow> present;
    if (!std::exchange(first, false)) {
      MR_ASSIGN_OR_RETURN(present, FindObject(object.id));
    }
    return PrepareObjectRule(present, object);
  });
}

Result<std::vector<PartitionRow>> SegmentCatalog::CommitSegments(const ObjectRow& object,
                                                                 std::span<const SegmentCommit> segments) const {
  MR_TRY(CheckCommit(object, segments));
  std::vector<PartitionRow> rows;
  MR_TRY(CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const CommitGround ground, GroundOf(store_, object, segments));
    MR_ASSIGN_OR_RETURN(Transition transition, CommitSegmentsRule(ground, object, segments));
    rows = RowsAfter(ground, transition, segments);
    return transition;
  }));
  return rows;
}

Result<std::vector<ObjectRow>> SegmentCatalog::ObjectsIn(ObjectState state, std::int64_t changed_before_ms,
                                                         std::size_t max) const {
  if (state == ObjectState::kDeleting) {
    if (auto moved = ResumeRemoval(store_); !moved && moved.error().code() == ErrorCode::kCorruption)
      return moved.error();
  }
  return ScanRows(store_, ObjectAgeKey{state, std::numeric_limits<std::int64_t>::min(), {}},
                  ObjectAgeKey{state, changed_before_ms, {}}, max);
}

Result<void> SegmentCatalog::AbandonObject(const ObjectId& id, std::int64_t now_ms) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto present, FindObject(id));
    return AbandonObjectRule(present, id, now_ms);
  });
}

Result<void> SegmentCatalog::ForgetObject(const ObjectId& id) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto present, FindObject(id));
    return ForgetObjectRule(present);
  });
}

Result<std::optional<ObjectRow>> SegmentCatalog::FindObject(const ObjectId& id) const {
  return FindRow(store_, ObjectKey{id});
}

Result<std::vector<SegmentRow>> SegmentCatalog::Segments(const PartitionKey& partition, Offset from,
                                                         std::size_t max) const {
  if (max == 0) return Error(ErrorCode::kInvalidArgument, "a page of segments holds at least one");
  MR_ASSIGN_OR_RETURN(auto row, FindRow(store_, partition));
  for (;;) {
    if (!row) return PartitionNotFound(partition);
    MR_ASSIGN_OR_RETURN(auto segments, SegmentsBehind(store_, partition, from, max));
    auto whole = CheckSegments(*row, from, max, segments);
    if (whole) return segments;
    // Another writer moved the bounds between the two reads, or rows are missing.
    MR_ASSIGN_OR_RETURN(auto now, FindRow(store_, partition));
    if (now == row) return whole.error();
    row = std::move(now);
  }
}

}  // namespace millrace
