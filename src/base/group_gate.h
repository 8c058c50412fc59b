// Where threads wait for their group: one futex word per group, woken at once. It also knows how many callers to expect
// in the next group, so that a leader does not close it while most of them are still on their way.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "millrace/clock.h"

namespace millrace {

/// Groups are numbered; at any moment one is open and at most one is being synced, so two words are enough. Calls that
/// change anything are made under the log's mutex; Wait and Wake* are not.
class GroupGate {
 public:
  struct Ticket {
    std::uint64_t group = 0;
    std::uint32_t seen = 0;
  };

  [[nodiscard]] std::uint64_t open_group() const { return open_group_; }
  /// Counts a caller into `group` (the open one, or the one before it).
  void Join(std::uint64_t group) { joined(group).fetch_add(1, std::memory_order_relaxed); }
  /// Take under the mutex, then Wait without it.
  Ticket Enter(std::uint64_t group);
  /// Until the group's word moves, or `timeout` passes (false). May wake for nothing.
  bool Wait(const Ticket& ticket, std::optional<std::chrono::nanoseconds> timeout);

  /// The open group closes; returns its number. The next one opens.
  std::uint64_t Close();
  /// `group` is done: its callers count towards what is expected next time. Returns whether anybody waits there.
  bool Complete(std::uint64_t group);
  /// Is anybody waiting in the open group? Then somebody must lead it.
  [[nodiscard]] bool OpenGroupHasWaiters() const { return waiters(open_group_) > 0; }
  void WakeAll(std::uint64_t group);
  void WakeOne(std::uint64_t group);

  /// How many callers a leader should see joined before it closes.
  [[nodiscard]] std::uint32_t expected() const { return (expected_sixteenths_ + 8) / 16; }
  [[nodiscard]] std::uint32_t joined_open() const { return joined_[open_group_ & 1].load(std::memory_order_relaxed); }
  /// What a leader does before it closes: yields until they have joined, at most for `patience`.
  void AwaitJoiners(Clock& clock, std::chrono::nanoseconds patience) const;

 private:
  std::atomic<std::uint32_t>& joined(std::uint64_t group) { return joined_[group & 1]; }
  [[nodiscard]] std::uint32_t waiters(std::uint64_t group) const {
    return waiting_[group & 1].load(std::memory_order_relaxed);
  }

  std::uint64_t open_group_ = 1;  // under the log's mutex
  std::uint32_t expected_sixteenths_ = 16;
  std::array<std::atomic<std::uint32_t>, 2> joined_{};
  std::array<std::atomic<std::uint32_t>, 2> waiting_{};
  struct alignas(64) Word {
    std::atomic<std::uint32_t> value{0};
  };
  std::array<Word, 2> words_;
};

}  // namespace millrace
