// Any file system with faults: for failing the n-th call of a run on the real disk. (SimFileSystem has its own plan.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "millrace/file_system.h"

namespace millrace {

/// Safe from any thread, as far as the one below is. Handles refer to it: it outlives them.
class FaultyFileSystem final : public FileSystem {
 public:
  /// Asked before every call that can fail, numbered from 1; an error is the call's answer, and nothing happens below.
  using Plan = std::function<std::optional<Error>(std::uint64_t call)>;

  explicit FaultyFileSystem(FileSystem& below) : below_(below) {}
  void SetPlan(Plan plan) MR_EXCLUDES(mutex_);
  /// Fails call number `n` with `error`, once.
  void FailCall(std::uint64_t n, Error error) MR_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t calls() const MR_EXCLUDES(mutex_);
  /// Counts the next call; its fault, if it shall have one.
  Result<void> Enter() MR_EXCLUDES(mutex_);

  Result<std::unique_ptr<File>> Open(const std::filesystem::path& path, const FileOptions& options) override;
  Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> Remove(const std::filesystem::path& path) override;
  Result<void> CreateDirectories(const std::filesystem::path& path) override;
  Result<void> SyncDirectory(const std::filesystem::path& path) override;
  Result<std::vector<DirectoryEntry>> List(const std::filesystem::path& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::filesystem::path& path, std::string_view holder) override;
  Result<std::unique_ptr<FileLock>> LockShared(const std::filesystem::path& path) override;
  Result<std::uint64_t> FreeSpace(const std::filesystem::path& path) override;
  [[nodiscard]] std::string_view io_back_end() const override { return below_.io_back_end(); }

 private:
  FileSystem& below_;
  mutable Mutex mutex_;
  std::uint64_t calls_ MR_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const Plan> plan_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
