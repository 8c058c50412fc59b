// A loop for tests: time moves when the test says so, and posted tasks run when it lets them.
#pragma once

#include <deque>
#include <utility>

#include "base/mutex.h"
#include "server/timer_heap.h"
#include "server/turn_loop.h"

namespace millrace {

class FakeTurnLoop final : public TurnLoop {
 public:
  [[nodiscard]] Time Now() const override { return now_; }
  void Post(Task task) override MR_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    posted_.push_back(std::move(task));
    has_task_.NotifyAll();
  }
  TimerId StartTimer(Time at, Task task) override { return timers_.Start(at, std::move(task)); }
  void StopTimer(TimerId timer) override { timers_.Stop(timer); }

  /// Runs what was posted until nothing is left; how many tasks.
  int RunPosted() MR_EXCLUDES(mutex_) {
    int count = 0;
    for (Task task = Take(); task; task = Take(), ++count) task();
    return count;
  }
  /// Waits for a task of another thread, at most ten seconds, and runs it. False: none came.
  bool RunNext() MR_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      while (posted_.empty()) {
        if (!has_task_.WaitFor(mutex_, std::chrono::seconds(10))) return false;
      }
    }
    return RunPosted() > 0;
  }
  void Advance(Time by) {
    now_ += by;
    timers_.RunDue(now_);
  }
  [[nodiscard]] std::size_t timers() const { return timers_.size(); }

 private:
  Task Take() MR_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (posted_.empty()) return {};
    Task task = std::move(posted_.front());
    posted_.pop_front();
    return task;
  }

  Time now_{};
  TimerHeap timers_;
  Mutex mutex_;
  CondVar has_task_;
  std::deque<Task> posted_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
