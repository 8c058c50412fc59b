#include "inspect/wal_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace {
namespace {

constexpr std::size_t kCopyBytes = kWalFileHeaderBytes / 2;

/// One copy alone, with nothing where the other one stands.
std::optional<WalFileHeader> DecodeCopy(std::span<const std::byte> bytes, std::size_t copy) {
  std::array<std::byte, kWalFileHeaderBytes> block{};
  if (bytes.size() < kWalFileHeaderBytes) return std::nullopt;
  std::ranges::copy(bytes.subspan(copy * kCopyBytes, kCopyBytes),
                    block.begin() + static_cast<std::ptrdiff_t>(copy * kCopyBytes));
  return DecodeWalFileHeader(block);
}

class FrameScan {
 public:
  FrameScan(std::span<const std::byte> bytes, WalScan& scan) : bytes_(bytes), scan_(scan), header_(*scan.header) {}

  void Run() {
    scan_.frames_end = header_.predecessor_end;
    scan_.synced_to = WalPosition(0);
    // The line may enter the file within its first block.
    std::uint64_t offset = kWalFileHeaderBytes + static_cast<std::uint64_t>(header_.predecessor_end - header_.base);
    while (true) {
      auto frame = FrameAt(offset);
      std::uint64_t found = offset;
      if (!frame) {
        found = FindNext(offset);
        frame = FrameAt(found);
      }
      if (!frame) break;
      if (found > offset && !Follows(*frame)) AddGap(offset, found);
      scan_.frames.push_back({*frame, found});
      scan_.synced_to = std::max(scan_.synced_to, frame->synced_to);
      scan_.frames_end = WalFrameEnd(*frame);
      offset = found + WalFrameBytes(frame->payload_bytes);
    }
    scan_.tail = {{std::min<std::uint64_t>(offset, bytes_.size()), bytes_.size()}, Reason(offset), PositionOf(offset)};
  }

 private:
  [[nodiscard]] WalPosition PositionOf(std::uint64_t offset) const {
    return header_.base + static_cast<std::int64_t>(offset - kWalFileHeaderBytes);
  }

  [[nodiscard]] std::optional<WalFrameHeader> FrameAt(std::uint64_t offset) const {
    if (offset >= bytes_.size()) return std::nullopt;
    return DecodeWalFrame(bytes_.subspan(offset), header_.generation, PositionOf(offset));
  }

  /// The next place from `offset` on where a frame stands; the end of the file if there is none.
  [[nodiscard]] std::uint64_t FindNext(std::uint64_t offset) const {
    for (std::uint64_t at = offset; at + kWalFrameHeaderBytes <= bytes_.size(); at += kWalFrameAlignment) {
      if (MayBeWalFrameAt(bytes_.data() + at, PositionOf(at)) && FrameAt(at)) return at;
    }
    return bytes_.size();
  }

  /// Frames name the one before them: what lies between two that follow each other is padding.
  [[nodiscard]] bool Follows(const WalFrameHeader& frame) const {
    return frame.previous == (scan_.frames.empty() ? header_.last_frame : scan_.frames.back().header.position);
  }

  void AddGap(std::uint64_t begin, std::uint64_t end) {
    scan_.gaps.push_back({{begin, end}, Reason(begin), PositionOf(begin)});
  }

  [[nodiscard]] std::string Reason(std::uint64_t offset) const {
    auto head = offset < bytes_.size() ? DecodeWalFrameHeader(bytes_.subspan(offset)) : std::nullopt;
    if (!head) return "no frame begins here";
    if (head->generation != header_.generation || head->position != PositionOf(offset)) {
      return fmt::format("a frame of generation {} for position {} stands here", head->generation,
                         head->position.value());
    }
    return fmt::format("the payload of a frame of {} bytes fails its CRC (stored {:08x})", head->payload_bytes,
                       head->payload_crc);
  }

  const std::span<const std::byte> bytes_;
  WalScan& scan_;
  const WalFileHeader header_;
};

}  // namespace

bool LooksLikeWal(std::span<const std::byte> bytes) {
  return DecodeCopy(bytes, 0).has_value() || DecodeCopy(bytes, 1).has_value();
}

WalScan ScanWalFile(std::span<const std::byte> bytes) {
  WalScan scan;
  for (std::size_t copy = 0; copy < 2; ++copy) {
    auto header = DecodeCopy(bytes, copy);
    if (!header) scan.bad_header_copies.push_back({copy * kCopyBytes, (copy + 1) * kCopyBytes});
    if (header && !scan.header) scan.header = header;
  }
  if (scan.header && scan.header->state == WalFileState::kLive) FrameScan(bytes, scan).Run();
  return scan;
}

std::vector<ScannedGap> DamageOf(const WalScan& scan, const WalFileHeader* successor, WalPosition synced_to) {
  std::vector<ScannedGap> damage;
  for (const ScannedGap& gap : scan.gaps) {
    if (gap.position < synced_to) damage.push_back(gap);
  }
  if (!scan.header || scan.header->state != WalFileState::kLive) return damage;
  // The next file tells which frame was the last of this one; without one, a place known as synced past the block
  // where the frames end.
  WalPosition last = scan.frames.empty() ? WalPosition(-1) : scan.frames.back().header.position;
  bool lost = successor != nullptr ? successor->last_frame >= scan.header->predecessor_end &&
                                         successor->last_frame != last && successor->last_frame > last
                                   : synced_to > BlockUp(scan.frames_end);
  if (lost) damage.push_back(scan.tail);
  return damage;
}

}  // namespace millrace
