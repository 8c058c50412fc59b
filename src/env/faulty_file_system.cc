#include "env/faulty_file_system.h"

#include <utility>

namespace millrace {

void FaultyFileSystem::SetPlan(Plan plan) {
  auto shared = plan ? std::make_shared<const Plan>(std::move(plan)) : nullptr;
  MutexLock lock(mutex_);
  plan_ = std::move(shared);
}

void FaultyFileSystem::FailCall(std::uint64_t n, Error error) {
  SetPlan([n, error](std::uint64_t call) { return call == n ? std::optional(error) : std::nullopt; });
}

std::uint64_t FaultyFileSystem::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

Result<void> FaultyFileSystem::Before() {
  std::shared_ptr<const Plan> plan;
  std::uint64_t call = 0;
  {
    MutexLock lock(mutex_);
    call = ++calls_;
    plan = plan_;
  }
  if (!plan) return {};
  if (auto error = (*plan)(call)) return *std::move(error);
  return {};
}

}  // namespace millrace
