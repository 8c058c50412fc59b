// For tests: every call of the kernel's futex is held up for a moment before a thread falls asleep or wakes another, as
// it is by the scheduler of a busy machine. Only where a test can stand in for the C library's call, which
// ThreadSanitizer has its own of: MR_FUTEX_HOLD_UP says whether.
#pragma once

#include <atomic>

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#if !defined(__has_feature)
#define MR_FUTEX_HOLD_UP
#elif !__has_feature(thread_sanitizer)
#define MR_FUTEX_HOLD_UP
#endif
#endif

namespace millrace {

/// While one is there, calls are held up. One at a time.
class FutexHoldUp {
 public:
  enum class Of { kAll, kWaits };
  explicit FutexHoldUp(Of of = Of::kAll) {
    calls = 0;
    wakes_too = of == Of::kAll;
    on = true;
  }
  ~FutexHoldUp() { on = false; }
  FutexHoldUp(const FutexHoldUp&) = delete;
  FutexHoldUp& operator=(const FutexHoldUp&) = delete;

  static inline std::atomic<bool> on = false, wakes_too = false;
  static inline std::atomic<int> calls = 0;  // that were held up
};

}  // namespace millrace
