// The seam of the local disk. The real one is Posix; the simulated one forgets, on a crash, what was not synced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/result.h"

namespace millrace {

enum class FileAccess { kRead, kReadWrite };
enum class FileCreation { kOpenExisting, kCreateNew, kOpenOrCreate };
/// kDirect bypasses the page cache: offsets, lengths and memory are multiples of 4,096; kUnsupported where the file
/// system has none.
enum class FilePath { kBuffered, kDirect };

struct FileOptions {
  FileAccess access = FileAccess::kRead;
  FileCreation creation = FileCreation::kOpenExisting;
  FilePath path = FilePath::kBuffered;
};

/// One contiguous range of a plan of reads. `got` is the answer: as of ReadAt.
struct FileRead {
  std::uint64_t offset = 0;
  std::span<std::byte> out;
  std::size_t got = 0;
};

/// One contiguous range of a plan of writes.
struct FileWrite {
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
};

/// A shared mapping of a file's first bytes; what is stored into it survives the death of the process. Unmaps when
/// destroyed.
class MappedRegion {
 public:
  virtual ~MappedRegion() = default;
  [[nodiscard]] virtual std::span<std::byte> bytes() = 0;
};

/// An open file, read and written by position. Safe from any thread. Closed by its destructor.
class File {
 public:
  virtual ~File() = default;
  /// Fills `out` from `offset`; returns how many bytes, fewer than asked only at the end of the file. Continues short
  /// reads and EINTR.
  virtual Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) = 0;
  /// Writes all of `bytes` or fails (kOutOfSpace, kUnavailable for EIO); after a failure any part may have been
  /// written.
  virtual Result<void> WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// ReadAt for every range of a plan, as one submission where the machine has such a thing; ranges may complete in any
  /// order. After an error `got` and the bytes of all ranges are undefined.
  virtual Result<void> ReadMany(std::span<FileRead> plan) {
    for (FileRead& range : plan) {
      Result<std::size_t> got = ReadAt(range.offset, range.out);
      if (!got) return std::move(got).error();
      range.got = *got;
    }
    return {};
  }
  /// WriteAt for every range of a plan, in one submission where possible; in any order, so ranges must not overlap.
  /// After a failure any part of any range may have been written.
  virtual Result<void> WriteMany(std::span<const FileWrite> plan) {
    for (const FileWrite& range : plan) {
      if (Result<void> written = WriteAt(range.offset, range.bytes); !written) return written;
    }
    return {};
  }
  /// Data, and the size if it grew, are on the disk when this returns (fdatasync). A failure is final for this file:
  /// never sync it again.
  virtual Result<void> Sync() = 0;
  /// Reserves space for [0, size) and makes the file that long. kUnsupported where the file system cannot.
  virtual Result<void> Allocate(std::uint64_t size) = 0;
  /// Cuts the file, or grows it with a hole. Durable after Sync.
  virtual Result<void> Truncate(std::uint64_t size) = 0;
  /// In bytes, as of now.
  virtual Result<std::uint64_t> Size() = 0;
  /// Maps [0, size) shared and writable; the file must be that long. kUnsupported where the file system cannot.
  virtual Result<std::unique_ptr<MappedRegion>> Map(std::size_t size) = 0;
};

/// Held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  std::uint64_t size_bytes = 0;
};

/// Safe from any thread. Errors: kNotFound, kAlreadyExists, kOutOfSpace, kUnavailable (EIO, EMFILE, permission …), each
/// naming the path and errno.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// kNotFound or kAlreadyExists by FileCreation; a new name is durable after SyncDirectory of the parent.
  virtual Result<std::unique_ptr<File>> Open(const std::filesystem::path& path, const FileOptions& options) = 0;
  /// Atomic; replaces `to`. Durable after SyncDirectory of the parent.
  virtual Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  /// As Rename, but kAlreadyExists if there is something under `to`, which then stays. kUnsupported where the file
  /// system cannot decide that in one step, as by default.
  virtual Result<void> RenameIfAbsent([[maybe_unused]] const std::filesystem::path& from,
                                      const std::filesystem::path& to) {
    return Error(ErrorCode::kUnsupported, "cannot rename without replacing to " + to.native());
  }
  /// A file or an empty directory. kNotFound. Durable after SyncDirectory of the parent.
  virtual Result<void> Remove(const std::filesystem::path& path) = 0;
  /// With parents (mode 0700); each new directory's parent is synced. Existing is success.
  virtual Result<void> CreateDirectories(const std::filesystem::path& path) = 0;
  /// What was created, renamed and removed in it is on the disk when this returns.
  virtual Result<void> SyncDirectory(const std::filesystem::path& path) = 0;
  /// Sorted by name. kNotFound if there is no such directory.
  virtual Result<std::vector<DirectoryEntry>> List(const std::filesystem::path& path) = 0;
  /// Exclusive across processes and within this one. kUnavailable if held; the message contains what the holder wrote
  /// (`holder`).
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::filesystem::path& path, std::string_view holder) = 0;
  /// Against Lock only: any number hold it at once, and nothing is written for it. kUnavailable while another
  /// holds the lock alone; kNotFound if there is no such file. By default kUnsupported.
  virtual Result<std::unique_ptr<FileLock>> LockShared(const std::filesystem::path& path) {
    return Error(ErrorCode::kUnsupported, "cannot be locked for reading: " + path.native());
  }
  /// What tells this very file from any copy of it, also from one put in its place: its number and the time it was
  /// made. "": the file system cannot tell, as by default.
  virtual Result<std::string> FileMark([[maybe_unused]] const std::filesystem::path& path) { return std::string(); }
  /// Bytes an ordinary user may still write where `path` lies.
  virtual Result<std::uint64_t> FreeSpace(const std::filesystem::path& path) = 0;
  /// How plans of several ranges reach the disk, for `status`: "io_uring" or "positional calls".
  [[nodiscard]] virtual std::string_view io_back_end() const { return "positional calls"; }
};

}  // namespace millrace
