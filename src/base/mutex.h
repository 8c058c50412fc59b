// Mutex, MutexLock and CondVar with thread-safety annotations (-Wthread-safety proves the locking).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

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

class MR_CAPABILITY("mutex") Mutex {
 public:
  void Lock() MR_ACQUIRE() { mutex_.lock(); }
  void Unlock() MR_RELEASE() { mutex_.unlock(); }
  bool TryLock() MR_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

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

/// Waits with the mutex held; callers loop over their condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) MR_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// False: `timeout` passed.
  bool WaitFor(Mutex& mutex, std::chrono::nanoseconds timeout) MR_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool woken = condition_.wait_for(lock, timeout) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace millrace
