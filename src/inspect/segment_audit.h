// A segment's stored bytes behind the seam its reader wants, with what is damaged named by object and place.
#pragma once

#include <string>
#include <vector>

#include "millrace/engine.h"
#include "millrace/result.h"
#include "segment/block_source.h"
#include "segment/segment_verifier.h"

namespace millrace {

/// Reads past every cache. `engine` outlives it.
class StoredSegment : public BlockSource {
 public:
  StoredSegment(Engine& engine, SegmentDescription segment) : engine_(engine), segment_(std::move(segment)) {}
  Result<SharedBytes> Fetch(ByteRange range) override { return engine_.ReadSegment(segment_, range); }

 private:
  Engine& engine_;
  const SegmentDescription segment_;
};

/// All segments of a topic, by partition and offset.
Result<std::vector<SegmentDescription>> SegmentsOf(Engine& engine, const TopicDescription& topic);

/// A gap as damage, as a read of it tells: no place but the row that says so.
DamagedRange LostRange(const SegmentDescription& gap);

struct SegmentAudit {
  SegmentDescription segment;
  SegmentCheck check;
  std::vector<Error> damage;  // each with the object's name and the byte range within the object
};

/// Reads the segment whole; a gap is damage. Errors: kUnavailable and others that say nothing about the bytes; damage
/// is no error. A missing object is damage: the metadata says it is there.
Result<SegmentAudit> AuditSegment(Engine& engine, const SegmentDescription& segment);

}  // namespace millrace
