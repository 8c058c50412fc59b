// Readers that wait for an offset to become visible: a ticket and a call each. A long poll parks here and costs nothing
// until there is something for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "millrace/types.h"

namespace millrace {

using WakeCall = std::move_only_function<void()>;

/// Not thread-safe: guarded by its log's mutex. Calls are taken out under it and run after it is released.
class OffsetWaiters {
 public:
  [[nodiscard]] bool empty() const { return waiters_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiters_.size(); }

  std::uint64_t Add(Offset offset, WakeCall wake) {
    const std::uint64_t ticket = ++last_ticket_;
    waiters_.emplace(std::pair(offset, ticket), std::move(wake));
    offsets_.emplace(ticket, offset);
    MR_DCHECK(waiters_.size() == offsets_.size(), waiters_.size(), offsets_.size());
    return ticket;
  }
  /// False: unknown, or already taken.
  bool Remove(std::uint64_t ticket) {
    const auto found = offsets_.find(ticket);
    if (found == offsets_.end()) return false;
    waiters_.erase({found->second, ticket});
    offsets_.erase(found);
    MR_CHECK(waiters_.size() == offsets_.size(), ticket, waiters_.size(), offsets_.size());
    return true;
  }
  /// The waiters for something below `visible_end`, in order of offset and arrival.
  void TakeBelow(Offset visible_end, std::vector<WakeCall>& taken) {
    while (!waiters_.empty() && waiters_.begin()->first.first < visible_end) TakeFirst(taken);
  }
  void TakeAll(std::vector<WakeCall>& taken) {
    while (!waiters_.empty()) TakeFirst(taken);
  }

 private:
  void TakeFirst(std::vector<WakeCall>& taken) {
    auto first = waiters_.begin();
    offsets_.erase(first->first.second);
    taken.push_back(std::move(first->second));
    waiters_.erase(first);
    MR_DCHECK(waiters_.size() == offsets_.size(), waiters_.size(), offsets_.size());
  }

  std::map<std::pair<Offset, std::uint64_t>, WakeCall> waiters_;
  std::unordered_map<std::uint64_t, Offset> offsets_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace millrace
