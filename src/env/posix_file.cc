#include "env/posix_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "env/posix_error.h"

namespace millrace {
namespace {

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
  PosixFile(int descriptor, std::filesystem::path path, std::shared_ptr<IoPlans> plans)
      : descriptor_(descriptor), path_(std::move(path)), plans_(std::move(plans)) {}
  // What must be durable was synced before; an error of close says nothing more.
  ~PosixFile() override { ::close(descriptor_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    return ReadRange({descriptor_, path_}, offset, out);
  }
  Result<void> WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override {
    return WriteRange({descriptor_, path_}, offset, bytes);
  }
  Result<void> ReadMany(std::span<FileRead> plan) override { return plans_->Read({descriptor_, path_}, plan); }
  Result<void> WriteMany(std::span<const FileWrite> plan) override { return plans_->Write({descriptor_, path_}, plan); }

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
    auto region = std::make_unique<PosixMappedRegion>(address, size);
    struct statfs system = {};
    if (::fstatfs(descriptor_, &system) != 0) return PosixError(errno, "stat", path_);
    if (StoresNeedSpace(static_cast<std::uint64_t>(system.f_type) & UINT32_MAX))
      return PosixError(EOPNOTSUPP, "map", path_);
    return region;
  }

 private:
  const int descriptor_;
  const std::filesystem::path path_;
  const std::shared_ptr<IoPlans> plans_;
};

}  // namespace

bool StoresNeedSpace(std::uint64_t file_system_type) {
  constexpr std::array<std::uint64_t, 4> kCopyOnWrite = {0x9123683E /* btrfs */, 0x2FC12FC1 /* zfs */,
                                                         0xCA451A4E /* bcachefs */, 0x3434 /* nilfs2 */};
  return std::ranges::find(kCopyOnWrite, file_system_type) != kCopyOnWrite.end();
}

std::unique_ptr<File> AdoptPosixFile(int descriptor, std::filesystem::path path, std::shared_ptr<IoPlans> plans) {
  return std::make_unique<PosixFile>(descriptor, std::move(path), std::move(plans));
}

}  // namespace millrace
