// How much memory a piece of code holds at its peak, asked of the sanitizer's allocator.
#pragma once

#include <cstddef>

namespace millrace {

/// Counts what its thread allocates while it lives. One at a time.
class AllocationMeter {
 public:
  AllocationMeter();
  ~AllocationMeter();
  /// Most bytes held at once so far, of those allocated since the meter began.
  [[nodiscard]] std::size_t peak_bytes() const;
  /// Ends the process with a message if the peak is above `bytes_max`.
  void ExpectPeakWithin(std::size_t bytes_max) const;
};

/// What a decoder may hold before it decodes anything, for `received` bytes of input.
constexpr std::size_t AllocationBound(std::size_t received) { return 4 * received + (64 << 10); }

}  // namespace millrace
