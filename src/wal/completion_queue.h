// Callbacks that wait for a position to become durable, run in position order, one at a time, under no lock.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <thread>

#include "base/mutex.h"
#include "millrace/result.h"
#include "wal/wal.h"

namespace millrace {

/// Safe from any thread. A callback may add others.
class CompletionQueue {
 public:
  using Done = std::move_only_function<void(const Result<void>&)>;

  void Add(WalPosition end, Done done) MR_EXCLUDES(mutex_);
  [[nodiscard]] bool empty() const MR_EXCLUDES(mutex_);
  /// Everything that waits for `durable_end` or less may run; with `failure`, everything fails with it.
  void Release(WalPosition durable_end, const Error* failure) MR_EXCLUDES(mutex_);
  /// Runs what was released, unless another thread is at it: that one then runs it. A callback that throws ends the
  /// process: what comes after it would never be called.
  void RunReleased() noexcept MR_EXCLUDES(mutex_);
  /// The same, and returns only when no other thread runs any more. A callback may call it: what is left then runs
  /// after it.
  void RunAll() MR_EXCLUDES(mutex_);

 private:
  struct Waiting {
    WalPosition end;
    Done done;
  };
  struct Released {
    Done done;
    Result<void> result;
  };
  void CheckInvariants() const MR_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::deque<Waiting> waiting_ MR_GUARDED_BY(mutex_);  // ascending
  std::deque<Released> released_ MR_GUARDED_BY(mutex_);
  std::optional<std::thread::id> runner_ MR_GUARDED_BY(mutex_);
  CondVar idle_;
};

}  // namespace millrace
