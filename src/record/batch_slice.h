// One batch of a received frame on its way into the log: a slice of the frame where that is worth it, else a copy, so
// that one small batch does not keep a large frame in the tail cache.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "millrace/bytes.h"

namespace millrace {

/// A received frame. `owner` keeps `bytes` alive; while slices of it are in the log, it belongs to them: what a slice
/// covers is written by the log alone, and by no one once it was appended.
struct ReceivedFrame {
  std::shared_ptr<void> owner;
  std::span<std::byte> bytes;
};

/// A batch below this size is copied, and so is one below a quarter of its frame: what the tail cache keeps alive is at
/// most four times what it counts.
inline constexpr std::size_t kSliceBytesMin = 16 << 10;
inline constexpr std::size_t kSliceFrameShare = 4;

/// Whether `batch_bytes` of a frame of `frame_bytes` are kept as a slice.
[[nodiscard]] constexpr bool KeptAsSlice(std::size_t batch_bytes, std::size_t frame_bytes) {
  return batch_bytes >= kSliceBytesMin && batch_bytes >= frame_bytes / kSliceFrameShare;
}

/// `batch`, which lies within `frame.bytes`, as a Buffer that the log may stamp and keep. Call once for each batch,
/// after its check: two Buffers never cover the same bytes. Cost: nothing, or one copy.
[[nodiscard]] Buffer TakeBatch(const ReceivedFrame& frame, std::span<std::byte> batch);

}  // namespace millrace
