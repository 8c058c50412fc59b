// Files on their way into a directory of objects, which several processes may share:
//
//   ROOT/~owners/ID      locked as long as its owner lives
//   ROOT/~incoming/ID-N  the owner's files; moved to where they belong when they are whole
//
// ID is random, for two containers may well have the same process number. What an owner that is gone left is told by
// its lock being free; what has a living owner is never touched.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "env/random.h"
#include "millrace/file_system.h"

namespace millrace {

/// Safe from any thread.
class IncomingFiles {
 public:
  /// Touches nothing yet. `file_system` and `random` outlive it.
  IncomingFiles(const std::filesystem::path& root, FileSystem& file_system, Random& random);
  /// Precondition: no file of its own is on its way any more.
  ~IncomingFiles();
  IncomingFiles(const IncomingFiles&) = delete;
  IncomingFiles& operator=(const IncomingFiles&) = delete;

  /// Removes what owners that are gone left. Tidying alone: what cannot be read or removed stays.
  void ClearDead();
  /// A path that no other put uses. The first call makes the directories and takes an owner's lock.
  Result<std::filesystem::path> NextPath() MR_EXCLUDES(mutex_);

 private:
  Result<void> Own() MR_REQUIRES(mutex_);

  const std::filesystem::path incoming_, owners_;
  FileSystem& file_system_;
  Random& random_;
  Mutex mutex_;
  std::unique_ptr<FileLock> lock_ MR_GUARDED_BY(mutex_);
  std::string id_ MR_GUARDED_BY(mutex_);
  std::uint64_t next_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
