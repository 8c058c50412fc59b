#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace millrace {

std::size_t Histogram::BucketOf(std::uint64_t value) {
  if (value < (1U << kStepBits)) return value;
  const unsigned shift = std::bit_width(value) - 1 - kStepBits;
  return ((shift + 1ULL) << kStepBits) + ((value >> shift) - (1U << kStepBits));
}

std::uint64_t Histogram::TopOf(std::size_t bucket) {
  if (bucket < (1U << kStepBits)) return bucket;
  const unsigned shift = static_cast<unsigned>(bucket >> kStepBits) - 1;
  const std::uint64_t step = (bucket & ((1U << kStepBits) - 1)) + (1U << kStepBits);
  return (step << shift) + ((1ULL << shift) - 1);
}

void Histogram::Record(std::uint64_t value) {
  buckets_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
  std::uint64_t max = max_.load(std::memory_order_relaxed);
  while (value > max && !max_.compare_exchange_weak(max, value, std::memory_order_relaxed)) {
  }
}

std::uint64_t Histogram::count() const {
  std::uint64_t count = 0;
  for (const auto& bucket : buckets_) count += bucket.load(std::memory_order_relaxed);
  return count;
}

std::uint64_t Histogram::Percentile(double percent) const {
  const std::uint64_t all = count();
  if (all == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(percent / 100 * static_cast<double>(all)));
  std::uint64_t below = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    below += buckets_[bucket].load(std::memory_order_relaxed);
    if (below >= std::max<std::uint64_t>(rank, 1)) return std::min(TopOf(bucket), max());
  }
  return max();
}

}  // namespace millrace
