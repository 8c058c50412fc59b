#include "server/kafka/inbound_frames.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/coding.h"

namespace millrace {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::int64_t kNotThere = INT64_MAX;

}  // namespace

InboundFrames::~InboundFrames() {
  if (large_) bytes_.Give(large_.bytes.size());
  DropChunk();
}

/// The length at the front of the chunk, as the peer sent it.
std::int64_t InboundFrames::NextSize() const {
  if (chunk_end_ - chunk_begin_ < kLengthBytes) return kNotThere;
  return GetBe<std::int32_t>(chunk_.bytes.data() + chunk_begin_);
}

bool InboundFrames::has_whole_frame() const {
  if (large_) return large_filled_ == large_.bytes.size();
  const std::int64_t size = NextSize();
  if (size == kNotThere) return false;
  // One that is refused waits to be refused.
  if (size < 0 || size > frame_bytes_max_) return true;
  return static_cast<std::size_t>(size) <= chunk_end_ - chunk_begin_ - kLengthBytes;
}

void InboundFrames::DropChunk() {
  if (!chunk_) return;
  bytes_.Give(kChunkBytes);
  chunk_ = {};
  chunk_begin_ = chunk_end_ = 0;
}

bool InboundFrames::TakeChunk() {
  shortage_ = bytes_.Take(kChunkBytes);
  if (shortage_ != ConnectionBytes::Outcome::kTaken) return false;
  chunk_ = pool_.Take(kChunkBytes);
  return true;
}

/// What of it came already moves over.
bool InboundFrames::BeginLarge(std::uint32_t size) {
  const std::size_t came = chunk_end_ - chunk_begin_ - kLengthBytes;
  shortage_ = bytes_.Exchange(kChunkBytes, size);
  if (shortage_ != ConnectionBytes::Outcome::kTaken) return false;
  large_ = pool_.Take(size);
  large_filled_ = came;
  std::memcpy(large_.bytes.data(), chunk_.bytes.data() + chunk_begin_ + kLengthBytes, came);
  chunk_ = {};
  chunk_begin_ = chunk_end_ = 0;
  return true;
}

std::span<std::byte> InboundFrames::ChunkRoom() {
  if (!chunk_ && !TakeChunk()) return {};
  return chunk_.bytes.subspan(chunk_end_);
}

std::span<std::byte> InboundFrames::Room() {
  shortage_ = ConnectionBytes::Outcome::kTaken;
  if (has_whole_frame()) return {};
  if (large_) return large_.bytes.subspan(large_filled_);
  const std::int64_t size = NextSize();
  if (size == kNotThere) {
    if (!chunk_ || chunk_.bytes.size() - chunk_begin_ >= kLengthBytes) return ChunkRoom();
  } else if (static_cast<std::size_t>(size) + kLengthBytes > kChunkBytes) {
    if (!BeginLarge(static_cast<std::uint32_t>(size))) return {};
    return large_.bytes.subspan(large_filled_);
  } else if (static_cast<std::size_t>(size) + kLengthBytes <= chunk_.bytes.size() - chunk_begin_) {
    return ChunkRoom();
  }
  // The frame passes the end of this chunk, which earlier frames may still be slices of: it goes on in a new one.
  FrameMemory next = pool_.Take(kChunkBytes);
  const std::size_t came = chunk_end_ - chunk_begin_;
  std::memcpy(next.bytes.data(), chunk_.bytes.data() + chunk_begin_, came);
  chunk_ = std::move(next);
  chunk_begin_ = 0;
  chunk_end_ = came;
  return ChunkRoom();
}

void InboundFrames::Filled(std::size_t count) {
  if (large_) {
    large_filled_ += count;
  } else {
    chunk_end_ += count;
  }
}

Result<std::optional<FrameMemory>> InboundFrames::Next() {
  if (large_) {
    if (large_filled_ < large_.bytes.size()) return std::nullopt;
    // Counted since it began.
    return std::exchange(large_, {});
  }
  const std::int64_t size = NextSize();
  if (size == kNotThere) {
    if (chunk_begin_ == chunk_end_) DropChunk();
    return std::nullopt;
  }
  if (size < 0 || size > frame_bytes_max_) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a frame of {} bytes; at most {} are taken", size, frame_bytes_max_));
  }
  if (!has_whole_frame()) return std::nullopt;
  shortage_ = bytes_.Take(static_cast<std::uint64_t>(size));
  if (shortage_ != ConnectionBytes::Outcome::kTaken) return std::nullopt;
  FrameMemory frame{chunk_.owner, chunk_.bytes.subspan(chunk_begin_ + kLengthBytes, static_cast<std::size_t>(size))};
  chunk_begin_ += kLengthBytes + static_cast<std::size_t>(size);
  if (chunk_begin_ == chunk_end_) DropChunk();
  return frame;
}

}  // namespace millrace
