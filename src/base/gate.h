// Counts work in flight so that closing can wait for it: enter, work, leave; Close refuses the next and waits for the
// last. After Seastar's gate, with threads.
#pragma once

#include <cstdint>
#include <utility>

#include "base/mutex.h"

namespace millrace {

/// Safe from any thread.
class Gate {
 public:
  /// One piece of work inside; leaves when destroyed. False: the gate was closed, do nothing.
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&& other) noexcept {
      Leave();
      gate_ = std::exchange(other.gate_, nullptr);
      return *this;
    }
    ~Pass() { Leave(); }
    explicit operator bool() const { return gate_ != nullptr; }
    void Leave();

   private:
    friend class Gate;
    explicit Pass(Gate* gate) : gate_(gate) {}
    Gate* gate_ = nullptr;
  };

  Gate() = default;
  /// No work may be inside.
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  [[nodiscard]] Pass Enter() MR_EXCLUDES(mutex_);
  /// Refuses every entry from now on and blocks until all work has left. May be called again. Never from inside.
  void Close() MR_EXCLUDES(mutex_);
  /// Refuses every entry from now on, without waiting.
  void Shut() MR_EXCLUDES(mutex_);
  [[nodiscard]] bool closed() const MR_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t inside() const MR_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  CondVar empty_;
  std::uint64_t inside_ MR_GUARDED_BY(mutex_) = 0;
  bool closed_ MR_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
