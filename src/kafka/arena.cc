#include "kafka/arena.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kFirstChunkBytes = 4 << 10;
constexpr std::size_t kChunkBytesMax = 64 << 10;

constexpr std::size_t Aligned(std::size_t bytes) {
  return (bytes + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
}

}  // namespace

std::byte* Arena::Allocate(std::size_t bytes, std::size_t held_bytes_max) {
  bytes = Aligned(bytes);
  if (bytes <= static_cast<std::size_t>(free_end_ - free_) && free_ != nullptr) {
    std::byte* at = free_;
    free_ += bytes;
    return at;
  }
  const std::size_t wanted = bytes + sizeof(Chunk);
  if (held_bytes_ > held_bytes_max || wanted > held_bytes_max - held_bytes_) return nullptr;
  // Chunks double with what is held; a large array gets its own and leaves the one that is being filled alone.
  const std::size_t usual = std::clamp(held_bytes_, kFirstChunkBytes, kChunkBytesMax);
  if (bytes > usual / 4) return NewChunk(wanted);
  const std::size_t chunk_bytes = std::max(wanted, std::min(usual, held_bytes_max - held_bytes_));
  std::byte* at = NewChunk(chunk_bytes);
  free_ = at + bytes;
  free_end_ = at + (chunk_bytes - sizeof(Chunk));
  return at;
}

std::byte* Arena::NewChunk(std::size_t bytes) {
  void* memory = ::operator new(bytes);
  last_ = new (memory) Chunk{.before = last_, .bytes = bytes};
  held_bytes_ += bytes;
  return static_cast<std::byte*>(memory) + sizeof(Chunk);
}

void Arena::Reset() {
  Chunk* stays = last_;
  while (stays != nullptr && stays->bytes > kChunkBytesMax) stays = stays->before;
  Free(stays);
  last_ = stays;
  if (stays == nullptr) return;
  stays->before = nullptr;
  held_bytes_ = stays->bytes;
  free_ = reinterpret_cast<std::byte*>(stays) + sizeof(Chunk);
  free_end_ = reinterpret_cast<std::byte*>(stays) + stays->bytes;
}

void Arena::Free(const Chunk* stays) {
  for (Chunk* chunk = last_; chunk != nullptr;) {
    Chunk* before = chunk->before;
    if (chunk != stays) ::operator delete(chunk);
    chunk = before;
  }
  last_ = nullptr;
  free_ = free_end_ = nullptr;
  held_bytes_ = 0;
}

}  // namespace millrace::kafka
