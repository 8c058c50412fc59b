// The disk of the machine, by POSIX calls. Directories are 0700, files 0600; symbolic links are not followed as the
// last part of a path; descriptors are closed on exec.
#pragma once

#include "env/io_plans.h"
#include "millrace/file_system.h"

namespace millrace {

/// What measured better (docs/adr/0005-io-back-ends.md).
inline constexpr IoBackEnd kDefaultIoBackEnd = IoBackEnd::kRing;

/// Any number may exist. Locks are open-file-description locks, so a second one on the same path is
/// refused within this process too, and a dying process leaves none.
class PosixFileSystem final : public FileSystem {
 public:
  /// `wanted`: how plans of several ranges are moved; a ring only where a probe, made here, finds one that works.
  explicit PosixFileSystem(IoBackEnd wanted = kDefaultIoBackEnd);
  /// Plans are moved by `plans`.
  explicit PosixFileSystem(std::shared_ptr<IoPlans> plans, std::string_view io_back_end)
      : plans_(std::move(plans)), io_back_end_(io_back_end) {}

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
  [[nodiscard]] std::string_view io_back_end() const override { return io_back_end_; }

 private:
  std::shared_ptr<IoPlans> plans_;
  std::string_view io_back_end_ = "positional calls";
};

}  // namespace millrace
