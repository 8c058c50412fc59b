// Metadata in one SQLite file: WAL journal, synchronous=FULL, STRICT tables. Format: docs/format/metadata.md.
//
// Who checks what: every page read is under a CRC (SqliteVfs), every row under its own (sqlite_tables.h), the -wal file
// under a mark that knows how far it was committed (SqliteWalMark). So a flipped bit gives the right row or
// kCorruption.
//
// Threads: one connection, one mutex, and I/O under it: SQLite wants it so, and every transaction is short.
#pragma once

#include <filesystem>
#include <memory>

#include "base/mutex.h"
#include "meta/sqlite_changes.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/metadata_store.h"

namespace millrace {

class SqliteDatabase;

/// Safe from any thread.
class SqliteMetadataStore final : public MetadataStore {
 public:
  /// Creates the file (and its directory) or opens it, migrating an older one. `file_system` and `clock` (none: that of
  /// the machine) outlive the store. Files beside it: "-wal" while open, "-mark", "-lock". Errors: kUnavailable (held
  /// by another process, I/O), kOutOfSpace, kCorruption, kUnsupported (written by a newer release; names the version).
  /// Cost: O(1) in the number of rows; of an older file once O(n).
  static Result<std::unique_ptr<SqliteMetadataStore>> Open(const std::filesystem::path& path, FileSystem& file_system,
                                                           Clock* clock = nullptr);
  ~SqliteMetadataStore() override;

  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override;
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) override;
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) override;
  Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) override;
  Result<std::int64_t> NowMs() override;
  Result<void> Close() override;

 private:
  SqliteMetadataStore(std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteDatabase> database, Clock* clock);

  template <class Key>
  Result<std::optional<MetadataRow>> GetRow(const Key& key) MR_REQUIRES(mutex_);
  template <class Key>
  Result<std::vector<MetadataRow>> ScanRows(const Key& from, const MetadataKey& to, std::size_t max)
      MR_REQUIRES(mutex_);
  Result<bool> IsAsExpected(const MetadataRow& row) MR_REQUIRES(mutex_);
  /// False: an insertion met a row.
  Result<bool> Write(const MetadataWrite& write) MR_REQUIRES(mutex_);
  Result<bool> CheckAndWrite(std::span<const MetadataRow> expected, std::span<const MetadataWrite> writes)
      MR_REQUIRES(mutex_);
  [[nodiscard]] std::int64_t WallMs() const;

  Clock* const clock_;
  Mutex mutex_;
  std::unique_ptr<FileLock> lock_ MR_GUARDED_BY(mutex_);
  const std::unique_ptr<SqliteDatabase> database_;  // guarded by mutex_
  SqliteChanges changes_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
