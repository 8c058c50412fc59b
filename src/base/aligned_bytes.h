// Memory for direct I/O: begins at a block's border, sole owner, not initialised.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "base/check.h"

namespace millrace {

inline constexpr std::size_t kDirectBlockBytes = 4096;

class AlignedBytes {
 public:
  AlignedBytes() = default;
  /// Precondition: `size` is a multiple of kDirectBlockBytes, not 0.
  explicit AlignedBytes(std::size_t size) : size_(size) {
    MR_CHECK(size > 0 && size % kDirectBlockBytes == 0, size);
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kDirectBlockBytes, size)));
    if (!memory_) throw std::bad_alloc();
  }
  static AlignedBytes Zeros(std::size_t size) {
    AlignedBytes zeros(size);
    std::memset(zeros.memory_.get(), 0, size);
    return zeros;
  }

  [[nodiscard]] std::span<std::byte> bytes() { return {memory_.get(), size_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {memory_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::size_t size_ = 0;
};

}  // namespace millrace
