#include "record/batch_slice.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace millrace {

Buffer TakeBatch(const ReceivedFrame& frame, std::span<std::byte> batch) {
  const std::byte* const frame_end = frame.bytes.data() + frame.bytes.size();
  MR_CHECK(!std::less<>()(batch.data(), frame.bytes.data()) && !std::less<>()(frame_end, batch.data() + batch.size()),
           frame.bytes.size(), batch.size());
  if (KeptAsSlice(batch.size(), frame.bytes.size())) return {frame.owner, batch};
  Buffer copy(batch.size());
  std::ranges::copy(batch, copy.bytes().begin());
  return copy;
}

}  // namespace millrace
