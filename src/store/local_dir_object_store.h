// Objects as files below one directory: key "a/b.obj" is file ROOT/a/b.obj.
//
//   put: ROOT/~incoming/N ── write ── sync ── rename ──► ROOT/a/b.obj ── sync of ROOT/a
//
// A file is therefore seen whole or not at all, after any crash. What a crash leaves in ~incoming (a name no key can
// have) is never listed, and removed at the next Open.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "base/mutex.h"
#include "millrace/file_system.h"
#include "millrace/object_store.h"

namespace millrace {

/// Safe from any thread. modified_ms is 0: the seam of the file system tells no times, and nothing may rest on them.
class LocalDirObjectStore final : public ObjectStore {
 public:
  /// Creates `root` with its parents and clears what a crash left. `file_system` outlives the store.
  /// Errors: those of the file system.
  static Result<std::unique_ptr<LocalDirObjectStore>> Open(std::filesystem::path root, FileSystem& file_system);

  /// kIfAbsent decides one winner among all threads of this store, and among processes unless one of them opens the
  /// store at that very moment. A put that ends in an error may have stored the object, whole.
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
  LocalDirObjectStore(std::filesystem::path root, FileSystem& file_system);

  Result<void> ClearIncoming();
  Result<void> PutOverwriting(std::string_view key, std::span<const SharedBytes> pieces);
  Result<void> PutIfAbsent(std::string_view key, std::span<const SharedBytes> pieces);
  Result<std::filesystem::path> WriteIncoming(std::span<const SharedBytes> pieces);
  Result<std::unique_ptr<File>> OpenObject(std::string_view key);
  [[nodiscard]] Error EndedMeanwhile(std::string_view key, std::uint64_t end, std::uint64_t size) const;
  bool IsFile(const std::filesystem::path& path);
  bool BlockedByFolder(std::string_view key);
  struct Walk;
  Result<void> Visit(const std::filesystem::path& directory, const std::string& key_prefix, Walk& walk);

  // Constant after construction.
  const std::filesystem::path root_, incoming_;
  FileSystem& file_system_;
  // Own synchronization.
  std::atomic<std::uint64_t> attempts_{0};
  Mutex mutex_;
  CondVar released_;
  // Guarded by mutex_.
  std::set<std::string, std::less<>> claimed_ MR_GUARDED_BY(mutex_);  // keys of puts-if-absent in progress
};

}  // namespace millrace
