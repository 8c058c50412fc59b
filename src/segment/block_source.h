// Where a segment's bytes come from: the seam between the segment format and caches, disks and stores below it.
#pragma once

#include <cstdint>

#include "millrace/bytes.h"
#include "millrace/object_store.h"
#include "millrace/result.h"

namespace millrace {

/// Bytes of one segment, addressed from its own beginning. Safe from any thread; calls block.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  /// Exactly the bytes of `range`, or an error: kCorruption (shorter than that), kUnavailable, kNotFound.
  virtual Result<SharedBytes> Fetch(ByteRange range) = 0;
};

}  // namespace millrace
