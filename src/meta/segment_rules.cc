#include "meta/segment_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/bugs.h"
#include "base/try.h"

namespace millrace {
namespace {

/// A gap names no object that would tell a second commit from the first; the row itself does.
bool HasGaps(std::span<const SegmentRow> rows, std::span<const SegmentCommit> gaps) {
  return std::ranges::all_of(gaps, [&](const SegmentCommit& commit) {
    const SegmentRow& gap = commit.segment;
    return std::ranges::any_of(rows, [&](const SegmentRow& row) {
      return row.is_gap() && row.partition == gap.partition && row.base == gap.base && row.end == gap.end;
    });
  });
}

}  // namespace

Result<Transition> PrepareObjectRule(const std::optional<ObjectRow>& present, const ObjectRow& object) {
  Transition to;
  if (present && present->key != object.key) {
    return Error(ErrorCode::kAlreadyExists,
                 fmt::format("metadata: object {} is prepared under another key", ObjectIdText(object.id)));
  }
  if (present) return to;
  ObjectRow row = object;
  row.state = ObjectState::kPrepared;
  row.segments = 0;
  to.Insert(std::move(row));
  return to;
}

Result<Transition> CommitSegmentsRule(const CommitGround& ground, const ObjectRow& object,
                                      std::span<const SegmentCommit> segments) {
  Transition to;
  const bool only_gaps = OnlyGaps(segments);
  if (only_gaps) {
    if (HasGaps(ground.same_ends, segments)) return to;
  } else {
    if (!ground.object) return ObjectNotPrepared(object.id, "was not prepared");
    if (ground.object->state == ObjectState::kDeleting) return ObjectNotPrepared(object.id, "was given up");
    if (ground.object->state == ObjectState::kCommitted) return to;
    to.Expect(*ground.object);
  }
  // A partition may have several segments in the object, one after the other.
  std::map<PartitionKey, PartitionRow> after;
  for (const PartitionRow& row : ground.partitions) {
    after.emplace(row.key, row);
    to.Expect(row);
  }
  std::uint64_t in_object = 0;
  for (const SegmentCommit& commit : segments) {
    const auto partition = after.find(commit.segment.partition);
    if (partition == after.end()) return PartitionNotFound(commit.segment.partition);
    MR_ASSIGN_OR_RETURN(partition->second, ApplyCommit(partition->second, commit));
    in_object += commit.segment.is_gap() ? 0 : 1;
  }
  to.writes.reserve(after.size() + segments.size() + 1);
  for (const auto& [key, row] : after) to.Put(row);
  for (const SegmentCommit& commit : segments) to.Put(commit.segment);
  if (only_gaps) return to;
  ObjectRow row = object;
  row.key = ground.object->key;
  row.state = ObjectState::kCommitted;
  row.segments = in_object;
  to.Put(std::move(row));
  return to;
}

Result<Transition> AdvanceLogStartRule(PartitionRow& partition, LeaderEpoch epoch, Offset log_start,
                                       std::span<const SegmentRow> page, std::size_t page_max,
                                       std::span<const ObjectRow> objects, std::int64_t now_ms) {
  MR_TRY(CheckEpoch(partition, epoch));
  Transition to;
  to.Expect(partition);
  const bool reaches = page.size() < page_max;
  PartitionRow after = ApplyLogStart(partition, reaches ? log_start : page.back().end);
  if (Planted(Bug::kTierRowsLeftBehind)) {
    after = ApplyLogStart(partition, log_start);
    page = {};
  }
  // Everything in the page ends at or below the new log start.
  MR_TRY(DropSegments(to, page, objects, now_ms));
  for (const SegmentRow& segment : page) {
    after.segments -= 1;
    after.segment_bytes -= segment.byte_size;
  }
  if (after != partition) to.Put(after);
  partition = after;
  return to;
}

Result<void> DropSegments(Transition& to, std::span<const SegmentRow> segments, std::span<const ObjectRow> objects,
                          std::int64_t now_ms) {
  std::map<ObjectId, std::uint64_t> dropped;
  for (const SegmentRow& segment : segments) {
    to.Erase(segment);
    if (!segment.is_gap()) ++dropped[segment.object];
  }
  for (const ObjectRow& object : objects) {
    const auto found = dropped.find(object.id);
    if (found == dropped.end()) continue;
    if (object.segments < found->second) {
      return Error(ErrorCode::kCorruption, fmt::format("metadata: object {} counts {} segments, and {} were found",
                                                       ObjectIdText(object.id), object.segments, found->second));
    }
    ObjectRow after = object;
    after.segments -= found->second;
    if (after.segments == 0) {
      after.state = ObjectState::kDeleting;
      after.changed_ms = now_ms;
    }
    to.Expect(object);
    to.Put(std::move(after));
    dropped.erase(found);
  }
  if (dropped.empty()) return {};
  return Error(ErrorCode::kCorruption,
               fmt::format("metadata: object {} of a segment is missing", ObjectIdText(dropped.begin()->first)));
}

Result<Transition> AbandonObjectRule(const std::optional<ObjectRow>& present, const ObjectId& id, std::int64_t now_ms) {
  if (!present) return ObjectNotPrepared(id, "was not prepared");
  if (present->state == ObjectState::kCommitted) {
    return Error(ErrorCode::kAlreadyExists, fmt::format("metadata: object {} is committed", ObjectIdText(id)));
  }
  Transition to;
  if (present->state == ObjectState::kDeleting) return to;
  ObjectRow row = *present;
  row.state = ObjectState::kDeleting;
  row.changed_ms = now_ms;
  to.Expect(*present);
  to.Put(std::move(row));
  return to;
}

Result<Transition> ForgetObjectRule(const std::optional<ObjectRow>& present) {
  Transition to;
  if (!present) return to;
  const std::string id = ObjectIdText(present->id);
  if (present->segments > 0) {
    return Error(ErrorCode::kInternal, fmt::format("metadata: object {} still holds segments", id));
  }
  if (present->state != ObjectState::kDeleting) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("metadata: object {} is not given up", id));
  }
  to.Expect(*present);
  to.Erase(*present);
  return to;
}

}  // namespace millrace
