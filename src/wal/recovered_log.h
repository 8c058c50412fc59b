// What recovery makes of a directory: the chain of files, what may be used again, and where to go on.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "wal/file_header.h"
#include "wal/staging_image.h"
#include "wal/wal_file.h"
#include "wal/wal_replay.h"

namespace millrace {

struct RecoveredFile {
  std::shared_ptr<WalDiskFile> disk;
  WalFileHeader header;
  WalPosition end;          // where the line leaves it
  WalPosition payload_end;  // where its last payload ends
};

struct RecoveredLog {
  std::vector<RecoveredFile> files;                      // the chain, oldest first
  std::vector<std::shared_ptr<WalDiskFile>> reusable;    // free; need a new generation first
  std::vector<std::shared_ptr<WalDiskFile>> unfinished;  // no header, and no frame in them that the chain misses
  std::vector<std::shared_ptr<WalDiskFile>> left_aside;  // void: must be marked free before the chain gets shorter
  std::uint64_t next_generation = 1;                     // above all that was ever seen here
  std::uint64_t next_slot = 1;
  WalPosition end;               // where the line goes on
  WalPosition last_frame{-1};    // where the last frame found begins
  bool has_clean_close = false;  // a file that says so is there, believed or not
  bool may_continue = false;     // in the newest file, at `end`; else a fresh file begins there
  WalPosition proven_end;        // the frames themselves say so far that they were synced; `end` if all payloads
  /// Frames at and after `end` that were staged for a file never begun; their bytes live in `staging`.
  std::vector<StagedFrame> carried;
  StagingImage staging;
  WalRecoveryReport report;
};

}  // namespace millrace
