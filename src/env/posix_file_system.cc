#include "env/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/try.h"
#include "env/posix_error.h"
#include "env/posix_file.h"

namespace millrace {
namespace {

constexpr std::size_t kHolderTextMax = 4096;

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }
  int Release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

int OpenRetrying(const std::filesystem::path& path, int flags, mode_t mode = 0) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0 || descriptor > STDERR_FILENO) return descriptor;
  // The process was started with a standard stream closed: what it prints there must not land in this file.
  const int above = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error_number = errno;
  ::close(descriptor);
  errno = error_number;
  return above;
}

int OpenFlags(const FileOptions& options) {
  int flags = O_NOFOLLOW | (options.access == FileAccess::kRead ? O_RDONLY : O_RDWR);
  if (options.creation != FileCreation::kOpenExisting) flags |= O_CREAT;
  if (options.creation == FileCreation::kCreateNew) flags |= O_EXCL;
  if (options.path == FilePath::kDirect) flags |= O_DIRECT;
  return flags;
}

/// The directory that holds `path`'s entry.
std::filesystem::path ParentOf(const std::filesystem::path& path) {
  auto parent = path.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

/// Lets others in when it closes.
class PosixSharedLock final : public FileLock {
 public:
  explicit PosixSharedLock(int descriptor) : descriptor_(descriptor) {}

 private:
  Descriptor descriptor_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(int descriptor) : descriptor_(descriptor) {}
  ~PosixFileLock() override {
    // No process holds it from here on, so none should be named in it. The file stays: removing it would let two
    // openers lock two different files under one name.
    [[maybe_unused]] const int ignored = ::ftruncate(descriptor_.get(), 0);
  }

 private:
  Descriptor descriptor_;
};

Error HeldError(const std::filesystem::path& path, int descriptor) {
  std::string holder(kHolderTextMax, '\0');
  const ssize_t got = ::pread(descriptor, holder.data(), holder.size(), 0);
  holder.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return LockHeldError(path, holder);
}

/// As long as the descriptor is open.
Result<void> LockFile(int descriptor, const std::filesystem::path& path, short type) {
  struct flock request = {};
  request.l_type = type;
  request.l_whence = SEEK_SET;
  if (::fcntl(descriptor, F_OFD_SETLK, &request) == 0) return {};
  if (errno == EAGAIN || errno == EACCES) return HeldError(path, descriptor);
  return PosixError(errno, "lock", path);
}

}  // namespace

PosixFileSystem::PosixFileSystem(IoBackEnd wanted) {
  if (wanted == IoBackEnd::kRing) plans_ = RingPlans::Probe();
  if (plans_) {
    io_back_end_ = "io_uring";
  } else {
    plans_ = std::make_shared<PositionalPlans>();
  }
}

Result<std::unique_ptr<File>> PosixFileSystem::Open(const std::filesystem::path& path, const FileOptions& options) {
  const int descriptor = OpenRetrying(path, OpenFlags(options), 0600);
  if (descriptor < 0) {
    const int error_number = errno;
    if (options.path == FilePath::kDirect && error_number == EINVAL) {
      // Linux answers so where the file system has no direct I/O, and leaves behind the file it has just made.
      if (options.creation == FileCreation::kCreateNew) ::unlink(path.c_str());
      return PosixError(EOPNOTSUPP, "open", path);
    }
    return PosixError(error_number, "open", path);
  }
  Descriptor owned(descriptor);
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return PosixError(errno, "stat", path);
  if (!S_ISREG(status.st_mode)) return PosixError(EISDIR, "open", path);
  return AdoptPosixFile(owned.Release(), path, plans_);
}

Result<void> PosixFileSystem::Rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return PosixError(errno, fmt::format("rename {} to", from.native()), to);
  return {};
}

Result<void> PosixFileSystem::RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  const bool unknown = errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
  if (!unknown) return PosixError(errno, fmt::format("rename {} to", from.native()), to);
  // File systems that do not know the flag (over a network, mostly) know a second name, which replaces nothing either.
  if (::link(from.c_str(), to.c_str()) != 0) {
    const int error_number = errno == EPERM || errno == EMLINK ? EOPNOTSUPP : errno;
    return PosixError(error_number, fmt::format("link {} to", from.native()), to);
  }
  return Remove(from);
}

Result<void> PosixFileSystem::Remove(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) == 0) return {};
  if (errno == EISDIR && ::rmdir(path.c_str()) == 0) return {};
  return PosixError(errno, "remove", path);
}

Result<void> PosixFileSystem::CreateDirectories(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return SyncDirectory(ParentOf(path));
  if (errno == EEXIST) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) == 0)
      return S_ISDIR(status.st_mode) ? Result<void>() : PosixError(ENOTDIR, "create directory", path);
    if (errno != ENOENT) return PosixError(errno, "stat", path);
    std::error_code error;  // a link to what is not there yet: that is what the caller wants made
    const auto target = std::filesystem::read_symlink(path, error);
    if (error) return PosixError(error.value(), "read link", path);
    return CreateDirectories(ParentOf(path) / target);
  }
  const auto parent = ParentOf(path);
  if (errno != ENOENT || parent == path || parent == ".") return PosixError(errno, "create directory", path);
  MR_TRY(CreateDirectories(parent));
  if (!path.has_filename()) return {};  // "a/b/": the parent was the directory itself
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return PosixError(errno, "create directory", path);
  return SyncDirectory(parent);
}

Result<void> PosixFileSystem::SyncDirectory(const std::filesystem::path& path) {
  const Descriptor directory(OpenRetrying(path, O_RDONLY | O_DIRECTORY));
  if (directory.get() < 0) return PosixError(errno, "open directory", path);
  if (::fsync(directory.get()) != 0) return PosixError(errno, "sync directory", path);
  return {};
}

Result<std::vector<DirectoryEntry>> PosixFileSystem::List(const std::filesystem::path& path) {
  Descriptor directory(OpenRetrying(path, O_RDONLY | O_DIRECTORY));
  if (directory.get() < 0) return PosixError(errno, "list", path);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(directory.get()), &::closedir);
  if (!stream) return PosixError(errno, "list", path);
  directory.Release();
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(stream.get());
    if (found == nullptr) break;
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    struct stat status = {};
    if (::fstatat(::dirfd(stream.get()), found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // removed meanwhile
      return PosixError(errno, "stat", path / name);
    }
    const bool is_directory = S_ISDIR(status.st_mode);
    entries.push_back({.name = std::string(name),
                       .is_directory = is_directory,
                       .size_bytes = is_directory ? 0 : static_cast<std::uint64_t>(status.st_size)});
  }
  if (errno != 0) return PosixError(errno, "list", path);
  std::ranges::sort(entries, {}, &DirectoryEntry::name);
  return entries;
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::filesystem::path& path, std::string_view holder) {
  Descriptor file(OpenRetrying(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (file.get() < 0) return PosixError(errno, "open", path);
  MR_TRY(LockFile(file.get(), path, F_WRLCK));
  const auto text = holder.substr(0, kHolderTextMax);
  // The holder's name is for people: a full disk must not keep the engine from opening.
  if (::ftruncate(file.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t ignored = ::pwrite(file.get(), text.data(), text.size(), 0);
  }
  return std::make_unique<PosixFileLock>(file.Release());
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::LockShared(const std::filesystem::path& path) {
  Descriptor file(OpenRetrying(path, O_RDONLY | O_NOFOLLOW));
  if (file.get() < 0) return PosixError(errno, "open", path);
  MR_TRY(LockFile(file.get(), path, F_RDLCK));
  return std::make_unique<PosixSharedLock>(file.Release());
}

Result<std::string> PosixFileSystem::FileMark(const std::filesystem::path& path) {
  struct statx status = {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &status) != 0)
    return PosixError(errno, "stat", path);
  // A number alone is given again to other files.
  if ((status.stx_mask & STATX_INO) == 0 || (status.stx_mask & STATX_BTIME) == 0) return std::string();
  return fmt::format("{} {}.{:09}", status.stx_ino, status.stx_btime.tv_sec, status.stx_btime.tv_nsec);
}

Result<std::uint64_t> PosixFileSystem::FreeSpace(const std::filesystem::path& path) {
  struct statvfs status = {};
  if (::statvfs(path.c_str(), &status) != 0) return PosixError(errno, "stat", path);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace millrace
