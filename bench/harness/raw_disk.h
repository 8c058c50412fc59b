// What the disk gives without any log above it: synced overwrites of a file whose blocks are already written, and plain
// reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace millrace::bench {

/// A file made and synced whole before the clock starts, then overwritten in place, direct where the file system can.
class RecycledFile {
 public:
  RecycledFile(const std::filesystem::path& path, std::size_t bytes, std::uint64_t seed);
  ~RecycledFile();
  RecycledFile(const RecycledFile&) = delete;
  RecycledFile& operator=(const RecycledFile&) = delete;

  /// Overwrites the next `bytes` (rounded up to 4 KiB; at most 4 MiB), going round at the end, and syncs.
  void SyncedOverwrite(std::size_t bytes);
  [[nodiscard]] bool direct() const { return direct_; }

 private:
  int descriptor_ = -1;
  bool direct_ = true;
  std::size_t bytes_, at_ = 0;
  std::byte* block_ = nullptr;  // aligned
};

/// Median time in microseconds of `count` synced overwrites of `bytes`.
double MedianSyncUs(RecycledFile& file, std::size_t bytes, std::size_t count);
/// Takes what lies under `directory` out of the page cache (after a sync).
void ForgetPages(const std::filesystem::path& directory);
/// Reads every file under `directory` once, a mebibyte at a time; the bytes read.
std::uint64_t ReadFiles(const std::filesystem::path& directory);

}  // namespace millrace::bench
