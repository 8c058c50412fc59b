#include "base/mutex.h"

#include "base/check.h"
#include "base/futex.h"

namespace millrace {

#ifndef NDEBUG
void CheckNoMutexHeld() { MR_CHECK(held_mutexes == 0, held_mutexes); }
#endif

/// A thread that changes the condition after we looked takes the mutex after us: it sees that we wait, and moves the
/// word that we saw before it wakes. So we sleep when its wake comes, or do not sleep at all.
bool CondVar::Sleep(Mutex& mutex, std::chrono::nanoseconds timeout) {
  const std::uint32_t seen = word_.load();
  waiting_.fetch_add(1);
  mutex.mutex_.unlock();
  const bool in_time = FutexWait(word_, seen, timeout);
  mutex.mutex_.lock();
  waiting_.fetch_sub(1);
  return in_time;
}

void CondVar::Wake(int threads) {
  word_.fetch_add(1);
  FutexWake(&word_, threads);
}

}  // namespace millrace
