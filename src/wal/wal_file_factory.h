// Makes WAL files: pre-written from end to end, so that a synced write later changes no metadata. In small steps, so
// that the thread that makes one ahead of need can do other work between.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "millrace/file_system.h"
#include "millrace/result.h"
#include "wal/open_files.h"
#include "wal/wal_file.h"

namespace millrace {

/// One thread at a time; the caller sees to it.
class WalFileFactory {
 public:
  WalFileFactory(FileSystem& file_system, std::filesystem::path directory);

  /// Files it made or opened that are open at the moment.
  /// False once the file system refused direct I/O.
  [[nodiscard]] bool direct() const { return direct_; }
  Result<std::shared_ptr<WalDiskFile>> OpenExisting(const std::string& name);

  /// Begins a file; on failure nothing is left.
  Result<void> Begin(std::uint64_t slot, std::uint64_t capacity);
  [[nodiscard]] bool building() const { return building_ != nullptr; }
  [[nodiscard]] std::uint64_t building_capacity() const { return building_ ? building_->capacity : 0; }
  /// Writes about `bytes` more. True: finished, call Finish. On failure the file is removed.
  Result<bool> Step(std::uint64_t bytes);
  /// Gives it `generation`, syncs file and directory, hands it over.
  Result<std::shared_ptr<WalDiskFile>> Finish(std::uint64_t generation);

  /// Forgets a file that was begun.
  void Discard();

  /// Marks a file that is not in use as free, its next generation reserved; synced.
  static Result<void> Reserve(const WalDiskFile& disk, std::uint64_t generation);
  /// Takes the file out of the directory; what is not open then cannot be opened again.
  Result<void> Remove(const WalDiskFile& disk);

 private:
  Result<std::unique_ptr<File>> OpenWriter(const std::filesystem::path& path, FileCreation creation);
  Error Abandon(Error error);

  FileSystem& file_system_;
  OpenFiles open_files_;
  const std::filesystem::path directory_;
  bool direct_ = true;
  std::shared_ptr<WalDiskFile> building_;
  std::uint64_t written_ = 0;
};

}  // namespace millrace
