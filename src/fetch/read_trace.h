// What a read tells of itself, for its explanation: what it asked of the object store, what it shared with others, what
// it waited for.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "fetch/read_counters.h"
#include "fetch/requests_ahead.h"
#include "millrace/clock.h"
#include "millrace/object_store.h"
#include "millrace/read.h"

namespace millrace {

/// What a read waits for.
enum class WaitCause { kSync, kStore, kShared, kMemory, kCache };

/// Of one read; kept by one thread at a time.
struct ReadTrace {
  ReadCounters& counters;
  Clock& clock;
  ReadExplanation& explanation;
  RequestsAhead* ahead = nullptr;  // not null: the requests are told of by the reads they are made for

  void CountRequest(const std::string& object, ByteRange range);
  void CountShared();
  /// Runs `call` and counts its time.
  template <class Call>
  auto Wait(WaitCause cause, Call&& call) {
    const std::chrono::nanoseconds begun = clock.Monotonic();
    auto result = std::forward<Call>(call)();
    CountWait(cause, clock.Monotonic() - begun);
    return result;
  }
  void CountWait(WaitCause cause, std::chrono::nanoseconds time);
};

}  // namespace millrace
