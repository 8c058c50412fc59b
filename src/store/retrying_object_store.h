// Repeats what may be repeated: within a budget shared by all callers, with jitter, up to a deadline. There is one of
// these above a store and no more, for repetitions of repetitions multiply.
//
// The limits of the calling thread (RequestScope) hold for all attempts and the pauses between them; an attempt is
// given no more time than is left until the deadline of the whole.
//
// Everything here can be repeated: gets, heads, listings and deletes by nature, an overwriting put because it brings
// the same bytes. A put-if-absent whose outcome is unknown is not simply repeated: what is under the key by then is
// compared with what was sent, so that our own first attempt is not taken for another writer's object.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/mutex.h"
#include "env/random.h"
#include "millrace/clock.h"
#include "store/forwarding_object_store.h"

namespace millrace {

struct RetryOptions {
  std::uint32_t attempts_max = 6;               // of one request, the first included
  std::chrono::milliseconds backoff_first{50};  // doubles; the wait is uniform in [half, whole] of it
  std::chrono::milliseconds backoff_max{5'000};
  std::chrono::milliseconds deadline{60'000};  // of one request with all its attempts
  /// Retries all callers may have outstanding beyond what successes pay back (one retry per ten successes): a store
  /// that is down is not hammered.
  std::uint32_t budget = 100;
};

/// Safe from any thread. Errors: the last attempt's, with the number of attempts; kTimeout or kClosed if the caller's
/// limits had ended before the first.
class RetryingObjectStore final : public ForwardingObjectStore {
 public:
  /// `clock` and `random` (for the jitter) outlive the store. `pause` lets time pass (the simulator's advances its
  /// clock) or ends early; null sleeps, within the limits of the thread.
  RetryingObjectStore(std::shared_ptr<ObjectStore> inner, const RetryOptions& options, const Clock& clock,
                      Random& random, std::function<void(std::chrono::nanoseconds)> pause = {});

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override;

  [[nodiscard]] std::uint64_t retries() const;

 private:
  Result<void> Around(const Subject& subject, const std::function<Result<void>()>& request) override;
  void Sleep(std::chrono::nanoseconds time);
  bool TakeFromBudget();
  void PayBack();
  std::chrono::nanoseconds Backoff(std::uint32_t attempt);
  Result<bool> HoldsExactly(std::string_view key, std::span<const SharedBytes> pieces);

  const RetryOptions options_;
  const Clock& clock_;
  Random& random_;
  const std::function<void(std::chrono::nanoseconds)> pause_;
  mutable Mutex mutex_;
  CondVar never_;  // a caller that sleeps is woken by its limits alone
  std::uint64_t retries_ MR_GUARDED_BY(mutex_) = 0;
  std::uint64_t budget_tenths_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
