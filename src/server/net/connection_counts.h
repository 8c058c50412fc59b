// How many connections there are, in all and from each address.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/mutex.h"

namespace millrace {

/// Safe from any thread.
class ConnectionCounts {
 public:
  ConnectionCounts(std::uint32_t all_max, std::uint32_t address_max) : all_max_(all_max), address_max_(address_max) {}

  enum class Outcome { kEntered, kFull, kAddressFull };
  [[nodiscard]] Outcome Enter(const std::string& address) MR_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (all_ == all_max_) return Outcome::kFull;
    std::uint32_t& count = by_address_[address];
    if (count == address_max_) return Outcome::kAddressFull;
    ++count;
    ++all_;
    return Outcome::kEntered;
  }
  void Leave(const std::string& address) MR_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    --all_;
    const auto place = by_address_.find(address);
    if (--place->second == 0) by_address_.erase(place);
  }
  [[nodiscard]] std::uint32_t all() const MR_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return all_;
  }

 private:
  const std::uint32_t all_max_, address_max_;
  mutable Mutex mutex_;
  std::uint32_t all_ MR_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::uint32_t> by_address_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
