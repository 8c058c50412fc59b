// Mutex, MutexLock and CondVar with thread-safety annotations (-Wthread-safety proves the locking).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "base/futex.h"

#ifdef __clang__
#define MR_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define MR_THREAD_ANNOTATION(x)
#endif
#define MR_CAPABILITY(name) MR_THREAD_ANNOTATION(capability(name))
#define MR_SCOPED_CAPABILITY MR_THREAD_ANNOTATION(scoped_lockable)
#define MR_GUARDED_BY(mutex) MR_THREAD_ANNOTATION(guarded_by(mutex))
#define MR_REQUIRES(...) MR_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define MR_EXCLUDES(...) MR_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define MR_ACQUIRE(...) MR_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define MR_RELEASE(...) MR_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define MR_TRY_ACQUIRE(...) MR_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define MR_NO_THREAD_SAFETY_ANALYSIS MR_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace millrace {

#ifdef NDEBUG
inline void CountHeldMutex(int) {}
inline void CheckNoMutexHeld() {}
#else
/// How many mutexes of ours this thread holds.
inline constinit thread_local int held_mutexes = 0;
inline void CountHeldMutex(int by) { held_mutexes += by; }
/// Stands where a callback is called. Ends the process if this thread holds a mutex of ours: the
/// callback could take it again. Debug builds only.
void CheckNoMutexHeld();
#endif

class MR_CAPABILITY("mutex") Mutex {
 public:
  void Lock() MR_ACQUIRE() {
    mutex_.lock();
    CountHeldMutex(1);
  }
  void Unlock() MR_RELEASE() {
    CountHeldMutex(-1);
    mutex_.unlock();
  }
  bool TryLock() MR_TRY_ACQUIRE(true) {
    if (!mutex_.try_lock()) return false;
    CountHeldMutex(1);
    return true;
  }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class MR_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) MR_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() MR_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits with the mutex held; callers loop over their condition. Who changes the condition does so under the mutex, and
/// notifies under it or after. On a futex of its own: the C library's condition loses wake-ups before glibc 2.41
/// (docs/adr/0055-a-condition-that-loses-no-wake-up.md).
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void Wait(Mutex& mutex) MR_REQUIRES(mutex) { (void)Sleep(mutex, std::chrono::nanoseconds::max()); }
  /// False: `timeout` passed; the largest never does.
  bool WaitFor(Mutex& mutex, std::chrono::nanoseconds timeout) MR_REQUIRES(mutex) { return Sleep(mutex, timeout); }
  /// Cost: a load while no thread waits.
  void NotifyOne() {
    if (waiting_.load() != 0) Wake(1);
  }
  void NotifyAll() {
    if (waiting_.load() != 0) Wake(kAllThreads);
  }

 private:
  bool Sleep(Mutex& mutex, std::chrono::nanoseconds timeout) MR_REQUIRES(mutex);
  void Wake(int threads);

  std::atomic<std::uint32_t> word_{0};     // moved by every wake
  std::atomic<std::uint32_t> waiting_{0};  // changed under the waiters' mutex
};

}  // namespace millrace
