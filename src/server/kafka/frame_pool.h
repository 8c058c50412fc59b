// Memory for frames that come in: used again when the last slice of a frame is gone, whichever thread lets it go.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/mutex.h"

namespace millrace {

/// Memory to be filled; a copy of the owner keeps the bytes.
struct FrameMemory {
  std::shared_ptr<std::byte[]> owner;
  std::span<std::byte> bytes;  // of the size asked for

  [[nodiscard]] explicit operator bool() const { return owner != nullptr; }
};

/// Safe from any thread. What it handed out may outlive it.
class FramePool {
 public:
  /// Keeps at most so many bytes for the next frames.
  explicit FramePool(std::size_t kept_bytes_max);

  /// Not initialised. Cost: a look at a list; memory of the system if that is empty, or the frame is larger than 4 MiB.
  [[nodiscard]] FrameMemory Take(std::size_t size);
  [[nodiscard]] std::size_t kept_bytes() const;

 private:
  class Shelf;
  const std::shared_ptr<Shelf> shelf_;
};

}  // namespace millrace
