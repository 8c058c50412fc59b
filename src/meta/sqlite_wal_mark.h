// A few bytes beside the database that say how much of the -wal file is known to be written.
//
// SQLite takes the -wal file up to the first bad checksum and silently drops the rest: right for a torn tail, wrong for
// a flipped bit in front of commits that were acknowledged. The mark tells the two apart. After each commit it records
// the file's salts and its count of frames; before a checkpoint lets go of the file it says so, synced. At open a -wal
// file that holds less than its mark is damage, and named.
//
// The other way round, emptying the -wal file is not synced, and after a power loss any part of it may lie there again:
// older pages that must not cover newer ones. The mark names the file that was finished, and open throws it away.
//
//   mark file (40 bytes, little-endian): "MRWALMK1" · salts of the -wal file, 8 bytes as they stand there ·
//   frames, u64 (0: this -wal file is finished, all of it is in the database file) · zero, 12 bytes ·
//   CRC-32C of all before, u32
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

/// How much of a -wal file its checksums hold together.
struct SqliteWalExtent {
  std::optional<std::array<std::byte, 8>> salts;  // none: the header cannot be read, or is not one
  std::uint64_t frames = 0;                       // valid ones, from the first on
  std::uint64_t size_bytes = 0;                   // of the file
};

/// Nothing if there is no -wal file, or an empty one.
Result<std::optional<SqliteWalExtent>> MeasureSqliteWal(FileSystem& file_system, const std::filesystem::path& wal);

/// Not thread-safe.
class SqliteWalMark {
 public:
  /// Checks the -wal file beside `database` against the mark left there, and removes a finished one. Errors:
  /// kCorruption (the -wal file holds less than was acknowledged), those of the file system. A mark that is missing or
  /// damaged promises nothing.
  static Result<std::unique_ptr<SqliteWalMark>> Open(const std::filesystem::path& database, FileSystem& file_system);

  /// `frames` of the -wal file are committed. Not synced: a mark that is lost with the power promises less, never more.
  Result<void> Committed(std::uint64_t frames);
  /// A checkpoint begins. From here on the -wal file may be begun anew, and what the mark says of it be untrue, until
  /// the end of the checkpoint is written down or the mark is withdrawn.
  void CheckpointBegins() { doubtful_ = true; }
  /// All of the -wal file is in the database file and synced there. Durable when this returns.
  Result<void> Checkpointed();
  /// To be called before anything is written to the -wal file: a mark in doubt is removed, durably, and promises
  /// nothing until the next commit. Does nothing else.
  Result<void> WithdrawIfDoubtful();

 private:
  SqliteWalMark(FileSystem& file_system, const std::filesystem::path& database)
      : file_system_(file_system), wal_(database.string() + "-wal"), path_(database.string() + "-mark") {}
  Result<void> OpenFile();
  Result<void> Write(std::uint64_t frames);
  Result<void> CheckWal();

  FileSystem& file_system_;
  const std::filesystem::path wal_, path_;
  std::unique_ptr<File> file_;
  bool doubtful_ = false;
};

}  // namespace millrace
