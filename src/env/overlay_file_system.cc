#include "env/overlay_file_system.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "base/try.h"
#include "env/overlay_bytes.h"
#include "env/posix_error.h"

namespace millrace {
namespace {

/// A name that is not what it is below.
struct Entry {
  enum class Kind { kFile, kDirectory, kGone } kind = Kind::kFile;
  std::shared_ptr<OverlayBytes> bytes;  // of a file that was opened for writing, or moved
};

/// Without the slash at the end.
std::string Normal(const std::filesystem::path& path) {
  std::string text = path.lexically_normal().native();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

std::string ParentOf(const std::string& normal) { return Normal(std::filesystem::path(normal).parent_path()); }

class OverlayFile final : public File {
 public:
  OverlayFile(std::filesystem::path path, FileAccess access, std::shared_ptr<OverlayBytes> bytes)
      : path_(std::move(path)), access_(access), bytes_(std::move(bytes)) {}

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    return bytes_->Read(offset, out);
  }
  Result<void> WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (access_ == FileAccess::kRead) return PosixError(EBADF, "write", path_);
    return bytes_->Write(offset, bytes);
  }
  Result<void> Sync() override { return {}; }
  Result<void> Allocate(std::uint64_t size) override {
    if (access_ == FileAccess::kRead) return PosixError(EBADF, "allocate", path_);
    bytes_->Grow(size);
    return {};
  }
  Result<void> Truncate(std::uint64_t size) override {
    if (access_ == FileAccess::kRead) return PosixError(EINVAL, "truncate", path_);
    return bytes_->Truncate(size);
  }
  Result<std::uint64_t> Size() override { return bytes_->size(); }
  Result<std::unique_ptr<MappedRegion>> Map(std::size_t size) override {
    if (access_ == FileAccess::kRead) return PosixError(EACCES, "map", path_);
    return PosixError(size > bytes_->size() ? EINVAL : ENODEV, "map", path_);
  }

 private:
  const std::filesystem::path path_;
  const FileAccess access_;
  const std::shared_ptr<OverlayBytes> bytes_;
};

}  // namespace

struct OverlayFileSystem::Names {
  explicit Names(std::shared_ptr<FileSystem> given) : below(std::move(given)) {}

  [[nodiscard]] const Entry* Find(const std::string& normal) const MR_REQUIRES(mutex) {
    const auto found = entries.find(normal);
    return found == entries.end() ? nullptr : &found->second;
  }
  Result<bool> IsDirectory(const std::string& normal) const MR_REQUIRES(mutex) {
    if (const Entry* entry = Find(normal)) return entry->kind == Entry::Kind::kDirectory;
    const auto listed = below->List(normal);
    if (listed) return true;
    const ErrorCode code = listed.error().code();
    if (code == ErrorCode::kNotFound || code == ErrorCode::kUnavailable) return false;  // nothing there, or a file
    return listed.error();
  }
  /// The bytes of the file, which from now on are ours. kNotFound; kInvalidArgument: it is a directory.
  Result<std::shared_ptr<OverlayBytes>> Own(const std::string& normal, std::string_view call) MR_REQUIRES(mutex) {
    if (const Entry* entry = Find(normal)) {
      if (entry->kind == Entry::Kind::kFile) return entry->bytes;
      return PosixError(entry->kind == Entry::Kind::kGone ? ENOENT : EISDIR, call, normal);
    }
    MR_ASSIGN_OR_RETURN(auto file, below->Open(normal, {}));
    MR_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
    auto bytes = std::make_shared<OverlayBytes>(std::move(file), size);
    entries[normal] = {Entry::Kind::kFile, bytes};
    return bytes;
  }
  Result<bool> Exists(const std::string& normal) MR_REQUIRES(mutex) {
    if (const Entry* entry = Find(normal)) return entry->kind != Entry::Kind::kGone;
    const auto file = below->Open(normal, {});
    if (file || file.error().code() == ErrorCode::kInvalidArgument) return true;  // the latter: a directory
    if (file.error().code() == ErrorCode::kNotFound) return false;
    return file.error();
  }
  Result<void> Create(const std::string& normal, std::string_view call) MR_REQUIRES(mutex) {
    MR_ASSIGN_OR_RETURN(const bool has_parent, IsDirectory(ParentOf(normal)));
    if (!has_parent) return PosixError(ENOENT, call, normal);
    entries[normal] = {Entry::Kind::kFile, std::make_shared<OverlayBytes>()};
    return {};
  }
  Result<void> Move(const std::string& from, const std::string& to) MR_REQUIRES(mutex) {
    MR_ASSIGN_OR_RETURN(auto bytes, Own(from, "rename"));
    MR_ASSIGN_OR_RETURN(const bool has_parent, IsDirectory(ParentOf(to)));
    if (!has_parent) return PosixError(ENOENT, "rename", to);
    entries[from] = {Entry::Kind::kGone, {}};
    entries[to] = {Entry::Kind::kFile, std::move(bytes)};
    return {};
  }

  const std::shared_ptr<FileSystem> below;
  Mutex mutex;  // what is below is asked under it: every answer hangs on names that must not change meanwhile
  std::map<std::string, Entry> entries MR_GUARDED_BY(mutex);
  std::map<std::string, std::string> locks MR_GUARDED_BY(mutex);  // path to holder
  std::map<std::string, int> shared_locks MR_GUARDED_BY(mutex);   // path to how many hold it
};

namespace {

class OverlayLock final : public FileLock {
 public:
  OverlayLock(std::shared_ptr<OverlayFileSystem::Names> names, std::string normal, std::unique_ptr<FileLock> below)
      : names_(std::move(names)), normal_(std::move(normal)), below_(std::move(below)) {}
  ~OverlayLock() override {
    MutexLock lock(names_->mutex);
    names_->locks.erase(normal_);
  }

 private:
  const std::shared_ptr<OverlayFileSystem::Names> names_;
  const std::string normal_;
  const std::unique_ptr<FileLock> below_;
};

class OverlaySharedLock final : public FileLock {
 public:
  OverlaySharedLock(std::shared_ptr<OverlayFileSystem::Names> names, std::string normal,
                    std::unique_ptr<FileLock> below)
      : names_(std::move(names)), normal_(std::move(normal)), below_(std::move(below)) {}
  ~OverlaySharedLock() override {
    MutexLock lock(names_->mutex);
    if (--names_->shared_locks[normal_] == 0) names_->shared_locks.erase(normal_);
  }

 private:
  const std::shared_ptr<OverlayFileSystem::Names> names_;
  const std::string normal_;
  const std::unique_ptr<FileLock> below_;
};

}  // namespace

OverlayFileSystem::OverlayFileSystem(std::shared_ptr<FileSystem> below)
    : below_(std::move(below)), names_(std::make_shared<Names>(below_)) {}
OverlayFileSystem::~OverlayFileSystem() = default;

Result<std::unique_ptr<File>> OverlayFileSystem::Open(const std::filesystem::path& path, const FileOptions& options) {
  const std::string normal = Normal(path);
  MutexLock lock(names_->mutex);
  const Entry* entry = names_->Find(normal);
  if (entry == nullptr && options.access == FileAccess::kRead && options.creation == FileCreation::kOpenExisting)
    return below_->Open(path, {});
  bool exists = false;
  if (options.creation != FileCreation::kOpenExisting) {
    MR_ASSIGN_OR_RETURN(exists, names_->Exists(normal));
    if (exists && options.creation == FileCreation::kCreateNew) return PosixError(EEXIST, "open", path);
    if (!exists) MR_TRY(names_->Create(normal, "open"));
  }
  MR_ASSIGN_OR_RETURN(auto bytes, names_->Own(normal, "open"));
  return std::make_unique<OverlayFile>(path, options.access, std::move(bytes));
}

Result<void> OverlayFileSystem::Rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  const std::string from_normal = Normal(from), to_normal = Normal(to);
  MutexLock lock(names_->mutex);
  if (from_normal == to_normal) {
    MR_TRY(names_->Own(from_normal, "rename"));
    return {};
  }
  MR_ASSIGN_OR_RETURN(const bool taken, names_->IsDirectory(to_normal));
  if (taken) return PosixError(EISDIR, "rename", to);
  return names_->Move(from_normal, to_normal);
}

Result<void> OverlayFileSystem::RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) {
  const std::string from_normal = Normal(from), to_normal = Normal(to);
  MutexLock lock(names_->mutex);
  MR_ASSIGN_OR_RETURN(const bool there, names_->Exists(from_normal));
  if (!there) return PosixError(ENOENT, "rename", from);
  MR_ASSIGN_OR_RETURN(const bool taken, names_->Exists(to_normal));
  if (taken) return PosixError(EEXIST, "rename", to);
  return names_->Move(from_normal, to_normal);
}

Result<void> OverlayFileSystem::Remove(const std::filesystem::path& path) {
  const std::string normal = Normal(path);
  MutexLock lock(names_->mutex);
  MR_ASSIGN_OR_RETURN(const bool exists, names_->Exists(normal));
  if (!exists) return PosixError(ENOENT, "remove", path);
  MR_ASSIGN_OR_RETURN(const bool directory, names_->IsDirectory(normal));
  if (directory) {
    const bool ours = names_->Find(normal) != nullptr;
    const bool empty = std::ranges::none_of(names_->entries, [&](const auto& named) {
      return named.second.kind != Entry::Kind::kGone && ParentOf(named.first) == normal;
    });
    if (!ours || !empty) return PosixError(ENOTEMPTY, "remove", path);
  }
  names_->entries[normal] = {Entry::Kind::kGone, {}};
  return {};
}

Result<void> OverlayFileSystem::CreateDirectories(const std::filesystem::path& path) {
  const std::string normal = Normal(path);
  MutexLock lock(names_->mutex);
  std::vector<std::string> missing;
  for (std::string at = normal;; at = ParentOf(at)) {
    MR_ASSIGN_OR_RETURN(const bool directory, names_->IsDirectory(at));
    if (directory) break;
    MR_ASSIGN_OR_RETURN(const bool exists, names_->Exists(at));
    if (exists) return PosixError(ENOTDIR, "create", path);
    missing.push_back(at);
    if (ParentOf(at) == at || ParentOf(at).empty()) break;
  }
  for (std::string& directory : missing) names_->entries[std::move(directory)] = {Entry::Kind::kDirectory, {}};
  return {};
}

Result<void> OverlayFileSystem::SyncDirectory(const std::filesystem::path& path) {
  MutexLock lock(names_->mutex);
  MR_ASSIGN_OR_RETURN(const bool directory, names_->IsDirectory(Normal(path)));
  if (!directory) return PosixError(ENOENT, "sync", path);
  return {};
}

Result<std::vector<DirectoryEntry>> OverlayFileSystem::List(const std::filesystem::path& path) {
  const std::string normal = Normal(path);
  MutexLock lock(names_->mutex);
  std::map<std::string, DirectoryEntry> listed;
  const Entry* entry = names_->Find(normal);
  if (entry != nullptr && entry->kind == Entry::Kind::kGone) return PosixError(ENOENT, "list", path);
  if (entry != nullptr && entry->kind == Entry::Kind::kFile) return PosixError(ENOTDIR, "list", path);
  if (entry == nullptr) {
    MR_ASSIGN_OR_RETURN(auto below, below_->List(path));
    for (DirectoryEntry& one : below) listed.emplace(one.name, one);
  }
  const std::string prefix = normal == "/" ? normal : normal + '/';
  for (auto at = names_->entries.lower_bound(prefix); at != names_->entries.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    std::string name = at->first.substr(prefix.size());
    if (name.contains('/')) continue;
    const auto& [kind, bytes] = at->second;
    if (kind == Entry::Kind::kGone) {
      listed.erase(name);
      continue;
    }
    listed[name] = {name, kind == Entry::Kind::kDirectory, bytes ? bytes->size() : 0};
  }
  std::vector<DirectoryEntry> entries;
  for (auto& [name, one] : listed) entries.push_back(std::move(one));
  return entries;
}

Result<std::unique_ptr<FileLock>> OverlayFileSystem::Lock(const std::filesystem::path& path, std::string_view holder) {
  const std::string normal = Normal(path);
  MutexLock lock(names_->mutex);
  if (const auto held = names_->locks.find(normal); held != names_->locks.end())
    return LockHeldError(path, held->second);
  if (names_->shared_locks.contains(normal)) return LockHeldError(path, "");
  MR_ASSIGN_OR_RETURN(const bool exists, names_->Exists(normal));
  std::unique_ptr<FileLock> shared;
  if (!exists) {
    MR_TRY(names_->Create(normal, "open"));
  } else if (names_->Find(normal) == nullptr) {
    MR_ASSIGN_OR_RETURN(shared, below_->LockShared(path));
  }
  names_->locks.emplace(normal, holder);
  return std::make_unique<OverlayLock>(names_, normal, std::move(shared));
}

Result<std::unique_ptr<FileLock>> OverlayFileSystem::LockShared(const std::filesystem::path& path) {
  const std::string normal = Normal(path);
  MutexLock lock(names_->mutex);
  if (const auto held = names_->locks.find(normal); held != names_->locks.end())
    return LockHeldError(path, held->second);
  std::unique_ptr<FileLock> shared;
  if (const Entry* entry = names_->Find(normal); entry == nullptr) {
    MR_ASSIGN_OR_RETURN(shared, below_->LockShared(path));
  } else if (entry->kind != Entry::Kind::kFile) {
    return PosixError(ENOENT, "lock", path);
  }
  ++names_->shared_locks[normal];
  return std::make_unique<OverlaySharedLock>(names_, normal, std::move(shared));
}

Result<std::string> OverlayFileSystem::FileMark(const std::filesystem::path& path) { return below_->FileMark(path); }

Result<std::uint64_t> OverlayFileSystem::FreeSpace(const std::filesystem::path& path) {
  return below_->FreeSpace(path);
}

}  // namespace millrace
