// Blocks being fetched right now. A reader that misses a run of blocks leads those nobody fetches yet, with one request
// for all of them, and waits for the others.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/limited_wait.h"
#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread. A leader lands every flight it leads, whatever happens; no lock is held while it fetches.
template <class Key, class Value, class Hash>
class BlockFlights {
 public:
  /// True: nobody fetches `key`, and now the caller does: it must call Land. False: somebody does; Await it.
  bool TryLead(const Key& key) {
    MutexLock lock(mutex_);
    return flights_.try_emplace(key, std::make_shared<Flight>()).second;
  }
  /// The result of the flight in progress; nothing if none is (any more: look in the cache, then try to lead), or if
  /// its leader's own limits ended it. kTimeout, kClosed: the caller's limits did, and the flight goes on.
  std::optional<Result<Value>> Await(const Key& key, Clock& clock) {
    LimitedWait wait(mutex_, landed_, clock);
    MutexLock lock(mutex_);
    const auto found = flights_.find(key);
    if (found == flights_.end()) return std::nullopt;
    const std::shared_ptr<Flight> flight = found->second;
    while (!flight->result) {
      Result<void> waited = wait.For("blocks that another reader fetches", mutex_);
      if (!waited) return std::move(waited).error();
    }
    if (flight->given_up) return std::nullopt;
    return flight->result;
  }
  /// Put the value into the cache first, so that nobody misses it in between.
  void Land(const Key& key, Result<Value> result) {
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
    bool given_up = false;                // by its leader, for reasons of his own
  };

  Mutex mutex_;
  CondVar landed_;
  std::unordered_map<Key, std::shared_ptr<Flight>, Hash> flights_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
