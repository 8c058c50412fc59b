// What recovery finds in the staging files: whole frames that may not have reached their WAL file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <vector>

#include "millrace/file_system.h"
#include "millrace/result.h"
#include "wal/frame.h"

namespace millrace {

struct StagedFrame {
  WalFrameHeader header;
  std::span<const std::byte> bytes;  // header and payload; owned by the image
};

/// One thread. Addresses stay while it lives.
class StagingImage {
 public:
  /// Frames at or after `from` with at least `generation`. No staging file: empty. An unreadable one: the error.
  static Result<StagingImage> Load(FileSystem& file_system, const std::filesystem::path& directory, WalPosition from,
                                   std::uint64_t generation);

  /// None: no frame stands at `position`.
  [[nodiscard]] const StagedFrame* Find(WalPosition position) const;
  [[nodiscard]] const std::map<WalPosition, StagedFrame>& frames() const { return frames_; }

 private:
  void ScanRing(WalPosition from, std::uint64_t generation);
  void TakeLarge(WalPosition from, std::uint64_t generation);

  std::vector<std::byte> ring_, large_;
  std::vector<std::vector<std::byte>> joined_;  // frames that lie over the ring's end
  std::map<WalPosition, StagedFrame> frames_;
};

}  // namespace millrace
