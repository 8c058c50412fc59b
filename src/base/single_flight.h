// Many want the same thing at the same moment: one fetches it, all get it. Nothing is kept afterwards.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
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

  /// Runs `fetch`, or waits for the one that runs for the same key already. An error goes to all who waited; the next
  /// call tries again. `fetch` runs under no lock and must not ask for the same key.
  template <class Fetch>
  Outcome Run(const Key& key, Fetch&& fetch) MR_EXCLUDES(mutex_) {
    std::shared_ptr<Flight> flight;
    {
      MutexLock lock(mutex_);
      auto [entry, first] = flights_.try_emplace(key);
      if (!first) {
        flight = entry->second;
        while (!flight->result) landed_.Wait(mutex_);
        return {*flight->result, true};
      }
      flight = entry->second = std::make_shared<Flight>();
    }
    Result<Value> result = std::forward<Fetch>(fetch)();
    {
      MutexLock lock(mutex_);
      flight->result = result;
      flights_.erase(key);
    }
    landed_.NotifyAll();
    return {std::move(result), false};
  }

 private:
  struct Flight {
    std::optional<Result<Value>> result;  // guarded by mutex_ of the owner
  };

  Mutex mutex_;
  CondVar landed_;
  std::unordered_map<Key, std::shared_ptr<Flight>, Hash> flights_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
