// Files that are open only while they are used: a log of many files needs no more descriptors than one of few.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <memory>

#include "base/mutex.h"
#include "millrace/file_system.h"

namespace millrace {

/// Keeps at most `count_max` files open, and those that were written and not synced: a sync through another descriptor
/// would not tell of every failure. When the system gives no more descriptors, half of those kept for later go, so that
/// others find some too. Safe from any thread; outlives its files.
class OpenFiles {
 public:
  OpenFiles(FileSystem& file_system, std::size_t count_max) : file_system_(file_system), count_max_(count_max) {}
  /// All of its files are gone.
  ~OpenFiles();
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;

  /// Opens it, to see that it can be; later uses open it again if need be. Only what is there already is opened again.
  Result<std::unique_ptr<File>> Open(const std::filesystem::path& path, const FileOptions& options);
  /// The file system's, which needs a descriptor for a moment.
  Result<void> SyncDirectory(const std::filesystem::path& path);
  /// Open now.
  [[nodiscard]] std::size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  class Handle;
  class ReopenedFile;
  using OpenedFile = std::shared_ptr<File>;

  Result<OpenedFile> OpenNow(const std::filesystem::path& path, const FileOptions& options);
  void Remember(const std::shared_ptr<Handle>& handle);
  /// False: none can be closed.
  bool CloseOldest();
  /// After the system had no descriptor: half of them goes, and no more are kept from then on. False as above.
  bool MakeRoom();
  void CountClosed();

  FileSystem& file_system_;
  std::atomic<std::size_t> count_max_;
  std::atomic<std::size_t> count_{0};
  Mutex mutex_;
  std::deque<std::weak_ptr<Handle>> kept_ MR_GUARDED_BY(mutex_);  // in the order they were opened in
};

}  // namespace millrace
