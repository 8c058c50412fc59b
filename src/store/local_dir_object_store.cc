#include "store/local_dir_object_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/aligned_bytes.h"
#include "base/try.h"
#include "millrace/request_scope.h"
#include "store/object_key.h"
#include "store/object_pieces.h"

namespace millrace {
namespace {

constexpr std::size_t kPiecesPerWrite = 64;
// An object from this size on is written past the page cache: history is seldom read soon, and taking pages for it can
// cost more than all else that is done with its bytes.
constexpr std::uint64_t kDirectBytesMin = 1 << 20;
constexpr std::size_t kDirectWriteBytes = 1 << 20;

constexpr FileOptions CreateNew(FilePath path) { return {FileAccess::kReadWrite, FileCreation::kCreateNew, path}; }

/// One behind the other, many a call: the pieces of a segment are as small as its batches.
Result<void> WritePieces(File& file, std::span<const SharedBytes> pieces) {
  std::vector<FileWrite> writes;
  std::uint64_t at = 0;
  for (const SharedBytes& piece : pieces) {
    if (piece.empty()) continue;
    writes.push_back({at, piece});
    at += piece.size();
    if (writes.size() < kPiecesPerWrite) continue;
    MR_TRY(file.WriteMany(writes));
    writes.clear();
  }
  return file.WriteMany(writes);
}

/// The same in whole blocks, through a buffer; what pads the last one is cut off again. The file is open for that.
Result<void> WriteDirect(File& file, std::span<const SharedBytes> pieces) {
  AlignedBytes buffer(kDirectWriteBytes);
  std::uint64_t at = 0;
  std::size_t filled = 0;
  for (const SharedBytes& piece : pieces) {
    for (std::span<const std::byte> rest = piece; !rest.empty();) {
      const std::size_t count = std::min(rest.size(), buffer.size() - filled);
      std::memcpy(buffer.bytes().data() + filled, rest.data(), count);
      rest = rest.subspan(count);
      filled += count;
      if (filled < buffer.size()) continue;
      MR_TRY(file.WriteAt(at, buffer.bytes()));
      at += filled;
      filled = 0;
    }
  }
  if (filled == 0) return {};
  const std::size_t blocks = (filled + kDirectBlockBytes - 1) / kDirectBlockBytes * kDirectBlockBytes;
  std::ranges::fill(buffer.bytes().subspan(filled, blocks - filled), std::byte{0});
  MR_TRY(file.WriteAt(at, buffer.bytes().first(blocks)));
  return file.Truncate(at + filled);
}

}  // namespace

LocalDirObjectStore::LocalDirObjectStore(std::filesystem::path root, FileSystem& file_system, Random& random)
    : root_(std::move(root)), file_system_(file_system), incoming_(root_, file_system, random) {}

Result<std::unique_ptr<LocalDirObjectStore>> LocalDirObjectStore::Open(std::filesystem::path root,
                                                                       FileSystem& file_system, Random& random) {
  std::unique_ptr<LocalDirObjectStore> store(new LocalDirObjectStore(std::move(root), file_system, random));
  MR_TRY(file_system.CreateDirectories(store->root_));
  store->incoming_.ClearDead();
  return store;
}

Result<void> LocalDirObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  MR_TRY(CheckObjectKey(key));
  if (RequestScope::Current().stop.stop_requested()) {
    return Error(ErrorCode::kClosed, fmt::format("{}: put {}: no longer waited for", Describe(), key));
  }
  if (mode == PutMode::kIfAbsent) {  // before all is written for nothing
    const auto present = OpenObject(key);
    if (present) return Taken(key);
    if (present.error().code() != ErrorCode::kNotFound) return present.error();  // not known to be absent
  }
  const std::filesystem::path target = root_ / key;
  // Whether folders are in the way is asked only after a failure: the answer may cost the listing of a large folder.
  if (auto created = file_system_.CreateDirectories(target.parent_path()); !created) {
    return BlockedByFolder(key) ? KeyIsFolder(key) : std::move(created).error();
  }
  MR_ASSIGN_OR_RETURN(const std::filesystem::path written, WriteIncoming(pieces));
  if (auto published = Publish(written, key, mode); !published) {
    (void)file_system_.Remove(written);
    return published;
  }
  return file_system_.SyncDirectory(target.parent_path());
}

Result<void> LocalDirObjectStore::Publish(const std::filesystem::path& written, std::string_view key, PutMode mode) {
  auto renamed = mode == PutMode::kIfAbsent ? RenameIfAbsent(written, key) : file_system_.Rename(written, root_ / key);
  if (renamed) return {};
  if (BlockedByFolder(key)) return KeyIsFolder(key);
  if (renamed.error().code() == ErrorCode::kAlreadyExists) return Taken(key);
  return renamed.error().WithContext(fmt::format("put {}", key));
}

Result<void> LocalDirObjectStore::RenameIfAbsent(const std::filesystem::path& written, std::string_view key) {
  auto renamed = file_system_.RenameIfAbsent(written, root_ / key);
  if (renamed || renamed.error().code() != ErrorCode::kUnsupported) return renamed;
  {
    MutexLock lock(mutex_);
    if (!claimed_.emplace(key).second) {
      return Error(ErrorCode::kUnavailable, fmt::format("{}: another thread is putting {}", Describe(), key));
    }
  }
  const auto present = OpenObject(key);
  if (present) {
    renamed = Taken(key);
  } else if (present.error().code() != ErrorCode::kNotFound) {
    renamed = present.error();
  } else {
    renamed = file_system_.Rename(written, root_ / key);
  }
  MutexLock lock(mutex_);
  claimed_.erase(claimed_.find(key));
  return renamed;
}

Error LocalDirObjectStore::Taken(std::string_view key) const {
  return {ErrorCode::kAlreadyExists, fmt::format("{}: there is already an object {}", Describe(), key)};
}

Result<std::filesystem::path> LocalDirObjectStore::WriteIncoming(std::span<const SharedBytes> pieces) {
  MR_ASSIGN_OR_RETURN(const std::filesystem::path path, incoming_.NextPath());
  bool direct = TotalBytes(pieces) >= kDirectBytesMin;
  auto opened = file_system_.Open(path, CreateNew(direct ? FilePath::kDirect : FilePath::kBuffered));
  if (!opened && direct && opened.error().code() == ErrorCode::kUnsupported) {
    direct = false;
    opened = file_system_.Open(path, CreateNew(FilePath::kBuffered));
  }
  if (!opened) return std::move(opened).error();
  const std::unique_ptr<File> file = *std::move(opened);
  Result<void> written = direct ? WriteDirect(*file, pieces) : WritePieces(*file, pieces);
  if (written) written = file->Sync();
  if (!written) {
    (void)file_system_.Remove(path);
    return std::move(written).error();
  }
  return path;
}

bool LocalDirObjectStore::IsFile(const std::filesystem::path& path) {
  // As its folder tells: that a path cannot be listed may as well be the disk's failure.
  const auto beside = file_system_.List(path.parent_path());
  return beside && std::ranges::any_of(*beside, [&](const DirectoryEntry& entry) {
           return entry.name == path.filename() && !entry.is_directory;
         });
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
