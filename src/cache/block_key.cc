#include "cache/block_key.h"

#include "base/bugs.h"

namespace millrace {

BlockKey SegmentKey(const SegmentRow& row) {
  if (Planted(Bug::kReadStaleCacheAfterRecreation)) return {{}, static_cast<std::uint64_t>(row.base.value()), 0};
  return {row.object, row.byte_begin, 0};
}

BlockKey KeyOf(const SegmentRow& row, const SegmentBlock& block) {
  BlockKey key = SegmentKey(row);
  key.block_begin = block.byte_begin + 1;  // from 1, so that the first block's key is not its segment's
  return key;
}

}  // namespace millrace
