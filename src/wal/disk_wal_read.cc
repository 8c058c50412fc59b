// Reading by position: from files in big pieces, and from the staging ring what no file has yet.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/try.h"
#include "wal/disk_wal.h"

namespace millrace {

namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;
constexpr std::uint64_t kSmallPieceBytes = 64 << 10;

/// Room for `bytes_max` of payload and the headers and padding that come with it.
std::uint64_t PieceFor(std::uint64_t bytes_max) {
  if (bytes_max >= kPieceBytes) return kPieceBytes;
  return std::clamp(AlignUp(bytes_max + bytes_max / 8, kWalBlockBytes), kSmallPieceBytes, kPieceBytes);
}

/// Did a group end at `position`, where `bytes` begins, so that the line goes on at the next block? Zeros up to there
/// say so, and so does the frame there: the one before it begins earlier. A damaged header does not pass for the end of
/// a group, or its frame would be passed over in silence; what an older life of the file left there is not ours.
bool GroupEndsAt(const WalFile& file, WalPosition position, std::span<const std::byte> bytes) {
  const WalPosition next = BlockUp(position);
  if (next == position) return false;
  const auto rest = static_cast<std::size_t>(next - position);
  const auto padding = bytes.first(std::min(rest, bytes.size()));
  if (std::ranges::all_of(padding, [](std::byte byte) { return byte == std::byte{0}; })) return true;
  std::array<std::byte, kWalFrameHeaderBytes> beyond;
  auto head = bytes.subspan(padding.size());
  if (head.size() < beyond.size()) {
    if (next + static_cast<std::int64_t>(beyond.size()) > file.limit()) return false;
    const auto got = file.Read(next, beyond);
    if (!got || *got != beyond.size()) return false;
    head = beyond;
  }
  const auto header = DecodeWalFrameHeader(head);
  return header && header->position == next && header->generation == file.generation() && header->previous < position;
}

}  // namespace

Result<Wal::Frames> DiskWal::Read(const WalStreams& streams, WalExtent range, std::uint64_t bytes_max) {
  Frames all{.frames = {}, .next = range.begin};
  while (all.next < range.end) {
    std::shared_ptr<WalFile> file;
    WalPosition until = range.end;
    {
      MutexLock lock(mutex_);
      if (all.next.value() < begin_.load(std::memory_order_relaxed)) {
        return Error(ErrorCode::kOutOfRange, fmt::format("position {} is no longer in the WAL", all.next.value()));
      }
      if (all.next >= commit_.end()) break;
      if (all.next < commit_.written_end()) {
        FileChain::Holder holder = chain_.HolderOf(all.next);
        file = std::move(holder.file);
        until = std::min({until, holder.end, commit_.written_end()});
      }
    }
    const WalExtent part{all.next, until};
    auto found = file ? ReadFile(*file, streams, part, bytes_max) : ReadStaged(streams, part, bytes_max);
    if (!found) {
      // Recycled meanwhile, the file holds another generation's frames.
      if (begin() > part.begin) continue;
      // Or it failed, and its frames are in another one.
      if (file && found.error().code() == ErrorCode::kNotFound) {
        MutexLock lock(mutex_);
        if (!chain_.Holds(file)) continue;
      }
      if (!all.frames.empty()) break;
      return found.error();
    }
    std::uint64_t bytes = 0;
    for (Frame& frame : found->frames) {
      bytes += frame.payload.size();
      MR_DCHECK(all.frames.empty() || all.frames.back().extent.end <= frame.extent.begin, frame.extent.begin.value());
      all.frames.push_back(std::move(frame));
    }
    MR_DCHECK(found->next >= part.begin, found->next.value(), part.begin.value());
    all.next = found->next;
    if (bytes >= bytes_max) break;
    bytes_max -= bytes;
  }
  return all;
}

Result<Wal::Frames> DiskWal::ReadFile(const WalFile& file, const WalStreams& streams, WalExtent range,
                                      std::uint64_t bytes_max) {
  Frames found{.frames = {}, .next = range.begin};
  std::uint64_t frame_bytes = kWalFrameHeaderBytes, bytes = 0;
  std::vector<std::byte> begun;  // the beginning of a frame that the last piece did not hold the end of
  // Frames that begin before the range's end may lie over it; they never lie over the file's.
  const auto room = static_cast<std::uint64_t>(file.limit() - range.begin);
  while (found.next < range.end && bytes < bytes_max) {
    const auto done = static_cast<std::uint64_t>(found.next - range.begin);
    const std::uint64_t left = static_cast<std::uint64_t>(range.end - found.next);
    Buffer buffer(std::min(std::max(std::min(PieceFor(bytes_max), left), frame_bytes), room - done));
    MR_CHECK(begun.size() <= buffer.size(), begun.size(), buffer.size());
    std::ranges::copy(begun, buffer.bytes().begin());
    std::size_t got = 0;
    if (const auto rest = buffer.bytes().subspan(begun.size()); !rest.empty()) {
      MR_ASSIGN_OR_RETURN(got, file.Read(found.next + static_cast<std::int64_t>(begun.size()), rest));
    }
    read_bytes_.Add(got);
    buffer.Shrink(begun.size() + got);
    const SharedBytes piece = std::move(buffer).Freeze();
    const WalPosition origin = found.next;
    frame_bytes = kWalFrameHeaderBytes;
    while (found.next < range.end && bytes < bytes_max) {
      const auto at = static_cast<std::uint64_t>(found.next - origin);
      if (at + kWalFrameHeaderBytes > piece.size()) break;
      const auto header = DecodeWalFrameHeader(piece.bytes().subspan(at));
      const bool in_place = header && header->position == found.next && header->generation == file.generation() &&
                            WalFrameEnd(*header) <= file.limit();
      const std::uint64_t length = in_place ? kWalFrameHeaderBytes + header->payload_bytes : 0;
      if (in_place && header->kind == WalFrameKind::kPayload && !streams.Has(header->stream)) {
        found.next = WalFrameEnd(*header);
        continue;
      }
      if (in_place && at + length > piece.size()) {
        if (at == 0 && got == 0) return DamageAt(file, {found.next, range.end});  // the file is shorter than it was
        frame_bytes = length;
        break;
      }
      if (in_place && DecodeWalFrame(piece.bytes().subspan(at), file.generation(), found.next)) {
        if (header->kind == WalFrameKind::kPayload) {
          found.frames.push_back({{found.next, WalFrameEnd(*header)},
                                  piece.Slice(at + kWalFrameHeaderBytes, header->payload_bytes),
                                  header->stream});
          bytes += header->payload_bytes;
        }
        found.next = WalFrameEnd(*header);
        continue;
      }
      if (!in_place && GroupEndsAt(file, found.next, piece.bytes().subspan(at))) {
        found.next = std::min(BlockUp(found.next), range.end);  // the group ended here
        continue;
      }
      if (!found.frames.empty()) return found;
      return DamageAt(file, {found.next, in_place ? WalFrameEnd(*header) : range.end});
    }
    if (piece.size() < kWalFrameHeaderBytes && found.next < range.end) {
      // Less than a header before the end of what this file holds: padding.
      found.next = std::min(BlockUp(found.next + 1), range.end);
    }
    if (found.next >= range.end || bytes >= bytes_max) break;
    const auto unused = piece.bytes().subspan(
        std::min(static_cast<std::size_t>(found.next - origin), static_cast<std::size_t>(piece.size())));
    begun.assign(unused.begin(), unused.end());
  }
  return found;
}

std::optional<WalPosition> DiskWal::EndOf(const DamagedRange& damage) const {
  MutexLock lock(mutex_);
  const auto file = chain_.Named(damage.place);
  if (!file || damage.byte_end < kWalFileHeaderBytes) return std::nullopt;
  return file->base() + static_cast<std::int64_t>(damage.byte_end - kWalFileHeaderBytes);
}

Error DiskWal::DamageAt(const WalFile& file, WalExtent range) const {
  for (const WalDamage& known : report_.damage) {
    if (known.extent.begin <= range.begin && range.begin < known.extent.end) range = known.extent;
  }
  DamagedRange damage;
  damage.place = file.name();
  damage.byte_begin = file.FileOffset(range.begin);
  damage.byte_end = std::min(file.FileOffset(range.end), file.disk()->bytes());
  return Error(ErrorCode::kCorruption,
               fmt::format("WAL file {} is damaged in bytes {} to {}", file.name(), damage.byte_begin, damage.byte_end))
      .WithDamage(std::move(damage));
}

Result<Wal::Frames> DiskWal::ReadStaged(const WalStreams& streams, WalExtent range, std::uint64_t bytes_max) {
  Frames found{.frames = {}, .next = range.begin};
  std::uint64_t bytes = 0;
  MutexLock lock(mutex_);
  if (found.next < commit_.written_end()) return found;  // written meanwhile: the caller looks again
  const WalPosition end = std::min(range.end, commit_.end());
  std::array<std::byte, kWalFrameHeaderBytes> encoded;
  while (found.next < end && bytes < bytes_max) {
    const WalPosition at = found.next;
    if (at + static_cast<std::int64_t>(kWalFrameHeaderBytes) <= commit_.end()) {
      ring_->CopyOut(at, encoded);
      const auto header = DecodeWalFrameHeader(encoded);
      if (header && header->position == at) {
        if (header->kind == WalFrameKind::kPayload && streams.Has(header->stream)) {
          Buffer payload(header->payload_bytes);
          ring_->CopyOut(at + static_cast<std::int64_t>(kWalFrameHeaderBytes), payload.bytes());
          found.frames.push_back({{at, WalFrameEnd(*header)}, std::move(payload).Freeze(), header->stream});
          bytes += header->payload_bytes;
        }
        found.next = WalFrameEnd(*header);
        continue;
      }
    }
    if (BlockUp(at) == at) {
      return Error(ErrorCode::kCorruption, fmt::format("no frame is staged at position {}", at.value()));
    }
    found.next = BlockUp(at);
  }
  found.next = std::min(found.next, range.end);
  return found;
}

}  // namespace millrace
