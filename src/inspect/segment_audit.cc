#include "inspect/segment_audit.h"

#include <fmt/format.h>

#include <iterator>

#include "base/try.h"
#include "inspect/status_check.h"

namespace millrace {
namespace {

/// Byte positions count within the segment; people look for them in the object.
Error NamedDamage(const SegmentDescription& segment, const Error& error) {
  DamagedRange range{.partition = segment.partition,
                     .begin = segment.base,
                     .end = segment.end,
                     .place = segment.object,
                     .byte_begin = segment.byte_begin,
                     .byte_end = segment.byte_begin + segment.byte_size};
  if (const DamagedRange* inner = error.damage(); inner != nullptr && inner->byte_end > inner->byte_begin) {
    range.byte_begin = segment.byte_begin + inner->byte_begin;
    range.byte_end = segment.byte_begin + inner->byte_end;
    if (inner->end > inner->begin) {
      range.begin = inner->begin;
      range.end = inner->end;
    }
  }
  return Error(ErrorCode::kCorruption,
               fmt::format("{}/{} offsets [{}, {}): object {}, bytes [{}, {}): {}", segment.partition.topic,
                           segment.partition.partition.value(), range.begin.value(), range.end.value(), segment.object,
                           range.byte_begin, range.byte_end, error.message()),
               std::string(error.hint()))
      .WithDamage(range);
}

Error NamedGap(const SegmentDescription& gap) {
  const DamagedRange range = LostRange(gap);
  return Error(ErrorCode::kCorruption,
               fmt::format("{}/{} {}", gap.partition.topic, gap.partition.partition.value(), DamageInWords(range)))
      .WithDamage(range);
}

}  // namespace

DamagedRange LostRange(const SegmentDescription& gap) {
  return {.partition = gap.partition, .begin = gap.base, .end = gap.end, .place = "metadata", .reason = gap.gap_reason};
}

Result<std::vector<SegmentDescription>> SegmentsOf(Engine& engine, const TopicDescription& topic) {
  std::vector<SegmentDescription> all;
  for (const PartitionDescription& partition : topic.partitions) {
    MR_ASSIGN_OR_RETURN(std::vector<SegmentDescription> segments,
                        engine.DescribeSegments({topic.name, partition.partition}));
    all.insert(all.end(), std::make_move_iterator(segments.begin()), std::make_move_iterator(segments.end()));
  }
  return all;
}

Result<SegmentAudit> AuditSegment(Engine& engine, const SegmentDescription& segment) {
  SegmentAudit audit{.segment = segment};
  if (segment.is_gap() && segment.gap_reason == LossReason::kLostDisk) return audit;  // as it should be, and told
  if (segment.is_gap()) {
    audit.damage.push_back(NamedGap(segment));
    return audit;
  }
  StoredSegment source(engine, segment);
  auto check = VerifySegment(source, segment.byte_size);
  if (!check) {
    ErrorCode code = check.error().code();
    if (code != ErrorCode::kCorruption && code != ErrorCode::kNotFound && code != ErrorCode::kOutOfRange) {
      return check.error();
    }
    audit.damage.push_back(NamedDamage(segment, check.error()));
    return audit;
  }
  audit.check = *std::move(check);
  for (const Error& error : audit.check.damage) audit.damage.push_back(NamedDamage(segment, error));
  if (audit.damage.empty() && audit.check.records != segment.records) {
    audit.damage.push_back(
        NamedDamage(segment, Error(ErrorCode::kCorruption, fmt::format("holds {} records, the metadata tells of {}",
                                                                       audit.check.records, segment.records))));
  }
  return audit;
}

}  // namespace millrace
