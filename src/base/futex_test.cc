// Goal: a thread sleeps only while its word is what it saw, wakes by a wake or by its timeout, and tells which.
#include "base/futex.h"

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>
#include <ctime>
#include <thread>

#include "base/deadline.h"
#include "base/futex_hold_up.h"

#ifdef MR_FUTEX_HOLD_UP
/// In the place of the C library's.
extern "C" long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const auto call = [](long n, const long* with) {
    long result;
    register long r10 asm("r10") = with[3];
    register long r8 asm("r8") = with[4];
    register long r9 asm("r9") = with[5];
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(n), "D"(with[0]), "S"(with[1]), "d"(with[2]), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
  };
  const bool waits = (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT;
  if (number == SYS_futex && millrace::FutexHoldUp::on && (waits || millrace::FutexHoldUp::wakes_too)) {
    ++millrace::FutexHoldUp::calls;
    const timespec pause = {.tv_sec = 0, .tv_nsec = 300'000};
    const long sleep[6] = {reinterpret_cast<long>(&pause), 0, 0, 0, 0, 0};
    (void)call(SYS_nanosleep, sleep);
  }
  const long result = call(number, a);
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}
#endif

namespace millrace {
namespace {

TEST(FutexTest, AWordThatHasMovedLetsNobodySleep) {
  std::atomic<std::uint32_t> word{7};
  EXPECT_TRUE(FutexWait(word, 6, std::nullopt));
}

TEST(FutexTest, ATimeoutEndsASleepAndIsTold) {
  std::atomic<std::uint32_t> word{7};
  EXPECT_FALSE(FutexWait(word, 7, std::chrono::microseconds(1)));
  EXPECT_FALSE(FutexWait(word, 7, std::chrono::nanoseconds(0)));
  EXPECT_FALSE(FutexWait(word, 7, std::chrono::nanoseconds(-5)));  // it has passed
}

TEST(FutexTest, AWakeEndsASleepThatHasNoTimeout) {
  for (const auto timeout : {std::optional<std::chrono::nanoseconds>(), std::optional(kNever)}) {
    std::atomic<std::uint32_t> word{0};
    std::jthread sleeper([&] {
      while (word == 0) EXPECT_TRUE(FutexWait(word, 0, timeout));
    });
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    word = 1;
    FutexWake(&word, 1);
  }
}

}  // namespace
}  // namespace millrace
