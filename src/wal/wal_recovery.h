// What was in the directory: the chain of files, every frame in order, damage told apart from tails, and where to go
// on. Writes only what makes the found frames durable: the unproven rest of the newest file, and staged frames.
//
// Files are read in order; at position p the stored position must equal the place, which makes the search for later
// frames cheap. The verdicts are the table in recovery_verdict.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/file_system.h"
#include "millrace/result.h"
#include "wal/clean_close.h"
#include "wal/file_image.h"
#include "wal/recovered_log.h"
#include "wal/staging_image.h"
#include "wal/wal_file.h"
#include "wal/wal_replay.h"

namespace millrace {

class WalRecovery {
 public:
  using OpenFile = std::function<Result<std::shared_ptr<WalDiskFile>>(const std::string& name)>;
  WalRecovery(FileSystem& file_system, std::filesystem::path directory, OpenFile open_file, WalReplay& replay);

  /// Errors: kUnavailable (a directory, WAL file or staging file that cannot be read, or a write), what replay answers.
  Result<RecoveredLog> Run();

 private:
  struct Candidate {
    std::shared_ptr<WalDiskFile> disk;
    std::optional<WalFileHeader> header;
  };
  Result<void> LoadCandidates();
  Result<void> IdentifyByFrames(Candidate& candidate);
  Result<void> BuildChain();
  /// True: the log was closed cleanly and is as it was then; everything is known without the frames.
  bool TakeCleanClose();
  [[nodiscard]] bool AgreesWith(const WalCleanClose& close);
  /// The header of the frame that stands at `position` in a file of the chain.
  [[nodiscard]] std::optional<WalFrameHeader> HeaderAt(WalPosition position) const;
  /// Was the note made when the last frame of the log's user was there?
  [[nodiscard]] bool NoteTellsAll(const WalCleanClose& close) const;
  /// Does the newest file hold every frame that the staging ring still has of it? The rest was damaged since: a scan
  /// mends it, later the ring has forgotten.
  [[nodiscard]] bool RingConfirms(const RecoveredFile& newest, WalPosition end);
  void Count(WalVerdict verdict) { ++log_.report.verdicts[static_cast<std::size_t>(verdict)]; }

  FileSystem& file_system_;
  const std::filesystem::path directory_;
  const OpenFile open_file_;
  WalReplay& replay_;
  std::vector<Candidate> candidates_;
  WalFileImage::Memory memory_;
  WalPosition last_synced_to_;  // what the last frame of a clean close knows
  RecoveredLog log_;
};

}  // namespace millrace
