#include "store/local_dir_object_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/crc32c.h"
#include "base/try.h"
#include "store/object_key.h"
#include "store/object_pieces.h"

namespace millrace {
namespace {

constexpr std::string_view kIncoming = "~incoming";  // '~' is in no key
constexpr FileOptions kCreateNewFile{FileAccess::kReadWrite, FileCreation::kCreateNew};

}  // namespace

LocalDirObjectStore::LocalDirObjectStore(std::filesystem::path root, FileSystem& file_system)
    : root_(std::move(root)), incoming_(root_ / kIncoming), file_system_(file_system) {}

Result<std::unique_ptr<LocalDirObjectStore>> LocalDirObjectStore::Open(std::filesystem::path root,
                                                                       FileSystem& file_system) {
  std::unique_ptr<LocalDirObjectStore> store(new LocalDirObjectStore(std::move(root), file_system));
  MR_TRY(file_system.CreateDirectories(store->incoming_));
  MR_TRY(store->ClearIncoming());
  return store;
}

Result<void> LocalDirObjectStore::ClearIncoming() {
  MR_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> leftovers, file_system_.List(incoming_));
  for (const DirectoryEntry& leftover : leftovers) {
    auto removed = file_system_.Remove(incoming_ / leftover.name);
    if (!removed && removed.error().code() != ErrorCode::kNotFound) return std::move(removed).error();
  }
  return {};
}

Result<void> LocalDirObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  MR_TRY(CheckObjectKey(key));
  return mode == PutMode::kIfAbsent ? PutIfAbsent(key, pieces) : PutOverwriting(key, pieces);
}

Result<void> LocalDirObjectStore::PutIfAbsent(std::string_view key, std::span<const SharedBytes> pieces) {
  {
    MutexLock lock(mutex_);
    while (claimed_.contains(key)) released_.Wait(mutex_);
    claimed_.emplace(key);
  }
  // Across processes an exclusively created file is the claim. Two keys that share its name only delay each other.
  const auto claim = incoming_ / fmt::format("claim-{:08x}-{}", Crc32c(AsBytes(key)), key.size());
  Result<void> outcome;
  if (auto claimed = file_system_.Open(claim, kCreateNewFile); !claimed) {
    outcome = std::move(claimed).error();
    if (outcome.error().code() == ErrorCode::kAlreadyExists) {
      outcome = Error(ErrorCode::kUnavailable, fmt::format("{}: another process is putting {}", Describe(), key));
    }
  } else {
    const auto present = OpenObject(key);
    if (present) {
      outcome = Error(ErrorCode::kAlreadyExists, fmt::format("{}: there is already an object {}", Describe(), key));
    } else if (present.error().code() != ErrorCode::kNotFound) {
      outcome = present.error();  // not known to be absent
    } else {
      outcome = PutOverwriting(key, pieces);
    }
    (void)file_system_.Remove(claim);  // what stays is cleared at the next Open
  }
  MutexLock lock(mutex_);
  claimed_.erase(std::string(key));
  released_.NotifyAll();
  return outcome;
}

Result<void> LocalDirObjectStore::PutOverwriting(std::string_view key, std::span<const SharedBytes> pieces) {
  const std::filesystem::path target = root_ / key;
  // Whether folders are in the way is asked only after a failure: the answer may cost the listing of a large folder.
  if (auto created = file_system_.CreateDirectories(target.parent_path()); !created) {
    return BlockedByFolder(key) ? KeyIsFolder(key) : std::move(created).error();
  }
  MR_ASSIGN_OR_RETURN(const std::filesystem::path written, WriteIncoming(pieces));
  if (auto renamed = file_system_.Rename(written, target); !renamed) {
    (void)file_system_.Remove(written);
    return BlockedByFolder(key) ? KeyIsFolder(key) : renamed.error().WithContext(fmt::format("put {}", key));
  }
  return file_system_.SyncDirectory(target.parent_path());
}

Result<std::filesystem::path> LocalDirObjectStore::WriteIncoming(std::span<const SharedBytes> pieces) {
  const auto path = incoming_ / fmt::format("{}-{}", ::getpid(), attempts_.fetch_add(1));
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, file_system_.Open(path, kCreateNewFile));
  Result<void> written;
  std::uint64_t at = 0;
  for (const SharedBytes& piece : pieces) {
    if (written && !piece.empty()) written = file->WriteAt(at, piece);
    at += piece.size();
  }
  if (written) written = file->Sync();
  if (!written) {
    (void)file_system_.Remove(path);
    return std::move(written).error();
  }
  return path;
}

bool LocalDirObjectStore::IsFile(const std::filesystem::path& path) {
  return !file_system_.List(path) && file_system_.Open(path, {});
}

bool LocalDirObjectStore::BlockedByFolder(std::string_view key) {
  if (file_system_.List(root_ / key)) return true;
  for (auto slash = key.find('/'); slash != std::string_view::npos; slash = key.find('/', slash + 1)) {
    if (IsFile(root_ / key.substr(0, slash))) return true;
  }
  return false;
}

Result<std::unique_ptr<File>> LocalDirObjectStore::OpenObject(std::string_view key) {
  MR_TRY(CheckObjectKey(key));
  auto file = file_system_.Open(root_ / key, {});
  if (file) {
    // A folder opens too on some file systems; it is no object. Listing a file fails at once.
    if (file_system_.List(root_ / key)) return ObjectNotFound(Describe(), key);
    return file;
  }
  // Below another object's file there is nothing either, though the system calls that "not a directory".
  if (file.error().code() == ErrorCode::kNotFound || BlockedByFolder(key)) return ObjectNotFound(Describe(), key);
  return std::move(file).error();
}

Error LocalDirObjectStore::EndedMeanwhile(std::string_view key, std::uint64_t end, std::uint64_t size) const {
  return {ErrorCode::kUnavailable,
          fmt::format("{}: object {} ended at byte {} of {} while being read", Describe(), key, end, size)};
}

Result<SharedBytes> LocalDirObjectStore::Get(std::string_view key, ByteRange range) {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, OpenObject(key));
  MR_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  MR_ASSIGN_OR_RETURN(const std::uint64_t length, LengthWithin(range, size, key));
  Buffer bytes(length);
  MR_ASSIGN_OR_RETURN(const std::size_t read, file->ReadAt(range.offset, bytes.bytes()));
  if (read != length) return EndedMeanwhile(key, range.offset + read, size);
  return std::move(bytes).Freeze();
}

Result<std::vector<SharedBytes>> LocalDirObjectStore::GetParts(std::string_view key, std::uint64_t offset,
                                                               std::span<const std::uint64_t> lengths) {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, OpenObject(key));
  MR_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (!lengths.empty()) MR_TRY(LengthWithin({offset, lengths.front()}, size, key));
  std::vector<SharedBytes> parts;
  parts.reserve(lengths.size());
  for (const std::uint64_t length : lengths) {
    Buffer part(std::min(length, size - std::min(offset, size)));
    MR_ASSIGN_OR_RETURN(const std::size_t read, file->ReadAt(offset, part.bytes()));
    if (read != part.size()) return EndedMeanwhile(key, offset + read, size);
    offset += read;
    parts.push_back(std::move(part).Freeze());
  }
  return parts;
}

Result<ObjectDescription> LocalDirObjectStore::Head(std::string_view key) {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, OpenObject(key));
  MR_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  return ObjectDescription{std::string(key), size, 0};
}

struct LocalDirObjectStore::Walk {
  std::string_view prefix, continuation;
  std::size_t max;
  ObjectPage page;
  bool full = false;
};

Result<ObjectPage> LocalDirObjectStore::List(std::string_view prefix, std::string_view continuation, std::size_t max) {
  if (max == 0) return Error(ErrorCode::kInvalidArgument, "a page of a listing holds at least one key");
  Walk walk{prefix, continuation, max, {}};
  MR_TRY(Visit(root_, "", walk));
  return std::move(walk.page);
}

Result<void> LocalDirObjectStore::Visit(const std::filesystem::path& directory, const std::string& key_prefix,
                                        Walk& walk) {
  auto listed = file_system_.List(directory);
  if (!listed) return std::move(listed).error();
  // A folder sorts as its name with the slash, so that keys come out in order over all levels.
  for (DirectoryEntry& entry : *listed) {
    if (entry.is_directory) entry.name += '/';
  }
  std::ranges::sort(*listed, {}, &DirectoryEntry::name);
  for (const DirectoryEntry& entry : *listed) {
    const std::string key = key_prefix + entry.name;
    if (entry.name.starts_with('~')) continue;
    if (entry.is_directory) {
      const bool may_match = key.starts_with(walk.prefix) || walk.prefix.starts_with(key);
      const bool all_seen = key < walk.continuation && !walk.continuation.starts_with(key);
      if (!may_match || all_seen) continue;
      MR_TRY(Visit(directory / entry.name.substr(0, entry.name.size() - 1), key, walk));
    } else if (key.starts_with(walk.prefix) && key > walk.continuation) {
      if (walk.page.objects.size() == walk.max) {
        walk.page.next = walk.page.objects.back().key;
        walk.full = true;
      } else {
        walk.page.objects.push_back({key, entry.size_bytes, 0});
      }
    }
    if (walk.full) return {};
  }
  return {};
}

Result<void> LocalDirObjectStore::Delete(std::string_view key) {
  // A folder is no object, and Remove might take an empty one.
  if (auto present = OpenObject(key); !present) {
    if (present.error().code() == ErrorCode::kNotFound) return {};
    return std::move(present).error();
  }
  if (auto removed = file_system_.Remove(root_ / key); !removed) {
    if (removed.error().code() == ErrorCode::kNotFound) return {};
    return std::move(removed).error();
  }
  return file_system_.SyncDirectory((root_ / key).parent_path());
}

}  // namespace millrace
