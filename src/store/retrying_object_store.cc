#include "store/retrying_object_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/limited_wait.h"
#include "base/try.h"
#include "store/object_pieces.h"

namespace millrace {
namespace {

constexpr std::uint64_t kTenthsPerRetry = 10;
constexpr std::uint64_t kCompareBytes = 1 << 20;

}  // namespace

RetryingObjectStore::RetryingObjectStore(std::shared_ptr<ObjectStore> inner, const RetryOptions& options,
                                         const Clock& clock, Random& random,
                                         std::function<void(std::chrono::nanoseconds)> pause)
    : ForwardingObjectStore(std::move(inner)),
      options_(options),
      clock_(clock),
      random_(random),
      pause_(pause ? std::move(pause) : [this](std::chrono::nanoseconds time) { Sleep(time); }),
      budget_tenths_(options.budget * kTenthsPerRetry) {}

bool RetryingObjectStore::TakeFromBudget() {
  MutexLock lock(mutex_);
  if (budget_tenths_ < kTenthsPerRetry) return false;
  budget_tenths_ -= kTenthsPerRetry;
  ++retries_;
  return true;
}

void RetryingObjectStore::PayBack() {
  MutexLock lock(mutex_);
  budget_tenths_ = std::min(budget_tenths_ + 1, options_.budget * kTenthsPerRetry);
}

std::uint64_t RetryingObjectStore::retries() const {
  MutexLock lock(mutex_);
  return retries_;
}

std::chrono::nanoseconds RetryingObjectStore::Backoff(std::uint32_t attempt) {
  const auto doubled = options_.backoff_first * (std::int64_t{1} << std::min(attempt, 20u));
  const std::chrono::nanoseconds whole = std::min(doubled, options_.backoff_max);
  const auto half = static_cast<std::uint64_t>(whole.count()) / 2;
  return std::chrono::nanoseconds(half + (half == 0 ? 0 : random_.Below(half)));
}

void RetryingObjectStore::Sleep(std::chrono::nanoseconds time) {
  const auto until = DeadlineAfter(clock_.Monotonic(), time);
  LimitedWait wait(mutex_, never_, clock_);
  MutexLock lock(mutex_);
  while (clock_.Monotonic() < until && !LimitReached(clock_, "")) {
    wait.WaitFor(mutex_, TimeLeft(until, clock_.Monotonic()));
  }
}

Result<void> RetryingObjectStore::Around(const Subject& subject, const std::function<Result<void>()>& request) {
  const std::string what = fmt::format("{} {}", subject.verb, subject.name);
  if (const auto limit = LimitReached(clock_, what)) return limit->WithContext(Describe());
  const auto deadline = DeadlineInScope(clock_, options_.deadline);
  const RequestScope scope({.deadline = deadline});
  for (std::uint32_t attempt = 0;; ++attempt) {
    Result<void> result = request();
    if (result) {
      PayBack();
      return result;
    }
    if (!result.error().retryable()) return result;
    const auto told = [&](const Error& error) {
      return attempt == 0 ? error : error.WithContext(fmt::format("{} attempts", attempt + 1));
    };
    if (const auto limit = LimitReached(clock_, what)) {
      const bool says_so = result.error().code() == limit->code();
      return told(says_so ? result.error() : limit->WithContext(result.error().message()));
    }
    const auto wait = Backoff(attempt);
    const bool may_go_on = attempt + 1 < options_.attempts_max && wait < TimeLeft(deadline, clock_.Monotonic());
    if (!may_go_on || !TakeFromBudget()) return told(result.error());
    pause_(wait);
    if (const auto limit = LimitReached(clock_, what)) return told(limit->WithContext(result.error().message()));
  }
}

Result<bool> RetryingObjectStore::HoldsExactly(std::string_view key, std::span<const SharedBytes> pieces) {
  MR_ASSIGN_OR_RETURN(const ObjectDescription found, inner().Head(key));
  if (found.size_bytes != TotalBytes(pieces)) return false;
  std::uint64_t at = 0;
  for (const SharedBytes& piece : pieces) {
    for (std::uint64_t within = 0; within < piece.size(); within += kCompareBytes) {
      const std::uint64_t length = std::min<std::uint64_t>(kCompareBytes, piece.size() - within);
      MR_ASSIGN_OR_RETURN(const SharedBytes stored, inner().Get(key, {at + within, length}));
      if (stored.size() != length) {
        return Error(ErrorCode::kUnavailable, fmt::format("{}: body of {} came back short", Describe(), key));
      }
      if (std::memcmp(stored.data(), piece.data() + within, length) != 0) return false;
    }
    at += piece.size();
  }
  return true;
}

Result<void> RetryingObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  bool again = false;
  return Around({"put", key}, [&]() -> Result<void> {
    auto result = inner().Put(key, pieces, mode);
    const bool may_be_ours = mode == PutMode::kIfAbsent && std::exchange(again, true);
    if (result || !may_be_ours || result.error().code() != ErrorCode::kAlreadyExists) return result;
    MR_ASSIGN_OR_RETURN(const bool ours, HoldsExactly(key, pieces));
    if (ours) return {};
    return result;
  });
}

}  // namespace millrace
