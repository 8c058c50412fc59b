// Many want the same thing at the same moment: one fetches it, all get it. Nothing is kept afterwards.
//
//   Run ──► leads: fetches and lands ──► those waiting          one key
//   TryLead ... one fetch for all that was led ... Land each    many keys; Await those that others lead
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/limited_wait.h"
#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/result.h"

namespace millrace {

/// Value is copied to every waiter: make it cheap (SharedBytes, shared_ptr). Safe from any thread. A leader lands every
/// flight it leads, whatever happens; no lock is held while it fetches.
template <class Key, class Value, class Hash = std::hash<Key>>
class SingleFlight {
 public:
  struct Outcome {
    Result<Value> result;
    bool shared = false;  // another thread's call fetched it
  };

  /// Runs `fetch`, or waits for the one that runs for the same key already, as long as this thread's RequestScope lets
  /// it (kTimeout, kClosed; the flight goes on). An error goes to all who waited, and the next call tries again; but
  /// where the leader was ended by its own deadline or stop, those who waited fetch for themselves. `fetch` runs under
  /// no lock and must not ask for the same key.
  template <class Fetch>
  Outcome Run(const Key& key, Clock& clock, Fetch&& fetch) MR_EXCLUDES(mutex_) {
    for (;;) {
      const auto [flight, leads] = Join(key);
      if (leads) break;
      if (std::optional<Result<Value>> landed = Await(*flight, clock, "what another thread fetches"))
        return {*std::move(landed), true};
    }
    Result<Value> result = std::forward<Fetch>(fetch)();
    Land(key, result);
    return {std::move(result), false};
  }

  /// True: no thread fetches `key`; now the caller does, and must call Land. False: another does; Await it.
  bool TryLead(const Key& key) MR_EXCLUDES(mutex_) { return Join(key).leads; }
  /// The result of the flight in progress; nothing if none is (any more: look in the cache, then try to lead), or if
  /// its leader's own limits ended it. kTimeout, kClosed: the caller's limits did, `what` is named, and the flight goes
  /// on.
  std::optional<Result<Value>> Await(const Key& key, Clock& clock, std::string_view what) MR_EXCLUDES(mutex_) {
    std::shared_ptr<Flight> flight;
    {
      MutexLock lock(mutex_);
      const auto found = flights_.find(key);
      if (found == flights_.end()) return std::nullopt;
      flight = found->second;
    }
    return Await(*flight, clock, what);
  }
  /// Put the value into the cache first, so that no thread misses it in between.
  void Land(const Key& key, Result<Value> result) MR_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      const auto found = flights_.find(key);
      MR_CHECK(found != flights_.end());
      found->second->given_up = !result && IsOfOwnLimits(result.error());
      found->second->result = std::move(result);
      flights_.erase(found);
    }
    landed_.NotifyAll();
  }

 private:
  struct Flight {
    std::optional<Result<Value>> result;  // both guarded by mutex_ of the owner
    bool given_up = false;                // by its leader, whose own limits ended
  };
  struct Joined {
    std::shared_ptr<Flight> flight;
    bool leads = false;
  };

  Joined Join(const Key& key) MR_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto [entry, first] = flights_.try_emplace(key);
    if (first) entry->second = std::make_shared<Flight>();
    return {entry->second, first};
  }
  /// Nothing: its leader gave it up.
  std::optional<Result<Value>> Await(Flight& flight, Clock& clock, std::string_view what) MR_EXCLUDES(mutex_) {
    LimitedWait wait(mutex_, landed_, clock);
    MutexLock lock(mutex_);
    while (!flight.result) {
      Result<void> waited = wait.For(what, mutex_);
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
