// A file system whose changes stay in memory: what is below is read and never written, so that code which mends, locks
// and tidies up while it opens something can do all of that where nothing can be written, or nothing shall be.
//
//   write, truncate, rename, remove ──► blocks and names in memory ─┐
//   read  ──► a changed block? from memory : from below             └─► gone with this object
#pragma once

#include <memory>

#include "millrace/file_system.h"

namespace millrace {

/// Safe from any thread. Memory: 4 KiB of each block that was written and is not zeros beyond the file below; one open
/// file below for each one that was opened for writing. Files cannot be mapped; directories are neither renamed nor,
/// where they lie below, removed. Handles may outlive it.
///
/// Lock excludes other openers that look through this one; where the file is there below, it takes LockShared of it.
class OverlayFileSystem final : public FileSystem {
 public:
  explicit OverlayFileSystem(std::shared_ptr<FileSystem> below);
  ~OverlayFileSystem() override;

  Result<std::unique_ptr<File>> Open(const std::filesystem::path& path, const FileOptions& options) override;
  Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> Remove(const std::filesystem::path& path) override;
  Result<void> CreateDirectories(const std::filesystem::path& path) override;
  Result<void> SyncDirectory(const std::filesystem::path& path) override;
  Result<std::vector<DirectoryEntry>> List(const std::filesystem::path& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::filesystem::path& path, std::string_view holder) override;
  Result<std::unique_ptr<FileLock>> LockShared(const std::filesystem::path& path) override;
  Result<std::string> FileMark(const std::filesystem::path& path) override;
  Result<std::uint64_t> FreeSpace(const std::filesystem::path& path) override;
  [[nodiscard]] std::string_view io_back_end() const override { return below_->io_back_end(); }

  struct Names;  // shared with locks, which may outlive the file system

 private:
  const std::shared_ptr<FileSystem> below_;
  const std::shared_ptr<Names> names_;
};

}  // namespace millrace
