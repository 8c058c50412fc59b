// How long gets take lately, to tell one that is slow; and how many of them may be sent twice.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutex.h"

namespace millrace {

/// The 95th percentile of the last answers, apart by size, for a large body takes longer by right. Safe from any
/// thread.
class LatencyTracker {
 public:
  void Record(std::uint64_t bytes, std::chrono::nanoseconds took) MR_EXCLUDES(mutex_);
  /// None before there were enough answers of this size to tell.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> Percentile95(std::uint64_t bytes) const MR_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kClasses = 5;   // up to 64 KiB, 1 MiB, 4 MiB, 16 MiB, above
  static constexpr std::size_t kKept = 200;    // answers of a class
  static constexpr std::size_t kEnough = 20;   // before a percentile is told
  static constexpr std::size_t kRefresh = 10;  // answers between two sorts
  static std::size_t ClassOf(std::uint64_t bytes);

  struct Class {
    std::vector<std::chrono::nanoseconds> recent;  // a ring
    std::size_t next = 0;
    std::uint64_t recorded = 0;
    std::chrono::nanoseconds percentile{};
  };

  mutable Mutex mutex_;
  std::array<Class, kClasses> classes_ MR_GUARDED_BY(mutex_);
};

/// Lets at most `percent` of the requests be sent a second time: each first one earns that part of a second. Safe from
/// any thread.
class HedgeBudget {
 public:
  explicit HedgeBudget(std::uint32_t percent = 5) : percent_(percent) {}

  void OnRequest() MR_EXCLUDES(mutex_);
  [[nodiscard]] bool TryHedge() MR_EXCLUDES(mutex_);

 private:
  static constexpr std::uint64_t kHundredthsMax = 100 * 32;  // saved up for bad moments

  const std::uint32_t percent_;
  Mutex mutex_;
  std::uint64_t hundredths_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
