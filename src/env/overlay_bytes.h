// The bytes of one file of an OverlayFileSystem: those below, and over them the blocks that were written.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>

#include "base/mutex.h"
#include "millrace/file_system.h"

namespace millrace {

/// Safe from any thread. Reads below under its lock: a thread that waits for it wants the same file.
class OverlayBytes {
 public:
  /// An empty file.
  OverlayBytes() = default;
  OverlayBytes(std::unique_ptr<File> below, std::uint64_t size)
      : below_(std::move(below)), below_end_(size), size_(size) {}

  Result<std::size_t> Read(std::uint64_t offset, std::span<std::byte> out);
  Result<void> Write(std::uint64_t offset, std::span<const std::byte> bytes);
  void Grow(std::uint64_t size);
  Result<void> Truncate(std::uint64_t size);
  [[nodiscard]] std::uint64_t size() const;

 private:
  static constexpr std::uint64_t kBlockBytes = 4'096;
  using Block = std::array<std::byte, kBlockBytes>;

  /// What is there of [offset, offset + out.size()), and zeros behind it.
  Result<void> Fill(std::uint64_t offset, std::span<std::byte> out) MR_REQUIRES(mutex_);
  /// The block of that number, to be written to.
  Result<Block*> Own(std::uint64_t number) MR_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unique_ptr<File> below_ MR_GUARDED_BY(mutex_);  // none: all of it is in memory
  std::uint64_t below_end_ MR_GUARDED_BY(mutex_) = 0;  // of its bytes, how many still count
  std::uint64_t size_ MR_GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, std::unique_ptr<Block>> blocks_
      MR_GUARDED_BY(mutex_);  // by number; all zeros past both: none
};

}  // namespace millrace
