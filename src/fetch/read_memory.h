// The budget of bytes that reads have in flight: reserved before a request is sent, released when its bytes are cached
// or handed on.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread.
class ReadMemory {
 public:
  ReadMemory(std::uint64_t bytes_max, Clock& clock) : bytes_max_(bytes_max), clock_(clock) {}
  ~ReadMemory();

  /// Gives its bytes back when destroyed.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(ReadMemory* memory, std::uint64_t bytes) : memory_(memory), bytes_(bytes) {}
    Reservation(Reservation&& other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation() { Release(); }
    void Release();
    /// A part of it with a life of its own. Precondition: no more than it has.
    Reservation Split(std::uint64_t bytes);

   private:
    ReadMemory* memory_ = nullptr;
    std::uint64_t bytes_ = 0;
  };

  /// Waits until `bytes` fit, first come, first served: a large one is not overtaken by small ones. More than the whole
  /// budget passes alone, when nothing else is in flight. Callers hold no other reservation that waits for this one.
  /// Errors: kTimeout, kClosed (the limits of this thread's RequestScope).
  Result<Reservation> Reserve(std::uint64_t bytes);
  /// For a prefetcher: never waits, passes no reader that waits, and leaves a quarter of the budget free.
  std::optional<Reservation> TryReserve(std::uint64_t bytes);

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::uint64_t bytes_peak() const;
  [[nodiscard]] std::uint64_t bytes_max() const { return bytes_max_; }
  /// What TryReserve grants together with all that is in flight.
  [[nodiscard]] std::uint64_t ahead_bytes_max() const { return bytes_max_ - bytes_max_ / 4; }

 private:
  void Give(std::uint64_t bytes);
  [[nodiscard]] bool Fits(std::uint64_t bytes) const MR_REQUIRES(mutex_);
  Reservation Take(std::uint64_t bytes) MR_REQUIRES(mutex_);
  void LeaveQueue(std::uint64_t ticket) MR_REQUIRES(mutex_);

  const std::uint64_t bytes_max_;
  Clock& clock_;
  mutable Mutex mutex_;
  CondVar changed_;                                          // bytes came back, or the queue moved
  std::deque<std::uint64_t> waiting_ MR_GUARDED_BY(mutex_);  // tickets, in the order they came
  std::uint64_t next_ticket_ MR_GUARDED_BY(mutex_) = 0;
  std::uint64_t bytes_ MR_GUARDED_BY(mutex_) = 0;
  std::uint64_t bytes_peak_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
