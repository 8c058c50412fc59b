// Numbers that many threads raise and one reads now and then.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace {

/// Only grows. Safe from any thread; orders nothing.
class Counter {
 public:
  void Add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Goes up and down: bytes held, work in flight. Safe from any thread; orders nothing.
class Gauge {
 public:
  void Add(std::int64_t change) { value_.fetch_add(change, std::memory_order_relaxed); }
  void Set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

}  // namespace millrace
