// How often and how fast to try again. A call has a number of attempts with growing, jittered pauses; all calls
// together have a budget, so that a sick store is not beaten to death by everybody's retries.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/mutex.h"

namespace millrace {

/// The pauses between the attempts of one call: doubling from `first` to `longest`, each drawn from [half, whole].
/// Does not sleep and reads no clock: the caller does.
struct Backoff {
  std::chrono::nanoseconds first = std::chrono::milliseconds(50);
  std::chrono::nanoseconds longest = std::chrono::seconds(5);
  /// The pause after attempt number `attempt` (from 1). `random`: any 64 random bits.
  [[nodiscard]] std::chrono::nanoseconds Pause(unsigned attempt, std::uint64_t random) const;
  /// The same, or nothing if the pause would end at or past the deadline.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> Pause(unsigned attempt, std::uint64_t random,
                                                              std::chrono::nanoseconds now,
                                                              std::optional<std::chrono::nanoseconds> deadline) const;
};

/// A bucket of tokens shared by all calls: a first attempt earns `earn_percent` / 100 of a token, a retry costs one.
/// Safe from any thread. Source: the retry token bucket of the AWS SDKs and gRPC's retry throttling.
class RetryBudget {
 public:
  struct Options {
    std::uint32_t tokens_max = 100;   // a burst of this many retries is always allowed
    std::uint32_t earn_percent = 20;  // in the long run at most this many retries per 100 first attempts
  };
  RetryBudget() : RetryBudget(Options{}) {}
  explicit RetryBudget(Options options) : options_(options), tokens_(std::uint64_t{options.tokens_max} * 100) {}

  void OnFirstAttempt() MR_EXCLUDES(mutex_);
  /// May this call try again? Takes a token.
  [[nodiscard]] bool TryRetry() MR_EXCLUDES(mutex_);

 private:
  const Options options_;
  Mutex mutex_;
  std::uint64_t tokens_ MR_GUARDED_BY(mutex_);  // in hundredths
};

}  // namespace millrace
