// Replies on their way out: slices for one gathered write. What is smaller than 4 KiB is copied together, so that a
// write of many small replies is one long slice; larger slices are only referred to.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "millrace/bytes.h"

namespace millrace {

/// One thread.
class OutboundBytes {
 public:
  static constexpr std::size_t kCopiedBelow = 4096;

  void Add(SharedBytes slice);
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// As many slices from the front as `into` has places for; how many. They stay valid until Written.
  std::size_t Gather(std::span<iovec> into) const;
  /// The first `count` bytes have left.
  void Written(std::size_t count);
  void Clear();

 private:
  /// Bytes that grow while no slice of them is out: [begin, size) of `copied`, or of `slice`.
  struct Piece {
    std::vector<std::byte> copied;
    SharedBytes slice;
    std::size_t begin = 0;

    [[nodiscard]] std::span<const std::byte> bytes() const {
      return (slice.empty() ? std::span<const std::byte>(copied) : slice.bytes()).subspan(begin);
    }
  };

  std::deque<Piece> pieces_;
  std::size_t size_ = 0;
};

}  // namespace millrace
