// One call on behalf of all who need its result at the same time: the first makes it, the others wait for its outcome.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/limited_wait.h"
#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread. No lock is held during a call.
template <class T>
class SharedCall {
 public:
  /// `clock` outlives it.
  explicit SharedCall(const Clock& clock) : clock_(clock) {}

  /// What `call` gives, made here or by another thread meanwhile; a failure is shared like a success. A call that ended
  /// because its own caller waits no longer tells the others nothing: one of them makes it anew. Each waits within its
  /// own limits (RequestScope); `what` is named when they end.
  Result<T> Run(std::string_view what, const std::function<Result<T>()>& call) MR_EXCLUDES(mutex_) {
    LimitedWait wait(mutex_, ended_, clock_);
    for (;;) {
      std::shared_ptr<Flight> flight;
      {
        MutexLock lock(mutex_);
        if (!flight_) {
          flight_ = flight = std::make_shared<Flight>();
        } else {
          const std::shared_ptr<Flight> joined = flight_;
          ++waiting_;
          std::optional<Error> limit;
          while (!joined->ended && !(limit = LimitReached(clock_, what))) wait.Wait(mutex_);
          --waiting_;
          if (joined->result) return *joined->result;
          if (limit) return *std::move(limit);
          continue;
        }
      }
      return Lead(flight, what, call);
    }
  }

  /// Threads that wait for another thread's call.
  [[nodiscard]] std::size_t waiting() const MR_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return waiting_;
  }

 private:
  struct Flight {
    bool ended = false;
    std::optional<Result<T>> result;  // none: its caller gave up
  };

  Result<T> Lead(const std::shared_ptr<Flight>& flight, std::string_view what, const std::function<Result<T>()>& call)
      MR_EXCLUDES(mutex_) {
    Result<T> result = call();
    const bool gave_up = !result && LimitReached(clock_, what);
    {
      MutexLock lock(mutex_);
      flight->ended = true;
      if (!gave_up) flight->result = result;
      flight_.reset();
    }
    ended_.NotifyAll();
    return result;
  }

  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar ended_;
  std::shared_ptr<Flight> flight_ MR_GUARDED_BY(mutex_);  // the call under way
  std::size_t waiting_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
