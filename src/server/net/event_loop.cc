#include "server/net/event_loop.h"

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/try.h"
#include "server/net/readiness_set.h"
#include "server/timer_heap.h"

namespace millrace {

namespace asio = boost::asio;

namespace {

// After so many the turn ends, so that replies do not wait for a socket that is always ready.
constexpr int kTasksPerTurn = 256;

}  // namespace

struct EventLoop::State {
  explicit State(std::unique_ptr<ReadinessSet> opened) : sockets(std::move(opened)) {
    sockets_ready.assign(sockets->descriptor());
  }
  ~State() { sockets_ready.release(); }

  void ArmTimer();
  void ArmSockets();
  void Turn();

  asio::io_context context{1};
  const std::unique_ptr<ReadinessSet> sockets;
  asio::posix::stream_descriptor sockets_ready{context};
  bool awaits_sockets = false;
  asio::steady_timer timer{context};
  std::optional<Time> armed;  // for when the timer is set
  TimerHeap timers;
  Task turn_end;
  bool stopping = false;

  Mutex mutex;
  std::vector<Task> posted MR_GUARDED_BY(mutex);
  bool ended MR_GUARDED_BY(mutex) = false;

  void Post(Task task) MR_EXCLUDES(mutex);
  void RunPosted() MR_EXCLUDES(mutex);
  void EndPosts() MR_EXCLUDES(mutex);
};

/// One wake of the loop for all that is posted until it comes round.
void EventLoop::State::Post(Task task) {
  {
    const MutexLock lock(mutex);
    if (ended) return;
    posted.push_back(std::move(task));
    if (posted.size() > 1) return;
  }
  asio::post(context, [this] { RunPosted(); });
}

void EventLoop::State::RunPosted() {
  std::vector<Task> tasks;
  {
    const MutexLock lock(mutex);
    tasks.swap(posted);
  }
  for (Task& task : tasks) task();
}

void EventLoop::State::EndPosts() {
  std::vector<Task> dropped;
  const MutexLock lock(mutex);
  ended = true;
  dropped.swap(posted);
}

/// The timer of the system moves only to an earlier time: to wake once for nothing is cheaper than to set it each turn.
void EventLoop::State::ArmTimer() {
  const std::optional<Time> first = timers.First();
  if (!first || (armed && *armed <= *first)) return;
  armed = first;
  timer.expires_at(std::chrono::steady_clock::time_point(*first));
  timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) armed.reset();
  });
}

/// Once a turn: a socket is looked at again when the turn that served it has ended.
void EventLoop::State::ArmSockets() {
  if (std::exchange(awaits_sockets, true)) return;
  sockets_ready.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
    awaits_sockets = false;
    if (!error) sockets->RunReady();
  });
}

void EventLoop::State::Turn() {
  ArmSockets();
  context.run_one();
  for (int i = 1; i < kTasksPerTurn && context.poll_one() != 0; ++i) {
  }
  if (turn_end) turn_end();
  // After the commit: what it told has its reply, and no timer says that it came too late.
  const Time now = std::chrono::steady_clock::now().time_since_epoch();
  if (const auto first = timers.First(); first && *first <= now) {
    timers.RunDue(now);
    if (turn_end) turn_end();
  }
  ArmTimer();
}

Result<std::unique_ptr<EventLoop>> EventLoop::Open() {
  try {
    MR_ASSIGN_OR_RETURN(auto sockets, ReadinessSet::Open());
    return std::unique_ptr<EventLoop>(new EventLoop(std::make_unique<State>(std::move(sockets))));
  } catch (const boost::system::system_error& error) {
    return Error(ErrorCode::kUnavailable, std::string("cannot make an event loop: ") + error.what(),
                 "The limit of open files may be to blame (ulimit -n).");
  }
}

EventLoop::EventLoop(std::unique_ptr<State> state) : state_(std::move(state)) {}

EventLoop::~EventLoop() { state_->timers.Clear(); }

void EventLoop::OnTurnEnd(Task task) { state_->turn_end = std::move(task); }

void EventLoop::Run() {
  const auto work = asio::make_work_guard(state_->context);
  state_->ArmTimer();
  while (!state_->stopping) state_->Turn();
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
