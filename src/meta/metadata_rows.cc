#include "meta/metadata_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/bugs.h"
#include "base/try.h"
#include "meta/row_codec.h"
#include "millrace/bytes.h"

namespace millrace {

bool operator==(const TopicRow& a, const TopicRow& b) {
  const auto options = [](const TopicRow& row) {
    return std::tie(row.options.partitions, row.options.retention_time, row.options.retention_bytes,
                    row.options.durability, row.options.cleanup);
  };
  return a.id == b.id && a.uuid == b.uuid && a.name == b.name && a.created_ms == b.created_ms &&
         options(a) == options(b);
}

std::string ObjectIdText(const ObjectId& id) {
  std::string text;
  for (const std::uint8_t byte : id) text += fmt::format("{:02x}", byte);
  return text;
}

std::string PartitionText(const PartitionKey& partition) {
  return fmt::format("topic {} partition {}", partition.topic.value(), partition.partition.value());
}

Error TopicNotFound(TopicId topic) {
  return {ErrorCode::kNotFound, fmt::format("metadata: there is no topic {}", topic.value())};
}

Error PartitionNotFound(const PartitionKey& partition) {
  return {ErrorCode::kNotFound, fmt::format("metadata: there is no {}", PartitionText(partition))};
}

Error ObjectNotPrepared(const ObjectId& id, std::string_view why) {
  return {ErrorCode::kNotFound, fmt::format("metadata: object {} {}", ObjectIdText(id), why)};
}

bool IsNumbered(const MetadataKey& key) {
  return !std::holds_alternative<PositionKey>(key) && !std::holds_alternative<GroupKey>(key) &&
         !std::holds_alternative<GroupMemberKey>(key);
}

Error KeyNotTaken(std::string_view call, const MetadataKey& key) {
  return {ErrorCode::kInvalidArgument, fmt::format("metadata: {} takes no key like {}", call, KeyText(key))};
}

Result<void> CheckScan(const MetadataKey& from, const MetadataKey& to) {
  if (std::holds_alternative<EndOfTable>(from)) return KeyNotTaken("Scan", from);
  if (std::holds_alternative<EndOfTable>(to) || to.index() == from.index()) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("metadata: a scan from {} cannot end at {}", KeyText(from), KeyText(to)));
}

Result<void> CheckChangesAfter(ChangeNumber after, ChangeNumber first, ChangeNumber last) {
  if (after.value() >= first.value() - 1 && after <= last) return {};
  return Error(ErrorCode::kOutOfRange, fmt::format("metadata: changes {} to {} are kept, those behind {} are asked for",
                                                   first.value(), last.value(), after.value()));
}

Result<void> AppendChanges(const CommitRow& commit, ChangeNumber after, std::size_t max,
                           std::vector<MetadataChange>& to) {
  std::span<const std::byte> keys = AsBytes(commit.keys);
  for (std::int64_t number = commit.last.value() - commit.count + 1; number <= commit.last.value(); ++number) {
    MR_ASSIGN_OR_RETURN(MetadataKey key, DecodeKey(keys));
    if (number > after.value() && to.size() < max) to.push_back({ChangeNumber(number), std::move(key)});
  }
  if (keys.empty()) return {};
  return Error(ErrorCode::kCorruption,
               fmt::format("metadata: changes up to {}: more keys than changes", commit.last.value()));
}

Result<void> CheckTopicOptions(const TopicOptions& options, std::int32_t present) {
  if (options.partitions < 1) return Error(ErrorCode::kInvalidArgument, "a topic has at least one partition");
  if (options.partitions < present) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a topic of {} partitions cannot shrink to {}", present, options.partitions));
  }
  if (options.retention_time && options.retention_time->count() < 0) {
    return Error(ErrorCode::kInvalidArgument, "retention time is negative");
  }
  if (options.retention_bytes && *options.retention_bytes > std::numeric_limits<std::int64_t>::max()) {
    return Error(ErrorCode::kInvalidArgument, "retention bytes is beyond 2^63");
  }
  return {};
}

bool OnlyGaps(std::span<const SegmentCommit> segments) {
  return std::ranges::all_of(segments, [](const SegmentCommit& commit) { return commit.segment.is_gap(); });
}

Result<void> CheckCommit(const ObjectRow& object, std::span<const SegmentCommit> segments) {
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("commit of object {}: {}", ObjectIdText(object.id), why));
  };
  if (segments.empty() || (OnlyGaps(segments) && object.id != ObjectId{})) return refuse("no segment in it");
  for (const SegmentCommit& commit : segments) {
    const SegmentRow& segment = commit.segment;
    if (segment.base.value() < 0 || segment.end <= segment.base) return refuse("a segment holds no offset");
    if (segment.is_gap()) {
      if (segment.byte_begin != 0 || segment.records != 0) return refuse("a gap holds records");
      continue;
    }
    if (segment.object != object.id) return refuse("a segment names another object");
    if (segment.byte_size == 0 || segment.byte_begin > object.size_bytes ||
        segment.byte_size > object.size_bytes - segment.byte_begin) {
      return refuse("a segment lies outside the object");
    }
  }
  return {};
}

Result<void> CheckEpoch(const PartitionRow& partition, LeaderEpoch epoch) {
  if (partition.epoch == epoch) return {};
  return Error(ErrorCode::kFenced, fmt::format("metadata: {} is owned under epoch {}; epoch {} is over",
                                               PartitionText(partition.key), partition.epoch.value(), epoch.value()));
}

Result<PartitionRow> ApplyCommit(const PartitionRow& partition, const SegmentCommit& commit) {
  if (!Planted(Bug::kTierNoEpochInCommit)) MR_TRY(CheckEpoch(partition, commit.epoch));
  const SegmentRow& segment = commit.segment;
  if (segment.base != partition.tiered_end) {
    return Error(ErrorCode::kOutOfRange,
                 fmt::format("metadata: a segment of {} begins at {}, expected {}", PartitionText(partition.key),
                             segment.base.value(), partition.tiered_end.value()))
        .WithBounds({partition.log_start, partition.tiered_end});
  }
  PartitionRow after = partition;
  after.tiered_end = segment.end;
  after.segments += 1;
  after.segment_bytes += segment.byte_size;
  return after;
}

PartitionRow ApplyLogStart(const PartitionRow& partition, Offset log_start) {
  PartitionRow after = partition;
  after.log_start = std::max(partition.log_start, log_start);
  after.tiered_end = std::max(partition.tiered_end, after.log_start);
  if (Planted(Bug::kTierWatermarkFalls)) after.tiered_end = after.log_start;
  return after;
}

Result<void> CheckSegments(const PartitionRow& partition, Offset from, std::size_t max,
                           std::span<const SegmentRow> segments) {
  const auto damaged = [&](Offset at, std::string_view why) {
    return Error(ErrorCode::kCorruption, fmt::format("metadata: segments of {} at offset {}: {}",
                                                     PartitionText(partition.key), at.value(), why));
  };
  const Offset begin = std::max(from, partition.log_start);
  if (begin >= partition.tiered_end) {
    if (!segments.empty()) return damaged(segments.front().base, "a segment lies past the end");
    return {};
  }
  if (segments.empty() || segments.front().base > begin) return damaged(begin, "the segment is missing");
  Offset at = segments.front().base;
  for (const SegmentRow& segment : segments) {
    if (segment.base != at || segment.end <= segment.base) return damaged(at, "the next segment does not follow");
    at = segment.end;
  }
  if (at > partition.tiered_end) return damaged(at, "a segment lies past the end");
  if (segments.size() < max && at != partition.tiered_end) return damaged(at, "the segment is missing");
  return {};
}

}  // namespace millrace
