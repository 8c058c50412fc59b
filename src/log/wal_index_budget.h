// The memory of all WAL indexes of an engine. Partitions are many and each has a few entries: only together do they
// weigh, so the bound is one for all.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace millrace {

/// Safe from any thread. An index that may not grow makes its intervals longer instead (WalIndex); it never fails.
class WalIndexBudget {
 public:
  /// What the smallest index may hold whatever the budget says: without a few entries a read would begin anywhere.
  static constexpr std::size_t kFreeSlots = 8;

  /// `bytes_max`: beyond the free slots.
  explicit WalIndexBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  /// For an index that will have `slots` then. The larger it is, the more it must leave to others: a log that is late
  /// finds room for a small one.
  [[nodiscard]] bool TryTake(std::uint64_t bytes, std::size_t slots);
  void Give(std::uint64_t bytes) {
    const std::uint64_t taken = bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    MR_CHECK(taken >= bytes, taken, bytes);
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes_max() const { return bytes_max_; }

 private:
  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace millrace
