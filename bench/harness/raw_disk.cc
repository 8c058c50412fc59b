#include "bench/harness/raw_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

namespace millrace::bench {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kBlockBytes = 4u << 20;

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path) : value_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (value_ < 0) Die("cannot open " + path.string());
  }
  ~Descriptor() { close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};

}  // namespace

RecycledFile::RecycledFile(const std::filesystem::path& path, std::size_t bytes, std::uint64_t seed)
    : bytes_((bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes) {
  block_ = static_cast<std::byte*>(std::aligned_alloc(kPage, kBlockBytes));
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < kBlockBytes; ++i) block_[i] = static_cast<std::byte>(random());
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    direct_ = false;
    descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  }
  if (descriptor_ < 0) Die("cannot make " + path.string());
  for (std::size_t at = 0; at < bytes_; at += kBlockBytes) {
    if (pwrite(descriptor_, block_, kBlockBytes, static_cast<off_t>(at)) != static_cast<ssize_t>(kBlockBytes)) {
      Die("cannot write " + path.string());
    }
  }
  if (fsync(descriptor_) != 0) Die("cannot sync " + path.string());
}

RecycledFile::~RecycledFile() {
  close(descriptor_);
  std::free(block_);
}

void RecycledFile::SyncedOverwrite(std::size_t bytes) {
  const std::size_t length = std::clamp((bytes + kPage - 1) / kPage * kPage, kPage, kBlockBytes);
  if (at_ + length > bytes_) at_ = 0;
  if (pwrite(descriptor_, block_, length, static_cast<off_t>(at_)) != static_cast<ssize_t>(length) ||
      fdatasync(descriptor_) != 0) {
    Die("a raw synced write failed");
  }
  at_ += length;
}

double MedianSyncUs(RecycledFile& file, std::size_t bytes, std::size_t count) {
  std::vector<double> times;
  times.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Stopwatch watch;
    file.SyncedOverwrite(bytes);
    times.push_back(watch.microseconds());
  }
  return Summarize(std::move(times)).median;
}

void ForgetPages(const std::filesystem::path& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const Descriptor file(entry.path());
    fdatasync(file.value());
    posix_fadvise(file.value(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

std::uint64_t ReadFiles(const std::filesystem::path& directory) {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(1u << 20);
  std::uint64_t total = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const Descriptor file(entry.path());
    for (ssize_t got = 0; (got = read(file.value(), buffer.get(), 1u << 20)) > 0;) {
      total += static_cast<std::uint64_t>(got);
    }
  }
  return total;
}

}  // namespace millrace::bench
