// The disk of the machine, by POSIX calls. Directories are 0700, files 0600; symbolic links are not followed as the
// last part of a path; descriptors are closed on exec.
#pragma once

#include "millrace/file_system.h"

namespace millrace {

/// Has no state; any number may exist. Locks are open-file-description locks, so a second one on the same path is
/// refused within this process too, and a dying process leaves none.
class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::filesystem::path& path, const FileOptions& options) override;
  Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> Remove(const std::filesystem::path& path) override;
  Result<void> CreateDirectories(const std::filesystem::path& path) override;
  Result<void> SyncDirectory(const std::filesystem::path& path) override;
  Result<std::vector<DirectoryEntry>> List(const std::filesystem::path& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::filesystem::path& path, std::string_view holder) override;
  Result<std::uint64_t> FreeSpace(const std::filesystem::path& path) override;
};

}  // namespace millrace
