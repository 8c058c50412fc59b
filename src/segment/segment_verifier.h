// Reads a segment whole and says what is wrong with it: for `segment verify`, and for tests.
#pragma once

#include <cstdint>
#include <vector>

#include "millrace/object_store.h"
#include "millrace/result.h"
#include "segment/block_source.h"

namespace millrace {

struct SegmentCheck {
  std::uint64_t blocks = 0, batches = 0, records = 0, bytes = 0;
  std::vector<Error> damage;  // one per damaged block, in order, each kCorruption with damage(): offsets and bytes
};

/// Checks footer, index, each block, each batch in it, and that all of them tell the same. Errors: those of
/// SegmentIndex::Load (without an index no block can be found), and of the source. Cost: reads every byte once.
Result<SegmentCheck> VerifySegment(BlockSource& source, std::uint64_t size_bytes);

}  // namespace millrace
