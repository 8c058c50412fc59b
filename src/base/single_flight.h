// Many want the same thing at the same moment: one fetches it, all get it. Nothing is kept afterwards.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/limited_wait.h"
#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/result.h"

namespace millrace {

/// Value is copied to every waiter: make it cheap (SharedBytes, shared_ptr). Safe from any thread.
template <class Key, class Value, class Hash = std::hash<Key>>
class SingleFlight {
 public:
  struct Outcome {
    Result<Value> result;
    bool shared = false;  // somebody else's call fetched it
  };

  /// Runs `fetch`, or waits for the one that runs for the same key already, as long as this thread's RequestScope lets
  /// it (kTimeout, kClosed; the flight goes on). An error goes to all who waited, and the next call tries again; but
  /// where the leader was ended by his own deadline or stop, those who waited fetch for themselves. `fetch` runs under
  /// no lock and must not ask for the same key.
  template <class Fetch>
  Outcome Run(const Key& key, Clock& clock, Fetch&& fetch) MR_EXCLUDES(mutex_) {
    std::shared_ptr<Flight> flight;
    for (bool leads = false; !leads;) {
      {
        MutexLock lock(mutex_);
        auto [entry, first] = flights_.try_emplace(key);
        if (first) entry->second = std::make_shared<Flight>();
        flight = entry->second;
        leads = first;
      }
      if (leads) break;
      if (std::optional<Result<Value>> landed = Await(*flight, clock)) return {*std::move(landed), true};
    }
    Result<Value> result = std::forward<Fetch>(fetch)();
    {
      MutexLock lock(mutex_);
      flight->result = result;
      flight->given_up = !result && IsOfOwnLimits(result.error());
      flights_.erase(key);
    }
    landed_.NotifyAll();
    return {std::move(result), false};
  }

 private:
  struct Flight {
    std::optional<Result<Value>> result;  // both guarded by mutex_ of the owner
    bool given_up = false;                // by its leader, for reasons of his own
  };

  /// Nothing: its leader gave it up.
  std::optional<Result<Value>> Await(Flight& flight, Clock& clock) MR_EXCLUDES(mutex_) {
    LimitedWait wait(mutex_, landed_, clock);
    MutexLock lock(mutex_);
    while (!flight.result) {
      Result<void> waited = wait.For("what another thread fetches", mutex_);
      if (!waited) return std::move(waited).error();
    }
    if (flight.given_up) return std::nullopt;
    return *flight.result;
  }

  Mutex mutex_;
  CondVar landed_;
  std::unordered_map<Key, std::shared_ptr<Flight>, Hash> flights_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
