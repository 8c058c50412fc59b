#include "tier/segment_commit.h"

#include "base/check.h"
#include "meta/segment_catalog.h"

namespace millrace {

bool CommitIsKnown(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kFenced:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalidArgument:
      return true;
    default:
      return false;
  }
}

Result<std::vector<PartitionRow>> CommitAndKnow(MetadataStore& metadata, const ObjectRow& object,
                                                std::span<const SegmentCommit> segments) {
  MR_CHECK(!segments.empty(), object.key);
  auto rows = SegmentCatalog(metadata).CommitSegments(object, segments);
  if (rows || CommitIsKnown(rows.error())) return rows;
  if (object.id == ObjectId{})
    return SegmentCatalog(metadata).CommitSegments(object, segments);  // gaps: their rows tell
  const auto found = SegmentCatalog(metadata).FindObject(object.id);
  if (!found) return rows;  // still unknown
  if (!*found || (*found)->state == ObjectState::kDeleting)
    return Error(ErrorCode::kNotFound, "the object was given up before its segments were committed");
  // Committed: the same call returns what it returned then. Prepared: the first try did not happen, or is on its way
  // and this one decides with it; either way once.
  return SegmentCatalog(metadata).CommitSegments(object, segments);
}

}  // namespace millrace
