// From a stream of bytes to whole frames. A frame is its length (int32, big-endian) and so many bytes. Small frames lie
// together in a chunk, a larger one in memory of its own; both are counted before they are had.
//
//   chunk:  [ handed out | frames to come, the last one perhaps in part | room ]
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "millrace/result.h"
#include "server/byte_budget.h"
#include "server/kafka/frame_pool.h"

namespace millrace {

/// One thread. Pool and bytes outlive it.
class InboundFrames {
 public:
  static constexpr std::size_t kChunkBytes = 16 << 10;

  InboundFrames(FramePool& pool, ConnectionBytes& bytes, std::uint32_t frame_bytes_max)
      : pool_(pool), bytes_(bytes), frame_bytes_max_(frame_bytes_max) {}
  ~InboundFrames();
  InboundFrames(const InboundFrames&) = delete;
  InboundFrames& operator=(const InboundFrames&) = delete;

  /// Where the next bytes go, never more than the frame at hand needs and the chunk has. Empty: no memory may be had
  /// now (`shortage` says of what), or the next frame was not taken out yet.
  [[nodiscard]] std::span<std::byte> Room();
  /// `count` bytes of Room() came.
  void Filled(std::size_t count);
  /// The next whole frame, without its length; none until more bytes came. The caller owes Give(frame size) to the
  /// connection's bytes when the frame is done with.
  /// Errors: kInvalidArgument (a length below 0 or beyond the limit): the stream is of no more use.
  Result<std::optional<FrameMemory>> Next();

  /// A whole frame lies here and waits for Next.
  [[nodiscard]] bool has_whole_frame() const;
  /// Part of a frame came, and not its end.
  [[nodiscard]] bool in_frame() const { return large_ || chunk_end_ != chunk_begin_; }
  /// Why Room() was empty.
  [[nodiscard]] ConnectionBytes::Outcome shortage() const { return shortage_; }

 private:
  [[nodiscard]] std::int64_t NextSize() const;
  bool TakeChunk();
  bool BeginLarge(std::uint32_t size);
  std::span<std::byte> ChunkRoom();
  void DropChunk();

  FramePool& pool_;
  ConnectionBytes& bytes_;
  const std::uint32_t frame_bytes_max_;
  FrameMemory chunk_;
  std::size_t chunk_begin_ = 0, chunk_end_ = 0;
  FrameMemory large_;
  std::size_t large_filled_ = 0;
  ConnectionBytes::Outcome shortage_ = ConnectionBytes::Outcome::kTaken;
};

}  // namespace millrace
