#include "server/byte_budget.h"

#include "base/check.h"

namespace millrace {

bool ByteBudget::TryTake(std::uint64_t bytes) {
  std::uint64_t before = taken_.load(std::memory_order_relaxed);
  do {
    if (bytes > bytes_max_ || before > bytes_max_ - bytes) return false;
  } while (!taken_.compare_exchange_weak(before, before + bytes));
  return true;
}

void ByteBudget::Give(std::uint64_t bytes) {
  if (bytes == 0) return;
  const std::uint64_t before = taken_.fetch_sub(bytes);
  MR_CHECK(before >= bytes, before, bytes);
  gifts_.fetch_add(1);
  if (!awaited_.load()) return;
  std::vector<std::move_only_function<void()>> woken;
  {
    const MutexLock lock(mutex_);
    woken.swap(waiting_);
    awaited_.store(false);
  }
  for (auto& again : woken) again();
}

void ByteBudget::AwaitBytes(std::move_only_function<void()> again) {
  const std::uint64_t seen = gifts_.load();
  {
    const MutexLock lock(mutex_);
    waiting_.push_back(std::move(again));
    awaited_.store(true);
  }
  // A gift between the caller's failed Take and the store above found no waiter.
  if (gifts_.load() == seen && taken_.load() != 0) return;
  std::vector<std::move_only_function<void()>> woken;
  {
    const MutexLock lock(mutex_);
    woken.swap(waiting_);
    awaited_.store(false);
  }
  for (auto& one : woken) one();
}

}  // namespace millrace
