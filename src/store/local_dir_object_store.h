// Objects as files below one directory: key "a/b.obj" is file ROOT/a/b.obj.
//
//   put: ROOT/~incoming/ID-N ── write ── sync ── rename ──► ROOT/a/b.obj ── sync of ROOT/a
//
// A file is therefore seen whole or not at all, after any crash. What a crash leaves in ~incoming (a name no key can
// have) is never listed; the next Open of a store that shares the directory removes it (IncomingFiles).
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "base/mutex.h"
#include "env/random.h"
#include "millrace/file_system.h"
#include "millrace/object_store.h"
#include "store/incoming_files.h"

namespace millrace {

/// Safe from any thread. modified_ms is 0: the seam of the file system tells no times, and nothing may rest on them.
class LocalDirObjectStore final : public ObjectStore {
 public:
  /// Creates `root` with its parents and clears what a crash left. `file_system` and `random` (for names) outlive the
  /// store. Errors: those of the file system.
  static Result<std::unique_ptr<LocalDirObjectStore>> Open(std::filesystem::path root, FileSystem& file_system,
                                                           Random& random);

  /// kIfAbsent decides one winner among all threads and processes; where the file system cannot rename without
  /// replacing, among the threads of this store. A put that ends in an error may have stored the object, whole. A stop
  /// in force for the thread (RequestScope) is looked at before the call; on a disk a call is then short.
  /// Cost: one file sync and one directory sync.
  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override;
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override;
  Result<std::vector<SharedBytes>> GetParts(std::string_view key, std::uint64_t offset,
                                            std::span<const std::uint64_t> lengths) override;
  Result<ObjectDescription> Head(std::string_view key) override;
  /// In order of keys. Cost: reads the directories that can hold a match.
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override;
  Result<void> Delete(std::string_view key) override;
  [[nodiscard]] std::string Describe() const override { return "file://" + root_.string(); }

 private:
  LocalDirObjectStore(std::filesystem::path root, FileSystem& file_system, Random& random);

  Result<void> Publish(const std::filesystem::path& written, std::string_view key, PutMode mode);
  Result<void> RenameIfAbsent(const std::filesystem::path& written, std::string_view key);
  [[nodiscard]] Error Taken(std::string_view key) const;
  Result<std::filesystem::path> WriteIncoming(std::span<const SharedBytes> pieces);
  Result<std::unique_ptr<File>> OpenObject(std::string_view key);
  [[nodiscard]] Error EndedMeanwhile(std::string_view key, std::uint64_t end, std::uint64_t size) const;
  bool IsFile(const std::filesystem::path& path);
  bool BlockedByFolder(std::string_view key);
  struct Walk;
  Result<void> Visit(const std::filesystem::path& directory, const std::string& key_prefix, Walk& walk);

  // Constant after construction.
  const std::filesystem::path root_;
  FileSystem& file_system_;
  // Own synchronization.
  IncomingFiles incoming_;
  Mutex mutex_;
  // Guarded by mutex_: keys about to be published where the file system does not decide who is first.
  std::set<std::string, std::less<>> claimed_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
