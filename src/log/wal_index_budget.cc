#include "log/wal_index_budget.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace millrace {

bool WalIndexBudget::TryTake(std::uint64_t bytes, std::size_t slots) {
  MR_CHECK(slots > kFreeSlots, slots);
  // 16 slots may use all of it, 32 leave an eighth, 64 two eighths, up to six.
  const auto doublings = static_cast<std::uint64_t>(std::bit_width(slots / kFreeSlots)) - 2;
  const std::uint64_t within = bytes_max_ / 8 * (8 - std::min<std::uint64_t>(doublings, 6));
  std::uint64_t taken = bytes_.load(std::memory_order_relaxed);
  MR_CHECK(within <= bytes_max_, within, bytes_max_);
  while (taken <= within && bytes <= within - taken)
    if (bytes_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed)) return true;
  return false;
}

}  // namespace millrace
