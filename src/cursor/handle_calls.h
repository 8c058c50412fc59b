// Counts the calls inside a handle in one atomic word, so that closing it can wait for them: every read of an entry
// passes here, often from many threads. As Gate, without its lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace millrace {

/// Safe from any thread.
///
///   word = 2 * calls inside + (shut ? 1 : 0)        the last to leave after it was shut wakes those who wait for 1
class HandleCalls {
 public:
  /// One call inside; leaves when destroyed. False: it was shut, do nothing.
  class Pass {
   public:
    explicit Pass(HandleCalls* gate) : gate_(gate) {}
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->Leave();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    HandleCalls* gate_;
  };

  [[nodiscard]] Pass Enter() {
    if ((word_.fetch_add(2, std::memory_order_acq_rel) & 1) == 0) [[likely]]
      return Pass(this);
    Leave();
    return Pass(nullptr);
  }
  /// Refuses every call from now on, without waiting.
  void Shut() { word_.fetch_or(1, std::memory_order_acq_rel); }
  [[nodiscard]] bool shut() const { return (word_.load(std::memory_order_acquire) & 1) != 0; }
  /// Precondition: it was shut. Blocks until no call is inside. Never from inside.
  void AwaitEmpty() const {
    for (std::uint32_t word = word_.load(std::memory_order_acquire); word != 1;
         word = word_.load(std::memory_order_acquire))
      word_.wait(word, std::memory_order_acquire);
  }

 private:
  void Leave() {
    if (word_.fetch_sub(2, std::memory_order_acq_rel) == 3) word_.notify_all();
  }

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace millrace
