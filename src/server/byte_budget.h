// Bytes of requests in flight, counted before their memory is had: one budget for the whole server, and a share of it
// for each connection. Where one is short, that socket is not read until bytes come back.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace millrace {

/// Safe from any thread.
class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  /// False: there are not so many left, and nothing was taken.
  [[nodiscard]] bool TryTake(std::uint64_t bytes);
  void Give(std::uint64_t bytes) MR_EXCLUDES(mutex_);
  /// Calls `again` once, on any thread, after bytes were given back: at once if bytes came back meanwhile. It may not
  /// take or give.
  void AwaitBytes(std::move_only_function<void()> again) MR_EXCLUDES(mutex_);

  [[nodiscard]] std::uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes_max() const { return bytes_max_; }

 private:
  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> taken_{0}, gifts_{0};
  std::atomic<bool> awaited_{false};
  Mutex mutex_;
  std::vector<std::move_only_function<void()>> waiting_ MR_GUARDED_BY(mutex_);
};

/// What one connection holds of the budget. Of the loop's thread; the budget outlives it.
class ConnectionBytes {
 public:
  ConnectionBytes(ByteBudget& budget, std::uint64_t bytes_max) : budget_(budget), bytes_max_(bytes_max) {}
  ConnectionBytes(const ConnectionBytes&) = delete;
  ConnectionBytes& operator=(const ConnectionBytes&) = delete;
  ~ConnectionBytes() { budget_.Give(held_); }

  enum class Outcome { kTaken, kShareShort, kBudgetShort };
  /// A connection that holds nothing may take more than its share, or a large frame would never come in.
  [[nodiscard]] Outcome Take(std::uint64_t bytes) {
    if (held_ != 0 && (bytes > bytes_max_ || held_ > bytes_max_ - bytes)) return Outcome::kShareShort;
    if (!budget_.TryTake(bytes)) return Outcome::kBudgetShort;
    held_ += bytes;
    return Outcome::kTaken;
  }
  /// Takes `bytes` in the place of `given`, which it holds; otherwise holds on to `given`.
  [[nodiscard]] Outcome Exchange(std::uint64_t given, std::uint64_t bytes) {
    const std::uint64_t rest = held_ - given;
    if (rest != 0 && (bytes > bytes_max_ || rest > bytes_max_ - bytes)) return Outcome::kShareShort;
    if (!budget_.TryTake(bytes)) return Outcome::kBudgetShort;
    held_ += bytes;
    Give(given);
    return Outcome::kTaken;
  }
  void Give(std::uint64_t bytes) {
    held_ -= bytes;
    budget_.Give(bytes);
  }
  [[nodiscard]] std::uint64_t held() const { return held_; }
  [[nodiscard]] ByteBudget& budget() const { return budget_; }

 private:
  ByteBudget& budget_;
  const std::uint64_t bytes_max_;
  std::uint64_t held_ = 0;
};

}  // namespace millrace
