#include "wal/file_image.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"

namespace millrace {

namespace {

constexpr std::uint64_t kPieceBytes = 4 << 20;
static_assert(kPieceBytes % kWalBlockBytes == 0);

}  // namespace

void WalFileImage::Memory::Free::operator()(std::byte* memory) const { std::free(memory); }

std::span<std::byte> WalFileImage::Memory::Reserve(std::uint64_t size) {
  if (size_ < size) {
    size_ = AlignUp(size, kWalBlockBytes);
    bytes_.reset();
    bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(kWalBlockBytes, size_)));
    if (!bytes_) throw std::bad_alloc();
  }
  return {bytes_.get(), size};
}

WalFileImage::WalFileImage(const WalDiskFile& disk, std::uint64_t bytes, Memory& memory)
    : file_(*disk.writer), patient_(*disk.reader), size_(bytes), bytes_(memory.Reserve(bytes)) {}

void WalFileImage::Overlay(std::uint64_t offset, std::span<const std::byte> bytes) {
  MR_CHECK(At(offset, bytes.size()).size() == bytes.size(), offset, bytes.size(), size_);
  std::memcpy(bytes_.data() + offset, bytes.data(), bytes.size());
}

std::span<const std::byte> WalFileImage::At(std::uint64_t offset, std::uint64_t length) {
  if (offset >= size_) return {};
  length = std::min(length, size_ - offset);
  if (offset + length > loaded_) LoadUpTo(offset + length);
  MR_DCHECK(offset + length <= loaded_ && loaded_ <= size_, offset, length, loaded_, size_);
  return bytes_.subspan(offset, length);
}

bool WalFileImage::Unreadable(std::uint64_t begin, std::uint64_t end) const {
  const auto block = std::ranges::lower_bound(unreadable_, begin / kWalBlockBytes * kWalBlockBytes);
  return block != unreadable_.end() && *block < end;
}

void WalFileImage::LoadUpTo(std::uint64_t end) {
  MR_CHECK(end <= size_ && size_ <= bytes_.size(), end, size_, bytes_.size());
  while (loaded_ < end) {
    const std::uint64_t piece = std::min(kPieceBytes, size_ - loaded_);
    const auto out = bytes_.subspan(loaded_, piece);
    if (auto got = file_.ReadAt(loaded_, out); got) {
      // A file shorter than its header says reads as zeros, like any place without a frame.
      std::memset(out.data() + *got, 0, piece - *got);
    } else {
      LoadBlocks(loaded_, loaded_ + piece);
    }
    loaded_ += piece;
  }
}

void WalFileImage::LoadBlocks(std::uint64_t begin, std::uint64_t end) {
  MR_CHECK(begin % kWalBlockBytes == 0 && (unreadable_.empty() || unreadable_.back() < begin), begin);
  for (std::uint64_t at = begin; at < end; at += kWalBlockBytes) {
    const auto out = bytes_.subspan(at, std::min(kWalBlockBytes, end - at));
    const auto got = patient_.ReadAt(at, out);
    if (!got) unreadable_.push_back(at);
    const std::size_t kept = got ? *got : 0;
    std::memset(out.data() + kept, 0, out.size() - kept);
  }
}

}  // namespace millrace
