#include "base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/deadline.h"

namespace millrace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t), "the kernel looks at the word itself");

bool FutexWait(std::atomic<std::uint32_t>& word, std::uint32_t seen, std::optional<std::chrono::nanoseconds> timeout) {
  timespec limit = {};
  const bool limited = timeout && *timeout != kNever;
  if (limited) {
    const auto left = Saturated(*timeout);
    limit.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000);
    limit.tv_nsec = static_cast<long>(left.count() % 1'000'000'000);
  }
  const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, limited ? &limit : nullptr, nullptr, 0);
  return result == 0 || errno != ETIMEDOUT;
}

void FutexWake(std::atomic<std::uint32_t>* word, int threads) {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, nullptr, nullptr, 0);
}

}  // namespace millrace
