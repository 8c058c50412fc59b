#include "env/posix_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "env/posix_error.h"

namespace millrace {
namespace {

// The kernel transfers at most 0x7ffff000 bytes a call; a multiple of 4,096 keeps direct I/O aligned.
constexpr std::size_t kTransferMax = 1 << 30;

class PosixMappedRegion final : public MappedRegion {
 public:
  PosixMappedRegion(void* address, std::size_t size) : address_(address), size_(size) {}
  ~PosixMappedRegion() override { ::munmap(address_, size_); }
  PosixMappedRegion(const PosixMappedRegion&) = delete;
  PosixMappedRegion& operator=(const PosixMappedRegion&) = delete;
  std::span<std::byte> bytes() override { return {static_cast<std::byte*>(address_), size_}; }

 private:
  void* const address_;
  const std::size_t size_;
};

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  // What must be durable was synced before; an error of close says nothing more.
  ~PosixFile() override { ::close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const std::size_t want = std::min(out.size() - done, kTransferMax);
      const ssize_t got = ::pread(descriptor_, out.data() + done, want, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return PosixError(errno, "read", path_);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Result<void> WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const std::size_t want = std::min(bytes.size(), kTransferMax);
      const ssize_t put = ::pwrite(descriptor_, bytes.data(), want, static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return PosixError(errno, "write", path_);
      if (put == 0) return PosixError(EIO, "write", path_);
      offset += static_cast<std::uint64_t>(put);
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
  }

  Result<void> Sync() override {
    // Not repeated on EINTR: a second call might report success for pages the first one lost.
    if (::fdatasync(descriptor_) != 0) return PosixError(errno, "sync", path_);
    return {};
  }

  Result<void> Allocate(std::uint64_t size) override {
    while (::fallocate(descriptor_, 0, 0, static_cast<off_t>(size)) != 0) {
      if (errno == EINTR) continue;
      if (errno == ENOSYS) return PosixError(EOPNOTSUPP, "allocate", path_);
      return PosixError(errno, "allocate", path_);
    }
    return {};
  }

  Result<void> Truncate(std::uint64_t size) override {
    while (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
      if (errno != EINTR) return PosixError(errno, "truncate", path_);
    }
    return {};
  }

  Result<std::uint64_t> Size() override {
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0) return PosixError(errno, "stat", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<std::unique_ptr<MappedRegion>> Map(std::size_t size) override {
    auto length = Size();
    if (!length) return std::move(length).error();
    // Touching a page past the end of the file would kill the process, so it is refused here.
    if (size == 0 || *length < size) return PosixError(EINVAL, "map", path_);
    void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
    if (address == MAP_FAILED) return PosixError(errno, "map", path_);
    return std::make_unique<PosixMappedRegion>(address, size);
  }

 private:
  const int descriptor_;
  const std::filesystem::path path_;
};

}  // namespace

std::unique_ptr<File> AdoptPosixFile(int descriptor, std::filesystem::path path) {
  return std::make_unique<PosixFile>(descriptor, std::move(path));
}

}  // namespace millrace
