// Recovery of one file of the chain: every valid frame in order, and a verdict at each place where none stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "millrace/result.h"
#include "wal/file_image.h"
#include "wal/recovered_log.h"

namespace millrace {

/// Goes over one file once. One thread.
class WalFileScan {
 public:
  /// `successor`: the header of the next file in the chain, none for the newest. `log` takes what is found.
  WalFileScan(RecoveredFile& file, const std::optional<WalFileHeader>& successor, WalFileImage& image,
              WalReplay& replay, RecoveredLog& log);

  /// Sets the file's end if it is the newest: `log.end`, `log.may_continue`, `log.carried`.
  Result<void> Run(FileSystem& file_system, const std::filesystem::path& directory);

 private:
  struct Found {
    WalFrameHeader header;
    std::span<const std::byte> bytes;
    bool staged = false;
  };
  /// What stands further on.
  struct Later {
    std::optional<Found> first;
    WalPosition synced_to;  // the most any header knows
    WalPosition end;        // of the last frame
  };

  [[nodiscard]] bool newest() const { return !successor_; }
  [[nodiscard]] std::uint64_t OffsetOf(WalPosition position) const;
  std::optional<Found> FrameInFile(WalPosition position);
  std::optional<Found> FrameAt(WalPosition position);
  std::optional<Found> NextFrame();
  Result<void> Accept(const Found& found);
  Later Search(WalPosition from);
  void CountWhatStandsAt(WalPosition position);
  [[nodiscard]] bool FrameStoodAt(WalPosition position);
  /// True: the scan goes on behind it.
  Result<bool> Judge();
  /// The header of the frame that belongs here, if it is whole and only the payload is not.
  std::optional<WalFrameHeader> DamagedFrameHere();
  Result<void> ReportDamagedFrame(const WalFrameHeader& header);
  [[nodiscard]] WalDamage DamageUpTo(WalPosition end, std::string reason) const;
  Result<void> ReportDamage(WalPosition end, std::string reason, bool one_frame = false);
  Result<void> LoadStaging(FileSystem& file_system, const std::filesystem::path& directory);
  void Cut(const Later& later);
  /// What an older life of the file left between a group's last frame and the next block becomes zeros again: a
  /// reader by position would take it for a damaged frame.
  void ClearPadding();
  /// Writes what is not proven to be durable once more, with the staged frames, and syncs.
  Result<void> MakeDurable();
  void Count(WalVerdict verdict) { ++log_.report.verdicts[static_cast<std::size_t>(verdict)]; }

  RecoveredFile& file_;
  const std::optional<WalFileHeader>& successor_;
  WalFileImage& image_;
  WalReplay& replay_;
  RecoveredLog& log_;
  const WalPosition limit_;
  WalPosition position_;
  std::optional<WalPosition> previous_;  // where the frame before begins, if known
  WalPosition synced_to_;
  std::optional<WalPosition> staged_from_;  // from here on the image says more than the file
  std::uint64_t generation_;                // of the frames expected next
  bool clean_ = true;
};

}  // namespace millrace
