#include "server/net/event_loop.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/try.h"
#include "server/net/readiness_set.h"
#include "server/timer_heap.h"

namespace millrace {

namespace {

// After so many sockets, or rounds of what was posted, the turn ends, so that replies do not wait for one that is
// always ready.
constexpr std::size_t kSocketsPerTurn = 256;
constexpr int kPostsPerTurn = 256;

}  // namespace

struct EventLoop::State {
  State(std::unique_ptr<ReadinessSet> opened, int event) : sockets(std::move(opened)), wake(event) {}
  ~State() { ::close(wake); }

  [[nodiscard]] bool AwaitWake();
  void Turn();

  const std::unique_ptr<ReadinessSet> sockets;
  const int wake;  // an eventfd, written to while the loop sleeps
  ReadinessSet::Id wake_id = 0;
  TimerHeap timers;
  Task turn_end;
  std::function<bool()> more_helps;
  bool stopping = false;

  Mutex mutex;
  std::vector<Task> posted MR_GUARDED_BY(mutex);
  bool asleep MR_GUARDED_BY(mutex) = false;  // or about to be: who posts first is to wake it
  bool ended MR_GUARDED_BY(mutex) = false;

  void Post(Task task) MR_EXCLUDES(mutex);
  [[nodiscard]] Time FallAsleep() MR_EXCLUDES(mutex);
  [[nodiscard]] bool RunPosted() MR_EXCLUDES(mutex);
  void EndPosts() MR_EXCLUDES(mutex);
};

namespace {

/// Whose turns this thread runs.
thread_local const EventLoop::State* turning = nullptr;

}  // namespace

/// False: the system does not let the descriptor be watched.
bool EventLoop::State::AwaitWake() {
  if (wake_id == 0) wake_id = sockets->Add(wake);
  sockets->AwaitReadable(wake_id, [this] {
    std::uint64_t count = 0;
    (void)!::read(wake, &count, sizeof count);
    (void)AwaitWake();
  });
  return wake_id != 0;
}

/// A loop that turns finds the task by itself, its own ones always; one that sleeps is woken once, however many follow.
void EventLoop::State::Post(Task task) {
  {
    const MutexLock lock(mutex);
    if (ended) return;
    posted.push_back(std::move(task));
    if (turning == this || !std::exchange(asleep, false)) return;
  }
  const std::uint64_t one = 1;
  (void)!::write(wake, &one, sizeof one);
}

/// For how long: from now on who posts wakes it, and the first timer does.
TurnLoop::Time EventLoop::State::FallAsleep() {
  const auto first = timers.First();
  const MutexLock lock(mutex);
  if (!posted.empty()) return Time(0);
  asleep = true;
  if (!first) return Time::max();
  return std::max(*first - Time(std::chrono::steady_clock::now().time_since_epoch()), Time(0));
}

/// False: there was nothing.
bool EventLoop::State::RunPosted() {
  std::vector<Task> tasks;
  {
    const MutexLock lock(mutex);
    asleep = false;
    tasks.swap(posted);
  }
  for (Task& task : tasks) task();
  return !tasks.empty();
}

void EventLoop::State::EndPosts() {
  std::vector<Task> dropped;
  const MutexLock lock(mutex);
  ended = true;
  dropped.swap(posted);
}

void EventLoop::State::Turn() {
  std::size_t served = sockets->RunReady(FallAsleep());
  while (served > 0 && served < kSocketsPerTurn && more_helps && more_helps()) {
    const std::size_t more = sockets->RunReady();
    if (more == 0) break;
    served += more;
  }
  for (int i = 0; i < kPostsPerTurn && RunPosted(); ++i) {
  }
  if (turn_end) turn_end();
  // After the commit: what it told has its reply, and no timer says that it came too late.
  const Time now = std::chrono::steady_clock::now().time_since_epoch();
  if (const auto first = timers.First(); first && *first <= now) {
    timers.RunDue(now);
    if (turn_end) turn_end();
  }
}

Result<std::unique_ptr<EventLoop>> EventLoop::Open() {
  const auto refused = [] {
    return Error(ErrorCode::kUnavailable, fmt::format("cannot make an event loop: {}", std::strerror(errno)),
                 "The limit of open files may be to blame (ulimit -n).");
  };
  MR_ASSIGN_OR_RETURN(auto sockets, ReadinessSet::Open());
  const int wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) return refused();
  auto state = std::make_unique<State>(std::move(sockets), wake);
  if (!state->AwaitWake()) return refused();
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(state)));
}

EventLoop::EventLoop(std::unique_ptr<State> state) : state_(std::move(state)) {}

EventLoop::~EventLoop() { state_->timers.Clear(); }

void EventLoop::OnTurnEnd(Task task) { state_->turn_end = std::move(task); }

void EventLoop::GatherWhile(std::function<bool()> more_helps) { state_->more_helps = std::move(more_helps); }

void EventLoop::Run() {
  turning = state_.get();
  while (!state_->stopping) state_->Turn();
  turning = nullptr;
  state_->EndPosts();
}

void EventLoop::Stop() {
  Post([state = state_.get()] { state->stopping = true; });
}

TurnLoop::Time EventLoop::Now() const { return std::chrono::steady_clock::now().time_since_epoch(); }

void EventLoop::Post(Task task) { state_->Post(std::move(task)); }

TurnLoop::TimerId EventLoop::StartTimer(Time at, Task task) { return state_->timers.Start(at, std::move(task)); }

void EventLoop::StopTimer(TimerId timer) { state_->timers.Stop(timer); }

Readiness::Readiness(EventLoop& loop, int descriptor) : set_(*loop.state().sockets), id_(set_.Add(descriptor)) {}

Readiness::~Readiness() { set_.Remove(id_); }

void Readiness::AwaitReadable(TurnLoop::Task ready) { set_.AwaitReadable(id_, std::move(ready)); }

void Readiness::AwaitWritable(TurnLoop::Task ready) { set_.AwaitWritable(id_, std::move(ready)); }

}  // namespace millrace
