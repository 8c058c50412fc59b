// The segments of an object, field by field, damaged or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "inspect/batch_inspection.h"
#include "inspect/inspection_report.h"
#include "millrace/bytes.h"

namespace millrace {

/// Does it look like one? By the first block's magic, or the last footer's.
bool LooksLikeSegment(std::span<const std::byte> bytes);

/// Where one segment lies in an object.
struct SegmentExtent {
  std::uint64_t begin = 0, end = 0;
  bool footer_is_sound = false;
};

/// Back to front by the footers, told front to back. What has no sound footer becomes one extent at the front.
std::vector<SegmentExtent> FindSegments(std::span<const std::byte> bytes);

/// `bytes` is a whole object: segments back to back. Trusts nothing: what a wrong checksum covers is reported and
/// stepped over, by the index if that is sound, else by the blocks' own lengths.
void InspectSegments(const SharedBytes& bytes, RecordsShown records, InspectionReport& report);

}  // namespace millrace
