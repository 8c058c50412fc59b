#include "server/net/event_loop.h"

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "server/timer_heap.h"

namespace millrace {

namespace asio = boost::asio;

namespace {

// After so many the turn ends, so that replies do not wait for a socket that is always ready.
constexpr int kTasksPerTurn = 256;

}  // namespace

struct EventLoop::State {
  void ArmTimer();
  void Turn();

  asio::io_context context{1};
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

void EventLoop::State::Turn() {
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
    return std::unique_ptr<EventLoop>(new EventLoop(std::make_unique<State>()));
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

struct Readiness::State {
  explicit State(asio::io_context& context) : descriptor(context) {}

  void Await(asio::posix::descriptor_base::wait_type what, TurnLoop::Task ready, const std::shared_ptr<State>& self) {
    descriptor.async_wait(what, [ready = std::move(ready), self](const boost::system::error_code& error) mutable {
      // Any other error shows when the owner reads or writes.
      if (!self->over && error != asio::error::operation_aborted) ready();
    });
  }

  asio::posix::stream_descriptor descriptor;
  bool over = false;
};

namespace {

asio::io_context& ContextOf(EventLoop::State& state) { return state.context; }

}  // namespace

Readiness::Readiness(EventLoop& loop, int descriptor) : state_(std::make_shared<State>(ContextOf(loop.state()))) {
  boost::system::error_code error;
  state_->descriptor.assign(descriptor, error);
}

Readiness::~Readiness() {
  state_->over = true;
  state_->descriptor.release();
}

bool Readiness::open() const { return state_->descriptor.is_open(); }

void Readiness::AwaitReadable(TurnLoop::Task ready) {
  state_->Await(asio::posix::descriptor_base::wait_read, std::move(ready), state_);
}

void Readiness::AwaitWritable(TurnLoop::Task ready) {
  state_->Await(asio::posix::descriptor_base::wait_write, std::move(ready), state_);
}

}  // namespace millrace
