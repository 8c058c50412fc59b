// Latencies in logarithmic buckets, each octave cut into 32: any value is known to within 3.2 %, in 15 KiB.
//
//   0 1 2 … 31 │ 32 … 63 in steps of 1 │ 64 … 127 in steps of 2 │ 128 … 255 in steps of 4 │ …
//
// After HdrHistogram's layout.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace millrace {

/// Counts values (nanoseconds, or any other unit) of up to 2^64 - 1. Record: safe from any thread, one relaxed add.
class Histogram {
 public:
  void Record(std::uint64_t value);
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }
  /// The smallest value known to be at or above `percent` of all (0 < percent <= 100): exact below 64, never below
  /// the true one, at most 3.2 % above; 0 if nothing was recorded. Percentile(100) is max().
  [[nodiscard]] std::uint64_t Percentile(double percent) const;

 private:
  static constexpr unsigned kStepBits = 5;
  static constexpr std::size_t kBuckets = (64 - kStepBits + 1) << kStepBits;
  static std::size_t BucketOf(std::uint64_t value);
  static std::uint64_t TopOf(std::size_t bucket);

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace millrace
