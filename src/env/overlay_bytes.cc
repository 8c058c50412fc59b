#include "env/overlay_bytes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/try.h"

namespace millrace {
namespace {

bool AllZeros(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

Result<void> OverlayBytes::Fill(std::uint64_t offset, std::span<std::byte> out) {
  std::size_t from_below = 0;
  if (below_ && offset < below_end_) {
    const auto wanted = out.first(std::min<std::uint64_t>(out.size(), below_end_ - offset));
    MR_ASSIGN_OR_RETURN(from_below, below_->ReadAt(offset, wanted));
  }
  std::memset(out.data() + from_below, 0, out.size() - from_below);
  const std::uint64_t end = offset + out.size();
  for (auto at = blocks_.lower_bound(offset / kBlockBytes); at != blocks_.end(); ++at) {
    const std::uint64_t block_begin = at->first * kBlockBytes;
    if (block_begin >= end) break;
    const std::uint64_t begin = std::max(offset, block_begin), until = std::min(end, block_begin + kBlockBytes);
    std::memcpy(out.data() + (begin - offset), at->second->data() + (begin - block_begin), until - begin);
  }
  return {};
}

Result<std::size_t> OverlayBytes::Read(std::uint64_t offset, std::span<std::byte> out) {
  MutexLock lock(mutex_);
  if (offset >= size_ || out.empty()) return std::size_t{0};
  const auto there = out.first(std::min<std::uint64_t>(out.size(), size_ - offset));
  MR_TRY(Fill(offset, there));
  return there.size();
}

Result<OverlayBytes::Block*> OverlayBytes::Own(std::uint64_t number) {
  if (const auto found = blocks_.find(number); found != blocks_.end()) return found->second.get();
  auto block = std::make_unique<Block>();
  MR_TRY(Fill(number * kBlockBytes, *block));
  return blocks_.emplace(number, std::move(block)).first->second.get();
}

Result<void> OverlayBytes::Write(std::uint64_t offset, std::span<const std::byte> bytes) {
  MutexLock lock(mutex_);
  while (!bytes.empty()) {
    const std::uint64_t number = offset / kBlockBytes, at = offset % kBlockBytes;
    const auto piece = bytes.first(std::min<std::uint64_t>(bytes.size(), kBlockBytes - at));
    // Files are made ready by writing zeros to them, many megabytes of which need no memory.
    const bool is_hole = number * kBlockBytes >= below_end_ && !blocks_.contains(number);
    if (!is_hole || !AllZeros(piece)) {
      MR_ASSIGN_OR_RETURN(Block * block, Own(number));
      std::memcpy(block->data() + at, piece.data(), piece.size());
    }
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
    size_ = std::max(size_, offset);
  }
  return {};
}

void OverlayBytes::Grow(std::uint64_t size) {
  MutexLock lock(mutex_);
  size_ = std::max(size_, size);
}

Result<void> OverlayBytes::Truncate(std::uint64_t size) {
  MutexLock lock(mutex_);
  if (size < size_) {
    // What is cut off must read as zeros should the file grow again.
    if (const std::uint64_t at = size % kBlockBytes; at != 0) {
      MR_ASSIGN_OR_RETURN(Block * block, Own(size / kBlockBytes));
      std::memset(block->data() + at, 0, kBlockBytes - at);
    }
    blocks_.erase(blocks_.lower_bound((size + kBlockBytes - 1) / kBlockBytes), blocks_.end());
    below_end_ = std::min(below_end_, size);
  }
  size_ = size;
  return {};
}

std::uint64_t OverlayBytes::size() const {
  MutexLock lock(mutex_);
  return size_;
}

}  // namespace millrace
