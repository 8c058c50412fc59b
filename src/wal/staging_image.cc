#include "wal/staging_image.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/coding.h"
#include "base/try.h"
#include "wal/staging_ring.h"

namespace millrace {

namespace {

Result<std::vector<std::byte>> ReadWhole(FileSystem& file_system, const std::filesystem::path& path) {
  auto file = file_system.Open(path, {});
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return std::vector<std::byte>();
    return file.error();
  }
  MR_ASSIGN_OR_RETURN(const std::uint64_t size, (*file)->Size());
  std::vector<std::byte> bytes(size);
  auto got = (*file)->ReadAt(0, bytes);
  if (!got) got = (*file)->ReadAt(0, bytes);  // one more chance: what is lost here was acknowledged
  if (!got) return got.error().WithContext("staged frames cannot be read");
  bytes.resize(*got);
  return bytes;
}

}  // namespace

Result<StagingImage> StagingImage::Load(FileSystem& file_system, const std::filesystem::path& directory,
                                        WalPosition from, std::uint64_t generation) {
  StagingImage image;
  MR_ASSIGN_OR_RETURN(image.ring_, ReadWhole(file_system, directory / kStagingFileName));
  MR_ASSIGN_OR_RETURN(image.large_, ReadWhole(file_system, directory / kLargeStagingFileName));
  image.ScanRing(from, generation);
  image.TakeLarge(from, generation);
  return image;
}

const StagedFrame* StagingImage::Find(WalPosition position) const {
  const auto found = frames_.find(position);
  return found == frames_.end() ? nullptr : &found->second;
}

void StagingImage::ScanRing(WalPosition from, std::uint64_t generation) {
  const std::uint64_t size = ring_.size();
  if (size < kWalFrameHeaderBytes) return;
  for (std::uint64_t offset = 0; offset < size; offset += kWalFrameAlignment) {
    std::array<std::byte, kWalFrameHeaderBytes> header_bytes;
    const std::uint64_t first = std::min<std::uint64_t>(kWalFrameHeaderBytes, size - offset);
    if (first == kWalFrameHeaderBytes) {
      // Cheap look before the copy: the position must map to this place.
      const auto position = GetLe<std::int64_t>(ring_.data() + offset + 24);
      if (position < from.value() || static_cast<std::uint64_t>(position) % size != offset) continue;
    }
    std::memcpy(header_bytes.data(), ring_.data() + offset, first);
    std::memcpy(header_bytes.data() + first, ring_.data(), kWalFrameHeaderBytes - first);
    const auto header = DecodeWalFrameHeader(header_bytes);
    if (!header || header->generation < generation || header->position < from) continue;
    if (static_cast<std::uint64_t>(header->position.value()) % size != offset) continue;
    const std::uint64_t length = kWalFrameHeaderBytes + header->payload_bytes;
    if (length > size) continue;
    std::span<const std::byte> bytes;
    if (offset + length <= size) {
      bytes = std::span(ring_).subspan(offset, length);
    } else {
      auto& joined = joined_.emplace_back(ring_.begin() + static_cast<std::ptrdiff_t>(offset), ring_.end());
      joined.insert(joined.end(), ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(length - joined.size()));
      bytes = joined;
    }
    if (DecodeWalFrame(bytes, header->generation, header->position)) {
      frames_.emplace(header->position, StagedFrame{*header, bytes});
    }
  }
}

void StagingImage::TakeLarge(WalPosition from, std::uint64_t generation) {
  const auto header = DecodeWalFrameHeader(large_);
  if (!header || header->generation < generation || header->position < from) return;
  if (!DecodeWalFrame(large_, header->generation, header->position)) return;
  const auto length = static_cast<std::size_t>(kWalFrameHeaderBytes + header->payload_bytes);
  frames_.emplace(header->position, StagedFrame{*header, std::span(large_).first(length)});
}

}  // namespace millrace
