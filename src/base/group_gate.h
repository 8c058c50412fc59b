// Where threads wait for their group, and who leads the next one. One futex word per group, woken at once. It also
// knows how many callers to expect in the next group, so that a leader does not close it while most of them are still
// on their way.
//
//   look (mutex) ──► durable, failed, closed: done
//        │   └─────► TryLead ──► Close ──► I/O ──► Complete, EndLead (mutex) ──► Send ──► look
//        └─► Enter ──► Wait ──► look
//
// Why no caller sleeps for ever. A caller enters under the mutex, after it saw that another one leads. It sleeps only
// while its word is what it saw then. The thread that ends the reason to sleep (the group is complete, the leader is
// gone, everything failed) changes the word under the mutex, if a caller waits there, and sends the wake after it: to
// one, if one is enough to lead the others, else to all. So a caller finds the word changed, or sleeps when the wake
// comes. A woken caller looks again before it leaves: it leads, or another one does, and wakes the next when it ends.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "millrace/clock.h"

namespace millrace {

/// Groups are numbered; at any moment one is open and those before it are being synced or done; two words are enough.
/// Calls that change anything are made under the log's mutex; Wait, Moved and Send are not (Send may be).
class GroupGate {
 public:
  struct Ticket {
    std::uint64_t group = 0;
    std::uint32_t seen = 0;
  };
  /// How many threads to wake at each word. What a call returns must be sent.
  struct [[nodiscard]] Wakes {
    std::array<int, 2> threads{};
    Wakes& operator+=(const Wakes& more) {
      for (std::size_t i = 0; i < threads.size(); ++i) threads[i] = std::max(threads[i], more.threads[i]);
      return *this;
    }
  };

  /// False: another caller leads already.
  [[nodiscard]] bool TryLead() { return !led_ && (led_ = true); }
  [[nodiscard]] bool led() const { return led_; }
  /// The leader's last act, wherever leadership ends: one of the callers that wait takes over.
  Wakes EndLead();

  [[nodiscard]] std::uint64_t open_group() const { return open_group_; }
  /// The group to wait for: the open one, or, for what that does not cover any more, the one on its way.
  [[nodiscard]] std::uint64_t GroupOf(bool closed) const {
    return closed && completed_ + 1 < open_group_ ? open_group_ - 1 : open_group_;
  }
  /// Counts a caller into `group` (the open one, or the one before it).
  void Join(std::uint64_t group) { joined(group).fetch_add(1, std::memory_order_relaxed); }
  /// Take under the mutex, while another caller leads, then Wait without it.
  Ticket Enter(std::uint64_t group);
  /// There is something to look at since `ticket` was taken; Wait returns at once.
  [[nodiscard]] bool Moved(const Ticket& ticket) const {
    return words_[ticket.group & 1].value.load(std::memory_order_acquire) != ticket.seen;
  }
  /// Until the group's word moves, or `timeout` passes (false). May wake for nothing. The largest timeout is none.
  bool Wait(const Ticket& ticket, std::optional<std::chrono::nanoseconds> timeout);

  /// The open group closes; returns its number. The next one opens.
  std::uint64_t Close();
  /// `group` is done: its callers count towards what is expected next time, and all of them look again.
  Wakes Complete(std::uint64_t group);
  /// Everything failed, or is closed: all that wait look again.
  Wakes RouseAll();
  void Send(const Wakes& wakes);

  /// How many callers a leader should see joined before it closes.
  [[nodiscard]] std::uint32_t expected() const { return (expected_sixteenths_ + 8) / 16; }
  [[nodiscard]] std::uint32_t joined_open() const { return joined_[open_group_ & 1].load(std::memory_order_relaxed); }
  /// What a leader does before it closes: yields until they have joined, at most for `patience`.
  void AwaitJoiners(Clock& clock, std::chrono::nanoseconds patience) const;

 private:
  std::atomic<std::uint32_t>& joined(std::uint64_t group) { return joined_[group & 1]; }
  /// Changes the word if a caller waits there; then `threads` of them are to be woken.
  Wakes Move(std::size_t word, int threads);

  bool led_ = false;  // under the log's mutex, as the next three
  std::uint64_t open_group_ = 1, completed_ = 0;
  std::uint32_t expected_sixteenths_ = 16;
  std::array<std::atomic<std::uint32_t>, 2> joined_{};
  std::array<std::atomic<std::uint32_t>, 2> waiting_{};  // grows under the mutex, shrinks without
  struct alignas(64) Word {
    std::atomic<std::uint32_t> value{0};
  };
  std::array<Word, 2> words_;
};

}  // namespace millrace
