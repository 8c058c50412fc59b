// One thread that waits for sockets, timers and posted tasks, and runs them in turns:
//
//   wait ─► whatever is ready ─► what was posted ─► the end of the turn (commit, flush) ─► timers that are due ─► its
//   end again ─► wait
//
// A turn that serves one request costs one call of the system beside those of its socket: the wait.
#pragma once

#include <functional>
#include <memory>

#include "millrace/result.h"
#include "server/net/readiness_set.h"
#include "server/turn_loop.h"

namespace millrace {

class EventLoop final : public TurnLoop {
 public:
  /// kUnavailable: the system gives no descriptors.
  static Result<std::unique_ptr<EventLoop>> Open();
  ~EventLoop() override;

  /// Called at the end of every turn. Set before Run.
  void OnTurnEnd(Task task);
  /// While it says so, what became ready meanwhile is still served in this turn: the work that its end does for all of
  /// them is worth it. Set before Run.
  void GatherWhile(std::function<bool()> more_helps);
  /// Runs turns on this thread until Stop; what is posted from then on is dropped.
  void Run();
  /// From any thread. The turn at hand is finished.
  void Stop();

  [[nodiscard]] Time Now() const override;
  void Post(Task task) override;
  TimerId StartTimer(Time at, Task task) override;
  void StopTimer(TimerId timer) override;

  struct State;
  [[nodiscard]] State& state() { return *state_; }

 private:
  explicit EventLoop(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

/// Waits for a descriptor that its owner reads, writes and closes. Of the loop's thread; the loop outlives it.
class Readiness {
 public:
  Readiness(EventLoop& loop, int descriptor);
  /// Nothing is called any more. The descriptor stays open.
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  /// The loop watches it. False: the system does not let it.
  [[nodiscard]] bool open() const { return id_ != 0; }
  // Each calls once, in a later turn; not again until asked anew. One wait of each kind at a time.
  void AwaitReadable(TurnLoop::Task ready);
  void AwaitWritable(TurnLoop::Task ready);

 private:
  ReadinessSet& set_;
  const ReadinessSet::Id id_;
};

}  // namespace millrace
